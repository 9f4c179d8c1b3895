//! The client of a store: one line asks, and one or two answer.
//!
//! It is the part of redis' protocol that a person could type. So it makes no difference to it whether a `kv` or a real
//! redis-server answers. Keys and values are single words.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a store may take for an answer, where nothing else is said.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a store.
#[derive(Debug)]
pub struct Store {
    stream: BufReader<TcpStream>,
}

impl Store {
    /// Connects to a store that may take as long as `patience` for an answer.
    ///
    /// # Errors
    ///
    /// When nobody accepts.
    pub fn connect(addr: impl ToSocketAddrs, patience: Duration) -> io::Result<Store> {
        let stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Store { stream: BufReader::new(stream) })
    }

    /// Asks whether it is there.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn ping(&mut self) -> io::Result<()> {
        self.ask("PING").map(drop)
    }

    /// Writes a value. When this returns it is written.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn set(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.ask(&format!("SET {key} {value}")).map(drop)
    }

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn get(&mut self, key: &str) -> io::Result<Option<String>> {
        self.ask(&format!("GET {key}"))
    }

    /// Adds one to a number, which is 0 where there is none, and returns the new one.
    ///
    /// # Errors
    ///
    /// When it does not answer, or when the value is no number.
    pub fn incr(&mut self, key: &str) -> io::Result<u64> {
        let number = self.ask(&format!("INCR {key}"))?.unwrap_or_default();
        number.parse().map_err(io::Error::other)
    }

    /// Goes over to one of the numbered databases that a real redis-server has.
    ///
    /// # Errors
    ///
    /// When it does not answer, or has no such database.
    pub fn select(&mut self, database: u32) -> io::Result<()> {
        self.ask(&format!("SELECT {database}")).map(drop)
    }

    /// Removes all that is in the database.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.ask("FLUSHDB").map(drop)
    }

    fn ask(&mut self, line: &str) -> io::Result<Option<String>> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        let answer = self.line()?;
        match answer.split_at_checked(1) {
            Some(("+" | ":", text)) => Ok(Some(text.to_owned())),
            Some(("$", "-1")) => Ok(None),
            // The length of the value: the line that follows, as no value has a line break.
            Some(("$", _)) => self.line().map(Some),
            Some(("-", why)) => Err(io::Error::other(why)),
            _ => Err(io::Error::other(format!("`{answer}` is no answer"))),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
