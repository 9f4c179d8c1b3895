//! The ends of tests whose processes are supervised; and that supervision costs nothing while nothing happens.

use std::fs;

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test::{Supervision, orchestrated, output, simple};
use pkit_test_tests::private::wait_gone;
use pkit_test_tests::process::{children, cpu_ticks};

use super::{LONG, MS, moody};
use crate::alone::alone;
use crate::child::{HANG, child, wait_until};
use crate::nested::{Victim, victim};

fn sleeping(name: &'static str) -> Victim {
    victim(name).with("sleeper").with("slow")
}

#[test]
fn what_loses_its_guardian_or_its_shim_comes_back() {
    sleeping("supervised::the_guardian_is_killed").passes();
    sleeping("supervised::a_shim_is_killed").passes();
}

#[test]
fn a_fork_has_no_supervisor_and_needs_none() {
    sleeping("supervised::a_fork_that_drops_everything_ends_nothing").passes();
}

#[test]
fn what_is_never_dropped_ends_with_the_test() {
    sleeping("supervised::keeps_its_handle_in_a_static").passes();
}

#[test]
fn a_supervised_process_can_be_kept() {
    for name in ["supervised::fails_after_a_restart", "supervised::fails_after_a_restart_of_its_own_handle"] {
        let victim = sleeping(name).env("PKIT_KEEP", "failed");
        let ended = victim.run();
        assert_eq!(victim.count("sleeper"), 1, "{}", ended.text());
        kill_kept(&victim, &format!("{}{}", ended.stdout, ended.stderr));
        victim.is_gone(&ended);
    }
}

#[test]
fn one_that_is_just_coming_back_may_be_kept_or_not() {
    let victim = sleeping("supervised::fails_in_the_middle_of_a_restart").env("PKIT_KEEP", "failed");
    let ended = victim.run();
    assert!((1..=2).contains(&victim.count("sleeper")), "{}", ended.text());
    kill_kept(&victim, &format!("{}{}", ended.stdout, ended.stderr));
    victim.is_gone(&ended);
}

#[test]
fn what_its_supervisor_is_about_to_stop_is_not_said_to_stay_up() {
    let victim = victim("supervised::fails_while_its_supervisor_stops_another").with("sleeper").with("polite");
    let victim = victim.env("PKIT_KEEP", "failed");
    let ended = victim.run();
    assert_eq!((victim.count("polite"), ended.text().contains("`two` stays up")), (0, false), "{}", ended.text());
    victim.is_gone(&ended);
}

fn kill_kept(victim: &Victim, text: &str) {
    let (_, rest) = text.split_once("`kill ").unwrap_or_else(|| panic!("it does not say how to end it: {text}"));
    let guardian = Pid::from_raw(rest.split_once('`').unwrap().0.parse().unwrap());
    kill(guardian, Signal::SIGTERM).unwrap();
    let _ = wait_gone(victim.binary(), HANG);
}

#[test]
fn a_crash_loop_fails_the_test_with_its_history() {
    victim("supervised::crashes_too_often").with("moody").fails(expect![[r#"
        --- `worker` ended: exit code 1; it is supervised
        --- `worker`: exit code 1, all it wrote (CHILDREN/pkit/PID.1-worker.4.log)
        no luck in run 4
        --- 1 process in T
        name  run  state  pid  started  ready after  ended  exit
        worker  1  died  N  T  T  T  exit code 1
          2  failed  N  T  -  T  exit code 1
          3  failed  N  T  -  T  exit code 1
          4  failed  N  T  -  T  exit code 1
          |T  |T  T|
        worker  SRXSFSFSF
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        victims::supervised::crashes_too_often panicked at tests/it/victims/supervised.rs:
        `worker` was given up: it may be started again 3 times in 3600 s
          runs:   after N ms: `worker` ended: exit code 1
                  after N ms: `worker` ended: exit code 1
                  after N ms: `worker` exited before it was ready
                  after N ms: `worker` ended: exit code 1
                  after N ms: `worker` exited before it was ready
                  after N ms: `worker` ended: exit code 1
                  after N ms: `worker` exited before it was ready
          spec:   output("'CHILDREN/moody' '{dir}/moods' ux", "up")   tests/it/victims/supervised.rs
          ran:    CHILDREN/moody DIRS/worker-1/moods ux   pid N, in N ms
          exit:   exit code 1
          stderr: no luck in run 4
        `worker` exited before it was ready
          spec:   output("'CHILDREN/moody' '{dir}/moods' ux", "up")   tests/it/victims/supervised.rs
          ran:    CHILDREN/moody DIRS/worker-1/moods ux   pid N, in N ms
          exit:   exit code 1
          probe:  output matches `up`: no line matches; the last one is "no luck in run 4", N tries
          stderr: no luck in run 4"#]]);
}

#[test]
fn covered_crashes_are_noted_when_the_test_fails_anyway() {
    victim("supervised::crashes_now_and_then_and_fails_by_itself").with("moody").fails(expect![[r#"
        victims::supervised::crashes_now_and_then_and_fails_by_itself panicked at tests/it/victims/supervised.rs:
        what the body says
        --- `worker` ended: exit code 1; it is supervised
        --- `worker`: all it wrote (CHILDREN/pkit/PID.1-worker.2.log)
        up 2
        --- 1 process in T
        name  run  state  pid  started  ready after  ended  exit
        worker  1  died  N  T  T  T  exit code 1
          2  ended  N  T  T  T  signal 15 (SIGTERM)
          |T  |T  T|
        worker  SRXSRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more"#]]);
}

/// Times that the kernel has put the thread of that name to sleep and woken it, and the time that it has used.
fn use_of(thread: &str) -> (Vec<String>, String) {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path());
    let mut found = tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == thread));
    let task = found.next().unwrap_or_else(|| panic!("there is no thread {thread}"));
    assert!(found.next().is_none(), "there are two");
    let status = fs::read_to_string(task.join("status")).unwrap();
    let switches = status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect();
    (switches, fs::read_to_string(task.join("schedstat")).unwrap())
}

#[test]
fn an_idle_supervisor_does_nothing() {
    alone(|| {
        let sleeper = child("sleeper");
        let spec = || output(sleeper.with(""), "sleeper").supervise(Supervision::permanent());
        orchestrated([("a", spec()), ("b", spec())], |stack| {
            stack["a"].signal(pkit_test::Signal::Kill).unwrap();
            stack["a"].wait_restart(0, HANG).unwrap();
            // It goes to sleep some time, and then lets 200 ms pass.
            wait_until(|| {
                let before = use_of("pkit-supervise");
                simple("sleep 0.2").start().unwrap().wait().unwrap();
                use_of("pkit-supervise") == before
            });
        })
        .unwrap();
    });
}

#[test]
fn nobody_is_there_where_nothing_is_supervised() {
    alone(|| {
        let sleeper = child("sleeper");
        let spec = output(sleeper.with(""), "sleeper").supervise(Supervision::temporary());
        let _one = spec.clone().start().unwrap();
        let _stack = pkit_test::orchestrate([("a", spec)]).start().unwrap();
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        // One that ends at this moment has no name any more.
        let names: Vec<String> = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).collect();
        assert!(!names.iter().any(|name| name.trim() == "pkit-supervise"), "{names:?}");
    });
}

#[test]
fn a_crash_loop_spins_neither_here_nor_in_the_guardian() {
    const RUNS: u64 = 30;
    alone(|| {
        let moody = moody();
        let quickly = Supervision::permanent().intensity(RUNS as u32 - 1, LONG).backoff(MS, MS);
        let process = simple(moody.child.with(&format!("'{}' x", moody.file.display()))).supervise(quickly);
        let process = process.start().unwrap();
        assert!(process.wait_restart(u32::MAX, HANG).unwrap_err().is_exit());
        assert_eq!((moody.runs(), process.restarts()), (RUNS, RUNS as u32 - 1));
        let guardian = children(std::process::id())[0];
        // A spinning one uses all of the time: hundreds of ticks, of which a run that is started and ended costs less than
        // one.
        let ticks = cpu_ticks(guardian).unwrap();
        assert!(ticks <= RUNS, "{ticks} ticks");
    });
}
