//! The broker's decisions, without sockets, processes or a clock.
//!
//! What the loop hears becomes an event here, and what it is to do an [`Action`]. There are two tables: what a client may say
//! depends on what became of its want, and what follows depends on the [`instance`] that it is about.
//!
//! ```text
//!            Want        Begin        Ready, NotStarted   Undo     Release       its end
//! New        (asked) *   cut off      cut off             cut off  cut off       forgotten
//! Waiting    cut off     cut off      cut off             cut off  cut off       leaves the queue
//! Called     cut off     -> Starting  -> Done, or cut off cut off  cut off       the next is called
//! Starting   cut off     cut off      -> Holding, Done    cut off  cut off       its guardian ends, the next is called
//! Holding    cut off     cut off      cut off             kept     -> Undoing    -> Undoing, as one that failed
//! Undoing    cut off     cut off      cut off             (late)   (late)        undone all the same
//! Done       cut off     (late)       (late)              (late)   (late)        forgotten
//!
//! *  -> Waiting, Called, Holding or Done, as the instance has it
//! ```
//!
//! (late): said before it could know that it is over. Called to start without having begun, `NotStarted` is a word, and `Ready`
//! a lie. Who is cut off has broken the rules, and ends as by its own end.

use std::collections::BTreeMap;

use super::protocol::{Ask, Undone, Want, Word};

mod instance;
#[cfg(any(test, pkit_fuzz))]
mod played;
#[cfg(any(test, pkit_fuzz))]
pub(crate) use played::played;
mod queue;

use instance::{Instance, Ready, Release};

/// A connection. No two of a run have the same.
pub(super) type Client = u32;

/// One life of an instance, from the guardian that is executed for it until nothing of that is left.
pub(super) type Life = u32;

/// The ids of runs in each life begin with this.
pub(super) const FIRST_RUN: u32 = 1;

/// What the loop is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Say(Client, Word),
    /// That it has a lease. What has happened in this life so far comes first.
    Grant(Client, Grant),
    /// A guardian for this life, from the binary that this client has sent.
    Execute(Life, Client),
    /// The guardian of this life is to end.
    End(Life, Farewell),
    /// What this client has left to be undone is to be run in this life. What became of it is told by [`Machine::undone`].
    Undo(Client, Life),
    /// Nothing is left of it; nor of what it has written, unless somebody may want to read that.
    Bury {
        life: Life,
        keeps_logs: bool,
    },
    CutOff(Client),
}

/// How a guardian is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// Its services have the time that they are given, and end.
    Ordinary,
    /// The same at the end of the run, where `PKIT_KEEP` may have them stay up.
    OfRun { failed: bool },
    /// Somebody has asked the broker to end.
    Hurried,
}

/// What [`Word::Granted`] says, but for what the loop knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) life: Life,
    pub(super) parts: Vec<Vec<u8>>,
    pub(super) slot: u32,
    pub(super) number: u64,
    pub(super) starts: u32,
}

/// What a client may do with the guardian of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Control(Life),
    Look(Life),
}

impl Reach {
    pub(super) fn life(self) -> Life {
        let (Reach::Control(life) | Reach::Look(life)) = self;
        life
    }
}

/// Whether the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    No,
    /// The runner is gone: what is had stays until it is given back.
    Run,
    /// Somebody has asked the broker to end.
    Now,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Waiting,
    Called,
    Starting,
    Holding,
    Undoing,
    Done,
}

#[derive(Debug)]
struct Known {
    state: State,
    /// Whose it is about, by its place among all; of one that is new it means nothing.
    instance: usize,
}

#[derive(Debug)]
pub(super) struct Machine {
    instances: Vec<Instance>,
    places: BTreeMap<String, usize>,
    clients: BTreeMap<Client, Known>,
    end: End,
    shared: Shared,
}

/// What instances have in common.
#[derive(Debug)]
struct Shared {
    last_number: u64,
    last_life: Life,
    actions: Vec<Action>,
    /// What has become of clients since the table was looked at.
    moves: Vec<(Client, State)>,
}

impl Machine {
    pub(super) fn new() -> Machine {
        let shared = Shared { last_number: 0, last_life: 0, actions: Vec::new(), moves: Vec::new() };
        Machine { instances: Vec::new(), places: BTreeMap::new(), clients: BTreeMap::new(), end: End::No, shared }
    }

    /// What is to be done now, in this order.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.shared.actions)
    }

    // Clients.

    pub(super) fn has_come(&mut self, client: Client) {
        self.clients.insert(client, Known { state: State::New, instance: 0 });
    }

    /// Its connection has ended, and whatever was in it was heard.
    pub(super) fn has_gone(&mut self, client: Client) {
        let Some(known) = self.clients.remove(&client) else { return };
        if known.state == State::New {
            return;
        }
        let instance = &mut self.instances[known.instance];
        match known.state {
            State::Waiting => instance.leaves(client),
            State::Called | State::Starting => instance.starter_has_gone(&mut self.shared),
            State::Holding => instance.holder_has_gone(client, &mut self.shared),
            State::New | State::Undoing | State::Done => {}
        }
        self.settle(known.instance);
    }

    /// Whether it has not wanted anything yet.
    pub(super) fn is_new(&self, client: Client) -> bool {
        self.clients.get(&client).is_none_or(|known| known.state == State::New)
    }

    /// Its process is about to exit, and has said so: what it has forgotten to let go of it does not need any more.
    pub(super) fn exits(&mut self, client: Client) {
        match self.clients.get(&client).map(|known| known.state) {
            Some(State::Holding) => {
                let release = Ask::Release { failed: false, changed: Vec::new(), vital: None };
                self.hear(client, release, |_| true);
            }
            Some(State::Waiting | State::Called | State::Starting) => self.has_gone(client),
            _ => {}
        }
    }

    /// What it has said. `is_sound`: whether each of the runs lives whose end is the end of it, where it names some.
    pub(super) fn hear(&mut self, client: Client, ask: Ask, is_sound: impl FnOnce(&[u32]) -> bool) {
        let Some(&Known { state, instance: place }) = self.clients.get(&client) else { return };
        let (shared, instances) = (&mut self.shared, &mut self.instances);
        match (state, ask) {
            (State::New, Ask::Want(want)) => return self.wants(client, want),
            (State::Called, Ask::Begin) => instances[place].begins(client, shared),
            (State::Called | State::Starting, Ask::NotStarted(error)) => {
                instances[place].not_started(client, error, shared);
            }
            (State::Starting, Ask::Ready { parts, vital }) => {
                let is_sound = is_sound(&vital);
                instances[place].is_ready(Ready { parts, vital, is_sound }, shared);
            }
            (State::Holding, Ask::Undo { .. }) => instances[place].keeps_undo(client),
            (State::Holding, Ask::Release { failed, changed, vital }) => {
                let is_sound = is_sound(vital.as_deref().unwrap_or(instances[place].vital()));
                let release = Release { failed, changed, vital, is_sound };
                instances[place].released(client, release, shared);
            }
            // It is the loop that keeps the descriptor.
            (State::Holding, Ask::Binary) => {}
            (State::Undoing | State::Done, Ask::Undo { .. } | Ask::Binary | Ask::Release { .. }) => {}
            (State::Done, Ask::Begin | Ask::Ready { .. } | Ask::NotStarted(_)) => {}
            _ => return self.breaks_rules(client),
        }
        self.settle(place);
    }

    /// Cut off, and gone.
    pub(super) fn breaks_rules(&mut self, client: Client) {
        self.shared.actions.push(Action::CutOff(client));
        self.has_gone(client);
    }

    fn wants(&mut self, client: Client, want: Want) {
        let place = match self.places.get(&want.key) {
            Some(place) => *place,
            None => {
                self.instances.push(Instance::new());
                self.places.insert(want.key.clone(), self.instances.len() - 1);
                self.instances.len() - 1
            }
        };
        self.clients.insert(client, Known { state: State::Waiting, instance: place });
        self.instances[place].is_wanted(client, want, &mut self.shared);
        self.settle(place);
    }

    /// What a client may do, and in which life.
    pub(super) fn reach(&self, client: Client) -> Option<Reach> {
        let known = self.clients.get(&client)?;
        let is_in = matches!(known.state, State::Starting | State::Holding);
        is_in.then(|| self.instances[known.instance].reach(client)).flatten()
    }

    /// Who hears what happens in a life.
    pub(super) fn audience(&self, life: Life) -> Vec<Client> {
        self.instance_of(life).map(|place| self.instances[place].audience(life)).unwrap_or_default()
    }

    // Guardians.

    /// The guardian of this life was not executed.
    pub(super) fn not_executed(&mut self, life: Life, why: String) {
        self.at(life, |instance, shared| instance.not_executed(why, shared));
    }

    /// A run has ended unasked; whether with exit code 0.
    pub(super) fn has_ended(&mut self, life: Life, run: u32, is_return: bool) {
        self.at(life, |instance, shared| instance.has_ended(run, is_return, shared));
    }

    /// The guardian has ended: nobody orders anything there any more.
    pub(super) fn guardian_has_ended(&mut self, life: Life) {
        self.at(life, Instance::guardian_has_ended);
    }

    /// And nothing of it is left.
    pub(super) fn nothing_is_left(&mut self, life: Life) {
        self.at(life, Instance::nothing_is_left);
    }

    /// What was to be undone has been, or never will be.
    pub(super) fn undone(&mut self, client: Client, undone: Undone) {
        let Some(place) = self.instances.iter().position(|instance| instance.has_lease(client)) else { return };
        self.instances[place].undone(client, undone, &mut self.shared);
        self.settle(place);
    }

    fn at(&mut self, life: Life, act: impl FnOnce(&mut Instance, &mut Shared)) {
        if let Some(place) = self.instance_of(life) {
            act(&mut self.instances[place], &mut self.shared);
            self.settle(place);
        }
    }

    fn instance_of(&self, life: Life) -> Option<usize> {
        self.instances.iter().position(|instance| instance.knows(life))
    }

    // The end.

    /// The runner is gone, or about to go.
    pub(super) fn run_is_over(&mut self) {
        self.ends(End::Run);
    }

    pub(super) fn has_ended_run(&self) -> bool {
        self.end != End::No
    }

    pub(super) fn is_asked_to_end(&mut self) {
        self.ends(End::Now);
    }

    fn ends(&mut self, end: End) {
        if self.end < end {
            self.end = end;
            (0..self.instances.len()).for_each(|place| self.settle(place));
        }
    }

    /// Whether everything has ended, and nobody can want anything any more.
    pub(super) fn is_done(&self) -> bool {
        self.end != End::No && self.instances.iter().all(|instance| instance.is_done(self.end == End::Now))
    }

    fn settle(&mut self, place: usize) {
        self.instances[place].settle(self.end, &mut self.shared);
        for (client, state) in std::mem::take(&mut self.shared.moves) {
            if let Some(known) = self.clients.get_mut(&client) {
                known.state = state;
            }
        }
    }
}

impl Shared {
    fn say(&mut self, client: Client, word: Word) {
        self.actions.push(Action::Say(client, word));
    }

    fn becomes(&mut self, client: Client, state: State) {
        self.moves.push((client, state));
    }

    fn next_life(&mut self) -> Life {
        self.last_life += 1;
        self.last_life
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

#[cfg(test)]
mod tests;
