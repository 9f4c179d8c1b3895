//! The same ends under `cargo nextest run`: nothing left, no LEAK, and every test ends as it should.

use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::time::Instant;

use pkit_test_tests::child::wait_ms;
use pkit_test_tests::left_out;
use pkit_test_tests::private::Private;

use crate::cell::{Child, HANG, describe, gone};
use crate::matrix::{Outcome, loops, show};
use crate::project::{Project, clean, project, target_directory};

/// What nextest says of each test: the whole word, so that `FAIL + LEAK` or `LEAK-FAIL` is something else.
const VERDICTS: &[(&str, &str)] = &[
    ("returns", "PASS"),
    ("returns_an_error", "FAIL"),
    ("panics", "FAIL"),
    ("panics_with_handles_of_its_own", "FAIL"),
    ("exits", "FAIL"),
    ("aborts", "SIGABRT"),
    ("overflows_its_stack", "SIGABRT"),
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

/// One row for a whole run with each child, one for a runner that is killed.
pub(crate) fn check_all(children: &[Child]) {
    if Command::new("cargo-nextest").arg("--version").output().is_err() {
        left_out::because("cargo-nextest is not installed");
        return;
    }
    let project = project();
    let each = |act: fn(&Project, &Child) -> Vec<String>| -> Vec<Outcome> {
        // A run is more than twenty tests: a third of the loops is more than enough.
        let loops = loops().div_ceil(3);
        let failures = |child: &Child| (0..loops).flat_map(|_| act(project, child)).collect();
        children.iter().map(|child| Outcome { loops, failures: failures(child) }).collect()
    };
    let outcomes = [each(run_all), each(kill_runner)].concat();
    show(&["nextest, all ends", "nextest SIGKILLed"], children, &outcomes);
}

fn run_all(project: &Project, child: &Child) -> Vec<String> {
    let copy = Private::copy_of(child.name);
    let output = nextest(child, &copy, "not test(/^driven::/)").output().expect("nextest can be run");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut failures: Vec<String> =
        VERDICTS.iter().filter_map(|&(test, wanted)| wrong_verdict(&text, test, wanted)).collect();
    if text.contains("LEAK") || text.contains("leaky") {
        failures.push(format!("nextest saw a leak:\n{text}"));
    }
    failures.extend(left(project, child, &copy));
    failures
}

/// The tests go on without their runner, as nextest has no guard; when they end, all must be gone.
fn kill_runner(project: &Project, child: &Child) -> Vec<String> {
    let copy = Private::copy_of(child.name);
    let up = copy.path().with_file_name("up");
    let mut command = nextest(child, &copy, "test(=driven::outlives_its_runner)");
    let mut runner =
        command.env("VICTIM_UP", &up).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it is there");
    let was_up = wait_for_file(&mut runner, &up);
    let killed = runner.kill().and_then(|()| runner.wait());
    let mut failures = left(project, child, &copy);
    if !was_up || killed.is_err() {
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
    command.args(["--success-output=never", "--failure-output=never"]);
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
        .next_back();
    (verdict != Some(wanted)).then(|| format!("{test}: {} instead of {wanted}", verdict.unwrap_or("no verdict")))
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
