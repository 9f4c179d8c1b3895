//! The broker's loop: connections, guardians and the runner; what is to be done about them decides the [`machine`](super::machine).
//!
//! It has one thread, and waits without a timeout as long as nothing is about to end. Nobody can keep it waiting: no descriptor
//! blocks, and who does not read what it is told is cut off. It is killed like anybody else: then its guardians, whose owner it
//! is, end what they have, and who comes next finds a free lock and starts another broker.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::Instant;

use super::directory::RunDirectory;
use super::machine::{Action, Client as Id, Grant, Life, Machine};
use super::protocol::{Granted, Word};
use super::relay::Post;
use crate::limits::{BROKER_LOOK, SHARED_BACKLOG_BYTES};
use crate::sys::child::FileLimit;
use crate::sys::held::Identity;
use crate::sys::platform::Crowd;
use crate::sys::strays::{self, Whose};
use crate::sys::takeover::Runner;
use crate::sys::wait::{self, For};
use crate::sys::{child, fd, peer, platform, procfs};

mod clients;
mod errands;
mod guardians;
mod remains;

use clients::Client;
use guardians::Guardian;
use remains::Remains;

/// Runs the broker in the process that the constructor recognised. Never returns to the test binary's `main`.
pub(crate) fn main() -> ! {
    child::leave_session();
    if let Ok(broker) = Broker::begin() {
        broker.run();
    }
    child::exit_now(0)
}

struct Broker {
    listener: UnixListener,
    /// When others are let in again, where there was no room for one more.
    full_until: Option<Instant>,
    runner: Runner,
    /// As it was before this process has raised its own.
    file_limit: Option<FileLimit>,
    /// When whoever cannot be waited for is looked at.
    next_look: Option<Instant>,
    /// Its lock says that there is a broker. It is free when this process has ended, however.
    alive: OwnedFd,
    directory: Option<RunDirectory>,
    machine: Machine,
    clients: BTreeMap<Id, Client>,
    last_client: Id,
    /// Those that something is to be sent to.
    unsent: BTreeSet<Id>,
    guardians: BTreeMap<Life, Guardian>,
    crowd: Crowd,
    remains: Remains,
}

/// Whom a wait is about, by what the crowd knows of it: each has a number, and is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spot {
    Client,
    /// The process of a client.
    End,
    Guardian,
}

const SPOTS: [Spot; 3] = [Spot::Client, Spot::End, Spot::Guardian];

impl Spot {
    fn of(self, number: u32) -> u32 {
        number * SPOTS.len() as u32 + self as u32
    }

    fn from(id: u32) -> (Spot, u32) {
        let count = SPOTS.len() as u32;
        (SPOTS[(id % count) as usize], id / count)
    }
}

/// What a wait brought.
#[derive(Debug, Default)]
struct Seen {
    somebody_knocks: bool,
    runner_is_dead: bool,
    crowd: Vec<u32>,
}

impl Broker {
    fn begin() -> io::Result<Broker> {
        let [listener, owner, alive] = fd::take_standard_fds()?;
        wait::forget_inherited_signals();
        wait::prepare_signals()?;
        platform::set_process_name(c"pkit-broker");
        // What a guardian leaves that was killed comes to us.
        child::adopt_orphans(Whose::OfEndedChildren);
        let file_limit = child::raise_file_limit();
        procfs::knows_children();
        let runner = Runner::of_broker(owner);
        child::set_file_mask(runner.file_mask());
        let listener = UnixListener::from(listener);
        listener.set_nonblocking(true)?;
        // Where it is gone already there is nothing to remove.
        let directory = RunDirectory::of_listener(&listener).ok();
        Ok(Broker {
            listener,
            full_until: None,
            runner,
            file_limit,
            next_look: None,
            alive,
            directory,
            machine: Machine::new(),
            clients: BTreeMap::new(),
            last_client: 0,
            unsent: BTreeSet::new(),
            guardians: BTreeMap::new(),
            crowd: Crowd::new(),
            remains: Remains::default(),
        })
    }

    fn run(mut self) {
        loop {
            self.reap();
            self.look_for_remains();
            self.hurry_late_ones();
            self.look_at_those_without_a_descriptor();
            self.act();
            self.flush();
            if self.machine.is_done() && self.guardians.is_empty() {
                return self.close();
            }
            if self.wait().is_err() {
                return;
            }
        }
    }

    /// Who has come in the last moment is told, too; whoever is not finds that there is no broker any more. What is still open
    /// ends last: somebody may wait for that.
    fn close(mut self) {
        self.let_in();
        self.act();
        self.flush();
        drop(self.listener);
        if let Some(directory) = self.directory {
            directory.remove(self.alive);
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        let seen = self.poll()?;
        if seen.runner_is_dead {
            self.machine.run_is_over();
        }
        if wait::is_asked_to_end() {
            self.machine.is_asked_to_end();
        }
        let mut spots: Vec<(Spot, u32)> = seen.crowd.into_iter().map(Spot::from).collect();
        // What has ended has ended before anybody gets a lease of it. And what a process has said comes before its end.
        spots.sort_by_key(|(spot, _)| [Spot::Guardian, Spot::Client, Spot::End].iter().position(|one| one == spot));
        for (spot, number) in spots {
            match spot {
                Spot::Guardian => self.read_guardian(number),
                Spot::Client => self.read_client(number),
                Spot::End => self.client_has_died(number),
            }
            self.act();
        }
        if seen.somebody_knocks {
            self.let_in();
        }
        Ok(())
    }

    fn poll(&self) -> io::Result<Seen> {
        let runner = if let Runner::Pidfd(runner) = &self.runner { Some(runner.as_fd()) } else { None };
        let runner = runner.filter(|_| !self.machine.has_ended_run());
        let door = self.full_until.is_none().then(|| self.listener.as_fd());
        let mut fds: Vec<(BorrowedFd<'_>, For)> = Vec::with_capacity(3);
        fds.extend(runner.into_iter().chain(door).map(|fd| (fd, For::Reading)));
        fds.extend(self.crowd.polled());
        let mut ready = wait::wait(&fds, self.deadline())?.into_iter();
        Ok(Seen {
            runner_is_dead: runner.is_some() && ready.next() == Some(true),
            somebody_knocks: door.is_some() && ready.next() == Some(true),
            crowd: self.crowd.ready(&ready.collect::<Vec<_>>())?,
        })
    }

    fn deadline(&self) -> Option<Instant> {
        let guardians = self.guardians.values().filter_map(Guardian::deadline);
        let own = [self.full_until, self.next_look, self.remains.deadline(), strays::next_look()];
        own.into_iter().flatten().chain(guardians).min()
    }

    /// Where the system has no descriptors that mean a process.
    fn look_at_those_without_a_descriptor(&mut self) {
        let now = Instant::now();
        self.full_until.take_if(|until| *until <= now);
        let (needs_look, runner_is_dead) = match &self.runner {
            Runner::Pidfd(_) => (false, false),
            Runner::Known(runner) => (!self.machine.has_ended_run(), !runner.is_alive()),
        };
        if runner_is_dead {
            self.machine.run_is_over();
        }
        let known: Vec<(Id, Identity)> =
            self.clients.iter().filter_map(|(id, client)| Some((*id, client.without_descriptor()?))).collect();
        self.next_look = (needs_look || !known.is_empty()).then(|| now + BROKER_LOOK);
        for (id, _) in known.into_iter().filter(|(_, who)| !who.is_alive()) {
            self.client_has_died(id);
        }
    }

    // What is to be done.

    /// What is done may have consequences, which are to be done as well.
    fn act(&mut self) {
        loop {
            let actions = self.machine.take_actions();
            if actions.is_empty() {
                return;
            }
            actions.into_iter().for_each(|action| self.do_one(action));
        }
    }

    fn do_one(&mut self, action: Action) {
        match action {
            Action::Say(client, word) => {
                self.say(client, &word);
                if matches!(word, Word::Released(_)) {
                    self.guardians.values_mut().for_each(|guardian| guardian.relay.leave(client));
                }
            }
            Action::Grant(client, grant) => self.grant(client, grant),
            Action::Execute(life, client) => self.execute(life, client),
            Action::End(life, farewell) => self.send_away(life, farewell),
            Action::Undo(client, life) => self.undo(client, life),
            Action::Bury { life, keeps_logs } => self.bury(life, keeps_logs),
            Action::CutOff(client) => self.forget(client),
        }
    }

    fn say(&mut self, client: Id, word: &Word) {
        self.tell(client, |client| client.outbox.push(&word.to_frame()));
    }

    fn grant(&mut self, client: Id, grant: Grant) {
        let Some(guardian) = self.guardians.get(&grant.life) else { return };
        let (past, next_id) = (guardian.relay.replay(), guardian.relay.next_run());
        let Grant { parts, slot, number, starts, .. } = grant;
        let word = Word::Granted(Granted { parts, slot, number, next_id, starts });
        self.tell(client, |client| {
            past.into_iter().for_each(|(frame, fd)| client.outbox.push_with(&frame, fd));
            client.outbox.push(&word.to_frame());
        });
    }

    fn tell(&mut self, client: Id, tell: impl FnOnce(&mut Client)) {
        // Who has gone has nothing to be told.
        if let Some(found) = self.clients.get_mut(&client) {
            tell(found);
            self.unsent.insert(client);
        }
    }

    fn deliver(&mut self, life: Life, posts: Vec<Post>) {
        for post in posts {
            match post {
                Post::Guardian(frame, fd) => {
                    if let Some(guardian) = self.guardians.get_mut(&life) {
                        guardian.outbox.push_with(&frame, fd);
                    }
                }
                Post::Client(client, frame) => self.tell(client, |client| client.outbox.push(&frame)),
                Post::All(frame) => {
                    for client in self.machine.audience(life) {
                        self.tell(client, |client| client.outbox.push(&frame));
                    }
                }
            }
        }
    }

    fn flush(&mut self) {
        self.flush_guardians();
        for id in std::mem::take(&mut self.unsent) {
            self.flush_client(id);
        }
        // Who was cut off may have had something that is undone now.
        if !self.unsent.is_empty() {
            self.act();
            self.flush();
        }
    }

    fn flush_client(&mut self, id: Id) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        // One that is broken is read to its end, which is seen like any other.
        let is_broken = client.outbox.flush(&client.socket).is_err();
        if client.outbox.len() > SHARED_BACKLOG_BYTES {
            self.machine.breaks_rules(id);
            return self.act();
        }
        let wants_room = !client.outbox.is_empty() && !is_broken;
        if client.wants_room != wants_room && !client.is_paused {
            client.wants_room = wants_room;
            // It is in there as long as it is known.
            let _ = self.crowd.wait_for_room(&client.socket, Spot::Client.of(id), wants_room);
        }
    }
}

#[cfg(test)]
mod tests;
