//! What an item can do to its worker, and what is said of it.

use std::fs;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal as Sig, raise};
use pkit_test::{Failure, Pool, Restart, Signal, pool};
use pkit_test_tests::child::{forked, pause};
use pkit_test_tests::process::{signal_process, stat};
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use super::{all, are_gone, double, each_works, file, running};
use crate::child::{ENOUGH, HANG, wait_until};

/// What an item can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Deed {
    Return,
    Exit(i32),
    Abort,
    Kill,
    Stop,
    Panic,
    PanicWithNumber,
    PanicInThread,
    CloseAll,
    Nonsense,
    Fork,
    Hang,
}

fn act(deed: Deed) -> u32 {
    match deed {
        Deed::Return => {}
        Deed::Exit(code) => std::process::exit(code),
        Deed::Abort => std::process::abort(),
        Deed::Kill => drop(raise(Sig::SIGKILL)),
        Deed::Stop => drop(raise(Sig::SIGSTOP)),
        Deed::Panic => panic!("boom"),
        Deed::PanicWithNumber => std::panic::panic_any(7_u8),
        Deed::PanicInThread => std::thread::spawn(|| panic!("elsewhere")).join().unwrap(),
        Deed::CloseAll => (3..100).for_each(close),
        Deed::Nonsense => (3..100).for_each(write_nonsense),
        Deed::Fork => drop(forked()),
        Deed::Hang => pause(),
    }
    1
}

fn close(number: i32) {
    // SAFETY: a function process has nothing there that it would miss but the connection to its pool, which is the point.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
}

/// To whatever is open there.
fn write_nonsense(number: i32) {
    let path = format!("/proc/self/fd/{number}");
    let is_socket = fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
    if is_socket {
        // SAFETY: the descriptor is open, and is not closed here.
        let stream = std::mem::ManuallyDrop::new(unsafe { std::os::unix::net::UnixStream::from_raw_fd(number) });
        let _ = nix::sys::socket::send(stream.as_raw_fd(), &[0xff; 64], nix::sys::socket::MsgFlags::empty());
    }
}

/// What is said of an item, in a word.
fn word(failure: &Failure) -> String {
    let exit = failure.exit().map(|exit| exit.to_string()).unwrap_or_default();
    match failure {
        f if f.is_panic() => format!("panic: {}", f.message()),
        f if f.is_exit() => exit,
        f if f.is_signal() => exit,
        f if f.is_timeout() => "timeout".to_owned(),
        f if f.is_unserializable() => "unserializable".to_owned(),
        f => format!("else: {f}"),
    }
}

fn words(answers: impl Iterator<Item = Result<u32, Failure>>) -> Vec<String> {
    answers.map(|answer| answer.map_or_else(|failure| word(&failure), |n| n.to_string())).collect()
}

#[test]
fn what_ends_a_worker_is_the_failure_of_its_item_and_the_pool_goes_on() {
    let pool = Pool::new(2).unwrap();
    let deeds = [Deed::Return, Deed::Exit(3), Deed::Exit(0), Deed::Abort, Deed::Return, Deed::Kill, Deed::Return];
    let said = words(pool.map(act, deeds));
    assert_eq!(said, ["1", "exit code 3", "exit code 0", "signal 6 (SIGABRT)", "1", "signal 9 (SIGKILL)", "1"]);
    let mut items: Vec<_> = pool.crashes().iter().map(|crash| crash.item().unwrap()).collect();
    items.sort_unstable();
    assert_eq!(items, [1, 2, 3, 5]);
}

#[test]
fn a_panic_is_the_failure_of_its_item_and_the_worker_lives() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let pool = Pool::new(1).unwrap();
    let before = running(&pool);
    let failure = pool.run(act, Deed::Panic).unwrap_err();
    assert_eq!((failure.message(), failure.thread(), failure.item()), ("boom", Some("main"), Some(0)));
    assert!(failure.file().unwrap().ends_with("crashes.rs") && failure.line().is_some() && failure.exit().is_none());
    let counts = |panics: bool| {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        assert!(!panics, "after {count}");
        count
    };
    assert_eq!(word(&pool.run(counts, true).unwrap_err()), "panic: after 0");
    // Statics keep what they have.
    assert_eq!(pool.run(counts, false).unwrap(), 1);
    assert_eq!((running(&pool), pool.crashes().len()), (before, 0));
}

#[test]
fn a_panic_that_is_no_text_has_one_all_the_same() {
    let pool = Pool::new(1).unwrap();
    assert_eq!(word(&pool.run(act, Deed::PanicWithNumber).unwrap_err()), "panic: Box<dyn Any>");
    let elsewhere = pool.run(act, Deed::PanicInThread).unwrap_err();
    assert!(elsewhere.is_panic(), "{elsewhere}");
    // The next one says nothing of those before.
    let killed = pool.run(act, Deed::Kill).unwrap_err();
    assert!(killed.is_signal() && !killed.to_string().contains("elsewhere"), "{killed}");
}

#[test]
fn an_item_that_takes_too_long_fails_and_its_worker_is_killed() {
    // The same limit has to be enough for the items that return.
    let pool = pool(2).item_timeout(ENOUGH).retries(2).start().unwrap();
    let before = running(&pool);
    let tickets = [Deed::Hang, Deed::Stop].map(|deed| pool.submit(act, deed));
    for ticket in tickets {
        let failure = ticket.join().unwrap_err();
        assert!(failure.is_timeout(), "{failure}");
    }
    assert!(before.len() == 2 && are_gone(&before));
    assert_eq!([(); 2].map(|()| pool.run(act, Deed::Return).unwrap()), [1, 1]);
    // It is told, and not tried again.
    assert_eq!(pool.crashes().len(), 2);
}

#[test]
fn a_worker_that_loses_its_connection_is_replaced() {
    let pool = Pool::new(1).unwrap();
    for deed in [Deed::CloseAll, Deed::Nonsense] {
        let before = running(&pool);
        let failure = pool.run(act, deed).unwrap_err();
        assert!(are_gone(&before), "after {deed:?}: {failure}");
        assert_eq!(pool.run(double, 2).unwrap(), 4);
    }
    assert_eq!(pool.crashes().len(), 2);
}

/// As it does on a busy machine, its shim stands still while it dies.
fn dies_unseen(shim: PathBuf) {
    let parent = nix::unistd::getppid();
    fs::write(shim, parent.to_string()).unwrap();
    nix::sys::signal::kill(parent, Sig::SIGSTOP).unwrap();
    std::process::abort()
}

#[test]
fn a_death_that_is_heard_of_late_is_told_as_it_was() {
    let pool = Pool::new(1).unwrap();
    let (shim, before) = (file(&pool, "shim"), running(&pool));
    let ticket = pool.submit(dies_unseen, shim.clone());
    wait_until(|| before.iter().all(|(pid, _)| stat(*pid).is_none_or(|stat| stat.state == 'Z')));
    let answer = ticket.join_timeout(ENOUGH);
    let shim = fs::read_to_string(&shim).unwrap().parse().unwrap();
    signal_process(shim, Sig::SIGCONT).unwrap();
    assert_eq!(answer.unwrap(), None);
    assert_eq!(word(&ticket.join().unwrap_err()), "signal 6 (SIGABRT)");
}

#[test]
fn an_item_that_forks_has_one_answer() {
    let pool = Pool::new(1).unwrap();
    assert_eq!(pool.run(act, Deed::Fork).unwrap(), 1);
    assert_eq!(all(pool.map(double, 0..50)), (0..50).map(double).collect::<Vec<_>>());
}

/// Dies as often as there are letters to come in the file.
fn moody(path: PathBuf, times: usize) -> usize {
    let tried = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, format!("{tried}.")).unwrap();
    if tried.len() < times {
        std::process::abort();
    }
    tried.len()
}

#[test]
fn an_item_whose_worker_died_is_tried_again() {
    let pool = pool(2).retries(2).start().unwrap();
    let items = [0, 1, 2, 3].map(|times| (file(&pool, &format!("moody-{times}")), times));
    let answers: Vec<_> = pool.map(moody, items.clone()).collect();
    assert_eq!(answers[..3].iter().map(|answer| *answer.as_ref().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(answers[3].as_ref().unwrap_err().item(), Some(3));
    assert_eq!(fs::read_to_string(&items[3].0).unwrap(), "...");
    let mut crashes: Vec<_> = pool.crashes().iter().map(|crash| crash.item().unwrap()).collect();
    crashes.sort_unstable();
    assert_eq!(crashes, [1, 2, 2, 3, 3, 3]);
}

#[test]
fn a_panic_is_not_tried_again() {
    let pool = pool(1).retries(3).start().unwrap();
    let path = file(&pool, "tried");
    let panics = |path: PathBuf| -> () {
        fs::create_dir(path).unwrap();
        panic!("once");
    };
    let failure = pool.run(panics, path).unwrap_err();
    assert_eq!(failure.message(), "once");
}

#[test]
fn a_worker_that_dies_while_it_has_nothing_to_do_costs_no_item() {
    let pool = Pool::new(2).unwrap();
    for (round, signal) in [Signal::Kill, Signal::Term].into_iter().enumerate() {
        // One that is quick may do the work of both, and the other one is not started again before it has some.
        each_works(&pool, round);
        let before = running(&pool);
        pool.processes().for_each(|process| process.signal(signal).unwrap());
        wait_until(|| are_gone(&before));
        assert_eq!(all(pool.map(double, 0..20)), (0..20).map(double).collect::<Vec<_>>());
    }
    assert!(pool.crashes().iter().all(|crash| crash.item().is_none()), "{:?}", pool.crashes());
    assert!(!pool.crashes().is_empty());
}

#[test]
fn a_worker_that_is_dying_when_it_is_given_an_item_costs_no_item() {
    let pool = Pool::new(1).unwrap();
    let worker = pool.processes().next().unwrap();
    for n in 0..50 {
        assert_eq!(pool.run(double, n).unwrap(), double(n));
        // It has not gone yet: what it is sent has room in its socket, and is never read.
        worker.signal(Signal::Kill).unwrap();
    }
    assert!(pool.crashes().iter().all(|crash| crash.item().is_none()), "{:?}", pool.crashes());
}

#[test]
fn a_worker_that_the_test_restarts_is_the_next_one() {
    let pool = Pool::new(1).unwrap();
    let worker = pool.processes().next().unwrap();
    for how in [Restart::Forced, Restart::Graceful] {
        pool.run(double, 1).unwrap();
        worker.restart(how).unwrap();
        let next = worker.pid();
        assert_eq!(pool.run(std::process::id, ()).ok(), next);
    }
    worker.stop().unwrap();
    // It is wanted again.
    assert_eq!(pool.run(double, 2).unwrap(), 4);
}

#[test]
fn a_worker_that_was_stopped_works_on_when_it_may() {
    let pool = Pool::new(1).unwrap();
    let worker = pool.processes().next().unwrap();
    worker.pause().unwrap();
    let ticket = pool.submit(double, 4);
    assert_eq!(ticket.join_timeout(Duration::from_millis(30)).unwrap(), None);
    worker.resume().unwrap();
    assert_eq!(ticket.join_timeout(HANG).unwrap(), Some(8));
}

/// What cannot be serialized.
struct Odd;

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("it is odd"))
    }
}

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Odd, D::Error> {
        u8::deserialize(deserializer).map(|_| Odd)
    }
}

#[test]
fn what_cannot_be_handed_over_fails_alone() {
    let pool = Pool::new(1).unwrap();
    let returned = pool.run(|| Odd, ()).map(drop).unwrap_err();
    assert!(returned.is_unserializable() && returned.to_string().contains("it is odd"), "{returned}");
    let given = pool.run(|_: Odd| (), Odd).unwrap_err();
    assert!(given.is_unserializable() && given.to_string().contains("it is odd"), "{given}");
    let captured = std::hint::black_box(4_usize);
    let refused = pool.run(move |n: usize| n + captured, 1).unwrap_err();
    assert!(refused.to_string().contains("pass it as an argument"), "{refused}");
    assert_eq!((pool.run(double, 1).unwrap(), pool.crashes().len()), (2, 0));
}

#[test]
fn a_worker_that_cannot_be_started_again_fails_the_items_until_it_can() {
    let other = Pool::new(1).unwrap();
    let cwd = file(&other, "cwd");
    fs::create_dir(&cwd).unwrap();
    let place = cwd.display().to_string();
    let pool = pool(1).each(|spec| spec.cwd(place.clone())).start().unwrap();
    fs::remove_dir(&cwd).unwrap();
    assert_eq!(word(&pool.run(act, Deed::Exit(1)).unwrap_err()), "exit code 1");
    for _ in 0..3 {
        let failure = pool.run(double, 1).unwrap_err();
        assert!(failure.to_string().contains("was not started"), "{failure}");
    }
    fs::create_dir(&cwd).unwrap();
    assert_eq!(pool.run(double, 1).unwrap(), 2);
    assert_eq!(pool.crashes().len(), 1);
}
