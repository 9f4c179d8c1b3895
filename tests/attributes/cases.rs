//! The attribute above `#[rstest]`: fixtures, tables of cases, lists of values, timeouts, futures.

use std::time::Duration;

use pkit_test::{Process, with_processes};
use rstest::{fixture, rstest};

use crate::children::{said, says, sleeper};
use crate::mock::Mock;

#[fixture]
fn word() -> &'static str {
    "from a fixture"
}

#[fixture]
async fn mock() -> Mock {
    Mock::start().await
}

/// A process may use a fixture.
#[with_processes(a = says(word))]
#[rstest]
fn with_a_fixture(word: &str, a: Process) {
    assert_eq!(said(&a), word);
}

/// Each case has processes of its own, which may use its arguments.
#[with_processes(a = says(number))]
#[rstest]
#[case(1, "1")]
#[case::with_a_name(2, "2")]
fn with_cases(#[case] number: u8, #[case] text: &str, a: Process) {
    assert_eq!(said(&a), text);
}

/// Each combination of values has processes of its own.
#[with_processes(a = says(format_args!("{left}{right}")))]
#[rstest]
fn with_values(#[values(1, 2)] left: u8, #[values("a", "b")] right: &str, a: Process) {
    assert_eq!(said(&a), format!("{left}{right}"));
}

/// Start and stop are part of the time. A test that takes longer is abandoned, not ended: what it started lives until the
/// test binary ends, and no longer.
#[with_processes(a = sleeper())]
#[rstest]
#[timeout(Duration::from_secs(60))]
fn with_a_timeout(a: Process) {
    assert!(a.is_alive());
}

/// A panic in one case is a panic in all.
#[with_processes(a = says(number))]
#[rstest]
#[case(1)]
#[case(2)]
#[should_panic(expected = "the process said")]
fn with_cases_that_should_panic(#[case] number: u8, a: Process) {
    panic!("the process said {}, and the case is {number}", said(&a));
}

/// A process may await the fixture.
#[with_processes(a = mock.await.client())]
#[rstest]
#[tokio::test]
async fn with_a_future(#[future] mock: Mock, a: &Process) {
    assert_eq!(a.stdout(), "answer to start\n");
}

/// Or find it awaited.
#[with_processes(a = mock.client())]
#[rstest]
#[awt]
#[tokio::test]
async fn with_a_future_that_is_awaited(#[future] mock: Mock, a: &Process) {
    assert_eq!((a.is_alive(), mock.asked()), (true, vec!["start".to_owned()]));
}

/// All of it together. A test that takes longer is dropped, with what it started.
#[with_processes(a = says(number))]
#[rstest]
#[case(1)]
#[case(2)]
#[timeout(Duration::from_secs(60))]
#[tokio::test(flavor = "multi_thread")]
async fn async_with_cases_and_a_timeout(#[case] number: u8, a: Process) {
    tokio::task::yield_now().await;
    assert_eq!(said(&a), number.to_string());
}

/// There is nothing that it could take for a fixture: the processes are up while a case runs, and know nothing of it.
#[rstest]
#[case(1)]
#[case(2)]
#[with_processes(a = sleeper())]
fn below_rstest(#[case] number: u8) {
    assert!(number > 0);
}
