//! One server for a whole run of a test runner: it is started once, everybody gets it, and nothing is left, however the run ends.
//!
//! What is run is a project of its own, `crowd/`: three binaries of sixty tests that share their servers, and a few tests that
//! do something to those. Each scene has a copy of the binaries of its own, so that what executes one of them belongs to that
//! scene, and places of its own for temporary files and sockets, which must be empty afterwards. The servers count their starts, in a
//! file, by themselves. `PKIT_SHARED_LOOPS=5` for more runs of each scene than one.

#[expect(dead_code, reason = "the crash tests know more of them")]
#[path = "../crash/children.rs"]
mod children;
mod ending;
mod hostile;
mod ledger;
mod project;
mod scene;
mod said;
mod strangers;
mod together;
mod trouble;

use pkit_test_tests::left_out;

/// Runs it as often as is wanted; where there is no nextest those that need it say so.
fn check(scene: fn(&scene::Scene)) {
    for _ in 0..loops() {
        let stage = scene::Scene::new();
        scene(&stage);
        stage.nothing_is_left();
    }
}

fn check_nextest(scene: fn(&scene::Scene)) {
    if project::has_nextest() { check(scene) } else { left_out::because("cargo-nextest is not installed") }
}

fn loops() -> u32 {
    std::env::var("PKIT_SHARED_LOOPS").map_or(1, |text| text.parse().expect("PKIT_SHARED_LOOPS is a number"))
}

/// A test for each scene.
macro_rules! scenes {
    ($check:ident: $($test:ident = $scene:path;)*) => {$(
        #[test]
        fn $test() {
            $check($scene);
        }
    )*};
}

scenes! { check_nextest:
    all_tests_of_a_run_of_nextest_share_their_servers = together::nextest;
    a_test_that_is_tried_again_has_the_same_server = together::retries;
    a_stress_run_has_the_same_server = together::stress;
    two_runs_at_once_share_nothing = together::two_runs;
    whoever_waits_takes_over_when_the_starter_is_killed = trouble::starter_killed;
    tests_that_are_killed_leave_nothing = trouble::a_tenth_killed;
    a_start_that_fails_is_told_to_all = trouble::failed_start;
    a_server_that_dies_fails_who_has_it_and_is_started_again = trouble::server_dies;
    another_one_follows_when_the_broker_is_killed = trouble::broker_killed;
    another_one_follows_when_the_guardian_is_killed = trouble::guardian_killed;
    who_has_it_alone_may_start_it_again = trouble::started_again;
    what_somebody_left_stopped_is_started_again = trouble::left_stopped;
    a_test_that_fails_is_shown_what_was_written_meanwhile = trouble::shown;
    nothing_is_left_when_nextest_is_killed = ending::killed;
    nothing_is_left_when_nextest_is_interrupted = ending::interrupted;
    nothing_is_left_when_nextest_is_terminated = ending::terminated;
    nothing_is_left_when_a_test_takes_too_long = ending::timed_out;
    a_runner_between_that_leaves_the_session_changes_nothing = strangers::setsid;
}

scenes! { check:
    all_binaries_of_cargo_test_share_their_servers = together::cargo_test;
    eight_threads_of_a_test_binary_share_their_servers = together::eight_threads;
    a_binary_that_nobody_runs_shares_with_itself = strangers::alone;
    a_script_shares_what_it_says_is_one_run = strangers::script;
    nothing_is_left_when_cargo_is_killed = ending::cargo_killed;
    nothing_is_left_of_hostile_children = hostile::children;
    nothing_is_left_when_an_editor_kills_its_test = strangers::killed_by_an_editor;
}
