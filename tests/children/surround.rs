//! A launcher: makes the surroundings worse, and then becomes its arguments.
//!
//! `surround [--init] [--tmp read-only|full] [--keep DIRECTORY] [--nofile N] [--nproc N] [--uid N] -- PROGRAM [ARGUMENT…]`:
//! `--init` runs the program under a PID 1 that reaps nobody else, ends as the program did and leaves that PID 1 behind until
//! somebody ends it, and with it all that is left; `--tmp` puts a `/tmp` of its own over the old one, in which only the directory
//! of `--keep` is still there; the others are limits, and who it is. Namespaces need root. Exit code 70: it cannot be made so.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{self, Command};

use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, pipe2, setgid, setgroups, setpgid, setuid};
use pkit_test_tests::child::{Args, forked, pause};

/// Of a `/tmp` in which nothing more can be made. Some are taken by the directories that lead to the one that is kept.
const FULL: &str = "size=4k,nr_inodes=24,mode=1777";

fn main() {
    let (mut args, command) = Args::and_command();
    let (init, tmp) = (args.flag("--init"), args.option::<String>("--tmp"));
    let keep = args.option::<String>("--keep");
    let (nofile, nproc, uid) = (args.option("--nofile"), args.option("--nproc"), args.option("--uid"));
    args.end();
    if init {
        below_an_init();
    }
    if let Some(kind) = tmp {
        cover_tmp(&kind, keep.as_deref().map(Path::new));
    }
    for (resource, limit) in [(Resource::RLIMIT_NOFILE, nofile), (Resource::RLIMIT_NPROC, nproc)] {
        limit.map_or(Ok(()), |limit| setrlimit(resource, limit, limit)).unwrap_or_else(|error| refuse("limit", error));
    }
    if let Some(uid) = uid {
        become_user(uid);
    }
    become_program(&command);
}

fn become_program(command: &[OsString]) -> ! {
    let Some((program, arguments)) = command.split_first() else { refuse("usage", "no program behind `--`") };
    refuse("exec", Command::new(program).args(arguments).exec())
}

fn become_user(id: u32) {
    let changed = setgroups(&[]).and_then(|()| setgid(Gid::from_raw(id))).and_then(|()| setuid(Uid::from_raw(id)));
    changed.unwrap_or_else(|error| refuse("user", error));
}

/// Returns in the program's process, whose parent is PID 1 of a namespace.
fn below_an_init() {
    unshare(CloneFlags::CLONE_NEWPID).unwrap_or_else(|error| refuse("PID namespace", error));
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap_or_else(|error| refuse("pipe", error));
    if forked().is_some() {
        drop(writer);
        end_alike(reader);
    }
    drop(reader);
    own_mounts();
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>)
        .unwrap_or_else(|error| refuse("/proc", error));
    match forked() {
        Some(program) => be_init(program, writer),
        // Its own group: what it does to that is not to reach whoever waits for its end.
        None => setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap_or_else(|error| refuse("group", error)),
    }
}

/// Waits for one child and for no other, says how it ended, and stays.
fn be_init(program: Pid, writer: OwnedFd) -> ! {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap_or_else(|error| refuse("null", error));
    for stream in 0..3 {
        // SAFETY: both descriptors are open, and nothing here uses the standard streams any more.
        unsafe { nix::libc::dup2(null.as_raw_fd(), stream) };
    }
    let (kind, number) = match waitpid(program, None) {
        Ok(WaitStatus::Signaled(_, signal, _)) => (b's', signal as i32),
        Ok(WaitStatus::Exited(_, code)) => (b'c', code),
        _ => (b'c', REFUSED),
    };
    let mut message = vec![kind];
    message.extend(number.to_ne_bytes());
    let _ = File::from(writer).write_all(&message); // Whoever waited may be gone.
    pause()
}

fn end_alike(reader: OwnedFd) -> ! {
    let mut message = Vec::new();
    let _ = File::from(reader).read_to_end(&mut message); // What is missing is seen below.
    let [kind, number @ ..] = message.as_slice() else { process::exit(REFUSED) };
    let number = number.try_into().map_or(REFUSED, i32::from_ne_bytes);
    if let (b's', Ok(signal)) = (kind, Signal::try_from(number)) {
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0); // A second core file says nothing.
        // SAFETY: the default action is no code of this process.
        let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
        let _ = raise(signal); // It ends us; if it does not, the code below is wrong, and is seen to be.
    }
    process::exit(number)
}

/// What is mounted from here on is seen here alone.
fn own_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap_or_else(|error| refuse("mount namespace", error));
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .unwrap_or_else(|error| refuse("private mounts", error));
}

fn cover_tmp(kind: &str, keep: Option<&Path>) {
    own_mounts();
    let kept = keep.map(|path| (path, File::open(path).unwrap_or_else(|error| refuse("--keep", error))));
    mount(Some("tmpfs"), "/tmp", Some("tmpfs"), MsFlags::empty(), Some(FULL))
        .unwrap_or_else(|error| refuse("tmpfs", error));
    if let Some((path, directory)) = kept.filter(|(path, _)| path.starts_with("/tmp")) {
        fs::create_dir_all(path).unwrap_or_else(|error| refuse("--keep", error));
        let source = format!("/proc/self/fd/{}", directory.as_raw_fd());
        mount(Some(source.as_str()), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .unwrap_or_else(|error| refuse("bind", error));
    }
    match kind {
        "full" => fill_tmp(),
        "read-only" => seal_tmp(),
        _ => refuse("--tmp", "read-only or full"),
    }
}

fn seal_tmp() {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    let sealed = mount(None::<&str>, "/tmp", None::<&str>, flags, None::<&str>);
    sealed.unwrap_or_else(|error| refuse("remount", error));
}

/// Neither a file nor a byte more.
fn fill_tmp() {
    let next = |number: u32| File::create_new(format!("/tmp/{number}"));
    for mut file in (0..).map(next).map_while(Result::ok) {
        let _ = file.write_all(&[0; 4096]); // Where there is no room for bytes there may still be some for a name.
    }
}

/// What it exits with when the surroundings cannot be made.
const REFUSED: i32 = 70;

fn refuse(what: &str, why: impl Display) -> ! {
    eprintln!("surround: {what}: {why}");
    process::exit(REFUSED)
}
