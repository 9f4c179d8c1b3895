//! Runs cargo and other programs: what they say is shown as it comes, and read on the way.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::evidence::evidence;
use crate::gauntlet::{Counts, Evidence, Verdict};
use crate::root;

/// Only catches a hang: the slowest step takes a fraction of it.
const STEP_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How long a finished step may go on holding our pipes, in silence, before that is a finding of its own.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// How many tests run side by side under libtest and under nextest, where nobody has said so.
const TEST_THREADS: [&str; 2] = ["RUST_TEST_THREADS", "NEXTEST_TEST_THREADS"];

/// How often a step that says nothing is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Cargo in the workspace; a `+toolchain` goes first.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    // By its name and not by `$CARGO`: only rustup's proxy understands `+toolchain`.
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root());
    command
}

/// A step that is one command.
pub(crate) fn check(command: Command) -> Verdict {
    Verdict::of(execute(command).and_then(|(status, _)| succeeded(status)))
}

/// A step that runs tests: counts them by the summaries in what it prints.
pub(crate) fn tests(mut command: Command) -> Verdict {
    let threads = test_threads().to_string();
    for variable in TEST_THREADS.into_iter().filter(|name| env::var_os(name).is_none()) {
        command.env(variable, &threads);
    }
    let (status, lines) = match execute(command) {
        Ok(end) => end,
        Err(why) => return Verdict::Failed(Counts::default(), why, Evidence::new()),
    };
    let counts = lines.iter().filter_map(|line| summary(line)).fold(Counts::default(), Counts::plus);
    let leak = lines.iter().find(|line| line.trim_start().starts_with("LEAK"));
    match (succeeded(status), leak) {
        (Ok(()), None) if counts.passed > 0 => Verdict::Passed(counts),
        (Ok(()), None) => Verdict::Failed(counts, "ran no test".into(), evidence(&lines)),
        (Ok(()), Some(line)) => {
            Verdict::Failed(counts, format!("left its output held: {}", line.trim()), evidence(&lines))
        }
        (Err(why), _) => Verdict::Failed(counts, format!("{why}; {counts}"), evidence(&lines)),
    }
}

/// Most of a test's time here is spent in waiting for processes: one for each core would leave the cores idle.
fn test_threads() -> usize {
    2 * thread::available_parallelism().map_or(1, usize::from)
}

/// Runs a command to its end. The lines are those of stdout and stderr, in about the order in which they came.
fn execute(mut command: Command) -> Result<(ExitStatus, Vec<String>), String> {
    eprintln!("+ {}", shown(&command));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", shown(&command)))?;
    let (sender, receiver) = mpsc::channel();
    show(child.stdout.take().expect("it is piped"), io::stdout, sender.clone());
    show(child.stderr.take().expect("it is piped"), io::stderr, sender);
    follow(&mut child, &receiver, RELEASE_LIMIT)
}

fn follow(
    child: &mut Child,
    receiver: &Receiver<String>,
    release_limit: Duration,
) -> Result<(ExitStatus, Vec<String>), String> {
    let deadline = Instant::now() + STEP_LIMIT;
    let (mut lines, mut silent_since) = (Vec::new(), None);
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(line) => {
                lines.push(line);
                // What it has said before its end may come late where our own reader is slow, or we are.
                silent_since = None;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok((wait(child)?, lines)),
            Err(RecvTimeoutError::Timeout) if silent_since.is_none() && try_wait(child)?.is_some() => {
                silent_since = Some(Instant::now());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if silent_since.is_some_and(|since| since.elapsed() > release_limit) {
            return Err("ended, but something it started still holds its output".into());
        }
        if Instant::now() > deadline {
            let _ = child.kill(); // Whether or not it was still there, the step has failed.
            return Err(format!("did not end within {} min", STEP_LIMIT.as_secs() / 60));
        }
    }
}

/// Copies one stream to ours, line by line, on a thread of its own: neither stream can block the other.
fn show<W: Write + 'static>(stream: impl Read + Send + 'static, own: fn() -> W, lines: Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let _ = own().write_all(&line); // If nobody reads us, the verdict is still in the exit code.
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if lines.send(text).is_err() {
                return;
            }
        }
    });
}

fn wait(child: &mut Child) -> Result<ExitStatus, String> {
    child.wait().map_err(|error| format!("wait: {error}"))
}

fn try_wait(child: &mut Child) -> Result<Option<ExitStatus>, String> {
    child.try_wait().map_err(|error| format!("wait: {error}"))
}

fn succeeded(status: ExitStatus) -> Result<(), String> {
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …` of libtest, or
/// `Summary [   1.2s] 3 tests run: 3 passed (1 slow), 1 skipped` of nextest.
fn summary(line: &str) -> Option<Counts> {
    // An indented one is quoted by somebody: nextest shows what a failed test printed, and each test is a run to libtest.
    let of_libtest = line.strip_prefix("test result:");
    let of_nextest = || line.trim_start().strip_prefix("Summary [")?.split_once("run:").map(|parts| parts.1);
    let tail = of_libtest.or_else(of_nextest)?;
    let words: Vec<&str> = tail.split([' ', ',', ';', '.', '(', ')']).filter(|word| !word.is_empty()).collect();
    let count = |names: &[&str]| -> u32 {
        let pairs = words.windows(2).filter(|pair| names.contains(&pair[1]));
        pairs.filter_map(|pair| pair[0].parse::<u32>().ok()).sum()
    };
    // What is filtered out was not asked for; a test that timed out or could not be executed is one that failed.
    Some(Counts {
        passed: count(&["passed"]),
        failed: count(&["failed", "timed"]),
        skipped: count(&["ignored", "skipped"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(line: &str, passed: u32, failed: u32, skipped: u32) {
        assert_eq!(summary(line), Some(Counts { passed, failed, skipped }), "of {line:?}");
    }

    #[test]
    fn summaries_are_read() {
        reads(
            "test result: ok. 26 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.22s",
            26,
            0,
            1,
        );
        reads("test result: FAILED. 25 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out", 25, 1, 0);
        reads("     Summary [   0.005s] 3 tests run: 3 passed, 0 skipped", 3, 0, 0);
        reads(
            "     Summary [   9.1s] 9 tests run: 6 passed (1 slow, 1 leaky), 2 failed, 1 timed out, 4 skipped",
            6,
            3,
            4,
        );
        reads("     Summary [   9.1s] 4/9 tests run: 3 passed, 1 failed, 4 skipped", 3, 1, 4);
    }

    #[test]
    fn other_lines_are_not() {
        for line in [
            "",
            "    test result: FAILED. 0 passed; 1 failed",
            "running 3 tests",
            "test a ... ok",
            "Summary of it all",
            "error: 3 failed",
        ] {
            assert_eq!(summary(line), None, "of {line:?}");
        }
    }

    #[test]
    fn a_command_that_fails_or_is_not_there_is_a_failure() {
        assert!(matches!(check(Command::new("true")), Verdict::Passed(_)));
        assert!(matches!(check(Command::new("false")), Verdict::Failed(_, why, _) if why.contains("1")));
        assert!(matches!(check(Command::new("/no/such/program")), Verdict::Failed(..)));
    }

    #[test]
    fn a_run_without_tests_is_a_failure() {
        assert!(matches!(tests(Command::new("true")), Verdict::Failed(_, why, _) if why == "ran no test"));
    }
}
