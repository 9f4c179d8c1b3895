//! The children of the matrix: what leaves something behind, or does not want to go.

/// A child: its program, its arguments, and how it is known to be up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static str,
    pub(crate) ready: &'static str,
}

const fn child(name: &'static str, arguments: &'static str, ready: &'static str) -> Child {
    Child { name, arguments, ready }
}

pub(crate) const CHILDREN: &[Child] = &[
    child("sleeper", "", "sleeper"),
    child("deaf", "", "deaf"),
    child("daemon", "", r"daemon \d+"),
    child("daemon_bare", "", r"daemon \d+"),
    child("daemonizer", "{port}", "tcp"),
    child("forks", "100 --setsid", "forked 100"),
    child("hopper", "", "hopping"),
    child("stops_itself", "", "stopping"),
    child("closes_all", "", "closing"),
    child("nameless", "", "nameless"),
    child("unleashed", "", "unleashed"),
    child("other_user", "", "other user"),
    child("hydra", "", "hydra"),
    child("headless", "", "headless"),
    child("tracer", "", "tracing"),
    child("hoarder", "", "hoarding"),
];

/// The children whose one process is the child of its shim, and dies with it by the kernel's own signal.
pub(crate) const ON_THE_LEASH: &[&str] = &["sleeper", "deaf", "stops_itself", "closes_all", "nameless", "headless"];
