//! The machine as a whole: who asks what, who is answered now, and who is gone.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::super::protocol::{Refusal, Reply, Request, Version, Who};
use super::bounds;
use super::history::History;
use super::meet::Meet;
use super::park::{Lot, Parking, Waiting};
use super::sessions::{Holding, LinkId, Session, SessionId, Sessions};
use super::spaces::Spaces;
use super::turn::Turn;
use super::watch::Watch;
use super::watches::Watches;

/// A state, and all who have to do with it.
#[derive(Debug)]
pub(crate) struct Store {
    /// Of the last change.
    pub(super) version: Version,
    pub(super) spaces: Spaces,
    pub(super) sessions: Sessions,
    pub(super) parked: Parking,
    pub(super) watches: Watches,
    pub(super) turn: Option<Turn>,
    pub(super) meet: Meet,
    pub(super) history: History,
    /// What the last answer on a link has given away, until something else is asked there: who asks has heard it.
    pub(super) unheard: HashMap<LinkId, Holding>,
    /// What became ready for others than the one who asks.
    ready: Vec<(LinkId, Reply)>,
}

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) link: LinkId,
    pub(super) session: SessionId,
    pub(super) now: Instant,
}

/// What is said to a request at once.
#[derive(Debug)]
pub(super) enum Answer {
    Now(Reply),
    /// It waits there, so long at most.
    Later(Lot, Option<Duration>),
}

/// Why somebody does not wait any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Time,
    Link,
    Death,
}

impl Store {
    pub(crate) fn new(began: Instant) -> Store {
        Store {
            version: 0,
            spaces: Spaces::default(),
            sessions: Sessions::default(),
            parked: Parking::default(),
            watches: Watches::default(),
            turn: None,
            meet: Meet::default(),
            history: History::new(began),
            unheard: HashMap::new(),
            ready: Vec::new(),
        }
    }

    /// A process is there.
    pub(crate) fn enter(&mut self, session: SessionId, who: Who) {
        self.sessions.enter(session, who);
    }

    /// A process is gone, and its links with it. What it holds is let go, and those who wait for that see that it was so.
    pub(crate) fn leave(&mut self, session: SessionId, now: Instant) {
        let Some(Session { who, links, holds }) = self.sessions.leave(session) else { return };
        // None of them may be answered by what becomes of another.
        let waited: Vec<_> = links.iter().filter_map(|link| self.forget(*link)).collect();
        for waiting in waited {
            self.gave_up(&who, &waiting, Why::Death, now);
        }
        self.let_all_go(session, &who, holds, now);
        self.end_turn_if(|turn| turn.session == session, now);
    }

    pub(crate) fn open(&mut self, link: LinkId, session: SessionId) {
        self.sessions.open(link, session);
    }

    /// A link is gone: with it what it waits for, its watch and its turn.
    pub(crate) fn close(&mut self, link: LinkId, now: Instant) {
        let Some(session) = self.sessions.close(link) else { return };
        let who = self.sessions.who(session).clone();
        if let Some(waiting) = self.forget(link) {
            self.gave_up(&who, &waiting, Why::Link, now);
        }
        self.end_turn_if(|turn| turn.link == link, now);
    }

    /// The last answer on that link was not heard: nobody has what it has given.
    pub(crate) fn take_back(&mut self, link: LinkId, now: Instant) {
        let (Some(given), Some(session)) = (self.unheard.remove(&link), self.sessions.of(link)) else { return };
        let asker = Asker { link, session, now };
        match given {
            Holding::Permit(name, permit) => drop(self.release(asker, &name, permit)),
            Holding::Lease(name, lease) => drop(self.settle(asker, &name, lease, false)),
            // They are for whoever says so, and not given.
            Holding::Barrier(_) | Holding::Latch(_) => {}
        }
    }

    /// `None`: it is answered later.
    pub(crate) fn ask(&mut self, link: LinkId, request: Request, now: Instant) -> Option<Reply> {
        if !self.unheard.is_empty() {
            self.unheard.remove(&link);
        }
        let Some(session) = self.sessions.of(link) else { return Some(malformed("nobody has opened this link")) };
        if self.parked.get(link).is_some() {
            return Some(malformed("the request before has not been answered yet"));
        }
        if let Err(refusal) = bounds::check(&request) {
            return Some(Reply::Refused(refusal));
        }
        let asker = Asker { link, session, now };
        match self.answer(asker, &request) {
            Answer::Now(reply) => Some(reply),
            Answer::Later(lot, timeout) => self.park(asker, lot, request, timeout),
        }
    }

    /// Answers those whose time is over, in the order in which it was.
    pub(crate) fn tick(&mut self, now: Instant) {
        loop {
            let turn = self.turn.as_ref().map(|turn| turn.until);
            let parked = self.parked.deadline();
            match (turn, parked) {
                (Some(until), _) if until <= now && parked.is_none_or(|(deadline, _)| until <= deadline) => {
                    self.revoke_turn(now);
                }
                (_, Some((deadline, link))) if deadline <= now => {
                    let reply = self.late(link, now);
                    self.ready.push((link, reply));
                }
                _ => break,
            }
        }
    }

    /// When [`tick`](Store::tick) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let turn = self.turn.as_ref().map(|turn| turn.until);
        let parked = self.parked.deadline().map(|(deadline, _)| deadline);
        turn.into_iter().chain(parked).min()
    }

    /// What became ready for others by the last calls, in that order.
    pub(crate) fn replies(&mut self) -> impl Iterator<Item = (LinkId, Reply)> {
        self.ready.drain(..)
    }

    /// The last changes, for people, a line each.
    pub(crate) fn history(&self) -> Vec<String> {
        self.history.lines_after(0)
    }

    /// How much there ever was to tell.
    pub(crate) fn noted(&self) -> u64 {
        self.history.count()
    }

    /// The same as the history, of what came after so much.
    pub(crate) fn history_after(&self, noted: u64) -> Vec<String> {
        self.history.lines_after(noted)
    }

    fn answer(&mut self, asker: Asker, request: &Request) -> Answer {
        if self.has_to_wait_for_turn(asker.session, request) {
            return Answer::Later(Lot::Turn, None);
        }
        let reply = match request {
            Request::Get { key, since } => self.get(key, *since),
            Request::Keys { space, since } => self.keys(space, *since),
            Request::Snapshot { space, since } => self.snapshot(space, *since),
            Request::Len { space } => number(self.spaces.len(space)),
            Request::Wait { key, until, timeout } => return self.wait(key, until, *timeout),
            Request::Commit(commit) => self.commit_in_turn(asker, commit),
            Request::Turn { timeout } => return self.take_turn(asker, *timeout),
            Request::EndTurn => self.give_up_turn(asker),
            Request::Watch { space, keys, is_live, with_first } => {
                self.watch(asker, Watch::new(space.clone(), keys.clone(), *is_live), *with_first)
            }
            Request::Next { timeout } => return self.next(asker, *timeout),
            Request::Barrier { name, act } => return self.barrier(asker, name, *act),
            Request::Latch { name, act } => return self.latch(asker, name, *act),
            Request::Semaphore { name, act } => return self.semaphore(asker, name, *act),
            Request::Queue { name, act } => return self.queue(asker, name, act),
            Request::Phase { name, act } => return self.phase(asker, name, act),
            Request::History => Reply::Names { names: self.history(), now: self.version },
            Request::Hello { .. } => malformed("who is there was said before"),
            change => self.change(asker, change),
        };
        Answer::Now(reply)
    }

    fn park(&mut self, asker: Asker, lot: Lot, request: Request, timeout: Option<Duration>) -> Option<Reply> {
        // A time beyond all clocks is as long as it takes.
        let deadline = timeout.and_then(|timeout| asker.now.checked_add(timeout));
        self.parked.park(asker.link, lot.clone(), request, deadline);
        if let Lot::Step { name, step } = lot {
            self.came_to(asker, &name, &step);
        }
        deadline.is_some_and(|deadline| deadline <= asker.now).then(|| self.late(asker.link, asker.now))
    }

    /// It waits no more, for this is its answer.
    pub(super) fn let_on(&mut self, link: LinkId, reply: Reply) {
        let waiting = self.parked.withdraw(link);
        debug_assert!(waiting.is_some(), "an answer to link {link}, which has not asked: {reply:?}");
        self.ready.push((link, reply));
    }

    /// Its time is over. What it has seen is told as it was while it still waited.
    fn late(&mut self, link: LinkId, now: Instant) -> Reply {
        let waiting = self.parked.get(link).expect("who is late has waited");
        let facts = self.facts(link, waiting, now);
        let who = self.sessions.on_link(link).clone();
        let waiting = self.parked.withdraw(link).expect("who is late has waited");
        self.gave_up(&who, &waiting, Why::Time, now);
        Reply::Late { facts }
    }

    /// Nothing is said to this link any more.
    fn forget(&mut self, link: LinkId) -> Option<Waiting> {
        self.unheard.remove(&link);
        self.watches.end(link);
        self.ready.retain(|(ready, _)| *ready != link);
        self.parked.withdraw(link)
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        Answer::Now(reply)
    }
}

pub(super) fn malformed(why: impl Into<String>) -> Reply {
    Reply::Refused(Refusal::Malformed(why.into()))
}

/// Of things, of which there are never more than can be said; but some are made for as many as anybody likes.
pub(super) fn number(count: impl TryInto<i64>) -> Reply {
    Reply::Number(count.try_into().unwrap_or(i64::MAX))
}
