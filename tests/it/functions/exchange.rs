//! What goes to a function and comes back: values that cannot be written or read, and large ones.

use std::collections::BTreeMap;
use std::process;
use std::thread;
use std::time::Duration;

use expect_test::expect;
use pkit_test::{Spec, Worker, function};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::results::{check, failure, join};
use crate::nested::victim;
use crate::text::normalised;

/// Refuses to be written, or to be read.
#[derive(Debug, Clone, Copy)]
struct Stubborn<const HOW: u8>;

impl<const HOW: u8> Serialize for Stubborn<HOW> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match HOW {
            0 => Err(S::Error::custom("I will not be written")),
            1 => panic!("I panic when I am written"),
            2 => loop {
                thread::park();
            },
            _ => serializer.serialize_u8(HOW),
        }
    }
}

impl<'de, const HOW: u8> Deserialize<'de> for Stubborn<HOW> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        match HOW {
            10 => Err(D::Error::custom("I will not be read")),
            11 => panic!("I panic when I am read"),
            12 => process::exit(0),
            _ => Ok(Stubborn),
        }
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_of_its_own() {
    let refused = failure(function(|| Stubborn::<0>, ()));
    assert!(refused.is_unserializable() && !refused.is_panic());
    check(
        &refused,
        expect![
            "`a_result_that_cannot_be_written_is_a_failure_of_its_own-closure` returned what cannot be serialized: I will not be written"
        ],
    );
    let panicked = failure(function(|| Stubborn::<1>, ()));
    assert!(panicked.is_unserializable());
    check(
        &panicked,
        expect![[r#"
            `a_result_that_cannot_be_written_is_a_failure_of_its_own-closure` returned what cannot be serialized: its `Serialize` panicked at tests/it/functions/exchange.rs: I panic when I am written
              stderr: <unnamed> panicked at tests/it/functions/exchange.rs:
                      I panic when I am written
                      note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"#]],
    );
    let hanging = function(|| Stubborn::<2>, ()).start().unwrap();
    assert!(hanging.join_timeout(Duration::from_millis(20)).unwrap().is_none());
    hanging.stop().unwrap();
    assert!(hanging.join().unwrap_err().is_signal());
}

#[test]
fn a_result_that_cannot_be_read_is_a_failure_here() {
    let unread = failure(function(|| Stubborn::<10>, ()));
    check(
        &unread,
        expect![
            "`a_result_that_cannot_be_read_is_a_failure_here-closure` returned what cannot be read back: I will not be read, as `it::functions::exchange::Stubborn<10>`"
        ],
    );
    let worker = function(|| Stubborn::<10>, ()).start().unwrap();
    worker.join().unwrap_err();
    assert!(worker.exit().unwrap().success());
}

#[test]
fn arguments_that_cannot_be_written_are_refused_before_anything_runs() {
    let error = function(|_: Stubborn<0>| (), Stubborn).start().unwrap_err();
    assert!(error.is_spec());
    expect![[r#"
        `arguments_that_cannot_be_written_are_refused_before_anything_runs-closure` was not started: I will not be written
          spec:   function(arguments_that_cannot_be_written_are_refused_before_anything_runs-closure, it::functions::exchange::Stubborn<0>)   tests/it/functions/exchange.rs"#]].assert_eq(&normalised(&error.to_string()));
}

#[test]
fn arguments_that_cannot_be_read_are_a_failure_of_the_start() {
    fn text<R: 'static>(spec: Spec<Worker<R>>) -> String {
        normalised(&spec.start().unwrap_err().to_string())
    }
    expect![[r#"
        `arguments_that_cannot_be_read_are_a_failure_of_the_start-closure` exited before it was ready
          spec:   function(arguments_that_cannot_be_read_are_a_failure_of_the_start-closure, it::functions::exchange::Stubborn<10>)   tests/it/functions/exchange.rs
          ran:    arguments_that_cannot_be_read_are_a_failure_of_the_start-closure, in a process of its own   pid N, in N ms
          exit:   exit code 101
          probe:  the function begins: it has not begun, N tries
          why:    it did not understand its arguments: I will not be read, as `it::functions::exchange::Stubborn<10>`
          output: none"#]].assert_eq(&text(function(|_: Stubborn<10>| (), Stubborn).env("RUST_BACKTRACE", "0")));
    expect![[r#"
        `arguments_that_cannot_be_read_are_a_failure_of_the_start-closure` exited before it was ready
          spec:   function(arguments_that_cannot_be_read_are_a_failure_of_the_start-closure, it::functions::exchange::Stubborn<11>)   tests/it/functions/exchange.rs
          ran:    arguments_that_cannot_be_read_are_a_failure_of_the_start-closure, in a process of its own   pid N, in N ms
          exit:   exit code 101
          probe:  the function begins: it has not begun, N tries
          why:    it did not understand its arguments: its `Deserialize` panicked at tests/it/functions/exchange.rs: I panic when I am read
          stderr: <unnamed> panicked at tests/it/functions/exchange.rs:
                  I panic when I am read
                  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"#]].assert_eq(&text(function(|_: Stubborn<11>| (), Stubborn).env("RUST_BACKTRACE", "0")));
    expect![[r#"
        `arguments_that_cannot_be_read_are_a_failure_of_the_start-closure` exited before it was ready
          spec:   function(arguments_that_cannot_be_read_are_a_failure_of_the_start-closure, it::functions::exchange::Stubborn<12>)   tests/it/functions/exchange.rs
          ran:    arguments_that_cannot_be_read_are_a_failure_of_the_start-closure, in a process of its own   pid N, in N ms
          exit:   exit code 0
          probe:  the function begins: it has not begun, N tries
          output: none"#]].assert_eq(&text(function(|_: Stubborn<12>| (), Stubborn).env("RUST_BACKTRACE", "0")));
    // Whoever does not wait for it hears of it when it is joined.
    let worker = function(|_: Stubborn<10>| (), Stubborn).spawn().unwrap();
    let failure = worker.join().unwrap_err();
    assert!(!failure.is_panic());
    check(
        &failure,
        expect![
            "`arguments_that_cannot_be_read_are_a_failure_of_the_start-closure` did not understand its arguments: I will not be read, as `it::functions::exchange::Stubborn<10>`"
        ],
    );
}

#[test]
fn large_values_come_through_both_ways() {
    let turned = |mut bytes: Vec<u8>| {
        bytes.reverse();
        bytes
    };
    for length in [0, 1, 4095, 4096, 4097, 1_000_000] {
        let bytes: Vec<u8> = (0..length).map(|n: usize| (n * 7 % 251) as u8).collect();
        let mut expected = bytes.clone();
        expected.reverse();
        assert!(join(function(turned, bytes)).unwrap() == expected, "{length}");
    }
    let text = "ß".repeat(50_000_000);
    assert!(join(function(|text: String| text, text.clone())).unwrap() == text, "100 MB");
    let map: BTreeMap<u32, String> = (0..10_000).map(|n| (n, n.to_string())).collect();
    assert!(join(function(|map: BTreeMap<u32, String>| map, map.clone())).unwrap() == map);
}

/// More than there may be, in pages that nobody has touched.
fn too_much(_: ()) -> String {
    // SAFETY: zeros are text.
    unsafe { String::from_utf8_unchecked(vec![0; (1 << 30) + 1]) }
}

#[test]
fn what_is_too_large_is_said_to_be() {
    let failure = failure(function(too_much, ()));
    assert!(failure.is_too_large() && !failure.is_unserializable());
    check(&failure, expect!["`too_much` returned more than 1 GiB"]);
    let error = function(|text: String| text.len(), too_much(())).start().unwrap_err();
    assert!(error.is_spec());
    expect![[r#"
        `what_is_too_large_is_said_to_be-closure` was not started: they are larger than 1 GiB
          spec:   function(what_is_too_large_is_said_to_be-closure, alloc::string::String)   tests/it/functions/exchange.rs"#]].assert_eq(&normalised(&error.to_string()));
    let worker = function(|text: String| text.len(), "x".to_owned()).start().unwrap();
    let failure = worker.join().and_then(|_| worker.call(too_much(()))).unwrap_err();
    expect![[r#"
        `what_is_too_large_is_said_to_be-closure` was not started: its arguments cannot be serialized: they are larger than 1 GiB
          spec:   function(what_is_too_large_is_said_to_be-closure, alloc::string::String)   tests/it/functions/exchange.rs"#]].assert_eq(&normalised(&failure.to_string()));
}

#[test]
fn a_little_room_is_enough_for_a_little() {
    victim("functions::has_little_room").passes();
}

/// What the victim does.
pub(crate) fn has_little_room() {
    use nix::sys::resource::{Resource, setrlimit};
    let own = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = own.split(' ').next().unwrap().parse().unwrap();
    let limit = (pages << 12) + (300 << 20);
    setrlimit(Resource::RLIMIT_AS, limit, limit).unwrap();
    let long = |length: usize| "x".repeat(length);
    assert_eq!(join(function(long, 1000)).unwrap().len(), 1000);
    let failure = failure(function(long, 200 << 20));
    assert!(failure.is_too_large() || failure.is_unserializable() || failure.is_signal(), "{failure}");
}
