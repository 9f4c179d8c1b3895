//! What a test can see of the process that it is in, by C, and a constructor such as one of C++.

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::libc;

use super::*;

/// How many arguments the constructor below was called with; less than nothing before it is.
static CALLED_WITH: AtomicI32 = AtomicI32::new(-1);

#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(libc::c_int) = constructor;

#[cfg(target_os = "linux")]
extern "C" fn constructor(count: libc::c_int) {
    CALLED_WITH.store(count.max(0), Ordering::Relaxed);
    while c_variable(HANGS).is_some() {
        // SAFETY: it only waits for a signal.
        unsafe { libc::pause() };
    }
}

/// With this variable the constructor never returns.
pub(crate) const HANGS: &str = "PKIT_TEST_HANGS";

/// Whether the constructor of this test has run; with how many arguments where the C library says so.
pub(crate) fn constructor_says() -> String {
    match CALLED_WITH.load(Ordering::Relaxed) {
        -1 => "it has not run".to_owned(),
        count if cfg!(target_env = "gnu") => format!("{count} arguments"),
        _ => "it has run".to_owned(),
    }
}

/// What `getenv` says.
pub(crate) fn c_variable(name: &str) -> Option<String> {
    let name = CString::new(name).expect("no zero in it");
    // SAFETY: the name lives through the call, and what is found is copied before anybody changes it.
    let found = unsafe { libc::getenv(name.as_ptr()).as_ref().map(|found| CStr::from_ptr(found).to_owned()) };
    found.map(|found| found.to_string_lossy().into_owned())
}

fn entry(_gifts: Gifts) -> ! {
    std::process::exit(0)
}

#[test]
fn an_entry_is_found_again_and_what_is_no_code_is_not() {
    let found = entry_at(offset_of(entry)).expect("it is code");
    assert_eq!(found as usize, entry as Entry as usize);
    let data = (&raw const CALLED_WITH).addr();
    assert!(!cfg!(target_os = "linux") || entry_at(likeness::distance_to(data)).is_none());
    assert!(!cfg!(target_os = "linux") || entry_at(likeness::distance_to(0)).is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn our_place_among_the_constructors_is_known() {
    assert!(can_be_forked());
}
