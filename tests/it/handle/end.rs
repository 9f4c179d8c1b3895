//! Every way to end a process, with children that obey and children that do not.

use std::time::Duration;

use expect_test::{Expect, expect};
use pkit_test::{Process, Result, Signal, Spec, output, simple};

use crate::child::{Child, HANG, child};
use crate::text::normalised;

/// For those who do not obey anyway.
const GRACE: Duration = Duration::from_millis(300);

/// Brings it up, ends it, and tells what came of that.
#[track_caller]
fn check(spec: Spec, end: fn(&Process) -> Result<()>, expected: Expect) {
    let process = spec.start().unwrap();
    let said = end(&process).map_or_else(|error| normalised(&error.to_string()), |()| "ok".to_owned());
    let exit = process.exit().map_or("still runs".to_owned(), |exit| exit.to_string());
    expected.assert_eq(&format!("{exit}: {said}"));
    if process.exit().is_some() {
        is_over(&process);
    }
}

/// What is gone stays gone, and whoever asks for its end again is not bothered.
fn is_over(process: &Process) {
    assert_eq!((process.pid(), process.is_alive()), (None, false));
    assert_eq!(process.try_wait().unwrap(), process.exit());
    assert_eq!(process.wait().ok(), process.exit());
    for end in [Process::kill, Process::terminate, Process::stop] {
        end(process).unwrap();
    }
}

/// A child that is up when it says so.
fn up(child: &Child, arguments: &str) -> Spec {
    output(child.with(arguments), ".")
}

#[test]
fn stop_lets_a_polite_one_say_goodbye() {
    let polite = child("polite");
    check(up(&polite, "0"), Process::stop, expect!["exit code 0: ok"]);
    check(up(&polite, "20 --code 3"), Process::stop, expect!["exit code 3: ok"]);
    check(up(&polite, "0 --signal SIGINT").stop_signal(Signal::Int), Process::stop, expect!["exit code 0: ok"]);
}

#[test]
fn stop_kills_what_is_deaf() {
    let deaf = child("deaf");
    check(up(&deaf, "").stop_timeout(GRACE), Process::stop, expect!["signal 9 (SIGKILL): ok"]);
    check(
        up(&deaf, "").stop_timeout(GRACE).stop_signal(Signal::Kill),
        Process::stop,
        expect!["signal 9 (SIGKILL): ok"],
    );
}

#[test]
fn terminate_gives_up_on_what_is_deaf() {
    let (deaf, polite) = (child("deaf"), child("polite"));
    check(
        up(&deaf, "").stop_timeout(GRACE),
        Process::terminate,
        expect![[r#"
            still runs: `deaf` is not gone after its stop signal
              spec:   output("'CHILDREN/deaf'", ".")   tests/it/handle/end.rs
              ran:    CHILDREN/deaf   pid N, in N ms
              waited: 300 ms"#]],
    );
    check(up(&polite, ""), Process::terminate, expect!["exit code 0: ok"]);
}

#[test]
fn kill_asks_nobody() {
    let (deaf, polite, sleeper) = (child("deaf"), child("polite"), child("sleeper"));
    check(up(&deaf, "").stop_timeout(GRACE), Process::kill, expect!["signal 9 (SIGKILL): ok"]);
    check(up(&polite, ""), Process::kill, expect!["signal 9 (SIGKILL): ok"]);
    check(up(&sleeper, ""), Process::kill, expect!["signal 9 (SIGKILL): ok"]);
}

#[test]
fn stop_wakes_what_stopped_itself() {
    let stops = child("stops_itself");
    check(up(&stops, ""), Process::stop, expect!["signal 15 (SIGTERM): ok"]);
}

#[test]
fn every_end_reaches_all_descendants() {
    let (forks, daemon, bare) = (child("forks"), child("daemon"), child("daemon_bare"));
    for end in [Process::stop, Process::kill] {
        for spec in [up(&forks, "30 --setsid"), up(&daemon, "").stop_timeout(GRACE), up(&bare, "")] {
            let process = spec.start().unwrap();
            end(&process).unwrap();
            assert_eq!((forks.count(), daemon.count(), bare.count()), (0, 0, 0));
        }
    }
}

#[test]
fn every_end_catches_what_hops() {
    let hopper = child("hopper");
    for end in [Process::stop, Process::kill] {
        let process = up(&hopper, "").stop_timeout(GRACE).start().unwrap();
        end(&process).unwrap();
        assert_eq!((hopper.count(), process.exit().is_some()), (0, true));
    }
}

#[test]
fn stop_tells_of_a_kill_where_grace_is_a_must() {
    let (deaf, polite) = (child("deaf"), child("polite"));
    check(
        up(&deaf, "").stop_timeout(GRACE).must_stop_gracefully(),
        Process::stop,
        expect![[r#"
            signal 9 (SIGKILL): `deaf` had to be killed
              spec:   output("'CHILDREN/deaf'", ".")   tests/it/handle/end.rs
              ran:    CHILDREN/deaf   pid N, in N ms
              why:    it was still there 300 ms after SIGTERM, and it must stop gracefully"#]],
    );
    check(up(&polite, "").must_stop_gracefully(), Process::stop, expect!["exit code 0: ok"]);
    check(up(&deaf, "").stop_timeout(GRACE).must_stop_gracefully(), Process::kill, expect!["signal 9 (SIGKILL): ok"]);
}

#[test]
fn a_signal_is_told_by_its_number() {
    let sleeper = child("sleeper");
    for (signal, expected) in [
        (Signal::Usr1, "signal 10 (SIGUSR1)"),
        (Signal::Number(3), "signal 3 (SIGQUIT)"),
        (Signal::Number(40), "signal 40"),
    ] {
        let process = up(&sleeper, "").start().unwrap();
        process.signal(signal).unwrap();
        let exit = process.wait().unwrap();
        assert_eq!((exit.to_string().as_str(), exit.signal()), (expected, Some(signal.number())));
    }
}

#[test]
fn a_signal_that_is_none_is_an_error() {
    let sleeper = child("sleeper");
    let process = up(&sleeper, "").start().unwrap();
    let error = process.signal(Signal::Number(200)).unwrap_err();
    expect!["cannot send it a signal: `sleeper`: Invalid argument (os error 22)"].assert_eq(&error.to_string());
    process.stop().unwrap();
    let error = process.signal(Signal::Usr1).unwrap_err();
    expect![[r#"
        cannot send it a signal: `sleeper` has ended
          exit:   signal 15 (SIGTERM)"#]]
    .assert_eq(&error.to_string());
    assert!(error.is_state());
}

#[test]
fn wait_waits_for_the_last_descendant() {
    let crash = child("crash_later");
    let process = simple(crash.with("0 --code 3")).start().unwrap();
    assert_eq!(process.try_wait().unwrap(), None);
    assert_eq!(process.wait_timeout(Duration::from_millis(1)).unwrap(), None);
    process.write_stdin("x").unwrap();
    assert_eq!(process.wait_timeout(HANG).unwrap().and_then(|exit| exit.code()), Some(3));
    assert_eq!(process.wait().unwrap().code(), Some(3));
}

#[test]
fn a_leader_that_fails_takes_its_descendants_along() {
    let (forks, sh) = (child("forks"), child("sleeper"));
    let script = format!("{} & {} & read x; exit 7", forks.with("5 --setsid"), sh.with(""));
    let process = simple(pkit_test::sh(script)).start().unwrap();
    process.wait_for_output("forked 5", HANG).unwrap();
    process.wait_for_output("sleeper", HANG).unwrap();
    process.write_stdin("\n").unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(7));
    assert_eq!((forks.count(), sh.count()), (0, 0));
}
