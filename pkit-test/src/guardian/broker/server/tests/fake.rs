//! Those who play a part: a runner, which only lives and dies, and tests, which say what they are told to say.

use std::fs::{self, File};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::guardian::broker::directory::{self, RunDirectory};
use crate::guardian::broker::protocol::{Ask, FIRST_WORD, Granted, Want, Word};
use crate::guardian::protocol::tests::plain;
use crate::guardian::protocol::{Event, Hello, Keep, Launch, Order, StopPlan};
use crate::guardian::wire::{self, Got, Inbox};
use crate::sys::child::own_pid;
use crate::sys::takeover::{self, Owner};
use crate::sys::wait::eventually;
use crate::sys::{platform, procfs};

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run with a broker.
pub(super) struct Run {
    pub(super) runner: Child,
    pub(super) broker: Child,
    base: PathBuf,
}

/// How the broker knows of the end of the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Descriptor,
    Look,
}

const NAME: &str = "0123456789abcdef";

impl Run {
    pub(super) fn new() -> Run {
        Run::with(By::Descriptor)
    }

    pub(super) fn with(by: By) -> Run {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pkit-broker-{}-{}", own_pid(), NEXT.fetch_add(1, Ordering::Relaxed));
        let base = std::env::temp_dir().join(name);
        let runner = Command::new("sleep").arg("1000").stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let (found, start) = RunDirectory::lock(&base, NAME, deadline).unwrap().unwrap();
        let alive = found.wait_for_end(deadline).unwrap().unwrap();
        let pid = runner.id() as i32;
        let owner = match by {
            By::Descriptor => Owner::Pidfd(platform::pidfd_open(pid).unwrap()),
            By::Look => Owner::Parent(pid),
        };
        let listener = found.listen().unwrap();
        let broker = takeover::spawn_broker(listener.into(), owner, alive.share().unwrap()).unwrap();
        alive.leave();
        drop(start);
        Run { runner, broker, base }
    }

    pub(super) fn broker(&self) -> i32 {
        self.broker.id() as i32
    }

    /// The guardians that it has now.
    pub(super) fn guardians(&self) -> Vec<i32> {
        let children = procfs::children(self.broker()).unwrap();
        children.into_iter().filter(|pid| procfs::is_alive(*pid)).collect()
    }

    pub(super) fn comes(&self) -> Fake {
        Fake::on(UnixStream::connect(directory::socket(&self.base, NAME)).unwrap())
    }

    pub(super) fn socket(&self) -> PathBuf {
        directory::socket(&self.base, NAME)
    }

    /// Where things of this run may lie.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// Somebody who wants it and has been told something.
    pub(super) fn wants(&self, who: &str) -> Fake {
        self.wants_as(who, |_| {})
    }

    pub(super) fn wants_as(&self, who: &str, change: impl FnOnce(&mut Want)) -> Fake {
        let [key, name, shown, who] = ["key", "db", "tcp(\"db\", 0)", who].map(str::to_owned);
        let mut want = Want { key, name, shown, test: who.clone(), who, is_exclusive: false, tries_again: false };
        change(&mut want);
        let fake = self.comes();
        fake.asks(&Ask::Want(want));
        fake
    }

    /// Has it started: with the one that has done so, and the process of the service.
    pub(super) fn started(&self, who: &str) -> (Fake, Granted, i32) {
        let mut fake = self.wants(who);
        let pid = fake.starts(self, &["sleep", "1000"]);
        let granted = fake.is_ready();
        (fake, granted, pid)
    }

    /// The runner ends, and the broker with it when nobody has anything any more. Nothing of the run is left.
    #[track_caller]
    pub(super) fn ends(mut self) {
        self.runner_ends();
        self.broker_ends();
        assert!(!directory::socket(&self.base, NAME).exists() && !self.base.join(NAME).exists(), "it is removed");
    }

    pub(super) fn runner_ends(&mut self) {
        self.runner.kill().unwrap();
        self.runner.wait().unwrap();
    }

    #[track_caller]
    pub(super) fn broker_ends(&mut self) {
        let end = platform::pidfd_open(self.broker()).unwrap();
        let ended = crate::sys::fd::is_readable_until(std::os::fd::AsFd::as_fd(&end), Instant::now() + PATIENCE);
        assert!(ended, "the broker does not end");
        self.broker.wait().unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for process in [&mut self.broker, &mut self.runner] {
            // Mostly it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// Whoever talks to the broker.
pub(super) struct Fake {
    pub(super) socket: UnixStream,
    inbox: Inbox,
    attached: Option<OwnedFd>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Word(Word),
    Event(u32, Event),
    End,
}

/// At once: a child that another test of this binary has just forked still holds the socket, until it executes something.
impl Drop for Fake {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Fake {
    pub(super) fn on(socket: UnixStream) -> Fake {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Fake { socket, inbox: Inbox::default(), attached: None }
    }

    pub(super) fn asks(&self, ask: &Ask) {
        self.asks_with(ask, None);
    }

    pub(super) fn asks_with(&self, ask: &Ask, fd: Option<OwnedFd>) {
        wire::send(&self.socket, &ask.to_frame(), fd).unwrap();
    }

    pub(super) fn orders(&self, id: u32, order: &Order) {
        wire::send(&self.socket, &order.to_frame(id), None).unwrap();
    }

    #[track_caller]
    pub(super) fn hears(&mut self) -> Heard {
        loop {
            if let Some(frame) = self.inbox.take().unwrap() {
                self.attached = self.inbox.attached();
                return match frame.kind {
                    ..FIRST_WORD => Heard::Event(frame.id, Event::from_frame(&frame).unwrap()),
                    _ => Heard::Word(Word::from_frame(&frame).unwrap()),
                };
            }
            match self.inbox.fill(&self.socket) {
                Ok(Got::End) | Err(_) => return Heard::End,
                Ok(Got::Nothing) => panic!("it hears nothing"),
                Ok(Got::Some | Got::All) => {}
            }
        }
    }

    /// The next word, whatever happens before.
    #[track_caller]
    pub(super) fn word(&mut self) -> Word {
        loop {
            match self.hears() {
                Heard::Word(word) => return word,
                Heard::Event(..) => {}
                Heard::End => panic!("no word any more"),
            }
        }
    }

    /// The next word that is not about waiting.
    #[track_caller]
    pub(super) fn answer(&mut self) -> Word {
        loop {
            match self.word() {
                Word::Wait(_) => {}
                word => return word,
            }
        }
    }

    #[track_caller]
    pub(super) fn waits(&mut self) -> String {
        match self.word() {
            Word::Wait(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn granted(&mut self) -> Granted {
        match self.answer() {
            Word::Granted(granted) => granted,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn refused(&mut self) -> String {
        match self.answer() {
            Word::Refused(why) => why,
            other => panic!("{other:?}"),
        }
    }

    /// The next event about a run, whatever is said before.
    #[track_caller]
    pub(super) fn event(&mut self, run: u32) -> Event {
        loop {
            match self.hears() {
                Heard::Event(id, event) if id == run => return event,
                Heard::Event(..) | Heard::Word(_) => {}
                Heard::End => panic!("no event any more"),
            }
        }
    }

    #[track_caller]
    pub(super) fn is_told_to_start(&mut self) -> u32 {
        match self.answer() {
            Word::Start { next_id } => next_id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn begins(&self) {
        self.asks_with(&Ask::Begin, Some(File::open("/proc/self/exe").unwrap().into()));
    }

    /// What a guardian is told first, with a directory of its own.
    pub(super) fn greets(&self, run: &Run, keep: Keep) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let directory = run.path(&format!("instance-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&directory).unwrap();
        let hello = Hello {
            directory,
            crash_ms: 2000,
            reports: false,
            keep,
            keep_ms: 60_000,
            janitor_ms: 100,
            logs: run.path("logs"),
            has_directory: false,
            tells: false,
        };
        self.orders(0, &Order::Hello(hello));
    }

    pub(super) fn spawns(&self, id: u32, launch: Launch) {
        self.orders(id, &Order::Spawn(Box::new(launch)));
    }

    /// From the first word to a service that runs: the process of that.
    #[track_caller]
    pub(super) fn starts(&mut self, run: &Run, command: &[&str]) -> i32 {
        let first = self.is_told_to_start();
        self.begins();
        self.greets(run, Keep::Never);
        self.spawns(first, launch(run, command));
        self.sees_it_start(first)
    }

    #[track_caller]
    pub(super) fn sees_it_start(&mut self, id: u32) -> i32 {
        match self.event(id) {
            Event::Started { pid, .. } => pid,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn is_ready(&mut self) -> Granted {
        self.asks(&Ask::Ready { parts: vec![b"part".to_vec()], vital: vec![1] });
        self.granted()
    }

    pub(super) fn releases(&self) {
        self.asks(&Ask::Release { failed: false, changed: Vec::new(), vital: None });
    }

    #[track_caller]
    pub(super) fn ends(&mut self) {
        while self.hears() != Heard::End {}
    }
}

/// A program that is found by its name.
pub(super) fn launch(run: &Run, command: &[&str]) -> Launch {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let program = ["/bin", "/usr/bin"].iter().map(|directory| Path::new(directory).join(command[0]));
    Launch {
        name: "db".into(),
        program: program.into_iter().find(|path| path.exists()).unwrap(),
        arguments: command.iter().map(|word| word.as_bytes().to_vec()).collect(),
        environment: vec![b"PATH=/bin:/usr/bin".to_vec()],
        stop: StopPlan { signal: 15, grace_ms: 5000, then_kill: true },
        log: run.path(&format!("log-{}", NEXT.fetch_add(1, Ordering::Relaxed))),
        log_bytes: 1_000_000,
        ..plain()
    }
}

/// Waits until it has ended.
#[track_caller]
pub(super) fn is_gone(pid: i32) {
    eventually(|| !procfs::is_alive(pid));
}
