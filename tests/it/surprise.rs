//! What came first, the end or the order to end? And what a process does to whoever looks at it.

use std::time::Duration;

use pkit_test::{Signal, orchestrated, output, sh, simple};
use pkit_test_tests::process::stat;

use crate::child::HANG;

/// How often a race is run.
const ROUNDS: usize = 30;

/// Whether a process is a zombie or gone: it has ended, and nobody needs to have been told yet.
fn has_ended(pid: u32) -> bool {
    stat(pid).is_none_or(|stat| matches!(stat.state, 'Z' | 'X'))
}

#[test]
fn a_crash_right_before_the_end_is_seen() {
    for _ in 0..ROUNDS {
        let error = orchestrated([("worker", simple("sh -c 'read line; kill -SEGV $$'"))], |stack| {
            let worker = &stack["worker"];
            let pid = worker.pid().unwrap();
            worker.write_stdin("now\n").unwrap();
            while !has_ended(pid) {
                std::thread::yield_now();
            }
        });
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("`worker` ended during the test, and nobody asked it to"), "{text}");
    }
}

#[test]
fn a_hangup_that_is_taken_for_a_reload_pardons_no_crash() {
    // A `read` that the trap interrupts fails, and is read again.
    let script = sh("trap 'echo reloaded' HUP; echo up; while :; do read line && [ \"$line\" = die ] && exit 9; done");
    let error = orchestrated([("worker", output(script, "^up$"))], |stack| {
        let worker = &stack["worker"];
        worker.signal(Signal::Hup).unwrap();
        worker.write_stdin("go on\n").unwrap();
        worker.wait_for_output("^reloaded$", HANG).unwrap();
        worker.write_stdin("die\n").unwrap();
        worker.wait().unwrap();
    });
    assert_eq!(error.unwrap_err().exit().and_then(|exit| exit.code()), Some(9));
}

#[test]
fn a_flood_does_not_move_the_deadline() {
    let error = output("yes", "^never$").start_timeout(Duration::from_millis(300)).start().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let yes = simple("yes").start().unwrap();
    assert!(yes.wait_for_output("^never$", Duration::from_millis(100)).unwrap_err().is_timeout());
}

#[test]
fn a_limit_on_files_costs_output_and_not_the_service() {
    let script = sh("ulimit -f 1; exec \"$0\" -c 'yes | head -c 3000000; echo done >&2; cat'");
    let service = simple(script).start().unwrap();
    service.close_stdin().unwrap();
    assert!(service.wait().unwrap().success());
}
