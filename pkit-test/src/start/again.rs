//! Starting a process again, on the same ports and in the same directory.

use std::sync::{Arc, MutexGuard, TryLockError};

use super::deadline_of;
use super::launch::{self, Who};
use crate::callbacks;
use crate::error::{Error, Kind, Result};
use crate::handle::{Awaited, Core, Process};
use crate::place::Place;
use crate::spec::Spec;
use crate::sync::lock;

/// How a process is brought down before it is started again.
///
/// ```
/// use pkit_test::{Restart, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let sleeper = simple("sleep 60").start()?;
/// for (how, signal) in [(Restart::Graceful, 15), (Restart::Forced, 9)] {
///     sleeper.restart(how)?;
///     assert_eq!(sleeper.exit().and_then(|exit| exit.signal()), Some(signal));
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Restart {
    /// As [`Process::stop`] does: its stop signal, its grace, SIGKILL.
    Graceful,
    /// As [`Process::kill`] does: at once.
    Forced,
}

impl Process {
    /// Starts it again after it has ended: the same spec, ports and directory. Returns when it is ready.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert!(sleeper.start().unwrap_err().is_state());
    /// sleeper.stop()?;
    /// sleeper.start()?;
    /// assert!(sleeper.is_alive());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// While it runs. And as [`Spec::start`].
    pub fn start(&self) -> Result<()> {
        let _starting = self.starting("start it")?;
        self.start_again()
    }

    /// Brings it down and up again, on the same ports and in the same directory. Returns when it is ready.
    ///
    /// ```
    /// use pkit_test::{Restart, tcp};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port}", 0).start()?;
    /// let (pid, addr) = (server.pid(), server.addr());
    /// server.restart(Restart::Forced)?;
    /// assert_ne!(server.pid(), pid);
    /// assert!(std::net::TcpStream::connect(addr).is_ok());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`stop`](Process::stop), and then it is not started again. And as [`start`](Process::start).
    pub fn restart(&self, how: Restart) -> Result<()> {
        let _starting = self.starting("restart it")?;
        self.in_hands(|| {
            match how {
                Restart::Graceful => self.stop()?,
                Restart::Forced => self.kill()?,
            }
            self.start_again()
        })
    }

    /// Stops it and starts another spec in its place: on the same ports and in the same directory.
    ///
    /// For an upgrade in the middle of a test. Ports that the new spec declares and the old one did not are refused.
    ///
    /// ```
    /// use pkit_test::tcp;
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port}", 0).start()?;
    /// let port = server.port();
    /// server.replace(tcp("python3 -m http.server --protocol HTTP/1.1 --bind {host} {port}", 0))?;
    /// assert_eq!(server.port(), port);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the new spec has a mistake of its own, or wants other ports, another host or user; the old one still runs then.
    /// What shows only at a start (a hole that means nothing here, a program that does not exist) is found after the stop. And as
    /// [`stop`](Process::stop) and [`start`](Process::start), with nothing running after it.
    pub fn replace(&self, spec: Spec) -> Result<()> {
        let _starting = self.starting("replace it")?;
        spec.check(self.name())?;
        let place = self.core.place();
        if let Some(what) = misfit(place, &spec, self.core.ground.scope().network().is_some()) {
            let title = format!("`{}` was not replaced: the new spec wants {what}", place.name);
            return Err(Error::new(Kind::Spec, title).fact("spec", spec.shown()));
        }
        self.in_hands(|| {
            self.stop()?;
            self.core.spoil_lease();
            self.core.settle();
            self.core.life(|life| life.spec = spec);
            self.start_again()
        })
    }

    /// Starts it again, with another thing about it from now on. Returns that run, whoever starts the next one.
    pub(crate) fn start_changed(&self, change: impl FnOnce(&mut Spec)) -> Result<Awaited> {
        let _starting = self.starting("start it")?;
        self.core.refuse_while_it_runs()?;
        self.core.settle();
        self.core.life(|life| change(&mut life.spec));
        self.start_again()?;
        self.core.awaited("start it")
    }

    /// Does something after which it is to be up again: whoever waits for a restart need not think that it stays down.
    fn in_hands(&self, act: impl FnOnce() -> Result<()>) -> Result<()> {
        self.core.take_in_hand();
        let result = act();
        self.core.let_go();
        result
    }

    /// One start at a time. A callback does not wait for its turn: whoever has it may wait for the callback.
    fn starting(&self, doing: &str) -> Result<MutexGuard<'_, ()>> {
        self.core.control(doing)?;
        if !callbacks::is_worker() {
            return Ok(lock(&self.core.starting));
        }
        match self.core.starting.try_lock() {
            Ok(starting) => Ok(starting),
            Err(TryLockError::Poisoned(starting)) => Ok(starting.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let title = format!("`{}` was not started: it is being started already", self.name());
                Err(Error::new(Kind::State, title))
            }
        }
    }

    fn start_again(&self) -> Result<()> {
        self.core.refuse_while_it_runs()?;
        let _hold = self.core.callbacks.hold();
        // What the test has seen fail is the test's to start again.
        self.core.launch_again(Who::Test).and_then(|()| self.wait_ready()).inspect_err(|_| self.core.leave_down())
    }
}

const PROGRAM_RUNS: &str = "`stop` it first, or `restart` it";
const FUNCTION_RUNS: &str = "`join` or `stop` it first, or `restart` it";

impl Core {
    /// Starts it again for its supervisor, unless somebody else has.
    pub(super) fn revive(self: &Arc<Core>) -> Result<()> {
        let _starting = lock(&self.starting);
        if self.refuse_while_it_runs().is_err() {
            return Ok(());
        }
        let _hold = self.callbacks.hold();
        // A run may be over, and rightly, before it counts as started: whoever waits for the restart is not to be told then that
        // there will be none.
        self.take_in_hand();
        let result = self.launch_again(Who::Supervisor).and_then(|()| self.revived());
        // Then it tries again, or gives it up and says so.
        self.life(|life| life.is_halted |= result.is_err());
        self.let_go();
        result
    }

    fn revived(self: &Arc<Core>) -> Result<()> {
        let process = Process::view(Arc::clone(self));
        process.become_ready(&self.run_or_error("wait until it is ready")?)
    }

    fn launch_again(self: &Arc<Core>, who: Who) -> Result<()> {
        self.settle();
        self.in_network(|| self.place().guardian().map(drop))??;
        launch::depend(self)?;
        self.launch(deadline_of(self), who)
    }

    fn refuse_while_it_runs(&self) -> Result<()> {
        if let Some(run) = self.run().filter(|run| !run.phase().is_over()) {
            let pid = run.look(|state| state.pid).unwrap_or(0);
            let name = &self.place().name;
            return Err(Error::new(Kind::State, format!("`{name}` was not started: it runs already"))
                .fact("ran", format!("{}   pid {pid}", self.life(|life| life.ran.clone())))
                .fact("hint", self.spec().callee().map_or(PROGRAM_RUNS, |_| FUNCTION_RUNS)));
        }
        Ok(())
    }
}

/// What a new spec wants that the place of the old one is not.
pub(super) fn misfit<H>(place: &Place, spec: &Spec<H>, has_network: bool) -> Option<String> {
    let user = place.user.as_ref().map(|user| user.name.as_str());
    if spec.user.as_deref() != user {
        return Some(format!("to run as {}", spec.user.as_deref().unwrap_or("the user of the test")));
    }
    if !place.is_at(spec.host.as_deref()) {
        return Some(format!("the host {}", spec.host.as_deref().unwrap_or("127.0.0.1")));
    }
    if spec.isolations.net && !has_network {
        return Some("a network of its own".to_owned());
    }
    spec.wanted_ports().into_iter().find_map(|(name, number)| match place.port(&name) {
        None if name.is_empty() => Some("a port, and none was reserved".to_owned()),
        None => Some(format!("the port `{name}`, and none was reserved")),
        Some(held) if number != 0 && held != number => Some(format!("port {number}, and {held} was reserved")),
        Some(_) => None,
    })
}
