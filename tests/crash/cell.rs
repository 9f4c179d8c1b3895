//! One cell of the matrix: one end, one child, and what is left afterwards.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use pkit_test_tests::child::{wait_ms, wait_us};
use pkit_test_tests::private::{Private, wait_gone};

use crate::project::{ABORTING, Project, clean};

/// Only catches a hang. Everything that is waited for takes a few seconds at most, on a busy machine as well.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// Within this time of its first line a victim has started both its processes.
const START_US: u64 = 6_000;

/// A hundred pids say no more than a few.
const SHOWN_PIDS: usize = 5;

/// A child: its program, its arguments, and how it is known to be up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static str,
    pub(crate) ready: &'static str,
}

/// All that leave something behind, or do not want to go.
pub(crate) const CHILDREN: &[Child] = &[
    Child { name: "sleeper", arguments: "", ready: "sleeper" },
    Child { name: "deaf", arguments: "", ready: "deaf" },
    Child { name: "daemon", arguments: "", ready: r"daemon \d+" },
    Child { name: "daemon_bare", arguments: "", ready: r"daemon \d+" },
    Child { name: "daemonizer", arguments: "{port}", ready: "tcp" },
    Child { name: "forks", arguments: "100 --setsid", ready: "forked 100" },
    Child { name: "hopper", arguments: "", ready: "hopping" },
    Child { name: "stops_itself", arguments: "", ready: "stopping" },
];

/// How a victim is to end: the name of its test, and what its parent sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) test: &'static str,
    pub(crate) ended: Ended,
}

/// What the parent of a victim sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Code(i32),
    Signal(i32),
    /// It does not end by itself: we kill it, a random time after its first line.
    KilledWhileStarting,
}

/// The child's command and how it is known to be up, for a victim.
pub(crate) fn describe(command: &mut Command, child: &Child, copy: &Private) {
    command.env("VICTIM_COMMAND", copy.command(child.arguments)).env("VICTIM_READY", child.ready);
}

/// Runs a victim once. `Err` says what is left, or that it did not end as it should.
pub(crate) fn run(project: &Project, end: End, child: &Child) -> Result<(), String> {
    let victim = Private::copy_of_file(if end.test == ABORTING { &project.aborting } else { &project.ends });
    let copy = Private::copy_of(child.name);
    let mut process = spawn(&victim, end, child, &copy);
    let lines = read(&mut process);
    if end.ended == Ended::KilledWhileStarting {
        kill_while_starting(&mut process, &lines)?;
    }
    let status = wait(&mut process)?;
    let said = rest(&lines)?;
    // The guardian and the shims first: while one of them lives, what it started may live as well.
    gone("guardian or shim", victim.path())?;
    gone(child.name, copy.path())?;
    check_end(end, status, &said)
}

/// Runs a test that is ignored: it ends well, says nothing, and its child was never there. The same test, when it is asked
/// for, does bring the child up.
pub(crate) fn starts_nothing(project: &Project, test: &'static str, child: &Child) {
    let copy = Private::copy_of(child.name);
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

/// In a group of its own, like a job of a shell, so that a signal to its group does not reach us.
fn spawn(victim: &Private, end: End, child: &Child, copy: &Private) -> Process {
    let mut command = clean(victim.path());
    describe(&mut command, child, copy);
    if end.test != ABORTING {
        command.args(["--exact", end.test, "--nocapture"]);
    }
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the victim can be run")
}

/// Both streams, line by line. It ends when *nobody* holds either of them any more.
fn read(process: &mut Process) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let streams: [Box<dyn Read + Send>; 2] =
        [Box::new(process.stdout.take().expect("piped")), Box::new(process.stderr.take().expect("piped"))];
    for stream in streams {
        let sender = sender.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned()); // Nobody may care any more.
            }
        });
    }
    receiver
}

fn kill_while_starting(process: &mut Process, lines: &Receiver<String>) -> Result<(), String> {
    let deadline = Instant::now() + HANG;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            // The harness writes "test … " first, and does not end that line.
            Ok(line) if line.ends_with("starting") => break,
            Ok(_) => {}
            Err(_) => return Err("never began to start anything".into()),
        }
    }
    wait_us(RandomState::new().build_hasher().finish() % START_US);
    process.kill().map_err(|error| format!("kill: {error}"))
}

fn wait(process: &mut Process) -> Result<ExitStatus, String> {
    let deadline = Instant::now() + HANG;
    loop {
        match process.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => wait_ms(1),
            Ok(None) => break,
            Err(error) => return Err(format!("wait: {error}")),
        }
    }
    let _ = process.kill().and_then(|()| process.wait()); // It is a finding already; nothing is to be left of it.
    Err(format!("did not end within {HANG:?}"))
}

/// What it said, once all holders of its streams have closed them.
fn rest(lines: &Receiver<String>) -> Result<Vec<String>, String> {
    let deadline = Instant::now() + HANG;
    let mut said = Vec::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => said.push(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(said),
            Err(mpsc::RecvTimeoutError::Timeout) => return Err("its stdout or stderr is still held".into()),
        }
    }
}

/// Waits until nothing executes the file, and tells what still does.
pub(crate) fn gone(what: &str, path: &Path) -> Result<(), String> {
    let left = wait_gone(path, HANG);
    match left.len() {
        0 => Ok(()),
        count => Err(format!("{count} of {what} left: {:?} …", &left[..count.min(SHOWN_PIDS)])),
    }
}

fn check_end(end: End, status: ExitStatus, said: &[String]) -> Result<(), String> {
    let as_expected = match end.ended {
        Ended::Code(code) => status.code() == Some(code),
        Ended::Signal(signal) => status.signal() == Some(signal),
        Ended::KilledWhileStarting => return Ok(()),
    };
    let was_up = said.iter().any(|line| line.ends_with("up"));
    if as_expected && was_up {
        return Ok(());
    }
    let up = if was_up { "was up" } else { "was never up" };
    // Indented, so that nobody takes the victim's harness for ours.
    Err(format!("{up}, {status} instead of {:?}:\n    {}", end.ended, said.join("\n    ")))
}
