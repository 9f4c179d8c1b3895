//! When a guardian or a shim is killed, or the test forks: errors and no hangs, and the next start works.

use crate::nested::victim;

#[test]
fn a_handle_without_its_guardian_is_an_error_and_can_start_again() {
    victim("lost::the_guardian_is_killed").with("slow").with("sleeper").passes_and_will_be_gone();
}

#[test]
fn a_port_that_another_one_took_meanwhile_is_waited_for() {
    victim("lost::the_guardian_is_killed_and_another_one_takes_the_port").with("slow").passes_and_will_be_gone();
}

#[test]
fn what_an_executor_has_reserved_outlives_the_guardian() {
    victim("lost::the_guardian_of_a_reserved_place_is_killed").with("slow").passes_and_will_be_gone();
}

#[test]
fn a_guardian_may_be_asked_to_end() {
    victim("lost::the_guardian_is_asked_to_end").with("sleeper").passes();
}

#[test]
fn whoever_starts_something_meanwhile_gets_the_next_one() {
    victim("lost::guardians_are_asked_to_end_all_the_time").with("slow").with("polite").with("sleeper").passes();
}

#[test]
fn a_directory_that_goes_with_a_guardian_is_made_for_the_next_one() {
    victim("lost::a_directory_is_made_in_every_moment_of_an_end").with("sleeper").passes();
}

#[test]
fn a_start_that_fails_while_a_guardian_ends_is_tried_with_the_next_one() {
    let victim = victim("lost::what_it_needs_is_made_while_a_guardian_ends").with("polite").with("sleeper");
    let files = ["UNTIL", "HOME_TO_BE"].map(|name| (name, victim.file(name).display().to_string()));
    let victim = files.iter().fold(victim, |victim, (name, file)| victim.env(name, file));
    // The first one has its time until what is needed is there, however long that takes here.
    victim.env("PKIT_TIMEOUT_SCALE", "30").passes();
}

#[test]
fn so_are_those_of_many_threads() {
    victim("lost::guardians_of_many_are_asked_to_end_all_the_time").with("sleeper").passes();
}

#[test]
fn a_handle_without_its_shim_is_an_error_and_can_start_again() {
    victim("lost::a_shim_is_killed").with("daemon").with("sleeper").passes();
}

#[test]
fn shims_that_somebody_has_stopped_end_what_they_have_all_the_same() {
    let victim = victim("lost::all_shims_are_stopped").with("order");
    let file = victim.file("stops");
    let victim = victim.env("FILE", &file.display().to_string());
    victim.passes();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "first\nfive\nfour\nthree\ntwo\none\n");
}

#[test]
fn a_fork_has_nothing_to_say() {
    victim("lost::a_fork_of_the_test_has_nothing_to_say").with("sleeper").passes();
    victim("lost::a_fork_that_drops_the_handle_ends_nothing").with("sleeper").passes();
}

#[test]
fn a_guardian_that_is_of_no_use_is_no_zombie() {
    victim("lost::too_few_descriptors_are_allowed").with("sleeper").passes();
}

#[test]
fn a_start_that_gets_no_thread_is_an_error_also_for_those_beside_it() {
    victim("lost::no_thread_is_to_be_had").passes();
}
