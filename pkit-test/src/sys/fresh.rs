//! A function of this binary in a process of its own, and what that process needs to be as fresh as one that was just executed.
//!
//! Usually it is a fork of the guardian, which costs less than an exec. The guardian was taken over before `main`, among
//! the constructors of the binary, so that those behind ours have not run: the fork runs them first, in their order. It
//! gets the environment that it is given, and no arguments but the path of the binary. What is left of the guardian is
//! memory that is of no use to anybody, but can be read, and `/proc/PID/environ`, which shows what the guardian was started with.
//!
//! Where the other constructors cannot be found, or a fork would not do, the binary is executed once more, and taken over
//! in the same place. Where there is no array of constructors that we can walk, it is taken over behind the others.
//!
//! Neither way runs the runtime of Rust that surrounds `main`. What it does and we do not: it names the first thread
//! `main`, and has a stack that overflows end by SIGABRT with a sentence, where here it is SIGSEGV without one.
//!
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;

use super::bell::Rope;
use super::{likeness, namespace, wait, without};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as system;

pub(crate) use system::{can_be_forked, prepare};

/// What a function process runs. It ends the process by itself.
pub(crate) type Entry = fn(Gifts) -> !;

/// What it is given, both closed at exec.
#[derive(Debug)]
pub(crate) struct Gifts {
    pub(crate) slate: OwnedFd,
    /// Lost on the way where there was no room for it.
    pub(crate) rope: Option<Rope>,
}

/// How an entry travels to another process of this binary.
pub(crate) fn offset_of(entry: Entry) -> u64 {
    likeness::distance_to(entry as usize)
}

/// The entry that has travelled; `None` where there is no code at all.
pub(crate) fn entry_at(offset: u64) -> Option<Entry> {
    let address = likeness::address_at(offset);
    if !system::is_code(address) {
        return None;
    }
    // SAFETY: the offset was made by `offset_of` in a process of this binary, in which all functions lie at the same
    // distance from each other; and there is code.
    Some(unsafe { std::mem::transmute::<*const (), Entry>(std::ptr::with_exposed_provenance(address)) })
}

/// Notes where in the array of constructors we stand.
pub(crate) fn note_registered(place: Option<usize>) {
    system::note_registered(place);
}

/// Makes the calling fork as good as new: to be called before anything of the user's runs.
pub(crate) fn begin(name: &CStr, environment: &[CString]) -> io::Result<()> {
    system::set_environment(environment);
    without::forget();
    begin_executed(name)
}

/// The same for one that was executed, which has its environment.
pub(crate) fn begin_executed(name: &CStr) -> io::Result<()> {
    let program = CString::new(std::env::current_exe()?.into_os_string().into_encoded_bytes())?;
    super::platform::set_process_name(name);
    system::set_arguments(program, name);
    wait::ignore_broken_pipes();
    Ok(())
}

/// Runs the constructors that a program would have run by `main`, and then this.
pub(crate) fn run(entry: Entry, gifts: Gifts) -> ! {
    namespace::enter_user_namespace_if_asked();
    system::run_other_constructors();
    entry(gifts)
}

#[cfg(test)]
pub(crate) mod tests;
