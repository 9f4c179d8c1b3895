use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::sys::child::{Side, exit_now, fork, parent_pid};
use crate::sys::random;
use crate::sys::wait::eventually;

/// What a process that runs [`seeker`] does before it looks.
const SEEKER: &str = "PKIT_TEST_UNIT_SEEKER";

/// A process above the seeker: its name, what it is called here, and how it runs what is below it.
type Level = (&'static str, &'static str, &'static str);

const NEXTEST: &str = "cargo-nextest";
const A: &str = "NEXTEST_RUN_ID=a";
const B: &str = "NEXTEST_RUN_ID=b";

/// A line of shells, each a process of its own with a name of its own, and a seeker at the end of it.
struct Tree {
    directory: PathBuf,
}

impl Tree {
    fn new() -> Tree {
        let directory = env::temp_dir().join(format!("pkit-run-tests-{:x}", random::random()));
        fs::create_dir(&directory).unwrap();
        Tree { directory }
    }

    /// A shell of that name.
    fn shell(&self, name: &str) -> PathBuf {
        let path = self.directory.join(name);
        if !path.exists() {
            symlink("/bin/sh", &path).unwrap();
        }
        path
    }

    /// Each says its id, and waits for what it runs: a shell would become the last of its commands.
    fn script(&self, levels: &[Level]) -> String {
        let Some(((name, label, way), below)) = levels.split_first() else {
            let binary = env::current_exe().unwrap();
            return format!("'{}' --exact shared::run::tests::seeker --nocapture --quiet", binary.display());
        };
        let script = format!("echo {label}=$$; {way} {}; true", self.script(below));
        format!("{} -c {}", self.shell(name).display(), shell_words::quote(&script))
    }

    /// What the seeker has found, with what was found by its label.
    fn seek(&self, levels: &[Level], task: &str) -> String {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{}; true", self.script(levels))).env(SEEKER, task).stdin(Stdio::null());
        for variable in [NEXTEST_RUN_ID, PKIT_RUN_ID, "CARGO_PKG_NAME"] {
            command.env_remove(variable);
        }
        let said = command.output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let all = said.lines().filter_map(|line| line.split_once("found: ")).map(|(_, found)| labelled(found, &said));
        let all: Vec<String> = all.collect();
        assert!(!all.is_empty(), "{said}");
        all.join("; ")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

/// With the label of a process in place of its id.
fn labelled(found: &str, said: &str) -> String {
    let labels = said.lines().filter_map(|line| line.split_once('='));
    let label = |pid: &str| labels.clone().find(|(_, known)| *known == pid).map_or("?", |(label, _)| label).to_owned();
    found
        .split(' ')
        .map(|word| word.strip_prefix('#').map_or_else(|| word.to_owned(), label))
        .collect::<Vec<_>>()
        .join(" ")
}

#[track_caller]
fn check(levels: &[Level], expected: &str) {
    check_task(levels, "", expected);
}

#[track_caller]
fn check_task(levels: &[Level], task: &str, expected: &str) {
    assert_eq!(Tree::new().seek(levels, task), expected, "{levels:?}");
}

/// What this process finds, with the id of the runner.
fn found() -> String {
    match of_this_process() {
        Err(error) => error.to_string().replace('\n', " |"),
        Ok(run) if run.is_own => format!("{} itself", how(run)),
        Ok(run) => format!("{} #{}", how(run), run.runner),
    }
}

fn how(run: &TestRun) -> &'static str {
    match run.how {
        How::Said(_) => "said",
        How::Nextest => "nextest",
        How::Cargo => "cargo",
        How::Own => "own",
    }
}

/// The process at the end of a line.
#[test]
fn seeker() {
    let Ok(task) = env::var(SEEKER) else { return };
    match task.as_str() {
        "orphan" => {
            let parent: i32 = env::var("PARENT").unwrap().parse().unwrap();
            eventually(|| parent_pid() != parent);
        }
        "nobody" => nix::unistd::setresuid(65_534.into(), 65_534.into(), 65_534.into()).unwrap(),
        "environment" => {
            let environment = of_this_process().unwrap().environment();
            let value =
                |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let values = ["MARK", "CARGO_PKG_NAME", NEXTEST_RUN_ID].map(value);
            println!("found: {}", values.map(|value| value.unwrap_or("none".into()).into_string().unwrap()).join(" "));
        }
        _ => {}
    }
    if task != "environment" {
        println!("found: {}", found());
    }
    if task == "fork" {
        in_fork(|| println!("found: {}", found()));
    }
}

/// The threads of the harness wait, and so hold no lock that is wanted here.
fn in_fork(work: impl FnOnce()) {
    match fork().unwrap() {
        Side::Child => {
            work();
            exit_now(0);
        }
        Side::Parent { child } => crate::sys::child::wait_for(child),
    }
}

#[test]
fn the_runner_is_nextest_whose_id_its_tests_have() {
    check(&[(NEXTEST, "outer", A)], "nextest outer");
    check(&[(NEXTEST, "outer", A), ("sh", "wrapper", "")], "nextest outer");
    check(&[(NEXTEST, "outer", A), ("sh", "one", ""), ("sh", "two", ""), ("sh", "three", "")], "nextest outer");
    check(&[("cargo", "far", ""), (NEXTEST, "outer", A), ("sh", "wrapper", "")], "nextest outer");
    check(&[(NEXTEST, "outer", "NEXTEST_RUN_ID=a setsid"), ("sh", "wrapper", "")], "nextest outer");
}

#[test]
fn of_several_runners_the_nearest_counts() {
    check(&[(NEXTEST, "outer", A), ("sh", "test", ""), (NEXTEST, "inner", B), ("sh", "x", "")], "nextest inner");
    check(&[(NEXTEST, "outer", A), ("sh", "test", ""), ("cargo", "inner", ""), ("sh", "x", "")], "cargo inner");
    check(&[("cargo", "far", ""), ("sh", "x", ""), ("cargo", "near", ""), ("sh", "y", "")], "cargo near");
    // A wrapper such as sudo has taken it away.
    check(&[("cargo", "far", ""), (NEXTEST, "outer", A), ("sh", "x", "env -u NEXTEST_RUN_ID")], "nextest outer");
}

#[test]
fn what_is_like_a_runner_is_none() {
    check(&[("cargo", "far", ""), ("cargo-watch", "x", ""), ("cargon", "y", "")], "cargo far");
    check(&[("cargo", "far", ""), ("my-nextest-tool", "x", "")], "cargo far");
    // What runs below a shim ends with it.
    check(&[("cargo", "far", ""), ("pkit-shim", "x", ""), ("sh", "y", "")], "own itself");
    check(&[("pkit-shim", "x", ""), ("cargo", "near", "")], "cargo near");
}

#[test]
fn a_runner_that_was_killed_is_not_replaced_by_who_adopts_its_tests() {
    let kills = "PARENT=$$ NEXTEST_RUN_ID=a";
    let orphaned = |levels: &[Level]| {
        let tree = Tree::new();
        let mut command = Command::new("sh");
        let killed = format!("echo killed=$$; {kills} {} & kill -KILL $$", tree.script(&[]));
        let nextest = format!("{} -c {}", tree.shell(NEXTEST).display(), shell_words::quote(&killed));
        let script = levels.iter().rev().fold(nextest, |below, (name, _, way)| {
            format!("{} -c {}", tree.shell(name).display(), shell_words::quote(&format!("{way} {below}; true")))
        });
        command.arg("-c").arg(script).env(SEEKER, "orphan").stdin(Stdio::null()).env_remove(PKIT_RUN_ID);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(said.contains("found: own itself"), "{said}");
    };
    orphaned(&[]);
    orphaned(&[("cargo", "far", "")]);
    orphaned(&[(NEXTEST, "outer", B)]);
}

#[test]
fn who_adopts_is_no_runner_below_one_either() {
    // The test of an outer run adopts what an inner one has left.
    let binary = env::current_exe().unwrap();
    let said = Command::new(binary)
        .args(["--exact", "shared::run::tests::reaper", "--nocapture", "--quiet"])
        .env(SEEKER, "orphan")
        .env("PKIT_TEST_UNIT_REAPER", "1")
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("found: own itself"), "{said}");
}

/// A subreaper with a nextest below it that is killed.
#[test]
fn reaper() {
    if env::var_os("PKIT_TEST_UNIT_REAPER").is_none() {
        return;
    }
    platform::become_subreaper().unwrap();
    let tree = Tree::new();
    let killed = format!("PARENT=$$ NEXTEST_RUN_ID=a {} & kill -KILL $$", tree.script(&[]));
    let mut nextest = Command::new(tree.shell(NEXTEST));
    nextest.arg("-c").arg(killed).env_remove(PKIT_RUN_ID).env_remove("PKIT_TEST_UNIT_REAPER");
    let said = nextest.output().unwrap();
    println!("{}", String::from_utf8_lossy(&said.stdout));
}

#[test]
fn where_an_environment_cannot_be_read_nothing_is_guessed() {
    if !user::may_change_user() {
        return eprintln!("left out: it takes root to be another user");
    }
    // Its name can be read, and says what it is.
    check_task(&[(NEXTEST, "outer", A)], "nobody", "nextest outer");
    // Nobody knows whether this one is a test of it.
    check_task(&[("cargo", "far", ""), (NEXTEST, "outer", A), ("sh", "wrapper", "")], "nobody", "own itself");
}

#[test]
fn a_fork_looks_for_itself() {
    check_task(&[("cargo", "outer", "")], "fork", "cargo outer; cargo outer");
    check_task(&[("cargo", "x", ""), ("pkit-shim", "y", "")], "fork", "own itself; own itself");
}

#[test]
fn a_setting_says_which_run_it_is() {
    let x = "PKIT_RUN_ID=x";
    check(&[("sh", "setter", x), ("sh", "wrapper", "")], "said setter");
    check(&[("cargo", "far", ""), ("sh", "setter", x), ("cargo", "near", "")], "said setter");
    check(&[("sh", "setter", x), (NEXTEST, "outer", A)], "said setter");
    check(&[("sh", "outer", x), ("sh", "inner", "PKIT_RUN_ID=y"), ("sh", "wrapper", "")], "said inner");
    // Whoever has made it a session of its own does not live as long.
    check(&[("sh", "x", "PKIT_RUN_ID=x setsid"), ("sh", "first", ""), ("sh", "second", "")], "said first");
    check(&[("sh", "named", "PKIT_RUN_ID=x@$$"), ("cargo", "near", "")], "said named");
}

#[test]
fn a_setting_that_cannot_be_is_an_error() {
    let said = |value: &str| find(Some(value)).unwrap_err().to_string();
    for (value, why) in [
        ("x@", "`` behind the @ is not the id of a process"),
        ("x@y", "`y` behind the @ is not the id of a process"),
        ("x@-1", "`-1` behind the @ is not the id of a process"),
        ("x@0", "`0` behind the @ is not the id of a process"),
        ("@1", "there is no name before the @"),
        ("x@2147483647", "there is no process 2147483647"),
    ] {
        let expected = format!("the run of this test was not found: PKIT_RUN_ID={value}: {why}\n  hint: ");
        assert!(said(value).starts_with(&expected), "{}", said(value));
    }
    let own = find(Some(&format!("x@{}", own_pid()))).unwrap();
    assert!(own.is_own && own.shown().starts_with("PKIT_RUN_ID=x@"), "{own:?}");
}

#[test]
fn runs_differ_in_all_that_they_are_known_by() {
    let run = |how: How, birth| TestRun::new(how, Identity { pid: 4711, birth }).key;
    let said = |text: &str| How::Said(text.to_owned());
    let keys = [run(How::Cargo, 1), run(How::Cargo, 2), run(said("x"), 1), run(said("y"), 1)];
    let different: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len(), "{keys:?}");
    // Another way to the same one is none of these.
    assert_eq!(run(How::Cargo, 1), run(How::Nextest, 1));
}

#[test]
fn the_environment_is_that_of_the_runner() {
    let levels: &[Level] =
        &[("sh", "x", "MARK=runner"), (NEXTEST, "outer", "MARK=test CARGO_PKG_NAME=p NEXTEST_RUN_ID=a")];
    check_task(levels, "environment", "runner none none");
    // That of this process, without what says which test it is.
    let own: &[Level] = &[("sh", "x", "MARK=own CARGO_PKG_NAME=p NEXTEST_RUN_ID=a"), ("pkit-shim", "y", "")];
    check_task(own, "environment", "own none none");
}

#[test]
fn a_run_is_over_with_its_runner() {
    let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let run = TestRun::new(How::Cargo, Identity::of(process.id() as i32).unwrap());
    assert!(!run.is_over());
    drop(process.stdin.take());
    // It has ended, and is still a zombie.
    eventually(|| run.is_over());
    process.wait().unwrap();
    assert!(run.is_over() && !Path::new(&format!("/proc/{}", run.runner)).exists());
}
