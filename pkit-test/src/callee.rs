//! What a spec holds of a function.

use std::fmt;
use std::sync::Arc;

use crate::sys::fresh::Entry;

/// A function that is to be a process, and what it is called with.
#[derive(Clone)]
pub(crate) struct Callee {
    /// What people call it.
    pub(crate) name: String,
    /// Its own type, with the whole path of it.
    pub(crate) kind: &'static str,
    /// The type of its arguments, for messages.
    pub(crate) takes: &'static str,
    /// Whether arguments of another type are such ones as well: a 4 is one whatever it was written as.
    pub(crate) reads: fn(&[u8]) -> Result<(), String>,
    /// Where the process begins.
    pub(crate) entry: Entry,
    /// Of a pointer to a function, where that is; what has no size is known by its entry.
    pub(crate) pointer: Option<u64>,
    /// Encoded, or why that cannot be.
    pub(crate) arguments: Result<Arc<[u8]>, String>,
}

impl fmt::Debug for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses differ from run to run, and bytes tell people nothing.
        let arguments = self.arguments.as_ref().map(|bytes| bytes.len());
        let mut shown = f.debug_struct("Callee");
        shown.field("name", &self.name).field("takes", &self.takes).field("argument_bytes", &arguments).finish()
    }
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.takes)
    }
}
