//! One thing that is shared: who starts it, who has it, who waits for it.
//!
//! ```text
//!            settled, somebody waits      ready      not started,      a vital run ends,     guardian has    nothing
//!                                                    starter gone      for itself and dies   ended           is left
//! Down       -> Starting, the first       (never)    (never)           (never)               (never)         (never)
//! Starting   (wait)                       -> Up      -> Ending *       (not yet vital)       noted           noted
//! Up         leases, while it may be      (never)    (never)           -> Ending             -> Ending       (never)
//! Ending     (wait)                       (never)    (never)           (ignored)             noted           -> Down
//!
//! *  -> Down where no guardian was executed, or nothing is left of it already
//! ```
//!
//! Up and settled at the end of the run it goes on to Ending when nobody has it any more. A lease is one of a life of it: who has
//! one of a life that is over keeps it until it lets go, and stands in nobody's way.

use std::collections::{BTreeMap, BTreeSet};

use super::queue::{Queue, Waiting};
use super::{Action, Client, End, FIRST_RUN, Farewell, Grant, Life, Reach, Shared, State, Want};
use crate::guardian::broker::protocol::{MAY_RETURN, Undone, Word};

#[derive(Debug)]
pub(super) struct Instance {
    phase: Phase,
    queue: Queue,
    leases: BTreeMap<Client, Lease>,
    /// Why it was not started, the last time. Until somebody tries it again.
    failed: Option<Vec<u8>>,
    parts: Vec<Vec<u8>>,
    /// The runs whose end is the end of it.
    vital: Vec<u32>,
    /// How often it has come up.
    starts: u32,
    /// The slots in this life that nobody has tidied up.
    spoilt: BTreeSet<u32>,
    /// Something has gone wrong in this life, so that people may want to read what was written in it.
    is_troubled: bool,
}

#[derive(Debug)]
enum Phase {
    Down,
    Starting { by: Taker, guardian: Option<Guardian> },
    Up(Guardian),
    Ending(Guardian),
}

/// Who is to have it, as it wanted it. Also who starts it, which gets what it wanted.
#[derive(Debug)]
struct Taker {
    client: Client,
    who: String,
    test: String,
    is_exclusive: bool,
}

#[derive(Debug, Clone, Copy)]
struct Guardian {
    life: Life,
    has_ended: bool,
    /// Nothing is left of it.
    is_clear: bool,
    /// It was told that nobody has time.
    is_hurried: bool,
}

/// What is said of an instance that has come up. `is_sound`: whether each of the vital runs lives.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) parts: Vec<Vec<u8>>,
    pub(super) vital: Vec<u32>,
    pub(super) is_sound: bool,
}

/// What is said with the end of a lease.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) failed: bool,
    pub(super) changed: Vec<(u32, Vec<u8>)>,
    pub(super) vital: Option<Vec<u32>>,
    pub(super) is_sound: bool,
}

#[derive(Debug)]
struct Lease {
    who: String,
    test: String,
    life: Life,
    slot: u32,
    is_exclusive: bool,
    /// How many errands are to be run at its end.
    undos: u32,
    is_being_undone: bool,
}

impl Instance {
    pub(super) fn new() -> Instance {
        Instance {
            phase: Phase::Down,
            queue: Queue::default(),
            leases: BTreeMap::new(),
            failed: None,
            parts: Vec::new(),
            vital: Vec::new(),
            starts: 0,
            spoilt: BTreeSet::new(),
            is_troubled: false,
        }
    }

    // Wants.

    pub(super) fn is_wanted(&mut self, client: Client, want: Want, shared: &mut Shared) {
        let has_one = |lease: &&Lease| lease.test == want.test && !lease.is_being_undone;
        let own = self.current_leases().find(has_one).map(|lease| lease.is_exclusive);
        if own.is_some_and(|is_exclusive| is_exclusive || want.is_exclusive) {
            let why = format!("`{}` has it already, and would wait for itself: it has to drop that first", want.who);
            return turn_away(client, Word::Refused(why), shared);
        }
        self.queue.push(client, want, own.is_some());
    }

    pub(super) fn leaves(&mut self, client: Client) {
        self.queue.leave(client);
    }

    // The start.

    pub(super) fn begins(&mut self, client: Client, shared: &mut Shared) {
        if let Phase::Starting { guardian, .. } = &mut self.phase {
            let life = shared.next_life();
            *guardian = Some(Guardian { life, has_ended: false, is_clear: false, is_hurried: false });
            self.is_troubled = false;
            self.spoilt.clear();
            shared.becomes(client, State::Starting);
            shared.actions.push(Action::Execute(life, client));
        }
    }

    pub(super) fn not_executed(&mut self, why: String, shared: &mut Shared) {
        if let Phase::Starting { by, .. } = &self.phase {
            turn_away(by.client, Word::Refused(why), shared);
        }
        self.phase = Phase::Down;
    }

    pub(super) fn is_ready(&mut self, ready: Ready, shared: &mut Shared) {
        let Phase::Starting { by, guardian: Some(guardian) } = std::mem::replace(&mut self.phase, Phase::Down) else {
            return;
        };
        self.phase = Phase::Up(guardian);
        self.starts += 1;
        (self.parts, self.vital, self.failed) = (ready.parts, ready.vital, None);
        self.grant(by, guardian.life, shared);
        // What has ended in the meantime it is told of like all others: it was up.
        if !ready.is_sound || guardian.has_ended {
            self.has_come_to_grief(shared);
        }
    }

    pub(super) fn not_started(&mut self, client: Client, error: Vec<u8>, shared: &mut Shared) {
        shared.say(client, Word::Failed(error.clone()));
        shared.becomes(client, State::Done);
        self.failed = Some(error);
        self.starter_has_gone(shared);
    }

    pub(super) fn starter_has_gone(&mut self, shared: &mut Shared) {
        self.is_troubled = true;
        self.end(Farewell::Ordinary, shared);
    }

    // Leases.

    pub(super) fn keeps_undo(&mut self, client: Client) {
        if let Some(lease) = self.leases.get_mut(&client) {
            lease.undos += 1;
        }
    }

    pub(super) fn released(&mut self, client: Client, release: Release, shared: &mut Shared) {
        self.is_troubled |= release.failed;
        if self.is_current(client) && self.leases[&client].is_exclusive {
            self.change(release.changed, release.vital);
            if !release.is_sound {
                self.end(Farewell::Ordinary, shared);
            }
        }
        self.let_go(client, shared);
    }

    /// It has died, or has forgotten to let go.
    pub(super) fn holder_has_gone(&mut self, client: Client, shared: &mut Shared) {
        if self.is_current(client) {
            self.is_troubled = true;
            if self.leases[&client].is_exclusive {
                // Nobody knows what it has done with it.
                self.end(Farewell::Ordinary, shared);
            }
        }
        self.let_go(client, shared);
    }

    fn change(&mut self, changed: Vec<(u32, Vec<u8>)>, vital: Option<Vec<u32>>) {
        for (place, part) in changed {
            if let Some(old) = self.parts.get_mut(place as usize) {
                *old = part;
            }
        }
        self.vital = vital.unwrap_or_else(|| std::mem::take(&mut self.vital));
    }

    fn let_go(&mut self, client: Client, shared: &mut Shared) {
        let can_be_undone = self.is_current(client) && matches!(self.phase, Phase::Up(_));
        let Some(lease) = self.leases.get_mut(&client) else { return };
        match lease.undos {
            0 => self.undone(client, Undone::Nothing, shared),
            _ if can_be_undone => {
                lease.is_being_undone = true;
                shared.becomes(client, State::Undoing);
                shared.actions.push(Action::Undo(client, lease.life));
            }
            _ => self.undone(client, Undone::Lost, shared),
        }
    }

    pub(super) fn has_lease(&self, client: Client) -> bool {
        self.leases.contains_key(&client)
    }

    pub(super) fn undone(&mut self, client: Client, undone: Undone, shared: &mut Shared) {
        let is_current = self.is_current(client);
        let Some(lease) = self.leases.remove(&client) else { return };
        if is_current && !is_clean(&undone) {
            self.spoilt.insert(lease.slot);
            self.is_troubled = true;
        }
        turn_away(client, Word::Released(undone), shared);
    }

    /// Whether it is one of the life that others get leases of.
    fn is_current(&self, client: Client) -> bool {
        self.leases.get(&client).is_some_and(|lease| Some(lease.life) == self.life())
    }

    fn current_leases(&self) -> impl Iterator<Item = &Lease> {
        let life = self.life();
        self.leases.values().filter(move |lease| Some(lease.life) == life)
    }

    fn grant(&mut self, to: Taker, life: Life, shared: &mut Shared) {
        let Taker { client, who, test, is_exclusive } = to;
        let taken: BTreeSet<u32> = self.leases.values().map(|lease| lease.slot).collect();
        let slot = (0..).find(|slot| !taken.contains(slot) && !self.spoilt.contains(slot)).unwrap_or(u32::MAX);
        self.leases.insert(client, Lease { who, test, life, slot, is_exclusive, undos: 0, is_being_undone: false });
        let (number, parts) = (shared.next_number(), self.parts.clone());
        shared.becomes(client, State::Holding);
        shared.actions.push(Action::Grant(client, Grant { life, parts, slot, number, starts: self.starts }));
    }

    // Its life.

    fn guardian(&self) -> Option<Guardian> {
        match &self.phase {
            Phase::Starting { guardian, .. } => *guardian,
            Phase::Up(guardian) | Phase::Ending(guardian) => Some(*guardian),
            Phase::Down => None,
        }
    }

    fn guardian_mut(&mut self) -> Option<&mut Guardian> {
        match &mut self.phase {
            Phase::Starting { guardian, .. } => guardian.as_mut(),
            Phase::Up(guardian) | Phase::Ending(guardian) => Some(guardian),
            Phase::Down => None,
        }
    }

    fn life(&self) -> Option<Life> {
        self.guardian().map(|guardian| guardian.life)
    }

    pub(super) fn knows(&self, life: Life) -> bool {
        self.life() == Some(life)
    }

    pub(super) fn vital(&self) -> &[u32] {
        &self.vital
    }

    pub(super) fn has_ended(&mut self, run: u32, is_return: bool, shared: &mut Shared) {
        let may_not = self.vital.contains(&run) || (!is_return && self.vital.contains(&(run | MAY_RETURN)));
        // Who has it for itself may bring it up again before it lets go.
        let is_own = self.current_leases().any(|lease| lease.is_exclusive && !lease.is_being_undone);
        if matches!(self.phase, Phase::Up(_)) && may_not && !is_own {
            self.has_come_to_grief(shared);
        }
    }

    fn has_come_to_grief(&mut self, shared: &mut Shared) {
        self.is_troubled = true;
        self.end(Farewell::Ordinary, shared);
    }

    pub(super) fn guardian_has_ended(&mut self, shared: &mut Shared) {
        if let Some(guardian) = self.guardian_mut() {
            guardian.has_ended = true;
        }
        // A starter is told by the events of its runs, and says what becomes of it.
        if matches!(self.phase, Phase::Up(_)) {
            self.has_come_to_grief(shared);
        }
    }

    pub(super) fn nothing_is_left(&mut self, shared: &mut Shared) {
        if let Some(guardian) = self.guardian_mut() {
            guardian.is_clear = true;
        }
        self.go_down_if_clear(shared);
    }

    /// From whatever it is.
    fn end(&mut self, farewell: Farewell, shared: &mut Shared) {
        let Some(guardian) = self.guardian() else { return self.phase = Phase::Down };
        if matches!(self.phase, Phase::Ending(_)) {
            return;
        }
        self.phase = Phase::Ending(guardian);
        if !guardian.has_ended {
            shared.actions.push(Action::End(guardian.life, farewell));
        }
        self.go_down_if_clear(shared);
    }

    fn go_down_if_clear(&mut self, shared: &mut Shared) {
        if let Phase::Ending(Guardian { life, is_clear: true, .. }) = self.phase {
            // Who has one still will find that it is gone.
            let keeps_logs = self.is_troubled || self.current_leases().next().is_some();
            shared.actions.push(Action::Bury { life, keeps_logs });
            self.phase = Phase::Down;
        }
    }

    // What follows.

    /// Goes on as far as it can.
    pub(super) fn settle(&mut self, end: End, shared: &mut Shared) {
        self.turn_away(end, shared);
        self.end_with_the_run(end, shared);
        match self.phase {
            Phase::Down => self.call_first(shared),
            Phase::Up(guardian) => self.grant_first(guardian.life, shared),
            Phase::Starting { .. } | Phase::Ending(_) => {}
        }
        self.tell_who_waits(shared);
    }

    fn turn_away(&mut self, end: End, shared: &mut Shared) {
        let why = match end {
            End::No => None,
            End::Run => Some("the run is over: its runner has ended"),
            End::Now => Some("the broker of the run was asked to end"),
        };
        if let Some(why) = why {
            for waiting in self.queue.take_all(|_| true) {
                turn_away(waiting.client, Word::Refused(why.to_owned()), shared);
            }
        }
        if let Some(error) = &self.failed {
            for waiting in self.queue.take_all(|waiting| !waiting.want.tries_again) {
                turn_away(waiting.client, Word::Failed(error.clone()), shared);
            }
        }
    }

    fn end_with_the_run(&mut self, end: End, shared: &mut Shared) {
        match end {
            End::No => {}
            End::Run if matches!(self.phase, Phase::Up(_)) && self.current_leases().next().is_none() => {
                self.end(Farewell::OfRun { failed: self.is_troubled }, shared);
            }
            End::Run => {}
            End::Now => {
                if let Phase::Starting { by, .. } = &self.phase {
                    let why = "the broker of the run was asked to end";
                    turn_away(by.client, Word::Refused(why.to_owned()), shared);
                }
                self.end(Farewell::Ordinary, shared);
                self.hurry(shared);
            }
        }
    }

    fn hurry(&mut self, shared: &mut Shared) {
        let Phase::Ending(guardian) = &mut self.phase else { return };
        if !guardian.has_ended && !guardian.is_hurried {
            guardian.is_hurried = true;
            shared.actions.push(Action::End(guardian.life, Farewell::Hurried));
        }
    }

    fn call_first(&mut self, shared: &mut Shared) {
        let Some(first) = self.queue.take_first() else { return };
        let by = Taker::from(first);
        shared.becomes(by.client, State::Called);
        shared.say(by.client, Word::Start { next_id: FIRST_RUN });
        self.phase = Phase::Starting { by, guardian: None };
    }

    fn grant_first(&mut self, life: Life, shared: &mut Shared) {
        while self.queue.first().is_some_and(|first| self.may_have_it(first.want.is_exclusive)) {
            let Some(first) = self.queue.take_first() else { return };
            self.grant(Taker::from(first), life, shared);
        }
    }

    /// What is being undone counts: it is still being used.
    fn may_have_it(&self, is_exclusive: bool) -> bool {
        !self.current_leases().any(|lease| is_exclusive || lease.is_exclusive)
    }

    fn tell_who_waits(&mut self, shared: &mut Shared) {
        if self.queue.is_empty() {
            return;
        }
        let (first, mut then) = (self.what_first_waits_for(), None);
        for waiting in self.queue.each() {
            let why = then.as_ref().unwrap_or(&first);
            if waiting.told != *why {
                waiting.told.clone_from(why);
                shared.say(waiting.client, Word::Wait(why.clone()));
            }
            if waiting.want.is_exclusive && matches!(self.phase, Phase::Up(_)) && then.is_none() {
                then = Some(format!("`{}` waits to have it for itself", waiting.want.who));
            }
        }
    }

    fn what_first_waits_for(&self) -> String {
        let mut users = self.current_leases();
        let own = self.current_leases().find(|lease| lease.is_exclusive);
        match (&self.phase, own, users.next()) {
            (Phase::Starting { by, .. }, ..) => format!("`{}` starts it", by.who),
            (Phase::Up(_), Some(own), _) => format!("`{}` has it for itself", own.who),
            (Phase::Up(_), None, Some(user)) => match users.count() {
                0 => format!("`{}` uses it", user.who),
                1 => format!("`{}` and another one use it", user.who),
                others => format!("`{}` and {others} others use it", user.who),
            },
            _ => "what there was of it has not ended yet".to_owned(),
        }
    }

    // Who hears what.

    pub(super) fn reach(&self, client: Client) -> Option<Reach> {
        if let Phase::Starting { by, guardian: Some(guardian) } = &self.phase {
            if by.client == client {
                return Some(Reach::Control(guardian.life));
            }
        }
        let lease = self.leases.get(&client).filter(|lease| !lease.is_being_undone)?;
        Some(if lease.is_exclusive { Reach::Control(lease.life) } else { Reach::Look(lease.life) })
    }

    pub(super) fn audience(&self, life: Life) -> Vec<Client> {
        let starter = match &self.phase {
            Phase::Starting { by, guardian: Some(guardian) } if guardian.life == life => Some(by.client),
            _ => None,
        };
        let holders = self.leases.iter().filter(|(_, lease)| lease.life == life && !lease.is_being_undone);
        starter.into_iter().chain(holders.map(|(client, _)| *client)).collect()
    }

    /// Whether it needs nobody any more, and nobody needs it; not even who has a lease of it, `whoever_has_it`.
    pub(super) fn is_done(&self, whoever_has_it: bool) -> bool {
        matches!(self.phase, Phase::Down) && (whoever_has_it || self.leases.is_empty())
    }
}

impl From<Waiting> for Taker {
    fn from(Waiting { client, want, .. }: Waiting) -> Taker {
        Taker { client, who: want.who, test: want.test, is_exclusive: want.is_exclusive }
    }
}

fn turn_away(client: Client, word: Word, shared: &mut Shared) {
    shared.say(client, word);
    shared.becomes(client, State::Done);
}

/// Whether nothing is left of what was to be undone.
fn is_clean(undone: &Undone) -> bool {
    match undone {
        Undone::Nothing => true,
        Undone::Ended { exit, was_late, .. } => exit.success() && !was_late,
        Undone::Refused { .. } | Undone::Lost => false,
    }
}
