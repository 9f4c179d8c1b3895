//! Every end of a test process × every hostile child: nothing may be left, ever.
//!
//! The victims are a project of their own, in `victim/`. Each is run from a private copy of its executable, with a
//! private copy of the child's: the first is also what its guardian and its shims execute. Both are counted after the
//! end, and the count must be zero. Loops a cell: three, or `PKIT_CRASH_LOOPS`.

mod cell;
mod matrix;
mod project;
mod runner;

use cell::{CHILDREN, End, Ended};
use matrix::check;
use nix::sys::signal::Signal;

const fn code(test: &'static str, code: i32) -> End {
    End { test, ended: Ended::Code(code) }
}

const fn signal(test: &'static str, signal: Signal) -> End {
    End { test, ended: Ended::Signal(signal as i32) }
}

/// What the harness exits with when a test failed.
const FAILED: i32 = 101;

#[test]
fn nothing_is_left_after_a_test_that_ends() {
    check(&[
        code("returns", 0),
        code("returns_an_error", FAILED),
        code("panics", FAILED),
        code("panics_with_handles_of_its_own", FAILED),
        code("exits", 3),
    ]);
}

#[test]
fn nothing_is_left_after_a_test_that_crashes() {
    check(&[
        signal("aborts", Signal::SIGABRT),
        signal("overflows_its_stack", Signal::SIGABRT),
        signal("segfaults", Signal::SIGSEGV),
    ]);
}

#[test]
fn nothing_is_left_after_a_test_that_is_killed() {
    check(&[
        signal("kills_itself", Signal::SIGKILL),
        signal("terminates_itself", Signal::SIGTERM),
        signal("is_interrupted_with_its_group", Signal::SIGINT),
        signal("is_killed_with_its_group", Signal::SIGKILL),
    ]);
}

#[test]
fn nothing_is_left_by_handles_that_are_never_dropped() {
    check(&[
        code("is_abandoned_by_its_timeout", FAILED),
        code("is_abandoned_with_its_parameters", FAILED),
        code("keeps_a_fixture_that_is_made_once", 0),
        signal("is_killed_with_a_fixture_that_is_made_once", Signal::SIGKILL),
        code("keeps_handles_in_a_static", 0),
        code("forgets_handles", 0),
        code("forgets_parameters", 0),
    ]);
}

#[test]
fn nothing_is_left_after_a_runtime() {
    check(&[
        code("returns_in_a_runtime", 0),
        code("panics_in_a_runtime", FAILED),
        code("panics_in_a_task", FAILED),
        code("leaves_a_task_behind", 0),
        code("exits_in_a_runtime", 3),
        signal("aborts_in_a_runtime", Signal::SIGABRT),
        signal("is_killed_in_a_runtime", Signal::SIGKILL),
        code("is_dropped_by_its_timeout", FAILED),
    ]);
}

#[test]
fn an_ignored_test_starts_nothing() {
    cell::starts_nothing(project::project(), "is_ignored", &CHILDREN[0]);
}

#[test]
fn nothing_is_left_when_the_guardian_is_killed() {
    check(&[code("goes_on_without_its_guardian", 0), signal("dies_after_its_guardian", Signal::SIGKILL)]);
}

#[test]
fn nothing_is_left_when_shims_are_killed() {
    check(&[
        code("goes_on_without_shims", 0),
        signal("dies_after_its_shims", Signal::SIGKILL),
        code("goes_on_without_one_shim", 0),
        signal("dies_after_one_shim", Signal::SIGKILL),
    ]);
}

#[test]
fn nothing_is_left_after_a_scope_whose_processes_are_supervised() {
    check(&[
        code("orchestrated::returns", 0),
        code("orchestrated::returns_early", FAILED),
        code("orchestrated::panics", FAILED),
        code("orchestrated::panics_while_a_member_is_down", FAILED),
        code("orchestrated::exits", 3),
        signal("orchestrated::kills_itself", Signal::SIGKILL),
        code("orchestrated::forgets_the_stack", 0),
    ]);
}

#[test]
fn nothing_is_left_of_what_is_just_started_again() {
    check(&[
        code("orchestrated::returns_while_all_are_restarted", 0),
        code("orchestrated::panics_while_all_are_restarted", FAILED),
        signal("orchestrated::kills_itself_while_all_are_restarted", Signal::SIGKILL),
        code("orchestrated::comes_back_without_its_guardian", 0),
    ]);
}

#[test]
fn nothing_is_left_when_the_test_is_killed_at_any_moment_of_its_start() {
    check(&[End { test: "driven::starts", ended: Ended::KilledWhileStarting }]);
}

#[test]
fn nothing_is_left_by_a_program_that_aborts_on_panic() {
    check(&[End { test: project::ABORTING, ended: Ended::Signal(Signal::SIGABRT as i32) }]);
}

#[test]
fn nothing_is_left_and_nothing_leaks_under_nextest() {
    runner::check_all(CHILDREN);
}
