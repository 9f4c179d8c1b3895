//! Asks somebody else before it is ready, and again when it is told to stop.
//!
//! `asks ADDRESS`: sends `start` to `ADDRESS` and prints the line that it is answered with; on SIGTERM sends `stop`, waits
//! for the answer to that, prints it and exits 0. It has no patience of its own: unanswered it waits for ever.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use pkit_test_tests::child::{Args, awaited, fail, say};

fn main() {
    let mut args = Args::of_process();
    let address: String = args.word("ADDRESS");
    args.end();
    let stop = awaited(Signal::SIGTERM);
    say(answer(&address, "start"));
    stop.wait().expect("the set is not empty");
    say(answer(&address, "stop"));
}

fn answer(address: &str, question: &str) -> String {
    asked(address, question).unwrap_or_else(|error| fail(format_args!("{address}: {error}")))
}

fn asked(address: &str, question: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    writeln!(stream, "{question}")?;
    let mut line = String::new();
    match BufReader::new(stream).read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}
