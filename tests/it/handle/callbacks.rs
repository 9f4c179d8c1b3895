//! Callbacks: in the order of the exits, once each, and free to do what they like.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use expect_test::expect;
use pkit_test::{Exit, Process, Restart, orchestra, orchestrated, output, simple};

use crate::child::{HANG, child};
use crate::text::normalised;

/// Sends what a callback sees.
fn telling(sender: &Sender<String>, what: &'static str) -> impl Fn(&Process, Exit) + Send + Sync + 'static {
    let sender = Mutex::new(sender.clone());
    move |process, exit| sender.lock().unwrap().send(format!("{what} {} {exit}", process.name())).unwrap()
}

#[test]
fn they_are_called_at_each_start_and_each_exit() {
    let sleeper = child("sleeper");
    let (sender, told) = channel();
    let starts = Mutex::new(sender.clone());
    let process = simple(sleeper.with(""))
        .on_start(move |process| starts.lock().unwrap().send(format!("start {}", process.restarts())).unwrap())
        .on_exit(telling(&sender, "first"))
        .on_exit(telling(&sender, "second"))
        .start()
        .unwrap();
    process.restart(Restart::Forced).unwrap();
    drop(process);
    drop(sender);
    let told: Vec<String> = told.iter().collect();
    expect![[r#"
        start 0
        first sleeper signal 9 (SIGKILL)
        second sleeper signal 9 (SIGKILL)
        start 1
        first sleeper signal 15 (SIGTERM)
        second sleeper signal 15 (SIGTERM)"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn they_come_in_the_order_of_the_exits() {
    let sleeper = child("sleeper");
    let (sender, told) = channel();
    let spec = |name| simple(sleeper.with("")).on_exit(telling(&sender, name));
    let (one, two, three) =
        (spec("one").start().unwrap(), spec("two").start().unwrap(), spec("three").start().unwrap());
    for process in [&two, &three, &one] {
        process.kill().unwrap();
    }
    let first = |text: String| text.split(' ').next().map(str::to_owned);
    assert_eq!(told.try_iter().filter_map(first).collect::<Vec<_>>(), ["two", "three", "one"]);
}

#[test]
fn they_have_run_when_an_end_returns() {
    let exits = child("exits");
    let count = Arc::new(Mutex::new(0));
    let counting = Arc::clone(&count);
    let process = simple(exits.with("1")).on_exit(move |_, _| *counting.lock().unwrap() += 1).start().unwrap();
    process.wait().unwrap();
    process.stop().unwrap();
    process.kill().unwrap();
    assert_eq!(*count.lock().unwrap(), 1);
}

#[test]
fn one_may_start_the_process_again() {
    let exits = child("exits");
    let (sender, told) = channel();
    let sender = Mutex::new(sender);
    let process = simple(exits.with("3"))
        .on_exit(move |process, exit| {
            assert_eq!((exit.code(), process.pid(), process.is_alive()), (Some(3), None, false));
            assert_eq!(process.wait().unwrap(), exit);
            process.stop().unwrap();
            if process.restarts() < 5 {
                process.start().unwrap();
            } else {
                sender.lock().unwrap().send(process.output()).unwrap();
            }
        })
        .start()
        .unwrap();
    assert_eq!(told.recv_timeout(HANG), Ok(String::new()));
    assert_eq!(process.restarts(), 5);
}

#[test]
fn one_may_stop_another_process() {
    let (sleeper, exits) = (child("sleeper"), child("crash_later"));
    let other = Arc::new(simple(sleeper.with("")).start().unwrap());
    let victim = Arc::clone(&other);
    let process = simple(exits.with("0 --code 1")).on_exit(move |_, _| victim.stop().unwrap()).start().unwrap();
    process.write_stdin("x").unwrap();
    assert_eq!(other.wait_timeout(HANG).unwrap().and_then(|exit| exit.signal()), Some(15));
}

#[test]
fn what_they_are_given_does_not_stop_the_process_when_it_is_dropped() {
    let sleeper = child("sleeper");
    let process = simple(sleeper.with("")).on_start(|process| assert!(process.is_alive())).start().unwrap();
    assert!(process.is_alive());
    assert_eq!(sleeper.count(), 1);
}

#[test]
fn a_panic_in_one_is_an_error_of_the_end() {
    let sleeper = child("sleeper");
    let process = simple(sleeper.with("")).on_start(|_| panic!("no luck today")).start().unwrap();
    let error = process.stop().unwrap_err();
    expect![[r#"
        a callback of `sleeper` panicked: no luck today
          spec:   simple("'CHILDREN/sleeper'")   tests/it/handle/callbacks.rs"#]]
    .assert_eq(&normalised(&error.to_string()));
    process.stop().unwrap();
    let spec = simple(sleeper.with("")).on_exit(|_, _| panic!("at the end"));
    let error = orchestrated([("worker", spec)], |_| ()).unwrap_err();
    expect![[r#"
        a callback of `worker` panicked: at the end
          spec:   simple("'CHILDREN/sleeper'")   tests/it/handle/callbacks.rs"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn a_slow_one_holds_up_nobody_who_only_waits() {
    let exits = child("crash_later");
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let process = simple(exits.with("0 --code 1"))
        .on_exit(move |_, _| wait.lock().unwrap().recv_timeout(HANG).unwrap())
        .start()
        .unwrap();
    process.write_stdin("x").unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(1));
    go.send(()).unwrap();
    process.stop().unwrap();
}

#[test]
fn one_that_starts_it_again_ends_with_the_handle() {
    let sleeper = child("sleeper");
    let spec = || simple(sleeper.with("")).on_exit(|process, _| _ = process.start());
    drop(spec().start().unwrap());
    assert_eq!(sleeper.count(), 0, "nobody starts what nobody holds");
    drop(orchestra().with("one", spec()).with("two", spec()).start().unwrap());
    assert_eq!(sleeper.count(), 0);
    orchestrated([("one", spec()), ("two", spec())], |_| ()).unwrap();
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn one_that_starts_it_again_meets_somebody_who_does() {
    let sleeper = child("sleeper");
    let (sender, told) = channel();
    let sender = Mutex::new(sender);
    let again = move |process: &Process, _: Exit| {
        sender.lock().unwrap().send(process.start().map_err(|error| error.is_state())).unwrap();
    };
    let process = simple(sleeper.with("")).on_exit(again).start().unwrap();
    for turn in 1..=5 {
        process.restart(Restart::Forced).unwrap();
        assert_eq!(told.recv_timeout(HANG), Ok(Err(true)), "it is being started already");
        assert_eq!((process.restarts(), sleeper.count()), (turn, 1));
    }
}

#[test]
fn a_start_that_fails_is_an_exit_as_well() {
    let exits = child("exits");
    let (sender, told) = channel();
    let error = output(exits.with("3"), "never").on_exit(telling(&sender, "seen")).start().unwrap_err();
    assert!(error.is_exit());
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["seen exits exit code 3"]);
}
