//! What test, guardian and shims say to each other.
//!
//! ```text
//! test                          guardian                        shim
//!  Hello, Hold, Release ───────►  keeps them
//!  Attend(id) ─────────────────►  answers
//!  Spawn(id) ──────────────────►  forks the shim ──────────────►  forks the service
//!  Signal Pause Resume Stop
//!  Write Watch Sync (id) ──────►  passes on ──────────────────►  acts
//!        ◄────────────────────── passes on ◄──────────────────  Started Refused Exited Output
//!                                                               NoBell Answer Stuck Gone
//!        ◄────────────────────── Lost: the shim itself died
//!        ◄────────────────────── Declined: it ends and starts nothing any more
//!        ◄────────────────────── Note: something for people
//!  Goodbye ────────────────────►  stops all, in reverse order, and ends
//! ```

use std::path::PathBuf;
use std::time::Duration;

use super::wire::{Frame, Reader, Writer};
use crate::exit::Exit;
use crate::sys::child::{End, Step};
use crate::sys::user::User;

/// How a service is to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StopPlan {
    /// The signal that asks it to end; SIGKILL means "at once".
    pub(crate) signal: i32,
    /// How long it then has.
    pub(crate) grace_ms: u64,
    /// Whether SIGKILL follows.
    pub(crate) then_kill: bool,
}

/// Everything about a service to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    /// With the name of the program, as written, first.
    pub(crate) arguments: Vec<Vec<u8>>,
    /// `NAME=value` each.
    pub(crate) environment: Vec<Vec<u8>>,
    pub(crate) cwd: PathBuf,
    pub(crate) user: Option<User>,
    pub(crate) stop: StopPlan,
    /// Where its output goes and how much of it is kept.
    pub(crate) log: PathBuf,
    pub(crate) log_bytes: u64,
    /// What it reads first.
    pub(crate) input: Vec<u8>,
    /// Whether its standard input ends after that.
    pub(crate) input_ends: bool,
    /// Whether the rope of a bell comes with it, to be pulled when there is more output.
    pub(crate) has_bell: bool,
    /// Whether it has process ids of its own.
    pub(crate) has_own_pids: bool,
    /// Whether the network that it is to be in came ahead.
    pub(crate) has_network: bool,
    /// It is there for another one, and never outlives the test, nor is anything told of it when the test has died.
    pub(crate) is_errand: bool,
    /// It is this, and the program and its arguments mean nothing. What it is given came ahead.
    pub(crate) function: Option<FunctionOrder>,
    /// What it leaves behind when it ends is ended as well, with whatever code it did.
    pub(crate) ends_with_leader: bool,
}

/// A function of this binary that is to be run in place of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionOrder {
    /// Where it begins; see `sys/fresh.rs`.
    pub(crate) entry: u64,
    /// For people.
    pub(crate) name: String,
    /// In this binary executed anew, and not in a fork.
    pub(crate) by_exec: bool,
    /// Not in this binary, but in one of which a descriptor came ahead.
    pub(crate) has_binary: bool,
}

/// What the test says of itself, first thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    /// The directory that ends with the guardian.
    pub(crate) directory: PathBuf,
    pub(crate) crash_ms: u64,
    /// Whether the last lines of each service are reported when the test died.
    pub(crate) reports: bool,
    /// Whether everything stays up after the test: never, after a failure, always.
    pub(crate) keep: Keep,
    /// And for how long.
    pub(crate) keep_ms: u64,
    /// How long a janitor may take.
    pub(crate) janitor_ms: u64,
    /// Where logs are.
    pub(crate) logs: PathBuf,
    /// Whether a descriptor of the directory comes with this: it was made and locked.
    pub(crate) has_directory: bool,
    /// Whether the test says what is done.
    pub(crate) tells: bool,
}

impl Hello {
    /// How long what is kept stays up.
    pub(crate) fn keep_for(&self) -> Duration {
        Duration::from_millis(self.keep_ms)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Never,
    Failed,
    Always,
}

/// To the guardian, or through it to a shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    Hello(Hello),
    /// A descriptor comes with it that holds this port, or what it is the number of: there may be several networks.
    Hold(u64),
    Release(u64),
    /// The test ends; `failed` where it knows that something went wrong.
    Goodbye {
        failed: bool,
    },
    Spawn(Box<Launch>),
    /// Say whether orders are still taken; the id is one that no service has.
    Attend {
        token: u64,
    },
    /// A descriptor comes with it of the network in which the service of this id is to be.
    Network,
    /// One comes with it of the slate of the function of this id.
    Slate,
    /// One comes with it of the binary that the function of this id is in.
    Binary,
    /// From now on an end is no surprise: those around it are being stopped.
    Pardon {
        token: u64,
    },
    Signal {
        token: u64,
        number: i32,
    },
    Pause {
        token: u64,
    },
    Resume {
        token: u64,
    },
    Stop(StopPlan),
    Write {
        token: u64,
        bytes: Vec<u8>,
    },
    CloseInput {
        token: u64,
    },
    /// Say when more than this has been written.
    Watch {
        seen: u64,
    },
    /// Say what there is, after taking everything out of the pipes.
    Sync {
        token: u64,
    },
}

/// From a shim, or from the guardian about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Started {
        pid: i32,
        shim: i32,
    },
    Refused {
        step: Step,
        errno: i32,
    },
    /// The leader ended; its descendants may live.
    Exited {
        exit: Exit,
        was_asked: bool,
    },
    Output {
        end: u64,
    },
    /// The rope of the bell was lost on the way: whoever waits for output has to ask for it.
    NoBell,
    /// To a request: 0 or an error number, and the id of the process that stands for the service now, or 0.
    Answer {
        token: u64,
        errno: i32,
        pid: i32,
    },
    /// SIGKILL did not help in time; these are left.
    Stuck(Vec<i32>),
    /// Nothing is left. Whether it took SIGKILL.
    Gone {
        exit: Exit,
        was_asked: bool,
        killed: bool,
    },
    /// The shim itself died; the guardian has killed what was left.
    Lost,
    /// The guardian is about to end and starts nothing any more: nothing was done.
    Declined,
    /// Something for people who have asked to be told.
    Note(String),
}

/// The orders with an id that are for the guardian: those that make a shim, and the question whether it would make one.
pub(crate) const SPAWN: u8 = 5;
pub(crate) const NETWORK: u8 = 15;
pub(crate) const SLATE: u8 = 16;
pub(crate) const BINARY: u8 = 17;
pub(crate) const ATTEND: u8 = 18;

impl Order {
    pub(crate) fn to_frame(&self, id: u32) -> Frame {
        let fields = Writer::default();
        let (kind, fields) = match self {
            Order::Hello(hello) => (1, write_hello(fields, hello)),
            Order::Hold(port) => (2, fields.number(*port)),
            Order::Release(port) => (3, fields.number(*port)),
            Order::Goodbye { failed } => (4, fields.number((*failed).into())),
            Order::Spawn(launch) => (SPAWN, write_launch(fields, launch)),
            Order::Signal { token, number } => (6, fields.number(*token).number(signed(*number))),
            Order::Pause { token } => (7, fields.number(*token)),
            Order::Resume { token } => (8, fields.number(*token)),
            Order::Stop(plan) => (9, write_plan(fields, *plan)),
            Order::Write { token, bytes } => (10, fields.number(*token).text(bytes)),
            Order::CloseInput { token } => (11, fields.number(*token)),
            Order::Watch { seen } => (12, fields.number(*seen)),
            Order::Sync { token } => (13, fields.number(*token)),
            Order::Pardon { token } => (14, fields.number(*token)),
            Order::Network => (NETWORK, fields),
            Order::Slate => (SLATE, fields),
            Order::Binary => (BINARY, fields),
            Order::Attend { token } => (ATTEND, fields.number(*token)),
        };
        Frame { id, kind, payload: fields.done() }
    }

    pub(crate) fn from_frame(frame: &Frame) -> Option<Order> {
        let mut fields = Reader::new(&frame.payload);
        let fields = &mut fields;
        Some(match frame.kind {
            1 => Order::Hello(read_hello(fields)?),
            2 => Order::Hold(fields.number()?),
            3 => Order::Release(fields.number()?),
            4 => Order::Goodbye { failed: fields.number()? != 0 },
            SPAWN => Order::Spawn(Box::new(read_launch(fields)?)),
            6 => Order::Signal { token: fields.number()?, number: read_signed(fields)? },
            7 => Order::Pause { token: fields.number()? },
            8 => Order::Resume { token: fields.number()? },
            9 => Order::Stop(read_plan(fields)?),
            10 => Order::Write { token: fields.number()?, bytes: fields.text()?.to_vec() },
            11 => Order::CloseInput { token: fields.number()? },
            12 => Order::Watch { seen: fields.number()? },
            13 => Order::Sync { token: fields.number()? },
            14 => Order::Pardon { token: fields.number()? },
            NETWORK => Order::Network,
            SLATE => Order::Slate,
            BINARY => Order::Binary,
            ATTEND => Order::Attend { token: fields.number()? },
            _ => return None,
        })
    }
}

impl Event {
    pub(crate) fn to_frame(&self, id: u32) -> Frame {
        let fields = Writer::default();
        let (kind, fields) = match self {
            Event::Started { pid, shim } => (1, fields.number(signed(*pid)).number(signed(*shim))),
            Event::Refused { step, errno } => (2, fields.number(*step as u64).number(signed(*errno))),
            Event::Exited { exit, was_asked } => (3, write_exit(fields, *exit).number((*was_asked).into())),
            Event::Output { end } => (4, fields.number(*end)),
            Event::Answer { token, errno, pid } => {
                (5, fields.number(*token).number(signed(*errno)).number(signed(*pid)))
            }
            Event::Stuck(pids) => (6, pids.iter().fold(fields, |fields, pid| fields.number(signed(*pid)))),
            Event::Gone { exit, was_asked, killed } => {
                (7, write_exit(fields, *exit).number((*was_asked).into()).number((*killed).into()))
            }
            Event::Lost => (8, fields),
            Event::Declined => (9, fields),
            Event::NoBell => (10, fields),
            Event::Note(text) => (11, fields.text(text.as_bytes())),
        };
        Frame { id, kind, payload: fields.done() }
    }

    pub(crate) fn from_frame(frame: &Frame) -> Option<Event> {
        let mut fields = Reader::new(&frame.payload);
        let fields = &mut fields;
        Some(match frame.kind {
            1 => Event::Started { pid: read_signed(fields)?, shim: read_signed(fields)? },
            2 => Event::Refused { step: Step::from_number(fields.number()? as u8), errno: read_signed(fields)? },
            3 => Event::Exited { exit: read_exit(fields)?, was_asked: fields.number()? != 0 },
            4 => Event::Output { end: fields.number()? },
            5 => Event::Answer { token: fields.number()?, errno: read_signed(fields)?, pid: read_signed(fields)? },
            6 => Event::Stuck(std::iter::from_fn(|| read_signed(fields)).collect()),
            7 => Event::Gone {
                exit: read_exit(fields)?,
                was_asked: fields.number()? != 0,
                killed: fields.number()? != 0,
            },
            8 => Event::Lost,
            9 => Event::Declined,
            10 => Event::NoBell,
            11 => Event::Note(read_string(fields)?),
            _ => return None,
        })
    }
}

pub(super) fn signed(value: i32) -> u64 {
    i64::from(value) as u64
}

pub(super) fn read_signed(fields: &mut Reader<'_>) -> Option<i32> {
    i32::try_from(fields.number()? as i64).ok()
}

fn write_plan(fields: Writer, plan: StopPlan) -> Writer {
    fields.number(signed(plan.signal)).number(plan.grace_ms).number(plan.then_kill.into())
}

fn read_plan(fields: &mut Reader<'_>) -> Option<StopPlan> {
    Some(StopPlan { signal: read_signed(fields)?, grace_ms: fields.number()?, then_kill: fields.number()? != 0 })
}

pub(super) fn write_exit(fields: Writer, exit: Exit) -> Writer {
    let code = exit.code().map_or(u64::MAX, signed);
    fields.number(code).number(signed(exit.signal().unwrap_or(0))).number(exit.core_dumped().into())
}

pub(super) fn read_exit(fields: &mut Reader<'_>) -> Option<Exit> {
    let code = fields.number()?;
    let number = read_signed(fields)?;
    let core_dumped = fields.number()? != 0;
    let end = match i32::try_from(code) {
        Ok(code) => End::Code(code),
        Err(_) => End::Signal { number, core_dumped },
    };
    Some(end.into())
}

fn write_hello(fields: Writer, hello: &Hello) -> Writer {
    let keep = match hello.keep {
        Keep::Never => 0,
        Keep::Failed => 1,
        Keep::Always => 2,
    };
    let fields = write_path(fields, &hello.directory).number(hello.crash_ms).number(hello.reports.into());
    write_path(fields.number(keep).number(hello.keep_ms).number(hello.janitor_ms), &hello.logs)
        .number(hello.has_directory.into())
        .number(hello.tells.into())
}

fn read_hello(fields: &mut Reader<'_>) -> Option<Hello> {
    Some(Hello {
        directory: read_path(fields)?,
        crash_ms: fields.number()?,
        reports: fields.number()? != 0,
        keep: match fields.number()? {
            1 => Keep::Failed,
            2 => Keep::Always,
            _ => Keep::Never,
        },
        keep_ms: fields.number()?,
        janitor_ms: fields.number()?,
        logs: read_path(fields)?,
        has_directory: fields.number()? != 0,
        tells: fields.number()? != 0,
    })
}

fn write_launch(fields: Writer, launch: &Launch) -> Writer {
    let fields = fields.text(launch.name.as_bytes());
    let fields = write_path(fields, &launch.program).list(&launch.arguments).list(&launch.environment);
    let fields = write_path(fields, &launch.cwd);
    let fields = write_user(fields, launch.user.as_ref());
    let fields = write_path(write_plan(fields, launch.stop), &launch.log).number(launch.log_bytes);
    let fields = fields.text(&launch.input).number(launch.input_ends.into()).number(launch.has_bell.into());
    let fields = fields.number(launch.has_own_pids.into()).number(launch.has_network.into());
    let fields = write_function(fields.number(launch.is_errand.into()), launch.function.as_ref());
    fields.number(launch.ends_with_leader.into())
}

fn read_launch(fields: &mut Reader<'_>) -> Option<Launch> {
    Some(Launch {
        name: read_string(fields)?,
        program: read_path(fields)?,
        arguments: fields.list()?,
        environment: fields.list()?,
        cwd: read_path(fields)?,
        user: read_user(fields)?,
        stop: read_plan(fields)?,
        log: read_path(fields)?,
        log_bytes: fields.number()?,
        input: fields.text()?.to_vec(),
        input_ends: fields.number()? != 0,
        has_bell: fields.number()? != 0,
        has_own_pids: fields.number()? != 0,
        has_network: fields.number()? != 0,
        is_errand: fields.number()? != 0,
        function: read_function(fields)?,
        ends_with_leader: fields.number()? != 0,
    })
}

fn write_function(fields: Writer, function: Option<&FunctionOrder>) -> Writer {
    let Some(function) = function else { return fields.number(0) };
    let fields = fields.number(1).number(function.entry).text(function.name.as_bytes());
    fields.number(function.by_exec.into()).number(function.has_binary.into())
}

fn read_function(fields: &mut Reader<'_>) -> Option<Option<FunctionOrder>> {
    if fields.number()? == 0 {
        return Some(None);
    }
    let (entry, name) = (fields.number()?, read_string(fields)?);
    let by_exec = fields.number()? != 0;
    Some(Some(FunctionOrder { entry, name, by_exec, has_binary: fields.number()? != 0 }))
}

fn write_user(fields: Writer, user: Option<&User>) -> Writer {
    let Some(user) = user else { return fields.number(0) };
    let groups: Vec<[u8; 4]> = user.groups.iter().map(|group| group.to_ne_bytes()).collect();
    let fields = fields.number(1).text(user.name.as_bytes()).number(user.uid.into()).number(user.gid.into());
    write_path(fields.list(&groups), &user.home)
}

fn read_user(fields: &mut Reader<'_>) -> Option<Option<User>> {
    if fields.number()? == 0 {
        return Some(None);
    }
    let name = read_string(fields)?;
    let uid = u32::try_from(fields.number()?).ok()?;
    let gid = u32::try_from(fields.number()?).ok()?;
    let groups =
        fields.list()?.iter().filter_map(|group| Some(u32::from_ne_bytes(group[..].try_into().ok()?))).collect();
    Some(Some(User { name, uid, gid, groups, home: read_path(fields)? }))
}

pub(crate) fn read_string(fields: &mut Reader<'_>) -> Option<String> {
    String::from_utf8(fields.text()?.to_vec()).ok()
}

pub(crate) fn write_path(fields: Writer, path: &std::path::Path) -> Writer {
    use std::os::unix::ffi::OsStrExt;
    fields.text(path.as_os_str().as_bytes())
}

pub(crate) fn read_path(fields: &mut Reader<'_>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(std::ffi::OsString::from_vec(fields.text()?.to_vec()).into())
}

#[cfg(test)]
pub(in crate::guardian) mod tests;
