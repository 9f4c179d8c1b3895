//! What was tried and how it went: the table at the end, and the one line below it.

use std::fmt::{self, Display};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How a step went.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It holds.
    Passed(Counts),
    /// It does not, or it could not be found out though it should have been; with what is to be read about it.
    Failed(Counts, String, Evidence),
    /// It could not be tried here, and why.
    Skipped(String),
}

/// Lines of the output of a step that failed.
pub(crate) type Evidence = Vec<String>;

/// Tests by outcome. A step that runs none counts as one itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

#[derive(Debug)]
struct Step {
    name: String,
    verdict: Verdict,
    took: Duration,
}

/// All steps so far.
#[derive(Debug, Default)]
pub(crate) struct Gauntlet {
    steps: Vec<Step>,
}

impl Gauntlet {
    /// Takes one step, and goes on whatever comes of it: one run is to show everything that is wrong.
    pub(crate) fn step(&mut self, name: impl Into<String>, act: impl FnOnce() -> Verdict) {
        let name = name.into();
        eprintln!("\n=== {name}");
        let began = Instant::now();
        let verdict = act();
        self.steps.push(Step { name, verdict, took: began.elapsed() });
    }

    /// Prints what failed once more, the table and the sum: of a long log often only the end is kept.
    pub(crate) fn report(&self) -> ExitCode {
        for step in &self.steps {
            step.repeat_evidence();
        }
        println!("\n{:<38} {:<8} {:>8}  note", "step", "verdict", "time");
        for step in &self.steps {
            println!("{step}");
        }
        let sum = self.steps.iter().map(|step| step.verdict.counts()).fold(Counts::default(), Counts::plus);
        println!("\n{sum}");
        if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl Step {
    fn repeat_evidence(&self) {
        if let Verdict::Failed(_, _, evidence) = &self.verdict {
            println!("\n=== once more: {}", self.name);
            evidence.iter().for_each(|line| println!("{line}"));
        }
    }
}

impl Verdict {
    /// For a step that is one check.
    pub(crate) fn of(result: Result<(), String>) -> Verdict {
        match result {
            Ok(()) => Verdict::Passed(Counts::default()),
            Err(why) => Verdict::Failed(Counts::default(), why, Evidence::new()),
        }
    }

    /// Both, where the first one passed.
    pub(crate) fn and(self, next: impl FnOnce() -> Verdict) -> Verdict {
        let Verdict::Passed(first) = self else { return self };
        match next() {
            Verdict::Passed(second) => Verdict::Passed(first.plus(second)),
            Verdict::Failed(second, why, evidence) => Verdict::Failed(first.plus(second), why, evidence),
            Verdict::Skipped(why) => Verdict::Skipped(why),
        }
    }

    fn counts(&self) -> Counts {
        let at_least_one = |counts: Counts, one: Counts| if counts == Counts::default() { one } else { counts };
        match self {
            Verdict::Passed(counts) => at_least_one(*counts, Counts { passed: 1, ..Counts::default() }),
            // A run of tests can fail though no test did: it did not build, or left something behind.
            Verdict::Failed(counts, ..) => Counts { failed: counts.failed.max(1), ..*counts },
            Verdict::Skipped(_) => Counts { skipped: 1, ..Counts::default() },
        }
    }
}

impl Counts {
    pub(crate) fn plus(self, other: Counts) -> Counts {
        Counts {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, note) = match &self.verdict {
            Verdict::Passed(counts) if *counts == Counts::default() => ("passed", String::new()),
            Verdict::Passed(counts) => ("passed", counts.to_string()),
            Verdict::Failed(_, why, _) => ("FAILED", why.clone()),
            Verdict::Skipped(why) => ("skipped", why.clone()),
        };
        let line = format!("{:<38} {word:<8} {:>6.1} s  {note}", self.name, self.took.as_secs_f64());
        f.write_str(line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(verdict: &Verdict) -> String {
        verdict.counts().to_string()
    }

    #[test]
    fn a_step_counts_as_one_or_as_its_tests() {
        let tests = Counts { passed: 7, failed: 0, skipped: 2 };
        assert_eq!(sum(&Verdict::of(Ok(()))), "1 passed, 0 failed, 0 skipped");
        assert_eq!(sum(&Verdict::Passed(tests)), "7 passed, 0 failed, 2 skipped");
        assert_eq!(sum(&Verdict::Failed(tests, "LEAK".into(), Evidence::new())), "7 passed, 1 failed, 2 skipped");
        assert_eq!(sum(&Verdict::Skipped("no tool".into())), "0 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn what_follows_is_tried_where_the_first_one_passed() {
        let tests = |passed| Verdict::Passed(Counts { passed, failed: 0, skipped: 0 });
        assert_eq!(sum(&tests(3).and(|| tests(4))), "7 passed, 0 failed, 0 skipped");
        let fails = || Verdict::of(Err("why".into()));
        assert_eq!(sum(&tests(3).and(fails)), "3 passed, 1 failed, 0 skipped");
        assert_eq!(sum(&fails().and(|| unreachable!("it has failed"))), "0 passed, 1 failed, 0 skipped");
    }
}
