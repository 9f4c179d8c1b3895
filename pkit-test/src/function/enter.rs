//! Where a function process begins, and how it ends.
//!
//! ```text
//!            arguments        function          result
//! fork ──► [ understood? ] ► Begun ► [ returns? ] ► [ serialized, small enough? ] ► Returned, exit 0
//!               │ no                     │ panics         │ no
//!               ▼                        ▼                ▼
//!          NotUnderstood             Panicked      NotSerialized, TooLarge         ► exit 101
//! ```
//!
//! Standard output needs no care: `process::exit` flushes that of Rust, and then that of C.

use std::any::Any;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Termination, exit};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parcel::{Ending, PanicNote, Unpacked};
use crate::sys::fresh::Gifts;
use crate::sys::likeness;

use super::callable::Callable;
use super::codec;
use super::errand::number_of;
use super::failure::PANIC_CODE;
use super::inside::Inside;
use super::panics;

/// What a function process does from its beginning to its end.
pub(crate) fn enter<F, A, M>(gifts: Gifts) -> !
where
    F: Callable<A, M>,
    A: DeserializeOwned,
    F::Output: Serialize,
{
    run::<F, A, M>(gifts, |inside, ran| finish(inside, ran.and_then(|result| send(inside, result))))
}

/// The same for a function that hands nothing back: nobody may be there to take it.
pub(crate) fn enter_errand<F, A, M>(gifts: Gifts) -> !
where
    F: Callable<A, M>,
    A: DeserializeOwned,
    F::Output: Termination,
{
    run::<F, A, M>(gifts, |inside, ran| {
        // What is an error is printed here, and that may panic as well.
        let code = ran.and_then(|result| catch_unwind(AssertUnwindSafe(|| result.report())));
        match code {
            Ok(code) => number_of(code),
            Err(payload) => finish(inside, Err(payload)),
        }
    })
}

fn run<F, A, M>(gifts: Gifts, end: impl FnOnce(&Inside, std::thread::Result<F::Output>) -> i32) -> !
where
    F: Callable<A, M>,
    A: DeserializeOwned,
{
    let inside = unpack(gifts);
    let Some((function, arguments)) = understand::<F, A>(inside) else { exit(PANIC_CODE) };
    inside.say_begun();
    let ran = catch_unwind(AssertUnwindSafe(|| __rust_begin_short_backtrace(|| function.call_with(arguments))));
    if !inside.is_entered_process() {
        // A fork of it that came to the end as well.
        exit(if ran.is_ok() { 0 } else { PANIC_CODE });
    }
    exit(end(inside, ran))
}

/// By this name a backtrace ends where the function begins: what is below is how the process came to be.
#[inline(never)]
fn __rust_begin_short_backtrace<R>(run: impl FnOnce() -> R) -> R {
    let result = run();
    // Otherwise it would be the last call, and its frame gone before it.
    black_box(());
    result
}

/// The descriptor is closed at the end, so that the function finds none of ours but the rope, while that is waited for.
fn unpack(Gifts { slate, rope }: Gifts) -> &'static Inside {
    match Unpacked::open(&slate) {
        Ok(parcel) => {
            let inside = Inside::begin(parcel, rope);
            panics::note_all(inside);
            inside
        }
        Err(error) => {
            eprintln!("pkit-test: the memory that a function process shares with its test cannot be used: {error}");
            exit(PANIC_CODE)
        }
    }
}

/// The function and its arguments, unless they are something else.
fn understand<F: Copy, A: DeserializeOwned>(inside: &Inside) -> Option<(F, A)> {
    let read = catch_unwind(|| codec::read::<A>(inside.arguments()));
    let why = match read {
        Ok(Ok(arguments)) => {
            let function = likeness::conjure::<F>(inside.surroundings().pointer);
            return Some((function.expect("whoever packed a pointer has sent where it points to"), arguments));
        }
        Ok(Err(why)) => why,
        Err(payload) => in_words("Deserialize", &panics::note_the_one(inside, payload)),
    };
    inside.finish(Ending::NotUnderstood(&why));
    None
}

/// How a result was sent.
enum Sent {
    Whole(u64),
    NotSerialized(String),
    TooLarge { limit: u64 },
}

/// Writes the result, and drops it: that may take its time, or panic, as in any other function that has a value.
fn send<R: Serialize>(inside: &Inside, result: R) -> Result<Sent, Box<dyn Any + Send>> {
    let mut writer = inside.result_writer();
    let written = catch_unwind(AssertUnwindSafe(|| codec::write(&mut writer, &result)));
    let sent = match written {
        Ok(Ok(())) => Sent::Whole(writer.written()),
        Ok(Err(_)) if writer.is_full() => Sent::TooLarge { limit: writer.limit() },
        Ok(Err(why)) => Sent::NotSerialized(why),
        Err(payload) => Sent::NotSerialized(in_words("Serialize", &panics::note_the_one(inside, payload))),
    };
    catch_unwind(AssertUnwindSafe(|| drop(result))).map(|()| sent)
}

/// Has the last word, and returns the code to exit with.
fn finish(inside: &Inside, sent: Result<Sent, Box<dyn Any + Send>>) -> i32 {
    match sent {
        Ok(Sent::Whole(bytes)) => {
            inside.finish(Ending::Returned(bytes));
            return 0;
        }
        Ok(Sent::NotSerialized(why)) => inside.finish(Ending::NotSerialized(&why)),
        Ok(Sent::TooLarge { limit }) => inside.finish(Ending::TooLarge { limit }),
        Err(payload) => {
            panics::note_the_one(inside, payload);
            inside.finish(Ending::Panicked);
        }
    }
    PANIC_CODE
}

/// What is said of a panic in code of a value.
pub(super) fn in_words(what: &str, note: &PanicNote) -> String {
    let place = note.place.as_ref().map(|place| format!(" at {}:{}:{}", place.file, place.line, place.column));
    format!("its `{what}` panicked{}: {}", place.unwrap_or_default(), note.message)
}

#[cfg(test)]
mod tests;
