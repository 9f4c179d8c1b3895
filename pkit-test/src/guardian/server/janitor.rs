//! What the guardian does for janitors: it writes down what it has, and sends one once its first service is up.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::{Guardian, Phase};
use crate::config::deadline_in;
use crate::guardian::janitor::Duty;
use crate::guardian::protocol::{Event, Hello};
use crate::guardian::registry::Ledger;
use crate::sys::child::{self, Side};
use crate::sys::{fd, platform};

/// How long after the first start a janitor is sent: the next shim comes first, and the test has the processor.
const DELAY: Duration = Duration::from_millis(1);

/// How much longer than its limit a janitor may take: one system call can take its time.
const MARGIN: Duration = Duration::from_secs(1);

/// The janitor of this guardian: there is one, once.
#[derive(Debug, Default)]
pub(super) enum Janitor {
    #[default]
    NotYet,
    Due(Instant),
    /// What it has done is read when it has ended.
    Sent {
        pid: i32,
        words: File,
        /// Until it has had its time.
        until: Option<Instant>,
    },
    Done,
}

impl Janitor {
    pub(super) fn pid(&self) -> Option<i32> {
        if let Janitor::Sent { pid, .. } = self { Some(*pid) } else { None }
    }

    /// When there is something to be done about it.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Janitor::Due(at) => Some(*at),
            Janitor::Sent { until, .. } => *until,
            Janitor::NotYet | Janitor::Done => None,
        }
    }

    /// Kills one that has had its time. What it has not done is for the next one.
    pub(super) fn kill_overdue(&mut self, now: Instant) {
        if let Janitor::Sent { pid, until, .. } = self {
            if until.take_if(|until| *until <= now).is_some() {
                child::kill_child(*pid);
            }
        }
    }
}

impl Guardian {
    /// The descriptor of the run directory came with it, if there is one: from now on we hold its lock as well.
    pub(super) fn greet(&mut self, hello: Hello) {
        if let Some(directory) = self.inbox.attached().filter(|_| hello.has_directory) {
            // Without a registry there is less to be known of us when we are dead, and nothing else is different.
            self.ledger = Some(Ledger::open(directory));
        }
        self.hello = Some(hello);
    }

    /// Writes down what has happened. On a full disk it is not written, and that is all.
    pub(super) fn note(&mut self, note: impl FnOnce(&mut Ledger) -> io::Result<()>) {
        let _ = self.ledger.as_mut().map(note);
    }

    /// Writes down who was born, when nobody waits for us any more.
    pub(super) fn write_down(&mut self) {
        for (shim, leader) in std::mem::take(&mut self.born) {
            self.note(|ledger| ledger.started(shim, leader));
            if matches!(self.janitor, Janitor::NotYet) {
                self.janitor = Janitor::Due(Instant::now() + DELAY);
            }
        }
    }

    /// Sends a janitor if it is time and there is work.
    pub(super) fn send_janitor(&mut self) {
        if !matches!(self.janitor, Janitor::Due(due) if due <= Instant::now()) {
            return;
        }
        self.janitor = Janitor::Done;
        let duty = self.duty().filter(|duty| matches!(self.phase, Phase::Serving) && duty.has_work());
        // Where there is no room for another process the next guardian has one.
        self.janitor = duty.and_then(|duty| send(&duty).ok()).unwrap_or(Janitor::Done);
    }

    fn duty(&self) -> Option<Duty> {
        let hello = self.hello.as_ref()?;
        let base = hello.directory.parent()?.to_owned();
        let has_heritage = self.ledger.as_ref().is_some_and(Ledger::has_heritage);
        let own = has_heritage.then(|| hello.directory.clone());
        Some(Duty { base, logs: hello.logs.clone(), own, limit: Duration::from_millis(hello.janitor_ms) })
    }

    /// It has ended: what it has done is told to those who want to know.
    pub(super) fn janitor_ended(&mut self) {
        let Janitor::Sent { words, .. } = std::mem::replace(&mut self.janitor, Janitor::Done) else { return };
        let mut text = Vec::new();
        // The end that it wrote to is closed.
        let _ = words.take(WORDS_BYTES as u64).read_to_end(&mut text);
        let is_told = self.owner.is_some() && self.hello.as_ref().is_some_and(|hello| hello.tells);
        for line in String::from_utf8_lossy(&text).lines().filter(|_| is_told) {
            self.outbox.push(&Event::Note(line.to_owned()).to_frame(0));
        }
    }
}

/// As much as the smallest pipe takes without a reader.
const WORDS_BYTES: usize = 4096;

fn send(duty: &Duty) -> io::Result<Janitor> {
    let (words, end) = platform::pipe()?;
    let parent = child::own_pid();
    match child::fork()? {
        Side::Parent { child: pid } => {
            Ok(Janitor::Sent { pid, words: words.into(), until: Some(deadline_in(duty.limit + MARGIN)) })
        }
        Side::Child => work(duty, end, parent),
    }
}

/// Nothing of the guardian stays open here: above all the test's stderr, and the sockets whose closing is a message.
fn work(duty: &Duty, words: OwnedFd, parent: i32) -> ! {
    platform::set_process_name(c"pkit-janitor");
    let Ok(words) = fd::keep_only(words) else { child::exit_now(1) };
    if platform::die_with_parent().is_err() || child::parent_pid() != parent {
        child::exit_now(1);
    }
    let mut text = duty.clear().join("\n");
    text.truncate((0..=WORDS_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0));
    // Whoever does not want to read it does not.
    let _ = fd::set_nonblocking(words.as_fd()).and_then(|()| File::from(words).write_all(text.as_bytes()));
    child::exit_now(0)
}
