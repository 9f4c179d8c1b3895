//! What is remembered of one run.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::slate_word;
use crate::guardian::broker::machine::Client;
use crate::guardian::protocol::{Event, Launch};
use crate::guardian::wire::Frame;

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) log: PathBuf,
    /// It is there for another one for a moment; nobody who comes later hears of it.
    pub(super) is_errand: bool,
    /// It was there before the instance came up.
    pub(super) is_of_start: bool,
    pub(super) slate: Option<OwnedFd>,
    /// What has happened to it, one of each kind.
    past: Vec<(Kind, Frame)>,
    /// How much it has written, as far as it was told.
    pub(super) end: u64,
    /// Who wants to hear of more than so much.
    pub(super) watches: BTreeMap<Client, u64>,
    /// What the shim was asked for, and has not said.
    armed: Option<u64>,
}

/// Each happens once; what is stuck may be told again, and the last time holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Started,
    NoBell,
    /// The leader has ended; whether that leaves a ruin.
    Exited {
        is_ruin: bool,
    },
    Stuck,
    /// Nothing is left; whether it ended with exit code 0.
    Over {
        is_return: bool,
    },
}

impl Entry {
    pub(super) fn begin(&mut self, launch: &Launch) {
        self.log.clone_from(&launch.log);
        self.is_errand = launch.is_errand;
    }

    pub(super) fn is_over(&self) -> bool {
        self.past.iter().any(|(kind, _)| matches!(kind, Kind::Over { .. }))
    }

    /// A leader that ended with code 0 and has left something is a daemonizer.
    pub(super) fn lives(&self) -> bool {
        !self.past.iter().any(|(kind, _)| matches!(kind, Kind::Over { .. } | Kind::Exited { is_ruin: true }))
    }

    pub(super) fn has_returned(&self) -> bool {
        self.past.iter().any(|(kind, _)| *kind == Kind::Over { is_return: true })
    }

    /// Whether it has ended by this, and nobody had asked for it.
    pub(super) fn remember(&mut self, event: &Event, frame: &Frame) -> bool {
        let (kind, has_ended) = match event {
            Event::Started { .. } => (Kind::Started, false),
            Event::NoBell => (Kind::NoBell, false),
            Event::Exited { exit, was_asked } => {
                let is_ruin = !exit.success();
                (Kind::Exited { is_ruin }, is_ruin && !was_asked)
            }
            Event::Stuck(_) => (Kind::Stuck, false),
            Event::Gone { exit, was_asked, .. } => (Kind::Over { is_return: exit.success() }, !was_asked),
            Event::Lost | Event::Refused { .. } => (Kind::Over { is_return: false }, true),
            Event::Output { .. } | Event::Answer { .. } | Event::Declined | Event::Note(_) => return false,
        };
        self.past.retain(|(other, _)| *other != kind);
        self.past.push((kind, frame.clone()));
        has_ended
    }

    pub(super) fn replay(&self, run: u32) -> impl Iterator<Item = (Frame, Option<OwnedFd>)> {
        // Where there is no descriptor left there is no result either, which is found out there.
        let slate = self.slate.as_ref().and_then(|slate| slate.try_clone().ok());
        let slate = slate.map(|slate| (slate_word(run), Some(slate)));
        slate.into_iter().chain(self.past.iter().map(|(_, frame)| (frame.clone(), None)))
    }

    /// It has written so much: who wanted to know.
    pub(super) fn output(&mut self, end: u64) -> Vec<Client> {
        self.end = self.end.max(end);
        self.armed = None;
        let told: Vec<Client> =
            self.watches.iter().filter(|(_, seen)| **seen < end).map(|(client, _)| *client).collect();
        told.iter().for_each(|client| _ = self.watches.remove(client));
        told
    }

    /// What the shim is to be asked for, if it was not: the least of what anybody has seen.
    pub(super) fn rearm(&mut self) -> Option<u64> {
        let least = self.watches.values().copied().min()?;
        if self.armed.is_some_and(|armed| armed <= least) {
            return None;
        }
        self.armed = Some(least);
        self.armed
    }
}
