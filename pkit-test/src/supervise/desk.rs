//! Where news of the processes of one scope arrives for its supervisor.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use super::machine::{News, Policy};
use super::policy::Supervision;
use crate::callbacks;
use crate::sync::{Monitor, lock};
use crate::sys::child::own_pid;

/// ```text
///            post        open       close          done
/// Unused     (dropped)   -> Open    -> Closed      -> Closed
/// Open       kept        (is)       -> Closing     -> Closed (*)
/// Closing    (dropped)   (no)       (is)           -> Closed
/// Closed     (dropped)   (no)       (is)           (is)
/// ```
/// (*) A supervisor that panics.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    inbox: Monitor<Inbox>,
    outer: Option<Arc<Desk>>,
    inner: Mutex<Vec<Weak<Desk>>>,
}

#[derive(Debug, Default)]
struct Inbox {
    phase: Phase,
    news: VecDeque<(u64, News)>,
    /// The process whose thread reads, if there is one: a fork of it has none.
    reader: i32,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Unused,
    Open,
    Closing,
    Closed,
}

/// What a supervisor wakes up for.
#[derive(Debug, PartialEq)]
pub(crate) enum Mail {
    News(u64, News),
    /// It is time.
    Nothing,
    Closing,
}

impl Desk {
    pub(crate) fn new(outer: Option<Arc<Desk>>) -> Arc<Desk> {
        let desk = Arc::new(Desk { outer, ..Desk::default() });
        if let Some(outer) = &desk.outer {
            let mut inner = lock(&outer.inner);
            inner.retain(|known| known.strong_count() > 0);
            inner.push(Arc::downgrade(&desk));
        }
        desk
    }

    /// Begins to take news; `false` if it does so already, or never will.
    pub(crate) fn open(&self) -> bool {
        self.inbox.with(|inbox| {
            let is_first = inbox.phase == Phase::Unused;
            if is_first {
                (inbox.phase, inbox.reader) = (Phase::Open, own_pid());
            }
            is_first
        })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.inbox.with(|inbox| inbox.phase == Phase::Open)
    }

    /// Whether there was a supervisor here and its time is over.
    pub(crate) fn is_closing(&self) -> bool {
        self.inbox.with(|inbox| inbox.reader != 0 && matches!(inbox.phase, Phase::Closing | Phase::Closed))
            || self.outer.as_ref().is_some_and(|outer| outer.is_closing())
    }

    /// Tells the supervisor of this scope. Those further out hear of it as well, as of a process that somebody else looks
    /// after.
    pub(crate) fn post(&self, id: u64, news: News) {
        if let Some(outer) = &self.outer {
            outer.post(id, from_inside(news.clone()));
        }
        self.inbox.change(|inbox| {
            if inbox.phase == Phase::Open {
                inbox.news.push_back((id, news));
            }
        });
    }

    /// The next news. Waits for it, no longer than that where there is a limit.
    pub(crate) fn take(&self, until: Option<Instant>) -> Mail {
        let mail = self.inbox.wait_until(until, |inbox| {
            if inbox.phase != Phase::Open {
                return Some(Mail::Closing);
            }
            inbox.news.pop_front().map(|(id, news)| Mail::News(id, news))
        });
        mail.unwrap_or(Mail::Nothing)
    }

    /// From now on nothing is started again, here and further in. What the supervisor is about to do it still does.
    pub(crate) fn close(&self) {
        self.close_inner();
        self.inbox.change(|inbox| {
            inbox.news.clear();
            inbox.phase = match inbox.phase {
                Phase::Open => Phase::Closing,
                Phase::Unused => Phase::Closed,
                phase => phase,
            };
        });
    }

    /// The same further in alone.
    pub(crate) fn close_inner(&self) {
        self.inner().iter().for_each(|inner| inner.close());
    }

    /// Says that the supervisor has gone home.
    pub(crate) fn done(&self) {
        self.inbox.change(|inbox| {
            inbox.news.clear();
            inbox.phase = Phase::Closed;
        });
    }

    /// Waits until the supervisors here and further in are gone. A callback does not: one of them may wait for it.
    pub(crate) fn wait_closed(&self) {
        if callbacks::is_worker() {
            return;
        }
        for inner in self.inner() {
            inner.wait_closed();
        }
        let pid = own_pid();
        self.inbox.wait_until(None, |inbox| (inbox.phase == Phase::Closed || inbox.reader != pid).then_some(()));
    }

    fn inner(&self) -> Vec<Arc<Desk>> {
        lock(&self.inner).iter().filter_map(Weak::upgrade).collect()
    }
}

fn from_inside(news: News) -> News {
    match news {
        News::Started { run, policy } => {
            News::Started { run, policy: Policy { supervision: Supervision::temporary(), ..policy } }
        }
        news => news,
    }
}
