//! Surroundings that give little: few descriptors, few processes, nowhere to write, a binary that is gone.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use pkit_test_tests::left_out::{self, server};

use crate::nested::{Ended, Victim, victim};

/// Nobody is called so: whoever runs as them has no other processes to be counted.
const LONELY_UID: &str = "64711";

fn starts() -> Victim {
    victim("hostile::starts_two").with("sleeper").with("slow")
}

/// Runs it by a shell, which first does what is said. `$0` is the victim.
fn run_after(victim: &Victim, script: &str) -> Ended {
    let mut command = victim.clean("bash");
    command.args(["-c", &format!("{script}; exec \"$0\" \"$@\"")]).arg(victim.binary());
    victim.ended(command.args(["--exact", &victim.path()]))
}

#[track_caller]
fn passes_after(script: &str) {
    let victim = starts();
    let ended = run_after(&victim, script);
    assert!(ended.status.success(), "{}", ended.text());
    victim.is_gone(&ended);
}

#[test]
fn sixty_four_descriptors_are_enough() {
    passes_after("ulimit -n 64");
}

#[test]
fn a_long_directory_for_temporary_files_is_passed_over() {
    let long = "x".repeat(150);
    let victim = starts();
    let directory = victim.file(&long);
    fs::create_dir(&directory).unwrap();
    let victim = victim.env("TMPDIR", &directory.display().to_string());
    victim.passes();
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
}

#[test]
fn a_binary_that_was_deleted_is_executed_all_the_same() {
    let victim = starts();
    let victim = victim.env("DELETES", "1");
    victim.passes();
}

#[test]
fn a_binary_that_may_not_be_executed_any_more_is_said() {
    let victim = starts().env("FORBIDS", "1");
    let ended = victim.run();
    assert!(!ended.status.success());
    let text = ended.text();
    assert!(text.contains("the guardian was not started: Permission denied"), "{text}");
    assert!(text.contains("it is this binary, which may not be executed any more"), "{text}");
    victim.is_gone(&ended);
}

/// The limit is reached at another step each time: it passes, or says what was the matter, and leaves nothing.
#[test]
fn the_limit_of_processes_is_said_at_whatever_step_it_is_reached() {
    if !is_root() {
        return left_out::because("only root can become somebody without processes");
    }
    let limited = |limit: u32| {
        let victim = starts();
        let run = format!("exec setpriv --reuid {LONELY_UID} --regid {LONELY_UID} --clear-groups --inh-caps=-all");
        let script = format!("ulimit -u {limit}; exec \"$0\" \"$@\"");
        let mut command = victim.clean("bash");
        command.args(["-c", &format!("{run} bash -c '{script}' \"$0\" \"$@\"")]).arg(victim.binary());
        let ended = victim
            .ended(command.args(["--exact", &victim.path(), "--test-threads=1"]).env("PKIT_DIR", "/tmp/pkit-hostile"));
        victim.will_be_gone(&ended);
        ended
    };
    if !limited(1000).status.success() {
        return left_out::because("whoever has no rights cannot reach the binaries here");
    }
    let (mut passed, mut refused) = (0, 0);
    for limit in 1..=14 {
        let ended = limited(limit);
        if ended.status.success() {
            passed += 1;
        } else {
            refused += 1;
            assert!(is_about_the_limit(&ended.text()), "{limit}: {}", ended.text());
        }
    }
    let _ = fs::remove_dir_all("/tmp/pkit-hostile");
    assert!(passed > 0 && refused > 0, "{passed} passed, {refused} were refused");
}

/// In our words, in those of a service that could not make a thread, or in those of the harness that could not run a test.
fn is_about_the_limit(text: &str) -> bool {
    let words = ["no more processes", "Resource temporarily unavailable", "failed to spawn thread", "WouldBlock"];
    words.iter().any(|word| text.contains(word))
}

#[test]
fn where_temporary_files_cannot_be_written_they_go_elsewhere() {
    for (options, then) in [("-o ro", ":"), ("-o size=64k", "head -c 1000000 /dev/zero >/tmp/full 2>&- || :")] {
        let Some(ended) = in_a_namespace(options, then) else { return };
        assert!(ended.status.success(), "{}", ended.text());
    }
}

#[test]
fn without_proc_nothing_is_started_and_it_is_said() {
    let Some(ended) = in_a_namespace("", "umount -l /proc") else { return };
    assert!(!ended.status.success() && ended.text().contains("there is no /proc here"), "{}", ended.text());
}

/// As in a container whose first process is a program like any other.
const FIRST_PROCESS: &str = "
import os, subprocess, sys
test = subprocess.Popen(sys.argv[1:])
os.waitid(os.P_PID, test.pid, os.WEXITED | os.WNOWAIT)
others = [pid for pid in map(int, filter(str.isdigit, os.listdir('/proc'))) if pid not in (1, test.pid)]
print('others:', [open(f'/proc/{pid}/comm').read() for pid in others])
sys.exit(test.wait())
";

#[test]
fn where_the_first_process_reaps_nobody_no_zombie_is_left() {
    let Some(python) = server("python") else { return };
    let unshare = ["--pid", "--fork", "--mount-proc"];
    let can = Command::new("unshare").args(unshare).arg("true").output();
    if !can.is_ok_and(|output| output.status.success()) {
        return left_out::because("no pid namespace can be made here");
    }
    let victim = starts();
    let mut command = victim.clean("unshare");
    command.args(unshare).arg(python).args(["-c", FIRST_PROCESS]).arg(victim.binary());
    let ended = victim.ended(command.args(["--exact", &victim.path()]));
    assert!(ended.status.success() && ended.text().contains("others: []"), "{}", ended.text());
    victim.is_gone(&ended);
}

/// With another `/tmp`, which only this victim sees.
#[track_caller]
fn in_a_namespace(options: &str, then: &str) -> Option<Ended> {
    let can = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        left_out::because("no mount namespace can be made here");
        return None;
    }
    let victim = starts();
    // All that the victim executes may lie below `/tmp`, so it is shown in another place.
    let below = Path::new("/mnt");
    let own = victim.binary().parent().unwrap().parent().unwrap();
    let shown = |path: &Path| below.join(path.strip_prefix(own).unwrap()).display().to_string();
    let script = format!(
        "set -e; mount --bind '{}' /mnt; mount -t tmpfs {options} none /tmp; {then}; cd /; exec \"$@\"",
        own.display()
    );
    let mut command = victim.clean("unshare");
    command.args(["-m", "bash", "-c", &script, "bash", &shown(victim.binary())]).args(["--exact", &victim.path()]);
    victim.show_children(&mut command, &shown);
    // Its own place for logs is one of those that cannot be written to.
    command.env("PKIT_DIR", "").env_remove("XDG_RUNTIME_DIR");
    let ended = victim.ended(&mut command);
    victim.is_gone(&ended);
    Some(ended)
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root() && env::var_os("PKIT_TEST_UNPRIVILEGED").is_none()
}
