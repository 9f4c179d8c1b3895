//! The words of the protocol as bytes.
//!
//! ```text
//! frame    length of what follows, 4 bytes, big-endian; then one request, or one reply
//! request  its number, 1 byte; then its fields, in the order in which `protocol.rs` has them
//! field    a number: 8 bytes, big-endian     a text, or bytes: 4 bytes of length, then they
//!          yes or no: 1 byte                 several: 4 bytes of their number, then they
//!          perhaps: 1 byte, then it          a time: a number of nanoseconds
//! ```
//!
//! No frame is so long that its first byte could be a `{` or white space, by which a link that speaks JSON is known. What comes
//! is read with mistrust: no length is believed before so many bytes are there.
//!
//! `Hello` stays as it is for ever, since it says which version the rest is.

use std::sync::Arc;
use std::time::Duration;

use super::protocol::{
    BarrierAct, Change, Commit, Held, Key, LatchAct, Only, PhaseAct, QueueAct, Refusal, Reply, Request, SemaphoreAct,
    Until, Value, Who,
};
use crate::limits::VALUE_BYTES;

/// The version of the protocol. Another one for each change of what is below.
pub(crate) const PROTOCOL: u32 = 1;

/// How many bytes before a frame say how long it is.
pub(crate) const HEAD_BYTES: usize = 4;

/// How long a frame may be: a value of the greatest size, and names around it.
pub(crate) const FRAME_BYTES: usize = VALUE_BYTES as usize + 1024 * 1024;

/// How many bytes the frame has of which these are the first ones, with its head; `None` while that is not known.
///
/// # Errors
///
/// What it says to be, where that is more than a frame may be.
pub(crate) fn frame_length(bytes: &[u8]) -> Result<Option<usize>, u64> {
    let Some((head, _)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*head);
    match usize::try_from(length) {
        Ok(length) if length <= FRAME_BYTES => Ok(Some(HEAD_BYTES + length)),
        _ => Err(length.into()),
    }
}

/// Adds a frame.
///
/// # Errors
///
/// How long it would be, where that is too long. Nothing is added then.
pub(crate) fn append<T: Wire>(bytes: &mut Vec<u8>, what: &T) -> Result<(), u64> {
    let begin = bytes.len();
    bytes.extend([0; HEAD_BYTES]);
    what.put(bytes);
    let length = bytes.len() - begin - HEAD_BYTES;
    if length > FRAME_BYTES {
        bytes.truncate(begin);
        return Err(length as u64);
    }
    bytes[begin..begin + HEAD_BYTES].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(())
}

/// What a frame says, without its head; `None` if that is not exactly one of these.
pub(crate) fn read<T: Wire>(body: &[u8]) -> Option<T> {
    let mut reader = Reader { rest: body };
    let read = T::take(&mut reader)?;
    reader.rest.is_empty().then_some(read)
}

/// Which version a greeting is of, though the rest of it may be as that version has it.
pub(crate) fn version(body: &[u8]) -> Option<u32> {
    let (&0, rest) = body.split_first()? else { return None };
    u32::take(&mut Reader { rest })
}

/// What can be said.
pub(crate) trait Wire: Sized {
    fn put(&self, to: &mut Vec<u8>);
    fn take(from: &mut Reader<'_>) -> Option<Self>;
}

/// What is left of a frame.
#[derive(Debug)]
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        self.bytes(COUNT)?.try_into().ok()
    }

    /// Bytes behind their length.
    fn counted(&mut self) -> Option<&'b [u8]> {
        let count = u32::take(self)?;
        self.bytes(usize::try_from(count).ok()?)
    }

    fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.counted()?).ok()
    }
}

/// Nothing that is longer gets into a frame that is sent, so that what is cut here is refused there.
fn put_length(length: usize, to: &mut Vec<u8>) {
    u32::try_from(length).unwrap_or(u32::MAX).put(to);
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Wire for $number {
            fn put(&self, to: &mut Vec<u8>) {
                to.extend(self.to_be_bytes());
            }

            fn take(from: &mut Reader<'_>) -> Option<$number> {
                from.array().map(<$number>::from_be_bytes)
            }
        }
    )*};
}

numbers! { u8 u32 u64 i64 }

impl Wire for bool {
    fn put(&self, to: &mut Vec<u8>) {
        u8::from(*self).put(to);
    }

    fn take(from: &mut Reader<'_>) -> Option<bool> {
        match u8::take(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Wire for Duration {
    fn put(&self, to: &mut Vec<u8>) {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX).put(to);
    }

    fn take(from: &mut Reader<'_>) -> Option<Duration> {
        u64::take(from).map(Duration::from_nanos)
    }
}

impl Wire for Arc<str> {
    fn put(&self, to: &mut Vec<u8>) {
        put_length(self.len(), to);
        to.extend(self.as_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Option<Arc<str>> {
        from.text().map(Arc::from)
    }
}

impl Wire for String {
    fn put(&self, to: &mut Vec<u8>) {
        put_length(self.len(), to);
        to.extend(self.as_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Option<String> {
        from.text().map(str::to_owned)
    }
}

impl Wire for Arc<[u8]> {
    fn put(&self, to: &mut Vec<u8>) {
        put_length(self.len(), to);
        to.extend(&**self);
    }

    fn take(from: &mut Reader<'_>) -> Option<Arc<[u8]>> {
        from.counted().map(Arc::from)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.is_some().put(to);
        self.iter().for_each(|some| some.put(to));
    }

    fn take(from: &mut Reader<'_>) -> Option<Option<T>> {
        if bool::take(from)? { T::take(from).map(Some) } else { Some(None) }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, to: &mut Vec<u8>) {
        put_length(self.len(), to);
        self.iter().for_each(|one| one.put(to));
    }

    /// It grows as they come: the number may be anything.
    fn take(from: &mut Reader<'_>) -> Option<Vec<T>> {
        (0..u32::take(from)?).map(|_| T::take(from)).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Option<(A, B)> {
        Some((A::take(from)?, B::take(from)?))
    }
}

macro_rules! structs {
    ($($name:ident { $($field:ident)* })*) => {$(
        impl Wire for $name {
            fn put(&self, to: &mut Vec<u8>) {
                let $name { $($field),* } = self;
                $($field.put(to);)*
            }

            fn take(from: &mut Reader<'_>) -> Option<$name> {
                Some($name { $($field: Wire::take(from)?),* })
            }
        }
    )*};
}

structs! {
    Key { space name }
    Value { type_name bytes }
    Who { name pid }
    Held { value version by }
    Change { key value version by is_first }
    Commit { reads lists writes }
}

/// Each variant has a number. Those whose fields have no names have numbers for them, in the manner of Rust.
macro_rules! enums {
    ($($name:ident { $($number:literal $variant:ident { $($field:tt $bound:ident)* })* })*) => {$(
        impl Wire for $name {
            fn put(&self, to: &mut Vec<u8>) {
                match self {
                    $($name::$variant { $($field: $bound),* } => {
                        to.push($number);
                        $($bound.put(to);)*
                    })*
                }
            }

            fn take(from: &mut Reader<'_>) -> Option<$name> {
                Some(match u8::take(from)? {
                    $($number => $name::$variant { $($field: Wire::take(from)?),* },)*
                    _ => return None,
                })
            }
        }
    )*};
}

enums! {
    Only {
        0 Always {}
        1 IfAbsent {}
        2 IfPresent {}
        3 IfVersion { 0 version }
    }
    Until {
        0 Present {}
        1 Absent {}
        2 Equal { 0 bytes }
        3 After { 0 version }
        4 AtLeast { 0 least }
    }
    Request {
        0 Hello { protocol protocol nonce nonce name name }
        1 Get { key key since since }
        2 Keys { space space since since }
        3 Snapshot { space space since since }
        4 Len { space space }
        5 Set { key key value value only only }
        6 Replace { key key value value only only }
        7 Remove { key key }
        8 Clear { space space }
        9 Increment { key key by by }
        10 Commit { 0 commit }
        11 Turn { timeout timeout }
        12 EndTurn {}
        13 Watch { space space keys keys is_live is_live with_first with_first }
        14 Next { timeout timeout }
        15 Barrier { name name act act }
        16 Latch { name name act act }
        17 Semaphore { name name act act }
        18 Queue { name name act act }
        19 Phase { name name act act }
        20 History {}
        21 Wait { key key until until timeout timeout }
    }
    BarrierAct {
        0 Open { parties parties }
        1 Arrive { timeout timeout }
        2 Leave {}
        3 Waiting {}
    }
    LatchAct {
        0 Open { count count }
        1 CountDown { by by }
        2 Wait { timeout timeout }
        3 Count {}
    }
    SemaphoreAct {
        0 Open { permits permits }
        1 Acquire { timeout timeout }
        2 Release { permit permit }
        3 Free {}
    }
    QueueAct {
        0 Push { value value }
        1 Pop { timeout timeout }
        2 Lease { timeout timeout }
        3 Settle { lease lease is_done is_done }
        4 Len {}
        5 Close {}
    }
    PhaseAct {
        0 Pass { step step timeout timeout }
        1 WaitFor { step step count count timeout timeout }
        2 LetOn { step step count count }
        3 Open { step step }
        4 Standing { step step }
    }
    Reply {
        0 Welcome { server server }
        1 Value { held held now now }
        2 Names { names names now now }
        3 Entries { entries entries now now }
        4 Number { 0 number }
        5 Done { version version }
        6 NotDone { held held }
        7 Moved {}
        8 Changes { 0 changes }
        9 Granted { permit permit after after }
        10 Item { value value lease lease after after }
        11 Standing { 0 who }
        12 Late { facts facts }
        13 Refused { 0 refusal }
    }
    Refusal {
        0 Malformed { 0 why }
        1 OtherProtocol { 0 version }
        2 NotANumber { held held }
        3 OutOfRange { held held by by }
        4 TooLarge { bytes bytes limit limit }
        5 Differs { made made asked asked by by }
        6 Broken { by by why why }
        7 Closed { by by }
        8 Overflow { missed missed }
    }
}

#[cfg(test)]
mod tests;
