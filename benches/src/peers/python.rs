//! Packages for Python, in an interpreter that does as it is told.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::bench::Bench;
use crate::outcome::Outcome;

/// What is said where there is no interpreter with the packages.
pub(crate) const NOT_THERE: &str =
    "without mirakuru and pytest-xprocess: `cargo xtask peers` makes the environment that has them";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/measure.py");

/// An interpreter with one of the packages.
pub(crate) struct Python {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What it says of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) began_ns: u64,
    pub(crate) ended_ns: u64,
    pub(crate) cpu_ms: f64,
}

impl Python {
    /// `None` where nobody has made the environment.
    pub(crate) fn start(bench: &Bench, package: &str) -> Outcome<Option<Python>> {
        let Some(program) = interpreter() else { return Ok(None) };
        let mut command = Command::new(program);
        command.args(["-W", "ignore", SCRIPT, package]).arg(bench.scratch());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let requests = child.stdin.take().ok_or("spawned with a pipe")?;
        let answers = BufReader::new(child.stdout.take().ok_or("spawned with a pipe")?);
        Ok(Some(Python { child, requests, answers }))
    }

    pub(crate) fn grow(&mut self, megabytes: usize) -> Outcome<()> {
        self.ask(&["grow", &megabytes.to_string()]).map(drop)
    }

    /// Starts the command; with a port it waits for that.
    pub(crate) fn up(&mut self, port: Option<u16>, command: &Command) -> Outcome<Call> {
        self.begin_up(port, command)?;
        self.answer()
    }

    fn begin_up(&mut self, port: Option<u16>, command: &Command) -> Outcome<()> {
        let port = port.map(|port| port.to_string()).unwrap_or_default();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        let all: Vec<&str> = ["up", &port].into_iter().chain(words.iter().map(String::as_str)).collect();
        self.tell(&all)
    }

    /// Ends it: "stop" or "kill". The answer is to be read by [`answer`](Python::answer).
    pub(crate) fn tell_to(&mut self, end: &str) -> Outcome<()> {
        self.tell(&[end])
    }

    pub(crate) fn answer(&mut self) -> Outcome<Call> {
        let line = self.line()?;
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next().ok_or_else(|| format!("no answer: {line}"));
        let (began_ns, ended_ns, cpu_ns) = (next()??, next()??, next()??);
        Ok(Call { began_ns, ended_ns, cpu_ms: cpu_ns as f64 / 1e6 })
    }

    /// SIGKILL for the interpreter: what it started is on its own.
    pub(crate) fn die(mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn ask(&mut self, words: &[&str]) -> Outcome<String> {
        self.tell(words)?;
        self.line()
    }

    fn tell(&mut self, words: &[&str]) -> Outcome<()> {
        Ok(self.requests.write_all(format!("{}\n", words.join("\t")).as_bytes())?)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err("the interpreter has ended".into()),
            _ => Ok(line),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Neither fails for a child that is not reaped, and after `die` there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// That of the environment that xtask makes, beside what cargo builds.
pub(crate) fn interpreter() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let places = program.ancestors().map(|above| above.join("peers/bin/python"));
    places.into_iter().find(|python| Path::is_file(python))
}
