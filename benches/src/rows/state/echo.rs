//! The least that a server can do on such a socket: it gives back what it is sent. In both ways in which servers are written.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pkit_test::ready::Said;
use pkit_test::{Worker, current, function};

use super::whose::{ECHO_BYTES, Whose};
use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;

/// A server, as long as it is held.
pub(super) struct Echo {
    _server: Worker<()>,
    pub(super) whose: Whose,
    pub(super) name: &'static str,
}

impl Echo {
    /// One thread for all clients.
    pub(super) fn of_a_loop(bench: &Bench) -> Outcome<Echo> {
        let path = bench.scratch().join(format!("echo-{:x}", clock::random()));
        let server = function(serve_by_a_loop, path.clone()).ready(Said::ready()).start()?;
        Ok(Echo { _server: server, whose: Whose::Echo(path), name: "an echo, one loop" })
    }

    /// A thread for each client.
    pub(super) fn of_threads(bench: &Bench) -> Outcome<Echo> {
        let path = bench.scratch().join(format!("echo-{:x}", clock::random()));
        let server = function(serve_by_threads, path.clone()).ready(Said::ready()).start()?;
        Ok(Echo { _server: server, whose: Whose::Echo(path), name: "an echo, a thread a client" })
    }
}

fn listen(path: &PathBuf) -> UnixListener {
    let listener = UnixListener::bind(path).expect("nobody has that name");
    current().ready();
    listener
}

fn serve_by_threads(path: PathBuf) {
    for mut stream in listen(&path).incoming().flatten() {
        thread::spawn(move || while echoes(&mut stream) {});
    }
}

fn serve_by_a_loop(path: PathBuf) {
    let listener = listen(&path);
    let mut streams: Vec<UnixStream> = Vec::new();
    loop {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds: Vec<PollFd<'_>> = streams.iter().map(|stream| readable(stream.as_fd())).collect();
        fds.push(readable(listener.as_fd()));
        poll(&mut fds, PollTimeout::NONE).expect("no signal comes here");
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let mut ready = ready.into_iter();
        streams.retain_mut(|stream| ready.next() == Some(false) || echoes(stream));
        if ready.next() == Some(true) {
            streams.extend(listener.accept().map(|(stream, _)| stream));
        }
    }
}

/// Whether it is still there.
fn echoes(stream: &mut UnixStream) -> bool {
    let mut message = [0; ECHO_BYTES];
    stream.read_exact(&mut message).and_then(|()| stream.write_all(&message)).is_ok()
}
