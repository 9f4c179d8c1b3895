//! What is said about a start that failed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;

use super::{Trouble, Waited};
use crate::config::scaled;
use crate::duration::in_words;
use crate::error::{Error, Kind};
use crate::guardian::run::{Phase, Run};
use crate::handle::{Core, with_last_words};
use crate::parcel::Outcome;
use crate::port::{self, Owner};
use crate::ready::{Ready, Unprepared};
use crate::spec::Spec;
use crate::sys::child::Step;
use crate::sys::diag::Diag;
use crate::sys::{namespace, user};

/// A probe that could not even be made ready to ask.
pub(super) fn unprepared(core: &Core, why: Unprepared<Error>) -> Error {
    match why {
        Unprepared::Hole(error) if error.is_spec() => error.fact("spec", core.spec().shown()),
        // It says so already.
        Unprepared::Hole(error) => error,
        Unprepared::Mistake(why) => Error::new(Kind::Spec, format!("`{}` was not started: {why}", core.place().name))
            .fact("spec", core.spec().shown()),
    }
}

pub(super) fn error(core: &Arc<Core>, run: &Arc<Run>, trouble: &Trouble) -> Error {
    let name = &core.place().name;
    match trouble {
        Trouble::GivenUp => {
            let why = match core.ground.scope().is_done() {
                true => "its stack has ended",
                false => "another process of the stack failed first",
            };
            Error::new(Kind::Cancelled, format!("`{name}` was given up: {why}"))
        }
        Trouble::Ended(lost @ Phase::Lost { .. }, _) => core.ended_error("start it", *lost),
        Trouble::Ended(Phase::Refused { step, errno }, _) => {
            refused(core, *step, &io::Error::from_raw_os_error(*errno))
        }
        Trouble::NoAnswer(why) => {
            let error = Error::new(Kind::System, format!("`{name}` was stopped: its probe {why}"));
            with_last_words(core.about(error, Some(run)).fact("needs", needs(core)), run)
        }
        Trouble::Ended(phase, waited) => {
            let error =
                core.about(Error::new(Kind::ExitedEarly, format!("`{name}` {}", ended_how(core, *phase))), Some(run));
            let error = phase.exit().into_iter().fold(error, Error::with_exit);
            let error = asked(error, waited).fact("why", said(core)).fact("port", strangers(core));
            with_last_words(error.fact("needs", needs(core)), run)
        }
        Trouble::TooLate(waited) => {
            let timeout = scaled(core.spec().start_timeout);
            let late = format!("`{name}` was not ready after {}", in_words(timeout));
            let (kind, title) = match waited.foreign {
                Some(door) => (Kind::ForeignListener, format!("{late}: its {door} is somebody else's")),
                None => (Kind::Timeout, late),
            };
            let error = asked(core.about(Error::new(kind, title), Some(run)), waited);
            let error = error.fact("serves", elsewhere(run, waited)).fact("needs", needs(core));
            let secret =
                core.spec().keeps_port_secret().then_some("nothing in the command uses {port}: how would it know?");
            let error = error.fact("hint", secret.unwrap_or_default());
            with_last_words(error, run)
        }
    }
}

/// What an end before it was ready was.
fn ended_how(core: &Core, phase: Phase) -> String {
    let wanted = core.spec().ready.iter().find_map(Ready::exit_code);
    let other = wanted.filter(|code| phase.exit().and_then(|exit| exit.code()) != Some(*code));
    let failed = other.map(|code| format!("did not finish with exit code {code}"));
    failed.unwrap_or_else(|| "exited before it was ready".to_owned())
}

/// What a function says that was not ready.
fn said(core: &Core) -> String {
    let Some(parcel) = core.parcel() else { return String::new() };
    match parcel.outcome() {
        Outcome::NotUnderstood(why) => format!("it did not understand its arguments: {why}"),
        Outcome::Returned(_) => "it returned before that".to_owned(),
        Outcome::Panicked => parcel.panic().map(|note| format!("it panicked{}", note.in_a_line())).unwrap_or_default(),
        Outcome::NotSerialized(_) | Outcome::TooLarge { .. } | Outcome::Nothing => String::new(),
    }
}

/// The operating system did not run the program.
pub(super) fn refused(core: &Core, step: Step, error: &io::Error) -> Error {
    if let Some(isolated) = isolated(step) {
        return not_isolated(core, step, isolated, error);
    }
    let name = &core.place().name;
    let spec = core.spec();
    let (kind, why) = refusal(spec.user.as_deref(), step, error);
    core.about(Error::new(kind, format!("`{name}` was not started: {why}")), None)
}

/// Why the operating system does not run a program.
pub(crate) fn refusal(user: Option<&str>, step: Step, error: &io::Error) -> (Kind, String) {
    if let Some((what, _)) = isolated(step) {
        return (Kind::Unsupported, format!("it cannot have {what}: {error}"));
    }
    let user = user.unwrap_or_default();
    let errno = error.raw_os_error().map(Errno::from_raw);
    match (step, errno) {
        (Step::Exec, Some(Errno::ENOEXEC)) => {
            (Kind::NotExecutable, "it is no program for this system, and has no `#!` line".to_owned())
        }
        (Step::Exec, Some(Errno::ENOENT)) => {
            (Kind::NotExecutable, "the interpreter of its `#!` line or its loader does not exist".to_owned())
        }
        (Step::Exec, Some(Errno::EACCES)) if !user.is_empty() => {
            (Kind::NotExecutable, format!("the user `{user}` may not execute it"))
        }
        (Step::Exec, Some(Errno::E2BIG)) => {
            (Kind::Spec, "its arguments and environment are larger than the system allows".to_owned())
        }
        (Step::Exec, _) => (Kind::NotExecutable, format!("it cannot be executed: {error}")),
        (Step::Cwd, _) if !user.is_empty() => {
            (Kind::Cwd, format!("the user `{user}` cannot enter its working directory: {error}"))
        }
        (Step::Cwd, _) => (Kind::Cwd, format!("its working directory cannot be entered: {error}")),
        (Step::User, _) => (Kind::User, format!("it cannot run as `{user}`: {error}")),
        (Step::Fork, Some(Errno::EAGAIN)) => {
            (Kind::System, "no more processes are allowed (RLIMIT_NPROC or a cgroup's limit)".to_owned())
        }
        (Step::Fork | Step::Prepare, Some(Errno::EMFILE | Errno::ENFILE)) => {
            (Kind::System, "no more open files are allowed".to_owned())
        }
        _ => (Kind::System, format!("it could not be prepared: {error}")),
    }
}

/// The system refused a namespace, or a part of one.
fn not_isolated(core: &Core, step: Step, (what, call): (&str, &str), error: &io::Error) -> Error {
    let title = format!("`{}` was not started: it cannot have {what}", core.place().name);
    let error = Error::new(Kind::Unsupported, title)
        .fact("denied", format!("{call}: {error}"))
        .fact("hint", isolation_hint(step, error));
    core.about(error, None)
}

/// What a step of an isolation is for, and the call that it takes.
fn isolated(step: Step) -> Option<(&'static str, &'static str)> {
    const PIDS: &str = "process ids of its own";
    Some(match step {
        Step::OwnPids => (PIDS, "clone(CLONE_NEWPID | CLONE_NEWNS)"),
        Step::OwnUsers => (PIDS, "clone(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS)"),
        Step::UserMap => (PIDS, "the map of users"),
        Step::OwnProc => (PIDS, "mount(/proc)"),
        Step::Network => ("the network of the test", "setns(CLONE_NEWNET)"),
        Step::Prepare | Step::Fork | Step::User | Step::Cwd | Step::Exec | Step::Slate | Step::Entry => return None,
    })
}

fn isolation_hint(step: Step, error: &io::Error) -> &'static str {
    const RIGHTS: &str = "it takes root (CAP_SYS_ADMIN), or a system that gives everybody user namespaces";
    const COVERED: &str = "parts of /proc are covered, as in a container, and only root may mount a whole one then";
    let is_right = error.kind() == io::ErrorKind::PermissionDenied;
    let other = if step == Step::OwnProc { COVERED } else { RIGHTS };
    let of_right = || is_right.then(|| namespace::obstacle().unwrap_or(other));
    namespace::limit_reached(error).or_else(of_right).unwrap_or_default()
}

pub(super) fn no_cwd(core: &Core, spec: &Spec, cwd: &Path, why: &str) -> Error {
    let title = format!("`{}` was not started: no working directory {}: {why}", core.place().name, cwd.display());
    Error::new(Kind::Cwd, title).fact("spec", spec.shown())
}

fn asked(error: Error, waited: &Waited) -> Error {
    if waited.question.is_empty() {
        return error;
    }
    let tries = match waited.tries {
        0 => String::new(),
        1 => ", 1 try".to_owned(),
        tries => format!(", {tries} tries"),
    };
    error.fact("probe", format!("{}: {}{tries}", waited.question, waited.last))
}

/// What was ready before it: how long that took.
fn needs(core: &Core) -> String {
    use crate::ground::Executor;
    let mut names: Vec<String> =
        core.spec().needs().iter().filter(|need| need.is_ordered()).map(|need| need.name().to_owned()).collect();
    names.sort();
    names.dedup();
    let told = names.iter().map(|name| {
        let ready = core.ground.core_of(name).and_then(|other| other.life(|life| life.ready_after));
        ready.map_or_else(|| name.clone(), |after| format!("{name} (ready in {})", in_words(after)))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// What may have kept it from its ports: whoever listens there now that it has ended, and what was there before it began.
fn strangers(core: &Core) -> String {
    let diag = Diag::open();
    let mut told: Vec<String> =
        core.place().ports.iter().filter_map(|(_, number)| stranger(&diag, core, *number)).collect();
    if told.is_empty() {
        let obstructed = core.life(|life| life.obstructed.clone());
        told = obstructed.into_iter().flat_map(|number| port::remains(&diag, number)).collect();
    }
    told.join("\n")
}

fn stranger(diag: &Diag, core: &Core, number: u16) -> Option<String> {
    match port::owner(diag, SocketAddr::new(core.place().host, number), 0, false) {
        Ok(Owner::Foreign { pid, command, addr }) => Some(format!("{addr} is taken by `{command}` (pid {pid})")),
        Ok(Owner::Hidden { uid, addr }) => {
            Some(format!("{addr} is taken by a process of `{}` that we may not look at", user::name_of(uid)))
        }
        _ => None,
    }
}

/// Where it listens instead of where it was asked.
fn elsewhere(run: &Run, waited: &Waited) -> String {
    let Some(shim) = run.look(|state| state.shim) else { return String::new() };
    let found = port::listens_elsewhere(&Diag::open(), shim, &waited.addresses);
    let addresses = found.iter().map(SocketAddr::to_string);
    addresses.chain(port::unix_sockets(shim)).collect::<Vec<_>>().join(", ")
}
