//! Tests whose guardian or shim is killed, and one that forks.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::panic;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{self, ForkResult, Pid, fork};
use pkit_test::fixtures::dir;
use pkit_test::{Executor, Ground, Need, Process, Result, Spec, orchestra, output, processes, simple, tcp};
use pkit_test_tests::child::wait_ms;
use pkit_test_tests::process::{children, parent, pids, stat};

use super::chosen::{command, is_chosen};
use crate::child::{HANG, wait_until};
use crate::race;
use crate::text::normalised;

/// The guardian is the only child of this process.
fn guardian() -> Pid {
    let children = children(process::id());
    assert_eq!(children.len(), 1, "{children:?}");
    Pid::from_raw(children[0].try_into().unwrap())
}

#[track_caller]
fn check<T>(result: Result<T>, expected: Expect) {
    let error = result.err().unwrap();
    assert!(error.is_guardian_lost(), "{error}");
    expected.assert_eq(&normalised(&error.to_string()));
}

/// Of whichever of its threads.
fn has_zombie() -> bool {
    pids().into_iter().filter_map(stat).any(|stat| stat.ppid == process::id() && stat.state == 'Z')
}

#[test]
fn too_few_descriptors_are_allowed() {
    if !is_chosen() {
        return;
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let mut lacks = 0;
    for few in 3.. {
        setrlimit(Resource::RLIMIT_NOFILE, few, hard).unwrap();
        let started = output(command("sleeper", ""), "sleeper").start();
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        let Err(error) = started else { break };
        lacks += u32::from(error.to_string().contains("the guardian was not started: "));
        // Of one that has ended later the thread that hears of it takes the exit.
        wait_until(|| !has_zombie());
    }
    assert!(lacks > 3, "{lacks}");
}

#[test]
fn the_guardian_is_killed() {
    if !is_chosen() {
        return;
    }
    let server = tcp(command("slow", "0 {port}"), 0).start().unwrap();
    let other = output(command("sleeper", ""), "sleeper").start().unwrap();
    let (port, directory, kept) = (server.port(), server.dir().to_owned(), server.dir().join("kept"));
    fs::write(&kept, "state").unwrap();
    let waiting = thread::scope(|scope| {
        let waiting =
            [scope.spawn(|| server.wait().map(drop)), scope.spawn(|| other.wait_for_output("never", HANG).map(drop))];
        kill(guardian(), Signal::SIGKILL).unwrap();
        waiting.map(|thread| thread.join().unwrap())
    });
    let [waited, searched] = waiting;
    check(waited, expect!["cannot wait for it: the guardian was killed, and `slow` with it"]);
    check(server.stop(), expect!["cannot stop it: the guardian was killed, and `slow` with it"]);
    check(server.kill(), expect!["cannot stop it: the guardian was killed, and `slow` with it"]);
    check(
        server.signal(pkit_test::Signal::Hup),
        expect!["cannot send it a signal: the guardian was killed, and `slow` with it"],
    );
    check(
        server.write_stdin("x"),
        expect!["cannot write to its standard input: the guardian was killed, and `slow` with it"],
    );
    check(server.pause(), expect!["cannot pause it: the guardian was killed, and `slow` with it"]);
    check(server.try_wait(), expect!["cannot wait for it: the guardian was killed, and `slow` with it"]);
    check(
        searched,
        expect![[r#"
        cannot wait for its output: the guardian was killed, and `sleeper` with it
          saw:    no line matches; the last one is "sleeper""#]],
    );
    assert_eq!((server.pid(), server.exit(), server.is_alive()), (None, None, false));
    assert_eq!(other.stdout(), "sleeper\n");
    server.start().unwrap();
    assert_eq!((server.port(), server.is_alive()), (port, true));
    assert_eq!((server.dir().to_owned(), fs::read_to_string(&kept).ok().as_deref()), (directory, Some("state")));
    assert!(output(command("sleeper", ""), "sleeper").start().unwrap().is_alive());
}

#[test]
fn the_guardian_is_killed_and_another_one_takes_the_port() {
    if !is_chosen() {
        return;
    }
    let server = tcp(command("slow", "0 {port}"), 0).start().unwrap();
    kill(guardian(), Signal::SIGKILL).unwrap();
    server.wait().unwrap_err();
    let other = tcp(command("slow", "0 {port}"), server.port()).start().unwrap();
    thread::scope(|scope| {
        let again = scope.spawn(|| server.start());
        // It stays for longer than the kernel needs for the ports of the dead.
        assert_eq!(other.wait_timeout(Duration::from_millis(1500)).unwrap(), None);
        drop(other);
        again.join().unwrap().unwrap();
    });
    assert!(server.is_alive());
}

#[test]
fn the_guardian_of_a_reserved_place_is_killed() {
    struct Reserved(Spec);
    impl Executor for Reserved {
        type Handle = Process;
        fn start_on(self, ground: &Ground) -> Result<Process> {
            fs::write(ground.dir()?.join("kept"), ground.port()?.to_string()).unwrap();
            ground.start(self.0)
        }
    }
    if !is_chosen() {
        return;
    }
    let server = Reserved(tcp(command("slow", "0 {port}"), 0).port("admin")).start().unwrap();
    let (port, admin, directory) = (server.port(), server.port_of("admin"), server.dir().to_owned());
    kill(guardian(), Signal::SIGKILL).unwrap();
    assert!(server.wait().unwrap_err().is_guardian_lost());
    server.start().unwrap();
    assert_eq!((server.port(), server.port_of("admin"), server.dir()), (port, admin, directory.as_path()));
    assert_eq!(fs::read_to_string(directory.join("kept")).unwrap(), port.to_string());
    drop(server);
    assert!(!directory.exists());
}

#[test]
fn the_guardian_is_asked_to_end() {
    if !is_chosen() {
        return;
    }
    let process = output(command("sleeper", ""), "sleeper").start().unwrap();
    kill(guardian(), Signal::SIGTERM).unwrap();
    let exit = process.wait().unwrap();
    assert_eq!(exit.signal(), Some(15));
    // It takes no orders any more, and is gone in a moment.
    process.start().unwrap();
    assert!(process.is_alive());
}

#[test]
fn guardians_are_asked_to_end_all_the_time() {
    if !is_chosen() {
        return;
    }
    let end = race::end();
    let kept = tcp(command("slow", "0 {port}"), 0).start().unwrap();
    while Instant::now() < end {
        let (port, directory) = (kept.port(), kept.dir().to_owned());
        // One more that needs a while, so that all moments of an end are met.
        let spec =
            output(command("polite", &race::random_part(Duration::from_millis(20)).as_millis().to_string()), "ready");
        let slow = spec.start().unwrap();
        kill(living_guardian(), Signal::SIGTERM).unwrap();
        kept.wait().unwrap();
        wait_ms(race::random_part(Duration::from_millis(20)).as_millis().try_into().unwrap());
        let new = output(command("sleeper", ""), "sleeper").port("peer").env("STATE", "{dir}").start().unwrap();
        kept.start().unwrap();
        assert_eq!((kept.port(), kept.dir(), kept.is_alive(), new.is_alive()), (port, &*directory, true, true));
        // One that was declined was no start.
        assert!(processes().iter().filter(|process| process.name() == new.name()).all(|new| new.restarts() == 0));
        drop(slow);
    }
}

#[test]
fn a_directory_is_made_in_every_moment_of_an_end() {
    if !is_chosen() {
        return;
    }
    let end = race::end();
    while Instant::now() < end {
        let process = output(command("sleeper", ""), "sleeper").start().unwrap();
        // So that there is something to remove, which takes its time.
        (0..100).for_each(|name| fs::write(process.dir().join(name.to_string()), "").unwrap());
        let guardian = living_guardian();
        kill(guardian, Signal::SIGTERM).unwrap();
        while stat(guardian.as_raw().unsigned_abs()).is_some_and(|stat| stat.state != 'Z') {
            drop(dir());
        }
    }
}

#[test]
fn guardians_of_many_are_asked_to_end_all_the_time() {
    if !is_chosen() {
        return;
    }
    const THREADS: usize = 6;
    let is_over = AtomicBool::new(false);
    let spawned = || simple(command("sleeper", "")).cwd("{dir}").spawn().unwrap();
    thread::scope(|scope| {
        let starters = [(); THREADS].map(|()| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    drop(spawned());
                }
            })
        });
        let end = race::end();
        // Those who start end also where this fails.
        let asked = panic::catch_unwind(|| {
            while Instant::now() < end {
                // The one that has served it: one that has just begun would be killed by the signal.
                let process = spawned();
                let shim = process.pid().and_then(parent);
                let guardian = shim.and_then(parent).filter(|guardian| children(process::id()).contains(guardian));
                // It may have ended meanwhile.
                let _ = guardian.map(|guardian| kill(Pid::from_raw(guardian.try_into().unwrap()), Signal::SIGTERM));
                wait_ms(race::random_part(Duration::from_millis(20)).as_millis().try_into().unwrap());
            }
        });
        is_over.store(true, Ordering::Relaxed);
        starters.into_iter().for_each(|starter| starter.join().unwrap());
        asked.unwrap();
    });
}

#[test]
fn what_it_needs_is_made_while_a_guardian_ends() {
    if !is_chosen() {
        return;
    }
    let [until, home] = ["UNTIL", "HOME_TO_BE"].map(|name| std::env::var(name).unwrap());
    let old = output(command("polite", &format!("0 --until '{until}'")), "ready").start().unwrap();
    kill(guardian(), Signal::SIGTERM).unwrap();
    // A guardian that ends tells nobody of output.
    wait_until(|| fs::read_to_string(old.log_path()).is_ok_and(|log| log.contains("bye")));
    thread::scope(|scope| {
        scope.spawn(|| {
            // Where the start below takes longer to begin it fails at nothing.
            wait_ms(300);
            fs::create_dir(&home).unwrap();
            fs::write(until, "").unwrap();
        });
        let new = output(command("sleeper", ""), "sleeper").cwd(&home).start();
        assert!(new.unwrap().is_alive());
    });
}

/// The one before it may still be on its last steps, when it has nothing to say any more.
fn living_guardian() -> Pid {
    let mut living = Vec::new();
    wait_until(|| {
        living = children(process::id());
        living.len() == 1
    });
    Pid::from_raw(living[0].try_into().unwrap())
}

#[test]
fn a_shim_is_killed() {
    if !is_chosen() {
        return;
    }
    let process = output(command("daemon", ""), "daemon").start().unwrap();
    let other = output(command("sleeper", ""), "sleeper").start().unwrap();
    let shim = parent(process.pid().unwrap()).unwrap();
    kill(Pid::from_raw(shim.try_into().unwrap()), Signal::SIGKILL).unwrap();
    check(process.wait(), expect!["cannot wait for it: the shim of `daemon` was killed, and `daemon` with it"]);
    check(process.stop(), expect!["cannot stop it: the shim of `daemon` was killed, and `daemon` with it"]);
    assert!(other.is_alive(), "the others do not notice");
    process.start().unwrap();
    assert!(process.is_alive());
}

/// The shim of a process, stopped where it stands.
fn stop_shim(process: &Process) {
    let shim = Pid::from_raw(parent(process.pid().unwrap()).unwrap().try_into().unwrap());
    kill(shim, Signal::SIGSTOP).unwrap();
    wait_until(|| stat(shim.as_raw().unsigned_abs()).is_some_and(|stat| stat.state == 'T'));
}

#[test]
fn all_shims_are_stopped() {
    if !is_chosen() {
        return;
    }
    let file = std::env::var("FILE").unwrap();
    for name in ["one", "two", "three", "four", "five"] {
        let process = output(command("order", &format!("{name} '{file}'")), "ready").start().unwrap();
        stop_shim(&process);
        // So that it is the exit of the test that ends it.
        std::mem::forget(process);
    }
    let process = output(command("order", &format!("first '{file}'")), "ready").start().unwrap();
    stop_shim(&process);
    process.stop().unwrap();
    assert_eq!(process.exit().unwrap().code(), Some(0));
}

#[test]
fn a_fork_of_the_test_has_nothing_to_say() {
    if !is_chosen() {
        return;
    }
    let process = output(command("sleeper", ""), "sleeper").start().unwrap();
    let text = in_a_fork(|| process.stop().unwrap_err().to_string());
    expect![[r#"
        cannot stop it: `sleeper` belongs to the process that started it
          why:    this process is a fork of it"#]]
    .assert_eq(&normalised(&text));
    let text = in_a_fork(|| process.write_stdin("x").unwrap_err().to_string());
    expect![[r#"
        cannot write to its standard input: `sleeper` belongs to the process that started it
          why:    this process is a fork of it"#]]
    .assert_eq(&normalised(&text));
    let text = in_a_fork(|| format!("{:?} {} {:?}", process.pid().is_some(), process.is_alive(), process.stdout()));
    expect![[r#"true true "sleeper\n""#]].assert_eq(&normalised(&text));
    let text = in_a_fork(|| process.start().unwrap_err().to_string());
    expect![[r#"
        `sleeper` was not started: it runs already
          ran:    CHILDREN/sleeper   pid N
          hint:   `stop` it first, or `restart` it"#]]
    .assert_eq(&normalised(&text));
    assert!(process.is_alive(), "a fork ends nothing");
}

#[test]
fn a_fork_that_drops_the_handle_ends_nothing() {
    if !is_chosen() {
        return;
    }
    let process = output(command("sleeper", ""), "sleeper").start().unwrap();
    let pid = process.pid();
    wait_until(others_rest);
    // SAFETY: as below.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop(process);
            // The ordinary end of a process, with all that we do there.
            process::exit(3);
        }
        ForkResult::Parent { child } => assert!(matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 3)))),
    }
    assert_eq!((process.is_alive(), process.pid()), (true, pid));
}

/// Whether all other threads of this process wait for something. One that has just woken us may still hold a lock.
pub(super) fn others_rest() -> bool {
    let own = unistd::gettid().to_string();
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten().filter(|thread| *thread.file_name() != *own);
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    stats.into_iter().all(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')))
}

/// What that gives in a fork of this process.
fn in_a_fork(ask: impl FnOnce() -> String) -> String {
    let (mut reader, mut writer) = UnixStream::pair().unwrap();
    wait_until(others_rest);
    // SAFETY: the child uses no lock that another thread of ours holds: they wait in system calls, and the allocator
    // looks after itself at a fork.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            writer.write_all(ask().as_bytes()).unwrap();
            process::exit(0);
        }
        ForkResult::Parent { child } => {
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            waitpid(child, None).unwrap();
            text
        }
    }
}

/// Waits until it is given up.
struct Patient {
    after: Option<&'static str>,
}

impl Executor for Patient {
    type Handle = ();

    fn needs(&self) -> Vec<Need> {
        self.after.map(Need::first).into_iter().collect()
    }

    fn start_on(self, ground: &Ground) -> Result<()> {
        while !ground.is_cancelled() {
            thread::yield_now();
        }
        Ok(())
    }
}

/// Leaves the process as much memory as it has, and less than the stack of one more thread.
struct Miser;

impl Executor for Miser {
    type Handle = ();

    fn start_on(self, _: &Ground) -> Result<()> {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let has = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")).unwrap();
        let most = (has.parse::<u64>().unwrap() + 1024) * 1024;
        setrlimit(Resource::RLIMIT_AS, most, getrlimit(Resource::RLIMIT_AS).unwrap().1).unwrap();
        Ok(())
    }
}

#[test]
fn no_thread_is_to_be_had() {
    if !is_chosen() {
        return;
    }
    // The stacks of threads that have ended are there for some more.
    let stack = orchestra().with("before", Patient { after: None }).with("miser", Miser);
    let late = || Patient { after: Some("miser") };
    let stack = (0..60).fold(stack, |stack, number| stack.with(format!("late{number}"), late()));
    let error = stack.start().err().unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
    assert!(soft < hard);
    setrlimit(Resource::RLIMIT_AS, hard, hard).unwrap();
    assert!(error.to_string().contains("was not started: it got no thread"), "{error}");
}
