//! Those who come to a state from elsewhere: functions, forks, programs, other users, other namespaces; many of them, and such as
//! do not behave.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::geteuid;
use pkit_test::ready::Said;
use pkit_test::{Isolation, Pool, Spec, State, Worker, current, function, orchestra, sh, state};
use pkit_test_tests::child::{forked, pause};
use pkit_test_tests::left_out;

use crate::child::HANG;
use crate::nested::victim;

fn count_up(state: State) {
    for _ in 0..50 {
        state.increment("n", 1).unwrap();
    }
}

#[test]
fn functions_pools_threads_and_nested_functions_use_one_at_once() {
    fn nested(state: State) {
        let inner = function(count_up, state.clone()).start().unwrap();
        count_up(state);
        inner.join().unwrap();
    }
    let state = State::new().unwrap();
    let functions =
        [function(nested, state.clone()).start().unwrap(), function(nested, state.clone()).start().unwrap()];
    let pool = Pool::new(2).unwrap();
    thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| count_up(state.clone())));
        pool.map(count_up, [state.clone(), state.clone(), state.clone()]).for_each(|done| done.unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    functions.iter().for_each(|function| function.join().unwrap());
    assert_eq!(state.require::<i64>("n").unwrap(), 50 * (4 + 4 + 3));
}

#[test]
fn a_namespace_is_handed_over_as_one() {
    let state = State::new().unwrap();
    let inner = state.namespace("inner");
    function(|state: State| state.set("n", &7).unwrap(), inner.clone()).start().unwrap().join().unwrap();
    assert_eq!(inner.require::<i32>("n").unwrap(), 7);
    assert!(!state.contains("n").unwrap());
}

/// Forks in a process with one thread, while it holds links, a permit and a watch.
fn forks(state: State) {
    let semaphore = state.semaphore("s", 1).unwrap();
    let permit = semaphore.acquire(HANG).unwrap();
    let mut watch = state.watch(&["n"]).unwrap();
    if let Some(child) = forked() {
        assert!(matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0))));
        // The end of the child has let nothing of ours go, and taken nothing that was said to us.
        assert!(semaphore.try_acquire().unwrap().is_none());
        assert_eq!(watch.next().unwrap().unwrap().require::<u32>().unwrap(), 1);
        drop(permit);
        assert!(semaphore.try_acquire().unwrap().is_some());
    } else {
        state.set("n", &1).unwrap();
        assert!(watch.next().unwrap().is_err());
        assert!(semaphore.try_acquire().unwrap().is_none());
        drop(permit);
        // It has one of its own, which ends with it.
        let _other = state.semaphore("other", 1).unwrap().acquire(HANG).unwrap();
        drop(state);
        std::process::exit(0);
    }
    let after = state.semaphore("other", 1).unwrap().acquire(HANG).unwrap();
    drop(after);
}

#[test]
fn a_fork_is_a_process_of_its_own() {
    let state = State::new().unwrap();
    function(forks, state.clone()).start().unwrap().join().unwrap();
    assert_eq!(state.require::<u32>("n").unwrap(), 1);
}

/// Dies while a fork of it still holds its links.
fn leaves_a_fork(state: State) {
    let _permit = state.semaphore("s", 1).unwrap().acquire(HANG).unwrap();
    state.set("n", &std::process::id()).unwrap();
    if forked().is_none() {
        pause();
    }
    current().ready();
    pause()
}

#[test]
fn a_dead_process_holds_nothing_though_a_fork_of_it_has_its_links() {
    let state = State::new().unwrap();
    let worker = function(leaves_a_fork, state.clone()).ready(Said::ready()).start().unwrap();
    let pid: u32 = state.require("n").unwrap();
    pkit_test_tests::process::signal_process(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    let permit = state.semaphore("s", 1).unwrap().acquire(HANG).unwrap();
    assert_eq!(permit.after_death().unwrap().pid(), Some(pid));
    worker.kill().unwrap();
}

#[test]
fn a_grandchild_finds_it_by_its_variable() {
    let grandchild = victim("state::is_a_grandchild");
    let command = format!("'{}' --exact {} --nocapture; true", grandchild.binary().display(), grandchild.path());
    let shell =
        Spec::new(sh(command)).env("PKIT_TEST_VICTIM", "state::is_a_grandchild").env(State::ENV, "{state.path}");
    let stack = orchestra().with("state", state()).with("shell", shell.may_exit()).start().unwrap();
    let state = stack.get::<State>("state");
    let pid: u32 = state.wait_present("pid", HANG).unwrap();
    assert_ne!(Some(pid), stack["shell"].pid());
    state.set("seen", &true).unwrap();
    stack["shell"].wait().unwrap();
    assert!(stack["shell"].output().contains("1 passed"), "{}", stack["shell"].output());
}

/// Says who it is, and waits for an answer.
fn comes(state: State) -> u32 {
    state.set("uid", &geteuid().as_raw()).unwrap();
    state.wait_present("answer", HANG).unwrap()
}

fn comes_as(change: impl FnOnce(Spec<Worker<u32>>) -> Spec<Worker<u32>>) -> Option<u32> {
    let state = State::new().unwrap();
    let guest = match change(function(comes, state.clone())).start() {
        Ok(guest) => guest,
        Err(error) => {
            left_out::because(error);
            return None;
        }
    };
    let uid = state.wait_present("uid", HANG).unwrap();
    state.set("answer", &7).unwrap();
    assert_eq!(guest.join().unwrap(), 7);
    Some(uid)
}

#[test]
fn another_user_may_come() {
    if let Some(uid) = comes_as(|guest| guest.user("nobody")) {
        assert_eq!(uid, crate::nested::NOBODY);
    }
}

#[test]
fn whoever_has_ids_or_a_network_of_its_own_may_come() {
    for isolation in [Isolation::Pid, Isolation::Net] {
        comes_as(|guest| guest.isolate(isolation));
    }
}

#[test]
fn two_hundred_come_at_once() {
    let state = State::new().unwrap();
    let path = state.path();
    thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(move || {
                let guest = State::at(path).unwrap();
                let latch = guest.latch("all", 200).unwrap();
                guest.increment("n", 1).unwrap();
                latch.count_down().unwrap();
                latch.wait(HANG).unwrap();
            });
        }
    });
    assert_eq!(state.require::<i64>("n").unwrap(), 200);
}

/// What a stranger says, and how it goes.
type Stranger = fn(UnixStream) -> io::Result<()>;

const STRANGERS: [Stranger; 8] = [
    // Nothing.
    drop_it,
    // Half a head, half a frame.
    |mut stream| stream.write_all(&[0, 0]),
    |mut stream| stream.write_all(&[0, 0, 0, 9, 0]),
    // A frame of 4 GB, and what looks like one.
    |mut stream| stream.write_all(&[0xff; 100_000]).and_then(|()| is_sent_away(stream)),
    // A request before the greeting.
    |mut stream| stream.write_all(&[0, 0, 0, 1, 20]).and_then(|()| is_sent_away(stream)),
    // Another protocol altogether.
    |mut stream| stream.write_all(b"GET / HTTP/1.1\r\n\r\n").and_then(|()| is_sent_away(stream)),
    // It has said all that it wants to say.
    |mut stream| {
        stream.write_all(b"{\"op\": \"nothing of the kind\"")?;
        stream.shutdown(Shutdown::Write)?;
        is_sent_away(stream)
    },
    // It asks and asks, and takes no answer.
    |mut stream| {
        stream.set_nonblocking(true)?;
        while stream.write(b"{\"op\": \"history\"}\n").is_ok() {}
        Ok(())
    },
];

fn drop_it(stream: UnixStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Both)
}

/// It is told something, and then that is the end.
fn is_sent_away(mut stream: UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(HANG))?;
    match stream.read_to_end(&mut Vec::new()) {
        // Not all that it has sent was read.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
        read => read.map(|count| assert!(count > 0)),
    }
}

#[test]
fn strangers_cost_nobody_anything() {
    let state = State::new().unwrap();
    thread::scope(|scope| {
        for stranger in STRANGERS {
            let state = &state;
            scope.spawn(move || {
                for _ in 0..50 {
                    // What it does may fail where it was sent away before it had said all.
                    match stranger(UnixStream::connect(state.path()).unwrap()) {
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                        said => said.unwrap(),
                    }
                }
            });
        }
        for _ in 0..1000 {
            state.increment("n", 1).unwrap();
        }
    });
    assert_eq!(state.require::<i64>("n").unwrap(), 1000);
}

/// As many as it may have, up to ten thousand, of which none says a word.
fn comes_in_crowds(path: std::path::PathBuf) -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let most = usize::try_from(hard).unwrap_or(usize::MAX).saturating_sub(100).min(10_000);
    let connect = |_| UnixStream::connect(&path).ok();
    let crowd: Vec<_> = (0..most).map_while(connect).collect();
    let state = State::at(&path).unwrap();
    state.increment("n", 1).unwrap();
    crowd.len()
}

#[test]
fn a_crowd_costs_nobody_anything() {
    let state = State::new().unwrap();
    let crowd = function(comes_in_crowds, state.path().to_owned()).start().unwrap();
    for _ in 0..1000 {
        state.increment("m", 1).unwrap();
    }
    assert!(crowd.join().unwrap() > 500);
    assert_eq!(state.require::<i64>("n").unwrap(), 1);
}

#[test]
fn a_large_value_goes_there_and_back() {
    let state = State::new().unwrap();
    let large = "x".repeat(20 << 20);
    state.set("large", &large).unwrap();
    assert_eq!(state.require::<String>("large").unwrap(), large);
    let error = state.set("large", &"x".repeat(65 << 20)).unwrap_err();
    assert!(error.is_too_large(), "{error}");
    assert_eq!(state.require::<String>("large").unwrap().len(), large.len());
}

#[test]
fn a_wait_may_take_longer_than_an_answer() {
    let state = State::new().unwrap();
    let error = state.wait_present::<u32>("absent", Duration::from_millis(50)).unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[test]
fn who_has_no_variable_is_told_how_to_set_it() {
    if std::env::var_os(State::ENV).is_none() {
        let error = State::from_env().unwrap_err().to_string();
        assert!(error.starts_with("the variable `PKIT_STATE` is not set\n"), "{error}");
    }
}

#[test]
fn its_socket_is_where_nobody_can_look_for_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let state = State::new().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = state.path().parent().unwrap();
    assert_eq!(mode(directory), 0o711);
    assert_eq!(mode(directory.parent().unwrap()), 0o711);
    let name = state.path().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name.len(), 16);
    let listed = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
    assert!(!listed.contains(&name));
}
