//! The corpus of the fuzzer, and mutations of its tokens that are the same every time.
//!
//! Bytes that are changed hardly ever lex; tokens always do. `PKIT_FUZZ_ROUNDS` is the number of mutations.

use std::path::Path;
use std::{env, fs};

use proc_macro2::{Group, TokenStream, TokenTree};

use super::{SEPARATOR, attribute, check};

/// Quick without optimization.
const ROUNDS: usize = 2000;

#[test]
fn what_was_found_once_stays_found() {
    sources().iter().for_each(|source| attribute(source.as_bytes()));
}

#[test]
fn changed_tokens_are_expanded_or_refused() {
    let inputs = inputs();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds() {
        let (attribute, _) = random.pick(&inputs);
        let (_, item) = random.pick(&inputs);
        let (attribute, item) = (changed(attribute, &inputs, &mut random), changed(item, &inputs, &mut random));
        let shown = format!("{attribute}{SEPARATOR}{item}");
        let checked = std::panic::catch_unwind(|| check(&attribute, &item));
        assert!(checked.is_ok(), "the panic is above, and this was its input:\n{shown}");
    }
}

fn rounds() -> usize {
    let set = env::var("PKIT_FUZZ_ROUNDS").ok();
    set.map_or(ROUNDS, |rounds| rounds.parse().expect("PKIT_FUZZ_ROUNDS is a number"))
}

/// In the order of the names. In the published package, which cargo marks by a file, there is no corpus.
fn sources() -> Vec<String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if package.join("Cargo.toml.orig").exists() {
        return vec![format!("db = a(\"x\", 0)?, api = b{SEPARATOR}#[test] fn f(db: &A, n: u8) -> R {{ n }}")];
    }
    let entries = fs::read_dir(package.join("../fuzz/corpus/attribute")).expect("the corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of the corpus").path()).collect();
    paths.sort();
    paths.iter().map(|path| String::from_utf8_lossy(&fs::read(path).expect("an input")).into_owned()).collect()
}

/// The attributes and the items that lex.
fn inputs() -> Vec<(TokenStream, TokenStream)> {
    let sources = sources();
    let parts = sources.iter().filter_map(|source| source.split_once(SEPARATOR));
    let lexed: Vec<_> = parts.filter_map(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?))).collect();
    assert!(!lexed.is_empty(), "no input of the corpus lexes");
    lexed
}

/// One to three changes, each at any depth.
fn changed(tokens: &TokenStream, inputs: &[(TokenStream, TokenStream)], random: &mut Random) -> TokenStream {
    let mut tokens = tokens.clone();
    for _ in 0..=random.below(3) {
        tokens = changed_once(tokens, inputs, random);
    }
    tokens
}

fn changed_once(tokens: TokenStream, inputs: &[(TokenStream, TokenStream)], random: &mut Random) -> TokenStream {
    let mut trees: Vec<TokenTree> = tokens.into_iter().collect();
    let at = random.below(trees.len() + 1);
    if let (Some(TokenTree::Group(group)), true) = (trees.get(at), random.below(3) > 0) {
        let inside = changed_once(group.stream(), inputs, random);
        trees[at] = Group::new(group.delimiter(), inside).into();
        return trees.into_iter().collect();
    }
    match random.below(4) {
        0 if at < trees.len() => drop(trees.remove(at)),
        1 if at < trees.len() => trees[at] = other(inputs, random),
        2 if at < trees.len() => {
            let with = random.below(trees.len());
            trees.swap(at, with);
        }
        _ => trees.insert(at, other(inputs, random)),
    }
    trees.into_iter().collect()
}

/// Some token of some input, from any depth.
fn other(inputs: &[(TokenStream, TokenStream)], random: &mut Random) -> TokenTree {
    let (attribute, item) = random.pick(inputs).clone();
    let mut trees: Vec<TokenTree> = attribute.into_iter().chain(item).collect();
    loop {
        match random.pick(&trees).clone() {
            TokenTree::Group(group) if !group.stream().is_empty() && random.below(3) > 0 => {
                trees = group.stream().into_iter().collect();
            }
            tree => return tree,
        }
    }
}

/// A generator of Marsaglia's, xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is below a usize")
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
