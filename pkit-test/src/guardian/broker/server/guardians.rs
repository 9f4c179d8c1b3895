//! The guardians of instances, one for each life.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::errands::Errands;
use super::{Broker, Id, Life, Spot};
use crate::config::{Show, config, deadline_in};
use crate::guardian::broker::machine::Farewell;
use crate::guardian::broker::protocol::Undone;
use crate::guardian::broker::relay::{News, Relay};
use crate::guardian::protocol::{Hello, Keep, Order};
use crate::guardian::wire::{Got, Inbox, Outbox};
use crate::limits::{GOODBYE_LIMIT, GUARDIAN_BACKLOG_BYTES};
use crate::output::LogFiles;
use crate::sys::{child, directory, takeover};

/// What a guardian knows the lock by that says that the broker is there: no port has that number. A broker that is killed is not
/// gone before all that it has shared is, so that nothing is there twice.
const ALIVE: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Guardian {
    pub(super) pid: i32,
    /// Until its end.
    socket: Option<UnixStream>,
    inbox: Inbox,
    pub(super) outbox: Outbox,
    wants_room: bool,
    pub(super) relay: Relay,
    pub(super) errands: Errands,
    /// Those that are not read until it reads.
    paused: Vec<Id>,
    /// It was told to let everything stay up.
    is_kept: bool,
    /// When it has had its time to end.
    overdue: Option<Instant>,
    pub(super) is_reaped: bool,
    /// When what it has left has had its time to end by itself; set by its end.
    pub(super) clear_by: Option<Instant>,
}

impl Guardian {
    fn new(pid: i32, socket: UnixStream) -> Guardian {
        Guardian {
            pid,
            socket: Some(socket),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            wants_room: false,
            relay: Relay::new(),
            errands: Errands::default(),
            paused: Vec::new(),
            is_kept: false,
            overdue: None,
            is_reaped: false,
            clear_by: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.overdue.into_iter().chain(self.errands.deadline()).min()
    }

    /// How long its services have when it is gone.
    pub(super) fn crash_time(&self) -> Duration {
        Duration::from_millis(self.relay.hello().map_or(0, |hello| hello.crash_ms))
    }

    /// Of a client that is gone.
    pub(super) fn leave(&mut self, client: Id) {
        self.relay.leave(client);
        self.paused.retain(|paused| *paused != client);
    }

    /// Whether `PKIT_KEEP` has its services stay up at the end of the run.
    fn may_be_kept(&self, failed: bool) -> bool {
        match self.relay.hello().map(|hello: &Hello| hello.keep) {
            Some(Keep::Always) => true,
            Some(Keep::Failed) => failed,
            Some(Keep::Never) | None => false,
        }
    }
}

impl Broker {
    pub(super) fn execute(&mut self, life: Life, client: Id) {
        let program = self.clients.get_mut(&client).and_then(|client| client.program.take());
        let executed = program.ok_or_else(|| io::Error::other("no more files may be open (RLIMIT_NOFILE)"));
        match executed.and_then(|program| self.try_execute(life, &program)) {
            Ok(mut guardian) => {
                // Without it the next broker may come too soon, but only where this one is killed.
                let alive = self.alive.try_clone().ok();
                guardian.outbox.push_with(&Order::Hold(ALIVE).to_frame(0), alive);
                self.guardians.insert(life, guardian);
            }
            Err(error) => self.machine.not_executed(life, format!("its guardian was not started: {error}")),
        }
    }

    fn try_execute(&mut self, life: Life, program: &OwnedFd) -> io::Result<Guardian> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        self.crowd.add(&ours, Spot::Guardian.of(life))?;
        let pid = takeover::spawn_guardian_from(program, theirs.into(), self.file_limit);
        if pid.is_err() {
            // It was added a moment ago.
            let _ = self.crowd.remove(&ours);
        }
        Ok(Guardian::new(pid?, ours))
    }

    pub(super) fn read_guardian(&mut self, life: Life) {
        let Some(guardian) = self.guardians.get_mut(&life) else { return };
        let Some(socket) = &guardian.socket else { return };
        let has_ended = loop {
            match guardian.inbox.fill(socket) {
                Ok(Got::Some | Got::All) => {}
                // One that is reaped says nothing any more, whoever may still hold its end.
                Ok(Got::Nothing) => break guardian.is_reaped,
                Ok(Got::End) | Err(_) => break true,
            }
        };
        self.hear_guardian(life);
        if has_ended {
            self.guardian_has_ended(life);
        }
    }

    fn hear_guardian(&mut self, life: Life) {
        loop {
            let Some(guardian) = self.guardians.get_mut(&life) else { return };
            let Ok(Some(frame)) = guardian.inbox.take() else { return };
            let (posts, news) = guardian.relay.event(frame);
            self.deliver(life, posts);
            match news {
                Some(News::Ended { run, is_return }) => self.machine.has_ended(life, run, is_return),
                Some(News::Errand(run, event)) => self.hear_errand(life, run, &event),
                None => {}
            }
            self.act();
        }
    }

    /// It has closed its end: it is about to be gone, or was told to let everything stay up.
    fn guardian_has_ended(&mut self, life: Life) {
        let Some(guardian) = self.guardians.get_mut(&life) else { return };
        if let Some(socket) = guardian.socket.take() {
            // It is in there, and if it were not there would be nothing to do.
            let _ = self.crowd.remove(&socket);
        }
        guardian.outbox = Outbox::default();
        let (posts, leases) = (guardian.relay.lose_all(), guardian.errands.lose_all());
        let (is_kept, pid, paused) = (guardian.is_kept, guardian.pid, std::mem::take(&mut guardian.paused));
        self.deliver(life, posts);
        leases.into_iter().for_each(|lease| self.machine.undone(lease, Undone::Lost));
        paused.into_iter().for_each(|client| self.go_on_reading(client));
        self.machine.guardian_has_ended(life);
        if is_kept {
            self.remains.keep(pid);
            self.machine.nothing_is_left(life);
        }
        self.act();
    }

    /// Sends it away. One that somebody has stopped would not hear that.
    pub(super) fn send_away(&mut self, life: Life, farewell: Farewell) {
        let Some(guardian) = self.guardians.get_mut(&life).filter(|guardian| !guardian.is_reaped) else { return };
        match farewell {
            Farewell::Ordinary => guardian.outbox.push(&Order::Goodbye { failed: false }.to_frame(0)),
            Farewell::OfRun { failed } => {
                guardian.is_kept = guardian.may_be_kept(failed);
                if let Some(hello) = guardian.relay.hello_to_keep().filter(|_| guardian.is_kept) {
                    guardian.outbox.push(&hello);
                }
                guardian.outbox.push(&Order::Goodbye { failed }.to_frame(0));
            }
            Farewell::Hurried => _ = child::signal(guardian.pid, nix::libc::SIGTERM),
        }
        child::wake(guardian.pid);
        guardian.overdue = Some(deadline_in(GOODBYE_LIMIT));
    }

    /// Stops errands that take too long, and guardians that are stuck: without one its shims stop their services.
    pub(super) fn hurry_late_ones(&mut self) {
        let now = Instant::now();
        for guardian in self.guardians.values_mut() {
            let late = guardian.errands.late(now);
            if !late.is_empty() && !guardian.is_reaped {
                // One that somebody has stopped would not hear that.
                child::wake(guardian.pid);
            }
            for (run, plan) in late {
                guardian.outbox.push(&Order::Stop(plan).to_frame(run));
            }
            if guardian.overdue.take_if(|overdue| *overdue <= now).is_some() && !guardian.is_reaped {
                child::kill_child(guardian.pid);
            }
        }
    }

    pub(super) fn flush_guardians(&mut self) {
        let mut relieved = Vec::new();
        for (life, guardian) in &mut self.guardians {
            let Some(socket) = &guardian.socket else { continue };
            if guardian.outbox.flush(socket).is_err() {
                // Its end is read there.
                guardian.outbox = Outbox::default();
            }
            let wants_room = !guardian.outbox.is_empty();
            if guardian.wants_room != wants_room {
                guardian.wants_room = wants_room;
                // It is in there until its end.
                let _ = self.crowd.wait_for_room(socket, Spot::Guardian.of(*life), wants_room);
            }
            if guardian.outbox.len() <= GUARDIAN_BACKLOG_BYTES {
                relieved.append(&mut guardian.paused);
            }
        }
        relieved.into_iter().for_each(|client| self.go_on_reading(client));
    }

    /// Whoever says more than its guardian hears is not heard until that has: its own socket fills, and it waits.
    pub(super) fn pause_if_clogged(&mut self, life: Life, id: Id) {
        let guardian = self.guardians.get_mut(&life);
        let Some(guardian) = guardian.filter(|guardian| guardian.outbox.len() > GUARDIAN_BACKLOG_BYTES) else { return };
        let Some(client) = self.clients.get_mut(&id).filter(|client| !client.is_paused) else { return };
        client.is_paused = self.crowd.remove(&client.socket).is_ok();
        if client.is_paused {
            guardian.paused.push(id);
        }
    }

    fn go_on_reading(&mut self, id: Id) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        (client.is_paused, client.wants_room) = (false, false);
        // There was room for it before.
        let _ = self.crowd.add(&client.socket, Spot::Client.of(id));
        self.unsent.insert(id);
    }

    /// Nothing is left of it, and nothing stays of what it has written unless that may be read.
    pub(super) fn bury(&mut self, life: Life, keeps_logs: bool) {
        let Some(mut guardian) = self.guardians.remove(&life) else { return };
        if guardian.is_kept {
            return;
        }
        if let Some(hello) = guardian.relay.hello() {
            // One that was killed has not removed it.
            let _ = directory::remove_all(&hello.directory);
        }
        if !keeps_logs && config().output != Show::Always {
            guardian.relay.logs().iter().for_each(|log| LogFiles::at(log).remove());
        }
    }
}
