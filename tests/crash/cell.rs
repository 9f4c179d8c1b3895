//! One cell of the matrix: one end, one child, some surroundings, and what is left afterwards.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pkit_test_tests::child::wait_ms;
use pkit_test_tests::nested::until;
use pkit_test_tests::private::{Private, survivors, wait_gone};
use pkit_test_tests::process::stat;

use crate::children::Child;
use crate::deed::{Scene, perform};
use crate::ends::{End, Ended, FAILED, Victim};
use crate::lines::Lines;
use crate::project::{Project, clean};
use crate::promise::Promise;
use crate::surrounding::{PLAIN, Surrounding};

/// Only catches a hang. Everything that is waited for takes a few seconds at most, on a busy machine as well.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// What is not promised to go is given so long to go all the same, and then counted.
pub(crate) const SETTLE: Duration = Duration::from_millis(300);

/// A hundred pids say no more than a few.
const SHOWN_PIDS: usize = 5;

/// What is to end, how, where, and whether anything is to be left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) end: End,
    pub(crate) child: Child,
    pub(crate) surrounding: &'static Surrounding,
    pub(crate) is_isolated: bool,
    pub(crate) promise: Promise,
}

/// What a run has shown.
#[derive(Debug)]
pub(crate) enum Shown {
    /// Nothing is left, and it ended as it should.
    Nothing,
    /// Something is left where that was not promised otherwise.
    Left,
}

/// The files that only one run executes.
struct Files {
    victim: Private,
    child: Private,
    launcher: Option<Private>,
}

/// The child's command and how it is known to be up, for a victim.
pub(crate) fn describe(command: &mut Command, child: &Child, copy: &Private) {
    command.env("VICTIM_COMMAND", copy.command(child.arguments)).env("VICTIM_READY", child.ready);
    command.env("VICTIM_PROGRAM", copy.path());
    if child.is_function {
        command.env("VICTIM_FUNCTION", child.name);
    }
}

/// Runs a victim once. `Err` says what is left against a promise, or that it did not end as it should.
pub(crate) fn run(project: &Project, cell: &Cell) -> Result<Shown, String> {
    let files = Files::of(project, cell);
    let mut process = spawn(cell, &files);
    let mut lines = Lines::of(&mut process);
    let done = cell.end.deed.map_or(Ok(()), |deed| perform(&deed, &mut files.scene(cell, &mut process, &mut lines)));
    let status = match done {
        Ok(()) => wait(&mut process)?,
        Err(why) => {
            let _ = process.kill().and_then(|()| process.wait()); // It is a finding already.
            return Err(why);
        }
    };
    lines.wait_for_end().map_err(|error| format!("{error}{}", described(files.victim.path())))?;
    // The guardian and the shims first: while one of them lives, what it started may live as well.
    let left = left(cell, &files);
    check_end(cell, status, &lines)?;
    left
}

/// Runs a test that is ignored: it ends well, says nothing, and its child was never there. The same test, when it is asked
/// for, does bring the child up.
pub(crate) fn starts_nothing(project: &Project, test: &'static str, child: &Child) {
    let copy = Private::copy_of(child.program);
    let run = |arguments: &[&str]| {
        let mut command = clean(&project.ends);
        describe(&mut command, child, &copy);
        let output = command.args(["--exact", test, "--nocapture"]).args(arguments).output().expect("it can be run");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).contains("\nup\n"))
    };
    // Without a spec to give it would fail.
    assert_eq!((run(&[]), run(&["--ignored"])), ((true, false), (true, true)));
    gone(child.name, copy.path()).expect("all of it has ended");
}

/// Waits until nothing executes the file, and tells what still does.
pub(crate) fn gone(what: &str, path: &Path) -> Result<(), String> {
    let left = wait_gone(path, HANG);
    match left.len() {
        0 => Ok(()),
        count => Err(format!("{count} of {what} left:{}", described(path))),
    }
}

/// Some of those that execute a file: their ids, names, states and parents.
fn described(path: &Path) -> String {
    let one = |pid: u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let state = stat(pid).map(|stat| format!("{} of {}", stat.state, stat.ppid)).unwrap_or_default();
        format!(" {pid} {} {state};", name.trim())
    };
    survivors(path).into_iter().take(SHOWN_PIDS).map(one).collect()
}

impl Files {
    fn of(project: &Project, cell: &Cell) -> Files {
        let original = match cell.end.victim {
            Victim::Aborting(_) => &project.aborting,
            Victim::Test(_) | Victim::Tests(_) => &project.ends,
        };
        let place = cell.surrounding.place();
        Files {
            victim: Private::copy_of_file_in(&place, original),
            child: Private::copy_of_in(&place, cell.child.program),
            launcher: cell.surrounding.launcher.map(|name| Private::copy_of_in(&place, name)),
        }
    }
}

impl Files {
    fn scene<'a>(&'a self, cell: &Cell, process: &'a mut Process, lines: &'a mut Lines) -> Scene<'a> {
        let is_function = cell.child.is_function;
        Scene {
            process,
            lines,
            victim: self.victim.path(),
            child: self.child.path(),
            is_function,
            promise: cell.promise,
        }
    }
}

/// In a group of its own, like a job of a shell, so that a signal to its group does not reach us.
fn spawn(cell: &Cell, files: &Files) -> Process {
    let launcher = files.launcher.as_ref().map(Private::path);
    let mut command = cell.surrounding.command(launcher, files.victim.path());
    describe(&mut command, &cell.child, &files.child);
    let patience = if cell.promise == Promise::Nothing { HANG } else { SETTLE };
    command.env("VICTIM_PATIENCE_MS", patience.as_millis().to_string());
    if cell.is_isolated {
        command.env("VICTIM_ISOLATED", "pid");
    }
    match cell.end.victim {
        Victim::Test(test) => command.args(["--exact", test, "--nocapture"]),
        Victim::Tests(module) => command.args([module, "--nocapture", "--test-threads=8"]),
        Victim::Aborting(word) => command.arg(word),
    };
    command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the victim can be run")
}

fn wait(process: &mut Process) -> Result<ExitStatus, String> {
    if let Some(status) = until(HANG, || process.try_wait().transpose()) {
        return status.map_err(|error| format!("wait: {error}"));
    }
    let _ = process.kill().and_then(|()| process.wait()); // It is a finding already; nothing is to be left of it.
    Err(format!("did not end within {HANG:?}"))
}

/// What is left, where the promise is that nothing is; and whether anything is, where there is none.
fn left(cell: &Cell, files: &Files) -> Result<Shown, String> {
    if let Promise::Nothing = cell.promise {
        gone("guardian or shim", files.victim.path())?;
        gone(cell.child.name, files.child.path())?;
        return Ok(Shown::Nothing);
    }
    // A guardian that is alive may still be at it; where there is none, all that can happen happens at once.
    let deadline = Instant::now() + SETTLE;
    let is_any = || [&files.victim, &files.child].iter().any(|file| !survivors(file.path()).is_empty());
    while is_any() {
        if Instant::now() > deadline {
            return Ok(Shown::Left);
        }
        wait_ms(2);
    }
    Ok(Shown::Nothing)
}

fn check_end(cell: &Cell, status: ExitStatus, lines: &Lines) -> Result<(), String> {
    let as_expected = match cell.end.ended {
        Ended::Code(code) => status.code() == Some(code),
        Ended::Signal(signal) => status.signal() == Some(signal),
        Ended::Refused => !lines.has("nothing is refused") && (lines.has("up") || status.code() == Some(FAILED)),
        Ended::Anyhow => true,
    };
    // What is to happen at a moment of the start may happen before.
    let depends_on_the_moment = matches!(cell.end.ended, Ended::Anyhow | Ended::Refused);
    let was_up = lines.has("up") || depends_on_the_moment || cell.end.name.contains("while_it_starts");
    if as_expected && was_up {
        return Ok(());
    }
    let up = if was_up { "was up" } else { "was never up" };
    // Indented, so that nobody takes the victim's harness for ours.
    Err(format!("{up}, {status} instead of {:?}:\n    {}", cell.end.ended, lines.said.join("\n    ")))
}

impl Cell {
    /// A cell of the plain table.
    pub(crate) fn plain(end: End, child: Child) -> Cell {
        Cell::new(end, child, &PLAIN, false)
    }

    pub(crate) fn new(end: End, child: Child, surrounding: &'static Surrounding, is_isolated: bool) -> Cell {
        let promise = Promise::of(&end, &child, surrounding, is_isolated);
        Cell { end, child, surrounding, is_isolated, promise }
    }
}
