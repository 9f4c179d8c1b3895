//! Trees of processes, whoever lists them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// How much of a command line is shown.
const COMMAND_CHARS: usize = 240;

/// No real tree is deeper; what looks deeper changed while it was walked.
const DEPTH_LIMIT: usize = 4096;

/// Walks a tree that may change meanwhile: each process is visited once, even if it seems to be below itself.
pub(super) fn below(root: i32, mut children: impl FnMut(i32) -> Vec<i32>) -> Vec<i32> {
    let mut seen = HashSet::from([root]);
    let (mut found, mut next) = (Vec::new(), VecDeque::from([root]));
    while let Some(pid) = next.pop_front() {
        let new: Vec<_> = children(pid).into_iter().filter(|child| seen.insert(*child)).collect();
        next.extend(&new);
        found.extend(new);
    }
    found
}

/// Whether a process is `root` or below it, asking upwards.
pub(super) fn is_below(pid: i32, root: i32, parent: impl Fn(i32) -> Option<i32>) -> bool {
    // The parent of the first process is 0, which is nobody: nothing is below it.
    let known_parent = |pid: &i32| parent(*pid).filter(|parent| *parent > 0);
    let mut line = std::iter::successors(Some(pid), known_parent).take(DEPTH_LIMIT);
    line.any(|pid| pid == root)
}

/// Who is whose child.
pub(super) fn by_parent(
    processes: impl Iterator<Item = i32>,
    parent: impl Fn(i32) -> Option<i32>,
) -> HashMap<i32, Vec<i32>> {
    let mut by_parent = HashMap::<i32, Vec<i32>>::new();
    for pid in processes {
        if let Some(parent) = parent(pid) {
            by_parent.entry(parent).or_default().push(pid);
        }
    }
    by_parent
}

/// One line, not too long.
pub(super) fn for_people(words: &str) -> String {
    let printable = words.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = printable.take(COMMAND_CHARS + 1).collect();
    if shown.chars().count() > COMMAND_CHARS {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// The value of a variable among those that a process was given.
pub(super) fn value_of(given: &[u8], variable: &str) -> Option<Vec<u8>> {
    let mut variables = given.split(|byte| *byte == 0);
    variables.find_map(|one| Some(one.strip_prefix(variable.as_bytes())?.strip_prefix(b"=")?.to_vec()))
}

/// All of them. What is no variable, as it has no name or no value, is passed over.
pub(super) fn variables(given: &[u8]) -> Vec<(OsString, OsString)> {
    let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let pair = |one: &[u8]| {
        let name_end = one.iter().skip(1).position(|byte| *byte == b'=')? + 1;
        Some((text(&one[..name_end]), text(&one[name_end + 1..])))
    };
    given.split(|byte| *byte == 0).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_of_parents_ends() {
        let loop_of = HashMap::from([(1, vec![2]), (2, vec![3, 4]), (3, vec![1, 2])]);
        assert_eq!(below(1, |pid| loop_of.get(&pid).cloned().unwrap_or_default()), [2, 3, 4]);
        assert!(!is_below(3, 9, |pid| Some(if pid == 3 { 2 } else { 3 })));
    }

    #[test]
    fn a_command_for_people_is_one_short_line() {
        assert_eq!(for_people("a b\n\u{1b}[31mc  "), "a b  [31mc");
        assert_eq!(for_people(&"é".repeat(240)), "é".repeat(240));
        assert_eq!(for_people(&"é".repeat(241)), format!("{}…", "é".repeat(240)));
    }

    #[test]
    fn a_variable_is_known_by_its_whole_name() {
        let given = b"AB=1\0A=2=3\0=4\0A\0";
        assert_eq!(value_of(given, "A"), Some(b"2=3".to_vec()));
        assert_eq!(value_of(given, "B"), None);
    }

    #[test]
    fn what_is_no_variable_is_none() {
        let pair = |name: &str, value: &str| (name.into(), value.into());
        assert_eq!(variables(b"A=2=3\0B=\0\0=4\0C\0"), [pair("A", "2=3"), pair("B", "")]);
    }
}
