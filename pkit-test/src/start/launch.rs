//! From a spec with holes to an order for the guardian.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Instant;

use super::check::{self, Checking};
use super::failure;
use crate::command::Command;
use crate::config::{config, log};
use crate::error::{Error, Kind, Result};
use crate::ground::Executor;
use crate::guardian::client::{Guardian, Luggage};
use crate::guardian::protocol::Launch;
use crate::guardian::run::{Phase, Run, State};
use crate::handle::{Core, Process, end_of};
use crate::limits::{EXEC_OUTPUT_BYTES, OUTPUT_BYTES};
use crate::parcel::Parcel;
use crate::port;
use crate::program::{NotFound, Wanted};
use crate::ready::{Exec, NOTIFY_SOCKET, Probe, Round};
use crate::record::RunEnd;
use crate::spec::{Body, Spec};
use crate::supervise::News;
use crate::sync::lock;
use crate::sys::child::own_pid;
use crate::sys::diag::Diag;
use crate::sys::random::random;
use crate::sys::user;
use crate::template::Template;

/// How much of a name is part of a path: a file name has 255 bytes, of which a character takes up to four.
const NAME_CHARS: usize = 40;

/// Notes whom a process needs, so that it ends before them.
pub(crate) fn depend(core: &Arc<Core>) -> Result<()> {
    let spec = core.spec();
    for need in spec.needs().iter().filter(|need| need.is_ordered()) {
        match core.ground.cores_behind(need) {
            // It is no process, or a name in a regex that means nothing at all.
            none if none.is_empty() && (need.is_optional || core.ground.knows(need.name())) => {}
            others if !others.is_empty() => others.iter().for_each(|other| other.add_dependent(core)),
            _ => return Err(core.ground.unknown(&need.text, need.name()).fact("spec", spec.shown())),
        }
    }
    Ok(())
}

/// Who starts it: what the test has stopped it alone may start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Test,
    Supervisor,
}

/// What is made for one run before it is ordered.
struct Armed {
    round: Arc<Mutex<Round>>,
    parcel: Option<Arc<Parcel>>,
}

impl Core {
    /// Orders a run and waits until its program runs.
    pub(super) fn launch(self: &Arc<Core>, deadline: Instant, who: Who) -> Result<()> {
        self.in_network(|| self.try_launch(deadline, who))?.inspect_err(|_| self.record.was_not_run())
    }

    fn try_launch(self: &Arc<Core>, deadline: Instant, who: Who) -> Result<()> {
        let spec = self.spec();
        self.record.begins(spec.shown());
        if !spec.on_start.is_empty() || !spec.on_exit.is_empty() {
            self.callbacks.prepare().map_err(|error| Error::system("no thread for callbacks was started", error))?;
        }
        check_log_base()?;
        let run = self.place().by_guardian(|guardian| self.launch_with(guardian, &spec, deadline, who))?;
        self.remove_old_logs();
        self.started(&run)
    }

    fn launch_with(
        self: &Arc<Core>,
        guardian: &Arc<Guardian>,
        spec: &Spec,
        deadline: Instant,
        who: Who,
    ) -> Result<Arc<Run>> {
        // Everything that can be wrong with the probes is said before anything runs.
        let served = served(&self.probes(None)?);
        let obstructed = self.obstructed(spec);
        self.life(|life| (life.served, life.obstructed) = (served, obstructed));
        // Anew with each guardian: one that ends takes along what lies in its directory.
        let parcel = self.packed(spec)?;
        let round = Arc::new(Mutex::new(self.armed(parcel.clone())?));
        let run = self.order(spec, guardian, who, Armed { round, parcel })?;
        let title = || format!("`{}` was not started: its guardian has ended, or is about to", self.place().name);
        run.filter(|run| !self.is_declined(run, deadline)).ok_or_else(|| Error::new(Kind::GuardianLost, title()))
    }

    fn order(
        self: &Arc<Core>,
        spec: &Spec,
        guardian: &Arc<Guardian>,
        who: Who,
        Armed { round, parcel }: Armed,
    ) -> Result<Option<Arc<Run>>> {
        let with_spec = |error: Error| if error.is_spec() { error.fact("spec", spec.shown()) } else { error };
        let mut launch = self.prepare(spec, guardian, &lock(&round)).map_err(with_spec)?;
        let rope = lock(&round).rope();
        launch.has_bell = rope.is_some();
        if self.life(|life| life.starts > 0) && !spec.any_owner {
            self.place().check_free()?;
        }
        log(|| format!("start {}: {}", self.place().name, self.life(|life| life.ran.clone())));
        // Under one lock: whoever retires it and then stops its run must not miss one.
        self.change_life(|life| {
            if life.is_retired {
                return Err(self.retired_error());
            }
            if who == Who::Supervisor && (life.is_left_down || self.desk.is_closing()) {
                return Err(self.left_down_error());
            }
            let logs = launch.log.clone();
            let on_end = self.on_end(spec, life.starts + 1);
            let slate = parcel.as_ref().map(|parcel| parcel.descriptor()).transpose();
            let slate = slate.map_err(|error| self.not_passed_on(error))?;
            let luggage = Luggage { bell: rope, slate, binary: None, network: self.ground.scope().network() };
            let run = guardian.launch(launch, luggage, on_end).map_err(with_spec)?;
            let Some(run) = run else { return Ok(None) };
            // Those of what others have are theirs as well.
            life.logs.extend(Some(logs).filter(|_| self.is_own()));
            (life.round, life.parcel) = (round, parcel);
            life.run = Some(Arc::clone(&run));
            life.starts += 1;
            self.record.ordered();
            (life.ready_after, life.is_started) = (None, false);
            life.is_settled = false;
            (life.is_left_down, life.is_halted, life.is_taken_down) = (false, false, false);
            Ok(Some(run))
        })
    }

    /// Which of its ports have remains on them. One that was chosen has none at first.
    fn obstructed(&self, spec: &Spec) -> Vec<u16> {
        let is_first = self.life(|life| life.starts == 0);
        let is_chosen = |name: &str| !spec.ports.iter().any(|(known, number)| known == name && *number != 0);
        let ports = self.place().ports.iter().filter(|(name, _)| !(is_first && is_chosen(name)));
        ports.map(|(_, number)| *number).filter(|number| port::is_obstructed(*number)).collect()
    }

    /// Waits until it is known whether it runs. One that nobody has begun was no run.
    fn is_declined(&self, run: &Arc<Run>, deadline: Instant) -> bool {
        run.wait_until(Some(deadline), |state| (state.phase != Phase::Starting).then_some(()));
        let was_declined = run.look(|state| state.was_declined);
        if was_declined {
            self.life(|life| {
                life.logs.pop();
                life.starts -= 1;
                life.is_settled = true;
                self.record.was_declined();
            });
        }
        was_declined
    }

    fn started(&self, run: &Run) -> Result<()> {
        match run.phase() {
            Phase::Refused { step, errno } => {
                self.life(|life| life.is_settled = true);
                Err(failure::refused(self, step, &io::Error::from_raw_os_error(errno)))
            }
            lost @ Phase::Lost { .. } => Err(self.ended_error("start it", lost)),
            _ => {
                self.record.runs_as(run.look(|state| state.pid));
                Ok(())
            }
        }
    }

    /// The arguments of a function.
    pub(super) fn not_passed_on(&self, error: io::Error) -> Error {
        Error::system(format!("`{}` was not started: its arguments were not passed on", self.place().name), error)
    }

    fn retired_error(&self) -> Error {
        let title = format!("`{}` was not started: its handle is gone, or the test has ended", self.place().name);
        Error::new(Kind::State, title)
    }

    fn left_down_error(&self) -> Error {
        Error::new(Kind::State, format!("`{}` was not started again: the test has stopped it", self.place().name))
    }

    fn prepare(&self, spec: &Spec, guardian: &Guardian, round: &Round) -> Result<Launch> {
        let Ordered { launch, ran, .. } = match &spec.body {
            Body::Program(command) => self.order_of(spec, command, told_by(round), &[])?,
            Body::Function(callee) => self.order_of_function(spec, callee, told_by(round))?,
        };
        let starts = self.life(|life| {
            life.ran = ran;
            life.starts
        });
        Ok(Launch {
            log: log_directory(guardian, self.place().number, starts, &launch.name),
            input: spec.stdin.clone().unwrap_or_default(),
            input_ends: spec.stdin.is_some() || spec.callee().is_some(),
            ..launch
        })
    }

    /// The probe that a command is, which runs where the process does.
    pub(super) fn check(&self, spec: &Spec, exec: &Exec) -> Result<Box<dyn Probe>> {
        let ordered = self.order_of(spec, &exec.command, Variables::new(), &exec.env);
        let probe = |error: Error| error.fact("probe", format!("exec {}", exec.command));
        let Ordered { launch, written, .. } = ordered.map_err(probe)?;
        let name = format!("{} (check)", launch.name);
        let launch = Launch {
            name,
            stop: check::at_once(),
            log_bytes: EXEC_OUTPUT_BYTES,
            input_ends: true,
            is_errand: true,
            // Beside it: its own ids are for itself.
            has_own_pids: false,
            ..launch
        };
        Ok(Box::new(Checking::new(
            launch,
            self.ground.scope().network().cloned(),
            format!("exec {written}"),
            exec.try_timeout,
        )))
    }

    /// How a command runs where the process does: as that user, in that directory, with that environment and more.
    fn order_of(
        &self,
        spec: &Spec,
        command: &Command,
        told: Variables,
        more: &[(String, Template)],
    ) -> Result<Ordered> {
        let name = &self.place().name;
        let mut lookup = |hole: &crate::template::Hole| self.ground.value(hole);
        let line = command.render(&mut lookup)?;
        let environment = self.environment(spec, told, more)?;
        let here = own_directory()?;
        let path = environment.get(OsStr::new("PATH")).map(OsString::as_os_str);
        let program = line.locate(path, &here).map_err(|why| not_found(name, spec, &why))?;
        let (ran, written) = (line.for_people(&program, &here), line.as_written());
        let mut arguments = vec![own_argument(&line.program, &program)];
        arguments.extend(line.args.into_iter().map(String::into_bytes));
        let launch = self.launch_in(spec, environment, (program, arguments))?;
        Ok(Ordered { launch, ran, written })
    }

    pub(super) fn launch_in(
        &self,
        spec: &Spec,
        environment: BTreeMap<OsString, OsString>,
        (program, arguments): (PathBuf, Vec<Vec<u8>>),
    ) -> Result<Launch> {
        let cwd = self.cwd(spec)?;
        let environment = as_given(environment);
        self.refuse_nul("argument", &arguments)?;
        self.refuse_nul("environment variable", &environment)?;
        Ok(Launch {
            name: self.place().name.clone(),
            program,
            arguments,
            environment,
            cwd,
            // Whoever is that user already need not, and may not, become it.
            user: self.place().user.clone().filter(|_| user::may_change_user()),
            stop: spec.stop_plan(),
            log: PathBuf::new(),
            log_bytes: OUTPUT_BYTES,
            input: Vec::new(),
            input_ends: false,
            has_bell: false,
            has_own_pids: spec.isolations.pid,
            has_network: self.ground.scope().network().is_some(),
            is_errand: false,
            function: None,
            ends_with_leader: false,
        })
    }

    fn refuse_nul(&self, what: &str, texts: &[Vec<u8>]) -> Result<()> {
        match texts.iter().find(|text| text.contains(&0)) {
            None => Ok(()),
            Some(text) => {
                let shown = String::from_utf8_lossy(text).escape_debug().to_string();
                let title =
                    format!("`{}` was not started: no {what} can have a zero byte in it: `{shown}`", self.place().name);
                Err(Error::new(Kind::Spec, title))
            }
        }
    }

    pub(super) fn environment(
        &self,
        spec: &Spec,
        told: Variables,
        more: &[(String, Template)],
    ) -> Result<BTreeMap<OsString, OsString>> {
        let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
        if !spec.clears_env {
            variables.extend(self.ground.variables());
            // Whoever runs the test would take the word of a service for that of the test.
            variables.remove(OsStr::new(NOTIFY_SOCKET));
        }
        variables.extend(told);
        if let Some(user) = &self.place().user {
            variables.insert("HOME".into(), user.home.clone().into());
            variables.insert("USER".into(), user.name.clone().into());
            variables.insert("LOGNAME".into(), user.name.clone().into());
        }
        for (name, value) in spec.env.iter().chain(more) {
            let value = value.render(&mut |hole| self.ground.value(hole))?;
            variables.insert(name.into(), value.into());
        }
        Ok(variables)
    }

    /// Where it is to run, whether or not that is there.
    pub(super) fn working_directory(&self, spec: &Spec) -> Result<PathBuf> {
        match &spec.cwd {
            Some(template) => Ok(own_directory()?.join(template.render(&mut |hole| self.ground.value(hole))?)),
            None if self.place().user.is_some() => self.place().directory(),
            None => own_directory(),
        }
    }

    fn cwd(&self, spec: &Spec) -> Result<PathBuf> {
        let cwd = self.working_directory(spec)?;
        self.refuse_nul("path", &[cwd.as_os_str().as_bytes().to_vec()])?;
        match std::fs::metadata(&cwd) {
            Ok(metadata) if metadata.is_dir() => Ok(cwd),
            Ok(_) => Err(failure::no_cwd(self, spec, &cwd, "it is not a directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(failure::no_cwd(self, spec, &cwd, "it does not exist"))
            }
            Err(error) => Err(failure::no_cwd(self, spec, &cwd, &error.to_string())),
        }
    }

    /// What happens when nothing of the run is left: its supervisor is told, and callbacks are called in the order of the
    /// exits.
    pub(super) fn on_end(self: &Arc<Core>, spec: &Spec, run: u32) -> Box<dyn FnOnce(&State) + Send> {
        let core: Weak<Core> = Arc::downgrade(self);
        let callbacks = spec.on_exit.clone();
        let pending = Arc::clone(&self.callbacks);
        let (noted, expects) = (self.record.clone(), spec.expects);
        let (desk, id) = (Arc::clone(&self.desk), self.id);
        Box::new(move |state| {
            if state.was_declined {
                return;
            }
            // A start that was refused says so to whoever wanted it.
            if !matches!(state.phase, Phase::Refused { .. }) {
                desk.post(id, News::Exited { run, end: end_of(state) });
            }
            let exit = state.phase.exit();
            let (was_asked, was_allowed) = (state.is_asked_to_end, expects.covers(exit));
            noted.has_ended(RunEnd { pid: state.pid, exit, was_asked, was_allowed });
            let Some(exit) = exit else { return };
            for callback in callbacks {
                let (core, record) = (Weak::clone(&core), noted.record().clone());
                pending.queue_exit(move || {
                    if let Some(core) = core.upgrade() {
                        record.entered(|| callback(&Process::view(core), exit));
                    }
                });
            }
        })
    }
}

/// What a process is told in its environment, beside what its spec says.
pub(super) type Variables = Vec<(OsString, OsString)>;

fn told_by(round: &Round) -> Variables {
    round.variables().map(|(name, value)| (name.into(), value.into())).collect()
}

/// As `execve` wants them.
pub(super) fn as_given(variables: BTreeMap<OsString, OsString>) -> Vec<Vec<u8>> {
    variables.into_iter().map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'=')).collect()
}

/// Where the test is, from which everything that is relative is meant.
pub(super) fn own_directory() -> Result<PathBuf> {
    let found = std::env::current_dir();
    found.map_err(|error| Error::system("the working directory of the test was not found", error))
}

/// A command on its way to the guardian.
pub(super) struct Ordered {
    /// All but where its output goes and what it reads.
    pub(super) launch: Launch,
    /// The command line for people, with the program that was found, and as it was written.
    pub(super) ran: String,
    pub(super) written: String,
}

/// Which of the addresses that are asked have a listener before anything of ours runs.
fn served(probes: &[Box<dyn Probe>]) -> Vec<SocketAddr> {
    let asked: Vec<SocketAddr> = probes.iter().flat_map(|probe| probe.local_addresses()).collect();
    if asked.is_empty() {
        return asked;
    }
    let diag = Diag::open();
    asked.into_iter().filter(|address| diag.is_listening(*address).unwrap_or(false)).collect()
}

/// Every run has a log of its own. The number at its end keeps it apart from that of a process that ran before under
/// the same id.
fn log_directory(guardian: &Guardian, number: u64, starts: u32, name: &str) -> PathBuf {
    let (safe, run) = (safe_name(name), starts + 1);
    config().directory.join(format!("{}.{number}-{safe}.{run}-{}", own_pid(), guardian.token()))
}

/// The same of what is run for this process by others, once.
pub(super) fn log_of_errand(name: &str) -> PathBuf {
    config().directory.join(format!("{}.0-{}.1-{:06x}", own_pid(), safe_name(name), random() & 0xff_ffff))
}

fn safe_name(name: &str) -> String {
    let is_plain = |c: &char| c.is_alphanumeric() || "-_.".contains(*c);
    name.chars().take(NAME_CHARS).map(|c| if is_plain(&c) { c } else { '_' }).collect()
}

/// Makes sure, once, that there can be logs. The shim makes one when there is something to write.
pub(super) fn check_log_base() -> Result<()> {
    static BASE: OnceLock<std::result::Result<(), (io::ErrorKind, String)>> = OnceLock::new();
    let base = BASE.get_or_init(|| try_base(&config().directory).map_err(|error| (error.kind(), error.to_string())));
    base.as_ref().map(drop).map_err(|(kind, text)| {
        let shown = config().directory.display();
        let error =
            Error::system(format_args!("no output can be kept in {shown}"), io::Error::new(*kind, text.clone()));
        error.fact("hint", "PKIT_DIR names another place")
    })
}

fn try_base(base: &Path) -> io::Result<()> {
    std::fs::create_dir_all(base)?;
    let trial = base.join(format!("{}.trial", own_pid()));
    // What a process of the same id left that was killed between these two lines is as good as one of our own; and in
    // another pid namespace there may be one that makes and removes it at this moment.
    not_if(std::fs::create_dir(&trial), io::ErrorKind::AlreadyExists)?;
    not_if(std::fs::remove_dir(&trial), io::ErrorKind::NotFound)
}

fn not_if(result: io::Result<()>, kind: io::ErrorKind) -> io::Result<()> {
    result.or_else(|error| if error.kind() == kind { Ok(()) } else { Err(error) })
}

pub(super) fn not_found(name: &str, spec: &Spec, why: &NotFound) -> Error {
    let kind = match why {
        NotFound::NotExecutable { .. } | NotFound::Directory { .. } | NotFound::Unreachable { .. } => {
            Kind::NotExecutable
        }
        _ => Kind::NotFound,
    };
    let error = Error::new(kind, format!("`{name}` was not started: {why}")).fact("spec", spec.shown());
    why.facts().into_iter().fold(error, |error, (label, text)| error.fact(label, text))
}

/// A program sees the name by which it was called.
pub(super) fn own_argument(wanted: &Wanted, found: &Path) -> Vec<u8> {
    let called = match wanted {
        Wanted::File(path) => path.as_path(),
        Wanted::Bin(_) => found,
    };
    called.as_os_str().as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_of_the_same_id_left_when_it_was_killed_is_no_trouble() {
        let base = std::env::temp_dir().join(format!("pkit-base-{}", own_pid()));
        let left = base.join(format!("{}.trial", own_pid()));
        std::fs::create_dir_all(&left).unwrap();
        let tried = try_base(&base);
        let is_left = left.exists();
        std::fs::remove_dir_all(&base).unwrap();
        tried.unwrap();
        assert!(!is_left);
    }
}
