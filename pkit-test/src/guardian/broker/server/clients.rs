//! Connections: whoever has come, what it says, and how it ends.
//!
//! What a client has said is heard before its end, also where both have come before anybody looked: so what is in the socket of a
//! dead one is read to its end first, in order. Nobody else can add to it then.

use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::errno::Errno;

use super::{Broker, Id, Spot, peer};
use crate::guardian::broker::machine::Reach;
use crate::guardian::broker::protocol::{Ask, FIRST_ASK, FIRST_WORD, Word};
use crate::guardian::broker::server::errands::Errand;
use crate::guardian::protocol::{Event, SPAWN};
use crate::guardian::wire::{Frame, Got, Inbox, Outbox};
use crate::limits::{BROKER_LOOK, SHARED_CLIENTS};
use crate::sys::held::Identity;

/// How often one is read before others have their turn.
const READS: usize = 64;

#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: UnixStream,
    pid: Option<i32>,
    /// Readable when its process is dead: a fork of that may hold the socket.
    end: Option<OwnedFd>,
    /// The same where there is no such descriptor.
    who: Option<Identity>,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    /// Something is left in the outbox, and the room for it is waited for.
    pub(super) wants_room: bool,
    /// It is not read, as long as the guardian that it talks to does not read.
    pub(super) is_paused: bool,
    /// What is to be executed for it.
    pub(super) program: Option<OwnedFd>,
    /// What its next errand is a function of.
    binary: Option<OwnedFd>,
}

impl Client {
    /// Its process, where that cannot be waited for.
    pub(super) fn without_descriptor(&self) -> Option<Identity> {
        self.who
    }
}

impl Broker {
    pub(super) fn let_in(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => self.welcome(socket),
                Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    // Whoever has left again is none; else there is no room for one more descriptor, and nobody says when there is.
                    let is_full = error.raw_os_error() != Some(Errno::ECONNABORTED as i32);
                    self.full_until = is_full.then(|| Instant::now() + BROKER_LOOK);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, socket: UnixStream) {
        if !peer::is_own_user(&socket) || socket.set_nonblocking(true).is_err() {
            return;
        }
        self.last_client += 1;
        let id = self.last_client;
        let peer = peer::peer(&socket);
        let who = if peer.end.is_none() { peer.pid.and_then(Identity::of) } else { None };
        let added = self.crowd.add(&socket, Spot::Client.of(id)).is_ok();
        if !added || self.clients.len() >= SHARED_CLIENTS {
            return self.turn_away(&socket, added);
        }
        if let Some(end) = &peer.end {
            // Without it the end of the socket has to do.
            let _ = self.crowd.add(end, Spot::End.of(id));
        }
        let (inbox, outbox) = (Inbox::default(), Outbox::default());
        let client = Client {
            socket,
            pid: peer.pid,
            end: peer.end,
            who,
            inbox,
            outbox,
            wants_room: false,
            is_paused: false,
            program: None,
            binary: None,
        };
        self.clients.insert(id, client);
        self.machine.has_come(id);
        // What it wants may have come with it.
        self.read_client(id);
        self.act();
    }

    fn turn_away(&mut self, socket: &UnixStream, was_added: bool) {
        if was_added {
            // It was added a moment ago.
            let _ = self.crowd.remove(socket);
        }
        let mut outbox = Outbox::default();
        outbox.push(&Word::Refused(format!("{SHARED_CLIENTS} others are there already")).to_frame());
        // Whoever does not get it sees the end.
        let _ = outbox.flush(socket);
    }

    pub(super) fn read_client(&mut self, id: Id) {
        // It may be room for more that it has.
        self.unsent.insert(id);
        let has_ended = self.fill(id, READS);
        self.hear_all(id);
        if has_ended {
            self.has_gone(id);
        }
    }

    /// Whatever it has said is heard, and then it is gone: also where a fork of it goes on to hold the socket.
    pub(super) fn client_has_died(&mut self, id: Id) {
        let Some(client) = self.clients.get(&id) else { return };
        // Where this fails the other end is closed.
        let _ = client.socket.shutdown(Shutdown::Read);
        self.fill(id, usize::MAX);
        self.hear_all(id);
        self.has_gone(id);
    }

    /// Whether it has ended.
    fn fill(&mut self, id: Id, reads: usize) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        for _ in 0..reads {
            match client.inbox.fill(&client.socket) {
                // A read ends also where a descriptor came along.
                Ok(Got::Some | Got::All) => {}
                Ok(Got::Nothing) => return false,
                Ok(Got::End) | Err(_) => return true,
            }
        }
        false
    }

    fn hear_all(&mut self, id: Id) {
        while let Some(client) = self.clients.get_mut(&id) {
            match client.inbox.take() {
                Ok(Some(frame)) => {
                    let attached = client.inbox.attached();
                    self.hear(id, frame, attached);
                    self.act();
                }
                Ok(None) => return,
                // Somebody scribbled on the socket: what follows means nothing any more.
                Err(_) => {
                    self.machine.breaks_rules(id);
                    return self.act();
                }
            }
        }
    }

    fn hear(&mut self, id: Id, frame: Frame, attached: Option<OwnedFd>) {
        match frame.kind {
            ..FIRST_ASK => self.pass_on(id, frame, attached),
            FIRST_ASK..FIRST_WORD => match Ask::from_frame(&frame) {
                Some(ask) => self.hear_ask(id, ask, attached),
                None => self.machine.breaks_rules(id),
            },
            FIRST_WORD.. => self.machine.breaks_rules(id),
        }
    }

    fn hear_ask(&mut self, id: Id, ask: Ask, attached: Option<OwnedFd>) {
        if matches!(ask, Ask::Want(_)) {
            self.hear_older(id);
        }
        let life = self.machine.reach(id).map(Reach::life);
        let guardian = life.and_then(|life| self.guardians.get_mut(&life));
        let client = self.clients.get_mut(&id);
        match (&ask, guardian, client) {
            (Ask::Over, ..) => return self.is_over(id),
            (Ask::Begin, _, Some(client)) => client.program = attached,
            (Ask::Binary, _, Some(client)) => client.binary = attached,
            (Ask::Undo { launch, limit_ms }, Some(guardian), Some(client)) => {
                let (launch, binary) = (launch.clone(), client.binary.take());
                guardian.errands.keep(id, Errand { launch, limit_ms: *limit_ms, slate: attached, binary });
            }
            (Ask::Ready { .. }, Some(guardian), _) => guardian.relay.is_up(),
            _ => {}
        }
        let relay = life.and_then(|life| self.guardians.get(&life)).map(|guardian| &guardian.relay);
        self.machine.hear(id, ask, |vital| relay.is_some_and(|relay| relay.live(vital)));
    }

    /// What a process has said on other connections it has said before it wanted something on this one: it may have let go of it
    /// there. Those have wanted something already, so that this ends.
    fn hear_older(&mut self, id: Id) {
        let pid = self.clients.get(&id).and_then(|client| client.pid);
        let is_older = |other: &Id, client: &Client| client.pid == pid && !self.machine.is_new(*other);
        let older = self.clients.iter().filter(|(other, client)| is_older(other, client));
        let older: Vec<Id> = older.map(|(other, _)| *other).collect();
        older.into_iter().for_each(|other| self.read_client(other));
    }

    /// Its process is about to exit, and the run with it: what it has forgotten to let go of keeps nobody waiting.
    fn is_over(&mut self, id: Id) {
        let pid = self.clients.get(&id).and_then(|client| client.pid);
        let is_own = |client: &Client| client.pid == pid && pid.is_some();
        let own: Vec<Id> = self.clients.iter().filter(|(_, client)| is_own(client)).map(|(id, _)| *id).collect();
        self.machine.run_is_over();
        own.into_iter().for_each(|own| self.machine.exits(own));
    }

    fn pass_on(&mut self, id: Id, frame: Frame, attached: Option<OwnedFd>) {
        let reach = self.machine.reach(id);
        let guardian = reach.and_then(|reach| self.guardians.get_mut(&reach.life()));
        let (Some(reach), Some(guardian)) = (reach, guardian) else {
            if frame.kind == SPAWN {
                self.tell(id, |client| client.outbox.push(&Event::Declined.to_frame(frame.id)));
            }
            return;
        };
        match guardian.relay.order(id, matches!(reach, Reach::Control(_)), frame, attached) {
            Ok(posts) => self.deliver(reach.life(), posts),
            Err(_) => self.machine.breaks_rules(id),
        }
        self.pause_if_clogged(reach.life(), id);
    }

    fn has_gone(&mut self, id: Id) {
        self.forget(id);
        self.machine.has_gone(id);
        self.act();
    }

    /// Closes its connection.
    pub(super) fn forget(&mut self, id: Id) {
        let Some(client) = self.clients.remove(&id) else { return };
        if !client.is_paused {
            // It is in there, and if it were not there would be nothing to do.
            let _ = self.crowd.remove(&client.socket);
        }
        if let Some(end) = &client.end {
            let _ = self.crowd.remove(end.as_fd());
        }
        self.guardians.values_mut().for_each(|guardian| guardian.leave(id));
    }
}
