//! Starts the members of a stack: what is independent in parallel, the rest in order, nothing more after a failure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::entry::{Entry, Held};
use super::plan;
use crate::callbacks::text_of;
use crate::error::{Error, Kind, Result};
use crate::ground::{Ground, Scope};
use crate::handle::Core;
use crate::limits::{PARALLEL_STARTS, PARDON_LIMIT};
use crate::sync::Monitor;

/// The handles of a stack, in the order of its members.
#[derive(Default)]
pub(crate) struct Handles {
    pub(crate) all: Vec<Named>,
}

/// A handle under its name.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) handle: Box<dyn Held>,
    /// How many were up before it.
    number: usize,
}

impl Handles {
    /// The places of the handles in reverse order of start.
    pub(crate) fn newest_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(self.all[*index].number));
        order
    }

    pub(crate) fn find(&self, name: &str) -> Option<&dyn Held> {
        self.all.iter().find(|named| named.name == name).map(|named| named.handle.as_ref())
    }
}

impl FromIterator<(String, Box<dyn Held>)> for Handles {
    /// Of what was up in this order.
    fn from_iter<I: IntoIterator<Item = (String, Box<dyn Held>)>>(handles: I) -> Handles {
        let named = handles.into_iter().enumerate().map(|(number, (name, handle))| Named { name, handle, number });
        Handles { all: named.collect() }
    }
}

/// A handle may stand on an older one, whatever both are.
impl Drop for Handles {
    fn drop(&mut self) {
        self.all.sort_by_key(|named| std::cmp::Reverse(named.number));
        self.all.drain(..).for_each(drop);
    }
}

/// Reserves everything that others may want to know, before anything runs, and looks whether it is what they want.
pub(super) fn place(members: &mut [Box<dyn Entry>], scope: &Arc<Scope>) -> Result<()> {
    members.iter_mut().try_for_each(|member| {
        let ground = Ground::member(member.name(), scope);
        member.place(&ground)
    })?;
    // A port that a process has not will not be there when it is ready, either.
    members.iter().try_for_each(|member| {
        let ground = Ground::member(member.name(), scope);
        member.needs().iter().try_for_each(|need| ground.refuse_early(need).and_then(|()| ground.check_port(need)))
    })?;
    // Last of all: whoever waits for ports that other tests have should not wait for a mistake.
    scope.meet_claims()
}

/// Starts all of them. After a failure nothing is left.
pub(super) fn start(members: Vec<Box<dyn Entry>>, scope: &Arc<Scope>) -> Result<Handles> {
    let mut starts = Starts::new(members);
    let progress = Monitor::new(Vec::new());
    thread::scope(|threads| {
        while let Some(next) = starts.next() {
            match next {
                // With nothing else to do there is no need for a thread.
                Next::Alone(index, member) => starts.note(index, bring_up(member, scope), scope),
                Next::Beside(index, member) => {
                    let (name, progress) = (member.name().to_owned(), &progress);
                    let start = move || {
                        let result = bring_up(member, scope);
                        progress.change(|done| done.push((index, result)));
                    };
                    // Not a panic: somebody else may wait to hear that it is given up, and would wait for ever.
                    if let Err(error) = thread::Builder::new().spawn_scoped(threads, start) {
                        let error = Error::system(format_args!("`{name}` was not started: it got no thread"), error);
                        starts.note(index, Err(error), scope);
                    }
                }
                Next::Wait => {
                    let done = progress.wait_until(None, |done| (!done.is_empty()).then(|| std::mem::take(done)));
                    for (index, result) in done.into_iter().flatten() {
                        starts.note(index, result, scope);
                    }
                }
            }
        }
    });
    starts.finish(scope)
}

fn bring_up(member: Box<dyn Entry>, scope: &Arc<Scope>) -> Result<Box<dyn Held>> {
    let name = member.name().to_owned();
    let ground = Ground::member(&name, scope);
    if ground.is_cancelled() {
        return Err(Error::new(Kind::Cancelled, format!("`{name}` was given up before it was started")));
    }
    let start = || scope.part.record.entered(|| member.start(&ground));
    let result = catch_unwind(AssertUnwindSafe(start));
    result.unwrap_or_else(|panic| {
        let text = text_of(panic.as_ref());
        Err(Error::new(Kind::System, format!("the executor of `{name}` panicked while it started: {text}")))
    })
}

enum Next {
    Alone(usize, Box<dyn Entry>),
    Beside(usize, Box<dyn Entry>),
    Wait,
}

/// What is to be started, what is under way, and what has come of it.
struct Starts {
    names: Vec<String>,
    waiting: Vec<Option<Box<dyn Entry>>>,
    waits_for: Vec<Vec<usize>>,
    under_way: usize,
    /// With how many were up before each.
    handles: Vec<Option<(Box<dyn Held>, usize)>>,
    errors: Vec<Error>,
}

impl Starts {
    fn new(members: Vec<Box<dyn Entry>>) -> Starts {
        let count = members.len();
        Starts {
            names: members.iter().map(|member| member.name().to_owned()).collect(),
            waits_for: plan::waits_for(&members),
            waiting: members.into_iter().map(Some).collect(),
            under_way: 0,
            handles: std::iter::repeat_with(|| None).take(count).collect(),
            errors: Vec::new(),
        }
    }

    /// What to do next; `None` when there is nothing left, or nothing is wanted any more and nothing under way.
    fn next(&mut self) -> Option<Next> {
        let can_start = if self.errors.is_empty() { self.startable() } else { Vec::new() };
        let Some(index) = can_start.first().copied().filter(|_| self.under_way < PARALLEL_STARTS) else {
            return (self.under_way > 0).then_some(Next::Wait);
        };
        let member = self.waiting[index].take()?;
        self.under_way += 1;
        if self.under_way == 1 && can_start.len() == 1 {
            Some(Next::Alone(index, member))
        } else {
            Some(Next::Beside(index, member))
        }
    }

    fn startable(&self) -> Vec<usize> {
        let is_up = |index: &usize| self.handles[*index].is_some();
        let can_start = |index: &usize| self.waiting[*index].is_some() && self.waits_for[*index].iter().all(is_up);
        (0..self.waiting.len()).filter(can_start).collect()
    }

    fn note(&mut self, index: usize, result: Result<Box<dyn Held>>, scope: &Scope) {
        self.under_way -= 1;
        match result {
            Ok(handle) => {
                let number = self.handles.iter().flatten().count();
                self.handles[index] = Some((handle, number));
            }
            Err(error) => {
                scope.cancel();
                self.errors.push(error);
            }
        }
    }

    fn finish(self, scope: &Scope) -> Result<Handles> {
        let Starts { names, handles, errors, .. } = self;
        let named = names.into_iter().zip(handles).filter_map(|(name, handle)| {
            let (handle, number) = handle?;
            Some(Named { name, handle, number })
        });
        let handles = Handles { all: named.collect() };
        let Some(error) = first_cause(errors) else { return Ok(handles) };
        drop(handles);
        stop_all(scope);
        let undone = scope.end_lasts(true);
        scope.cores().iter().for_each(|core| core.remove_logs(false));
        scope.forget_cores();
        Err(error.and(undone))
    }
}

/// Those that were given up have nothing to say besides the one that failed.
fn first_cause(errors: Vec<Error>) -> Option<Error> {
    let (given_up, real): (Vec<_>, Vec<_>) = errors.into_iter().partition(|error| error.kind() == Kind::Cancelled);
    Error::all(real).or_else(|| given_up.into_iter().next())
}

/// Says that the end has begun: nothing is started again, and one that cannot live without another that is stopped before
/// it has done nothing wrong. That everybody has heard is waited for: a shim that is slower than its service would take an
/// end that came of a stop for one that came before it.
pub(crate) fn pardon_all(scope: &Scope) {
    let cores = scope.cores();
    cores.iter().for_each(|core| core.retire());
    let (own, shared): (Vec<_>, Vec<_>) = cores.iter().partition(|core| core.is_own());
    let asked = |cores: Vec<&Arc<Core>>| {
        cores.into_iter().filter_map(|core| core.run()).filter(|run| run.can_be_asked()).collect()
    };
    let (own, shared): (Vec<_>, Vec<_>) = (asked(own), asked(shared));
    let syncs: Vec<_> = shared.iter().map(|run| run.sync()).collect();
    let pardons: Vec<_> = own.iter().map(|run| run.pardon()).collect();
    let deadline = Instant::now() + PARDON_LIMIT;
    if pardons.len() > 1 {
        // Whoever is gone needs no pardon any more, and whoever hears nothing is stopped all the same.
        pardons.into_iter().for_each(|pardon| _ = pardon.answer(deadline));
    }
    // What is shared is not stopped here, which would tell how it is. A test that failed as it had died is to say so.
    syncs.into_iter().for_each(|sync| _ = sync.answer(deadline));
}

/// Stops what the body dropped at its end, the newest first: before the handles that it did not have.
pub(super) fn stop_dropped(scope: &Scope) {
    newest_first(scope).iter().filter(|core| core.was_dropped()).for_each(Core::stop_with_dependents);
}

/// Stops everything that was started in a scope, in reverse order of start; each after what needs it.
pub(crate) fn stop_all(scope: &Scope) {
    let cores = newest_first(scope);
    pardon_all(scope);
    cores.iter().for_each(Core::stop_with_dependents);
}

pub(crate) fn newest_first(scope: &Scope) -> Vec<Arc<Core>> {
    let mut cores = scope.cores();
    cores.reverse();
    cores
}
