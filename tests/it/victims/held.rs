//! Tests that share something in a run of their own.

use std::fs;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use expect_test::{Expect, expect};
use nix::sys::signal::{Signal as Kill, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use pkit_test::{
    Process, ProcessRecord, Restart, Result, Shared, Signal, Spec, Supervision, function, orchestra, orchestrated,
    output, processes, sh, simple, with_processes,
};
use pkit_test_tests::process::children;

use super::chosen::is_chosen;
use crate::child::{HANG, wait_until};
use crate::text::normalised;

/// Does what it is told, a line at a time, by whoever knows where it is.
fn obedient() -> Spec {
    let script = r#"mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done"#;
    output(sh(script), "^up$")
}

fn shared() -> Shared<Spec> {
    obedient().shared()
}

fn tell(process: &Process, what: &str) {
    fs::write(process.dir().join("in"), format!("{what}\n")).unwrap();
}

fn says(process: &Process, what: &str) {
    tell(process, &format!("echo {what}"));
    process.wait_for_output(format!("^{what}$"), HANG).unwrap();
}

#[track_caller]
fn refuses<T>(result: Result<T>, expected: Expect) {
    let error = result.err().expect("it is refused");
    assert!(error.is_shared(), "{error}");
    expected.assert_eq(&normalised(&error.to_string()));
}

#[test]
fn is_refused() {
    if !is_chosen() {
        return;
    }
    let db = shared().start().unwrap();
    let pid = db.pid();
    refuses(
        db.stop(),
        expect![[r#"
        cannot stop it: `sh` is shared with other tests of this run, which would feel it
          spec:   output("sh -c 'mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done'", "^up$")   tests/it/victims/held.rs
          hint:   `.shared().exclusive()` waits until no other test has it, and keeps them out meanwhile"#]],
    );
    refuses(
        db.kill(),
        expect![[r#"
        cannot kill it: `sh` is shared with other tests of this run, which would feel it
          spec:   output("sh -c 'mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done'", "^up$")   tests/it/victims/held.rs
          hint:   `.shared().exclusive()` waits until no other test has it, and keeps them out meanwhile"#]],
    );
    let others = [
        db.terminate(),
        db.start(),
        db.restart(Restart::Forced),
        db.replace(obedient()),
        db.signal(Signal::Hup),
        db.signal(Signal::Kill),
        db.pause(),
        db.resume(),
        db.write_stdin("x"),
        db.close_stdin(),
    ];
    let titles = others.map(|result| {
        let error = result.unwrap_err();
        assert!(error.is_shared(), "{error}");
        error.to_string().lines().next().unwrap().to_owned()
    });
    expect![[r#"
        cannot terminate it: `sh` is shared with other tests of this run, which would feel it
        cannot start it: `sh` is shared with other tests of this run, which would feel it
        cannot restart it: `sh` is shared with other tests of this run, which would feel it
        cannot replace it: `sh` is shared with other tests of this run, which would feel it
        cannot send it a signal: `sh` is shared with other tests of this run, which would feel it
        cannot send it a signal: `sh` is shared with other tests of this run, which would feel it
        cannot pause it: `sh` is shared with other tests of this run, which would feel it
        cannot resume it: `sh` is shared with other tests of this run, which would feel it
        cannot write to its standard input: `sh` is shared with other tests of this run, which would feel it
        cannot close its standard input: `sh` is shared with other tests of this run, which would feel it"#]]
    .assert_eq(&titles.join("\n"));
    says(&db, "unharmed");
    assert_eq!((db.pid(), db.is_alive()), (pid, true));
}

#[test]
fn a_stack_with_one_is_refused() {
    if !is_chosen() {
        return;
    }
    let stack = orchestra().with("db", shared()).with("api", simple("sleep 60").after("db")).start().unwrap();
    let pids = || (stack["db"].pid(), stack["api"].pid());
    let before = pids();
    refuses(
        stack.stop(),
        expect![[r#"
        cannot stop it: `db` is shared with other tests of this run, which would feel it
          spec:   output("sh -c 'mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done'", "^up$")   tests/it/victims/held.rs
          hint:   `.shared().exclusive()` waits until no other test has it, and keeps them out meanwhile"#]],
    );
    refuses(
        stack.member("db").restart(Restart::Graceful),
        expect![[r#"
        cannot stop it: `db` is shared with other tests of this run, which would feel it
          spec:   output("sh -c 'mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done'", "^up$")   tests/it/victims/held.rs
          hint:   `.shared().exclusive()` waits until no other test has it, and keeps them out meanwhile"#]],
    );
    refuses(
        stack.stopped(|| ()),
        expect![[r#"
        cannot stop it: `db` is shared with other tests of this run, which would feel it
          spec:   output("sh -c 'mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done'", "^up$")   tests/it/victims/held.rs
          hint:   `.shared().exclusive()` waits until no other test has it, and keeps them out meanwhile"#]],
    );
    assert_eq!(pids(), before, "before any of them was touched");
    stack.member("api").restart(Restart::Graceful).unwrap();
    assert_eq!(pids().0, before.0);
    assert_ne!(pids().1, before.1);
}

#[test]
fn is_dropped() {
    if !is_chosen() {
        return;
    }
    let one = shared().start().unwrap();
    let pid = one.pid();
    let other = shared().start().unwrap();
    drop(one);
    says(&other, "still here");
    drop(other);
    let again = shared().start().unwrap();
    assert_eq!((again.pid(), again.is_alive()), (pid, true));
    let log = again.log_path();
    drop(again);
    assert!(log.exists(), "what it has written is for others as well");
    orchestrated([("db", shared())], |stack| assert_eq!(stack["db"].pid(), pid)).unwrap();
    assert!(log.exists());
}

#[test]
fn is_dropped_in_a_fork() {
    if !is_chosen() {
        return;
    }
    let db = shared().start().unwrap();
    // SAFETY: as in `lost`: the child uses no lock that another thread of ours holds.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop(db);
            process::exit(3);
        }
        ForkResult::Parent { child } => assert!(matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 3)))),
    }
    says(&db, "here");
    let other = shared().start().unwrap();
    assert_eq!((db.slot(), other.slot()), (Some(0), Some(1)));
}

#[test]
fn is_seen_through_holes() {
    if !is_chosen() {
        return;
    }
    let server = || output(sh("echo up {port}; exec sleep 60"), "^up").shared();
    let first = server().start().unwrap();
    let asks = "{db.addr} {db.port} {db.host} {db.url} {db.slot} {db.pid} {db.dir}";
    let api = simple(format!("echo {asks}")).may_exit();
    let stack = orchestra().with("api", api).with("db", server()).start().unwrap();
    stack["api"].wait().unwrap();
    let (addr, port, pid) = (first.addr(), first.port(), first.pid().unwrap());
    let dir = first.dir().display();
    assert_eq!(stack["api"].stdout(), format!("{addr} {port} 127.0.0.1 http://{addr} 1 {pid} {dir}\n"));
    assert_eq!((first.slot(), stack["db"].slot(), stack["api"].slot()), (Some(0), Some(1), None));
    assert_eq!(first.stdout(), format!("up {port}\n"));
}

#[test]
fn is_waited_for_by_several() {
    if !is_chosen() {
        return;
    }
    let all: Vec<Process> = (0..4).map(|_| shared().start().unwrap()).collect();
    thread::scope(|threads| {
        for db in &all {
            threads.spawn(|| {
                let one = db.wait_for_output("^one$", HANG).unwrap();
                let two = db.wait_for_output_after(&one, "^(t)wo$", HANG).unwrap();
                assert_eq!(two.group(1), Some("t"));
                assert!(db.wait_for_output("never", std::time::Duration::from_millis(20)).unwrap_err().is_timeout());
            });
        }
        tell(&all[0], "echo one; echo two");
    });
    let late = shared().start().unwrap();
    assert_eq!(late.stdout(), "up\none\ntwo\n", "all of the run");
    assert!(late.wait_for_output("^one$", HANG).is_ok());
}

#[test]
fn is_had_alone() {
    if !is_chosen() {
        return;
    }
    let before = shared().start().unwrap();
    let (pid, dir, log) = (before.pid(), before.dir().to_owned(), before.log_path());
    drop(before);
    let alone = shared().exclusive().start().unwrap();
    assert_eq!(alone.pid(), pid);
    alone.pause().unwrap();
    alone.resume().unwrap();
    alone.signal(Signal::Cont).unwrap();
    alone.stop().unwrap();
    assert!(!alone.is_alive());
    fs::remove_file(dir.join("in")).unwrap();
    alone.start().unwrap();
    assert_eq!((alone.restarts(), alone.dir()), (1, &*dir));
    let again = alone.pid();
    assert_ne!(again, pid);
    drop(alone);

    let after = shared().start().unwrap();
    assert_eq!((after.pid(), after.restarts(), after.slot()), (again, 1, Some(0)));
    assert_ne!(after.log_path(), log);
    says(&after, "as good as new");
    drop(after);

    // What is left stopped is started anew, of which nobody sees more.
    shared().exclusive().start().unwrap().kill().unwrap();
    let anew = shared().start().unwrap();
    assert!(![pid, again].contains(&anew.pid()) && anew.is_alive());
    assert_eq!(anew.restarts(), 0);
}

#[test]
fn is_replaced() {
    if !is_chosen() {
        return;
    }
    let alone = shared().exclusive().start().unwrap();
    alone.replace(output(sh("echo another; exec sleep 60"), "another")).unwrap();
    let pid = alone.pid();
    drop(alone);
    let after = shared().start().unwrap();
    assert_ne!(after.pid(), pid);
    says(&after, "the right one");
}

fn answer(calls: u32) -> u32 {
    assert!(calls != 13, "thirteen calls");
    calls + 1
}

#[test]
fn is_a_function() {
    if !is_chosen() {
        return;
    }
    let worker = || function(answer, 41).shared();
    let (one, other) = (worker().start().unwrap(), worker().start().unwrap());
    assert_eq!((one.join().unwrap(), other.join().unwrap()), (42, 42));
    drop((one, other));
    let late = worker().start().unwrap();
    assert_eq!((late.join().unwrap(), late.restarts()), (42, 0), "it was done once");

    let unlucky = function(answer, 13).shared().start().unwrap();
    let failure = unlucky.join().unwrap_err();
    assert!(failure.to_string().contains("thirteen calls"), "{failure}");
}

/// The names of the threads of this process.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let mut names: Vec<String> = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect();
    names.sort();
    names
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn leaves_nothing_in_the_test() {
    if !is_chosen() {
        return;
    }
    drop(shared().start().unwrap());
    wait_until(|| !threads().iter().any(|name| name == "pkit-events"));
    let (threads_before, before) = (threads(), descriptors());
    for _ in 0..5 {
        let all: Vec<Process> = (0..3).map(|_| shared().start().unwrap()).collect();
        says(&all[0], "x");
        assert!(threads().len() > threads_before.len() && descriptors() > before);
    }
    wait_until(|| threads() == threads_before && descriptors() == before);
    // The broker is a child of this process, which has started it; a guardian of its own it never had.
    let names: Vec<String> = children(process::id()).into_iter().map(name_of).collect();
    assert_eq!(names, ["pkit-broker"]);
}

fn name_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// Among the descendants of the broker, the first of that name.
fn guardian() -> Pid {
    let all = children(broker().as_raw().unsigned_abs());
    let found = all.into_iter().find(|pid| name_of(*pid) == "pkit-guardian").expect("there is one");
    Pid::from_raw(found.try_into().unwrap())
}

#[with_processes(db = if is_chosen() { shared() } else { simple("sleep 60").shared_as("never") })]
#[test]
fn loses_its_guardian(db: &Process) {
    if is_chosen() {
        kill(guardian(), Kill::SIGKILL).unwrap();
        assert!(db.wait().unwrap_err().is_guardian_lost());
        let next = shared().start().unwrap();
        says(&next, "another one");
    }
}

#[with_processes(db = if is_chosen() { shared().exclusive() } else { simple("sleep 60").shared_as("never") })]
#[test]
fn is_let_go_early(db: Process) {
    if is_chosen() {
        let pid = db.pid();
        drop(db);
        let other = thread::spawn(|| shared().start().unwrap()).join().unwrap();
        assert_eq!((other.pid(), other.slot()), (pid, Some(0)));
    }
}

#[test]
fn is_in_the_environment_of_the_run() {
    if !is_chosen() {
        return;
    }
    // The runner of this test has no such variable, and the test has.
    let tells = || output(sh("echo run ${PKIT_RUN_ID:-none}; exec sleep 60"), "^run");
    assert_eq!(tells().start().unwrap().stdout(), "run own\n");
    let db = tells().shared().start().unwrap();
    assert_eq!(db.stdout(), "run none\n");
    drop(db);
    let alone = tells().shared().exclusive().start().unwrap();
    alone.restart(Restart::Forced).unwrap();
    assert_eq!(alone.stdout(), "run none\n");
    let error = simple("echo {env.PKIT_RUN_ID}").shared().start().unwrap_err();
    assert!(error.to_string().contains("the variable `PKIT_RUN_ID` is not set"), "{error}");
}

#[test]
fn calls_back() {
    if !is_chosen() {
        return;
    }
    let [starts, exits] = [Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0))];
    let counted = || {
        let (starts, exits) = (Arc::clone(&starts), Arc::clone(&exits));
        let spec = obedient().on_start(move |_| _ = starts.fetch_add(1, Ordering::SeqCst));
        spec.on_exit(move |db, exit| {
            assert_eq!((exit.code(), db.is_alive()), (Some(3), false));
            exits.fetch_add(1, Ordering::SeqCst);
        })
    };
    let all: Vec<Process> = (0..3).map(|_| counted().shared_as("counted").start().unwrap()).collect();
    assert_eq!(starts.load(Ordering::SeqCst), 1);
    tell(&all[0], "exit 3");
    all.iter().for_each(|db| assert_eq!(db.wait().unwrap().code(), Some(3)));
    wait_until(|| exits.load(Ordering::SeqCst) == 3);
    let died = all[0].pid();
    drop(all);
    let next = counted().shared_as("counted").start().unwrap();
    assert!(next.is_alive() && next.pid() != died, "it is started again for the next one");
    assert_eq!((starts.load(Ordering::SeqCst), exits.load(Ordering::SeqCst)), (2, 3));
}

#[test]
fn is_in_the_record() {
    if !is_chosen() {
        return;
    }
    let db = shared().start().unwrap();
    let own = simple("sleep 60").start().unwrap();
    let all = processes();
    assert_eq!(all.iter().map(ProcessRecord::is_shared).collect::<Vec<_>>(), [true, false]);
    assert_eq!((all[0].pid(), all[1].pid()), (db.pid(), own.pid()));
    assert!(all[0].ready().is_some());
    drop(db);
    assert_eq!((processes().len(), processes()[0].ended()), (2, None), "it goes on");
}

#[test]
fn is_in_a_scope() {
    if !is_chosen() {
        return;
    }
    let pid = orchestrated([("db", shared())], |stack| stack["db"].pid()).unwrap();
    assert_eq!(shared().start().unwrap().pid(), pid);
}

#[with_processes(db = if is_chosen() { shared() } else { simple("sleep 60").shared_as("never") })]
async fn future(db: Process) -> (Option<u32>, Option<u32>) {
    (db.pid(), db.slot())
}

#[test]
fn is_in_a_future() {
    if !is_chosen() {
        return;
    }
    let first = shared().start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(future()), (first.pid(), Some(1)));
    assert!(first.is_alive());
}

#[test]
fn is_beside_what_is_supervised() {
    if !is_chosen() {
        return;
    }
    let api = simple("sleep 60").after("db").supervise(Supervision::permanent());
    let strategy = pkit_test::Strategy::OneForAll;
    let stack = orchestra().with("db", shared()).with("api", api).strategy(strategy).start().unwrap();
    let pid = stack["db"].pid();
    let before = stack["api"].restarts();
    stack["api"].signal(Signal::Kill).unwrap();
    stack["api"].wait_restart(before, HANG).unwrap();
    assert_eq!((stack["db"].pid(), stack["db"].is_alive()), (pid, true));
}

#[with_processes(db = if is_chosen() { shared() } else { simple("sleep 60").shared_as("never") })]
#[test]
fn dies(db: &Process) {
    if is_chosen() {
        says(db, "before");
        tell(db, "echo no more >&2; exit 3");
        db.wait().unwrap();
    }
}

#[test]
fn fails_after_another() {
    if !is_chosen() {
        return;
    }
    let other = shared().start().unwrap();
    says(&other, "of another test");
    drop(other);
    let db = shared().start().unwrap();
    says(&db, "of this test");
    panic!("no luck");
}

/// The broker is what the first shared thing of this process has started.
pub(super) fn broker() -> Pid {
    let all = children(process::id());
    let found = all.into_iter().find(|pid| name_of(*pid) == "pkit-broker").expect("there is one");
    Pid::from_raw(found.try_into().unwrap())
}

#[with_processes(db = if is_chosen() { shared() } else { simple("sleep 60").shared_as("never") })]
#[test]
fn loses_the_broker(db: &Process) {
    if is_chosen() {
        kill(broker(), Kill::SIGKILL).unwrap();
        assert!(db.wait().unwrap_err().is_guardian_lost());
        let pid = db.pid();
        assert_eq!(pid, None);
    }
}

#[test]
fn is_kept() {
    if is_chosen() {
        drop(shared().start().unwrap());
    }
}
