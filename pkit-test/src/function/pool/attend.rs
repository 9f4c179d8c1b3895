//! In a worker of a pool: runs one item after the other, until the test has no more.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame::{ANSWER_BYTES, AnswerHead, ITEM_BYTES, ItemHead, Kind};
use super::inbox::{Inbox, KEPT_BYTES};
use crate::function::callable::Callable;
use crate::function::codec::{self, Unwritten};
use crate::function::current::current;
use crate::function::enter::in_words;
use crate::function::inside::Inside;
use crate::function::panics;
use crate::limits::{NOTE_BYTES, RESULT_BYTES};
use crate::sys::{likeness, term};

/// In the directory of a worker: where it is spoken to.
pub(super) const SOCKET: &str = ".pool";

/// What a worker of a pool is: its life between two starts.
pub(super) fn attend() {
    let path = current().dir().join(SOCKET);
    // Left there by a worker in the same place that has died before anybody came.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a worker has a directory with room for a socket");
    current().ready();
    let (stream, _) = listener.accept().expect("the pool connects to what says that it is ready");
    drop(listener);
    // Nobody else is to come. What cannot be removed now is removed by the next one.
    let _ = fs::remove_file(&path);
    // A connection that breaks is the end of the pool, or of the test.
    let _ = serve(&stream);
}

fn serve(mut stream: &UnixStream) -> io::Result<()> {
    let inside = Inside::get().expect("a worker is a function process");
    let (mut inbox, mut answer) = (Inbox::new(), Vec::new());
    loop {
        inbox.clear();
        answer.clear();
        answer.shrink_to(KEPT_BYTES);
        // An item may have wanted to hear of SIGTERM. Between two of them there is nobody who would.
        if term::let_go() {
            return Ok(());
        }
        if !inbox.fill(ITEM_BYTES, |room| read(stream, room))? {
            return Ok(());
        }
        let head = ItemHead::from_bytes(inbox.head());
        let end = ITEM_BYTES + usize::try_from(head.length).map_err(io::Error::other)?;
        if !inbox.fill(end, |room| read(stream, room))? {
            return Ok(());
        }
        term::take_back();
        panics::forget(inside);
        let routine = head.code().ok_or(io::ErrorKind::InvalidData)?;
        routine(head.pointer, &inbox.bytes()[ITEM_BYTES..end], &mut answer);
        if !inside.is_entered_process() {
            // A fork of it that came to the end as well: the answer is not its to give.
            exit(0);
        }
        // What it has printed is there when its answer is. It has nowhere else to say that it could not.
        let _ = io::stdout().flush();
        stream.write_all(&answer)?;
    }
}

fn read(mut stream: &UnixStream, room: &mut [u8]) -> io::Result<usize> {
    stream.read(room)
}

/// One item: its arguments as they came, and the whole answer.
pub(super) fn attend_to<F, A, M>(pointer: Option<u64>, arguments: &[u8], answer: &mut Vec<u8>)
where
    F: Callable<A, M>,
    A: DeserializeOwned,
    F::Output: Serialize,
{
    answer.clear();
    answer.resize(ANSWER_BYTES, 0);
    let kind = answer_to::<F, A, M>(pointer, arguments, answer);
    let length = (answer.len() - ANSWER_BYTES) as u64;
    answer[..ANSWER_BYTES].copy_from_slice(&AnswerHead { kind, length }.to_bytes());
}

fn answer_to<F, A, M>(pointer: Option<u64>, arguments: &[u8], answer: &mut Vec<u8>) -> Kind
where
    F: Callable<A, M>,
    A: DeserializeOwned,
    F::Output: Serialize,
{
    let inside = Inside::get().expect("a worker is a function process");
    let Some(function) = likeness::conjure::<F>(pointer) else {
        return Kind::NotUnderstood.with(answer, b"it is no function of this program");
    };
    let arguments = match catch_unwind(|| codec::read::<A>(arguments)) {
        Ok(Ok(arguments)) => arguments,
        Ok(Err(why)) => return Kind::NotUnderstood.with(answer, why.as_bytes()),
        Err(payload) => {
            let why = in_words("Deserialize", &panics::note_the_one(inside, payload));
            return Kind::NotUnderstood.with(answer, why.as_bytes());
        }
    };
    let ran = catch_unwind(AssertUnwindSafe(|| function.call_with(arguments)));
    let sent = ran.and_then(|result| {
        let kind = send(inside, answer, &result);
        catch_unwind(AssertUnwindSafe(|| drop(result))).map(|()| kind)
    });
    sent.unwrap_or_else(|payload| {
        let note = panics::note_the_one(inside, payload);
        Kind::Panicked.with(answer, &note.to_bytes())
    })
}

fn send<R: Serialize>(inside: &Inside, answer: &mut Vec<u8>, result: &R) -> Kind {
    match catch_unwind(AssertUnwindSafe(|| codec::append(answer, RESULT_BYTES, result))) {
        Ok(Ok(())) => Kind::Returned,
        Ok(Err(Unwritten::TooLarge)) => Kind::TooLarge.with(answer, b""),
        Ok(Err(Unwritten::Mistake(why))) => Kind::NotSerialized.with(answer, why.as_bytes()),
        Err(payload) => {
            let why = in_words("Serialize", &panics::note_the_one(inside, payload));
            Kind::NotSerialized.with(answer, why.as_bytes())
        }
    }
}

impl Kind {
    /// That kind of answer, with these bytes instead of whatever is there of a result.
    fn with(self, answer: &mut Vec<u8>, bytes: &[u8]) -> Kind {
        answer.truncate(ANSWER_BYTES);
        answer.extend_from_slice(&bytes[..bytes.len().min(NOTE_BYTES as usize)]);
        self
    }
}
