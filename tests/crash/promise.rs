//! What the documentation promises of each cell: all expectations of the matrix are here, and the table of weak cells in
//! `GOTCHAS.md` is written from them.

use crate::children::{Child, ON_THE_LEASH};
use crate::ends::End;
use crate::surrounding::Surrounding;

/// What is left of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing, ever.
    Nothing,
    /// Maybe something; this rule says why.
    Weak(&'static Rule),
}

/// Some cells about which nothing is promised.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Whose cells.
    pub(crate) surroundings: &'static str,
    pub(crate) ends: &'static str,
    pub(crate) children: &'static str,
    pub(crate) why: &'static str,
}

/// All of us are gone at one moment.
pub(crate) const ALL_AT_ONCE: Rule = Rule {
    surroundings: "all, without `isolate(Isolation::Pid)`",
    ends: "guardian and shims SIGKILLed at one moment, with the test or without",
    children: "what has descendants, or has taken its death signal off",
    why: "the kernel kills the service with its shim; nobody is left to whom its descendants would come",
};

impl Promise {
    pub(crate) fn of(end: &End, child: &Child, _surrounding: &Surrounding, is_isolated: bool) -> Promise {
        let is_on_the_leash = ON_THE_LEASH.contains(&child.name);
        if end.is_all_at_once && !is_isolated && !is_on_the_leash {
            return Promise::Weak(&ALL_AT_ONCE);
        }
        Promise::Nothing
    }
}
