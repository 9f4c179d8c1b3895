//! The peers: what a careful person writes by hand, with nothing in it that is not needed.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock;

/// A child that does not outlive its handle.
pub(crate) struct Raw {
    child: Child,
}

impl Raw {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Raw> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Raw { child })
    }

    /// Spawns it and reads its output up to a line that begins so.
    pub(crate) fn spawn_until_line(command: &mut Command, banner: &str) -> io::Result<Raw> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut raw = Raw { child };
        let output = raw.child.stdout.take().expect("spawned with a pipe");
        let mut lines = BufReader::new(output).lines();
        lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with(banner)));
        Ok(raw)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill(Pid::from_raw(self.pid()), signal)?)
    }

    /// Signals it and waits for its end: the least that a stop can do.
    pub(crate) fn end(&mut self, signal: Signal) -> io::Result<()> {
        self.signal(signal)?;
        self.child.wait().map(drop)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Neither fails for a child that is not reaped; for one that is, there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects again and again until somebody accepts, as most test suites do.
pub(crate) fn connect_every(pause: Duration, port: u16) -> TcpStream {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    loop {
        match TcpStream::connect(address) {
            Ok(connection) => return connection,
            Err(_) => clock::pause(pause),
        }
    }
}

/// A port that was free a moment ago. Below the range for outgoing connections, where a loop that connects would
/// sooner or later be connected to itself.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 8_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = FIRST + (std::process::id() as u16 ^ NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
