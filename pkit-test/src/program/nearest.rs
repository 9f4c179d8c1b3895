//! The program that was probably meant: the nearest name by edit distance.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::is_executable;

/// How many files are looked at in all, so that an error about a huge directory is still an error at once.
const FILES_LIMIT: usize = 50_000;

/// The executable with the nearest name in these directories, if one is near enough to be meant.
pub(super) fn nearest_program(name: &OsStr, dirs: &[PathBuf]) -> Option<String> {
    let name = name.to_str()?;
    let files = dirs.iter().flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
    let named = files.take(FILES_LIMIT).filter_map(|file| Some((file.file_name().into_string().ok()?, file.path())));
    let near = named.filter_map(|(other, path)| Some((near_distance(name, &other)?, other, path)));
    // Equal distances are settled by the name: the same mistake gives the same text.
    let nearest = near.filter(|(_, _, path)| is_program(path)).min();
    nearest.map(|(_, other, _)| other)
}

/// The nearest of some names, if one is near enough to be meant.
pub(crate) fn nearest_name<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names.into_iter().filter_map(|other| Some((near_distance(name, other)?, other))).min().map(|(_, other)| other)
}

fn is_program(path: &Path) -> bool {
    path.is_file() && is_executable(path)
}

/// The distance of two different names, if a third of the letters at most differ; a difference in case alone is none.
fn near_distance(wanted: &str, other: &str) -> Option<usize> {
    let limit = (wanted.chars().count() / 3).max(1);
    if wanted == other || wanted.len().abs_diff(other.len()) > 4 * limit {
        return None;
    }
    let distance = edit_distance(&wanted.to_lowercase(), &other.to_lowercase());
    (distance <= limit).then_some(distance)
}

/// How many letters have to be inserted, removed, replaced or swapped with their neighbour.
fn edit_distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<_>, Vec<_>) = (from.chars().collect(), to.chars().collect());
    let mut before = vec![0; to.len() + 1];
    let mut above: Vec<_> = (0..=to.len()).collect();
    for row in 1..=from.len() {
        let mut line = vec![row];
        for column in 1..=to.len() {
            let replaced = above[column - 1] + usize::from(from[row - 1] != to[column - 1]);
            let mut best = replaced.min(above[column] + 1).min(line[column - 1] + 1);
            if row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1] {
                best = best.min(before[column - 2] + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_typing_hand() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("redis-sever", "redis-server", 1),
            ("reids", "redis", 1),
            ("kitten", "sitting", 3),
            ("größe", "grösse", 2),
            ("ab", "ba", 1),
        ] {
            assert_eq!(edit_distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn the_nearest_of_some_names_is_offered() {
        assert_eq!(nearest_name("prot", ["addr", "port", "host"]), Some("port"));
        assert_eq!(nearest_name("db", ["cache"]), None);
    }

    #[test]
    fn far_names_are_not_offered() {
        assert_eq!(near_distance("redis-sever", "redis-server"), Some(1));
        assert_eq!(near_distance("Redis", "redis"), Some(0));
        assert_eq!(near_distance("ls", "cp"), None);
        assert_eq!(near_distance("ls", "lss"), Some(1));
        assert_eq!(near_distance("same", "same"), None);
        assert_eq!(near_distance("postgres", "initdb"), None);
    }
}
