//! What a service gets from the test that starts it, and what it does not.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use nix::unistd::{Gid, User, getgrouplist};
use pkit_test::{Spec, sh, simple};
use pkit_test_tests::left_out;
use pkit_test_tests::process::{parent, stat};

use crate::child::{HANG, child};
use crate::dump::{dump, dump_of};
use crate::nested::victim;

#[test]
fn it_inherits_no_descriptors() {
    victim("inherits::descriptors").with("env_dump").with("sleeper").passes();
}

#[test]
fn it_inherits_no_signal_mask_and_nothing_ignored() {
    victim("inherits::signals").passes();
}

#[test]
fn it_may_open_as_many_files_as_the_test() {
    victim("inherits::limits").with("env_dump").passes();
}

#[test]
fn it_runs_where_the_test_does_at_that_moment() {
    victim("inherits::a_directory_that_changes").with("env_dump").passes();
}

#[test]
fn it_leads_a_session_of_its_own() {
    let child = child("env_dump");
    let process = simple(child.with("--stay")).start().unwrap();
    process.wait_for_output("^end:", HANG).unwrap();
    let (dump, pid) = (dump_of(&process), process.pid().unwrap());
    assert_eq!((dump.number("pid"), dump.number("pgid"), dump.number("sid")), (pid, pid, pid));
    let own = stat(std::process::id()).unwrap();
    assert_ne!(own.session, stat(dump.number("ppid")).unwrap().session, "nor is its parent in the session of the test");
    assert_eq!(parent(pid), Some(dump.number("ppid")));
}

#[test]
fn its_arguments_arrive_as_they_were_written() {
    let child = child("env_dump");
    let words = ["--", "two words", "", "größe", "{4,5}", "{\"a\":{}}", "$HOME", "*", "a\nb", "'"];
    let found = dump(Spec::program(child.path()).args(words)).all("arg");
    // A line has an end where the argument has one.
    assert_eq!(found, words.map(|word| word.lines().next().unwrap_or_default()));
    let found = dump(simple(child.with("-- 'a b' \"c d\" e\\ f {{port}}"))).all("arg");
    assert_eq!(found, ["--", "a b", "c d", "e f", "{port}"]);
}

#[test]
fn its_environment_is_that_of_the_test_and_what_was_said() {
    let child = child("env_dump");
    let mut own: Vec<_> = env::vars().collect();
    own.sort();
    // Of a value with several lines only the first one is seen.
    let first_lines = |all: Vec<(String, String)>| -> Vec<(String, String)> {
        all.into_iter().map(|(name, value)| (name, value.lines().next().unwrap_or_default().to_owned())).collect()
    };
    assert_eq!(dump(simple(child.with(""))).variables(), first_lines(own.clone()));
    let more =
        dump(simple(child.with("")).env("PKIT_TEST_A", "{host}").env("HOME", "/nowhere").env("PKIT_TEST_A", "b"));
    own.retain(|(name, _)| name != "HOME");
    own.extend([("HOME".to_owned(), "/nowhere".to_owned()), ("PKIT_TEST_A".to_owned(), "b".to_owned())]);
    own.sort();
    assert_eq!(more.variables(), first_lines(own));
}

#[test]
fn a_cleared_environment_has_only_what_was_said() {
    let child = child("env_dump");
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(dump(simple(child.with("")).env_clear()).variables(), pairs(&[]));
    let spec = simple(child.with("")).env("A", "1").env_clear().envs([("B", "2"), ("C", "")]);
    assert_eq!(dump(spec).variables(), pairs(&[("A", "1"), ("B", "2"), ("C", "")]));
}

#[test]
fn as_another_user_it_is_wholly_theirs() {
    if !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can run a process as somebody else");
    }
    let user = User::from_name("nobody").unwrap().expect("there is one everywhere");
    // A child in the target directory may be out of reach for anybody else.
    let script =
        "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; pwd; touch {dir}/theirs; stat -c %u {dir} {dir}/theirs";
    let process = simple(sh(script)).user("nobody").start().unwrap();
    assert!(process.wait().unwrap().success(), "{}", process.output());
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let mut groups: Vec<u32> = getgrouplist(c"nobody", user.gid).unwrap().into_iter().map(Gid::as_raw).collect();
    groups.sort_unstable();
    let groups = groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let (home, dir) = (user.dir.display(), process.dir().display());
    let expected = format!("{uid}\n{gid}\n{groups}\n{home} nobody nobody\n{dir}\n{uid}\n{uid}\n");
    assert_eq!(process.stdout(), expected);
    assert_eq!(fs::metadata(process.dir()).unwrap().uid(), uid);
}

#[test]
fn as_another_user_it_is_signalled_and_ended_all_the_same() {
    if !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can run a process as somebody else");
    }
    let process = simple("sleep 60").user("nobody").start().unwrap();
    process.pause().unwrap();
    process.resume().unwrap();
    process.stop().unwrap();
    assert_eq!(process.exit().and_then(|exit| exit.signal()), Some(15));
}

#[test]
fn its_output_can_be_opened_again_by_whoever_it_is() {
    let script = "echo first; echo second > /dev/stdout; echo third > /dev/stderr";
    let check = |spec: Spec| {
        let process = spec.start().unwrap();
        assert!(process.wait().unwrap().success(), "{}", process.output());
        assert_eq!((process.stdout().as_str(), process.stderr().as_str()), ("first\nsecond\n", "third\n"));
    };
    check(simple(sh(script)));
    if !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can run a process as somebody else");
    }
    check(simple(sh(script)).user("nobody"));
}
