//! What tests and the broker of a run say to each other, beside the orders and events of a guardian.
//!
//! ```text
//! test                                     broker                              guardian of the instance
//!  Want ────────────────────────────────►  who has it?
//!        ◄──────────────────────────────── Wait: somebody else starts it, or has it for itself
//!        ◄──────────────────────────────── Start: do it
//!  Begin (its binary) ──────────────────►  executes that ────────────────────►  is there
//!  orders ──────────────────────────────►  passes on ────────────────────────►  obeys
//!        ◄──────────────────────────────── passes on ◄───────────────────────── events
//!  Ready or NotStarted ─────────────────►  wakes all who wait
//!        ◄──────────────────────────────── Slate, events so far, Granted: a lease
//!  Undo (an errand) ────────────────────►  keeps it for the end of the lease
//!  Watch, Sync ─────────────────────────►  passes on, and the answers back
//!  Release ─────────────────────────────►  has it undone ────────────────────►  runs the errand
//!        ◄──────────────────────────────── Released
//! ```
//!
//! Whoever starts it, and whoever has it for itself, may order everything; all others may only look. The end of a connection
//! is a release, whatever was said before.

use std::path::PathBuf;

use crate::exit::Exit;
use crate::guardian::protocol::{read_exit, read_path, read_signed, read_string, signed, write_exit, write_path};
use crate::guardian::wire::{Frame, Reader, Writer};

/// What a test wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Want {
    /// Two wants of the same key are about the same instance.
    pub(crate) key: String,
    /// For people: under which name, and how it was written.
    pub(crate) name: String,
    pub(crate) shown: String,
    /// For people: which test, and its process.
    pub(crate) who: String,
    /// Which test it is: of those that have the same nobody waits for another one.
    pub(crate) test: String,
    /// For itself alone.
    pub(crate) is_exclusive: bool,
    /// Also where a start of it has failed before in this run.
    pub(crate) tries_again: bool,
}

/// With this in its id a vital run may end with exit code 0: a function that has returned, whose result is for all.
pub(crate) const MAY_RETURN: u32 = 1 << 31;

/// From a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// First of all.
    Want(Want),
    /// To `Start`. A descriptor of the binary comes with it that is to be the guardian.
    Begin,
    /// It is up. What others are told of it, opaque to the broker; and those of its runs whose end is the end of it.
    Ready { parts: Vec<Vec<u8>>, vital: Vec<u32> },
    /// It did not come up: an error, opaque to the broker.
    NotStarted(Vec<u8>),
    /// What is to be run when this lease ends, however: the payload of a `Spawn`, and how long it may take. The slate of a
    /// function comes with it as a descriptor.
    Undo { launch: Vec<u8>, limit_ms: u64 },
    /// A descriptor comes with it of the binary that the function of `Undo` is in, ahead of that.
    Binary,
    /// The lease ends. `changed`: parts that are other ones by now, by their places; only of whoever had it for itself.
    Release { failed: bool, changed: Vec<(u32, Vec<u8>)>, vital: Option<Vec<u32>> },
    /// The run is over: from the process whose life it is, just before its own end. Answered by the end of the connection.
    Over,
}

/// From the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// Not yet, and for people why: `x` starts it, `x` has it for itself, `x` and 3 others use it.
    Wait(String),
    /// Start it, with ids of runs from this one on.
    Start { next_id: u32 },
    /// The slate of a function process of the instance comes with this, by the id of its run.
    Slate(u32),
    /// It is up, and this is a lease.
    Granted(Granted),
    /// A start has failed: its error.
    Failed(Vec<u8>),
    /// There will be none, and for people why: the run is over, it is held already.
    Refused(String),
    /// The lease has ended, and what became of its `Undo`.
    Released(Undone),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) parts: Vec<Vec<u8>>,
    /// The smallest number that no other lease of this instance has.
    pub(crate) slot: u32,
    /// No other lease of this run has it.
    pub(crate) number: u64,
    /// Orders for new runs begin with this id.
    pub(crate) next_id: u32,
    /// How often the instance was started in this run, this time included.
    pub(crate) starts: u32,
}

/// What became of what was to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undone {
    /// There was nothing to undo.
    Nothing,
    Ended {
        exit: Exit,
        was_late: bool,
        log: PathBuf,
    },
    Refused {
        step: u8,
        errno: i32,
    },
    /// The instance was gone before.
    Lost,
}

/// The kinds of an `Ask` and of a `Word` are none of an order's or an event's.
pub(crate) const FIRST_ASK: u8 = 64;
pub(crate) const FIRST_WORD: u8 = 96;

impl Ask {
    pub(crate) fn to_frame(&self) -> Frame {
        let fields = Writer::default();
        let (kind, fields) = match self {
            Ask::Want(want) => (0, write_want(fields, want)),
            Ask::Begin => (1, fields),
            Ask::Ready { parts, vital } => (2, write_ids(fields.list(parts), vital)),
            Ask::NotStarted(error) => (3, fields.text(error)),
            Ask::Undo { launch, limit_ms } => (4, fields.text(launch).number(*limit_ms)),
            Ask::Release { failed, changed, vital } => (5, write_release(fields, *failed, changed, vital.as_deref())),
            Ask::Over => (6, fields),
            Ask::Binary => (7, fields),
        };
        Frame { id: 0, kind: FIRST_ASK + kind, payload: fields.done() }
    }

    /// `None` for what is none, or was scribbled over.
    pub(crate) fn from_frame(frame: &Frame) -> Option<Ask> {
        let mut fields = Reader::new(&frame.payload);
        let fields = &mut fields;
        Some(match frame.kind.checked_sub(FIRST_ASK)? {
            0 => Ask::Want(read_want(fields)?),
            1 => Ask::Begin,
            2 => Ask::Ready { parts: fields.list()?, vital: read_ids(fields)? },
            3 => Ask::NotStarted(fields.text()?.to_vec()),
            4 => Ask::Undo { launch: fields.text()?.to_vec(), limit_ms: fields.number()? },
            5 => read_release(fields)?,
            6 => Ask::Over,
            7 => Ask::Binary,
            _ => return None,
        })
    }
}

impl Word {
    pub(crate) fn to_frame(&self) -> Frame {
        let fields = Writer::default();
        let (kind, fields) = match self {
            Word::Wait(why) => (0, fields.text(why.as_bytes())),
            Word::Start { next_id } => (1, fields.number((*next_id).into())),
            Word::Slate(id) => (2, fields.number((*id).into())),
            Word::Granted(granted) => (3, write_granted(fields, granted)),
            Word::Failed(error) => (4, fields.text(error)),
            Word::Refused(why) => (5, fields.text(why.as_bytes())),
            Word::Released(undone) => (6, write_undone(fields, undone)),
        };
        Frame { id: 0, kind: FIRST_WORD + kind, payload: fields.done() }
    }

    /// `None` for what is none, or was scribbled over.
    pub(crate) fn from_frame(frame: &Frame) -> Option<Word> {
        let mut fields = Reader::new(&frame.payload);
        let fields = &mut fields;
        Some(match frame.kind.checked_sub(FIRST_WORD)? {
            0 => Word::Wait(read_string(fields)?),
            1 => Word::Start { next_id: read_id(fields)? },
            2 => Word::Slate(read_id(fields)?),
            3 => Word::Granted(read_granted(fields)?),
            4 => Word::Failed(fields.text()?.to_vec()),
            5 => Word::Refused(read_string(fields)?),
            6 => Word::Released(read_undone(fields)?),
            _ => return None,
        })
    }
}

fn write_want(fields: Writer, want: &Want) -> Writer {
    let texts = [&want.key, &want.name, &want.shown, &want.who, &want.test];
    let fields = texts.into_iter().fold(fields, |fields, text| fields.text(text.as_bytes()));
    fields.number(want.is_exclusive.into()).number(want.tries_again.into())
}

fn read_want(fields: &mut Reader<'_>) -> Option<Want> {
    Some(Want {
        key: read_string(fields)?,
        name: read_string(fields)?,
        shown: read_string(fields)?,
        who: read_string(fields)?,
        test: read_string(fields)?,
        is_exclusive: fields.number()? != 0,
        tries_again: fields.number()? != 0,
    })
}

fn write_release(fields: Writer, failed: bool, changed: &[(u32, Vec<u8>)], vital: Option<&[u32]>) -> Writer {
    let fields = fields.number(failed.into()).number(changed.len() as u64);
    let fields = changed.iter().fold(fields, |fields, (place, part)| fields.number((*place).into()).text(part));
    match vital {
        Some(ids) => write_ids(fields.number(1), ids),
        None => fields.number(0),
    }
}

fn read_release(fields: &mut Reader<'_>) -> Option<Ask> {
    let failed = fields.number()? != 0;
    let count = fields.number()?;
    // One after the other: a count that is a lie ends where the fields do.
    let mut changed = Vec::new();
    for _ in 0..count {
        changed.push((read_id(fields)?, fields.text()?.to_vec()));
    }
    let vital = if fields.number()? == 0 { None } else { Some(read_ids(fields)?) };
    Some(Ask::Release { failed, changed, vital })
}

fn write_granted(fields: Writer, granted: &Granted) -> Writer {
    let numbers = [granted.slot.into(), granted.number, granted.next_id.into(), granted.starts.into()];
    numbers.into_iter().fold(fields.list(&granted.parts), Writer::number)
}

fn read_granted(fields: &mut Reader<'_>) -> Option<Granted> {
    Some(Granted {
        parts: fields.list()?,
        slot: read_id(fields)?,
        number: fields.number()?,
        next_id: read_id(fields)?,
        starts: read_id(fields)?,
    })
}

fn write_undone(fields: Writer, undone: &Undone) -> Writer {
    match undone {
        Undone::Nothing => fields.number(0),
        Undone::Ended { exit, was_late, log } => {
            write_path(write_exit(fields.number(1), *exit).number((*was_late).into()), log)
        }
        Undone::Refused { step, errno } => fields.number(2).number((*step).into()).number(signed(*errno)),
        Undone::Lost => fields.number(3),
    }
}

fn read_undone(fields: &mut Reader<'_>) -> Option<Undone> {
    Some(match fields.number()? {
        0 => Undone::Nothing,
        1 => {
            let exit = read_exit(fields)?;
            Undone::Ended { exit, was_late: fields.number()? != 0, log: read_path(fields)? }
        }
        2 => Undone::Refused { step: u8::try_from(fields.number()?).ok()?, errno: read_signed(fields)? },
        3 => Undone::Lost,
        _ => return None,
    })
}

fn write_ids(fields: Writer, ids: &[u32]) -> Writer {
    ids.iter().fold(fields.number(ids.len() as u64), |fields, id| fields.number((*id).into()))
}

fn read_ids(fields: &mut Reader<'_>) -> Option<Vec<u32>> {
    let count = fields.number()?;
    (0..count).map(|_| read_id(fields)).collect()
}

fn read_id(fields: &mut Reader<'_>) -> Option<u32> {
    u32::try_from(fields.number()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::sys::child::End;

    fn want() -> Want {
        let [key, name, shown, who, test] = ["k", "db", "tcp(\"x\", 0)", "a::b (process 4)", "4"].map(str::to_owned);
        Want { key, name, shown, who, test, is_exclusive: true, tries_again: false }
    }

    fn comes_back<T: Debug + PartialEq>(said: &T, frame: &Frame, read: fn(&Frame) -> Option<T>) {
        assert_eq!(read(frame).as_ref(), Some(said));
        for length in 0..frame.payload.len() {
            let cut = Frame { payload: frame.payload[..length].to_vec(), ..*frame };
            assert_ne!(read(&cut).as_ref(), Some(said), "cut to {length}");
        }
    }

    #[test]
    fn what_a_test_says_comes_back() {
        let parts = vec![b"one".to_vec(), Vec::new()];
        let asks = [
            Ask::Want(want()),
            Ask::Begin,
            Ask::Ready { parts, vital: vec![1, 7] },
            Ask::NotStarted(b"why".to_vec()),
            Ask::Undo { launch: b"order".to_vec(), limit_ms: 9 },
            Ask::Release { failed: true, changed: vec![(1, b"new".to_vec())], vital: Some(vec![3]) },
            Ask::Release { failed: false, changed: Vec::new(), vital: None },
            Ask::Over,
            Ask::Binary,
        ];
        asks.iter().for_each(|ask| comes_back(ask, &ask.to_frame(), Ask::from_frame));
    }

    #[test]
    fn what_the_broker_says_comes_back() {
        let exit = End::Code(3).into();
        let granted = Granted { parts: vec![b"a".to_vec()], slot: 2, number: 1 << 40, next_id: 5, starts: 1 };
        let words = [
            Word::Wait("`x` starts it".to_owned()),
            Word::Start { next_id: 1 },
            Word::Slate(4),
            Word::Granted(granted),
            Word::Failed(b"why".to_vec()),
            Word::Refused("the run is over".to_owned()),
            Word::Released(Undone::Nothing),
            Word::Released(Undone::Ended { exit, was_late: true, log: "/log".into() }),
            Word::Released(Undone::Refused { step: 3, errno: 2 }),
            Word::Released(Undone::Lost),
        ];
        words.iter().for_each(|word| comes_back(word, &word.to_frame(), Word::from_frame));
    }

    #[test]
    fn a_count_that_is_a_lie_costs_nothing() {
        let payload = Writer::default().number(0).number(u64::MAX).done();
        assert_eq!(Ask::from_frame(&Frame { id: 0, kind: FIRST_ASK + 5, payload }), None);
    }
}
