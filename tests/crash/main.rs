//! Every end of a test process × every hostile child × every surrounding: nothing may be left where that is promised.
//!
//! The victims are a project of their own, in `victim/`. Each is run from a private copy of its executable, with a
//! private copy of the child's: the first is also what its guardian and its shims execute. Both are counted after the
//! end, and the count must be zero. `ends.rs` has the ends, `deed.rs` what is done from outside, `surrounding.rs` where,
//! `promise.rs` which cells are weaker than that. Loops a cell: one, or `PKIT_CRASH_LOOPS`. Half of the cells in the plain and a
//! smaller part of those in other surroundings are run, or with `PKIT_CRASH_SURROUNDINGS=all` each of them.

mod cell;
mod children;
mod deed;
mod ends;
mod lines;
mod matrix;
mod project;
mod promise;
mod runner;
mod surrounding;
mod table;

use children::CHILDREN;
use matrix::{check, check_isolated, check_limit, check_part_isolated, check_surrounding};
use pkit_test_tests::left_out;
use surrounding::{PROCESS_LIMIT, SURROUNDINGS, Surrounding};

#[test]
fn nothing_is_left_after_a_test_that_ends() {
    check("a test ends", ends::ENDS);
}

#[test]
fn nothing_is_left_after_a_test_that_crashes() {
    check("a test crashes", ends::CRASHES);
}

#[test]
fn nothing_is_left_after_a_test_that_is_killed() {
    check("a test is killed", ends::SIGNALS);
}

#[test]
fn nothing_is_left_by_handles_that_are_never_dropped() {
    check("handles are never dropped", ends::NEVER_DROPPED);
}

#[test]
fn nothing_is_left_after_a_runtime() {
    check("in a runtime", ends::RUNTIMES);
}

#[test]
fn an_ignored_test_starts_nothing() {
    cell::starts_nothing(project::project(), "is_ignored", &CHILDREN[0]);
}

#[test]
fn nothing_is_left_when_the_guardian_or_shims_are_killed_by_the_test() {
    check("owners are killed", ends::OWNERS);
}

#[test]
fn nothing_is_left_when_the_guardian_is_killed() {
    check("killed from outside", ends::KILLED_WHEN_UP);
}

#[test]
fn nothing_is_left_when_shims_are_killed() {
    check("killed in the middle of an end", ends::KILLED_WHILE_STOPPING);
}

#[test]
fn nothing_is_left_of_what_somebody_has_stopped() {
    check("stopped, then killed", ends::KILLED_WHEN_STOPPED);
}

#[test]
fn nothing_is_left_after_a_scope_whose_processes_are_supervised() {
    check("supervised", ends::SUPERVISED);
}

#[test]
fn nothing_is_left_of_what_is_just_started_again() {
    check("started again", ends::RESTARTED);
}

#[test]
fn nothing_is_left_when_the_test_is_killed_at_any_moment_of_its_start() {
    check("killed while it starts", ends::KILLED_WHILE_STARTING);
}

#[test]
fn nothing_is_left_by_a_program_that_aborts_on_panic() {
    check("panic=abort", ends::ABORTING);
}

/// `UPDATE_EXPECT=1` writes it.
#[test]
fn the_docs_name_every_weak_cell() {
    table::check_docs(promise::RULES);
}

#[test]
fn what_is_left_when_all_are_killed_at_once_is_known() {
    check("all at once", ends::ALL_AT_ONCE);
}

#[test]
fn nothing_is_left_of_isolated_processes_when_all_are_killed_at_once() {
    check_isolated("all at once, isolated", ends::ALL_AT_ONCE);
}

#[test]
fn nothing_is_left_of_isolated_processes() {
    check_part_isolated("isolated");
}

/// A test for each of the other surroundings.
macro_rules! elsewhere {
    ($($test:ident: $number:literal,)*) => {$(
        #[test]
        fn $test() {
            elsewhere($number);
        }
    )*};
}

elsewhere! {
    nothing_is_left_without_pidfds: 0,
    nothing_is_left_without_a_list_of_children: 1,
    nothing_is_left_without_a_subreaper: 2,
    nothing_is_left_where_docker_refuses: 3,
    nothing_is_left_where_an_old_docker_refuses: 4,
    nothing_is_left_by_another_user: 5,
    nothing_is_left_with_a_read_only_tmp: 6,
    nothing_is_left_with_a_full_tmp: 7,
    nothing_is_left_with_a_long_tmpdir: 8,
    nothing_is_left_with_few_descriptors: 9,
    nothing_is_left_below_an_init_that_does_not_reap: 10,
}

fn elsewhere(number: usize) {
    let surrounding = &SURROUNDINGS[number];
    match surrounding.trouble() {
        Some(trouble) => left_out::because(format_args!("{}: {trouble}", surrounding.name)),
        None => check_surrounding(surrounding, number),
    }
}

#[test]
fn nothing_is_left_when_descriptors_run_out() {
    limited(&SURROUNDINGS[9], ends::DESCRIPTORS_RUN_OUT, 1);
}

/// Eight limits for each of the cells: it is to run out at each step of a start.
#[test]
fn nothing_is_left_when_processes_run_out() {
    limited(&PROCESS_LIMIT, ends::PROCESSES_RUN_OUT, 8);
}

fn limited(surrounding: &'static Surrounding, ends: &[ends::End], loops: u32) {
    match SURROUNDINGS[5].trouble() {
        Some(trouble) => left_out::because(format_args!("{}: {trouble}", surrounding.name)),
        None => check_limit(surrounding, ends, loops),
    }
}

#[test]
fn nothing_is_left_and_nothing_leaks_under_nextest() {
    runner::check_tests(&matrix::some_children());
}

#[test]
fn nothing_is_left_when_nextest_is_ended() {
    runner::check_ends(&matrix::some_children());
}
