//! What passes between the guardian of an instance and those who have it.
//!
//! ```text
//!                    from who has control         from all others         to whom it goes
//! Spawn and ahead    passes, with its descriptor  declined                the guardian
//! Hold, Release      passes                       ignored                 the guardian
//! Hello              passes once, and stays none  ignored                 the guardian, see `Hello`
//! Goodbye            ignored                      ignored                 nobody: it is the broker that says it
//! Sync               with a token of ours         with a token of ours    the guardian
//! Watch              the smallest of all          the smallest of all     the guardian
//! whatever else      with a token of ours         answered with EPERM     the guardian
//! Answer                                                                  whoever has asked, with his own token
//! Output                                                                  whoever watches
//! other events                                                            everybody, and who comes later
//! ```
//!
//! What has happened to a run is remembered, so that who comes later knows all that those know who were there. The runs that are
//! errands of the broker, to undo what a lease has done, are nobody else's business. Here is no socket, and no clock.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::errno::Errno;

use super::machine::{Client, FIRST_RUN};
use super::protocol::{MAY_RETURN, Word};
use crate::guardian::protocol::{BINARY, Event, Hello, Keep, NETWORK, Order, SLATE, SPAWN};
use crate::guardian::wire::Frame;
use crate::limits::{PENDING_REQUESTS, REMEMBERED_RUNS};

mod runs;

use runs::Entry;

/// Where a frame goes.
#[derive(Debug)]
pub(super) enum Post {
    Guardian(Frame, Option<OwnedFd>),
    Client(Client, Frame),
    /// To all who have the instance.
    All(Frame),
}

/// What is to be known of an event beside whom it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// A run has ended, and nobody had asked for it. With exit code 0 it may have done what it was there for.
    Ended { run: u32, is_return: bool },
    /// An errand of ours: this has become of it.
    Errand(u32, Event),
}

#[derive(Debug)]
pub(super) struct Relay {
    runs: BTreeMap<u32, Entry>,
    /// Beginnings of errands of ours that have not ended.
    errands: Vec<u32>,
    /// Who has asked, and by which token.
    requests: BTreeMap<u64, Request>,
    last_token: u64,
    next_run: u32,
    /// What the starter has said of itself.
    hello: Option<Hello>,
    /// The logs of runs that are forgotten.
    old_logs: Vec<PathBuf>,
    /// Nobody is there any more.
    is_over: bool,
}

#[derive(Debug)]
struct Request {
    client: Client,
    token: u64,
    run: u32,
}

/// A client has asked more than anybody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch;

impl Relay {
    pub(super) fn new() -> Relay {
        Relay {
            runs: BTreeMap::new(),
            errands: Vec::new(),
            requests: BTreeMap::new(),
            last_token: 0,
            next_run: FIRST_RUN,
            hello: None,
            old_logs: Vec::new(),
            is_over: false,
        }
    }

    /// Orders for new runs begin with this id.
    pub(super) fn next_run(&self) -> u32 {
        self.next_run
    }

    pub(super) fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    // From a client.

    /// An order with the descriptor that came with it.
    pub(super) fn order(
        &mut self,
        client: Client,
        has_control: bool,
        frame: Frame,
        attached: Option<OwnedFd>,
    ) -> Result<Vec<Post>, TooMuch> {
        if self.is_over {
            return Ok(declined(client, &frame));
        }
        if frame.id == 0 || matches!(frame.kind, SPAWN | NETWORK | SLATE | BINARY) {
            return Ok(if has_control { self.for_guardian(frame, attached) } else { declined(client, &frame) });
        }
        // What has ended has said so.
        let is_there = self.runs.get(&frame.id).is_some_and(|entry| !entry.is_over());
        match Order::from_frame(&frame).filter(|_| is_there) {
            Some(Order::Watch { seen }) => Ok(self.watch(client, frame.id, seen)),
            Some(order @ Order::Sync { .. }) => self.ask(client, frame.id, &order),
            Some(order) if has_control => self.ask(client, frame.id, &order),
            Some(order) => Ok(forbidden(client, frame.id, &order)),
            None => Ok(Vec::new()),
        }
    }

    fn for_guardian(&mut self, frame: Frame, attached: Option<OwnedFd>) -> Vec<Post> {
        match Order::from_frame(&frame) {
            Some(Order::Hello(hello)) if self.hello.is_none() => return vec![self.greet(hello, attached)],
            Some(Order::Hello(_) | Order::Goodbye { .. }) | None => return Vec::new(),
            Some(Order::Spawn(launch)) => {
                self.entry(frame.id).begin(&launch);
                self.forget_old();
            }
            Some(Order::Slate) => {
                // Without one more descriptor those who come later find no result.
                self.entry(frame.id).slate = attached.as_ref().and_then(|slate| slate.try_clone().ok());
            }
            _ => {}
        }
        vec![Post::Guardian(frame, attached)]
    }

    fn entry(&mut self, run: u32) -> &mut Entry {
        self.next_run = self.next_run.max(run.saturating_add(1));
        self.runs.entry(run).or_default()
    }

    /// Nothing stays up when the broker dies, or when it ends this one for a new one; at the end of the run it may.
    fn greet(&mut self, hello: Hello, directory: Option<OwnedFd>) -> Post {
        let frame = Order::Hello(Hello { keep: Keep::Never, ..hello.clone() }).to_frame(0);
        self.hello = Some(hello);
        Post::Guardian(frame, directory)
    }

    /// What tells the guardian that all is to stay up after the goodbye.
    pub(super) fn hello_to_keep(&self) -> Option<Frame> {
        let hello = self.hello.clone()?;
        Some(Order::Hello(Hello { has_directory: false, ..hello }).to_frame(0))
    }

    fn ask(&mut self, client: Client, run: u32, order: &Order) -> Result<Vec<Post>, TooMuch> {
        let Some(token) = token_of(order) else { return Ok(vec![Post::Guardian(order.to_frame(run), None)]) };
        if self.requests.values().filter(|request| request.client == client).count() >= PENDING_REQUESTS {
            return Err(TooMuch);
        }
        self.last_token += 1;
        self.requests.insert(self.last_token, Request { client, token, run });
        Ok(vec![Post::Guardian(with_token(order, self.last_token).to_frame(run), None)])
    }

    fn watch(&mut self, client: Client, run: u32, seen: u64) -> Vec<Post> {
        let Some(entry) = self.runs.get_mut(&run) else { return Vec::new() };
        if entry.end > seen {
            return vec![Post::Client(client, Event::Output { end: entry.end }.to_frame(run))];
        }
        entry.watches.insert(client, seen);
        entry.rearm().map(|seen| watching(run, seen)).into_iter().collect()
    }

    /// Of a client that has nothing to do with it any more.
    pub(super) fn leave(&mut self, client: Client) {
        self.requests.retain(|_, request| request.client != client);
        self.runs.values_mut().for_each(|entry| _ = entry.watches.remove(&client));
    }

    // From the guardian.

    pub(super) fn event(&mut self, frame: Frame) -> (Vec<Post>, Option<News>) {
        let run = frame.id;
        let Some(event) = Event::from_frame(&frame) else { return (Vec::new(), None) };
        if run != 0 && self.errands.contains(&run) {
            return (Vec::new(), Some(News::Errand(run, event)));
        }
        match event {
            Event::Answer { token, errno, pid } => (self.answer(token, errno, pid), None),
            Event::Output { end } => (self.output(run, end), None),
            Event::Note(_) | Event::Declined => (vec![Post::All(frame)], None),
            event => {
                let ended = self.remember(run, &event, &frame);
                let is_return = matches!(&event, Event::Gone { exit, .. } if exit.success());
                (vec![Post::All(frame)], ended.then_some(News::Ended { run, is_return }))
            }
        }
    }

    fn answer(&mut self, token: u64, errno: i32, pid: i32) -> Vec<Post> {
        let Some(Request { client, token, run }) = self.requests.remove(&token) else { return Vec::new() };
        vec![Post::Client(client, Event::Answer { token, errno, pid }.to_frame(run))]
    }

    fn output(&mut self, run: u32, end: u64) -> Vec<Post> {
        let Some(entry) = self.runs.get_mut(&run) else { return Vec::new() };
        let told = entry.output(end);
        let told = told.into_iter().map(|client| Post::Client(client, Event::Output { end }.to_frame(run)));
        told.chain(entry.rearm().map(|seen| watching(run, seen))).collect()
    }

    /// Whether it has ended, and nobody had asked for it.
    fn remember(&mut self, run: u32, event: &Event, frame: &Frame) -> bool {
        let Some(entry) = self.runs.get_mut(&run) else { return false };
        let has_ended = entry.remember(event, frame);
        if entry.is_over() {
            self.requests.retain(|_, request| request.run != run);
            if entry.is_errand {
                // It was there for the moment, and who ordered it removes what it has written.
                self.runs.remove(&run);
            }
        }
        has_ended
    }

    /// The guardian is gone: what has not ended is lost with it.
    pub(super) fn lose_all(&mut self) -> Vec<Post> {
        self.is_over = true;
        let living: Vec<u32> = self.runs.iter().filter(|(_, entry)| !entry.is_over()).map(|(run, _)| *run).collect();
        let frames: Vec<Frame> = living.into_iter().map(|run| Event::Lost.to_frame(run)).collect();
        frames.iter().for_each(|frame| _ = self.remember(frame.id, &Event::Lost, frame));
        frames.into_iter().map(Post::All).collect()
    }

    /// Whether each of these lives, or has returned and may do so.
    pub(super) fn live(&self, runs: &[u32]) -> bool {
        let lives = |entry: &Entry, run: u32| entry.lives() || (run & MAY_RETURN != 0 && entry.has_returned());
        runs.iter().all(|run| self.runs.get(&(run & !MAY_RETURN)).is_some_and(|entry| lives(entry, *run)))
    }

    /// What somebody is told who comes now.
    pub(super) fn replay(&self) -> Vec<(Frame, Option<OwnedFd>)> {
        self.runs.iter().filter(|(_, entry)| !entry.is_errand).flat_map(|(run, entry)| entry.replay(*run)).collect()
    }

    // Errands of our own.

    /// Begins one: its id, and what goes to the guardian.
    pub(super) fn errand(&mut self, launch: Vec<u8>, ahead: [(Order, Option<OwnedFd>); 2]) -> (u32, Vec<Post>) {
        let run = self.next_run;
        self.next_run = self.next_run.saturating_add(1);
        self.errands.push(run);
        let ahead = ahead.into_iter().filter(|(_, fd)| fd.is_some());
        let ahead = ahead.map(|(order, fd)| Post::Guardian(order.to_frame(run), fd));
        let spawn = Post::Guardian(Frame { id: run, kind: SPAWN, payload: launch }, None);
        (run, ahead.chain([spawn]).collect())
    }

    /// It has come up: what has run until now is what others are told of, and is never forgotten.
    pub(super) fn is_up(&mut self) {
        self.runs.values_mut().for_each(|entry| entry.is_of_start = true);
    }

    /// One of them has ended.
    pub(super) fn forget_errand(&mut self, run: u32) {
        self.errands.retain(|errand| *errand != run);
    }

    // What is left.

    /// Where all of its runs have written.
    pub(super) fn logs(&mut self) -> Vec<PathBuf> {
        let logs = self.runs.values_mut().filter(|entry| !entry.is_errand).map(|entry| std::mem::take(&mut entry.log));
        logs.chain(std::mem::take(&mut self.old_logs)).filter(|log| !log.as_os_str().is_empty()).collect()
    }

    /// Of who starts it again and again the last runs are remembered.
    fn forget_old(&mut self) {
        let dead = self.runs.iter().filter(|(_, entry)| entry.is_over() && !entry.is_of_start);
        let dead: Vec<u32> = dead.map(|(run, _)| *run).collect();
        for run in dead.iter().take(dead.len().saturating_sub(REMEMBERED_RUNS)) {
            self.old_logs.extend(self.runs.remove(run).map(|entry| entry.log));
        }
    }
}

fn watching(run: u32, seen: u64) -> Post {
    Post::Guardian(Order::Watch { seen }.to_frame(run), None)
}

/// Nothing was done, and who asked for a start is told so.
fn declined(client: Client, frame: &Frame) -> Vec<Post> {
    let is_start = frame.kind == SPAWN && frame.id != 0;
    is_start.then(|| Post::Client(client, Event::Declined.to_frame(frame.id))).into_iter().collect()
}

/// The client knows that it must not, and says so better.
fn forbidden(client: Client, run: u32, order: &Order) -> Vec<Post> {
    let errno = Errno::EPERM as i32;
    let answer = token_of(order).map(|token| Event::Answer { token, errno, pid: 0 });
    answer.map(|answer| Post::Client(client, answer.to_frame(run))).into_iter().collect()
}

/// By which token it is answered, if it is.
fn token_of(order: &Order) -> Option<u64> {
    match order {
        Order::Pardon { token }
        | Order::Signal { token, .. }
        | Order::Pause { token }
        | Order::Resume { token }
        | Order::Write { token, .. }
        | Order::CloseInput { token }
        | Order::Sync { token } => Some(*token),
        _ => None,
    }
}

fn with_token(order: &Order, ours: u64) -> Order {
    let mut order = order.clone();
    if let Order::Pardon { token }
    | Order::Signal { token, .. }
    | Order::Pause { token }
    | Order::Resume { token }
    | Order::Write { token, .. }
    | Order::CloseInput { token }
    | Order::Sync { token } = &mut order
    {
        *token = ours;
    }
    order
}

/// What comes ahead of an event of this run: what it was given.
fn slate_word(run: u32) -> Frame {
    Word::Slate(run).to_frame()
}

#[cfg(test)]
mod tests;
