//! Runs a target over its corpus, and over mutations of it that are the same every time.
//!
//! `PKIT_FUZZ_ROUNDS` is the number of mutations of each target.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::mutation::{Random, mutated};
use super::{TARGETS, Target};

/// Quick without optimization, and enough to reach what the corpus lies near.
const ROUNDS: usize = 1000;

pub(super) fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of the table");
    let inputs = corpus(name);
    inputs.iter().for_each(|input| run(target, input));
    let mut random = Random::new(name);
    for _ in 0..rounds() {
        run(target, &mutated(&inputs, &mut random, target.most_bytes));
    }
}

fn rounds() -> usize {
    let set = env::var("PKIT_FUZZ_ROUNDS").ok();
    set.map_or(ROUNDS, |rounds| rounds.parse().expect("PKIT_FUZZ_ROUNDS is a number"))
}

/// Says which input it was, since the panic says only what did not hold.
fn run(target: &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        eprintln!("the target `{}` panicked over b\"{}\"", target.name, input.escape_ascii());
        resume_unwind(panic);
    }
}

/// In the order of the names: mutations are to be the same on every machine.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let Some(directory) = directory() else { return vec![Vec::new()] };
    let entries = fs::read_dir(directory.join(name)).unwrap_or_else(|error| panic!("the corpus of `{name}`: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of the corpus").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "the corpus of `{name}` is empty");
    paths.iter().map(|path| fs::read(path).expect("an input of the corpus")).collect()
}

/// None in the published package, which cargo marks by this file: there are no corpora in it.
fn directory() -> Option<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    (!package.join("Cargo.toml.orig").exists()).then(|| package.join("../fuzz/corpus"))
}

#[test]
fn each_target_has_a_corpus_and_each_corpus_a_target() {
    let Some(directory) = directory() else { return };
    let entries = fs::read_dir(directory).expect("the corpora").map(|entry| entry.expect("an entry").file_name());
    let mut found: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    // The attribute is a crate of its own, whose tests replay it.
    let mut expected: Vec<_> = TARGETS.iter().map(|target| target.name).chain(["attribute"]).collect();
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
