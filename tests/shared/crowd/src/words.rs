//! What a test says to a fake server: a line, and the line that comes back.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Only catches a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks on a connection of its own.
///
/// # Errors
///
/// When nobody answers.
pub fn asked(server: SocketAddr, line: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    match BufReader::new(stream).read_line(&mut answer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer.trim_end().to_owned()),
    }
}

/// The same for whoever cannot do without the answer.
///
/// # Panics
///
/// When nobody answers.
#[must_use]
pub fn ask(server: SocketAddr, line: &str) -> String {
    asked(server, line).unwrap_or_else(|error| panic!("`{line}` to {server}: {error}"))
}

/// The other side, of a function: whoever connects is told its id.
pub(crate) fn greet(mut client: &TcpStream) {
    let _ = client.write_all(format!("function {}\n", std::process::id()).as_bytes()); // Who goes away is no news.
}
