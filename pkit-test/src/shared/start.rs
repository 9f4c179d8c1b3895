//! How a test comes by what is shared: it starts it for all, or finds it.
//!
//! Whoever starts it throws away what it has by that, and attaches to it as all others do: so there is one kind of handle, and
//! what was not published nobody has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::door;
use super::executor::Shared;
use super::run::{self, TestRun};
use super::shareable::Shareable;
use crate::config::{deadline_in, log, scaled};
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::ground::{Attaching, Ground, Identity, Publication};
use crate::guardian::broker::protocol::Want;
use crate::guardian::lease::{self, Answer, Attached, Lease, Starting};
use crate::limits::{BROKER_TRIES, LEASE_WAIT};
use crate::quote::without_modules;

impl<E: Shareable> Shared<E> {
    /// The handle, and the lease on which it stands.
    pub(crate) fn start_leased(self, ground: &Ground) -> Result<(E::Handle, Arc<Lease>)> {
        let identity = self.check(ground)?;
        let began = Instant::now();
        let run = run::of_this_process()?;
        let want = self.want(&identity, ground);
        let deadline = deadline_in(scaled(LEASE_WAIT).saturating_add(identity.patience));
        let twin = (self.twin)(&self.executor);
        let (mut attached, how) = match self.ask(run, &want, deadline, ground)? {
            Answer::Start(starting) => (self.start_for_all(starting, run, ground)?, "started"),
            Answer::Granted(attached) => (attached, "found"),
            Answer::Failed(error) => {
                return Err(Error::from_bytes(&error).unwrap_or_else(|| not_understood(&want.name)));
            }
            Answer::Refused(why) => return Err(refused(&want, &why)),
            Answer::Nobody => return Err(no_broker(&want, run)),
        };
        attached.environment = Some(run.environment());
        let handle = attach(twin, &attached, ground)?;
        let lease = attached.lease();
        log(|| {
            let (name, took) = (&want.name, in_words(began.elapsed()));
            let (starts, slot, run) = (lease.starts(), lease.slot(), run.shown());
            format!("shared {name}: {how} in {took}, start {starts}, slot {slot}, of the run of {run}")
        });
        Ok((handle, Arc::clone(lease)))
    }

    /// Asks until somebody answers: a broker that is about to end, or was killed, may not.
    fn ask(&self, run: &TestRun, want: &Want, deadline: Instant, ground: &Ground) -> Result<Answer> {
        for _ in 0..BROKER_TRIES {
            match lease::want(door::connect(run)?, want, deadline, &|| ground.is_cancelled())? {
                Answer::Nobody if Instant::now() < deadline => {}
                answer => return Ok(answer),
            }
        }
        Ok(Answer::Nobody)
    }

    fn want(&self, identity: &Identity, ground: &Ground) -> Want {
        let key = match &self.name {
            Some(name) => format!("named {name}"),
            None => format!("like {}", identity.hash()),
        };
        let (is_exclusive, tries_again) = (self.is_exclusive, self.tries_again);
        Want {
            key,
            name: ground.full_name(),
            shown: self.executor.known_as().1,
            who: self.who(),
            test: self.test(),
            is_exclusive,
            tries_again,
        }
    }

    /// This test, for those who wait for it.
    fn who(&self) -> String {
        let own = std::env::args().collect::<Vec<_>>();
        // A process that runs one test by its exact name, as under nextest.
        let exact = own.iter().position(|argument| argument == "--exact");
        let exact = exact.and_then(|at| own.get(at + 1).filter(|name| !name.starts_with('-')).or(own.get(1)));
        let thread = self.thread.as_deref().filter(|name| *name != "main");
        let binary = std::env::current_exe().unwrap_or_default();
        let binary = binary.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let process = std::process::id();
        match thread.or(exact.map(String::as_str)) {
            Some(name) => format!("{name} (process {process})"),
            // Two of them are two tests, or may be.
            None => format!("{binary} (process {process}, {:?})", std::thread::current().id()),
        }
    }

    /// The same for the broker. Who waits on one thread cannot let go there of what it has; on another thread of the same test it
    /// can, whichever runner that has.
    fn test(&self) -> String {
        format!("{} {:?}", std::process::id(), self.thread_id)
    }

    /// Starts it with a guardian of its own. All who wait for it hear what came of that.
    fn start_for_all(self, starting: Starting, run: &TestRun, ground: &Ground) -> Result<Attached> {
        let inner = ground.starting(starting.guardian(), &run.environment());
        let who = self.who();
        let started = catch_unwind(AssertUnwindSafe(|| inner.start(self.executor)));
        let published = match started {
            Ok(Ok(handle)) => publish::<E>(handle, &inner),
            Ok(Err(error)) => Err(error),
            Err(panic) => Err(panicked(&inner, panic.as_ref())),
        };
        match published {
            Ok(publication) => starting.ready(publication.parts, publication.vital),
            // It was not tried to the end, and is started by the next one that waits for it.
            Err(error) if error.kind() == Kind::Cancelled => Err(error),
            Err(error) => {
                inner.was_not_started();
                let told =
                    format!("its start by `{who}` counts for the whole run; only `try_again` starts it once more");
                let error = error.fact("shared", told);
                starting.not_started(error.to_bytes());
                Err(error)
            }
        }
    }
}

/// What others are told, and lets go of what was started: from here on it is the broker's.
fn publish<E: Shareable>(handle: E::Handle, ground: &Ground) -> Result<Publication> {
    let mut publication = Publication::default();
    publication.parts.push(type_of::<E>().into_bytes());
    E::publish(&handle, &mut publication);
    if !publication.has_process {
        let title = format!("`{}` cannot be shared: it publishes no process", ground.full_name());
        return Err(Error::new(Kind::Spec, title).fact("why", "nothing would say for how long a test has it"));
    }
    if let Some(error) = publication.trouble {
        return Err(error);
    }
    ground.hand_over();
    Ok(publication)
}

/// A handle to what is up.
fn attach<E: Shareable>(executor: E, attached: &Attached, ground: &Ground) -> Result<E::Handle> {
    let (theirs, ours) = (attached.part(0).map(String::from_utf8_lossy), type_of::<E>());
    if theirs.as_deref() != Some(&ours) {
        let title = format!("`{}` cannot be shared: under this name is something else", ground.full_name());
        let why = format!("its handle is a `{}`, and not a `{ours}`", theirs.unwrap_or_default());
        let error = Error::new(Kind::Spec, title).fact("spec", executor.known_as().1).fact("why", why);
        return Err(error.fact("hint", "`shared_as` with another name, for one of the two"));
    }
    let mut next = 1;
    executor.attach(&mut Attaching { attached, next: &mut next, ground: ground.clone() })
}

/// Of what two binaries can compare: each has its own `common::Reply`.
fn type_of<E: Shareable>() -> String {
    without_modules(std::any::type_name::<E::Handle>())
}

fn panicked(ground: &Ground, panic: &(dyn std::any::Any + Send)) -> Error {
    let text = crate::callbacks::text_of(panic);
    Error::new(Kind::System, format!("the executor of `{}` panicked while it started: {text}", ground.full_name()))
}

fn refused(want: &Want, why: &str) -> Error {
    Error::new(Kind::State, format!("`{}` is shared, and was not to be had: {why}", want.name))
        .fact("spec", &want.shown)
}

fn not_understood(name: &str) -> Error {
    Error::new(Kind::System, format!("`{name}` was not started, and why was not understood"))
}

fn no_broker(want: &Want, run: &TestRun) -> Error {
    let title = format!("`{}` is shared, and was not to be had: the broker of the run was killed each time", want.name);
    Error::new(Kind::GuardianLost, title).fact("spec", &want.shown).fact("run", run.shown())
}
