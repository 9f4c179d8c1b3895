//! The bell that a shim rings when there is output: never lost, never inherited, and silent when nobody waits.

use std::time::{Duration, Instant};

use pkit_test::ready::{Output, Tcp};
use pkit_test::{Process, Restart, Supervision, output, sh, simple};

use crate::child::child;

const HANG: Duration = Duration::from_secs(60);

/// How long the races run.
fn race_time() -> Duration {
    let seconds = std::env::var("PKIT_RACE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

#[test]
fn no_line_is_missed_whenever_it_comes() {
    let banner = child("banner");
    let end = Instant::now() + race_time();
    for round in 0_u32.. {
        // At any moment of the start, in one piece or two.
        let spec = output(banner.with(&format!("ready --ms {} --halves {}", round % 4, round % 3)), "^ready$");
        spec.start_timeout(HANG).start().unwrap();
        if Instant::now() >= end {
            break;
        }
    }
}

/// What `/proc` says that a process holds.
fn descriptors(process: &Process) -> Vec<String> {
    let listed = std::fs::read_dir(format!("/proc/{}/fd", process.pid().unwrap())).unwrap();
    let links = listed.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.map(|link| link.display().to_string()).collect()
}

#[test]
fn a_service_does_not_inherit_it() {
    // The shell itself: a program that it executes may still be at its own beginning, and read files there.
    let process = output(sh("echo up; read line"), "up").start().unwrap();
    let held = descriptors(&process);
    assert_eq!(held.len(), 3, "{held:?}");
}

#[test]
fn several_lines_are_waited_for_one_after_the_other() {
    let slow = child("slow");
    let script = format!("echo one; sleep 0.01; echo two >&2; sleep 0.01; echo three; exec {}", slow.with("10 {port}"));
    let probes = [Output::stderr("^two$"), Output::any("^three$"), Output::stdout("^one$")];
    let spec = probes.into_iter().fold(simple(sh(script)), pkit_test::Spec::ready).ready(Tcp::any());
    let process = spec.start().unwrap();
    assert_eq!(process.stdout(), "one\nthree\n");
}

#[test]
fn a_restart_hears_its_own_run() {
    let script = "echo run >> {dir}/runs; echo up $(wc -l < {dir}/runs); read line; exit 1";
    let process = output(sh(script), r"^up \d+$").supervise(Supervision::permanent()).start().unwrap();
    process.restart(Restart::Forced).unwrap();
    assert_eq!(process.stdout(), "up 2\n");
    let before = process.restarts();
    process.write_stdin("\n").unwrap();
    process.wait_restart(before, HANG).unwrap();
    assert_eq!(process.stdout(), "up 3\n");
}

#[test]
fn two_threads_may_wait_for_one_start() {
    let banner = child("banner");
    let process = output(banner.with("ready --ms 30"), "^ready$").spawn().unwrap();
    std::thread::scope(|scope| {
        let waits = [(); 4].map(|()| scope.spawn(|| process.wait_ready()));
        waits.into_iter().for_each(|wait| wait.join().unwrap().unwrap());
    });
}

#[test]
fn a_flood_before_the_line_is_no_hindrance() {
    let process = output(sh("head -c 30000000 /dev/zero; echo; echo up; exec sleep 60"), "^up$").start().unwrap();
    assert!(process.is_alive());
}
