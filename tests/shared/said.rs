//! What a runner said when it was done.

use std::process::{ExitStatus, Output};

/// All of it.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Said {
        let text = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Said { status: output.status, text }
    }

    /// All is well, and this many tests have passed.
    pub(crate) fn check_passed(&self, wanted: usize) {
        assert!(self.status.success(), "{}", self.text);
        self.check_no_leak();
        assert_eq!(self.passed(), wanted, "{}", self.text);
    }

    pub(crate) fn check_no_leak(&self) {
        assert!(!self.text.contains("LEAK") && !self.text.contains("leaky"), "{}", self.text);
    }

    /// Of nextest, or of as many binaries as cargo has run.
    pub(crate) fn passed(&self) -> usize {
        let of_nextest = self.verdicts().iter().filter(|(verdict, _)| verdict == "PASS").count();
        let counts = self.text.lines().filter_map(|line| line.strip_prefix("test result: ")?.split_once(". "));
        let numbers = counts.filter_map(|(_, counts)| counts.split(' ').next()?.parse::<usize>().ok());
        of_nextest + numbers.sum::<usize>()
    }

    /// What nextest said of each test that it ran: lines are `PASS [   0.1s] (1/9) crowd::alpha crowd::n01`. Of a test that was
    /// tried again there are several.
    pub(crate) fn verdicts(&self) -> Vec<(String, String)> {
        let verdict = |line: &str| {
            let (word, rest) = line.split_once(" [")?;
            let (_, names) = rest.split_once("] ")?;
            let mut names = names.split_whitespace().rev();
            let (test, binary) = (names.next()?, names.next()?);
            let is_one = binary.starts_with("crowd::") && test.contains("::");
            is_one.then(|| (word.trim().to_owned(), format!("{binary} {test}")))
        };
        // What is no verdict yet, or never one.
        let is_final = |word: &str| !["SKIP", "SLOW", "TERMINATING"].contains(&word);
        self.text.lines().filter_map(verdict).filter(|(word, _)| is_final(word)).collect()
    }

    /// What it showed of a test that failed: all between its last verdict and the next one.
    pub(crate) fn output_of(&self, test: &str) -> String {
        let is_verdict = |line: &str| line.contains("] ") && line.contains(" crowd::");
        let last_two = |line: &str| line.split_whitespace().rev().take(2).eq(test.split_whitespace().rev());
        let lines: Vec<&str> = self.text.lines().collect();
        let Some(at) = lines.iter().rposition(|line| is_verdict(line) && last_two(line)) else { return String::new() };
        lines[at + 1..].iter().take_while(|line| !is_verdict(line)).map(|line| format!("{line}\n")).collect()
    }

    /// Those that did not pass, with the word for it.
    pub(crate) fn failures(&self) -> Vec<(String, String)> {
        self.verdicts().into_iter().filter(|(verdict, _)| verdict != "PASS").collect()
    }
}
