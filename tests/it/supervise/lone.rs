//! One process by itself, supervised.

use std::fs;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use pkit_test::{Executor, Ground, Process, Restart, Result, Signal, Spec, Supervision, output, sh, simple, tcp};

use super::{LONG, MS, moody, tireless};
use crate::child::{ENOUGH, HANG, child};
use crate::text::normalised;

#[track_caller]
fn check(result: Result<u32>, expected: Expect) {
    expected.assert_eq(&normalised(&result.unwrap_err().to_string()));
}

#[test]
fn it_comes_back_in_the_same_place() {
    let moody = moody();
    let file = moody.file.display().to_string();
    let server = tcp(moody.child.with(&format!("'{file}' u {{port}}")), 0).port("peer").env("DIR", "{dir}");
    let server = server.supervise(tireless(Supervision::permanent())).start().unwrap();
    let place = |server: &Process| (server.port(), server.port_of("peer"), server.dir().to_owned());
    let before = place(&server);
    fs::write(server.dir().join("state"), "kept").unwrap();
    let mut pids = vec![server.pid()];
    for turn in 0..5 {
        server.write_stdin("x").unwrap();
        assert_eq!(server.wait_restart(turn, HANG).unwrap(), turn + 1);
        assert!(TcpStream::connect(server.addr()).is_ok());
        // It listens first and then says so.
        server.wait_for_output("^up", HANG).unwrap();
        assert_eq!((server.exit().unwrap().code(), server.output()), (Some(1), format!("up {}\n", turn + 2)));
        pids.push(server.pid());
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!((pids.len(), place(&server), server.restarts(), moody.child.count()), (6, before, 5, 1));
    assert_eq!(fs::read_to_string(server.dir().join("state")).unwrap(), "kept");
    drop(server);
    assert_eq!((moody.child.count(), moody.runs()), (0, 6));
}

#[test]
fn a_signal_of_the_test_is_a_crash() {
    let sleeper = child("sleeper");
    let spec = output(sleeper.with(""), "sleeper").supervise(tireless(Supervision::transient()));
    let process = spec.start().unwrap();
    for signal in [Signal::Kill, Signal::Term, Signal::Int, Signal::Abort, Signal::Hup, Signal::Number(9)] {
        let before = process.restarts();
        process.signal(signal).unwrap();
        assert_eq!(process.wait_restart(before, HANG).unwrap(), before + 1, "{signal:?}");
        assert_eq!(process.exit().unwrap().signal(), Some(signal.number()));
    }
}

#[test]
fn what_the_test_ends_stays_down() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper").supervise(tireless(Supervision::permanent()));
    for end in [Process::stop, Process::kill, Process::terminate] {
        let process = spec().start().unwrap();
        end(&process).unwrap();
        let error = process.wait_restart(0, HANG).unwrap_err();
        assert!(error.is_state() && error.to_string().contains("the test has stopped it"), "{error}");
        assert_eq!((process.restarts(), sleeper.count()), (0, 0));
        process.start().unwrap();
        process.signal(Signal::Kill).unwrap();
        assert_eq!(process.wait_restart(1, HANG).unwrap(), 2, "it is looked after as before");
    }
}

#[test]
fn the_parts_of_an_executor_without_a_stack_are_looked_after_each_by_itself() {
    struct Two(Spec);
    impl Executor for Two {
        type Handle = (Process, Process);
        fn start_on(self, ground: &Ground) -> Result<(Process, Process)> {
            Ok((ground.child("a").start(self.0.clone())?, ground.child("b").start(self.0)?))
        }
    }
    let sleeper = child("sleeper");
    let spec = output(sleeper.with(""), "sleeper").supervise(tireless(Supervision::permanent()));
    let (a, b) = Two(spec).start().unwrap();
    for part in [&a, &b] {
        part.signal(Signal::Kill).unwrap();
        assert_eq!(part.wait_restart(0, HANG).unwrap(), 1);
    }
    drop(a);
    b.signal(Signal::Kill).unwrap();
    assert_eq!(b.wait_restart(1, HANG).unwrap(), 2);
    b.restart(Restart::Forced).unwrap();
    assert_eq!((b.restarts(), sleeper.count()), (3, 1));
}

#[test]
fn a_stop_takes_back_a_restart_that_is_due() {
    let moody = moody();
    let process = moody.with("u").supervise(Supervision::permanent().backoff(LONG, LONG)).start().unwrap();
    process.write_stdin("x").unwrap();
    process.wait().unwrap();
    process.stop().unwrap();
    check(
        process.wait_restart(0, HANG),
        expect![[r#"
            `moody` is not started again: the test has stopped it
              spec:   output("'CHILDREN/moody' 'CHILDREN/moods' u", "^up")   tests/it/supervise/mod.rs
              ran:    CHILDREN/moody CHILDREN/moods u   pid N, in N ms
              exit:   exit code 1
              stdout: up 1"#]],
    );
    process.start().unwrap();
    assert_eq!((process.restarts(), moody.runs()), (1, 2));
}

#[test]
fn a_terminate_that_does_not_help_changes_nothing() {
    let deaf = child("deaf");
    let spec = output(deaf.with(""), "deaf").stop_timeout(MS * 50).supervise(tireless(Supervision::permanent()));
    let process = spec.start().unwrap();
    assert!(process.terminate().unwrap_err().is_timeout());
    process.signal(Signal::Kill).unwrap();
    assert_eq!(process.wait_restart(0, HANG).unwrap(), 1);
}

#[test]
fn restarts_of_the_test_and_of_the_supervisor_are_counted_together() {
    let sleeper = child("sleeper");
    let once = Supervision::permanent().intensity(1, LONG);
    let process = output(sleeper.with(""), "sleeper").supervise(once).start().unwrap();
    process.restart(Restart::Forced).unwrap();
    process.restart(Restart::Graceful).unwrap();
    assert_eq!(process.wait_restart(1, HANG).unwrap(), 2, "it is known already");
    process.signal(Signal::Kill).unwrap();
    assert_eq!(process.wait_restart(2, HANG).unwrap(), 3, "what the test does is no crash");
    assert_eq!(sleeper.count(), 1);
}

/// Before all is done that belongs to its start, here a callback: it is a restart all the same.
#[test]
fn one_that_ends_well_at_once_was_started_again() {
    for _ in 0..20 {
        let script = sh("test -e {dir}/second || { touch {dir}/second; exit 1; }");
        let ends = |process: &Process| drop((process.restarts() == 1).then(|| process.wait()));
        let job = simple(script).supervise(Supervision::transient()).on_start(ends).start().unwrap();
        assert_eq!(job.wait_restart(0, HANG).unwrap(), 1);
    }
}

#[test]
fn a_transient_one_that_ends_well_is_done() {
    let moody = moody();
    let process = moody.with("xu").supervise(Supervision::transient());
    // The first start is the test's own.
    assert!(process.clone().start().unwrap_err().is_exit());
    let process = process.start().unwrap();
    process.close_stdin().unwrap();
    assert!(process.wait().unwrap().success());
    check(
        process.wait_restart(0, HANG),
        expect![[r#"
            `moody` is not started again: it has ended as it may
              spec:   output("'CHILDREN/moody' 'CHILDREN/moods' xu", "^up")   tests/it/supervise/mod.rs
              ran:    CHILDREN/moody CHILDREN/moods xu   pid N, in N ms
              exit:   exit code 0
              stdout: up 2"#]],
    );
}

#[test]
fn one_that_nobody_supervises_is_known_not_to_come_back() {
    let exits = child("exits");
    for spec in [simple(exits.with("3")), simple(exits.with("3")).supervise(Supervision::temporary())] {
        let process = spec.start().unwrap();
        let error = process.wait_restart(0, HANG).unwrap_err();
        assert!(error.is_state(), "{error}");
        assert!(error.to_string().starts_with("`exits` is not started again: it is not supervised\n"), "{error}");
    }
}

#[test]
fn whoever_waits_too_short_is_told_how_far_it_is() {
    let sleeper = child("sleeper");
    let process = output(sleeper.with(""), "sleeper").supervise(Supervision::permanent()).start().unwrap();
    assert!(process.wait_restart(0, Duration::ZERO).unwrap_err().is_timeout());
    check(
        process.wait_restart(0, MS * 20),
        expect![[r#"
            `sleeper` was not started again within 20 ms
              again:  0 so far, more than 0 were waited for
              spec:   output("'CHILDREN/sleeper'", "sleeper")   tests/it/supervise/lone.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              stdout: sleeper"#]],
    );
}

#[test]
fn a_restart_that_does_not_become_ready_is_a_crash() {
    let moody = moody();
    let spec = moody.with("uxmxu").start_timeout(ENOUGH).supervise(tireless(Supervision::permanent()));
    // The first one has its time: what is up when it is asked is not late.
    let process = spec.spawn().unwrap();
    process.wait_for_output("^up", HANG).unwrap();
    process.wait_ready().unwrap();
    process.write_stdin("x").unwrap();
    // On a busy machine any of them may be too late, also before it has counted itself.
    let (restarts, runs) = (process.wait_restart(0, HANG).unwrap(), moody.runs());
    assert!((5..=u64::from(restarts) + 1).contains(&runs), "{runs} runs, {restarts} restarts");
    assert_eq!((process.stdout(), moody.child.count()), (format!("up {runs}\n"), 1));
}

#[test]
fn callbacks_are_called_for_each_run() {
    let moody = moody();
    let (tell, told) = channel();
    let (started, ended) = (Mutex::new(tell.clone()), Mutex::new(tell));
    let process = moody
        .with("u")
        .on_start(move |process| started.lock().unwrap().send(format!("start {}", process.restarts())).unwrap())
        .on_exit(move |_, exit| ended.lock().unwrap().send(exit.to_string()).unwrap())
        .supervise(tireless(Supervision::permanent()))
        .start()
        .unwrap();
    for turn in 0..2 {
        process.write_stdin("x").unwrap();
        process.wait_restart(turn, HANG).unwrap();
    }
    drop(process);
    let told: Vec<String> = told.iter().collect();
    expect!["start 0, exit code 1, start 1, exit code 1, start 2, signal 15 (SIGTERM)"].assert_eq(&told.join(", "));
}

#[test]
fn a_callback_that_starts_it_again_meets_the_supervisor() {
    let moody = moody();
    let spec = moody.with("u").on_exit(|process, _| _ = process.start());
    let process = spec.supervise(tireless(Supervision::permanent())).start().unwrap();
    for _ in 0..10 {
        let before = process.restarts();
        process.write_stdin("x").unwrap();
        assert_eq!(process.wait_restart(before, HANG).unwrap(), before + 1, "one of them has started it");
        assert_eq!(moody.child.count(), 1);
    }
}

#[test]
fn a_callback_may_drop_the_handle() {
    let moody = moody();
    let (give, taken) = channel::<Process>();
    let (tell, told) = channel();
    let (taken, tell) = (Mutex::new(taken), Mutex::new(tell));
    let spec = moody.with("u").supervise(tireless(Supervision::permanent())).on_exit(move |_, _| {
        // Its own stop is an exit as well, after which there is nothing more to drop.
        if let Ok(process) = taken.lock().unwrap().recv() {
            drop(process);
            tell.lock().unwrap().send(()).unwrap();
        }
    });
    let process = spec.start().unwrap();
    let pid = Pid::from_raw(process.pid().unwrap().try_into().unwrap());
    give.send(process).unwrap();
    drop(give);
    kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    told.recv_timeout(HANG).unwrap();
    assert_eq!(moody.child.count(), 0);
}

#[test]
fn replace_replaces_how_it_lives() {
    let moody = moody();
    let process = moody.with("u").start().unwrap();
    process.replace(moody.with("u").supervise(tireless(Supervision::permanent()))).unwrap();
    process.write_stdin("x").unwrap();
    assert_eq!(process.wait_restart(1, HANG).unwrap(), 2);
    process.replace(moody.with("u")).unwrap();
    process.write_stdin("x").unwrap();
    process.wait().unwrap();
    assert!(process.wait_restart(3, HANG).unwrap_err().is_state());
    assert_eq!(moody.runs(), 4);
}

#[test]
fn pauses_are_kept() {
    let moody = moody();
    let slowly = Supervision::permanent().intensity(1000, LONG).backoff(MS * 20, MS * 20);
    let began = Instant::now();
    let process = moody.with("uxxxxxxxxxxu").supervise(slowly).start().unwrap();
    process.write_stdin("x").unwrap();
    assert_eq!(process.wait_restart(0, HANG).unwrap(), 11);
    assert!(began.elapsed() >= MS * 20 * 11, "it spins");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    #[track_caller]
    fn refused(spec: Spec, expected: Expect) {
        let error = spec.start().unwrap_err();
        assert!(error.is_spec());
        expected.assert_eq(error.to_string().lines().next().unwrap());
    }
    let spec = || simple("sleep 60");
    let (permanent, transient) = (Supervision::permanent(), Supervision::transient());
    refused(
        spec().supervise(permanent).expect_exit(3),
        expect![
            "`sleep` was not started: `expect_exit` says that it may end, and `supervise` that it is started again when it does"
        ],
    );
    refused(
        spec().may_exit().supervise(transient),
        expect![
            "`sleep` was not started: `may_exit` says that it may end, and `supervise` that it is started again when it does"
        ],
    );
    refused(
        spec().supervise(transient.intensity(3, Duration::ZERO)),
        expect!["`sleep` was not started: an intensity with a period of zero allows any number of restarts"],
    );
    refused(
        spec().supervise(permanent.backoff(MS * 2, MS)),
        expect!["`sleep` was not started: its back-off begins with 2 ms and is at most 1 ms"],
    );
    assert!(spec().may_exit().supervise(Supervision::temporary()).start().is_ok());
    assert!(spec().expect_exit(3).supervise(transient).start().is_ok());
}
