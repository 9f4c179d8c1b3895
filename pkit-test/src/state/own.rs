//! What is a process's own, also after a fork: a child has all that its parent had, and must not use its links nor its name.
//!
//! Nothing is locked to find out. A lock that another thread of the parent held at the fork would never be free in the child.

use std::path::Path;
use std::sync::OnceLock;
use std::thread;

use crate::function::try_current;
use crate::sys::child::own_pid;
use crate::sys::random::random;

/// A value that each process makes for itself. Those of its ancestors stay in its memory, unused.
#[derive(Debug)]
pub(crate) struct Own<T> {
    first: OnceLock<Box<Entry<T>>>,
}

#[derive(Debug)]
struct Entry<T> {
    here: Here,
    value: T,
    of_child: Own<T>,
}

impl<T> Own<T> {
    pub(crate) const fn new() -> Own<T> {
        Own { first: OnceLock::new() }
    }

    /// That of this process.
    pub(crate) fn get(&self, make: impl Fn() -> T) -> &T {
        let mut place = self;
        loop {
            let fresh = || Box::new(Entry { here: Here::now(), value: make(), of_child: Own::new() });
            let entry = place.first.get_or_init(fresh);
            if entry.here.is_here() {
                return &entry.value;
            }
            place = &entry.of_child;
        }
    }
}

/// A process: whatever acts for it does nothing in a fork of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Here {
    pid: i32,
}

impl Here {
    /// The calling one.
    pub(crate) fn now() -> Here {
        Here { pid: own_pid() }
    }

    /// Whether it is the calling one.
    pub(crate) fn is_here(self) -> bool {
        self == Here::now()
    }
}

/// By which all links of this process are known to be of one.
pub(super) fn nonce() -> u64 {
    static NONCE: Own<u64> = Own::new();
    *NONCE.get(random)
}

/// What people call this process: a function by its name, a test by that of its thread, a program by its file.
pub(super) fn name() -> String {
    let function = try_current().map(|current| current.name().to_owned());
    let thread = || thread::current().name().filter(|name| *name != "main").map(str::to_owned);
    function.or_else(thread).or_else(program).unwrap_or_default()
}

fn program() -> Option<String> {
    let argument = std::env::args_os().next()?;
    Some(Path::new(&argument).file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_another_one_for_a_child() {
        let own = Own::new();
        let address = std::ptr::from_ref(own.get(random)) as usize;
        assert_eq!(std::ptr::from_ref(own.get(random)) as usize, address);
        // As if it were in a child.
        let parent = Entry { here: Here { pid: -1 }, value: 7, of_child: Own::new() };
        let own = Own { first: OnceLock::from(Box::new(parent)) };
        assert_eq!((*own.get(|| 8), *own.get(|| 9)), (8, 8));
    }

    #[test]
    fn a_process_is_called_as_its_test() {
        assert!(name().ends_with("a_process_is_called_as_its_test"), "{}", name());
        assert_eq!(nonce(), nonce());
    }
}
