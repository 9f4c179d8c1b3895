//! The machine with whatever may happen to it in any order, for the fuzzer: what must hold at each moment, and in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Client, FIRST_RUN, Life, Machine, Reach};
use crate::guardian::broker::protocol::{Ask, Undone, Want};

/// Who plays: few, so that they meet.
const CLIENTS: u32 = 6;

#[derive(Debug)]
struct Play {
    machine: Machine,
    /// The connection that each has now.
    now: [Client; CLIENTS as usize],
    next: Client,
    /// Whose guardian lives, and whose has ended and has left something.
    living: BTreeSet<Life>,
    ended: BTreeSet<Life>,
    undoing: BTreeSet<Client>,
    slots: BTreeMap<Client, u32>,
}

/// Two bytes a step: what, and about whom.
pub(crate) fn played(bytes: &[u8]) {
    let mut play = Play {
        machine: Machine::new(),
        now: [0; CLIENTS as usize],
        next: 1,
        living: BTreeSet::new(),
        ended: BTreeSet::new(),
        undoing: BTreeSet::new(),
        slots: BTreeMap::new(),
    };
    for step in bytes.chunks_exact(2) {
        play.step(step[0], step[1]);
        play.look();
    }
    play.ends();
}

impl Play {
    fn step(&mut self, what: u8, whom: u8) {
        let who = usize::from(whom) % self.now.len();
        let client = self.now[who];
        let life = self.living.iter().nth(usize::from(whom) % self.living.len().max(1)).copied();
        match what % 16 {
            0 => self.comes(who),
            1 => self.machine.hear(client, want(who, whom), |_| true),
            2 => self.machine.hear(client, Ask::Begin, |_| true),
            3 => self.machine.hear(client, ready(), |_| whom & 0x80 == 0),
            4 => self.machine.hear(client, Ask::NotStarted(vec![1]), |_| true),
            5 => self.machine.hear(client, Ask::Undo { launch: Vec::new(), limit_ms: 1 }, |_| true),
            6 => self.machine.hear(client, release(whom), |_| whom & 0x80 == 0),
            7 => self.machine.has_gone(client),
            8 => life.into_iter().for_each(|life| self.machine.has_ended(life, FIRST_RUN, whom & 1 == 0)),
            9 => life.into_iter().for_each(|life| self.guardian_ends(life)),
            10 => self.all_is_gone(),
            11 => self.undone(whom),
            12 => life.into_iter().for_each(|life| self.not_executed(life)),
            13 if whom == 0xff => self.machine.run_is_over(),
            14 if whom == 0xff => self.machine.is_asked_to_end(),
            15 => self.machine.exits(client),
            _ => {}
        }
    }

    fn comes(&mut self, who: usize) {
        self.machine.has_gone(self.now[who]);
        self.now[who] = self.next;
        self.machine.has_come(self.next);
        self.next += 1;
    }

    fn guardian_ends(&mut self, life: Life) {
        self.living.remove(&life);
        self.ended.insert(life);
        self.machine.guardian_has_ended(life);
    }

    /// Only before anything was heard of it; what the loop says by mistake is no reason to panic either.
    fn not_executed(&mut self, life: Life) {
        let is_starting = self.now.iter().any(|client| self.machine.reach(*client) == Some(Reach::Control(life)));
        if is_starting && !self.slots.keys().any(|client| self.machine.reach(*client).map(Reach::life) == Some(life)) {
            self.living.remove(&life);
            self.machine.not_executed(life, String::new());
        }
    }

    fn all_is_gone(&mut self) {
        for life in std::mem::take(&mut self.ended) {
            self.machine.nothing_is_left(life);
        }
    }

    fn undone(&mut self, whom: u8) {
        if let Some(client) = self.undoing.pop_first() {
            self.machine.undone(client, if whom & 1 == 0 { Undone::Nothing } else { Undone::Lost });
        }
    }

    /// What is to be done is done, and what must hold does.
    fn look(&mut self) {
        for action in self.machine.take_actions() {
            match action {
                Action::Execute(life, _) => assert!(self.living.insert(life), "each life is one"),
                Action::End(life, _) => assert!(!self.ended.contains(&life), "who has ended is sent away"),
                Action::Undo(client, life) => {
                    assert!(self.living.contains(&life), "nobody is there to undo it");
                    assert!(self.undoing.insert(client), "it is undone twice");
                }
                Action::Bury { life, .. } => assert!(!self.living.contains(&life), "it lives"),
                Action::Grant(client, grant) => self.is_granted(client, grant.slot),
                Action::Say(..) | Action::CutOff(_) => {}
            }
        }
        self.one_alone_is_alone();
    }

    fn is_granted(&mut self, client: Client, slot: u32) {
        let is_there = |client: &Client| self.machine.instances.iter().any(|instance| instance.has_lease(*client));
        self.slots.retain(|client, _| is_there(client));
        assert!(self.slots.values().all(|other| *other != slot), "two have slot {slot}");
        // It may have gone in the same step.
        if is_there(&client) {
            self.slots.insert(client, slot);
        }
    }

    fn one_alone_is_alone(&self) {
        let reaches: Vec<Reach> = self.now.iter().filter_map(|client| self.machine.reach(*client)).collect();
        for reach in &reaches {
            let others = reaches.iter().filter(|other| other.life() == reach.life()).count();
            assert!(matches!(reach, Reach::Look(_)) || others == 1, "somebody is there beside one alone: {reaches:?}");
        }
    }

    /// When everybody has gone and everything has ended, it is done.
    fn ends(&mut self) {
        self.machine.run_is_over();
        self.now.iter().for_each(|client| self.machine.has_gone(*client));
        for _ in 0..4 {
            self.look();
            while !self.undoing.is_empty() {
                self.undone(1);
            }
            for life in std::mem::take(&mut self.living) {
                self.guardian_ends(life);
            }
            self.all_is_gone();
        }
        self.look();
        assert!(self.machine.is_done(), "it never ends: {self:?}");
    }
}

/// All about one thing.
fn want(who: usize, whom: u8) -> Ask {
    let [key, name, shown] = ["k", "n", "s"].map(str::to_owned);
    let (is_exclusive, tries_again) = (whom & 0x40 != 0, whom & 0x20 != 0);
    Ask::Want(Want { key, name, shown, who: format!("t{who}"), test: format!("t{who}"), is_exclusive, tries_again })
}

fn ready() -> Ask {
    Ask::Ready { parts: vec![vec![1]], vital: vec![FIRST_RUN] }
}

fn release(whom: u8) -> Ask {
    Ask::Release { failed: whom & 0x40 != 0, changed: vec![(0, vec![2]), (9, vec![3])], vital: None }
}
