//! Panics of a function process: noted at once, told to the test, and printed as always.
//!
//! They are noted in the hook, so that one that aborts is known as well. Which one ended the function is known only when it
//! has: others were caught, or were those of other threads.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Mutex;
use std::thread;

use crate::parcel::{PanicNote, Place};
use crate::sync::lock;

use super::failure::MAIN_THREAD;
use super::inside::Inside;

/// The last one of all threads, which is the one on the slate. Held while it is noted.
static LAST: Mutex<Option<PanicNote>> = Mutex::new(None);

thread_local! {
    static LAST_HERE: RefCell<Option<PanicNote>> = const { RefCell::new(None) };
}

/// What the language itself says right before it aborts, after a panic that may not go on.
const LAST_WORDS: [&str; 2] = ["panic in a destructor during cleanup", "panic in a function that cannot unwind"];

/// What `std` calls a payload that is no text.
const NO_TEXT: &str = "Box<dyn Any>";

/// From now on panics are noted.
pub(super) fn note_all(inside: &'static Inside) {
    let printing = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        note(inside, info);
        printing(info);
    }));
}

/// Sees to it that the note is about the panic with this payload, which ended the function. The payload may be a trap when it
/// is dropped, so that it is not.
pub(super) fn note_the_one(inside: &Inside, payload: Box<dyn Any + Send>) -> PanicNote {
    let message = text_of(&*payload).to_owned();
    std::mem::forget(payload);
    let says_so = |note: &PanicNote| note.message == message;
    let here = LAST_HERE.with_borrow_mut(Option::take).filter(says_so);
    // One of another thread that was joined, or thrown without a word.
    let noted = here.or_else(|| lock(&LAST).clone().filter(says_so));
    let thread = thread_name(inside);
    let note = noted.unwrap_or(PanicNote { message, place: None, thread, backtrace: None, is_fatal: false });
    inside.note_panic(&note);
    note
}

/// Forgets what was noted, so that nothing later is taken for it.
pub(super) fn forget(inside: &Inside) {
    LAST_HERE.with_borrow_mut(|last| *last = None);
    let mut last = lock(&LAST);
    inside.forget_panic();
    *last = None;
}

fn note(inside: &Inside, info: &PanicHookInfo<'_>) {
    let message = text_of(info.payload());
    if LAST_WORDS.contains(&message) {
        return note_fatal(inside);
    }
    let place = info.location().map(|at| Place { file: at.file().to_owned(), line: at.line(), column: at.column() });
    let is_fatal = cfg!(panic = "abort");
    let mut note =
        PanicNote { message: message.to_owned(), place, thread: thread_name(inside), backtrace: None, is_fatal };
    say(inside, &note);
    let stack = Backtrace::capture();
    if stack.status() == BacktraceStatus::Captured {
        // It may take a while, in which the process may be killed.
        note.backtrace = Some(shortened(&stack.to_string()));
        say(inside, &note);
    }
}

/// The frames from the panic down to the function, unless all are wanted: those that stderr gets as well. The two names are
/// what the standard library goes by.
fn shortened(stack: &str) -> String {
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value == "full") {
        return stack.to_owned();
    }
    let lines: Vec<&str> = stack.lines().collect();
    let with = |name: &str| lines.iter().position(|line| line.contains(name));
    let end = with("__rust_begin_short_backtrace").unwrap_or(lines.len());
    let is_frame = |line: &&str| line.trim_start().starts_with(|first: char| first.is_ascii_digit());
    let hooked = with("__rust_end_short_backtrace").filter(|hooked| *hooked < end);
    let begin = hooked.and_then(|hooked| Some(hooked + 1 + lines[hooked + 1..end].iter().position(is_frame)?));
    lines[begin.unwrap_or(0)..end].join("\n")
}

/// The panic before was the reason why nothing goes on.
fn note_fatal(inside: &Inside) {
    let before = LAST_HERE.with_borrow(Option::clone);
    if let Some(note) = before {
        say(inside, &PanicNote { is_fatal: true, ..note });
    }
}

fn say(inside: &Inside, note: &PanicNote) {
    LAST_HERE.with_borrow_mut(|last| *last = Some(note.clone()));
    let mut last = lock(&LAST);
    inside.note_panic(note);
    *last = Some(note.clone());
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or(NO_TEXT)
}

fn thread_name(inside: &Inside) -> String {
    if inside.is_first_thread() {
        return MAIN_THREAD.to_owned();
    }
    thread::current().name().unwrap_or("<unnamed>").to_owned()
}
