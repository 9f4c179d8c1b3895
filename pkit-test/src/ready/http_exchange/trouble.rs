//! Why there is no answer, in words that follow `GET http://127.0.0.1:40123/health: `.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::Ended;
use crate::duration::in_words;

/// How much of a strange answer is shown.
const SHOWN_BYTES: usize = 60;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The request itself cannot be sent, now or ever.
    Unsendable(String),
    Refused,
    /// Nobody listened, and the connection met itself.
    ToItself,
    NotConnected(io::Error),
    /// The server listens, but its queue is full or something drops what we send.
    NotAccepted(Duration),
    NoAnswer(Duration),
    /// What came until the deadline is not a whole status line.
    PartOfAnswer {
        limit: Duration,
        got: Vec<u8>,
    },
    ClosedWithoutAnswer,
    ClosedInAnswer(Vec<u8>),
    Reset,
    /// So much came, and no status in it.
    TooLong(usize),
    /// So much came, and the headers have no end in it.
    TooManyHeaders(usize),
    /// What came of the body until the deadline.
    PartOfBody {
        limit: Duration,
        got: Vec<u8>,
    },
    ClosedInBody {
        got: usize,
        of: Option<u64>,
    },
    /// What says where the body ends makes no sense.
    Framing(String),
    Garbage(Vec<u8>),
    Tls,
    Broken(io::Error),
    Cancelled,
}

impl Trouble {
    pub(super) fn of_connecting(error: io::Error) -> Trouble {
        match error.kind() {
            ErrorKind::ConnectionRefused => Trouble::Refused,
            ErrorKind::ConnectionReset => Trouble::Reset,
            _ => Trouble::NotConnected(error),
        }
    }

    pub(super) fn of_waiting(ended: Ended, got: &[u8]) -> Trouble {
        match ended {
            Ended::Late(limit) if got.is_empty() => Trouble::NoAnswer(limit),
            Ended::Late(limit) => Trouble::PartOfAnswer { limit, got: got.to_owned() },
            Ended::Cancelled => Trouble::Cancelled,
            Ended::Failed(error) if error.kind() == ErrorKind::ConnectionReset => Trouble::Reset,
            Ended::Failed(error) => Trouble::Broken(error),
        }
    }

    /// The same, in the middle of a body.
    pub(super) fn of_waiting_for_body(ended: Ended, got: &[u8]) -> Trouble {
        match ended {
            Ended::Late(limit) => Trouble::PartOfBody { limit, got: got.to_owned() },
            other => Trouble::of_waiting(other, got),
        }
    }

    /// Whether there was nobody to ask.
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self, Trouble::Refused | Trouble::ToItself | Trouble::NotConnected(_))
    }

    /// Whether more time might have helped.
    pub(crate) fn is_late(&self) -> bool {
        matches!(
            self,
            Trouble::NotAccepted(_)
                | Trouble::NoAnswer(_)
                | Trouble::PartOfAnswer { .. }
                | Trouble::PartOfBody { .. }
                | Trouble::Cancelled
        )
    }

    pub(super) fn of_end(got: &[u8]) -> Trouble {
        if got.is_empty() { Trouble::ClosedWithoutAnswer } else { Trouble::ClosedInAnswer(got.to_owned()) }
    }

    pub(super) fn of_garbage(got: &[u8]) -> Trouble {
        // An alert or a handshake of TLS, of any version.
        if matches!(got, [0x15 | 0x16, 0x03, ..]) { Trouble::Tls } else { Trouble::Garbage(got.to_owned()) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unsendable(why) => write!(f, "cannot be asked: {why}"),
            Trouble::Refused => write!(f, "connection refused"),
            Trouble::ToItself => write!(f, "connection refused (it met itself, as nobody listens)"),
            Trouble::NotConnected(error) => write!(f, "not connected: {}", words(error)),
            Trouble::NotAccepted(limit) => write!(f, "connection not accepted within {}", in_words(*limit)),
            Trouble::NoAnswer(limit) => write!(f, "no answer within {}", in_words(*limit)),
            Trouble::PartOfAnswer { limit, got } => {
                write!(f, "no whole status line within {}: {}", in_words(*limit), shown(got))
            }
            Trouble::ClosedWithoutAnswer => write!(f, "closed the connection without an answer"),
            Trouble::ClosedInAnswer(got) => write!(f, "closed the connection within the answer: {}", shown(got)),
            Trouble::Reset => write!(f, "reset the connection"),
            Trouble::TooLong(bytes) => write!(f, "no status in the first {} KiB of the answer", bytes / 1024),
            Trouble::TooManyHeaders(bytes) => write!(f, "no end of the headers in the first {} KiB", bytes / 1024),
            Trouble::PartOfBody { limit, got } => {
                write!(f, "no end of the body within {}: {}", in_words(*limit), shown(got))
            }
            Trouble::ClosedInBody { got, of: Some(of) } => {
                write!(f, "closed the connection within the body, after {got} of {of} bytes")
            }
            Trouble::ClosedInBody { got, of: None } => {
                write!(f, "closed the connection within the body, after {got} bytes")
            }
            Trouble::Framing(why) => write!(f, "answered garbage: {why}"),
            Trouble::Garbage(got) => write!(f, "answered garbage: {}", shown(got)),
            Trouble::Tls => write!(f, "answered in TLS, but it was asked in plain http"),
            Trouble::Broken(error) => write!(f, "the connection broke: {}", words(error)),
            Trouble::Cancelled => write!(f, "given up"),
        }
    }
}

/// An error without its number, which says the same again.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// The beginning of what came, in one line whatever it is.
pub(crate) fn shown(got: &[u8]) -> String {
    let begin = &got[..got.len().min(SHOWN_BYTES)];
    let dots = if begin.len() < got.len() { "…" } else { "" };
    let text = begin.escape_ascii();
    format!("\"{text}{dots}\"")
}
