//! Listens where and when its script says, and writes down what is true: whoever is told that it is ready can be checked.
//!
//! `liar FILE STEP…` does the steps in their order, then serves all that it listens on, for ever. `FILE` gets a line for
//! each change, with the nanoseconds of `CLOCK_MONOTONIC`: one before the system call, after which the change is possible,
//! and one after it, when it is certain. `wait:US` `listen:ADDR` (once, or it fails) `group:ADDR` (the same with
//! `SO_REUSEPORT`) `rude:ADDR` (the same without `SO_REUSEADDR`) `bind:ADDR` (and never listen)
//! `apart:ADDR` (in a thread that has descriptors of its own, unrecorded) `patient:ADDR` (again and again until it works) `serve` (answer from now on) `close` (all) `say:TEXT`
//! `fork` (the child goes on, the parent waits for it) `daemonize` (a grandchild goes on, the leader exits 0) `exec`
//! (a new program goes on, without what was listened on) `hide` (nobody may look into it) `exit:CODE`
//! `once:FILE` (one client gets its answer when nobody listens any more and `FILE` is there).

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{self, Command};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, shutdown, socket,
    sockopt,
};
use nix::sys::wait::waitpid;
use pkit_test_tests::child::daemon::detached;
use pkit_test_tests::child::{fail, forked, monotonic_ns, pause, say, serve_one, wait_us};

/// How long a patient one waits before it tries again.
const RETRY_US: u64 = 500;

/// What listens, and its number in the record.
struct Open {
    number: u32,
    listener: Arc<TcpListener>,
    is_served: bool,
}

struct Liar {
    record: File,
    path: String,
    count: u32,
    open: Vec<Open>,
    bound: Vec<OwnedFd>,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let path = words.next().unwrap_or_else(|| fail("FILE is missing"));
    let record = OpenOptions::new().append(true).create(true).open(&path);
    let record = record.unwrap_or_else(|error| fail(format_args!("{path}: {error}")));
    let liar = Liar { record, path, count: 0, open: Vec::new(), bound: Vec::new() };
    liar.act(words.collect());
}

impl Liar {
    fn act(mut self, steps: Vec<String>) -> ! {
        let mut steps = steps.into_iter();
        while let Some(step) = steps.next() {
            let (verb, text) = step.split_once(':').unwrap_or((&step, ""));
            match verb {
                "wait" => wait_us(text.parse().expect("microseconds")),
                "listen" | "group" | "rude" => self.listen(verb, text).unwrap_or_else(|error| fail(error)),
                "bind" => self.bound.push(bound("listen", parsed(text)).unwrap_or_else(|error| fail(error))),
                "patient" => self.listen_in_the_end(text),
                "apart" => listen_apart(parsed(text)),
                "serve" => self.serve(),
                "close" => self.close(),
                "once" => self.serve_once(text),
                "say" => self.say(text),
                "fork" => go_on_in_a_child(),
                "daemonize" => self.daemonize(steps.collect()),
                "exec" => self.replace(steps.collect()),
                "hide" => nix::sys::prctl::set_dumpable(false).expect("it can be forbidden"),
                "exit" => self.exit(text.parse().expect("a code")),
                _ => fail(format_args!("{step} is no step")),
            }
        }
        self.serve();
        pause()
    }

    /// One line is one write, so that lines of several processes are not mixed up.
    fn note(&mut self, text: &str) {
        let line = format!("{} {text} {}\n", process::id(), monotonic_ns());
        self.record.write_all(line.as_bytes()).expect("the record can be written");
    }

    fn listen(&mut self, how: &str, addr: &str) -> Result<(), Errno> {
        let addr = parsed(addr);
        let listener = TcpListener::from(bound(how, addr)?);
        let addr = listener.local_addr().expect("it is bound");
        let number = self.count;
        self.count += 1;
        self.note(&format!("listen {number} {addr}"));
        if let Err(error) = listen(&listener, Backlog::MAXCONN) {
            self.note(&format!("closed {number}"));
            return Err(error);
        }
        self.note(&format!("listening {number}"));
        self.open.push(Open { number, listener: Arc::new(listener), is_served: false });
        Ok(())
    }

    fn listen_in_the_end(&mut self, addr: &str) {
        while let Err(error) = self.listen("listen", addr) {
            if error != Errno::EADDRINUSE {
                fail(error);
            }
            wait_us(RETRY_US);
        }
    }

    fn serve(&mut self) {
        for open in self.open.iter_mut().filter(|open| !open.is_served) {
            open.is_served = true;
            let listener = Arc::clone(&open.listener);
            thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    let _ = serve_one(&stream, &|_| (200, "ok\n".into())); // A client that went away is no news.
                }
            });
        }
    }

    fn close(&mut self) {
        for open in std::mem::take(&mut self.open) {
            self.note(&format!("closing {}", open.number));
            // A copy that waits for a client does not keep the port.
            let _ = shutdown(open.listener.as_raw_fd(), Shutdown::Both);
            drop(open.listener);
            self.note(&format!("closed {}", open.number));
        }
    }

    fn serve_once(&mut self, file: &str) {
        let listener = Arc::clone(&self.open.first().unwrap_or_else(|| fail("it does not listen")).listener);
        let (client, _) = listener.accept().unwrap_or_else(|error| fail(error));
        drop(listener);
        self.close();
        while !Path::new(file).exists() {
            wait_us(RETRY_US);
        }
        let _ = serve_one(&client, &|_| (200, "ok\n".into())); // A client that went away is no news.
    }

    /// What it listens on is closed by its end, a moment after it is not certain any more.
    fn exit(&mut self, code: i32) -> ! {
        let open: Vec<u32> = self.open.iter().map(|open| open.number).collect();
        open.into_iter().for_each(|number| self.note(&format!("closing {number}")));
        process::exit(code)
    }

    fn say(&mut self, text: &str) {
        self.note("say");
        say(text);
    }

    fn daemonize(self, steps: Vec<String>) -> ! {
        detached(move |unsettled| {
            drop(unsettled);
            self.act(steps)
        });
        process::exit(0)
    }

    fn replace(mut self, steps: Vec<String>) -> ! {
        self.close();
        let error = Command::new("/proc/self/exe").arg(&self.path).args(steps).exec();
        fail(error)
    }
}

fn parsed(addr: &str) -> SocketAddr {
    addr.parse().unwrap_or_else(|error| fail(format_args!("{addr}: {error}")))
}

fn bound(how: &str, addr: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &(how != "rude"))?;
    setsockopt(&socket, sockopt::ReusePort, &(how == "group"))?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(addr))?;
    Ok(socket)
}

fn listen_apart(addr: SocketAddr) {
    thread::spawn(move || {
        unshare(CloneFlags::CLONE_FILES).unwrap_or_else(|error| fail(error));
        let _listener = TcpListener::bind(addr).unwrap_or_else(|error| fail(error));
        pause()
    });
}

fn go_on_in_a_child() {
    if let Some(child) = forked() {
        let _ = waitpid(child, None);
        process::exit(0)
    }
}
