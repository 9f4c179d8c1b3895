//! The same ends under `cargo nextest run`: nothing left, no LEAK, and every test ends as it should.

use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::time::Instant;

use nix::sys::signal::Signal;
use pkit_test_tests::child::wait_ms;
use pkit_test_tests::left_out;
use pkit_test_tests::private::Private;
use pkit_test_tests::process::signal_process;

use crate::cell::{HANG, describe, gone};
use crate::children::Child;
use crate::matrix::{Outcome, is_wanted, loops};
use crate::project::{Project, clean, project, target_directory};
use crate::table::{Row, show};

/// What nextest says of each test: the whole word, so that `FAIL + LEAK` or `LEAK-FAIL` is something else.
const VERDICTS: &[(&str, &str)] = &[
    ("returns", "PASS"),
    ("returns_an_error", "FAIL"),
    ("panics", "FAIL"),
    ("panics_with_handles_of_its_own", "FAIL"),
    ("exits", "FAIL"),
    ("exits_while_it_starts", "FAIL"),
    ("executes_another_program", "PASS"),
    ("forks_and_returns", "PASS"),
    ("forks_and_is_killed", "SIGKILL"),
    ("dies_of::sighup", "SIGHUP"),
    ("dies_of::sigquit", "SIGQUIT"),
    ("dies_of::sigpipe", "SIGPIPE"),
    ("dies_of::sigalrm", "SIGALRM"),
    ("dies_of::sigusr1", "ABORT SIG 10"),
    ("dies_of::sigxcpu", "ABORT SIG 24"),
    ("dies_of::sigbus", "ABORT SIG 7"),
    ("aborts", "SIGABRT"),
    ("overflows_its_stack", "SIGABRT"),
    ("panics_while_it_panics", "SIGABRT"),
    ("segfaults", "SIGSEGV"),
    ("kills_itself", "SIGKILL"),
    ("terminates_itself", "SIGTERM"),
    ("is_interrupted_with_its_group", "SIGINT"),
    ("is_killed_with_its_group", "SIGKILL"),
    ("hangs", "TIMEOUT"),
    ("is_abandoned_by_its_timeout", "FAIL"),
    ("is_abandoned_with_its_parameters", "FAIL"),
    ("is_dropped_by_its_timeout", "FAIL"),
    ("keeps_a_fixture_that_is_made_once", "PASS"),
    ("is_killed_with_a_fixture_that_is_made_once", "SIGKILL"),
    ("returns_in_a_runtime", "PASS"),
    ("panics_in_a_runtime", "FAIL"),
    ("panics_in_a_task", "FAIL"),
    ("leaves_a_task_behind", "PASS"),
    ("exits_in_a_runtime", "FAIL"),
    ("aborts_in_a_runtime", "SIGABRT"),
    ("is_killed_in_a_runtime", "SIGKILL"),
    ("keeps_handles_in_a_static", "PASS"),
    ("forgets_handles", "PASS"),
    ("forgets_parameters", "PASS"),
    ("goes_on_without_its_guardian", "PASS"),
    ("dies_after_its_guardian", "SIGKILL"),
    ("goes_on_without_shims", "PASS"),
    ("dies_after_its_shims", "SIGKILL"),
    ("goes_on_without_one_shim", "PASS"),
    ("dies_after_one_shim", "SIGKILL"),
    ("orchestrated::returns", "PASS"),
    ("orchestrated::returns_early", "FAIL"),
    ("orchestrated::panics", "FAIL"),
    ("orchestrated::panics_while_a_member_is_down", "FAIL"),
    ("orchestrated::exits", "FAIL"),
    ("orchestrated::kills_itself", "SIGKILL"),
    ("orchestrated::forgets_the_stack", "PASS"),
    ("orchestrated::returns_while_all_are_restarted", "PASS"),
    ("orchestrated::panics_while_all_are_restarted", "FAIL"),
    ("orchestrated::kills_itself_while_all_are_restarted", "SIGKILL"),
    ("orchestrated::comes_back_without_its_guardian", "PASS"),
];

/// One row for a whole run with each child.
pub(crate) fn check_tests(children: &[Child]) {
    if is_there() {
        show("nextest", &each(children, "nextest: all ends", |child| run_all(project(), child)));
    }
}

/// One row for each way to end a runner.
pub(crate) fn check_ends(children: &[Child]) {
    if is_there() {
        let rows_of =
            |(name, signal): &(&str, Signal)| each(children, name, |child| end_runner(project(), child, *signal));
        show("nextest itself", &RUNNER_ENDS.iter().flat_map(rows_of).collect::<Vec<_>>());
    }
}

fn is_there() -> bool {
    let is_there = Command::new("cargo-nextest").arg("--version").output().is_ok();
    if !is_there {
        left_out::because("cargo-nextest is not installed");
    }
    is_there
}

const RUNNER_ENDS: &[(&str, Signal)] = &[
    ("nextest SIGKILLed", Signal::SIGKILL),
    ("nextest: Ctrl-C", Signal::SIGINT),
    ("nextest SIGTERMed", Signal::SIGTERM),
    ("nextest: hangup", Signal::SIGHUP),
];

fn each(children: &[Child], name: &str, act: impl Fn(&Child) -> Vec<String>) -> Vec<Row> {
    // A run is dozens of tests: a third of the loops is more than enough.
    let loops = loops().div_ceil(3);
    let outcome = |child: &Child| Outcome {
        runs: loops,
        failures: (0..loops).flat_map(|_| act(child)).collect(),
        ..Outcome::default()
    };
    let wanted = children.iter().filter(|child| is_wanted(name, child));
    wanted.map(|child| child.row(name, &outcome(child))).collect()
}

/// Those that look for the child's program themselves: beside others they would wait for theirs, too, and whoever asks the
/// kernel whether a file is executed keeps others from executing it at that moment.
const ALONE: &str = "test(/^(forks_and|executes_another)/)";

fn run_all(project: &Project, child: &Child) -> Vec<String> {
    let copy = Private::copy_of(child.program);
    let said = |filter: &str, threads: &str| {
        let output =
            nextest(child, &copy, filter).args(["--test-threads", threads]).output().expect("nextest can be run");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let others = format!("not test(/^(driven|beside|limited)::/) and not {ALONE}");
    // They wait for the most part, and not for each other.
    let text = said(&others, "8") + &said(ALONE, "1");
    let mut failures: Vec<String> =
        VERDICTS.iter().filter_map(|&(test, wanted)| wrong_verdict(&text, test, wanted)).collect();
    if text.contains("LEAK") || text.contains("leaky") {
        failures.push(format!("nextest saw a leak:\n{text}"));
    }
    failures.extend(left(project, child, &copy));
    failures
}

/// After SIGKILL the tests go on without their runner, as nextest has no guard; when they end, all must be gone. What it can
/// handle it hands on to them, and they die of it.
fn end_runner(project: &Project, child: &Child, signal: Signal) -> Vec<String> {
    let copy = Private::copy_of(child.program);
    let up = copy.path().with_file_name("up");
    let mut command = nextest(child, &copy, "test(=driven::outlives_its_runner)");
    let mut runner =
        command.env("VICTIM_UP", &up).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it is there");
    let was_up = wait_for_file(&mut runner, &up);
    let sent = signal_process(runner.id(), signal);
    let ended = runner.wait();
    let mut failures = left(project, child, &copy);
    if !was_up || sent.is_err() || ended.is_err() {
        failures.push("its test was never up".into());
    }
    failures
}

/// The program itself and not `cargo nextest`: what we kill is then the runner.
fn nextest(child: &Child, copy: &Private, filter: &str) -> Command {
    let mut command = clean("cargo-nextest");
    describe(&mut command, child, copy);
    command.args([
        "nextest",
        "run",
        "--no-fail-fast",
        "--color=never",
        "--status-level=all",
        "--final-status-level=none",
    ]);
    command.args(["--success-output=never", "--failure-output=immediate"]);
    command.arg("--target-dir").arg(target_directory()).args(["-E", filter]);
    command
}

/// What nextest said of a test, if it is not what we want: lines are `PASS [   0.1s] (1/9) victim::ends returns`.
fn wrong_verdict(text: &str, test: &str, wanted: &str) -> Option<String> {
    let last_word_is = |line: &&str| line.split_whitespace().next_back() == Some(test);
    // Before a timeout there is a line that says so much; the last one is the verdict.
    let verdict = text
        .lines()
        .filter(last_word_is)
        .filter_map(|line| line.split_once('['))
        .map(|parts| parts.0.trim())
        // That is of the other of the two runs.
        .rfind(|verdict| *verdict != "SKIP");
    let verdict = verdict.filter(|verdict| *verdict != wanted).or(verdict.is_none().then_some("no verdict"))?;
    Some(format!("{test}: {verdict} instead of {wanted}\n{}", output_of(text, test)))
}

/// What it wrote: all lines between its verdict and the next one.
fn output_of(text: &str, test: &str) -> String {
    let is_verdict = |line: &&str| line.contains("] (") && line.contains("victim::ends ");
    let behind = text
        .lines()
        .skip_while(|line| !(is_verdict(line) && line.split_whitespace().next_back() == Some(test)))
        .skip(1);
    behind.take_while(|line| !is_verdict(line)).map(|line| format!("    {line}\n")).collect()
}

fn left(project: &Project, child: &Child, copy: &Private) -> Vec<String> {
    let counts = [gone("victim, guardian or shim", &project.ends), gone(child.name, copy.path())];
    counts.into_iter().filter_map(Result::err).collect()
}

fn wait_for_file(runner: &mut Process, path: &Path) -> bool {
    let deadline = Instant::now() + HANG;
    while !path.exists() {
        if Instant::now() > deadline || runner.try_wait().is_ok_and(|status| status.is_some()) {
            return false;
        }
        wait_ms(5);
    }
    true
}
