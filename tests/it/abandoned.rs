//! An `async` stage that nobody awaits to its end: all of it is gone when the future is.

use std::cell::Cell;
use std::fs;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use expect_test::expect;
use pkit_test::{Process, Spec, output, tcp, with_processes};

use crate::child::{HANG, child, wait_until};
use crate::nested::victim;
use crate::race;

#[with_processes(first = one, second = other)]
async fn stage(one: Spec, other: Spec, body: impl AsyncFnOnce(&Process, Process), first: &Process, second: Process) {
    body(first, second).await;
}

/// Asks a future once. What wakes it is not waited for.
fn poll(future: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Awaits a future that never ends, and drops it as soon as that is so: what a timeout does, in a body that has begun.
async fn dropped_once(is_so: &AtomicBool, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending());
        if is_so.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn in_the_body_all_ends_with_the_future() {
    let (sleeper, has_begun) = (child("sleeper"), AtomicBool::new(false));
    let spec = || output(sleeper.with(""), "sleeper");
    let body = async |_: &Process, _| {
        has_begun.store(true, Ordering::Relaxed);
        pending::<()>().await;
    };
    dropped_once(&has_begun, stage(spec(), spec(), body)).await;
    assert_eq!(sleeper.count(), 0);
}

/// A mock that was not called.
struct Mock;

impl Drop for Mock {
    fn drop(&mut self) {
        panic!("it was not called")
    }
}

#[tokio::test]
async fn a_mock_in_the_body_that_panics_leaves_nothing() {
    let (sleeper, has_begun) = (child("sleeper"), Arc::new(AtomicBool::new(false)));
    let spec = || output(sleeper.with(""), "sleeper");
    let (one, other) = (spec(), spec());
    let test = tokio::spawn(async move {
        let body = async |_: &Process, second| {
            std::mem::forget(second);
            let _mock = Mock;
            has_begun.store(true, Ordering::Relaxed);
            pending::<()>().await;
        };
        dropped_once(&has_begun, stage(one, other, body)).await;
    });
    let panic = test.await.unwrap_err().into_panic();
    assert_eq!((panic.downcast_ref::<&str>(), sleeper.count()), (Some(&"it was not called"), 0));
}

#[tokio::test]
async fn while_it_starts_it_is_given_up() {
    let (sleeper, slow) = (child("sleeper"), child("slow"));
    let late = tokio::time::timeout(Duration::from_millis(300), async {
        let never = tcp(slow.with("600000 {port}"), 0).start_timeout(HANG * 10);
        stage(output(sleeper.with(""), "sleeper"), never, async |_, _| unreachable!("it never starts")).await;
    });
    assert!(late.await.is_err());
    assert_eq!((sleeper.count(), slow.count()), (0, 0));
}

#[test]
fn while_it_ends_the_end_is_waited_for() {
    let polite = child("polite");
    // It says goodbye until it is counted.
    let counted = polite.file("counted");
    let spec = || output(polite.with(&format!("--until '{}'", counted.display())), "ready").stop_timeout(HANG);
    let has_ended = Cell::new(false);
    {
        let mut future = pin!(stage(spec(), spec(), async |_, second| {
            has_ended.set(second.is_alive());
            std::mem::forget(second);
        }));
        wait_until(|| has_ended.get() || poll(future.as_mut()).is_ready());
        assert_eq!((poll(future.as_mut()), polite.count()), (Poll::Pending, 2), "it only begins to end");
        fs::write(counted, "").unwrap();
    }
    assert_eq!(polite.count(), 0);
}

#[test]
fn whenever_it_is_dropped_nothing_is_left() {
    let (sleeper, end) = (child("sleeper"), race::end());
    let spec = || output(sleeper.with(""), "sleeper");
    let mut longest = Duration::from_millis(1);
    while Instant::now() < end {
        let dropped = Instant::now() + race::random_part(longest);
        let mut future = Box::pin(stage(spec(), spec(), async |_, _| ()));
        let mut is_over = false;
        while Instant::now() < dropped && !is_over {
            is_over = poll(future.as_mut()).is_ready();
        }
        // So that all moments have their turn, however long they take here.
        longest = if is_over { longest } else { longest + longest / 8 };
        drop(future);
        assert_eq!(sleeper.count(), 0);
    }
}

#[test]
fn its_output_is_shown_and_what_went_wrong_is_said() {
    victim("abandoned::its_body_takes_too_long").with("banner").with("exits").fails(expect![[r#"
        --- `talker`: all it wrote (CHILDREN/pkit/PID.1-talker.1.log)
        hello from the service
        --- `worker`: exit code 3, it wrote nothing
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        talker  ended  N  T  T  T  signal 15 (SIGTERM)
        worker  died  N  T  T  T  exit code 3
          |T  |T  T|
        talker  SRTx
        worker  SRX
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        `worker` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' 3")   tests/it/victims/abandoned.rs
          ran:    CHILDREN/exits 3   pid N, in N ms
          exit:   exit code 3
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          output: none
        victims::abandoned::its_body_takes_too_long panicked at tests/it/victims/abandoned.rs:
        it took too long"#]]);
    victim("abandoned::its_start_takes_too_long").with("banner").fails(expect![[r#"
        victims::abandoned::its_start_takes_too_long panicked at tests/it/victims/abandoned.rs:
        in time: Elapsed(())"#]]);
}

#[test]
fn a_start_that_fails_is_shown_at_the_attribute() {
    victim("abandoned::does_not_start").with("exits").fails(expect![[r#"
        victims::abandoned::does_not_start panicked at tests/it/victims/abandoned.rs:
        `worker` exited before it was ready
          spec:   output("'CHILDREN/exits' 7", "ready")   tests/it/victims/abandoned.rs
          ran:    CHILDREN/exits 7   pid N, in N ms
          exit:   exit code 7
          probe:  output matches `ready`: it has written nothing, N tries
          output: none"#]]);
}

/// A task that goes on at once, in the thread that wakes it.
struct Eager {
    future: Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>,
    is_over: Sender<()>,
}

impl Wake for Eager {
    fn wake(self: Arc<Eager>) {
        let waker = Waker::from(Arc::clone(&self));
        if self.future.lock().unwrap().as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.is_over.send(()).unwrap();
        }
    }
}

#[with_processes(one = spec)]
async fn looks_at(spec: Spec, one: &Process) {
    assert!(one.is_alive());
}

#[test]
fn whoever_is_woken_may_go_on_at_once() {
    let sleeper = child("sleeper");
    let (is_over, over) = channel();
    let future = Mutex::new(Box::pin(looks_at(output(sleeper.with(""), "sleeper"))) as _);
    Arc::new(Eager { future, is_over }).wake();
    over.recv_timeout(HANG).unwrap();
    assert_eq!(sleeper.count(), 0);
}
