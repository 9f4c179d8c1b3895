//! One spec becomes a handle or an error: the race of ready, ended and too late.
//!
//! ```text
//!              program runs    ended               deadline          given up      probe broken
//! Starting     -> Probing      -> refused          -> too late       -> given up   (never asked)
//! Probing      (was said)      -> ended early (*)  -> too late       -> given up   -> no answer
//! ```
//! A probe that holds moves on to the next one; when all have held, and those before the last one still do, it is ready.
//! (*) Not for a leader that ends with code 0 while descendants live: those are the process from then on. Nor where this
//! exit is expected and the probes hold: one of them may be about the exit itself. Nor while a probe has not looked at all
//! that was written before the end. A probe that breaks after the end is no news beside it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use crate::config::{deadline_in, log, scaled};
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::ground::{Executor, Ground, Need, Sharing};
use crate::guardian::run::{Phase, Run};
use crate::handle::{Core, Process, Started};
use crate::isolation::Isolation;
use crate::limits::{CALLBACK_LIMIT, HTTP_LAST_TRY, HTTP_TRY};
use crate::parcel::{Parcel, Stage};
use crate::place::{Claim, Place, Wish};
use crate::ready::{Around, Begun, Exec, Fill, Look, Probe, Round, Sight, Site, Unarmed};
use crate::spec::{Expected, Spec};
use crate::sync::lock;

mod again;
mod attach;
mod call;
mod check;
mod errand;
pub(crate) mod failure;
mod launch;
mod pause;
mod supervisor;

pub use again::Restart;
pub(crate) use launch::depend;
use pause::Pauses;
pub(crate) use supervisor::supervise;

impl<H: Started> Spec<H> {
    /// Starts it, and returns when it is ready.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let error = pkit_test::tcp("sh -c 'echo no config >&2; exit 1' {port}", 0).start().unwrap_err();
    /// assert!(error.is_exit());
    /// assert!(error.to_string().contains("no config"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the spec is wrong, the program cannot be run, a port is taken, it ended before it was ready, or was not
    /// ready in time. Nothing of it is left then.
    pub fn start(self) -> Result<H> {
        let ground = Ground::alone(self.own_name(), &self)?;
        self.start_on(&ground)
    }

    /// Starts it, and returns as soon as it runs; [`Process::wait_ready`] is the other half.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = pkit_test::tcp("python3 -m http.server --bind {host} {port}", 0).spawn()?;
    /// assert!(server.pid().is_some());
    /// server.wait_ready()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Spec::start), but for what happens after the program began to run.
    pub fn spawn(self) -> Result<H> {
        let ground = Ground::alone(self.own_name(), &self)?;
        self.spawn_on(&ground).map(H::of)
    }

    /// The first half of a start: it runs, and nobody has waited for it yet.
    pub(crate) fn spawn_on(self, ground: &Ground) -> Result<Process> {
        let core = self.core_on(ground)?;
        core.launch_first()?;
        Ok(Process::owner(core))
    }

    fn core_on(mut self, ground: &Ground) -> Result<Arc<Core>> {
        ground.refuse_late_network(&self).map_err(|error| error.fact("spec", self.shown()))?;
        let is_fit = |place: &Arc<Place>| again::misfit(place, &self, ground.scope().network().is_some()).is_none();
        let place = match ground.place().filter(is_fit) {
            Some(place) => place,
            None => {
                Executor::place(&mut self, ground)?;
                ground.place().expect("it was reserved above")
            }
        };
        let core = Core::new(place, ground.clone(), self.cast());
        depend(&core)?;
        ground.register(&core);
        Ok(core)
    }
}

impl<H> Spec<H> {
    /// The ports that it has: those declared, and its own where a hole or a probe asks for one.
    fn wanted_ports(&self) -> Vec<(String, u16)> {
        let mut ports = self.ports.clone();
        let is_main = |hole: &crate::template::Hole| hole.path.len() == 1 && matches!(hole.name(), "port" | "addr");
        let asks = self.holes().chain(&self.regex_holes()).any(is_main);
        let probes = self.ready.iter().any(|ready| ready.own_port() == Some(""));
        if (asks || probes) && !ports.iter().any(|(name, _)| name.is_empty()) {
            ports.insert(0, (String::new(), 0));
        }
        ports
    }
}

impl<H: Started> Executor for Spec<H> {
    type Handle = H;

    fn isolates(&self, isolation: Isolation) -> bool {
        self.isolations.has(isolation)
    }

    fn needs(&self) -> Vec<Need> {
        let of_regex = self.regex_holes();
        let optional = of_regex.iter().filter_map(Need::of_hole).map(Need::optional);
        let after = self.after.iter().map(Need::first);
        let shown = self.shown();
        self.holes().filter_map(Need::of_hole).chain(optional).chain(after).map(|need| need.of(&shown)).collect()
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.check(&ground.full_name())?;
        ground.refuse_itself(&self.needs())?;
        let deadline = deadline_in(scaled(self.start_timeout));
        let ports = self.wanted_ports();
        // What its ground has reserved already is its own, where it has no other wishes.
        let base = ground.place();
        let known = |name: &str| base.as_ref().and_then(|place| place.port(name)).unwrap_or(0);
        let taken: Vec<_> = ports.iter().filter(|(name, number)| known(name) != *number).cloned().collect();
        refuse_ports_of_siblings(&taken, ground).map_err(|error| error.fact("spec", self.shown()))?;
        let guardian = ground.scope().guardian();
        let wish = Wish { host: self.host.as_deref(), ports: &ports, user: self.user.as_deref(), base, guardian };
        let place = Place::reserve(&ground.full_name(), &wish).map_err(|error| {
            Error::new(error.kind(), format!("`{}` was not started: {error}", ground.full_name()))
                .fact("spec", self.shown())
        })?;
        let place = Arc::new(place);
        ground.claim(Claim { place: Arc::clone(&place), deadline, spec: self.shown() })?;
        ground.settle(&place);
        Ok(())
    }

    fn start_on(self, ground: &Ground) -> Result<H> {
        let core = self.core_on(ground)?;
        let hold = core.callbacks.hold();
        core.launch_first()?;
        let process = Process::owner(core);
        let ready = process.wait_ready();
        drop(hold);
        ready.map(|()| H::of(process))
    }

    fn start(self) -> Result<H> {
        Spec::start(self)
    }

    fn process(handle: &H) -> Option<&Process> {
        Some(handle.process())
    }

    fn sharing() -> Option<Sharing<Spec<H>>> {
        Some(Sharing::of())
    }
}

/// Another test lets a port go some time, a sibling does not: nobody has to wait to know that.
fn refuse_ports_of_siblings(ports: &[(String, u16)], ground: &Ground) -> Result<()> {
    let held = ports.iter().find_map(|(_, number)| Some((number, ground.scope().holder(*number)?)));
    held.map_or(Ok(()), |(number, holder)| {
        let name = ground.full_name();
        let title = format!("`{name}` was not started: port {number} is that of `{holder}`, of the same stack");
        Err(Error::new(Kind::PortTaken, title))
    })
}

impl Process {
    /// Waits until it is ready, after [`Spec::spawn`]. Returns at once when it was ready before, also if it has ended
    /// since.
    ///
    /// The time for the start runs from [`Spec::spawn`] on, not from here.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let slow = pkit_test::output("sh -c 'read line; echo $line; sleep 60'", "^ready$").spawn()?;
    /// slow.write_stdin("ready\n")?;
    /// slow.wait_ready()?;
    /// assert_eq!(slow.stdout(), "ready\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it ended before, or is not ready in time. It is stopped then.
    pub fn wait_ready(&self) -> Result<()> {
        let run = self.core.run_or_error("wait until it is ready")?;
        if self.core.life(|life| life.ready_after.is_some()) {
            return Ok(());
        }
        self.become_ready(&run)?;
        supervisor::look_after(&self.core)
    }

    /// The wait itself. What does not become ready is stopped.
    fn become_ready(&self, run: &Arc<Run>) -> Result<()> {
        self.core.in_network(|| self.become_ready_here(run))?
    }

    fn become_ready_here(&self, run: &Arc<Run>) -> Result<()> {
        let began = Instant::now();
        let round = self.core.round_of(run)?;
        let deadline = deadline_of(&self.core) - run.age().min(scaled(self.core.spec().start_timeout));
        // Whoever else waits for it goes on where this wait has ended.
        let waited = wait_ready(&self.core, run, &mut lock(&round), deadline);
        match waited {
            Ok(()) => {
                let after = run.age();
                log(|| {
                    format!(
                        "ready {} after {}, {} of it waited",
                        self.name(),
                        in_words(after),
                        in_words(began.elapsed())
                    )
                });
                // Two may have waited for it.
                if self.core.change_life(|life| life.ready_after.replace(after)).is_none() {
                    self.core.record.is_ready();
                    self.core.tell_lease(run);
                    self.core.call_on_start();
                    // Before whoever waits for it can cause its end: the story is to be told in its order.
                    self.core.tell_started();
                    self.core.change_life(|life| life.is_started = life.ready_after.is_some());
                }
                Ok(())
            }
            Err(trouble) => {
                self.core.callbacks.release();
                match trouble {
                    Trouble::Ended(..) => self.core.record.ended_early(),
                    Trouble::TooLate(_) | Trouble::NoAnswer(_) => self.core.record.is_late(),
                    // It has done nothing wrong.
                    Trouble::GivenUp => {}
                }
                let error = failure::error(&self.core, run, &trouble);
                // Whatever is left of it: the error has all that is to be said.
                let _ = self.core.halt(run);
                if self.core.run().is_some_and(|current| Arc::ptr_eq(&current, run)) {
                    self.core.life(|life| life.is_settled = true);
                }
                Err(error)
            }
        }
    }
}

fn deadline_of(core: &Core) -> Instant {
    deadline_in(scaled(core.spec().start_timeout))
}

/// Why it did not become ready.
#[derive(Debug)]
enum Trouble {
    Ended(Phase, Waited),
    TooLate(Waited),
    GivenUp,
    /// Its probe will never have an answer, for this reason.
    NoAnswer(String),
}

/// What a question has to know of the wait around it.
struct Bounds {
    deadline: Instant,
    expects: Expected,
}

/// What the probe at hand has seen.
#[derive(Debug, Clone, Default)]
struct Waited {
    question: String,
    addresses: Vec<SocketAddr>,
    last: String,
    tries: u64,
    /// Where somebody else was met.
    foreign: Option<&'static str>,
}

/// The tree root, and the phase: all that a wait looks at between two questions.
fn wait_ready(core: &Arc<Core>, run: &Arc<Run>, round: &mut Round, deadline: Instant) -> Result<(), Trouble> {
    let expects = core.life(|life| life.spec.expects);
    let mut waited = Waited::default();
    let mut pauses = Pauses::new(core, run, deadline);
    loop {
        // The order matters: 1. the clock, 2. the process, 3. the probe, 4. the deadline. A pause of the scheduler
        // between them costs a late answer, never a wrong one.
        let now = Instant::now();
        let phase = run.phase();
        if core.is_given_up() {
            return Err(Trouble::GivenUp);
        }
        // A probe that can still be answered by what it wrote is asked once more after the end.
        let look = match (round.current(), phase) {
            (_, Phase::Starting) => Look::NotYet("the program does not run yet".to_owned()),
            // Where the machine is busy a refusal may come when the order has had its time.
            (_, Phase::Refused { .. }) | (None, Phase::Lost { .. }) => Look::NotYet(String::new()),
            (None, _) => return Ok(()),
            (Some(probe), _) => ask(core, run, probe, &Bounds { deadline, expects }, &mut waited),
        };
        let has_happened = look == Look::Ready && round.current().is_some_and(|probe| probe.outlives_the_process());
        if !phase.is_alive() && !has_happened && !counts_after_end(&look, phase, expects, now < deadline) {
            return Err(Trouble::Ended(phase, waited));
        }
        // A closure that panics because its process went away is not what went wrong.
        match &look {
            Look::Broken(why) if run.phase().is_alive() => return Err(Trouble::NoAnswer(why.clone())),
            _ => {}
        }
        if look == Look::Ready {
            round.passes();
            waited = Waited::default();
            if round.current().is_none() {
                ask_again(core, run, round, &Bounds { deadline, expects });
            }
            continue;
        }
        if now >= deadline {
            return Err(Trouble::TooLate(waited));
        }
        pauses.pause(&look, phase, round.current().as_deref());
    }
}

/// Whether a look still matters when the process has ended.
fn counts_after_end(look: &Look, phase: Phase, expects: Expected, is_in_time: bool) -> bool {
    match look {
        // One that may end can be done with its work before anybody looked.
        Look::Ready => expects.covers(phase.exit()),
        // What it wrote before its end is looked at to the end.
        Look::More(_) => is_in_time,
        _ => false,
    }
}

/// All must hold at the same time: what has held is asked again now that the last one does.
fn ask_again(core: &Arc<Core>, run: &Arc<Run>, round: &mut Round, bounds: &Bounds) {
    // What may end can have done all its work, and holds nothing any more.
    if run.phase().is_alive() {
        with_sight(core, run, bounds, |sight| round.ask_again(sight));
    }
}

/// Lets a question look.
fn with_sight<R>(core: &Arc<Core>, run: &Arc<Run>, bounds: &Bounds, look: impl FnOnce(&Sight<'_>) -> R) -> R {
    let Bounds { deadline, expects } = *bounds;
    let is_over = || core.is_given_up() || !run.phase().is_alive();
    let is_moot = |phase: Phase| core.is_given_up() || !phase.is_alive() && !expects.covers(phase.exit());
    let around: Weak<dyn Around> = Arc::downgrade(core) as _;
    look(&Sight {
        name: &core.place().name,
        run,
        tree_root: run.look(|state| state.shim).unwrap_or(0),
        patience: deadline.saturating_duration_since(Instant::now()).clamp(HTTP_LAST_TRY, HTTP_TRY),
        deadline,
        is_over: &is_over,
        is_moot: &is_moot,
        around,
    })
}

fn ask(core: &Arc<Core>, run: &Arc<Run>, probe: &mut dyn Probe, bounds: &Bounds, waited: &mut Waited) -> Look {
    let look = with_sight(core, run, bounds, |sight| probe.look(sight));
    waited.tries += u64::from(!matches!(look, Look::Unanswered(_)));
    if waited.question.is_empty() {
        waited.question = probe.question();
        waited.addresses = probe.addresses();
    }
    match &look {
        Look::Ready => "it holds, and the process had ended".clone_into(&mut waited.last),
        Look::NotYet(why)
        | Look::More(why)
        | Look::Begun(why)
        | Look::AtEvent(why)
        | Look::Foreign(why)
        | Look::Unanswered(why)
        | Look::Broken(why) => waited.last.clone_from(why),
    }
    waited.foreign = matches!(look, Look::Foreign(_)).then(|| probe.door());
    look
}

impl Around for Core {
    fn directory(&self) -> PathBuf {
        self.directory().to_owned()
    }

    fn fill(&self, text: &str) -> Result<String> {
        self.ground.fill(text)
    }
}

impl Core {
    /// The probes of its current run, if it is still that one; of another one they only have to say why it is over.
    fn round_of(&self, run: &Arc<Run>) -> Result<Arc<Mutex<Round>>> {
        let current = self.life(|life| {
            let is_current = life.run.as_ref().is_some_and(|current| Arc::ptr_eq(current, run));
            is_current.then(|| Arc::clone(&life.round))
        });
        current.map_or_else(|| Ok(Arc::new(Mutex::new(Round::unarmed(self.probes(self.parcel())?)))), Ok)
    }

    /// The probes of its spec, ready to see all of the run that is to come.
    fn armed(&self, parcel: Option<Arc<Parcel>>) -> Result<Round> {
        Round::arm(self.probes(parcel)?).map_err(|why| {
            let name = &self.place().name;
            let error = match why {
                Unarmed::Mistake(why) => Error::new(Kind::Spec, format!("`{name}` was not started: {why}")),
                Unarmed::Taken(why) => Error::new(Kind::PortTaken, format!("`{name}` was not started: {why}")),
                Unarmed::System(doing, error) => {
                    Error::system(format_args!("`{name}` was not started: {doing}"), error)
                }
            };
            error.fact("spec", self.spec().shown())
        })
    }

    /// The probes of its spec, for one start.
    fn probes(&self, parcel: Option<Arc<Parcel>>) -> Result<Vec<Box<dyn Probe>>> {
        let spec = self.spec();
        let served = self.life(|life| life.served.clone());
        let begun = spec.callee().map(|_| Box::new(Begun::new(parcel.clone(), Stage::Begun)) as Box<dyn Probe>);
        let site = Site { served, parcel, ..self.place().site(spec.any_owner) };
        let is_known = |name: &str| crate::template::REFUSED_NAMES.contains(&name) || self.ground.knows(name);
        let mut lookup = |hole: &crate::template::Hole| self.ground.value(hole);
        let mut cwd = || self.working_directory(&spec);
        let exec = |exec: &Exec| self.check(&spec, exec);
        let mut fill = Fill { lookup: &mut lookup, is_known: &is_known, cwd: &mut cwd, exec: &exec };
        let prepared = spec.ready.iter().map(|ready| ready.prepare(&site, &mut fill));
        let prepared = prepared.map(|probe| probe.map_err(|why| failure::unprepared(self, why)));
        begun.map(Ok).into_iter().chain(prepared).collect()
    }

    /// Does something where its processes are, whoever starts it again.
    fn in_network<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R> {
        match self.ground.scope().network() {
            Some(network) => network.run(work),
            None => Ok(work()),
        }
    }

    fn launch_first(self: &Arc<Core>) -> Result<()> {
        // Without a handle nobody will ever start it.
        self.launch(deadline_of(self), launch::Who::Test).inspect_err(|_| self.retire())
    }

    /// Whether nobody wants a start of it any more that is under way.
    fn is_given_up(&self) -> bool {
        self.ground.is_cancelled() || self.desk.is_closing()
    }

    /// Calls the callbacks of a start, on their thread, and waits for them.
    fn call_on_start(self: &Arc<Core>) {
        for callback in self.spec().on_start {
            let core = Arc::clone(self);
            let record = self.record.record().clone();
            self.callbacks.queue(move || record.entered(|| callback(&Process::view(core))));
        }
        // It may have ended meanwhile, and that is told after it.
        self.callbacks.release();
        // A panic in one is reported where the process ends.
        self.callbacks.wait_until(deadline_in(scaled(CALLBACK_LIMIT)));
    }
}
