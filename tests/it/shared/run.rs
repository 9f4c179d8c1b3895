//! Runs of their own: the runner is a process that does nothing else, and whose end is the end of the run.

use std::process::{Child as Process, Command, Stdio};

use crate::child::{Child, child, wait_until};
use crate::nested::{Ended, Victim, victim};

/// A run, which ends with this value.
#[derive(Debug)]
pub(crate) struct Run {
    runner: Process,
    /// The last of all: it looks whether anybody still executes it.
    _program: Child,
}

/// A new one.
pub(crate) fn run() -> Run {
    let program = child("sleeper");
    let runner = Command::new(program.path()).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    Run { runner: runner.expect("it can be run"), _program: program }
}

impl Run {
    /// A victim that is a test of this run.
    pub(crate) fn victim(&self, name: &'static str) -> Victim {
        victim(name).env("PKIT_RUN_ID", &self.id())
    }

    /// As `PKIT_RUN_ID` says it.
    pub(crate) fn id(&self) -> String {
        format!("test@{}", self.runner.id())
    }

    /// What people are told of it.
    pub(crate) fn shown(&self) -> String {
        format!("PKIT_RUN_ID={} (process {})", self.id(), self.runner.id())
    }

    /// Ends it, and sees that nothing of it is left: neither what the victims have shared nor what has kept it.
    #[track_caller]
    pub(crate) fn leaves_nothing_of(mut self, victim: &Victim, ended: &[Ended]) {
        self.end();
        ended.iter().for_each(|ended| victim.will_be_gone(ended));
    }

    fn end(&mut self) {
        // It may be over by now.
        let _ = self.runner.kill();
        self.runner.wait().expect("it is ours");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a victim has said of something: the rest of a line that begins with that word.
#[track_caller]
pub(crate) fn said<'a>(ended: &'a Ended, word: &str) -> Vec<&'a str> {
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    ended.stdout.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
}

/// Waits until a process is gone that nobody here is the parent of.
pub(crate) fn wait_gone(pid: u32) {
    wait_until(|| pkit_test_tests::process::stat(pid).is_none());
}
