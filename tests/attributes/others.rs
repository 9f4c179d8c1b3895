//! Other test attributes.

use std::net::TcpListener;

use googletest::prelude::{eq, verify_that};
use pkit_test::{Process, Spec, bin, tcp, with_processes};
use serial_test::serial;
use test_context::{AsyncTestContext, TestContext, test_context};

use crate::children::{said, says, sleeper};

/// The log is there before anything is started.
#[with_processes(a = sleeper())]
#[test_log::test]
fn above_test_log(a: Process) {
    assert!(a.is_alive());
}

/// With a runtime.
#[with_processes(a = sleeper())]
#[test_log::test(tokio::test)]
async fn above_test_log_of_tokio(a: Process) {
    tokio::task::yield_now().await;
    assert!(a.is_alive());
}

/// It leaves the function as it is, with a log.
#[test_log::test]
#[with_processes(a = sleeper())]
fn below_test_log(a: Process) {
    assert!(a.is_alive());
}

/// `verify_that!` is a failure as any other `Err`. Of a failed `expect_that!` only googletest knows: the test fails, but
/// `PKIT_OUTPUT=always` is what shows the output of its processes.
#[with_processes(a = says("hello"))]
#[googletest::test]
fn above_googletest(a: Process) -> googletest::Result<()> {
    verify_that!(said(&a), eq("hello"))
}

/// The same, with a runtime.
#[with_processes(a = says("hello"))]
#[googletest::test]
#[tokio::test]
async fn above_googletest_with_tokio(a: Process) -> googletest::Result<()> {
    verify_that!(said(&a), eq("hello"))
}

/// With fixtures of rstest.
#[with_processes(a = says(number))]
#[rstest::rstest]
#[case(1)]
#[googletest::test]
fn above_googletest_with_rstest(#[case] number: u8, a: Process) -> googletest::Result<()> {
    verify_that!(said(&a), eq(&number.to_string()))
}

/// Something that is set up before a test.
struct Context(&'static str);

impl TestContext for Context {
    fn setup() -> Context {
        Context("from the context")
    }
}

/// The same for tests with a runtime.
struct AsyncContext(&'static str);

impl AsyncTestContext for AsyncContext {
    async fn setup() -> AsyncContext {
        AsyncContext("from the async context")
    }
}

/// The context is set up first and torn down last, and a process may use it.
#[with_processes(a = says(context.0))]
#[test_context(Context)]
#[test]
fn above_test_context(context: &mut Context, a: Process) {
    assert_eq!((said(&a).as_str(), context.0), ("from the context", "from the context"));
}

/// The same, with a runtime.
#[with_processes(a = says(context.0))]
#[test_context(AsyncContext)]
#[tokio::test]
async fn above_test_context_with_tokio(context: &mut AsyncContext, a: Process) {
    assert_eq!((said(&a).as_str(), context.0), ("from the async context", "from the async context"));
}

/// The processes are up before the context is set up, which finds no handle.
#[test_context(Context)]
#[with_processes(a = sleeper())]
#[test]
fn below_test_context(context: &mut Context) {
    assert_eq!(context.0, "from the context");
}

/// The lock is taken first: the processes start when it is this test's turn.
#[with_processes(a = on_one_port())]
#[serial]
#[test]
fn above_serial(a: Process) {
    assert!(TcpListener::bind(a.addr()).is_err(), "it listens");
}

/// The same, with a runtime.
#[with_processes(a = on_one_port())]
#[serial]
#[tokio::test]
async fn above_serial_with_tokio(a: Process) {
    assert!(TcpListener::bind(a.addr()).is_err(), "it listens");
}

fn on_one_port() -> Spec {
    tcp(bin!("slow").args("0 {port}"), 0)
}
