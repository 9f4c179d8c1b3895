//! What a test has started: the list of it, and the table at the end of one that fails.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use expect_test::{Expect, expect};
use pkit_test::{
    Executor, Ground, Process, ProcessRecord, ProcessState, Restart, Result, Spec, orchestra, orchestrated, output,
    processes, simple, tcp, with_processes,
};

use crate::child::{ENOUGH, HANG, child};
use crate::nested::{Ended, victim};
use crate::text::normalised;

fn sleeper() -> Spec {
    output(pkit_test::bin!("sleeper"), "sleeper")
}

/// Name and state of each.
fn states() -> String {
    let all: Vec<String> =
        processes().iter().map(|process| format!("{} {}", process.name(), process.state())).collect();
    all.join(", ")
}

#[test]
fn lists_all_in_order_of_start() {
    let (exits, crash, slow, mute) = (child("exits"), child("crash_later"), child("slow"), child("deaf"));
    assert_eq!(states(), "");
    let asked = sleeper().start().unwrap();
    let died = output(crash.with("0 --code 3"), "up").start().unwrap();
    let job = simple(exits.with("0")).may_exit().start().unwrap();
    let starting = output(mute.with(""), "never").stop_timeout(Duration::from_millis(50)).spawn().unwrap();
    let up = tcp(slow.with("0 {port}"), 0).start().unwrap();
    job.wait().unwrap();
    expect!["sleeper ready, crash_later ready, exits ended, deaf starting, slow ready"].assert_eq(&states());
    asked.stop().unwrap();
    died.write_stdin("x").unwrap();
    died.wait().unwrap();
    expect!["sleeper ended, crash_later died, exits ended, deaf starting, slow ready"].assert_eq(&states());
    let addr: Vec<_> = processes().iter().map(ProcessRecord::addr).collect();
    assert_eq!(addr, [None, None, None, None, Some(up.addr())]);
    drop(starting);
    expect!["sleeper ended, crash_later died, exits ended, deaf ended, slow ready"].assert_eq(&states());
}

#[test]
fn knows_each_run_with_its_times() {
    let process = sleeper().start().unwrap();
    let first = process.pid();
    process.restart(Restart::Forced).unwrap();
    process.stop().unwrap();
    let record = processes().remove(0);
    let [one, two] = record.runs() else { panic!("{record:?}") };
    assert_eq!((one.pid(), one.exit().and_then(|exit| exit.signal())), (first, Some(9)));
    assert_eq!((two.pid(), two.exit()), (record.pid(), record.exit()));
    assert!(one.was_asked() && two.was_asked() && two.pid().is_some() && one.pid() != two.pid());
    let times = [Some(one.started()), one.ready(), one.ended(), Some(two.started()), two.ready(), two.ended()];
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{times:?}");
    assert_eq!((record.started(), record.ready(), record.ended()), (two.started(), two.ready(), two.ended()));
    assert_eq!((record.restarts(), process.restarts()), (1, 1));
}

#[test]
fn a_start_that_fails_is_in_it() {
    let exits = child("exits");
    for spec in [
        simple("no-such-program"),
        output(exits.with("7"), "never"),
        output(pkit_test::bin!("sleeper"), "never").start_timeout(ENOUGH),
    ] {
        spec.start().unwrap_err();
    }
    expect!["no-such-program failed, exits failed, sleeper failed"].assert_eq(&states());
    let records = processes();
    let pids: Vec<bool> = records.iter().map(|record| record.pid().is_some()).collect();
    assert_eq!(pids, [false, true, true]);
    assert!(records.iter().all(|record| record.ready().is_none() && record.ended().is_some()), "{records:?}");
}

#[test]
fn what_was_never_to_run_is_not() {
    simple("sleep 60 {nobody.port}").start().unwrap_err();
    orchestra().with("a", simple("sleep {b.port}")).with("b", simple("sleep {a.port}")).start().unwrap_err();
    assert_eq!(states(), "");
}

#[test]
fn a_replacement_is_another_run_with_its_own_spec() {
    let process = sleeper().start().unwrap();
    process.replace(simple("sleep 60")).unwrap();
    let record = processes().remove(0);
    assert_eq!(record.runs().len(), 2);
    assert!(record.spec().starts_with("simple(\"sleep 60\")   tests/it/record.rs:"), "{}", record.spec());
    process.replace(simple("no-such-program")).unwrap_err();
    let record = processes().remove(0);
    assert_eq!((record.state(), record.runs().len()), (ProcessState::Failed, 3));
    assert_eq!((record.restarts(), process.restarts()), (1, 1), "what cannot be run is no restart");
}

/// Starts something by itself in the middle of a start.
struct Helped;

impl Executor for Helped {
    type Handle = (Process, String);

    fn start_on(self, _: &Ground) -> Result<(Process, String)> {
        let helper = simple("sleep 61").start()?;
        Ok((helper, states()))
    }
}

#[test]
fn threads_of_ours_work_for_the_test() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |text: &'static str| {
        let seen = Arc::clone(&seen);
        move || seen.lock().unwrap().push(format!("{text}: {}", states()))
    };
    let (begin, end) = (note("start"), note("exit"));
    let noisy = sleeper().on_start(move |_| begin()).on_exit(move |_, _| end());
    let stack = orchestra().with("b", Helped).with("a", noisy.after("b")).with("c", sleeper().after("a"));
    let stack = stack.start().unwrap();
    assert_eq!(stack.get::<(Process, String)>("b").1, "sleep ready");
    stack["a"].stop().unwrap();
    expect!["sleep ready, a ended, c ready"].assert_eq(&states());
    expect!["start: sleep ready, a ready / exit: sleep ready, a ended, c ready"]
        .assert_eq(&seen.lock().unwrap().join(" / "));
    drop(stack);
    // Beside each other, each on a thread of its own.
    orchestrated([("d", sleeper()), ("e", sleeper())], |_| ()).unwrap();
    assert_eq!(processes().len(), 5);
}

#[test]
fn a_handle_takes_its_record_to_other_threads() {
    let process = sleeper().start().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| process.restart(Restart::Forced).unwrap());
    });
    assert_eq!(processes()[0].runs().len(), 2);
}

/// Polls on a thread of its own each time.
fn wander<R: Send>(future: impl Future<Output = R> + Send) -> R {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        let mut poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
        match thread::scope(|scope| scope.spawn(&mut poll).join()).unwrap() {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park_timeout(HANG),
        }
    }
}

#[test]
fn a_future_takes_its_record_from_poll_to_poll() {
    #[with_processes(a = sleeper(), b = sleeper())]
    async fn body(a: &Process) -> String {
        let before = states();
        let mut polls = 0;
        std::future::poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        a.stop().unwrap();
        let own = simple("sleep 60").start().unwrap();
        format!("{before} / {} / {}", states(), own.is_alive())
    }
    let told = wander(body());
    // In which order two start beside each other is chance.
    let told = told.replace("b ready, a ready", "a ready, b ready").replace("b ready, a ended", "a ended, b ready");
    expect!["a ready, b ready / a ended, b ready, sleep ready / true"].assert_eq(&told);
}

#[test]
fn two_tests_of_a_process_never_see_each_other() {
    let victim = victim("record::meets").with("sleeper");
    // Not by an exact name: two tests of one process, at the same time.
    let ended = victim.ended(victim.command().args(["--test-threads=2", &victim.path()]));
    assert!(ended.status.success() && ended.stdout.contains("2 passed"), "{}{}", ended.stdout, ended.stderr);
    victim.is_gone(&ended);
}

#[test]
fn a_thread_of_the_user_has_a_record_of_its_own_unless_the_process_runs_one_test() {
    let victim = victim("record::spawns_a_thread").with("sleeper");
    let ended = victim.ended(victim.command().args(["--nocapture", &victim.path()]));
    expect!["test: sleeper ready / thread: sleeper ready"].assert_eq(&records(&ended));
    expect!["test: sleeper ready, sleeper ended / thread: sleeper ready, sleeper ready"]
        .assert_eq(&records(&victim.run_uncaptured()));
}

/// What a victim says of its records.
fn records(ended: &Ended) -> String {
    let lines: Vec<&str> = ended.stderr.lines().filter_map(|line| line.strip_prefix("record of ")).collect();
    lines.join(" / ")
}

/// The report of a victim that fails, of which nothing is left.
#[track_caller]
fn check(name: &'static str, expected: Expect) {
    victim(name).with("sleeper").with("exits").fails(expected);
}

#[test]
fn a_test_that_fails_shows_a_table_and_a_timeline() {
    check(
        "record::fails_with_two",
        expect![[r#"
        victims::record::fails_with_two panicked at tests/it/victims/record.rs:
        what the body says
        --- `api`: all it wrote (CHILDREN/pkit/PID.1-api.1.log)
        sleeper
        --- `cache`: all it wrote (CHILDREN/pkit/PID.2-cache.1.log)
        sleeper
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        api  ended  N  T  T  T  signal 15 (SIGTERM)
        cache  ended  N  T  T  T  signal 15 (SIGTERM)
          |T  |T  T|
        api  SRTx
        cache  SRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more"#]],
    );
    check(
        "record::fails_in_async",
        expect![[r#"
        victims::record::fails_in_async panicked at tests/it/victims/record.rs:
        what the body says
        --- `api`: all it wrote (CHILDREN/pkit/PID.1-api.1.log)
        sleeper
        --- `cache`: all it wrote (CHILDREN/pkit/PID.2-cache.1.log)
        sleeper
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        api  ended  N  T  T  T  signal 15 (SIGTERM)
        cache  ended  N  T  T  T  signal 15 (SIGTERM)
          |T  |T  T|
        api  SRTx
        cache  SRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more"#]],
    );
    check(
        "record::does_not_panic_as_it_should",
        expect![[r#"
        --- `api`: all it wrote (CHILDREN/pkit/PID.1-api.1.log)
        sleeper
        --- `cache`: all it wrote (CHILDREN/pkit/PID.2-cache.1.log)
        sleeper
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        api  ended  N  T  T  T  signal 15 (SIGTERM)
        cache  ended  N  T  T  T  signal 15 (SIGTERM)
          |T  |T  T|
        api  SRTx
        cache  SRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        note: test did not panic as expected"#]],
    );
}

#[test]
fn what_failed_to_start_is_shown_with_the_others() {
    check(
        "record::does_not_start",
        expect![[r#"
            --- 2 processes in T
            name  state  pid  started  ready after  ended  exit
            worker  failed  N  T  -  T  exit code 7
            cache  ended  N  T  T  T  signal 15 (SIGTERM)
              |T  |T  T|
            worker  SF
            cache  SRTx
            S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
            victims::record::does_not_start panicked at tests/it/victims/record.rs:
            `worker` exited before it was ready
              spec:   output("'CHILDREN/exits' 7 --say 'no luck'", "ready")   tests/it/victims/record.rs
              ran:    CHILDREN/exits 7 --say 'no luck'   pid N, in N ms
              exit:   exit code 7
              probe:  output matches `ready`: no line matches; the last one is "no luck", N tries
              needs:  cache (ready in N ms)
              stderr: no luck"#]],
    );
    check(
        "record::does_not_start_in_a_scope",
        expect![[r#"
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        cache  ended  N  T  T  T  signal 15 (SIGTERM)
        worker  failed  N  T  -  T  exit code 7
          |T  |T  T|
        cache  SRTx
        worker  SF
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        victims::record::does_not_start_in_a_scope panicked at tests/it/victims/record.rs:
        called `Result::unwrap()` on an `Err` value: `worker` exited before it was ready
          spec:   output("'CHILDREN/exits' 7 --say 'no luck'", "ready")   tests/it/victims/record.rs
          ran:    CHILDREN/exits 7 --say 'no luck'   pid N, in N ms
          exit:   exit code 7
          probe:  output matches `ready`: no line matches; the last one is "no luck", N tries
          needs:  cache (ready in N ms)
          stderr: no luck"#]],
    );
}

#[test]
fn also_where_the_start_is_awaited() {
    // Its panic has a place in the library.
    let ended = victim("record::does_not_start_in_async").with("sleeper").with("exits").run();
    let report = ended.report();
    let (table, error) = report.split_once("S= starting").unwrap_or_else(|| panic!("{report}"));
    assert!(table.ends_with("worker  SF\ncache  SRTx\n") && error.contains("`worker` exited before"), "{report}");
}

#[test]
fn it_is_told_once_and_by_the_outermost() {
    check(
        "record::fails_in_a_scope_in_a_scope",
        expect![[r#"
        victims::record::fails_in_a_scope_in_a_scope panicked at tests/it/victims/record.rs:
        what the body says
        --- `inner`: all it wrote (CHILDREN/pkit/PID.3-inner.1.log)
        sleeper
        --- `outer`: all it wrote (CHILDREN/pkit/PID.1-outer.1.log)
        sleeper
        --- 3 processes in T
        name  state  pid  started  ready after  ended  exit
        outer  ended  N  T  T  T  signal 15 (SIGTERM)
        lost  failed  N  T  -  T  exit code 7
        inner  ended  N  T  T  T  signal 15 (SIGTERM)
          |T  |T  T|
        outer  SRTx
        lost  SF
        inner  SRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more"#]],
    );
    check(
        "record::fails_with_handles_by_themselves",
        expect![[r#"
        victims::record::fails_with_handles_by_themselves panicked at tests/it/victims/record.rs:
        what the body says
        --- `sleeper`: all it wrote (CHILDREN/pkit/PID.3-sleeper.1.log)
        sleeper
        --- `member`: all it wrote (CHILDREN/pkit/PID.2-member.1.log)
        sleeper
        --- 3 processes in T
        name  state  pid  started  ready after  ended  exit
        sleeper  ready  N  T  T  -  -
        member  ended  N  T  T  T  signal 15 (SIGTERM)
        sleeper  ended  N  T  T  T  signal 15 (SIGTERM)
          |T  |T  T|
        sleeper  SR>
        member  SRTx
        sleeper  SRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        --- `sleeper`: all it wrote (CHILDREN/pkit/PID.1-sleeper.1.log)
        sleeper"#]],
    );
}

#[test]
fn what_was_told_is_not_told_again() {
    check(
        "record::fails_in_one_scope_after_the_other",
        expect![[r#"
        --- `one`: exit code 3, it wrote nothing
        --- `two`: exit code 3, it wrote nothing
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        one  died  N  T  T  T  exit code 3
        two  died  N  T  T  T  exit code 3
          |T  |T  T|
        one  SRX
        two  SRX
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        --- `one`: exit code 3, it wrote nothing
        --- `two`: exit code 3, it wrote nothing
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        one  died  N  T  T  T  exit code 3
        two  died  N  T  T  T  exit code 3
          |T  |T  T|
        one  SRX
        two  SRX
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        victims::record::fails_in_one_scope_after_the_other panicked at tests/it/victims/record.rs:
        what the body says"#]],
    );
}

#[test]
fn one_run_of_one_process_needs_no_table() {
    for name in ["record::fails_with_one", "record::fails_with_one_by_itself"] {
        let ended = victim(name).with("sleeper").run();
        assert!(!ended.status.success() && !ended.text().contains("S= starting"), "{}", ended.text());
    }
}

#[test]
fn pkit_output_says_when_there_is_a_table() {
    for (name, setting, is_shown) in [
        ("record::fails_with_two", "failed", true),
        ("record::fails_with_two", "never", false),
        ("record::passes_with_two", "failed", false),
        ("record::passes_with_two", "never", false),
        ("record::passes_with_two", "always", true),
        ("record::passes_with_two_by_themselves", "failed", false),
        ("record::passes_with_two_by_themselves", "always", true),
    ] {
        let victim = victim(name).with("sleeper").env("PKIT_OUTPUT", setting);
        let ended = victim.run_uncaptured();
        let tables = ended.stderr.matches("S= starting").count();
        assert_eq!(tables, usize::from(is_shown), "{name} {setting}: {}", ended.text());
        victim.is_gone(&ended);
    }
}

#[test]
fn the_same_test_is_told_in_the_same_words() {
    let tell = || victim("record::fails_with_five").with("sleeper").run().report();
    let first = tell();
    assert!(first.contains("S= starting"), "{first}");
    assert_eq!(tell(), first);
}

#[test]
fn no_line_of_a_timeline_is_longer_than_a_terminal_is_wide() {
    let ended = victim("record::fails_with_five").with("sleeper").run();
    let (_, timeline) = ended.stdout.split_once("|0").expect("an axis");
    let (timeline, _) = timeline.split_once("S= starting").expect("a legend");
    assert!(timeline.lines().all(|line| line.chars().count() <= 80), "{timeline}");
    assert_eq!(normalised(timeline).lines().count(), 6);
}
