//! Means of the system that are to count as missing: `PKIT_WITHOUT=pidfd,subreaper`.
//!
//! Where a system lacks a means there is a next best way, and a way that nobody runs does not work. So the tests of this
//! crate run it here, where nothing is lacking. Guardian and shims inherit the variable with the environment. It is for
//! these tests alone: whatever it switches off makes a promise weaker.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

/// The name of the variable.
pub(crate) const VARIABLE: &str = "PKIT_WITHOUT";

/// What a system may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// A descriptor that means a process for ever.
    Pidfd,
    /// The kernel's own list of the children of a process.
    Children,
    /// Orphans that come to the nearest ancestor that asked for them.
    Subreaper,
    /// One descriptor that stands for many.
    Epoll,
    /// Moving bytes without reading them.
    Splice,
    /// Closing all descriptors by one call.
    CloseRange,
    /// A child that shares the memory of its parent until it executes something.
    Vfork,
    /// The kernel's answers about sockets.
    SockDiag,
    /// Its tables of sockets, as text.
    ProcNet,
    /// Names of sockets that are in no directory.
    Abstract,
    /// What a process was executed as, by the auxiliary vector.
    Execfn,
    /// A wait that opens the signal mask itself.
    Ppoll,
    /// A fork of the guardian that is as good as a program that was just executed.
    FunctionFork,
}

const WORDS: [(&str, Means); 13] = [
    ("pidfd", Means::Pidfd),
    ("children", Means::Children),
    ("subreaper", Means::Subreaper),
    ("epoll", Means::Epoll),
    ("splice", Means::Splice),
    ("close_range", Means::CloseRange),
    ("vfork", Means::Vfork),
    ("sock_diag", Means::SockDiag),
    ("proc_net", Means::ProcNet),
    ("abstract", Means::Abstract),
    ("execfn", Means::Execfn),
    ("ppoll", Means::Ppoll),
    ("function_fork", Means::FunctionFork),
];

/// A bit for each that is missing, and one that says that the variable was read.
static MISSING: AtomicU32 = AtomicU32::new(0);

const WAS_READ: u32 = 1 << 31;

/// Whether to do as if the system lacked it.
pub(crate) fn lacks(means: Means) -> bool {
    let missing = match MISSING.load(Ordering::Relaxed) {
        0 => read(),
        missing => missing,
    };
    missing & (1 << means as u32) != 0
}

fn read() -> u32 {
    let missing = parse(&value()).0.into_iter().fold(WAS_READ, |missing, means| missing | 1 << means as u32);
    MISSING.store(missing, Ordering::Relaxed);
    missing
}

/// Forgets what was read, in a fork that has an environment of its own.
pub(crate) fn forget() {
    MISSING.store(0, Ordering::Relaxed);
}

/// The words of the variable that mean nothing, for whoever says so.
pub(crate) fn unknown() -> Vec<String> {
    parse(&value()).1
}

/// All words that mean something.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word)
}

fn value() -> String {
    env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
}

fn parse(value: &str) -> (Vec<Means>, Vec<String>) {
    let (mut missing, mut unknown) = (Vec::new(), Vec::new());
    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, means)) => missing.push(*means),
            None => unknown.push(word.to_owned()),
        }
    }
    (missing, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_and_others_are_kept_to_be_said() {
        assert_eq!(parse(""), (vec![], vec![]));
        assert_eq!(parse("pidfd, epoll,"), (vec![Means::Pidfd, Means::Epoll], vec![]));
        assert_eq!(parse("pidfds,splice"), (vec![Means::Splice], vec!["pidfds".to_owned()]));
        assert_eq!(parse(&words().collect::<Vec<_>>().join(",")).0.len(), WORDS.len());
    }
}
