//! The ends of the matrix: the name of a victim's test, what is done to it, and what its parent sees.

use nix::sys::signal::Signal;

use crate::deed::Step::{Gone, Send, Within};
use crate::deed::Whom::{All, Guardian, OneShim, Shims, Test};
use crate::deed::{Deed, Moment, Step};

/// How a victim is to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) name: &'static str,
    /// The test, or a word for the program that aborts on panic.
    pub(crate) victim: Victim,
    pub(crate) deed: Option<Deed>,
    pub(crate) ended: Ended,
    /// Test, guardian and shims, or enough of them, may be gone at one moment: only isolation helps.
    pub(crate) is_all_at_once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// A test of libtest.
    Test(&'static str),
    /// All tests of a module at the same time, in one process.
    Tests(&'static str),
    /// A program with `panic = "abort"`, and what it is to do.
    Aborting(&'static str),
}

/// What the parent of a victim sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Code(i32),
    Signal(i32),
    /// It depends on the moment.
    Anyhow,
    /// By an error of a start, or before: where there is no room for a thread the harness gives up itself.
    Refused,
}

/// What the harness exits with when a test failed.
pub(crate) const FAILED: i32 = 101;

const fn code(test: &'static str, code: i32) -> End {
    End { name: test, victim: Victim::Test(test), deed: None, ended: Ended::Code(code), is_all_at_once: false }
}

const fn signal(test: &'static str, signal: Signal) -> End {
    let ended = Ended::Signal(signal as i32);
    End { name: test, victim: Victim::Test(test), deed: None, ended, is_all_at_once: false }
}

const fn aborting(name: &'static str, word: &'static str, ended: Ended) -> End {
    End { name, victim: Victim::Aborting(word), deed: None, ended, is_all_at_once: false }
}

const fn done(name: &'static str, test: &'static str, deed: Deed) -> End {
    End { name, victim: Victim::Test(test), deed: Some(deed), ended: Ended::Anyhow, is_all_at_once: false }
}

/// It is up, and pauses.
const fn up(name: &'static str, steps: &'static [Step]) -> End {
    let deed = Deed { from: Moment::Up, steps };
    End { ended: Ended::Signal(SIGKILL as i32), ..done(name, "driven::starts", deed) }
}

const fn starting(name: &'static str, steps: &'static [Step]) -> End {
    done(name, "driven::starts", Deed { from: Moment::Starting, steps })
}

const fn stopping(name: &'static str, steps: &'static [Step]) -> End {
    done(name, "driven::stops", Deed { from: Moment::Told("stopping"), steps })
}

const fn restarting(name: &'static str, steps: &'static [Step]) -> End {
    done(name, "driven::restarts", Deed { from: Moment::Told("restarting"), steps })
}

const fn at_once(end: End) -> End {
    End { is_all_at_once: true, ..end }
}

use Signal::{SIGABRT, SIGALRM, SIGBUS, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSEGV, SIGSTOP, SIGTERM};
use Signal::{SIGUSR1, SIGXCPU};

/// A deaf child takes its grace, 100 ms, and there are two.
const AN_END_US: u64 = 220_000;

/// Within this time of its first line a victim has started both its processes.
const A_START_US: u64 = 6_000;

const A_MOMENT_US: u64 = 20_000;

pub(crate) const ENDS: &[End] = &[
    code("returns", 0),
    code("returns_an_error", FAILED),
    code("panics", FAILED),
    code("panics_with_handles_of_its_own", FAILED),
    code("exits", 3),
    code("exits_while_it_starts", 3),
    code("executes_another_program", 0),
    code("forks_and_returns", 0),
];

pub(crate) const CRASHES: &[End] = &[
    signal("aborts", SIGABRT),
    signal("overflows_its_stack", SIGABRT),
    signal("segfaults", SIGSEGV),
    signal("panics_while_it_panics", SIGABRT),
];

pub(crate) const SIGNALS: &[End] = &[
    signal("kills_itself", SIGKILL),
    signal("terminates_itself", SIGTERM),
    signal("is_interrupted_with_its_group", SIGINT),
    signal("is_killed_with_its_group", SIGKILL),
    signal("dies_of::sighup", SIGHUP),
    signal("dies_of::sigquit", SIGQUIT),
    signal("dies_of::sigpipe", SIGPIPE),
    signal("dies_of::sigalrm", SIGALRM),
    signal("dies_of::sigusr1", SIGUSR1),
    signal("dies_of::sigxcpu", SIGXCPU),
    signal("dies_of::sigbus", SIGBUS),
    signal("forks_and_is_killed", SIGKILL),
    End { ended: Ended::Signal(SIGKILL as i32), victim: Victim::Tests("beside::"), ..code("beside", 0) },
];

pub(crate) const NEVER_DROPPED: &[End] = &[
    code("is_abandoned_by_its_timeout", FAILED),
    code("is_abandoned_with_its_parameters", FAILED),
    code("keeps_a_fixture_that_is_made_once", 0),
    signal("is_killed_with_a_fixture_that_is_made_once", SIGKILL),
    code("keeps_handles_in_a_static", 0),
    code("forgets_handles", 0),
    code("forgets_parameters", 0),
];

pub(crate) const RUNTIMES: &[End] = &[
    code("returns_in_a_runtime", 0),
    code("panics_in_a_runtime", FAILED),
    code("panics_in_a_task", FAILED),
    code("leaves_a_task_behind", 0),
    code("exits_in_a_runtime", 3),
    signal("aborts_in_a_runtime", SIGABRT),
    signal("is_killed_in_a_runtime", SIGKILL),
    code("is_dropped_by_its_timeout", FAILED),
];

pub(crate) const OWNERS: &[End] = &[
    code("goes_on_without_its_guardian", 0),
    signal("dies_after_its_guardian", SIGKILL),
    code("goes_on_without_shims", 0),
    signal("dies_after_its_shims", SIGKILL),
    code("goes_on_without_one_shim", 0),
    signal("dies_after_one_shim", SIGKILL),
];

pub(crate) const SUPERVISED: &[End] = &[
    code("orchestrated::returns", 0),
    code("orchestrated::returns_early", FAILED),
    code("orchestrated::panics", FAILED),
    code("orchestrated::panics_while_a_member_is_down", FAILED),
    code("orchestrated::exits", 3),
    signal("orchestrated::kills_itself", SIGKILL),
    code("orchestrated::forgets_the_stack", 0),
];

pub(crate) const RESTARTED: &[End] = &[
    code("orchestrated::returns_while_all_are_restarted", 0),
    code("orchestrated::panics_while_all_are_restarted", FAILED),
    signal("orchestrated::kills_itself_while_all_are_restarted", SIGKILL),
    code("orchestrated::comes_back_without_its_guardian", 0),
];

pub(crate) const ABORTING: &[End] = &[
    aborting("panic=abort: returns", "returns", Ended::Code(0)),
    aborting("panic=abort: panics", "panics", Ended::Signal(SIGABRT as i32)),
    aborting("panic=abort: panics in a thread", "panics_in_a_thread", Ended::Signal(SIGABRT as i32)),
    aborting("panic=abort: exits", "exits", Ended::Code(3)),
    aborting("panic=abort: kills itself", "kills_itself", Ended::Signal(SIGKILL as i32)),
    End {
        deed: Some(Deed { from: Moment::Up, steps: &[Send(SIGKILL, Test), Send(SIGKILL, Guardian)] }),
        ..aborting("panic=abort: test, guardian killed", "pauses", Ended::Signal(SIGKILL as i32))
    },
];

pub(crate) const KILLED_WHEN_UP: &[End] = &[
    up("test", &[Send(SIGKILL, Test)]),
    up("guardian; gone; test", &[Send(SIGKILL, Guardian), Gone, Send(SIGKILL, Test)]),
    up("shims; gone; test", &[Send(SIGKILL, Shims), Gone, Send(SIGKILL, Test)]),
    up("guardian, test", &[Send(SIGKILL, Guardian), Send(SIGKILL, Test)]),
    up("guardian, 0-20 ms, test", &[Send(SIGKILL, Guardian), Within(A_MOMENT_US), Send(SIGKILL, Test)]),
    up("test, guardian", &[Send(SIGKILL, Test), Send(SIGKILL, Guardian)]),
    up("test, 0-220 ms, guardian in its end", &[Send(SIGKILL, Test), Within(AN_END_US), Send(SIGKILL, Guardian)]),
    up(
        "test and guardian at once",
        &[Send(SIGSTOP, Test), Send(SIGSTOP, Guardian), Send(SIGKILL, Guardian), Send(SIGKILL, Test)],
    ),
    up("test, one shim", &[Send(SIGKILL, Test), Send(SIGKILL, OneShim)]),
    up("one shim, test", &[Send(SIGKILL, OneShim), Send(SIGKILL, Test)]),
    up("test, 0-220 ms, one shim in its end", &[Send(SIGKILL, Test), Within(AN_END_US), Send(SIGKILL, OneShim)]),
    up(
        "test and one shim at once",
        &[Send(SIGSTOP, Test), Send(SIGSTOP, OneShim), Send(SIGKILL, OneShim), Send(SIGKILL, Test)],
    ),
    up("test, all shims", &[Send(SIGKILL, Test), Send(SIGKILL, Shims)]),
    up("all shims, test", &[Send(SIGKILL, Shims), Send(SIGKILL, Test)]),
    up(
        "guardian asked, 0-20 ms, killed",
        &[Send(SIGTERM, Guardian), Within(A_MOMENT_US), Send(SIGKILL, Guardian), Gone, Send(SIGKILL, Test)],
    ),
    up("guardian asked; gone; test", &[Send(SIGTERM, Guardian), Gone, Send(SIGKILL, Test)]),
    up(
        "one shim asked, 0-20 ms, killed",
        &[Send(SIGTERM, OneShim), Within(A_MOMENT_US), Send(SIGKILL, OneShim), Send(SIGKILL, Test)],
    ),
];

pub(crate) const KILLED_WHEN_STOPPED: &[End] = &[
    up("test stopped, killed", &[Send(SIGSTOP, Test), Within(A_MOMENT_US), Send(SIGKILL, Test)]),
    up("guardian stopped, test killed", &[Send(SIGSTOP, Guardian), Within(A_MOMENT_US), Send(SIGKILL, Test)]),
    up(
        "guardian stopped, killed; gone; test",
        &[Send(SIGSTOP, Guardian), Within(A_MOMENT_US), Send(SIGKILL, Guardian), Gone, Send(SIGKILL, Test)],
    ),
    up("shims stopped, test killed", &[Send(SIGSTOP, Shims), Within(A_MOMENT_US), Send(SIGKILL, Test)]),
    up(
        "shims stopped, guardian killed; gone; test",
        &[Send(SIGSTOP, Shims), Within(A_MOMENT_US), Send(SIGKILL, Guardian), Gone, Send(SIGKILL, Test)],
    ),
    up(
        "one shim stopped, killed; test",
        &[Send(SIGSTOP, OneShim), Within(A_MOMENT_US), Send(SIGKILL, OneShim), Send(SIGKILL, Test)],
    ),
    up("all stopped, test killed", &[Send(SIGSTOP, All), Within(A_MOMENT_US), Send(SIGKILL, Test)]),
    up(
        "all stopped, guardian and test killed",
        &[Send(SIGSTOP, All), Within(A_MOMENT_US), Send(SIGKILL, Guardian), Send(SIGKILL, Test)],
    ),
    up("all stopped and woken, test killed", &[Send(SIGSTOP, All), Send(SIGCONT, All), Send(SIGKILL, Test)]),
];

pub(crate) const KILLED_WHILE_STARTING: &[End] = &[
    starting("starting: test", &[Within(A_START_US), Send(SIGKILL, Test)]),
    starting(
        "starting: guardian, then test",
        &[Within(A_START_US), Send(SIGKILL, Guardian), Within(A_MOMENT_US), Send(SIGKILL, Test)],
    ),
    starting("starting: test, guardian", &[Within(A_START_US), Send(SIGKILL, Test), Send(SIGKILL, Guardian)]),
    starting(
        "starting: shims, then test",
        &[Within(A_START_US), Send(SIGKILL, Shims), Within(A_MOMENT_US), Send(SIGKILL, Test)],
    ),
];

pub(crate) const KILLED_WHILE_STOPPING: &[End] = &[
    stopping("stopping: test", &[Within(AN_END_US), Send(SIGKILL, Test)]),
    stopping("stopping: guardian", &[Within(AN_END_US), Send(SIGKILL, Guardian)]),
    stopping("stopping: one shim", &[Within(AN_END_US), Send(SIGKILL, OneShim)]),
    stopping("stopping: all shims", &[Within(AN_END_US), Send(SIGKILL, Shims)]),
    stopping("stopping: test, guardian", &[Within(AN_END_US), Send(SIGKILL, Test), Send(SIGKILL, Guardian)]),
    restarting("restarting: test", &[Within(AN_END_US), Send(SIGKILL, Test)]),
    restarting(
        "restarting: guardian, then test",
        &[Within(AN_END_US), Send(SIGKILL, Guardian), Within(A_MOMENT_US), Send(SIGKILL, Test)],
    ),
];

pub(crate) const ALL_AT_ONCE: &[End] = &[
    at_once(up("all stopped, all killed", &[Send(SIGSTOP, All), Send(SIGKILL, All)])),
    at_once(up("all killed in a row", &[Send(SIGKILL, All)])),
    at_once(up("guardian, all shims", &[Send(SIGKILL, Guardian), Send(SIGKILL, Shims), Send(SIGKILL, Test)])),
    at_once(up(
        "guardian and one shim at once",
        &[
            Send(SIGSTOP, Guardian),
            Send(SIGSTOP, OneShim),
            Send(SIGKILL, OneShim),
            Send(SIGKILL, Guardian),
            Within(A_MOMENT_US),
            Send(SIGKILL, Test),
        ],
    )),
    at_once(starting("starting: all", &[Within(A_START_US), Send(SIGKILL, All)])),
    at_once(stopping("stopping: all", &[Within(AN_END_US), Send(SIGKILL, All)])),
];

/// Where something runs out after some starts.
pub(crate) const DESCRIPTORS_RUN_OUT: &[End] = &[code("limited::returns", 0), signal("limited::is_killed", SIGKILL)];

/// The same where it may run out at any step of any start.
pub(crate) const PROCESSES_RUN_OUT: &[End] = &[
    End { ended: Ended::Refused, ..code("limited::returns", 0) },
    End { ended: Ended::Refused, ..signal("limited::is_killed", SIGKILL) },
];

/// All of them, in the order of the table.
pub(crate) const GROUPS: &[&[End]] = &[
    ENDS,
    CRASHES,
    SIGNALS,
    NEVER_DROPPED,
    RUNTIMES,
    OWNERS,
    SUPERVISED,
    RESTARTED,
    ABORTING,
    KILLED_WHEN_UP,
    KILLED_WHEN_STOPPED,
    KILLED_WHILE_STARTING,
    KILLED_WHILE_STOPPING,
    ALL_AT_ONCE,
];
