//! Runs in which nothing goes wrong: each server is started once.

use std::process::Stdio;

use crate::ledger::Ledger;
use crate::said::Said;
use crate::scene::{CROWD, SOME, Scene, run};

/// Every server of the crowd, once.
pub(crate) const ONCE: [(&str, usize); 6] =
    [("db", 1), ("solo", 1), ("store", 1), ("front", 1), ("fragile", 1), ("function", 1)];

/// How many tests [`SOME`] are.
const OF_SOME: usize = 57;

pub(crate) fn nextest(scene: &Scene) {
    check(&run(&mut scene.nextest(CROWD)), &scene.ledger, 180);
}

pub(crate) fn cargo_test(scene: &Scene) {
    check(&run(&mut scene.cargo_test(&[])), &scene.ledger, 180);
}

pub(crate) fn eight_threads(scene: &Scene) {
    check(&run(&mut scene.cargo_test(&["--test-threads=8"])), &scene.ledger, 180);
}

/// The first attempt of some is killed in the middle.
pub(crate) fn retries(scene: &Scene) {
    let said = run(scene.nextest(SOME).args(["--retries", "2"]).env("CROWD_TROUBLE", "attempt"));
    assert!(said.status.success(), "{}", said.text);
    said.check_no_leak();
    assert!(
        said.verdicts().iter().any(|(verdict, _)| verdict == "TRY 2 PASS"),
        "nothing was tried again: {}",
        said.text
    );
    scene.ledger.check_starts(&ONCE);
    scene.ledger.check_views();
}

pub(crate) fn stress(scene: &Scene) {
    check(&run(scene.nextest(SOME).args(["--stress-count", "2"])), &scene.ledger, 2 * OF_SOME);
}

/// Of the same binaries, in the same directories.
pub(crate) fn two_runs(scene: &Scene) {
    let ledgers = ["one", "other"].map(|name| scene.ledger_of(name));
    let begun = ledgers.each_ref().map(|ledger| {
        let mut command = scene.nextest(SOME);
        command.env("CROWD_LEDGER", &ledger.path).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it can be run")
    });
    let said = begun.map(|runner| Said::of(runner.wait_with_output().expect("it is our child")));
    said.iter().zip(&ledgers).for_each(|(said, ledger)| check(said, ledger, OF_SOME));
}

fn check(said: &Said, ledger: &Ledger, tests: usize) {
    said.check_passed(tests);
    assert_eq!(ledger.all("passed").len(), tests, "{}", ledger.text());
    ledger.check_starts(&ONCE);
    ledger.check_views();
}
