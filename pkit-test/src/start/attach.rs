//! The handle of a process that somebody else has started: no start, but the same handle.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::ground::Ground;
use crate::guardian::lease::{Attached, Joined, Past};
use crate::handle::{Core, Held, Process, Published};
use crate::output::follow::end_of;
use crate::parcel::Parcel;
use crate::place::Place;
use crate::record::RunEnd;
use crate::spec::Spec;

impl Process {
    /// Attaches to the process that is that part of what was attached to. The spec is the one that it was started by.
    ///
    /// # Errors
    ///
    /// When there is no such part, which is where the two are not the same after all.
    pub(crate) fn attached<H>(spec: Spec<H>, part: u32, attached: &Attached, ground: &Ground) -> Result<Process> {
        let found = attached.part(part as usize).and_then(Published::from_bytes);
        let found = found.ok_or_else(|| other_parts(&spec, ground))?;
        let held = Held::new(attached.lease(), part);
        found.vital.into_iter().for_each(|id| attached.lease().note_vital(part, id));
        // Only whoever starts it again needs to know more of its user than others do.
        let user = spec.user.as_deref().filter(|_| attached.lease().is_exclusive());
        let guardian = attached.lease().guardian();
        let place = Arc::new(Place::attached(&ground.full_name(), found.known.clone(), user, guardian)?);
        ground.settle_attached(&place, attached.environment.as_ref());
        let core = Core::attached(place, ground.clone(), spec.cast(), held);
        core.attach(&found, attached)?;
        ground.register(&core);
        Ok(Process::owner(core))
    }
}

fn other_parts<H>(spec: &Spec<H>, ground: &Ground) -> Error {
    let title = format!("`{}` is shared, and whoever started it has started something else", ground.full_name());
    Error::new(Kind::Spec, title).fact("spec", spec.shown())
}

impl Core {
    fn attach(self: &Arc<Core>, found: &Published, attached: &Attached) -> Result<()> {
        let spec = self.spec();
        if !spec.on_exit.is_empty() {
            self.callbacks.prepare().map_err(|error| Error::system("no thread for callbacks was started", error))?;
        }
        self.record.begins(spec.shown());
        self.record.ordered();
        let past = Past { log: found.log.clone(), bytes: end_of(&found.log), age: found.age() };
        let slate = attached.slate(found.run).map(Parcel::of_slate).transpose();
        let parcel = slate.map_err(|error| self.not_passed_on(error))?.map(Arc::new);
        // What is told to it may ask for the run.
        let on_end = self.on_end(&spec, found.starts);
        let Joined { run, was_over } = self.change_life(|life| {
            let joined = attached.run(found.run, past, on_end);
            (life.starts, life.ran) = (found.starts, found.ran.clone());
            (life.ready_after, life.is_started) = (Some(found.ready_after), true);
            // What ended before this test had it is no business of its own.
            life.is_settled = joined.was_over;
            life.parcel = parcel;
            life.run = Some(Arc::clone(&joined.run));
            joined
        });
        self.record.runs_as(run.look(|state| state.pid));
        self.record.is_ready();
        if was_over {
            let (exit, was_asked) = run.look(|state| (state.phase.exit(), state.is_asked_to_end));
            self.record.has_ended(RunEnd { pid: None, exit, was_asked, was_allowed: spec.expects.covers(exit) });
        }
        Ok(())
    }
}
