//! What goes wrong with it goes wrong for all who have it, and is told to each.

use std::fs;
use std::thread;
use std::time::Duration;

use expect_test::expect;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pkit_test::{
    Attaching, Executor, Ground, Identity, Process, Publication, Result, Shareable, Spec, bin, orchestra, orchestrate,
    orchestrated, output, sh,
};
use pkit_test_tests::process::signal_process;

use super::run::{run, wait_gone};
use crate::child::{child, wait_until};
use crate::text::normalised;

/// Fails until there is a file, and writes down that it was tried.
fn moody(file: &std::path::Path) -> Spec {
    let script = sh("echo x >>\"$1.tries\"; echo not yet >&2; test -e \"$1\" && echo up && exec sleep 61; exit 3");
    output(script.arg(file.display().to_string()), "up")
}

#[test]
fn a_start_that_fails_fails_all_with_the_same_words() {
    let program = child("sleeper");
    let file = program.file("ready");
    let tries = || fs::read_to_string(program.file("ready.tries")).unwrap().lines().count();
    let error = || moody(&file).shared().start().unwrap_err();
    let first = error();
    assert!(first.is_exit());
    assert_eq!(first.exit().and_then(|exit| exit.code()), Some(3));
    let texts = thread::scope(|threads| {
        let all: Vec<_> = (0..4).map(|_| threads.spawn(|| error().to_string())).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(texts.iter().all(|text| *text == first.to_string()), "{texts:#?}");
    assert_eq!(tries(), 1, "it is not tried again");
    expect![[r#"
        `sh` exited before it was ready
          spec:   output("sh -c 'echo x >>"$1.tries"; echo not yet >&2; test -e "$1" && echo up && exec sleep 61; exit 3' CHILDREN/ready", "up")   tests/it/shared/failures.rs
          ran:    /bin/sh -c 'echo x >>"$1.tries"; echo not yet >&2; test -e "$1" && echo up && exec sleep 61; exit 3' sh CHILDREN/ready   pid N, in N ms
          exit:   exit code 3
          probe:  output matches `up`: no line matches; the last one is "not yet", N tries
          stderr: not yet
          shared: its start by `shared::failures::a_start_that_fails_fails_all_with_the_same_words (process N)` counts for the whole run; only `try_again` starts it once more"#]].assert_eq(&normalised(&first.to_string()));

    fs::write(&file, "").unwrap();
    assert_eq!(error().to_string(), first.to_string());
    let again = moody(&file).shared().try_again().start().unwrap();
    let other = moody(&file).shared().start().unwrap();
    assert_eq!((again.pid(), tries()), (other.pid(), 2));
    // It would hold what the test has made until the run ends.
    drop((again, other));
    let alone = moody(&file).shared().exclusive().start().unwrap();
    alone.kill().unwrap();
}

#[test]
fn of_an_orchestra_that_fails_nothing_is_left() {
    let sleeper = child("sleeper");
    let start = || {
        let up = output(sleeper.with(""), "sleeper");
        let down = output(sh("echo no {up.pid} >&2; exit 3"), "up");
        orchestra().with("up", up).with("down", down).shared().start().unwrap_err()
    };
    let error = start();
    assert_eq!(sleeper.count(), 0);
    assert!(error.to_string().starts_with("`stack.down` exited before it was ready\n"), "{error}");
    assert_eq!(start().to_string(), error.to_string());
}

/// One that cannot even say that it failed.
#[derive(Clone)]
struct Panics;

impl Executor for Panics {
    type Handle = Process;

    fn start_on(self, _: &Ground) -> Result<Process> {
        panic!("no idea")
    }
}

impl Shareable for Panics {
    fn identify(&self, _: &mut Identity) {}

    fn publish(process: &Process, publication: &mut Publication) {
        publication.process(process);
    }

    fn attach(self, _: &mut Attaching<'_>) -> Result<Process> {
        panic!("nobody comes so far")
    }
}

#[test]
fn an_executor_that_panics_fails_all() {
    let texts = [(), ()].map(|()| Panics.shared().start().unwrap_err().to_string());
    assert!(texts[0].starts_with("the executor of `panics` panicked while it started: no idea\n"), "{}", texts[0]);
    assert_eq!(texts[0], texts[1]);
}

/// Nobody waits for it who has failed already, and it is no failure of its own.
#[test]
fn a_start_is_given_up_with_the_stack_around_it() {
    let program = child("sleeper");
    let [fifo, begun] = ["never", "never.begun"].map(|name| program.file(name));
    [&fifo, &begun].into_iter().for_each(|fifo| mkfifo(fifo, Mode::S_IRWXU).unwrap());
    let path = fifo.display().to_string();
    let broken = output(sh("cat \"$1.begun\" >&2; exit 3").arg(path.clone()), "never");
    let script = move || sh("echo begun >\"$1.begun\"; cat \"$1\"; echo up; exec sleep 60").arg(path.clone());
    let slow = move || output(script(), "up").shared();
    let error = orchestra().with("slow", slow()).with("broken", broken).start().unwrap_err().to_string();
    assert!(error.starts_with("`broken` exited before it was ready\n"), "{error}");

    let next = thread::spawn(move || slow().exclusive().start().unwrap());
    assert_eq!(fs::read_to_string(&begun).unwrap(), "begun\n");
    // Blocks until somebody reads it.
    fs::write(&fifo, "").unwrap();
    next.join().unwrap().kill().unwrap();
}

/// Whoever waits for it takes it over.
#[test]
fn the_death_of_who_starts_it_is_no_failure() {
    let run = run();
    let victim = run.victim("shared::starts_slowly").with("sleeper");
    let (fifo, tries) = (victim.file("go"), victim.file("go.tries"));
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let victim = victim.env("PKIT_TEST_FIFO", &fifo.display().to_string());
    let (mut starter, _output) = victim.spawned_until("starts");
    wait_until(|| tries.exists());
    let (next, _next_output) = victim.spawned_until("starts");
    starter.kill().unwrap();
    starter.wait().unwrap();
    wait_until(|| fs::read_to_string(&tries).unwrap().lines().count() == 2);
    fs::write(&fifo, "").unwrap();
    let ended = next.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert_eq!(fs::read_to_string(&tries).unwrap().lines().count(), 2);
    run.leaves_nothing_of(&victim, &[]);
}

fn sleeper(of: &str) -> Spec {
    output(bin!("sleeper"), "sleeper").env("FOR", of)
}

#[test]
fn what_dies_in_mid_run_fails_who_has_it_and_is_started_for_the_next() {
    let mut pids = Vec::new();
    let error = orchestrated([("db", sleeper("dies").shared())], |stack| {
        let pid = stack["db"].pid().unwrap();
        pids.push(pid);
        signal_process(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        assert_eq!(stack["db"].wait().unwrap().signal(), Some(9));
    });
    let error = error.unwrap_err();
    assert!(error.is_exit());
    expect![[r#"
        `db` ended during the test, and nobody asked it to
          spec:   output("sleeper", "sleeper")   tests/it/shared/failures.rs
          ran:    TARGET/sleeper   pid N, in N ms
          shared: with other tests of this run
          exit:   signal 9 (SIGKILL)
          output: none"#]]
    .assert_eq(&normalised(&error.to_string()));
    let next = sleeper("dies").shared().start().unwrap();
    assert!(next.is_alive());
    assert_ne!(next.pid(), Some(pids[0]));
    wait_gone(pids[0]);
}

/// All of it goes, and comes again.
#[test]
fn the_end_of_one_member_is_the_end_of_all_of_them() {
    let start = || orchestrate([("a", sleeper("member a")), ("b", sleeper("member b"))]).shared().start().unwrap();
    let stack = start();
    let before = ["a", "b"].map(|name| stack[name].pid().unwrap());
    signal_process(before[0], nix::sys::signal::Signal::SIGKILL).unwrap();
    let ends = |process: &Process| process.wait_timeout(Duration::from_secs(60)).unwrap().is_some();
    assert!(ends(&stack["a"]) && ends(&stack["b"]), "who holds it hears of both");
    let next = start();
    let after = ["a", "b"].map(|name| next[name].pid().unwrap());
    assert!(before.iter().all(|pid| !after.contains(pid)), "{before:?} {after:?}");
}

#[test]
fn a_function_that_panics_is_run_anew() {
    fn unlucky() {
        panic!("out of luck in process {}", std::process::id());
    }
    let start = || pkit_test::function(unlucky, ()).shared().start().unwrap();
    let words = || start().join().unwrap_err().message().to_owned();
    let (one, other) = (words(), words());
    assert!(one.starts_with("out of luck in process "), "{one}");
    assert_ne!(one, other);
}
