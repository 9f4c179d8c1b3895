//! The functions with processes of a test file, as they are written: what stands above them and what is said of them.
//!
//! Read line by line, which is enough for files that rustfmt has laid out.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// A function with our attribute and a comment.
#[derive(Debug)]
pub(crate) struct Function {
    /// Its own name, or that of the test that calls it.
    pub(crate) name: String,
    /// The paths of its attributes from top to bottom, and then those of its parameters.
    pub(crate) attributes: Vec<String>,
    pub(crate) comment: String,
    /// From its first attribute to its name.
    pub(crate) lines: RangeInclusive<usize>,
    /// Whether it is a test by itself, and not only called by one.
    pub(crate) is_test: bool,
}

/// A file below the directory of the tests.
pub(crate) fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

pub(crate) fn text(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The functions with a comment and our attribute, in the order of the file. One that is no test is called by the test
/// that comes next, and has its name.
pub(crate) fn functions(source: &str) -> Vec<Function> {
    let (mut all, mut block) = (Vec::new(), Block::default());
    for (line, number) in source.lines().zip(1..) {
        if let Some(function) = block.read(line.trim(), number) {
            all.push(function);
        }
    }
    let mut next = String::new();
    for function in all.iter_mut().rev() {
        match function.is_test {
            true => next.clone_from(&function.name),
            false => function.name.clone_from(&next),
        }
    }
    all.retain(|function| {
        function.attributes.iter().any(|path| path == "with_processes") && !function.comment.is_empty()
    });
    all
}

/// The lines above a function.
#[derive(Default)]
struct Block {
    comment: Vec<String>,
    attributes: Vec<String>,
    first: Option<usize>,
}

impl Block {
    fn read(&mut self, line: &str, number: usize) -> Option<Function> {
        if let Some(comment) = line.strip_prefix("///") {
            self.comment.push(comment.trim().to_owned());
        } else if let Some(attribute) = line.strip_prefix("#[").filter(|_| line.ends_with(']')) {
            self.first.get_or_insert(number);
            self.attributes.extend(shown(attribute));
        } else {
            assert!(!line.starts_with("#[with_processes"), "line {number}: it has to be on one line here");
            let function = name(line).map(|name| self.function(name, line, number));
            *self = Block::default();
            return function;
        }
        None
    }

    fn function(&mut self, name: &str, line: &str, number: usize) -> Function {
        let mut attributes = std::mem::take(&mut self.attributes);
        let is_test = attributes.iter().any(|path| path.ends_with("test") || path.starts_with("test_log::"));
        attributes.extend(of_parameters(line));
        attributes.dedup_by(|one, other| one == other && one == "case");
        let lines = self.first.unwrap_or(number)..=number;
        Function { name: name.to_owned(), attributes, comment: self.comment.join(" "), lines, is_test }
    }
}

/// The path of an attribute, and what is in brackets if that is another one. What says nothing of the order is left out.
fn shown(attribute: &str) -> Option<String> {
    let end = attribute.find(['(', ']', ' ']).unwrap_or(attribute.len());
    let path = &attribute[..end];
    match path {
        "cfg_attr" | "expect" => None,
        "case::with_a_name" => Some("case".to_owned()),
        "test_log::test" => Some(attribute.trim_end_matches(']').to_owned()),
        _ => Some(path.to_owned()),
    }
}

/// What a parameter says, but for `#[case]`, which the function says too.
fn of_parameters(line: &str) -> Vec<String> {
    let pieces = line.split("#[").skip(1).filter_map(|piece| piece.split(['(', ']']).next());
    let mut paths: Vec<String> = pieces.filter(|path| *path != "case").map(str::to_owned).collect();
    paths.dedup();
    paths
}

fn name(line: &str) -> Option<&str> {
    let (before, tail) = line.split_once("fn ")?;
    let is_signature = before.split_whitespace().all(|word| word == "async" || word.starts_with("pub"));
    tail.split(['(', '<']).next().filter(|_| is_signature)
}
