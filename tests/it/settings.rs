//! The settings from outside, each seen by what it does to a test.

use std::fs;
use std::process::ExitStatus;

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test_tests::private::wait_gone;

use crate::child::HANG;
use crate::nested::{Ended, Victim, victim};
use crate::text::normalised;

const HELLO: &str = "hello from the service";

fn talking(name: &'static str) -> Victim {
    victim(name).with("banner")
}

#[test]
fn output_is_shown_by_a_test_that_fails_and_only_then() {
    for name in ["settings::passes", "settings::passes_with_a_handle_of_its_own"] {
        let ended = talking(name).passes();
        assert_eq!((ended.logs.len(), ended.text().contains(HELLO)), (0, false), "{}", ended.text());
        let ended = talking(name).run_uncaptured();
        assert_eq!((ended.logs.len(), ended.text().contains(HELLO)), (0, false), "{}", ended.text());
    }
    for name in ["settings::fails", "settings::fails_with_a_handle_of_its_own"] {
        let victim = talking(name);
        let ended = victim.run();
        assert!(ended.report().contains(HELLO), "in the output of the test itself: {}", ended.text());
        assert_eq!((ended.stderr.as_str(), ended.logs.len()), ("", 1));
        assert_eq!(fs::read_to_string(&ended.logs[0]).unwrap().trim_end(), HELLO);
    }
}

#[test]
fn pkit_output_says_when_output_is_shown() {
    for (name, setting, is_shown, logs) in [
        ("settings::passes", "always", true, 1),
        ("settings::passes_with_a_handle_of_its_own", "always", true, 1),
        ("settings::passes", "never", false, 0),
        ("settings::fails", "never", false, 1),
        ("settings::fails_with_a_handle_of_its_own", "never", false, 1),
        ("settings::fails", "", true, 1),
        ("settings::fails", "failed", true, 1),
    ] {
        let victim = talking(name).env("PKIT_OUTPUT", setting);
        let ended = victim.run_uncaptured();
        let seen = (ended.text().contains(HELLO), ended.logs.len());
        assert_eq!(seen, (is_shown, logs), "{name} {setting}: {}", ended.text());
        victim.is_gone(&ended);
    }
}

#[test]
fn output_is_shown_by_the_guardian_of_a_test_that_died() {
    for (setting, is_shown) in [("failed", true), ("always", true), ("never", false)] {
        let victim = talking("settings::aborts").env("PKIT_OUTPUT", setting);
        let ended = victim.run_uncaptured();
        assert_eq!(signal(ended.status), Some(6));
        assert_eq!(ended.stderr.contains(HELLO), is_shown, "{}", ended.text());
        victim.will_be_gone(&ended);
    }
}

fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[test]
fn pkit_keep_leaves_everything_up_and_says_how_to_end_it() {
    check_kept("settings::fails", "failed");
    check_kept("settings::passes", "always");
    check_kept("settings::fails", "always");
    check_kept("settings::fails_with_a_handle_of_its_own", "failed");
    check_kept("settings::passes_with_a_handle_of_its_own", "always");
    check_kept("settings::aborts", "failed");
}

#[track_caller]
fn check_kept(name: &'static str, setting: &str) {
    let victim = talking(name).env("PKIT_KEEP", setting);
    let ended = victim.run();
    assert_eq!(victim.count("banner"), 1, "{name} {setting}: {}", ended.text());
    kill(guardian_named_by(&ended), Signal::SIGTERM).unwrap();
    let _ = wait_gone(victim.binary(), HANG);
    victim.is_gone(&ended);
}

/// As a person would do it.
fn guardian_named_by(ended: &Ended) -> Pid {
    let text = format!("{}{}", ended.stdout, ended.stderr);
    let (_, rest) = text.split_once("`kill ").unwrap_or_else(|| panic!("it does not say how to end it: {text}"));
    Pid::from_raw(rest.split_once('`').unwrap().0.parse().unwrap())
}

#[test]
fn pkit_keep_leaves_nothing_of_a_test_that_passes() {
    talking("settings::passes").env("PKIT_KEEP", "failed").passes();
    talking("settings::passes_with_a_handle_of_its_own").env("PKIT_KEEP", "failed").passes();
    talking("settings::passes").env("PKIT_KEEP", "never").passes();
}

#[test]
fn pkit_keep_changes_nothing_of_what_a_test_does() {
    talking("settings::drops_a_handle_itself").env("PKIT_KEEP", "failed").passes();
    check_kept("settings::drops_a_handle_itself", "always");
}

#[test]
fn pkit_keep_says_where_everything_is() {
    let victim = talking("settings::fails").env("PKIT_KEEP", "failed");
    let ended = victim.run();
    expect![[r#"
        victims::settings::fails panicked at tests/it/victims/settings.rs:
        what the body says
        --- `talker` stays up
          pid:    N
          output: CHILDREN/pkit/PID.1-talker.1.log
          end:    `kill N` ends it, with all that is kept of this test
        --- `talker`: all it wrote (CHILDREN/pkit/PID.1-talker.1.log)
        hello from the service"#]]
    .assert_eq(&ended.report());
    expect![[r#"
        --- kept until THEN, since PKIT_KEEP says so: `kill N` ends all of them before
    "#]]
    .assert_eq(&normalised(&ended.stderr));
    kill(guardian_named_by(&ended), Signal::SIGTERM).unwrap();
    let _ = wait_gone(victim.binary(), HANG);
}

#[test]
fn what_is_kept_is_shown_as_up() {
    let victim = victim("record::fails_with_two").with("sleeper").env("PKIT_KEEP", "failed");
    let ended = victim.run();
    let report = ended.report();
    assert!(report.contains("\ncache  ready  N  T  T  -  -\n") && report.contains("\ncache  SR>\n"), "{report}");
    kill(guardian_named_by(&ended), Signal::SIGTERM).unwrap();
    let _ = wait_gone(victim.binary(), HANG);
}

#[test]
fn a_callback_without_end_is_told_of_once() {
    let victim = victim("settings::has_a_callback_without_end").with("sleeper").env("PKIT_TIMEOUT_SCALE", "0.2");
    let ended = victim.run();
    assert_eq!(ended.report().matches("does not come to its end").count(), 1, "{}", ended.report());
    victim.is_gone(&ended);
}

#[test]
fn what_only_a_death_fails_is_kept_as_well() {
    let victim = victim("settings::loses_one").with("sleeper").with("exits").env("PKIT_KEEP", "failed");
    let ended = victim.run();
    assert!(ended.report().contains("--- `stays` stays up\n"), "{}", ended.report());
    kill(guardian_named_by(&ended), Signal::SIGTERM).unwrap();
    let _ = wait_gone(victim.binary(), HANG);
    victim.is_gone(&ended);
}

#[test]
fn pkit_keep_says_where_a_place_is_and_who_is_there() {
    let victim = talking("settings::fails_with_a_place").with("daemonizer").env("PKIT_KEEP", "failed");
    let ended = victim.run();
    let kept: Vec<String> =
        ended.report().lines().skip(2).take_while(|line| !line.contains("wrote")).map(str::to_owned).collect();
    expect![[r#"
        --- `server` stays up
          pid:    N
          addr:   127.0.0.1:PORT
          port:   peer at 127.0.0.1:PORT
          dir:    DIRS/server-1
          output: CHILDREN/pkit/PID.1-server.1.log
          end:    `kill N` ends it, with all that is kept of this test
        --- `other` stays up
          pid:    N
          output: CHILDREN/pkit/PID.2-other.1.log
          end:    `kill N` ends it, with all that is kept of this test"#]]
    .assert_eq(&kept.join("\n"));
    let pid = ended.stdout.split("  pid:").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert!(program.ends_with("daemonizer"), "{pid} runs {program:?}");
    kill(guardian_named_by(&ended), Signal::SIGTERM).unwrap();
    let _ = wait_gone(victim.binary(), HANG);
    victim.is_gone(&ended);
}

#[test]
fn pkit_timeout_scale_multiplies_timeouts() {
    // However late it is looked at, this one is not ready.
    let ended = victim("settings::is_slow").with("slow").env("BOOT_MS", "600000").run();
    assert!(ended.report().contains("`server` was not ready after 50 ms"), "{}", ended.text());
    victim("settings::is_slow").with("slow").env("BOOT_MS", "300").env("PKIT_TIMEOUT_SCALE", "600").passes();
}

#[test]
fn pkit_log_tells_what_we_do() {
    let ended = talking("settings::passes").env("PKIT_LOG", "1").run_uncaptured();
    let told: Vec<&str> =
        ended.stderr.lines().filter_map(|line| line.strip_prefix("[pkit ")?.split("ms] ").nth(1)).collect();
    // What others have left in the temporary directory is cleared where there is any.
    let words = told.iter().filter_map(|line| line.split(' ').next()).filter(|word| *word != "cleared");
    let words: Vec<&str> = words.collect();
    expect!["it::victims::settings::passes: guardian start ready stop"].assert_eq(&words.join(" "));
    assert!(talking("settings::passes").env("PKIT_LOG", "0").run_uncaptured().stderr.is_empty());
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let victim = talking("settings::passes").env("PKIT_DIR", "/dev/null/pkit");
    victim.fails(expect![[r#"
        victims::settings::passes panicked at tests/it/victims/settings.rs:
        no output can be kept in /dev/null/pkit: Not a directory (os error 20)
          hint:   PKIT_DIR names another place"#]]);
}

#[test]
fn a_directory_that_goes_away_is_made_again() {
    talking("settings::loses_its_directory").passes();
}

#[test]
fn what_cannot_be_understood_is_said_past_the_harness() {
    for name in ["settings::passes", "settings::passes_with_a_handle_of_its_own"] {
        let ended = talking(name).env("PKIT_OUTPUT", "sometimes").env("PKIT_TIMEOUT_SCALE", "-1").passes();
        let said = "pkit-test: PKIT_OUTPUT=sometimes: not one of failed, always, never\n\
            pkit-test: PKIT_TIMEOUT_SCALE=-1: not a positive number\n";
        assert_eq!(ended.stderr, said);
    }
}
