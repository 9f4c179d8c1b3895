//! Runtimes of async tests. Start and stop are awaited: what lives in the runtime goes on meanwhile.

use std::sync::mpsc::{self, Sender};

use pkit_test::fixtures::{Dir, dir};
use pkit_test::{Exit, Process, Result, ready, with_processes};

use crate::children::{said, says, sleeper, stops};
use crate::mock::Mock;

/// Start and stop are awaited, on the only thread that there is: a mock in this runtime keeps answering.
#[with_processes(a = Mock::start().await.client())]
#[tokio::test]
async fn above_tokio_test(a: Process) {
    assert_eq!(a.stdout(), "answer to start\n");
}

/// The same on many threads.
#[with_processes(a = Mock::start().await.client())]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_tokio_test_with_many_threads(a: &Process) {
    assert_eq!(a.stdout(), "answer to start\n");
}

/// `?` means what it means without the attribute, also in an executor.
#[with_processes(a = says(async { Ok::<u8, pkit_test::Error>(1) }.await?))]
#[tokio::test]
async fn with_a_result(a: Process) -> Result<()> {
    assert_eq!(said(&a), "1");
    Ok(())
}

/// As with `#[test]`.
#[with_processes(a = sleeper())]
#[tokio::test]
#[should_panic(expected = "the process is up")]
async fn above_should_panic(a: &mut Process) {
    tokio::task::yield_now().await;
    assert!(!a.is_alive(), "the process is up");
}

/// They nest here, too.
#[with_processes(upper = says(lower.pid().is_some()))]
#[with_processes(lower = sleeper())]
#[tokio::test]
async fn on_itself(lower: Process, upper: Process) {
    assert_eq!((said(&upper).as_str(), lower.is_alive()), ("true", true));
}

/// Right where the processes are to be there before the runtime is, and after it. Start and stop block, and executors
/// cannot await.
#[tokio::test]
#[with_processes(a = sleeper())]
async fn below_tokio_test(a: &Process) {
    tokio::task::yield_now().await;
    assert!(a.is_alive());
}

mod program {
    use super::{Process, said, says, with_processes};

    /// As on a test.
    #[with_processes(a = says("in main"))]
    #[tokio::main(flavor = "current_thread")]
    pub(super) async fn main(a: Process) {
        assert_eq!(said(&a), "in main");
    }
}

#[test]
fn main_may_be_async() {
    program::main();
}

#[with_processes(a = mock.client())]
async fn with_client(mock: &Mock, a: &Process) {
    assert!(a.is_alive());
}

#[with_processes(a = sleeper().ready(ready::Http::get(mock.url())).any_owner())]
async fn probed_by_mock(mock: &Mock, a: Process) {
    assert!(a.is_alive());
}

/// Asked once before the body and once after it, by a process that neither is ready nor ends without an answer.
async fn a_mock_answers_at_both_ends() {
    let mock = Mock::start().await;
    with_client(&mock).await;
    assert_eq!(mock.asked(), ["start", "stop"]);
}

#[tokio::test]
async fn a_mock_on_the_only_thread_answers_while_a_process_starts_and_drains() {
    a_mock_answers_at_both_ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mock_on_one_of_many_threads_answers_while_a_process_starts_and_drains() {
    a_mock_answers_at_both_ends().await;
}

#[tokio::test]
async fn a_mock_on_the_only_thread_answers_a_probe() {
    let mock = Mock::start().await;
    probed_by_mock(&mock).await;
    assert_eq!(mock.asked(), ["GET / HTTP/1.1"]);
}

#[tokio::test]
async fn several_functions_with_processes_run_beside_each_other_on_one_thread() {
    let mock = Mock::start().await;
    tokio::join!(with_client(&mock), with_client(&mock), probed_by_mock(&mock));
    let mut asked = mock.asked();
    asked.sort();
    assert_eq!(asked, ["GET / HTTP/1.1", "start", "start", "stop", "stop"]);
}

/// What moves from thread to thread has to be `Send`, and is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_with_processes_can_be_a_task() {
    #[with_processes(a = says(word))]
    async fn task(word: String, a: Process) -> String {
        tokio::task::yield_now().await;
        said(&a)
    }
    let tasks = ["one", "two", "three"].map(|word| tokio::spawn(task(word.to_owned())));
    for (task, word) in tasks.into_iter().zip(["one", "two", "three"]) {
        assert_eq!(task.await.unwrap(), word);
    }
}

/// A directory from a fixture, and the handle of a lower attribute: both by value.
#[tokio::test]
async fn what_a_process_needs_of_the_function_outlives_it() {
    #[with_processes(upper = stops("upper", &place.join("stops")).on_exit(note(&codes)))]
    #[with_processes(lower = stops("lower", &place.join("stops")).on_exit(note(&codes)))]
    async fn body(
        place: Dir,
        mut count: u8,
        codes: Sender<(String, Option<i32>)>,
        lower: Process,
        upper: Process,
    ) -> u8 {
        assert!(place.exists() && lower.is_alive() && upper.is_alive());
        count += 1;
        tokio::task::yield_now().await;
        count
    }
    let (codes, received) = mpsc::channel();
    assert_eq!(body(dir(), 6, codes).await, 7);
    let exits: Vec<_> = received.iter().collect();
    // Each could write into the directory when it was stopped.
    assert_eq!(exits, [("upper".to_owned(), Some(0)), ("lower".to_owned(), Some(0))]);
}

fn note(codes: &Sender<(String, Option<i32>)>) -> impl Fn(&Process, Exit) + Send + Sync + 'static {
    let codes = codes.clone();
    move |process, exit| codes.send((process.name().to_owned(), exit.code())).unwrap()
}
