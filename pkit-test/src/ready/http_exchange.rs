//! One request and the status of its answer, for probes.
//!
//! This is no client: it asks, reads the status line, and leaves. What it does carefully is what a probe needs. Nothing
//! waits longer than the deadline, whatever the server does. Every way to get no status has its own words, since the
//! last of them is what a user reads after 30 seconds. And the server should not notice more than a client that
//! was quickly satisfied: a connection that is closed with data unread is reset, which makes some servers print
//! a traceback, so what comes is read for a moment before leaving.
//!
//! `Connection: close` is asked for, like most probes do. So the server ends the connection when it has answered,
//! and the end of the stream says that nothing is left unread.

mod request;
mod trouble;
mod url;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::sys::socket::{self, Wish};
pub(crate) use request::Request;
pub(crate) use trouble::Trouble;
pub(crate) use url::Url;

/// How long a cancellation may go unnoticed.
const SLICE: Duration = Duration::from_millis(25);
/// How much is read in search of a status.
const HEAD_BYTES: usize = 8 * 1024;
/// How much of the rest is read, and how long, to leave politely.
const REST_BYTES: usize = 1024 * 1024;
const REST_WAIT: Duration = Duration::from_millis(5);

/// Asks once, and returns the status of the answer.
pub(crate) fn exchange(
    addr: SocketAddr,
    request: &Request,
    try_deadline: Instant,
    cancelled: &dyn Fn() -> bool,
) -> Result<u16, Trouble> {
    let request = request.bytes()?;
    let limits = Limits { began: Instant::now(), deadline: try_deadline, cancelled };
    let mut stream = connect(addr, &limits)?;
    let answer = ask(&mut stream, &request, &limits);
    leave(stream, answer.is_ok());
    answer
}

/// What ends the waiting.
struct Limits<'a> {
    began: Instant,
    deadline: Instant,
    cancelled: &'a dyn Fn() -> bool,
}

/// Why the waiting ended before its time.
enum Ended {
    Late(Duration),
    Cancelled,
    Failed(io::Error),
}

impl Limits<'_> {
    fn wait(&self, stream: &TcpStream, wish: Wish) -> Result<(), Ended> {
        loop {
            // The clock is read before the question: if we are not scheduled in between, an answer still counts.
            let now = Instant::now();
            let left = self.deadline.saturating_duration_since(now);
            if socket::wait_until_ready(stream, wish, left.min(SLICE)).map_err(Ended::Failed)? {
                return Ok(());
            }
            if (self.cancelled)() {
                return Err(Ended::Cancelled);
            }
            if left.is_zero() {
                return Err(Ended::Late(self.deadline.saturating_duration_since(self.began)));
            }
        }
    }
}

fn connect(addr: SocketAddr, limits: &Limits<'_>) -> Result<TcpStream, Trouble> {
    let stream = socket::begin_connect(addr).map_err(Trouble::of_connecting)?;
    limits.wait(&stream, Wish::Write).map_err(|ended| match ended {
        Ended::Late(limit) => Trouble::NotAccepted(limit),
        Ended::Cancelled => Trouble::Cancelled,
        Ended::Failed(error) => Trouble::of_connecting(error),
    })?;
    match stream.take_error() {
        Ok(None) => not_to_itself(stream),
        Ok(Some(error)) | Err(error) => Err(Trouble::of_connecting(error)),
    }
}

/// A connection to a port that the kernel gives away can get that port for its own end, and then talks to itself.
fn not_to_itself(stream: TcpStream) -> Result<TcpStream, Trouble> {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) if local == peer => {
            // Closed in the normal way, it would keep the port from the server for a minute.
            socket::abort(stream);
            Err(Trouble::ToItself)
        }
        _ => Ok(stream),
    }
}

fn ask(stream: &mut TcpStream, request: &[u8], limits: &Limits<'_>) -> Result<u16, Trouble> {
    send(stream, request, limits)?;
    let mut head = Vec::new();
    loop {
        match status(&head)? {
            Some(status) => return Ok(status),
            None if head.len() >= HEAD_BYTES => return Err(Trouble::TooLong(HEAD_BYTES)),
            None => read_on(stream, &mut head, limits)?,
        }
    }
}

fn send(stream: &mut TcpStream, mut request: &[u8], limits: &Limits<'_>) -> Result<(), Trouble> {
    while !request.is_empty() {
        match stream.write(request) {
            Ok(sent) => request = &request[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                limits.wait(stream, Wish::Write).map_err(|ended| Trouble::of_waiting(ended, &[]))?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A server may answer, and close, before it has read everything: its answer tells more.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

fn read_on(stream: &mut TcpStream, head: &mut Vec<u8>, limits: &Limits<'_>) -> Result<(), Trouble> {
    let mut buffer = [0; HEAD_BYTES];
    match stream.read(&mut buffer[head.len()..]) {
        Ok(0) => Err(Trouble::of_end(head)),
        Ok(got) => {
            head.extend_from_slice(&buffer[head.len()..][..got]);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            limits.wait(stream, Wish::Read).map_err(|ended| Trouble::of_waiting(ended, head))
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(Trouble::of_reading(error)),
    }
}

/// The status, if it is there yet. Answers on the way, like `103 Early Hints`, are passed over.
pub(crate) fn status(head: &[u8]) -> Result<Option<u16>, Trouble> {
    let mut rest = head;
    loop {
        let beginning = &rest[..rest.len().min(5)];
        if !b"HTTP/".starts_with(beginning) {
            return Err(Trouble::of_garbage(rest));
        }
        let Some(line) = rest.split_inclusive(|byte| *byte == b'\n').next().filter(|line| line.ends_with(b"\n")) else {
            return Ok(None);
        };
        let status = status_of_line(line.trim_ascii_end()).ok_or_else(|| Trouble::of_garbage(line))?;
        if !(100..200).contains(&status) || status == 101 {
            return Ok(Some(status));
        }
        match after_headers(rest) {
            Some(next) => rest = next,
            None => return Ok(None),
        }
    }
}

/// `HTTP/1.1 204 No Content`; the reason may be missing.
fn status_of_line(line: &[u8]) -> Option<u16> {
    let mut words = line.strip_prefix(b"HTTP/")?.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (version, status) = (words.next()?, words.next()?);
    let is_version = version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let is_status = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(status).ok()?.parse().ok()?;
    (is_version && is_status && number >= 100).then_some(number)
}

/// What follows the empty line after the headers.
fn after_headers(head: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line == b"\r\n" || line == b"\n" {
            return Some(&head[at..]);
        }
    }
    None
}

/// Closes the connection so that the server sees an end and not a reset, if that takes no more than a moment.
fn leave(mut stream: TcpStream, answered: bool) {
    if answered && is_at_end(&mut stream, REST_WAIT) {
        return;
    }
    // A server that goes on, or that keeps the connection for a next request, is told that there will be none. If that
    // fails, it has gone already.
    let _ = stream.shutdown(Shutdown::Write);
    is_at_end(&mut stream, if answered { REST_WAIT } else { Duration::ZERO });
}

/// Reads what is left, and returns whether the other side has closed.
fn is_at_end(stream: &mut TcpStream, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut buffer = [0; HEAD_BYTES];
    let mut left = REST_BYTES;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(got) => left = left.saturating_sub(got),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let pause = deadline.saturating_duration_since(Instant::now());
                if pause.is_zero() || socket::wait_until_ready(&*stream, Wish::Read, pause).is_err() {
                    return false;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
        if left == 0 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests;
