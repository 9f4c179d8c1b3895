//! Runs in which tests, servers and what owns them die: who has nothing to do with it does not notice.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::{env, fs};

use nix::sys::signal::Signal;
use pkit_test_tests::child::monotonic_ns;
use pkit_test_tests::nested::until;
use pkit_test_tests::process::{parent, signal_process, stat};

use crate::ledger::Ledger;
use crate::said::Said;
use crate::scene::{CROWD, HANG, Scene, run};

/// Those with the fragile server, and with one that keeps things.
const ASKING: &str = "test(/^many::n(00|06|12|18|24|30|36|42|48|54)/)";
/// Some of those come only then when something was done.
const LAST_ASK_LATER: &str = "gate:54";

/// Those with the one that is wanted by some for themselves.
const SOLO: &str = "test(/^many::n(05|11|17|23|29|35|41|47|53|59)/)";
const LAST_OF_SOLO_LATER: &str = "gate:59";

/// Killed in the very middle: the server runs, and is not yet ready.
pub(crate) fn starter_killed(scene: &Scene) {
    fs::write(scene.file("one-starter"), "").expect("it can be written");
    let said = run(scene.nextest(ASKING).env("CROWD_TROUBLE", "starter"));
    said.check_no_leak();
    let failures = said.failures();
    assert!(matches!(&failures[..], [(verdict, _)] if verdict == "SIGKILL"), "{failures:?}\n{}", said.text);
    scene.ledger.check_starts(&[("fragile", 2)]);
    // He may have started both of his; what was given to somebody is the same for all.
    assert!(["db", "fragile"].iter().all(|server| leased(&scene.ledger, server).len() == 1), "{}", scene.ledger.text());
}

/// At any moment of theirs. What has been given to somebody stays the same for all; a start that was not finished is another
/// one's to do.
pub(crate) fn a_tenth_killed(scene: &Scene) {
    let seed = chosen_seed();
    let said = run(scene.nextest(CROWD).env("CROWD_TROUBLE", format!("tenth:{seed}")));
    said.check_no_leak();
    check_all_were_killed(&said, &scene.ledger, seed);
    // Whoever has `solo` alone when he is killed may have left it in any state, so that one is started again.
    for server in ["db", "store", "front", "fragile", "function"] {
        assert_eq!(leased(&scene.ledger, server).len(), 1, "seed {seed}, {server}: {}", scene.ledger.text());
    }
    scene.ledger.check_views();
}

/// `PKIT_SHARED_SEED` has the same tests killed again.
fn chosen_seed() -> u64 {
    match env::var("PKIT_SHARED_SEED") {
        Ok(text) => text.parse().expect("PKIT_SHARED_SEED is a number"),
        Err(_) => u64::try_from(monotonic_ns() % 1_000_000).expect("it is small"),
    }
}

fn check_all_were_killed(said: &Said, ledger: &Ledger, seed: u64) {
    let failures: BTreeSet<String> =
        said.failures().into_iter().map(|(verdict, test)| format!("{verdict} {test}")).collect();
    let name = |whom: &str| whom.replacen("::", " many::", 1);
    let killed: BTreeSet<String> =
        ledger.all("killed").iter().map(|line| format!("SIGKILL crowd::{}", name(&line.whom))).collect();
    assert!(!killed.is_empty(), "nobody was killed, with seed {seed}");
    assert_eq!(failures, killed, "seed {seed}\n{}", said.text);
}

/// The ids of the processes that tests had a lease of.
fn leased(ledger: &Ledger, server: &str) -> BTreeSet<String> {
    let leases = ledger.all("lease").into_iter().filter_map(|line| {
        let (name, pid) = line.more.split_once(' ')?;
        (name == server).then(|| pid.to_owned())
    });
    leases.collect()
}

/// Started once, and all who wait have its last words; whoever wants it to be tried again has those of another one.
pub(crate) fn failed_start(scene: &Scene) {
    let said = run(&mut scene.nextest("test(/^broken::[a-d]$/)"));
    assert_eq!(said.failures().iter().filter(|(verdict, _)| verdict == "FAIL").count(), 4, "{}", said.text);
    scene.ledger.check_starts(&[("broken", 1)]);
    let pid = scene.ledger.all("start")[0].pid;
    assert_eq!(last_words(&said), vec![pid.to_string(); 4], "{}", said.text);

    // One after the other, in the order of their names: a run of its own, so that it is tried again.
    let said = run(&mut scene.nextest_in_order("test(/^broken::(d|tries_again)$/)"));
    scene.ledger.check_starts(&[("broken", 3)]);
    let pids: Vec<String> = scene.ledger.all("start")[1..].iter().map(|line| line.pid.to_string()).collect();
    assert_eq!(last_words(&said), pids, "{}", said.text);
}

/// Who it was that had no luck, once for each test.
fn last_words(said: &Said) -> Vec<String> {
    let words = said.text.lines().filter(|line| line.trim_start().starts_with("stderr:"));
    words.filter_map(|line| Some(line.split_once("no luck today, says ")?.1.to_owned())).collect()
}

pub(crate) fn server_dies(scene: &Scene) {
    let filter = format!("{ASKING} or test(=special::ends_the_server)");
    let said = run(scene.nextest(&filter).env("CROWD_TROUBLE", LAST_ASK_LATER));
    said.check_no_leak();
    scene.ledger.check_starts(&[("db", 2), ("fragile", 1)]);
    let failures = said.failures();
    assert!(failures.iter().any(|(_, test)| test.ends_with("special::ends_the_server")), "{}", said.text);
    check_failed_with(&said, "exit code 3");
    check_some_came_after(&scene.ledger, "db");
}

/// Each that has failed says why.
fn check_failed_with(said: &Said, why: &str) {
    for (verdict, test) in said.failures() {
        assert_eq!(verdict, "FAIL", "{test}\n{}", said.text);
        let output = said.output_of(&test);
        assert!(output.contains(why), "{test} does not say {why}:\n{output}\nall:\n{}", said.text);
    }
}

fn check_some_came_after(ledger: &Ledger, server: &str) {
    assert_eq!(leased(ledger, server).len(), 2, "{}", ledger.text());
}

/// What owns everything that is shared. All of it goes, and whoever comes then begins again.
pub(crate) fn broker_killed(scene: &Scene) {
    // Whoever still reaches it asks the next one.
    let said = disturbed(scene, Scene::broker, |_| true);
    check_failed_with(&said, "broker");
}

/// What owns one of the servers.
pub(crate) fn guardian_killed(scene: &Scene) {
    let guardian = |scene: &Scene| {
        let start = scene.ledger.all("start").into_iter().find(|line| line.whom == "db").expect("it was leased");
        let guardian = parent(start.pid).and_then(parent);
        guardian.expect("a shim is between the two")
    };
    // The broker is its parent, and before that knows it others are given what is about to end.
    let said = disturbed(scene, guardian, |guardian| stat(guardian).is_none());
    scene.ledger.check_starts(&[("fragile", 1)]);
    check_failed_with(&said, "killed together with its shim");
}

/// Kills one process when some tests have been served. Others come when its end is known.
fn disturbed(scene: &Scene, whom: impl FnOnce(&Scene) -> u32, is_known: impl Fn(u32) -> bool) -> Said {
    let runner = begun(scene, ASKING);
    scene.ledger.wait_for("lease", 12);
    let whom = whom(scene);
    signal_process(whom, Signal::SIGKILL).expect("it is there for the whole run");
    assert!(until(HANG, || is_known(whom).then_some(())).is_some(), "nobody hears of its end");
    scene.open_gate();
    let said = Said::of(runner.wait_with_output().expect("it is our child"));
    said.check_no_leak();
    assert_eq!(leased(&scene.ledger, "db").len(), 2, "{}\n{}", said.text, scene.ledger.text());
    assert_eq!(scene.ledger.count("start", "db"), 2, "{}\n{}", said.text, scene.ledger.text());
    said
}

fn begun(scene: &Scene, filter: &str) -> Child {
    let mut command = scene.nextest(filter);
    command
        .env("CROWD_TROUBLE", LAST_ASK_LATER)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be run")
}

/// Everybody after it has the one that was started then.
pub(crate) fn started_again(scene: &Scene) {
    let said = run(&mut scene.nextest(&format!("{SOLO} or test(=special::is_alone_and_starts_it_again)")));
    said.check_passed(31);
    scene.ledger.check_starts(&[("solo", 2)]);
}

pub(crate) fn left_stopped(scene: &Scene) {
    let filter = format!("{SOLO} or test(=special::is_alone_and_dies)");
    let said = run(scene.nextest(&filter).env("CROWD_TROUBLE", LAST_OF_SOLO_LATER));
    said.check_no_leak();
    let failures = said.failures();
    assert!(matches!(&failures[..], [(verdict, _)] if verdict == "SIGKILL"), "{failures:?}\n{}", said.text);
    scene.ledger.check_starts(&[("solo", 2)]);
}

/// One after the other, in the order of their names.
pub(crate) fn shown(scene: &Scene) {
    let said = run(&mut scene.nextest_in_order("test(/^special::.*says_and/)"));
    let output = said.output_of("crowd::alpha special::then_says_and_fails");
    assert!(output.contains("the second") && !output.contains("the first"), "{}", said.text);
    scene.ledger.check_starts(&[("db", 1)]);
}
