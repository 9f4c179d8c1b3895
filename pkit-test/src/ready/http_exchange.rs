//! One request and its answer, for probes.
//!
//! This is no client: it asks, reads what it needs of the answer, which mostly is the status line, and leaves. What it does
//! carefully is what a probe needs. Nothing waits longer than the deadline, whatever the server does, and nothing grows.
//! Every way to get no answer has its own words, since the last of them is what a user reads after 30 seconds. And the
//! server should not notice more than a client that was quickly satisfied: a connection that is closed with data unread
//! is reset, which makes some servers print a traceback, so what comes is read for a moment before leaving.
//!
//! `Connection: close` is asked for, like most probes do. So the server ends the connection when it has answered,
//! and the end of the stream says that nothing is left unread.

mod answer;
mod body;
mod head;
mod request;
mod trouble;
mod url;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::sys::socket::{self, Wish};
pub(crate) use answer::{Answer, Extent, Reader, Watch};
#[cfg(any(test, pkit_fuzz))]
pub(crate) use head::{StatusLine, status_line};
pub(crate) use request::{Request, header_fault, method_fault};
pub(crate) use trouble::{Trouble, shown};
pub(crate) use url::Url;

/// How long a cancellation may go unnoticed.
const SLICE: Duration = Duration::from_millis(25);
/// How much is read at a time.
const PORTION_BYTES: usize = 8 * 1024;
/// How much of the rest is read, and how long, to leave politely.
const REST_BYTES: usize = 1024 * 1024;
const REST_WAIT: Duration = Duration::from_millis(5);

/// Asks once, and returns as much of the answer as `reader` wants.
pub(crate) fn exchange(
    addr: SocketAddr,
    request: &Request,
    reader: &dyn Reader,
    limits: &Limits<'_>,
) -> Result<Answer, Trouble> {
    let bytes = request.bytes()?;
    let stream = connect(addr, limits)?;
    exchange_over(stream, &bytes, request.has_no_answer_body(), reader, limits)
}

fn exchange_over(
    stream: TcpStream,
    request: &[u8],
    has_no_body: bool,
    reader: &dyn Reader,
    limits: &Limits<'_>,
) -> Result<Answer, Trouble> {
    let mut talk = Talk { stream, limits, is_overtime: false };
    let answer = talk.send(request).and_then(|()| answer::read(&mut talk, has_no_body, reader));
    leave(talk.stream, answer.is_ok().then_some(limits.farewell));
    answer
}

/// What ends the waiting.
pub(crate) struct Limits<'a> {
    began: Instant,
    deadline: Instant,
    cancelled: &'a dyn Fn() -> bool,
    /// How long the rest of an answer is read, to leave politely; and once more so long.
    farewell: Duration,
}

/// Why the waiting ended before its time.
enum Ended {
    Late(Duration),
    Cancelled,
    Failed(io::Error),
}

impl Limits<'_> {
    pub(crate) fn until(deadline: Instant, cancelled: &dyn Fn() -> bool) -> Limits<'_> {
        Limits { began: Instant::now(), deadline, cancelled, farewell: REST_WAIT }
    }

    fn wait(&self, stream: &TcpStream, wish: Wish) -> Result<(), Ended> {
        loop {
            // The clock is read before the question: if we are not scheduled in between, an answer still counts.
            let now = Instant::now();
            let left = self.deadline.saturating_duration_since(now);
            if socket::wait_until_ready(stream, wish, left.min(SLICE)).map_err(Ended::Failed)? {
                return Ok(());
            }
            self.check(now)?;
        }
    }

    /// Also where there always is something to read: a server can send for ever.
    fn check(&self, now: Instant) -> Result<(), Ended> {
        if (self.cancelled)() {
            return Err(Ended::Cancelled);
        }
        if now >= self.deadline {
            return Err(Ended::Late(self.deadline.saturating_duration_since(self.began)));
        }
        Ok(())
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

/// A connection, and what ends it.
struct Talk<'a> {
    stream: TcpStream,
    limits: &'a Limits<'a>,
    /// Something was read after the deadline already.
    is_overtime: bool,
}

/// What came of reading on.
enum Came {
    Some,
    /// Nothing yet, and it is worth while to look at what there is before waiting.
    Nothing,
    End,
}

impl Talk<'_> {
    fn send(&mut self, mut request: &[u8]) -> Result<(), Trouble> {
        while !request.is_empty() {
            match self.stream.write(request) {
                Ok(sent) => request = &request[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait_for_room().map_err(|ended| Trouble::of_waiting(ended, &[]))?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A server may answer, and close, before it has read everything: its answer tells more.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn wait_for_room(&self) -> Result<(), Ended> {
        self.limits.wait(&self.stream, Wish::Write)
    }

    fn wait_for_more(&self) -> Result<(), Ended> {
        self.limits.wait(&self.stream, Wish::Read)
    }

    /// Reads what there is, at most `most` bytes.
    fn read(&mut self, bytes: &mut Vec<u8>, most: usize) -> Result<Came, Ended> {
        self.check()?;
        let mut buffer = [0; PORTION_BYTES];
        let most = most.min(buffer.len());
        match self.stream.read(&mut buffer[..most]) {
            Ok(0) => Ok(Came::End),
            Ok(got) => {
                bytes.extend_from_slice(&buffer[..got]);
                Ok(Came::Some)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Came::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Came::Some),
            Err(error) => Err(Ended::Failed(error)),
        }
    }

    /// What came in time and waits to be read still counts: one more look is allowed.
    fn check(&mut self) -> Result<(), Ended> {
        match self.limits.check(Instant::now()) {
            Err(Ended::Late(_)) if !self.is_overtime => {
                self.is_overtime = true;
                Ok(())
            }
            checked => checked,
        }
    }
}

/// Closes the connection so that the server sees an end and not a reset, if that takes no more than a moment.
fn leave(mut stream: TcpStream, farewell: Option<Duration>) {
    if farewell.is_some_and(|limit| is_at_end(&mut stream, limit)) {
        return;
    }
    // A server that goes on, or that keeps the connection for a next request, is told that there will be none. If that
    // fails, it has gone already.
    let _ = stream.shutdown(Shutdown::Write);
    is_at_end(&mut stream, farewell.unwrap_or_default());
}

/// Reads what is left, and returns whether the other side has closed.
fn is_at_end(stream: &mut TcpStream, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut buffer = [0; PORTION_BYTES];
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
