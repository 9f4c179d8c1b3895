//! What a victim says, line by line.

use std::io::{BufRead as _, BufReader, Read};
use std::process::Child as Process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use crate::cell::HANG;

/// Both its streams. They end when *nobody* holds either of them any more.
#[derive(Debug)]
pub(crate) struct Lines {
    receiver: Receiver<String>,
    /// All that was said so far.
    pub(crate) said: Vec<String>,
}

impl Lines {
    pub(crate) fn of(process: &mut Process) -> Lines {
        let (sender, receiver) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(process.stdout.take().expect("piped")), Box::new(process.stderr.take().expect("piped"))];
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                    let _ = sender.send(String::from_utf8_lossy(&line).into_owned()); // Nobody may care any more.
                }
            });
        }
        Lines { receiver, said: Vec::new() }
    }

    /// Waits for a line that ends so: the harness writes "test … " first, and does not end that line.
    pub(crate) fn wait_for(&mut self, end: &str) -> Result<(), String> {
        let deadline = Instant::now() + HANG;
        loop {
            match self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let is_it = line.ends_with(end);
                    self.said.push(line);
                    if is_it {
                        return Ok(());
                    }
                }
                Err(_) => return Err(format!("never said `{end}`:\n    {}", self.said.join("\n    "))),
            }
        }
    }

    /// Waits for the end of both streams.
    pub(crate) fn wait_for_end(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + HANG;
        loop {
            match self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => return Err("its stdout or stderr is still held".into()),
            }
        }
    }

    pub(crate) fn has(&self, end: &str) -> bool {
        self.said.iter().any(|line| line.ends_with(end))
    }
}
