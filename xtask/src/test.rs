//! `cargo xtask test`: all tests, under both runners, with the servers that can be had.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::gauntlet::{Counts, Gauntlet, Verdict};
use crate::run::cargo;
use crate::servers::{LEFT_OUT_VARIABLE, SERVERS_VARIABLE};
use crate::{install, outside, run, survivors, target_directory};

/// The tests of crashes and of sharing bring runners of their own, nextest among them, and take as long as all others together: once
/// is enough.
const OF_NEXTEST: [&str; 3] = ["--no-fail-fast", "--filterset", "not (binary(crash) or binary(shared))"];

/// Runs them all.
pub(crate) fn run(gauntlet: &mut Gauntlet) {
    let servers = install::available().join(",");
    // Documentation tests are part of the first; the second cannot run them.
    gauntlet.step("tests under libtest", || {
        counted("libtest", &servers, cargo(&["test", "--workspace", "--no-fail-fast"]))
    });
    gauntlet.step("tests under nextest", || match outside::nextest() {
        Ok(()) => counted("nextest", &servers, cargo(&[&["nextest", "run", "--workspace"], &OF_NEXTEST[..]].concat())),
        Err(why) => Verdict::Skipped(why),
    });
    gauntlet.step("survivors", survivors::none);
}

/// Runs tests and counts those that said that they were left out: they passed, by the runner's count.
fn counted(runner: &str, servers: &str, mut command: Command) -> Verdict {
    let list = left_out_file(runner);
    let _ = fs::remove_file(&list); // Of an earlier run, if there is one.
    command.env(SERVERS_VARIABLE, servers).env(LEFT_OUT_VARIABLE, &list);
    let verdict = run::tests(command);
    let text = fs::read_to_string(&list).unwrap_or_default();
    eprint!("{text}");
    without(verdict, u32::try_from(text.lines().count()).unwrap_or(u32::MAX))
}

fn left_out_file(runner: &str) -> PathBuf {
    let directory = target_directory().join("xtask");
    fs::create_dir_all(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    directory.join(format!("left-out-{runner}"))
}

fn without(verdict: Verdict, left_out: u32) -> Verdict {
    let moved = |counts: Counts| Counts {
        passed: counts.passed.saturating_sub(left_out),
        skipped: counts.skipped + left_out,
        ..counts
    };
    match verdict {
        Verdict::Passed(counts) => Verdict::Passed(moved(counts)),
        Verdict::Failed(counts, why, evidence) => Verdict::Failed(moved(counts), why, evidence),
        Verdict::Skipped(why) => Verdict::Skipped(why),
    }
}
