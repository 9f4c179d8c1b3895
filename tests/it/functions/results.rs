//! What comes back: a value, a panic with all that is known of it, or the reason why there is neither.

use std::panic::{Location, panic_any, resume_unwind};
use std::process;
use std::thread;
use std::time::Duration;

use expect_test::{Expect, expect};
use pkit_test::{Failure, Spec, Worker, function};
use serde::de::DeserializeOwned;

use crate::nested::victim;
use crate::text::normalised;

/// Whoever runs the tests may want backtraces.
pub(super) fn join<R: DeserializeOwned + 'static>(spec: Spec<Worker<R>>) -> Result<R, Failure> {
    spec.env("RUST_BACKTRACE", "0").start().unwrap().join()
}

#[track_caller]
pub(super) fn failure<R: DeserializeOwned + std::fmt::Debug + 'static>(spec: Spec<Worker<R>>) -> Failure {
    join(spec).unwrap_err()
}

#[track_caller]
pub(super) fn check(failure: &Failure, expected: Expect) {
    expected.assert_eq(&normalised(&failure.to_string()));
}

fn code(failure: &Failure) -> Option<i32> {
    failure.exit().and_then(|exit| exit.code())
}

fn panics(text: String) -> u32 {
    panic!("no {text} today")
}

#[test]
fn a_panic_comes_with_every_fact() {
    let failure = failure(function(panics, "luck".to_owned()));
    assert!(failure.is_panic() && !failure.is_exit() && !failure.is_signal() && !failure.is_timeout());
    assert_eq!((failure.message(), failure.thread()), ("no luck today", Some("main")));
    let here = Location::caller();
    assert_eq!(failure.file(), Some(here.file()));
    assert!(failure.line().is_some_and(|line| line < here.line()), "{:?}", failure.line());
    assert_eq!((failure.column(), failure.backtrace()), (Some(5), None));
    assert_eq!(code(&failure), Some(101));
    check(
        &failure,
        expect![[r#"
        `panics` panicked at tests/it/functions/results.rs: no luck today
          stderr: <unnamed> panicked at tests/it/functions/results.rs:
                  no luck today
                  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"#]],
    );
}

#[test]
fn it_is_on_its_standard_error_as_well() {
    let worker = function(panics, "luck".to_owned()).env("RUST_BACKTRACE", "0").start().unwrap();
    worker.join().unwrap_err();
    expect![[r#"

        <unnamed> panicked at tests/it/functions/results.rs:
        no luck today
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&normalised(&worker.stderr()));
}

#[test]
fn a_backtrace_is_there_when_it_is_asked_for() {
    let spec = |wanted| function(panics, "luck".to_owned()).env("RUST_BACKTRACE", wanted);
    let failure = spec("1").start().unwrap().join().unwrap_err();
    let backtrace = failure.backtrace().expect("it was asked for");
    assert!(backtrace.contains("results::panics") && failure.to_string().contains("results::panics"), "{failure}");
    victim("functions::asks_for_a_backtrace").env("RUST_BACKTRACE", "1").passes();
}

/// What the victim does.
pub(crate) fn asks_for_a_backtrace() {
    let with = function(panics, "luck".to_owned()).start().unwrap().join().unwrap_err();
    assert!(with.backtrace().is_some_and(|text| text.contains("results::panics")));
    let without = failure(function(panics, "luck".to_owned()));
    assert_eq!(without.backtrace(), None);
}

#[test]
fn a_payload_may_be_anything() {
    let told = |spec: Spec<Worker<()>>| {
        let failure = failure(spec);
        (failure.is_panic(), code(&failure), failure.message().to_owned(), failure.line().is_some())
    };
    let seen = |text: &str, has_place: bool| (true, Some(101), text.to_owned(), has_place);
    assert_eq!(told(function(|| panic_any(7), ())), seen("Box<dyn Any>", true));
    assert_eq!(told(function(|| panic_any("a &str"), ())), seen("a &str", true));
    assert_eq!(told(function(|| panic_any("a String".to_owned()), ())), seen("a String", true));
    assert_eq!(told(function(|| resume_unwind(Box::new("resumed")), ())), seen("resumed", false));
    assert_eq!(told(function(|| resume_unwind(Box::new(7)), ())), seen("Box<dyn Any>", false));
    assert_eq!(told(function(|| panic!(), ())), seen("explicit panic", true));
    assert_eq!(told(function(|| panic!("{}", "x".repeat(3)), ())), seen("xxx", true));
}

#[test]
fn a_long_message_is_shortened_and_no_text_breaks_anything() {
    let long = failure(function(|| -> () { panic!("{}", "ß".repeat(1_000_000)) }, ()));
    assert!(long.message().len() > 10_000 && long.message().len() < 1_000_000 && long.message().starts_with("ßß"));
    let odd = failure(function(|| -> () { panic!("\0 \x1b[31m {{}} \n\n line") }, ()));
    assert_eq!(odd.message(), "\0 \x1b[31m {} \n\n line");
    assert_eq!(failure(function(|| -> () { panic!("") }, ())).message(), "");
}

#[test]
fn a_panic_of_a_thread_is_that_of_the_function_if_it_makes_it_so() {
    fn joined() {
        let thread = thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("in a thread")).unwrap();
        thread.join().unwrap_or_else(|payload| resume_unwind(payload));
    }
    let failure_of_thread = failure(function(joined, ()));
    assert_eq!((failure_of_thread.message(), failure_of_thread.thread()), ("in a thread", Some("worker")));
    fn unwrapped() {
        thread::spawn(|| assert_eq!(1, 2, "in a thread")).join().unwrap();
    }
    let unwrapped = failure(function(unwrapped, ()));
    assert!(unwrapped.message().starts_with("called `Result::unwrap()`"), "{unwrapped}");
    assert_eq!(unwrapped.thread(), Some("main"));
    fn ignored() -> u32 {
        thread::spawn(|| panic!("in a thread")).join().unwrap_err();
        let _ = std::panic::catch_unwind(|| panic!("caught"));
        7
    }
    assert_eq!(join(function(ignored, ())).unwrap(), 7);
    fn last() {
        let _ = std::panic::catch_unwind(|| panic!("caught"));
        panic!("the last one");
    }
    assert_eq!(failure(function(last, ())).message(), "the last one");
}

#[test]
fn a_hook_of_its_own_takes_nothing_from_the_test() {
    fn silent() {
        std::panic::set_hook(Box::new(|_| ()));
        panic!("unheard");
    }
    let failure = failure(function(silent, ()));
    assert!(failure.is_panic());
    assert_eq!((failure.message(), code(&failure)), ("unheard", Some(101)));
}

struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("in a drop")
    }
}

#[test]
fn a_panic_while_it_panics_is_told_although_it_aborts() {
    fn twice() {
        let _grenade = Grenade;
        panic!("first");
    }
    let failure = failure(function(twice, ()));
    // What the language itself says before it aborts differs from version to version.
    let told: Vec<String> = normalised(&failure.to_string()).lines().take(2).map(str::to_owned).collect();
    assert_eq!(told, ["`twice` panicked at tests/it/functions/results.rs: in a drop", "  exit:   signal 6 (SIGABRT)"]);
    fn in_its_end() -> u32 {
        let _grenade = Grenade;
        7
    }
    assert_eq!(self::failure(function(in_its_end, ())).message(), "in a drop");
}

#[test]
fn a_panic_that_aborts_is_told() {
    fn aborts() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            hook(info);
            process::abort();
        }));
        panic!("at once");
    }
    let aborted = failure(function(aborts, ()));
    check(
        &aborted,
        expect![[r#"
        `aborts` was killed by signal 6 (SIGABRT) before it returned
          panic:  there was one at tests/it/functions/results.rs: at once
          stderr: <unnamed> panicked at tests/it/functions/results.rs:
                  at once
                  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"#]],
    );
    assert!(aborted.is_signal());
}

#[test]
fn an_exit_is_no_result() {
    let exits = |code: i32| -> u32 { process::exit(code) };
    let (zero, three) = (failure(function(exits, 0)), failure(function(exits, 3)));
    assert!(zero.is_exit() && three.is_exit() && !zero.is_panic());
    assert_eq!((code(&zero), code(&three)), (Some(0), Some(3)));
    check(&zero, expect!["`an_exit_is_no_result-closure` ended with exit code 0 before it returned"]);
    check(&three, expect!["`an_exit_is_no_result-closure` ended with exit code 3 before it returned"]);
    // What looks like a panic, and is none.
    let like_a_panic = failure(function(exits, 101));
    assert!(like_a_panic.is_exit() && !like_a_panic.is_panic());
    let at_once = failure(function(
        || -> u32 {
            // SAFETY: nothing runs after it.
            unsafe { nix::libc::_exit(0) }
        },
        (),
    ));
    assert!(at_once.is_exit());
}

#[test]
fn each_signal_is_named() {
    fn raises(signal: i32) {
        // SAFETY: no handler of the test's is there.
        unsafe {
            nix::libc::signal(signal, nix::libc::SIG_DFL);
            nix::libc::raise(signal);
        }
    }
    for signal in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 31] {
        let failure = failure(function(raises, signal));
        assert!(failure.is_signal());
        assert_eq!(failure.exit().and_then(|exit| exit.signal()), Some(signal));
    }
    check(&failure(function(raises, 11)), expect!["`raises` was killed by signal 11 (SIGSEGV) before it returned"]);
}

#[expect(unconditional_recursion, reason = "that is the point of it")]
fn deeper(n: u64) -> u64 {
    let bytes = std::hint::black_box([n; 100]);
    deeper(n + 1) + bytes[7]
}

#[test]
fn the_end_of_the_stack_and_an_abort_are_signals() {
    let overflow = failure(function(deeper, 0));
    assert!(overflow.is_signal() && !overflow.is_panic());
    check(&overflow, expect!["`deeper` was killed by signal 11 (SIGSEGV) before it returned"]);
    fn in_a_thread() -> u64 {
        thread::spawn(|| deeper(0)).join().unwrap()
    }
    assert!(failure(function(in_a_thread, ())).is_signal());
    let aborted = failure(function(|| -> u32 { process::abort() }, ()));
    assert_eq!(aborted.exit().and_then(|exit| exit.signal()), Some(6));
}

#[test]
fn memory_that_is_not_there_is_an_abort() {
    fn greedy() -> usize {
        use nix::sys::resource::{Resource, setrlimit};
        setrlimit(Resource::RLIMIT_AS, 256 << 20, 256 << 20).unwrap();
        let mut all: Vec<Vec<u8>> = Vec::new();
        loop {
            all.push(vec![1; 16 << 20]);
            std::hint::black_box(&mut all);
        }
    }
    let failure = failure(function(greedy, ()));
    assert_eq!(failure.exit().and_then(|exit| exit.signal()), Some(6), "{failure}");
    // Also the memory of its result may be missing.
    fn large(length: usize) -> String {
        use nix::sys::resource::{Resource, setrlimit};
        let text = "x".repeat(length);
        setrlimit(Resource::RLIMIT_AS, 64 << 20, 64 << 20).unwrap();
        text
    }
    // Room for its result it has got before.
    assert_eq!(join(function(large, 100 << 20)).unwrap().len(), 100 << 20);
}

#[test]
fn a_failure_can_be_raised_again() {
    let failure = failure(function(panics, "luck".to_owned()));
    let text = failure.to_string();
    let payload = std::panic::catch_unwind(|| failure.resume()).unwrap_err();
    assert_eq!(payload.downcast_ref::<String>(), Some(&text));
    victim("functions::resumes").fails(expect![[r#"
        victims::functions::resumes panicked at tests/it/victims/functions.rs:
        `boom` panicked at tests/it/victims/functions.rs: what the function says
          stderr: <unnamed> panicked at tests/it/victims/functions.rs:
                  what the function says
                  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        --- `boom`: exit code 101, all it wrote (CHILDREN/pkit/PID.1-boom.1.log)
        <unnamed> panicked at tests/it/victims/functions.rs:
        what the function says"#]]);
}

#[test]
fn it_is_an_error_of_ours_for_a_question_mark() {
    fn asks() -> pkit_test::Result<u32> {
        Ok(function(panics, "luck".to_owned()).env("RUST_BACKTRACE", "0").start()?.join()?)
    }
    let error = asks().unwrap_err();
    assert_eq!(normalised(&error.to_string()), normalised(&failure(function(panics, "luck".to_owned())).to_string()));
    fn boxed() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        Ok(function(panics, "luck".to_owned()).env("RUST_BACKTRACE", "0").start()?.join()?)
    }
    boxed().unwrap_err();
}

#[test]
fn a_result_is_there_as_often_as_it_is_asked_for_and_for_everybody() {
    let worker = function(|| "text".to_owned(), ()).start().unwrap();
    thread::scope(|threads| {
        let joins: Vec<_> = (0..4).map(|_| threads.spawn(|| worker.join().unwrap())).collect();
        joins.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), "text"));
    });
    assert_eq!(worker.join().unwrap(), "text");
    assert_eq!(worker.join_timeout(Duration::ZERO).unwrap().as_deref(), Some("text"));
    worker.stop().unwrap();
    assert_eq!(worker.join().unwrap(), "text", "it ended by itself");
    let panicked = function(panics, "luck".to_owned()).start().unwrap();
    assert_eq!(panicked.join().unwrap_err().to_string(), panicked.join().unwrap_err().to_string());
}

#[test]
fn a_join_that_does_not_wait_for_ever_is_no_error() {
    let worker = function(thread::park, ()).start().unwrap();
    assert_eq!(worker.join_timeout(Duration::from_millis(10)).unwrap(), None);
    assert_eq!(worker.join_timeout(Duration::ZERO).unwrap(), None);
    worker.kill().unwrap();
    assert!(worker.join().unwrap_err().is_signal());
}
