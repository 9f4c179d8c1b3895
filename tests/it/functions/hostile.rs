//! Functions that do to their process what they like. Whatever it is, it has a name, and nothing is left.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal as Raw};
use nix::unistd::{ForkResult, Pid, fork, getppid, setsid};
use pkit_test::ready::Said;
use pkit_test::{Failure, Worker, current, function};
use pkit_test_tests::child::{pause, wait_ms};
use pkit_test_tests::left_out;
use pkit_test_tests::process::stat;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::with_children;
use super::{assert_all_gone, note, note_self, rounds, wait_noted};
use crate::nested::victim;
use crate::text::normalised;

/// In a function that has one thread.
fn forked() -> ForkResult {
    // SAFETY: there is no other thread that could hold a lock.
    unsafe { fork() }.unwrap()
}

fn end_of<R: DeserializeOwned + fmt::Debug + 'static>(worker: &Worker<R>) -> String {
    let end = match worker.join() {
        Ok(value) => format!("returned {value:?}"),
        Err(failure) => failure.to_string(),
    };
    normalised(&end)
}

fn signal_of(failure: &Failure) -> Option<i32> {
    failure.exit().and_then(|exit| exit.signal())
}

#[test]
fn one_that_closes_all_descriptors_returns_all_the_same() {
    fn closes(bytes: usize) -> Vec<u8> {
        note_self();
        for fd in 0..1024 {
            // SAFETY: what is closed here is used by nobody any more.
            unsafe { libc::close(fd) };
        }
        vec![7; bytes]
    }
    for bytes in [0, 5_000_000] {
        let worker = function(closes, bytes).start().unwrap();
        assert_eq!(worker.join().unwrap().len(), bytes);
        assert_all_gone(&worker, 1);
    }
    fn closes_and_panics() {
        closes(0);
        panic!("without a standard error");
    }
    let worker = function(closes_and_panics, ()).start().unwrap();
    assert_eq!(worker.join().unwrap_err().message(), "without a standard error");
    fn closes_and_stays() {
        closes(0);
        pause()
    }
    let worker = function(closes_and_stays, ()).start().unwrap();
    wait_noted(&worker, 1);
    worker.stop().unwrap();
    assert_all_gone(&worker, 1);
}

#[test]
fn one_that_takes_over_all_descriptors_tells_the_truth() {
    fn others() -> String {
        // Whatever number ours had, somebody else's file has it by now.
        let files: Vec<_> = (0..100).map(|n| fs::File::create(current().dir().join(n.to_string())).unwrap()).collect();
        for fd in 3..64 {
            // SAFETY: both are descriptors of this process.
            unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&files[0]), fd) };
        }
        current().ready();
        assert!(fs::read_dir(current().dir()).unwrap().flatten().all(|entry| entry.metadata().unwrap().len() == 0));
        std::mem::forget(files);
        "fine".to_owned()
    }
    let worker = function(others, ()).start().unwrap();
    assert_eq!(worker.join().unwrap(), "fine");
    assert!(fs::read_dir(worker.dir()).unwrap().flatten().all(|entry| entry.metadata().unwrap().len() == 0));
}

#[test]
fn one_that_daemonizes_is_over_when_it_returns() {
    fn daemonizes(deaf: bool) -> u32 {
        note_self();
        if let ForkResult::Parent { child } = forked() {
            wait_ms(0);
            nix::sys::wait::waitpid(child, None).unwrap();
            return 7;
        }
        setsid().unwrap();
        if let ForkResult::Parent { .. } = forked() {
            // SAFETY: nothing is to be done at this end.
            unsafe { libc::_exit(0) };
        }
        note_self();
        if deaf {
            SigSet::all().thread_block().unwrap();
        }
        pause()
    }
    for deaf in [false, true] {
        let spec = function(daemonizes, deaf).stop_timeout(Duration::from_millis(100));
        let worker = spec.start().unwrap();
        assert_eq!(worker.join().unwrap(), 7);
        // The second one may not have come to write itself down.
        super::assert_gone(&super::noted(worker.dir()));
        assert!(!worker.is_alive() && worker.pid().is_none());
    }
}

#[test]
fn one_that_forks_and_returns_twice_has_one_result() {
    fn forks() -> u32 {
        note_self();
        let id = process::id();
        match forked() {
            ForkResult::Parent { .. } => wait_ms(20),
            ForkResult::Child => note_self(),
        }
        id
    }
    for _ in rounds(10) {
        let worker = function(forks, ()).start().unwrap();
        let pid = worker.pid();
        let result = worker.join().unwrap();
        assert!(pid.is_none_or(|pid| pid == result));
        super::assert_gone(&super::noted(worker.dir()));
    }
    fn child_panics() -> u32 {
        match forked() {
            ForkResult::Parent { child } => {
                nix::sys::wait::waitpid(child, None).unwrap();
                7
            }
            ForkResult::Child => panic!("in the child"),
        }
    }
    assert_eq!(function(child_panics, ()).start().unwrap().join().unwrap(), 7);
    fn parent_panics() -> u32 {
        match forked() {
            ForkResult::Parent { child } => {
                nix::sys::wait::waitpid(child, None).unwrap();
                panic!("in the parent")
            }
            ForkResult::Child => 7,
        }
    }
    let failure = function(parent_panics, ()).start().unwrap().join().unwrap_err();
    assert_eq!(failure.message(), "in the parent");
    fn only_the_child_returns() -> u32 {
        match forked() {
            // SAFETY: that is its end.
            ForkResult::Parent { .. } => unsafe { libc::_exit(0) },
            ForkResult::Child => 7,
        }
    }
    assert!(function(only_the_child_returns, ()).start().unwrap().join().unwrap_err().is_exit());
}

#[test]
fn one_that_leaves_threads_running_does_not_wait_for_them() {
    fn leaves() -> u32 {
        for _ in 0..10 {
            thread::spawn(|| {
                loop {
                    std::hint::spin_loop();
                }
            });
        }
        thread::spawn(|| {
            loop {
                println!("and on it goes");
            }
        });
        note_self();
        7
    }
    for _ in rounds(5) {
        let worker = function(leaves, ()).start().unwrap();
        assert_eq!(worker.join().unwrap(), 7);
        assert_all_gone(&worker, 1);
    }
}

#[test]
fn one_that_never_returns_is_stopped_or_too_late() {
    fn spins() -> u32 {
        note_self();
        loop {
            std::hint::spin_loop();
        }
    }
    let worker = function(spins, ()).start().unwrap();
    wait_noted(&worker, 1);
    assert!(worker.join_timeout(Duration::from_millis(10)).unwrap().is_none());
    worker.stop().unwrap();
    assert_all_gone(&worker, 1);
    assert_eq!(signal_of(&worker.join().unwrap_err()), Some(15));
    fn deaf() {
        SigSet::all().thread_block().unwrap();
        note_self();
        loop {
            std::hint::spin_loop();
        }
    }
    let worker = function(deaf, ()).stop_timeout(Duration::from_millis(50)).start().unwrap();
    wait_noted(&worker, 1);
    worker.stop().unwrap();
    assert_all_gone(&worker, 1);
    expect!["`deaf` was killed by signal 9 (SIGKILL) before it returned"].assert_eq(&end_of(&worker));
}

#[test]
fn one_that_prints_more_than_is_kept_is_not_held_up() {
    fn floods(megabytes: usize) -> usize {
        let line = [b'x'; 1 << 20];
        let mut out = std::io::stdout().lock();
        (0..megabytes).map(|_| out.write_all(&line).map_or(0, |()| line.len())).sum()
    }
    let megabytes = std::env::var("PKIT_FLOOD_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    let worker = function(floods, megabytes).start().unwrap();
    assert_eq!(worker.join().unwrap(), megabytes << 20);
    assert!(fs::metadata(worker.log_path()).unwrap().len() <= 600 << 20, "what is kept has a bound");
}

#[test]
fn one_that_gives_itself_other_rights_and_limits_ends_as_any_other() {
    fn changes(user: bool) -> u32 {
        note_self();
        let dir = current().dir().to_owned();
        std::env::set_current_dir("/").unwrap();
        nix::sys::stat::umask(nix::sys::stat::Mode::all());
        setrlimit(Resource::RLIMIT_NOFILE, 0, 0).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 0, 0).unwrap();
        setrlimit(Resource::RLIMIT_NPROC, 0, 0).unwrap();
        if user {
            nix::unistd::chown(&dir, Some(65_534.into()), None).unwrap();
            nix::unistd::setgid(65_534.into()).unwrap();
            nix::unistd::setuid(65_534.into()).unwrap();
        }
        7
    }
    let worker = function(changes, false).start().unwrap();
    assert_eq!(worker.join().unwrap(), 7);
    assert_all_gone(&worker, 1);
    if !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can become somebody else");
    }
    let worker = function(changes, true).start().unwrap();
    assert_eq!(worker.join().unwrap(), 7);
    assert_all_gone(&worker, 1);
    fn stays(_: ()) {
        changes(true);
        pause()
    }
    let worker = function(stays, ()).start().unwrap();
    wait_noted(&worker, 1);
    worker.stop().unwrap();
    assert_all_gone(&worker, 1);
}

#[test]
fn one_that_signals_itself_is_told_as_it_was() {
    fn kills(signal: i32) -> u32 {
        note_self();
        // SAFETY: the number is that of a signal.
        unsafe { libc::kill(libc::getpid(), signal) };
        7
    }
    let worker = function(kills, libc::SIGKILL).start().unwrap();
    assert_eq!(signal_of(&worker.join().unwrap_err()), Some(9));
    assert_all_gone(&worker, 1);
    let worker = function(kills, libc::SIGSTOP).start().unwrap();
    // Woken before it has stopped itself, it would stand for ever.
    crate::child::wait_until(|| worker.pid().and_then(stat).is_some_and(|stat| stat.state == 'T'));
    assert!(worker.join_timeout(Duration::from_millis(50)).unwrap().is_none() && worker.is_alive());
    worker.resume().unwrap();
    assert_eq!(worker.join().unwrap(), 7);
    let worker = function(kills, libc::SIGSTOP).start().unwrap();
    wait_noted(&worker, 1);
    worker.stop().unwrap();
    assert_all_gone(&worker, 1);
}

#[test]
fn one_that_becomes_a_program_returns_nothing() {
    fn becomes(script: String) -> u32 {
        note_self();
        panic!("it is another program by now: {}", Command::new("/bin/sh").args(["-c", &script]).exec())
    }
    let told = |script: &str| {
        let worker = function(becomes, script.to_owned()).start().unwrap();
        let end = end_of(&worker);
        assert_all_gone(&worker, 1);
        end
    };
    expect!["`becomes` ended with exit code 0 before it returned"].assert_eq(&told("exit 0"));
    expect![[r#"
        `becomes` ended with exit code 3 before it returned
          stderr: no more"#]]
    .assert_eq(&told("echo no more >&2; exit 3"));
    let worker = function(becomes, "exec sleep 600".to_owned()).start().unwrap();
    crate::child::wait_until(|| {
        worker.pid().and_then(|pid| fs::read(format!("/proc/{pid}/comm")).ok()).is_some_and(|name| name == b"sleep\n")
    });
    worker.stop().unwrap();
    assert_all_gone(&worker, 1);
}

#[test]
fn one_that_kills_its_parent_dies_with_it() {
    #[expect(clippy::zombie_processes, reason = "whoever would wait for it is killed")]
    fn kills() -> u32 {
        note_self();
        note(getppid().as_raw().unsigned_abs());
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        note(child.id());
        // Not before the test knows that it runs.
        while !current().dir().join("go").exists() {
            wait_ms(1);
        }
        nix::sys::signal::kill(getppid(), Raw::SIGKILL).unwrap();
        pause()
    }
    let worker = function(kills, ()).start().unwrap();
    let go = worker.dir().join("go");
    fs::write(&go, "").unwrap();
    let failure = worker.join().unwrap_err();
    expect!["cannot join it: the shim of `kills` was killed, and `kills` with it"]
        .assert_eq(&normalised(&failure.to_string()));
    crate::child::wait_until(|| super::noted(worker.dir()).iter().all(|(pid, _)| !crate::functions::lives(*pid)));
    fs::remove_file(go).unwrap();
    worker.start().unwrap();
    worker.kill().unwrap();
}

#[test]
fn one_that_signals_everybody_it_can_reach_hits_itself() {
    fn signals() {
        note_self();
        // Its group, which is its own.
        nix::sys::signal::killpg(Pid::from_raw(0), Raw::SIGKILL).unwrap();
    }
    let worker = function(signals, ()).start().unwrap();
    assert_eq!(signal_of(&worker.join().unwrap_err()), Some(9));
    assert_all_gone(&worker, 1);
}

#[test]
fn one_that_panics_while_it_panics_is_gone() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("again")
        }
    }
    fn twice() {
        note_self();
        let _grenade = Grenade;
        panic!("once");
    }
    let worker = function(twice, ()).start().unwrap();
    assert_eq!(signal_of(&worker.join().unwrap_err()), Some(6));
    assert_all_gone(&worker, 1);
}

#[test]
fn one_that_eats_all_memory_that_it_may_have_is_gone() {
    fn eats() -> usize {
        note_self();
        setrlimit(Resource::RLIMIT_AS, 200 << 20, 200 << 20).unwrap();
        let mut all = Vec::new();
        loop {
            all.push(vec![1_u8; 1 << 20]);
        }
    }
    let worker = function(eats, ()).start().unwrap();
    assert_eq!(signal_of(&worker.join().unwrap_err()), Some(6));
    assert_all_gone(&worker, 1);
}

/// In one piece. A `Vec<u8>` is a list of numbers to serde, which costs a call for each of them.
#[derive(Debug, Clone, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_owned()))
            }
            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Whole)
    }
}

#[test]
fn one_that_is_given_a_hundred_megabytes_hands_them_back() {
    fn takes(bytes: Bytes) -> Bytes {
        note_self();
        bytes
    }
    let bytes = Bytes((0..100 << 20).map(|n| n as u8).collect());
    let worker = function(takes, Bytes(vec![1])).start().unwrap();
    worker.join().unwrap();
    for _ in 0..2 {
        assert!(worker.call(bytes.clone()).unwrap() == bytes);
    }
    assert_all_gone(&worker, 3);
}

#[test]
fn one_that_never_stops_forking_is_gone() {
    fn forks() -> u32 {
        note_self();
        // As many as one likes, each of them in a session of its own, and deaf.
        for _ in 0..50 {
            if let ForkResult::Child = forked() {
                setsid().unwrap();
                SigSet::all().thread_block().unwrap();
                note_self();
                pause();
            }
        }
        current().ready();
        7
    }
    let spec = function(forks, ()).ready(Said::ready()).stop_timeout(Duration::from_millis(50));
    let worker = spec.start().unwrap();
    worker.join().unwrap();
    super::assert_gone(&super::noted(worker.dir()));
    let worker = function(forks, ()).stop_timeout(Duration::from_millis(50)).start().unwrap();
    worker.kill().unwrap();
    super::assert_gone(&super::noted(worker.dir()));
}

#[test]
fn nothing_of_any_of_them_is_left() {
    let victim = victim("functions::whatever_is_asked_for");
    let mut command = with_children(&victim, &["sleeper", "slow", "exits"]);
    command.env("PKIT_FLOOD_MB", "10").env_remove("UPDATE_EXPECT");
    command.args(["functions::hostile", "functions::nesting", "--skip", "is_left", "--test-threads", "4"]);
    let ended = victim.ended(&mut command);
    assert!(ended.status.success(), "{}", ended.text());
    victim.is_gone(&ended);
}
