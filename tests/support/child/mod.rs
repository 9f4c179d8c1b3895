//! What the programs in `children/` have in common: arguments, a port, a signal, a wait that costs nothing.
//!
//! They are hostile to whoever started them, not to the machine: none of them burns CPU while it waits, and wrong
//! arguments end a child at once with exit code 64 and a line on stderr, so that a mistyped test cannot hang.

pub mod daemon;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use nix::unistd::{ForkResult, Pid, fork};

/// A child's arguments. Options are taken out first, wherever they stand; what is left are words in order.
#[derive(Debug)]
pub struct Args {
    words: Vec<String>,
}

impl Args {
    /// Those of this process, without its own name.
    #[must_use]
    pub fn of_process() -> Args {
        Args { words: std::env::args().skip(1).collect() }
    }

    /// Those before `--`, and behind it a command with arguments of its own.
    #[must_use]
    pub fn and_command() -> (Args, Vec<OsString>) {
        let mut all = std::env::args_os().skip(1);
        let own = all.by_ref().take_while(|word| word != "--").map(|word| word.to_string_lossy().into_owned());
        let words = own.collect();
        (Args { words }, all.collect())
    }

    /// Whether `--name` is there.
    pub fn flag(&mut self, name: &str) -> bool {
        let place = self.words.iter().position(|word| word == name);
        place.map(|at| self.words.remove(at)).is_some()
    }

    /// The value behind `--name`, if that is there.
    pub fn option<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let at = self.words.iter().position(|word| word == name)?;
        self.words.remove(at);
        if at == self.words.len() {
            usage(format_args!("{name} needs a value"));
        }
        Some(parsed(name, &self.words.remove(at)))
    }

    /// The next word, which must be there.
    pub fn word<T: FromStr>(&mut self, what: &str) -> T {
        self.word_if_any(what).unwrap_or_else(|| usage(format_args!("{what} is missing")))
    }

    /// The next word, which may be left out.
    pub fn word_if_any<T: FromStr>(&mut self, what: &str) -> Option<T> {
        let first = (!self.words.is_empty()).then(|| self.words.remove(0))?;
        Some(parsed(what, &first))
    }

    /// Refuses what nobody asked for, so that a misspelt option is seen.
    pub fn end(self) {
        if let Some(word) = self.words.first() {
            usage(format_args!("`{word}` is not understood"));
        }
    }
}

/// Prints a line and flushes it. A closed pipe is the reader's business.
pub fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Waits for ever, at no cost.
pub fn pause() -> ! {
    loop {
        nix::unistd::pause();
    }
}

/// Waits that long, at no cost. Zero is no wait at all: not even a system call.
pub fn wait_ms(ms: u32) {
    if ms > 0 {
        let limit = PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut [], limit); // Only a signal ends it early, and then the child has other things to do.
    }
}

/// Waits that long, more finely than `poll` can.
pub fn wait_us(us: u64) {
    let length = TimeSpec::from_duration(Duration::from_micros(us));
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::empty(), &length); // As above.
}

/// The clock that all processes of a machine share and that nobody sets.
#[must_use]
pub fn monotonic_ns() -> i128 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has that clock");
    i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec())
}

/// Listens, or ends the child with exit code 1 and the reason.
#[must_use]
pub fn listen(host: &str, port: u16) -> TcpListener {
    TcpListener::bind((host, port)).unwrap_or_else(|error| fail(format_args!("listen {host}:{port}: {error}")))
}

/// Ignores the signals from now on.
pub fn ignore(signals: &[Signal]) {
    for &one in signals {
        // SAFETY: ignoring a signal installs no handler, so there is no code that could run at a bad moment.
        unsafe { signal(one, SigHandler::SigIgn) }.expect("the signal can be ignored");
    }
}

/// Blocks the signal and gives what waits for it: between the two nothing is lost.
#[must_use]
pub fn awaited(one: Signal) -> SigSet {
    let mut set = SigSet::empty();
    set.add(one);
    set.thread_block().expect("a signal can be blocked");
    set
}

/// Forks: the child's pid in the parent, `None` in the child.
///
/// Only for a process with one thread, which all children are when they fork.
#[must_use]
pub fn forked() -> Option<Pid> {
    // SAFETY: this process has one thread, so no lock can be held by somebody who does not exist in the child.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => Some(child),
        Ok(ForkResult::Child) => None,
        Err(error) => fail(format_args!("fork: {error}")),
    }
}

/// A request: method, path and body.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `PUT`, …
    pub method: String,
    /// With the slash in front.
    pub path: String,
    /// As long as its `Content-Length`.
    pub body: String,
}

/// Answers requests for ever, each connection on a thread of its own: a client that says nothing blocks nobody.
pub fn serve_http(listener: &TcpListener, answer: impl Fn(&Request) -> (u16, String) + Clone + Send + 'static) -> ! {
    loop {
        if let Ok((stream, _)) = listener.accept() {
            let answer = answer.clone();
            thread::spawn(move || {
                let _ = serve_one(&stream, &answer); // A client that went away is no news.
            });
        }
    }
}

/// Answers one request on `stream`.
///
/// # Errors
///
/// When the client goes away, or speaks something else.
pub fn serve_one(mut stream: &TcpStream, answer: &impl Fn(&Request) -> (u16, String)) -> io::Result<()> {
    let request = read_request(stream)?;
    let (status, body) = answer(&request);
    let length = body.len();
    // One write: a reader that stops after the first packet has seen all of it.
    let text = format!("HTTP/1.1 {status} -\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes())
}

/// Ends the child with exit code 1 and a line on stderr.
pub fn fail(why: impl Display) -> ! {
    eprintln!("{why}");
    process::exit(1)
}

fn read_request(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let mut body = vec![0; content_length(&mut reader)?];
    reader.read_exact(&mut body)?;
    Ok(Request { method: method.into(), path: path.into(), body: String::from_utf8_lossy(&body).into() })
}

fn content_length(reader: &mut BufReader<&TcpStream>) -> io::Result<usize> {
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            return Ok(length);
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
}

fn parsed<T: FromStr>(what: &str, word: &str) -> T {
    word.parse().unwrap_or_else(|_| usage(format_args!("{what} cannot be `{word}`")))
}

fn usage(problem: impl Display) -> ! {
    eprintln!("{problem}; the header of this child's source says how it is called");
    process::exit(64)
}
