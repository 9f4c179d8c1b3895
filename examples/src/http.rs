//! As much of HTTP as the examples need: one request a connection, and no bodies but those of answers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// What a client wants.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path on the server.
    pub path: String,
}

/// What it gets.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200, 404 and so on.
    pub status: u16,
    /// The text behind the headers.
    pub body: String,
}

impl Request {
    /// Reads a request up to the empty line.
    ///
    /// # Errors
    ///
    /// When the client goes away, or does not speak HTTP.
    pub fn read(stream: &TcpStream) -> io::Result<Request> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        lines.find(|line| !matches!(line, Ok(text) if !text.is_empty())).transpose()?;
        let mut words = first.split(' ').map(str::to_owned);
        match (words.next(), words.next()) {
            (Some(method), Some(path)) => Ok(Request { method, path }),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Answer {
    /// An answer with a text.
    #[must_use]
    pub fn new(status: u16, body: impl Into<String>) -> Answer {
        Answer { status, body: body.into() }
    }

    /// Sends it.
    ///
    /// # Errors
    ///
    /// When the client has gone away.
    pub fn send(&self, mut stream: &TcpStream) -> io::Result<()> {
        let Answer { status, body } = self;
        let text = format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(text.as_bytes())
    }
}

/// Reads from a server.
///
/// # Errors
///
/// When it does not answer.
pub fn get(url: &str) -> io::Result<Answer> {
    ask("GET", url)
}

/// Lets a server do something.
///
/// # Errors
///
/// When it does not answer.
pub fn post(url: &str) -> io::Result<Answer> {
    ask("POST", url)
}

fn ask(method: &str, url: &str) -> io::Result<Answer> {
    let authority = url.strip_prefix("http://").ok_or(io::ErrorKind::InvalidInput)?;
    let (addr, path) = authority.split_once('/').unwrap_or((authority, ""));
    let mut stream = TcpStream::connect(addr)?;
    write!(stream, "{method} /{path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer::new(status, body))
}
