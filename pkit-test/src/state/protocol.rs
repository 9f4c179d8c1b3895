//! What a client says to the server of a state, and what that answers: the words, not how they travel.
//!
//! A link carries one request at a time, and each request has exactly one answer, however long it takes. So nothing can be
//! lost between two of them, and a link that breaks in between says that its request may or may not have been done.
//!
//! A *session* is one process, with all its links. What it holds (permits, leased items, places in a phase, its turn) is let go when
//! the process is gone. A *version* is the number of the change that wrote a value; there are no two changes with the same one,
//! it only grows, and 0 is before all of them.

use std::sync::Arc;
use std::time::Duration;

pub(crate) type Version = u64;

/// Which key of which namespace. The namespace of the state itself is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) space: Arc<str>,
    pub(crate) name: Arc<str>,
}

/// A value as it is kept: its type in the words of whoever has written it, and MessagePack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) type_name: Arc<str>,
    pub(crate) bytes: Arc<[u8]>,
}

/// A process, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) name: Arc<str>,
    /// As the server sees it; 0 where it cannot.
    pub(crate) pid: u32,
}

/// A value in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) value: Value,
    pub(crate) version: Version,
    /// Who has written it.
    pub(crate) by: Who,
}

/// A change of one key, as watchers see it. All changes of one commit have the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: Key,
    /// What is there now; `None` where it was removed.
    pub(crate) value: Option<Value>,
    pub(crate) version: Version,
    pub(crate) by: Who,
    /// It is what was there when the watch began, and no change.
    pub(crate) is_first: bool,
}

/// When a write is done at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Always,
    /// Else the answer is `NotDone`.
    IfAbsent,
    IfPresent,
    /// Of that version: the one step of a compare-and-set by whoever knows the value already. 0 is absent.
    IfVersion(Version),
}

/// What a value should be like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Until {
    Present,
    Absent,
    /// The same as this MessagePack in JSON, whoever has written it: `packed::is_same`.
    Equal(Arc<[u8]>),
    /// A number that is not less.
    AtLeast(i64),
    /// There or not, changed after that version: what was read with it is so no longer.
    After(Version),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// First of all on each link, except on those that speak JSON, which may leave it out. Answer: `Welcome`.
    /// All links of one process have the same nonce.
    Hello {
        protocol: u32,
        nonce: u64,
        name: String,
    },

    // ---- Values. `since` is of a transaction: what has changed after that version is answered by `Moved`.
    /// Answer: `Value`.
    Get {
        key: Key,
        since: Option<Version>,
    },
    /// Its keys in alphabetical order. Answer: `Names`.
    Keys {
        space: Arc<str>,
        since: Option<Version>,
    },
    /// All of it, at one moment, in alphabetical order. Answer: `Entries`.
    Snapshot {
        space: Arc<str>,
        since: Option<Version>,
    },
    /// Answer: `Number`, of keys.
    Len {
        space: Arc<str>,
    },

    /// Until the value is as it should be: what is there now counts, and then each value that it has. In one request, for programs
    /// that have nothing but lines of JSON. Answer: `Value`, the one that was as it should be; or `Late`.
    Wait {
        key: Key,
        until: Until,
        timeout: Duration,
    },

    // ---- Changes. While somebody else has a turn, they wait.
    /// Answer: `Done`, or `NotDone` with what is there instead.
    Set {
        key: Key,
        value: Value,
        only: Only,
    },
    /// Answer: `Value`, what was there.
    Replace {
        key: Key,
        value: Value,
        only: Only,
    },
    /// Answer: `Value`, what was there.
    Remove {
        key: Key,
    },
    /// Answer: `Number`, of keys that are gone.
    Clear {
        space: Arc<str>,
    },
    /// An absent one counts as 0. Answer: `Number`, the new one; `NotANumber`, `OutOfRange`.
    Increment {
        key: Key,
        by: i64,
    },
    /// Everything or nothing. Answer: `Done`, or `Moved` where something that was read has changed.
    Commit(Commit),
    /// The next who wants to change something without being overtaken. Until its end (a `Commit`, an `EndTurn`, the end of its link, or
    /// `TURN_LIMIT`) changes by other sessions wait. In the order of asking. Answer: `Done`, or `Late`.
    Turn {
        timeout: Duration,
    },
    EndTurn,

    // ---- Watching. A link has at most one watch; another one takes its place.
    /// From now on. No keys are all of the space. `is_live` keeps only the last change of each key. `with_first` begins with what
    /// is there. Answer: `Done`, with the version at which it begins.
    Watch {
        space: Arc<str>,
        keys: Vec<Arc<str>>,
        is_live: bool,
        with_first: bool,
    },
    /// What has changed since the last `Next`, at least one change. Answer: `Changes`, `Late`, or `Refused(Overflow)`.
    Next {
        timeout: Option<Duration>,
    },

    // ---- Meeting. The name of each kind is its own: a latch may be called as a barrier.
    Barrier {
        name: Arc<str>,
        act: BarrierAct,
    },
    Latch {
        name: Arc<str>,
        act: LatchAct,
    },
    Semaphore {
        name: Arc<str>,
        act: SemaphoreAct,
    },
    Queue {
        name: Arc<str>,
        act: QueueAct,
    },
    Phase {
        name: Arc<str>,
        act: PhaseAct,
    },

    /// The last changes, for people, a line each. Answer: `Names`.
    History,
}

impl Request {
    /// Whether it may change something, so that it matters whether it has been done.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Request::Hello { .. }
            | Request::Get { .. }
            | Request::Keys { .. }
            | Request::Snapshot { .. }
            | Request::Len { .. }
            | Request::Wait { .. }
            | Request::Turn { .. }
            | Request::EndTurn
            | Request::Watch { .. }
            | Request::Next { .. }
            | Request::Barrier { act: BarrierAct::Open { .. } | BarrierAct::Waiting, .. }
            | Request::Latch { act: LatchAct::Open { .. } | LatchAct::Wait { .. } | LatchAct::Count, .. }
            | Request::Semaphore { act: SemaphoreAct::Open { .. } | SemaphoreAct::Free, .. }
            | Request::Queue { act: QueueAct::Len, .. }
            | Request::Phase { act: PhaseAct::WaitFor { .. } | PhaseAct::Standing { .. }, .. }
            | Request::History => false,
            Request::Set { .. }
            | Request::Replace { .. }
            | Request::Remove { .. }
            | Request::Clear { .. }
            | Request::Increment { .. }
            | Request::Commit(_)
            | Request::Barrier { .. }
            | Request::Latch { .. }
            | Request::Semaphore { .. }
            | Request::Queue { .. }
            | Request::Phase { .. } => true,
        }
    }
}

/// All at once. What was read and has not changed makes a transaction as if it had happened at this moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Commit {
    /// What was read: the key, and its version; 0 where it was absent.
    pub(crate) reads: Vec<(Key, Version)>,
    /// Whose list of keys was read, and at which version of the state: no key of it may have come or gone since.
    pub(crate) lists: Vec<(Arc<str>, Version)>,
    /// The last one of a key counts. `None` removes.
    pub(crate) writes: Vec<(Key, Option<Value>)>,
}

/// Names of meeting points are in namespaces as keys are: `name` is then `space`, a NUL, and the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BarrierAct {
    /// Takes part from now on. Made by the first one. Answer: `Done`; `Differs` where it was made for another number.
    Open { parties: u64 },
    /// Answer: `Number`, how many came before (0 to n - 1), or `Broken`, or `Late` and the round is broken for the others.
    Arrive { timeout: Duration },
    /// Takes no part any more, without harm to a round.
    Leave,
    /// Answer: `Number`, of those that wait now.
    Waiting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LatchAct {
    /// Answer: `Done`, or `Differs`.
    Open { count: u64 },
    /// Answer: `Number`, what is left. Below 0 it does not go.
    CountDown { by: u64 },
    /// Answer: `Done` when nothing is left, or `Late`.
    Wait { timeout: Duration },
    /// Answer: `Number`, what is left.
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SemaphoreAct {
    /// Answer: `Done`, or `Differs`.
    Open { permits: u64 },
    /// In the order of asking. No timeout is "now or never". Answer: `Granted`, or `Late`.
    Acquire { timeout: Option<Duration> },
    /// Answer: `Done`; also where it was taken back already.
    Release { permit: u64 },
    /// Answer: `Number`, of those that are free.
    Free,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueueAct {
    /// Answer: `Number`, of items. `Closed`.
    Push { value: Value },
    /// Takes the first, for good; those who wait get theirs in the order of asking. No timeout is "now or never".
    /// Answer: `Item`, `Late`, `Closed` when it is closed and empty.
    Pop { timeout: Option<Duration> },
    /// Takes the first, which comes back to the front if the session ends before it is settled. Answer: as `Pop`.
    Lease { timeout: Option<Duration> },
    /// Of a leased item: it is done, or goes back to the front. Answer: `Done`.
    Settle { lease: u64, is_done: bool },
    /// Answer: `Number`, of items that nobody has taken.
    Len,
    /// No more is pushed. Answer: `Done`.
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PhaseAct {
    /// Comes to a step and stands there until it is let on. Answer: `Done`, or `Late`.
    Pass { step: Arc<str>, timeout: Duration },
    /// Until so many stand at a step. Answer: `Standing`, in the order of coming, or `Late`.
    WaitFor { step: Arc<str>, count: u64, timeout: Duration },
    /// Lets so many on of those that stand there now, the first ones first; `None` all. Answer: `Number`, how many.
    LetOn { step: Arc<str>, count: Option<u64> },
    /// Nobody stops there any more. Answer: `Number`, how many stood there.
    Open { step: Arc<str> },
    /// Answer: `Standing`.
    Standing { step: Arc<str> },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// `server` is another number for each server that ever was.
    Welcome {
        server: u64,
    },
    /// `now` is the version of the whole state at that moment.
    Value {
        held: Option<Held>,
        now: Version,
    },
    Names {
        names: Vec<String>,
        now: Version,
    },
    Entries {
        entries: Vec<(String, Held)>,
        now: Version,
    },
    Number(i64),
    Done {
        version: Version,
    },
    /// What is there instead of what was expected.
    NotDone {
        held: Option<Held>,
    },
    /// A transaction has read what is no longer so.
    Moved,
    Changes(Vec<Change>),
    /// A permit, and who has died with it, if that is why it was free.
    Granted {
        permit: u64,
        after: Option<Who>,
    },
    /// An item; with the number of the lease if it is one, and who has died with it before.
    Item {
        value: Value,
        lease: Option<u64>,
        after: Option<Who>,
    },
    Standing(Vec<Who>),
    /// The time is over. What there is to say of the thing that was waited for, as further facts of an error: `("count", "1 of 2")`.
    Late {
        facts: Vec<(String, String)>,
    },
    Refused(Refusal),
}

/// Why a request was not done, now or ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// What cannot be read, or is not to be asked in this place.
    Malformed(String),
    /// The server speaks that version of the protocol.
    OtherProtocol(u32),
    NotANumber {
        held: Held,
    },
    /// The sum is no `i64`.
    OutOfRange {
        held: i64,
        by: i64,
    },
    /// A value, or all values together.
    TooLarge {
        bytes: u64,
        limit: u64,
    },
    /// It was made for `made`, by this one, and is opened for `asked`.
    Differs {
        made: u64,
        asked: u64,
        by: Who,
    },
    /// A round of a barrier: who has left it, and why (`died`, `its time was over`).
    Broken {
        by: Who,
        why: String,
    },
    /// A queue that is closed and empty, or closed and pushed to.
    Closed {
        by: Who,
    },
    /// So many changes were not kept, as nobody has asked for them.
    Overflow {
        missed: u64,
    },
}
