//! What comes over a lease: the words of the broker, and what is said of runs before anybody here has attached to them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::OnEnd;
use crate::guardian::broker::protocol::Word;
use crate::guardian::client::Guardian;
use crate::guardian::protocol::Event;
use crate::guardian::run::Run;
use crate::guardian::wire::{Frame, Inbox};
use crate::sync::{Monitor, lock};

/// What the broker has said, and what is kept of what the guardian behind it has.
#[derive(Debug)]
pub(crate) struct Line {
    said: Monitor<Said>,
    is_let_go: AtomicBool,
}

#[derive(Debug)]
struct Said {
    words: VecDeque<Word>,
    /// Of runs to which nobody has attached yet; whoever starts them has them all from the beginning.
    kept: Option<HashMap<u32, Vec<Event>>>,
    /// The same from before the lease.
    before: HashMap<u32, Vec<Event>>,
    slates: HashMap<u32, OwnedFd>,
    has_ended: bool,
}

impl Default for Line {
    fn default() -> Line {
        let (words, before, slates) = (VecDeque::new(), HashMap::new(), HashMap::new());
        let kept = Some(HashMap::new());
        let said = Monitor::new(Said { words, kept, before, slates, has_ended: false });
        Line { said, is_let_go: AtomicBool::new(false) }
    }
}

impl Line {
    /// Takes a frame if it is the broker's own.
    pub(in crate::guardian) fn hear_word(&self, frame: &Frame, attached: Option<OwnedFd>) -> bool {
        let Some(word) = Word::from_frame(frame) else { return false };
        self.said.change(|said| match word {
            Word::Slate(id) => said.slates.extend(attached.map(|slate| (id, slate))),
            word => {
                if matches!(word, Word::Granted(_)) {
                    said.before = said.kept.replace(HashMap::new()).unwrap_or_default();
                }
                said.words.push_back(word);
            }
        });
        true
    }

    /// Keeps what is said of a run that nobody knows yet.
    pub(in crate::guardian) fn keep(&self, id: u32, event: &Event) {
        self.said.with(|said| {
            if let Some(kept) = &mut said.kept {
                kept.entry(id).or_default().push(event.clone());
            }
        });
    }

    pub(in crate::guardian) fn ends(&self) {
        self.said.change(|said| said.has_ended = true);
    }

    /// Whoever starts it has heard of all its runs from their beginning.
    pub(super) fn keeps_nothing(&self) {
        self.said.with(|said| said.kept = None);
    }

    /// From now on others are told of them, and this process like them.
    pub(super) fn keeps_all(&self) {
        self.said.with(|said| said.kept = Some(HashMap::new()));
    }

    pub(super) fn take_slate(&self, id: u32) -> Option<OwnedFd> {
        self.said.with(|said| said.slates.remove(&id))
    }

    #[cfg(test)]
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        self.said.wait_until(Some(deadline), |said| said.has_ended.then_some(())).is_some()
    }

    /// The next word of what has arrived; for whoever reads the connection by itself.
    pub(super) fn next_of(&self, inbox: &mut Inbox) -> io::Result<Option<Word>> {
        while let Some(frame) = inbox.take()? {
            if !self.hear_word(&frame, inbox.attached()) {
                Event::from_frame(&frame).iter().for_each(|event| self.keep(frame.id, event));
            }
            if let Some(word) = self.said.with(|said| said.words.pop_front()) {
                return Ok(Some(word));
            }
        }
        Ok(None)
    }

    /// The next word; `None` at the deadline, and when there will be none.
    pub(super) fn next(&self, deadline: Instant) -> Option<Word> {
        let next = |said: &mut Said| match said.words.pop_front() {
            Some(word) => Some(Some(word)),
            None => said.has_ended.then_some(None),
        };
        self.said.wait_until(Some(deadline), next).flatten()
    }
}

impl Guardian {
    /// What only one of a lease has.
    pub(super) fn line(&self) -> &Line {
        self.line.as_ref().expect("it was made over a connection to a broker")
    }

    /// Ends the connection, and nothing else: whatever was said of a run stays as it was.
    pub(super) fn let_go(&self) {
        if !self.is_ours() {
            return;
        }
        self.line.iter().for_each(|line| line.is_let_go.store(true, Ordering::Relaxed));
        if !self.is_dead.change(|is_dead| std::mem::replace(is_dead, true)) {
            // It may be broken already.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }

    /// Whether this process has ended it. Where the broker has, what was there is lost, and that is said when it is gone.
    pub(crate) fn is_let_go(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.is_let_go.load(Ordering::Relaxed))
    }

    /// Attaches to a run that was ordered by somebody, and that nobody here has attached to.
    pub(super) fn attach(self: &Arc<Guardian>, run: Run, on_end: OnEnd) -> Joined {
        let (id, run) = (run.id(), Arc::new(run));
        let before = self.line().said.with(|said| said.before.remove(&id)).unwrap_or_default();
        before.into_iter().for_each(|event| run.hear(event));
        let was_over = run.phase().is_over();
        run.tell_end(on_end);
        loop {
            let mut runs = lock(&self.runs);
            let kept = self.line().said.with(|said| said.kept.as_mut()?.remove(&id));
            let Some(kept) = kept else {
                runs.insert(id, Arc::downgrade(&run));
                drop(runs);
                return Joined { run, was_over };
            };
            // Not under the lock, and in their order: what is said meanwhile is kept behind them.
            drop(runs);
            kept.into_iter().for_each(|event| run.hear(event));
        }
    }
}

/// A run that was there before.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) run: Arc<Run>,
    /// Before the grant already.
    pub(crate) was_over: bool,
}
