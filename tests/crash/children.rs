//! The children of the matrix: what leaves something behind, or does not want to go. Programs, and functions of the victim.

/// A child: its program, its arguments, and how it is known to be up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static str,
    pub(crate) ready: &'static str,
    /// The program that is copied: its own, or for a function what that may start.
    pub(crate) program: &'static str,
    pub(crate) is_function: bool,
}

const fn child(name: &'static str, arguments: &'static str, ready: &'static str) -> Child {
    Child { name, arguments, ready, program: name, is_function: false }
}

const fn function(name: &'static str) -> Child {
    Child { program: "daemon", is_function: true, ..child(name, "", "") }
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
    function("function"),
    function("function_forks"),
    function("function_nests"),
    function("function_pool"),
    function("function_state"),
];

/// The children whose one process is the child of its shim, and dies with it by the kernel's own signal. What a function has
/// started by our means has a guardian of its own, which notices.
pub(crate) const ON_THE_LEASH: &[&str] = &[
    "sleeper",
    "deaf",
    "stops_itself",
    "closes_all",
    "nameless",
    "headless",
    "function",
    "function_nests",
    "function_pool",
    "function_state",
];
