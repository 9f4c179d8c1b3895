//! What a client can do, what it must be told then, and what it was told.

use std::fmt;

/// Few, so that the clients meet.
pub(super) const KEYS: usize = 4;

pub(super) const NAMES: [&str; KEYS] = ["a", "b", "c", "d"];

/// What is at a key, or was said of it.
pub(super) type Seen = Option<i64>;

/// All keys at one moment.
pub(super) type Cells = [Seen; KEYS];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Set,
    Remove,
    Take,
    CompareAndSet,
    Increment,
    Update,
    // Transactions over two keys.
    ReadBoth,
    Swap,
    Move,
    /// Writes both, and takes it back.
    GiveUp,
    /// Writes both, and is killed before its end.
    Die,
    /// Of all keys.
    Snapshot,
}

pub(super) const OF_ONE_KEY: &[Verb] =
    &[Verb::Get, Verb::Set, Verb::Remove, Verb::Take, Verb::CompareAndSet, Verb::Increment, Verb::Update];

pub(super) const OF_TWO_KEYS: &[Verb] = &[Verb::ReadBoth, Verb::Swap, Verb::Move, Verb::GiveUp];

/// In this order they are numbers in a record.
const VERBS: [Verb; 13] = [
    Verb::Get,
    Verb::Set,
    Verb::Remove,
    Verb::Take,
    Verb::CompareAndSet,
    Verb::Increment,
    Verb::Update,
    Verb::ReadBoth,
    Verb::Swap,
    Verb::Move,
    Verb::GiveUp,
    Verb::Die,
    Verb::Snapshot,
];

/// One thing that is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) verb: Verb,
    pub(super) key: usize,
    /// The second key, where there are two.
    pub(super) other: usize,
    /// What a compare-and-set expects.
    pub(super) old: Seen,
    pub(super) new: i64,
}

/// One thing that was done, or begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) client: usize,
    pub(super) op: Op,
    /// Before it was sent.
    pub(super) called_ns: u64,
    /// When the answer was there, and what it said; `None` for a client that was killed before.
    pub(super) returned: Option<(u64, Vec<Seen>)>,
}

impl Op {
    /// Does it all at once, and says what the client must be told.
    pub(super) fn apply(&self, cells: &mut Cells) -> Vec<Seen> {
        let Op { verb, key, other, old, new } = *self;
        let (one, two) = (cells[key], cells[other]);
        match verb {
            Verb::Get => return vec![one],
            Verb::ReadBoth | Verb::GiveUp => return vec![one, two],
            Verb::Snapshot => return cells.to_vec(),
            // It never comes to its end.
            Verb::Die => return vec![],
            Verb::CompareAndSet if one != old => return yes(false),
            Verb::Set | Verb::CompareAndSet => cells[key] = Some(new),
            Verb::Remove | Verb::Take => cells[key] = None,
            Verb::Increment | Verb::Update => cells[key] = Some(one.unwrap_or(0) + new),
            Verb::Swap => (cells[key], cells[other]) = (two, one),
            Verb::Move => {
                (cells[key], cells[other]) = (Some(one.unwrap_or(0) - new), Some(two.unwrap_or(0) + new));
            }
        }
        match verb {
            Verb::Set => vec![],
            Verb::CompareAndSet => yes(true),
            Verb::Remove => yes(one.is_some()),
            Verb::Take => vec![one],
            Verb::Increment | Verb::Update => vec![cells[key]],
            _ => vec![one, two],
        }
    }

    /// The keys that it is about.
    pub(super) fn keys(&self) -> Vec<usize> {
        match self.verb {
            Verb::Snapshot => (0..KEYS).collect(),
            verb if OF_ONE_KEY.contains(&verb) => vec![self.key],
            _ => vec![self.key, self.other],
        }
    }

    /// As numbers, for a record.
    pub(super) fn to_words(self) -> [i64; 5] {
        let verb = VERBS.iter().position(|verb| *verb == self.verb).expect("all of them are there");
        [verb as i64, self.key as i64, self.other as i64, word(self.old), self.new]
    }

    pub(super) fn of_words(words: &[i64]) -> Op {
        let [verb, key, other, old, new] = *words else { panic!("{words:?} are no operation") };
        Op { verb: VERBS[verb as usize], key: key as usize, other: other as usize, old: seen(old), new }
    }
}

/// How an answer that is a bool is written.
pub(super) fn yes(is_so: bool) -> Vec<Seen> {
    vec![Some(i64::from(is_so))]
}

/// No client ever writes this number.
const NOTHING: i64 = i64::MIN;

pub(super) fn word(seen: Seen) -> i64 {
    seen.unwrap_or(NOTHING)
}

pub(super) fn seen(word: i64) -> Seen {
    (word != NOTHING).then_some(word)
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Op { verb, key, other, old, new } = *self;
        let (key, other) = (NAMES[key], NAMES[other]);
        match verb {
            Verb::Get => write!(f, "get {key}"),
            Verb::Set => write!(f, "set {key} = {new}"),
            Verb::Remove => write!(f, "remove {key}"),
            Verb::Take => write!(f, "take {key}"),
            Verb::CompareAndSet => write!(f, "if {key} == {} set {key} = {new}", shown(old)),
            Verb::Increment => write!(f, "increment {key} by {new}"),
            Verb::Update => write!(f, "update {key} += {new}"),
            Verb::ReadBoth => write!(f, "read {key} and {other}"),
            Verb::Swap => write!(f, "swap {key} and {other}"),
            Verb::Move => write!(f, "move {new} from {key} to {other}"),
            Verb::GiveUp => write!(f, "read {key} and {other}, set both = {new}, roll back"),
            Verb::Die => write!(f, "set {key} and {other} = {new}, die before the end"),
            Verb::Snapshot => write!(f, "snapshot"),
        }
    }
}

/// A line of a history, with its times after a beginning.
impl Call {
    pub(super) fn line(&self, began_ns: u64) -> String {
        let us = |ns: u64| format!("{:.1}", (ns - began_ns) as f64 / 1e3);
        let (returned, answer) = match &self.returned {
            Some((ns, answer)) => {
                (us(*ns), answer.iter().map(|seen| format!(" -> {}", shown(*seen))).collect::<String>())
            }
            None => ("never".to_owned(), String::new()),
        };
        format!("{:>3} {:>11} {returned:>11}  {}{answer}", self.client, us(self.called_ns), self.op)
    }
}

fn shown(seen: Seen) -> String {
    seen.map_or("absent".to_owned(), |number| number.to_string())
}
