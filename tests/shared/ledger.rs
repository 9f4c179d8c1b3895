//! What the servers and tests of a scene have written down.

use std::fs;
use std::path::{Path, PathBuf};

use pkit_test_tests::nested::until;

use crate::scene::HANG;

/// The file.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) path: PathBuf,
}

/// A line: what happened to whom, in which process, and more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) ns: i128,
    pub(crate) happened: String,
    pub(crate) whom: String,
    pub(crate) pid: u32,
    pub(crate) more: String,
}

impl Ledger {
    pub(crate) fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(&self.path).unwrap_or_default(); // Before the first line there is no file.
        text.lines().filter_map(Line::parse).collect()
    }

    /// All lines of that kind.
    pub(crate) fn all(&self, happened: &str) -> Vec<Line> {
        self.lines().into_iter().filter(|line| line.happened == happened).collect()
    }

    /// How often that happened to it.
    pub(crate) fn count(&self, happened: &str, whom: &str) -> usize {
        self.all(happened).iter().filter(|line| line.whom == whom).count()
    }

    /// Waits until there are so many lines of that kind: for whoever is to do something in the middle of a run.
    pub(crate) fn wait_for(&self, happened: &str, count: usize) {
        let has_them = until(HANG, || (self.all(happened).len() >= count).then_some(()));
        assert!(has_them.is_some(), "less than {count} of `{happened}`:\n{}", self.text());
    }

    /// Each of them was started so often.
    pub(crate) fn check_starts(&self, wanted: &[(&str, usize)]) {
        let counted: Vec<_> = wanted.iter().map(|&(name, _)| (name, self.count("start", name))).collect();
        assert_eq!(counted, wanted, "starts\n{}", self.text());
    }

    /// Whatever was made for one test is gone when the server ends, and no two tests were given the same name.
    pub(crate) fn check_views(&self) {
        let left: Vec<Line> =
            self.all("end").into_iter().filter(|line| line.whom == "db" && line.more != "0").collect();
        assert_eq!(left, [], "ended with views that nobody has undone\n{}", self.text());
        let mut seats: Vec<String> = self.all("seat").into_iter().map(|line| line.more).collect();
        let made = seats.len();
        seats.sort();
        seats.dedup();
        assert_eq!(seats.len(), made, "two tests had the same seat\n{}", self.text());
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_else(|error| format!("{}: {error}", self.path.display()))
    }
}

impl Line {
    fn parse(line: &str) -> Option<Line> {
        let mut words = line.splitn(5, ' ');
        Some(Line {
            ns: words.next()?.parse().ok()?,
            happened: words.next()?.to_owned(),
            whom: words.next()?.to_owned(),
            pid: words.next()?.parse().ok()?,
            more: words.next()?.to_owned(),
        })
    }
}

/// The ledger in that directory.
pub(crate) fn ledger_in(directory: &Path) -> Ledger {
    Ledger { path: directory.join("ledger") }
}
