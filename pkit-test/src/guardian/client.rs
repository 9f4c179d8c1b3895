//! The test's side: starts the guardian when the first process is started, and reads what it says.
//!
//! What is shared has a guardian that is not this process's own, at the other end of a lease (`lease.rs`): to whatever orders
//! runs and hears of them it is one like the other.

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::SigSet;

use super::SHIM_NAME;
use super::home;
use super::lease::Line;
use super::protocol::{Event, Hello, Keep, Launch, Order};
use super::report;
use super::run::{NoAnswer, Run};
use super::wire::{self, Frame, Got, Inbox};
use crate::config::{self, Show, config, deadline_in, scaled};
use crate::error::{Error, Kind, Result};
use crate::limits::{ATTEND_LIMIT, CRASH_TIMEOUT, FRAME_BYTES, GOODBYE_LIMIT, JANITOR_LIMIT, KILL_LIMIT, REPLY_LIMIT};
use crate::network::{self, Network};
use crate::sync::{Monitor, lock};
use crate::sys::bell::Rope;
use crate::sys::takeover::{self, Owner};
use crate::sys::{child, directory, fd, platform, procfs};

/// The connection of this process to a guardian: its own, or by a lease that of something that is shared.
pub(crate) struct Guardian {
    pub(super) socket: UnixStream,
    /// Frames of several threads must not mix.
    pub(super) writing: Mutex<()>,
    /// None of ours is that of a lease.
    pub(super) child: Option<Mutex<Child>>,
    pub(super) owner: i32,
    pub(super) pid: i32,
    pub(super) directory: PathBuf,
    pub(super) runs: Mutex<HashMap<u32, Weak<Run>>>,
    pub(super) next_id: AtomicU32,
    pub(super) is_dead: Monitor<bool>,
    /// What the broker says in between, where there is one.
    pub(super) line: Option<Line>,
}

/// The descriptors that go with an order to start something.
#[derive(Debug, Default)]
pub(crate) struct Luggage<'a> {
    /// To be pulled when there is more output, and by a function when it is about to run.
    pub(crate) bell: Option<Rope>,
    /// What a function is given.
    pub(crate) slate: Option<OwnedFd>,
    /// The binary that the function is in, where that is not ours.
    pub(crate) binary: Option<OwnedFd>,
    /// Where it is to be.
    pub(crate) network: Option<&'a Network>,
}

/// How often a shim is looked at that cannot be waited for.
const SHIM_LOOK: Duration = Duration::from_millis(1);

/// The guardian of this process; one after the other if they are killed.
static CURRENT: Mutex<Option<Arc<Guardian>>> = Mutex::new(None);

/// The exit of this process has begun. Changed under the lock above.
static HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// Something failed in this process, so that `PKIT_KEEP=failed` applies at its end.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// The guardian of this process, started if there is none yet.
pub(crate) fn current() -> Result<Arc<Guardian>> {
    let mut current = lock(&CURRENT);
    if HAS_ENDED.load(Ordering::Relaxed) {
        return Err(Error::new(Kind::State, "the test binary is about to exit: nothing can be started any more"));
    }
    if let Some(guardian) = current.as_ref().filter(|guardian| guardian.is_ours() && !guardian.is_dead()) {
        return Ok(Arc::clone(guardian));
    }
    let guardian = Guardian::start()?;
    *current = Some(Arc::clone(&guardian));
    Ok(guardian)
}

/// A handle was dropped and left its process up, so that the guardian stays.
static HAS_KEPT: AtomicBool = AtomicBool::new(false);

/// Notes that a process was left up.
pub(crate) fn note_kept() {
    HAS_KEPT.store(true, Ordering::Relaxed);
}

/// Notes that something failed in this process.
pub(crate) fn note_failure() {
    HAS_FAILED.store(true, Ordering::Relaxed);
}

impl Guardian {
    fn start() -> Result<Arc<Guardian>> {
        let trouble = |error| not_started(error);
        check_system()?;
        say_mistakes();
        let (ours, theirs) = UnixStream::pair().map_err(trouble)?;
        let ours = UnixStream::from(fd::above_standard(ours.into()).map_err(trouble)?);
        // A guardian that somebody has stopped does not read; whoever talks to it is not to wait for that for ever.
        ours.set_write_timeout(Some(REPLY_LIMIT)).map_err(trouble)?;
        let stderr = io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
        // It is for all tests of this process, and so is its thread here.
        let spawn = move || takeover::spawn_guardian(theirs.into(), Owner::this_process(), stderr);
        let child = network::at_home(spawn).map_err(trouble)?;
        let guardian = Arc::new(Guardian {
            pid: child.id() as i32,
            child: Some(Mutex::new(child)),
            writing: Mutex::new(()),
            owner: child::own_pid(),
            directory: home::path(),
            runs: Mutex::new(HashMap::new()),
            next_id: AtomicU32::new(1),
            is_dead: Monitor::new(false),
            line: None,
            socket: ours,
        });
        let heard = guardian.greet().and_then(|()| listen(&guardian, Inbox::default()));
        heard.map_err(|error| guardian.give_up(error))?;
        takeover::at_exit(goodbye);
        config::log(|| format!("guardian {} for process {}", guardian.pid, guardian.owner));
        Ok(guardian)
    }

    /// The guardian is on its way meanwhile, so that what is done here costs nothing.
    fn greet(&self) -> io::Result<()> {
        // Where it cannot be made whoever asks for a directory is told why.
        let directory = home::share().ok();
        self.send(&self.hello(directory.is_some()).to_frame(0), directory)
    }

    /// Takes it down again, as nobody can hear what it says.
    fn give_up(&self, error: io::Error) -> Error {
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.with_child(Child::wait);
        // One that ended before it was told of it does not remove it; nor does anybody where this was the last try.
        let _ = directory::remove_all(&self.directory);
        not_started(error)
    }

    pub(super) fn hello(&self, has_directory: bool) -> Order {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Order::Hello(Hello {
            directory: self.directory.clone(),
            crash_ms: ms(scaled(CRASH_TIMEOUT)),
            reports: config().output != Show::Never,
            keep: match config().keep {
                Show::Never => Keep::Never,
                Show::Failed => Keep::Failed,
                Show::Always => Keep::Always,
            },
            keep_ms: ms(config().keep_for),
            janitor_ms: ms(scaled(JANITOR_LIMIT)),
            logs: config().directory.clone(),
            has_directory,
            tells: config().logs,
        })
    }

    /// Orders a service. What becomes of it is heard in the run, and of its output also by the bell; `None` where nobody
    /// takes orders any more.
    pub(crate) fn launch(
        self: &Arc<Guardian>,
        launch: Launch,
        luggage: Luggage<'_>,
        on_end: Box<dyn FnOnce(&super::run::State) + Send>,
    ) -> Result<Option<Arc<Run>>> {
        let network = luggage.network.map(Network::descriptor).transpose();
        let network = network.map_err(|error| Error::system("the network of the test was not passed on", error))?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (name, log) = (launch.name.clone(), launch.log.clone());
        let order = Order::Spawn(Box::new(launch)).to_frame(id);
        if order.payload.len() > FRAME_BYTES {
            return Err(too_large(&name));
        }
        let run = Arc::new(Run::new(id, Arc::clone(self), log, on_end));
        lock(&self.runs).insert(id, Arc::downgrade(&run));
        let ahead = [(Order::Network, network), (Order::Slate, luggage.slate), (Order::Binary, luggage.binary)];
        if self.is_dead() || self.order(&order, ahead, luggage.bell).is_err() {
            lock(&self.runs).remove(&id);
            return Ok(None);
        }
        Ok(Some(run))
    }

    /// A frame has room for one descriptor, so that all others go ahead.
    fn order(&self, spawn: &Frame, ahead: [(Order, Option<OwnedFd>); 3], bell: Option<Rope>) -> io::Result<()> {
        for (order, descriptor) in ahead {
            if descriptor.is_some() {
                self.send(&order.to_frame(spawn.id), descriptor)?;
            }
        }
        self.send(spawn, bell.map(OwnedFd::from))
    }

    /// Gives the guardian a descriptor that holds a port, to outlive this process if need be.
    pub(crate) fn hold(&self, port: u64, hold: OwnedFd) -> Result<()> {
        let sent = self.send(&Order::Hold(port).to_frame(0), Some(hold));
        sent.map_err(|_| Error::new(Kind::GuardianLost, "the guardian was killed while a port was reserved"))
    }

    /// Lets a port go.
    pub(crate) fn release(&self, port: u64) {
        // Without the guardian nothing is held.
        let _ = self.send(&Order::Release(port).to_frame(0), None);
    }

    /// Whether this process, and not a parent that forked it, started the guardian.
    pub(crate) fn is_ours(&self) -> bool {
        self.owner == child::own_pid()
    }

    /// Whom to send SIGTERM to end all that was started here.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.with(|is_dead| *is_dead)
    }

    /// Waits until it is: one that somebody has asked to end takes no orders any more. Bounded by what its end may take.
    pub(crate) fn wait_dead(&self) {
        let deadline = deadline_in(scaled(CRASH_TIMEOUT) + KILL_LIMIT);
        self.is_dead.wait_until(Some(deadline), |is_dead| is_dead.then_some(()));
    }

    /// Whether it is dead or on its way there. It is asked: what has vanished with it had vanished before the question, so that no
    /// answer is older. And as a run that nobody begins: an answer, a refusal and its end are heard like those of any other.
    pub(crate) fn is_ending(self: &Arc<Guardian>) -> bool {
        if !self.is_ours() || !self.has_successor() {
            return false;
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let run = Arc::new(Run::new(id, Arc::clone(self), PathBuf::new(), Box::new(|_| {})));
        lock(&self.runs).insert(id, Arc::downgrade(&run));
        let is_declined = || matches!(run.attend().answer(Instant::now() + ATTEND_LIMIT), Err(NoAnswer::Over(_)));
        // Once more at the end: of one that is killed whoever waits hears late.
        let is_ending = self.is_dead() || is_declined() || self.is_dead();
        lock(&self.runs).remove(&id);
        is_ending
    }

    /// A short text that another process, also one of the same id, does not have.
    pub(crate) fn token(&self) -> &str {
        let name = self.directory.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        name.rsplit('-').next().unwrap_or_default()
    }

    /// The directory that ends with the guardian. It is made by whoever needs it first.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes it. That of something that is shared was made before its guardian.
    pub(crate) fn make_directory(&self) -> io::Result<()> {
        if self.line.is_some() { Ok(()) } else { home::make() }
    }

    /// Whether another one of this process takes its place when it is killed.
    pub(crate) fn has_successor(&self) -> bool {
        self.line.is_none()
    }

    pub(super) fn send(&self, frame: &Frame, attached: Option<OwnedFd>) -> io::Result<()> {
        if !self.is_ours() {
            // A fork of the test: what it says would be taken for the test's own words.
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let _writing = lock(&self.writing);
        let sent = wire::send(&self.socket, frame, attached);
        // Half a frame cannot be taken back: to both sides this is the end. One that does not read any more is there already, and
        // still has to say what it has declined, and what has ended.
        if sent.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            let _ = self.socket.shutdown(Shutdown::Both);
        }
        sent
    }

    pub(super) fn hear(&self, frame: &Frame, attached: Option<OwnedFd>) {
        if self.line.as_ref().is_some_and(|line| line.hear_word(frame, attached)) {
            return;
        }
        let Some(event) = Event::from_frame(frame) else { return };
        if let Event::Note(text) = event {
            return config::log(|| text);
        }
        let Some(run) = self.run_of(frame.id, &event) else { return };
        run.hear(event);
        if run.phase().is_over() {
            lock(&self.runs).remove(&frame.id);
        }
    }

    /// Whom an event is for. Where whoever it is for is still to come, it is kept for that.
    fn run_of(&self, id: u32, event: &Event) -> Option<Arc<Run>> {
        let runs = lock(&self.runs);
        match (runs.get(&id), &self.line) {
            (Some(run), _) => run.upgrade(),
            (None, Some(line)) => {
                line.keep(id, event);
                None
            }
            (None, None) => None,
        }
    }

    fn died(&self) {
        let was_let_go = self.is_dead.change(|is_dead| std::mem::replace(is_dead, true));
        self.line.iter().for_each(Line::ends);
        if was_let_go {
            // What is shared lives on.
            return;
        }
        let runs: Vec<Weak<Run>> = lock(&self.runs).drain().map(|(_, run)| run).collect();
        let runs: Vec<Arc<Run>> = runs.iter().filter_map(Weak::upgrade).collect();
        // Their shims see the same end and stop them. Nobody is told that they are gone before they are.
        let deadline = deadline_in(scaled(CRASH_TIMEOUT) + KILL_LIMIT);
        for shim in runs.iter().filter_map(|run| run.look(|state| state.shim)) {
            wait_for_shim(shim, deadline);
        }
        runs.iter().for_each(|run| run.lose());
        let Some(child) = &self.child else { return };
        // So that it is no zombie. Its socket is closed before it has ended; one that somebody has stopped the goodbye reaps.
        let _ = platform::end_of(self.pid).map(|end| fd::is_readable_until(end.as_fd(), deadline));
        let _ = lock(child).try_wait();
    }

    /// One of a lease is no child of ours.
    fn with_child<R>(&self, act: impl FnOnce(&mut Child) -> R) -> Option<R> {
        self.child.as_ref().map(|child| act(&mut lock(child)))
    }
}

fn not_started(error: io::Error) -> Error {
    let why = why_not_spawned(&error);
    Error::system("the guardian was not started", error).fact("why", why)
}

/// What is behind the refusal of a process that is this binary again, where there is more to be said.
pub(crate) fn why_not_spawned(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAGAIN) => "no more processes or threads are allowed (RLIMIT_NPROC or a cgroup's limit)",
        Some(Errno::EMFILE | Errno::ENFILE) => "no more open files are allowed (RLIMIT_NOFILE)",
        Some(Errno::EACCES | Errno::EPERM) => "it is this binary, which may not be executed any more",
        _ => "",
    }
}

fn too_large(name: &str) -> Error {
    let mb = FRAME_BYTES / 1024 / 1024;
    let title = format!("`{name}` was not started: it is given more than {mb} MiB of arguments, environment and input");
    Error::new(Kind::Spec, title).fact("hint", "`write_stdin` takes a text of any length")
}

/// Once a process, and past the harness, which keeps to itself what a test says that passes.
pub(crate) fn say_mistakes() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let text: String = config().mistakes.iter().map(|mistake| format!("pkit-test: {mistake}\n")).collect();
        // Where nobody reads it there is nobody to tell.
        let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
    });
}

pub(crate) fn check_system() -> Result<()> {
    if !platform::IS_TRIED && !config().untried {
        return Err(Error::new(Kind::Unsupported, "pkit-test was never run on this system, and starts nothing here")
            .fact("why", "what it promises was proven on Linux only, and a promise that nobody has seen kept is none")
            .fact("hint", "PKIT_UNTRIED=1 has it do its best all the same; GOTCHAS.md has a table of what that is"));
    }
    if !platform::has_proc() {
        return Err(Error::new(Kind::Unsupported, "there is no /proc here")
            .fact("why", "without it nobody can tell what descends from a process")
            .fact("hint", "mount -t proc proc /proc"));
    }
    if !platform::has_own_proc() {
        return Err(Error::new(Kind::Unsupported, "/proc shows the processes of another pid namespace")
            .fact("why", "the ids in it mean other processes, and none of those must be touched")
            .fact("hint", "mount it anew in the namespace, as `unshare --mount-proc` does"));
    }
    if !takeover::did_run() {
        return Err(Error::new(Kind::Unsupported, "the constructor of pkit-test did not run in this binary")
            .fact("why", "without it the guardian, which is this binary again, would run the tests a second time")
            .fact("hint", "a linker script or `-nostartfiles` drops `.init_array`; keep it"));
    }
    Ok(())
}

/// Starts the thread that reads on from there. It takes no signal that a handler of the test waits for.
pub(super) fn listen(guardian: &Arc<Guardian>, inbox: Inbox) -> io::Result<()> {
    let socket = guardian.socket.try_clone()?;
    let guardian = Arc::downgrade(guardian);
    network::at_home(move || {
        let before = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
        let spawned =
            thread::Builder::new().name("pkit-events".to_owned()).spawn(move || read_all(&socket, &guardian, inbox));
        before.thread_set_mask()?;
        spawned.map(drop)
    })
}

fn read_all(socket: &UnixStream, guardian: &Weak<Guardian>, mut inbox: Inbox) {
    loop {
        let Some(guardian) = guardian.upgrade() else { return };
        while let Ok(Some(frame)) = inbox.take() {
            guardian.hear(&frame, inbox.attached());
        }
        drop(guardian);
        if !fd::wait_readable(socket) || matches!(inbox.fill(socket), Ok(Got::End) | Err(_)) {
            break;
        }
    }
    if let Some(guardian) = guardian.upgrade() {
        guardian.died();
    }
}

/// Waits for a shim that is about to end. Its id cannot have been used again in the moments since it was last heard of,
/// and the name is looked at all the same.
fn wait_for_shim(shim: i32, deadline: Instant) {
    let has_name = || procfs::name(shim).as_deref().map(str::as_bytes) == Some(SHIM_NAME.to_bytes());
    let is_shim = || !platform::GIVES_NAMES || has_name();
    match platform::end_of(shim) {
        Ok(end) if is_shim() => _ = fd::is_readable_until(end.as_fd(), deadline),
        Ok(_) => {}
        // Nothing tells of it, so it is looked at.
        Err(_) => {
            while is_shim() && procfs::is_alive(shim) && Instant::now() < deadline {
                fd::pause(SHIM_LOOK);
            }
        }
    }
}

/// At the normal exit of the process: tells the guardian and waits for it, so that nothing runs after the end and no
/// zombie is left where nobody reaps.
fn goodbye() {
    let mut current = lock(&CURRENT);
    HAS_ENDED.store(true, Ordering::Relaxed);
    let Some(guardian) = current.take().filter(|guardian| guardian.is_ours()) else { return };
    drop(current);
    let has_failed = HAS_FAILED.load(Ordering::Relaxed);
    if !guardian.is_dead() {
        let is_kept = config().keep.applies(has_failed) && (HAS_KEPT.load(Ordering::Relaxed) || guardian.has_runs());
        guardian.wake();
        let said = guardian.send(&Order::Goodbye { failed: has_failed }.to_frame(0), None);
        if is_kept {
            return config::say(&report::kept(guardian.pid, config().keep_for));
        }
        if said.is_err() || !fd::is_closed_within(&guardian.socket, GOODBYE_LIMIT) {
            // It is stopped or stuck, or the test has closed its descriptors under us. Its shims see its end and stop their
            // services.
            let _ = guardian.with_child(Child::kill);
        }
        // What it has said last is read by another thread, which this exit would cut short.
        if config().logs {
            guardian.wait_dead();
        }
    }
    let _ = guardian.with_child(Child::wait);
    // Where the guardian was killed nobody else does it.
    let _ = directory::remove_all(&guardian.directory);
}

impl Guardian {
    /// One that somebody has stopped would not hear the goodbye. Under the lock under which it is reaped: as long as it is
    /// not, its id means it.
    fn wake(&self) {
        self.with_child(|process| {
            if matches!(process.try_wait(), Ok(None)) {
                child::wake(self.pid);
            }
        });
    }

    fn has_runs(&self) -> bool {
        lock(&self.runs).values().filter_map(Weak::upgrade).any(|run| !run.phase().is_over())
    }
}

impl std::fmt::Debug for Guardian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guardian").field("pid", &self.pid).field("owner", &self.owner).finish_non_exhaustive()
    }
}
