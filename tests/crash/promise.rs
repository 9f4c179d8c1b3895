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
const ALL_AT_ONCE: Rule = Rule {
    surroundings: "all, without `isolate(Isolation::Pid)`",
    ends: "guardian and shims SIGKILLed at one moment, with the test or without",
    children: "what has descendants, or has taken its death signal off",
    why: "the kernel kills a service with its shim, and nobody is left to whom its descendants would come",
};

/// No orphan comes to us.
const NO_SUBREAPER: Rule = Rule {
    surroundings: "no subreaper",
    ends: "all",
    children: "what leaves its session, clears its environment and loses its parent at once",
    why: "an orphan goes to PID 1, and no mark that we know is left on this one",
};

/// No cell: `deed.rs` waits until whoever was forked has begun. It was seen once in some hundred runs before that.
const NOT_YET_BEGUN: Rule = Rule {
    surroundings: "all",
    ends: "the next shim SIGSTOPped before its first instruction, then the guardian SIGKILLed",
    children: "none of them: that shim itself stays, stopped, with its copy of the test's stderr",
    why: "only a process itself can ask the kernel to be woken with its parent",
};

/// All of them, in the order of the table.
pub(crate) const RULES: &[&Rule] = &[&ALL_AT_ONCE, &NO_SUBREAPER, &NOT_YET_BEGUN];

/// What loses all marks between two looks at the processes.
const UNMARKED: &[&str] = &["daemon_bare"];

impl Promise {
    pub(crate) fn of(end: &End, child: &Child, surrounding: &Surrounding, is_isolated: bool) -> Promise {
        if end.is_all_at_once && !is_isolated && !ON_THE_LEASH.contains(&child.name) {
            return Promise::Weak(&ALL_AT_ONCE);
        }
        if surrounding.name == "no subreaper" && UNMARKED.contains(&child.name) {
            return Promise::Weak(&NO_SUBREAPER);
        }
        Promise::Nothing
    }
}
