//! The next best, where the system lacks a means: the same tests again, with the means taken away.
//!
//! A test is run in a process of its own, which reads the switch. The whole binary can be run like that, too:
//! `PKIT_WITHOUT=pidfd cargo test --test it`.

use std::env;
use std::process::{Command, Stdio};

use pkit_test_tests::private::executable;

use crate::nested::{WITHOUT, victim};

/// What a service is, from its start to its end: each of these tests counts what is left.
const LIVES: [&str; 10] = [
    "attribute::a_process_needs_no_parameter",
    "errors::program::a_missing_working_directory_is_said",
    "errors::start::an_exit_before_ready_is_told_with_its_last_words",
    "handle::again::each_restart_is_counted_and_is_another_process",
    "handle::end::stop_kills_what_is_deaf",
    "handle::end::stop_wakes_what_stopped_itself",
    "handle::tree::a_daemonizer_is_what_it_left_in_the_background",
    "handle::tree::it_outlives_the_thread_that_started_it",
    "handle::tree::pause_stops_all_of_it_and_resume_lets_all_go_on",
    "output::capture::what_was_written_before_it_was_ready_is_there",
];

#[track_caller]
fn pass(mut command: Command, tests: &[&str]) {
    command.arg("--exact").args(tests).stdin(Stdio::null());
    let output = command.output().expect("this binary can be executed");
    let text = String::from_utf8_lossy(&output.stdout);
    let counted = format!("{} passed; 0 failed", tests.len());
    assert!(output.status.success() && text.contains(&counted), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn pass_without(means: &str, tests: &[&str]) {
    let mut command = Command::new(env::current_exe().expect("procfs is mounted"));
    command.env(WITHOUT, means);
    pass(command, tests);
}

/// Under the filter of a container.
#[track_caller]
fn pass_as_docker(options: &[&str], tests: &[&str]) {
    let mut command = Command::new(executable("as_docker"));
    command.args(options).arg(env::current_exe().expect("procfs is mounted"));
    pass(command, tests);
}

#[test]
fn without_pidfds_it_lives_and_ends_as_ever() {
    pass_without("pidfd", &LIVES);
}

#[test]
fn without_lists_of_children_it_lives_and_ends_as_ever() {
    pass_without("children", &LIVES);
    pass_without("children", &["handle::end::every_end_catches_what_hops"]);
}

#[test]
fn without_a_subreaper_it_lives_and_ends_as_ever() {
    pass_without("subreaper", &LIVES);
}

/// Whose orphans come back to it all the same, as it is the first process of its namespace.
#[test]
fn without_a_subreaper_what_is_isolated_lives_and_ends_as_ever() {
    let ends =
        ["isolate::pids::an_orphan_that_ends_is_not_the_process", "isolate::pids::every_end_reaches_all_descendants"];
    pass_without("subreaper", &ends);
}

#[test]
fn without_a_subreaper_a_shim_that_is_killed_leaves_nothing() {
    pass_without("subreaper", &["lost::a_handle_without_its_shim_is_an_error_and_can_start_again"]);
}

/// Nobody sees it, so it may be taken for ended; but it does end.
#[test]
fn without_a_subreaper_nothing_is_left_of_what_hops() {
    for _ in 0..3 {
        victim("without::starts_what_hops").with("hopper").env(WITHOUT, "subreaper").passes();
    }
}

#[test]
fn without_any_of_the_three_it_lives_and_ends_as_ever() {
    pass_without("pidfd,children,subreaper", &LIVES);
}

#[test]
fn without_splice_and_close_range_it_lives_and_ends_as_ever() {
    pass_without("splice,close_range", &LIVES);
    pass_without("splice,close_range", &["isolation::it_inherits_no_descriptors", "output::flood::all_of_it_is_there"]);
}

/// As other systems do it.
#[test]
fn by_what_every_unix_has_it_lives_and_ends_as_ever() {
    let means = "pidfd,children,epoll,splice,close_range,vfork,execfn,ppoll,abstract";
    pass_without(means, &LIVES);
    pass_without(means, &["isolation::it_inherits_no_descriptors", "contested::so_do_two_processes"]);
}

#[test]
fn where_the_kernel_does_not_answer_its_tables_are_read() {
    pass_without(
        "sock_diag",
        &[
            "errors::start::a_foreign_listener_is_never_taken_for_ours",
            "errors::start::a_server_that_does_not_listen_is_told_where_it_does",
            "handle::place::a_host_may_be_of_version_6",
            "ready::a_server_that_serves_once_is_not_asked_by_connecting",
        ],
    );
}

#[test]
fn where_nothing_lists_sockets_a_server_is_found_by_knocking() {
    let tests = ["attribute::a_hole_is_a_dependency", "handle::place::a_host_may_be_of_version_6"];
    pass_without("sock_diag,proc_net", &tests);
}

/// The tables are those of a network, and the thread of the test is in one of its own.
#[test]
fn without_sock_diag_listeners_are_found_in_a_network_of_a_test() {
    pass_without("sock_diag", &["isolate::net::the_same_port_is_that_of_every_test"]);
    pass_without("sock_diag,proc_net", &["isolate::net::the_same_port_is_that_of_every_test"]);
}

#[test]
fn in_a_container_it_lives_and_ends_as_ever() {
    pass_as_docker(&[], &LIVES);
}

#[test]
fn in_an_old_container_it_lives_and_ends_as_ever() {
    pass_as_docker(&["--old"], &LIVES);
}

#[test]
fn a_fork_that_holds_the_socket_of_a_dead_test_keeps_nothing_up() {
    for means in ["", "pidfd", "pidfd,subreaper"] {
        let victim = victim("without::dies_while_a_fork_holds_its_socket").with("sleeper").env(WITHOUT, means);
        let ended = victim.run_uncaptured();
        assert!(!ended.status.success(), "{}", ended.text());
        // The fork ends when what the test has started is gone, or else by a limit and with a word about it.
        assert!(ended.text().contains("the fork saw its end"), "{means}: {}", ended.text());
        victim.will_be_gone(&ended);
    }
}

#[test]
fn an_unknown_word_is_said() {
    let victim = victim("without::starts_something").with("sleeper").env(WITHOUT, "pidfds,splice");
    let ended = victim.passes();
    assert!(ended.stderr.contains("PKIT_WITHOUT=pidfds: not of pidfd, "), "{}", ended.stderr);
}
