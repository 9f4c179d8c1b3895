//! What a handle says about the end: waiting for it, and bringing it about.

use std::time::Duration;

use super::Process;
use crate::config::deadline_in;
use crate::error::Result;
use crate::exit::Exit;

impl Process {
    /// Waits until it has ended and nothing of it is left, however long that takes.
    ///
    /// The exit is that of the process itself, also where something that it left in the background ended later. It is the
    /// current run that is waited for: a supervisor may start it again as soon as that is over.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let job = pkit_test::simple("sh -c 'echo done; exit 3'").start()?;
    /// assert_eq!(job.wait()?.code(), Some(3));
    /// assert_eq!(job.stdout(), "done\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it was killed together with the guardian or the shim above it
    /// ([`is_guardian_lost`](crate::Error::is_guardian_lost)).
    pub fn wait(&self) -> Result<Exit> {
        let run = self.core.run_or_error("wait for it")?;
        let phase = run.wait_over(None).expect("without a deadline it waits for the end");
        phase.exit().ok_or_else(|| self.core.ended_error("wait for it", phase))
    }

    /// How it ended, or `None` while anything of it is left. Does not wait.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let job = pkit_test::simple("sh -c 'read line; exit 3'").start()?;
    /// assert_eq!(job.try_wait()?, None);
    /// job.write_stdin("go\n")?;
    /// let exit = job.wait()?;
    /// assert_eq!(job.try_wait()?, Some(exit));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait`](Process::wait).
    pub fn try_wait(&self) -> Result<Option<Exit>> {
        self.wait_timeout(Duration::ZERO)
    }

    /// Waits as long as that, or until it has ended: `None` while anything of it is left.
    ///
    /// The one timeout that `PKIT_TIMEOUT_SCALE` does not multiply, for it is no error when it passes.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert_eq!(sleeper.wait_timeout(Duration::from_millis(10))?, None);
    /// sleeper.kill()?;
    /// assert_eq!(sleeper.wait_timeout(Duration::ZERO)?.and_then(|exit| exit.signal()), Some(9));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait`](Process::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<Exit>> {
        let run = self.core.run_or_error("wait for it")?;
        let Some(phase) = run.wait_over(Some(deadline_in(timeout))) else { return Ok(None) };
        phase.exit().map(Some).ok_or_else(|| self.core.ended_error("wait for it", phase))
    }

    /// How it ended the last time, this run or one before it; `None` if it never did.
    ///
    /// ```
    /// use pkit_test::{Restart, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").start()?;
    /// assert_eq!(sleeper.exit(), None);
    /// sleeper.restart(Restart::Forced)?;
    /// assert_eq!(sleeper.exit().and_then(|exit| exit.signal()), Some(9));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.core.last_exit()
    }

    /// Stops it: its stop signal, its grace, SIGKILL. Returns when the whole tree is gone.
    ///
    /// The grace is [`Spec::stop_timeout`](crate::Spec::stop_timeout), 5 s if nothing is said. It touches this process
    /// alone, not those that need it: [`Stack::member`](crate::Stack::member) does. On what is gone already it does nothing.
    /// What is [supervised](crate::Spec::supervise) stays down all the same.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// sleeper.stop()?;
    /// assert_eq!(sleeper.exit().and_then(|exit| exit.signal()), Some(15));
    /// sleeper.stop()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When something survived SIGKILL, when it had to be killed and
    /// [`must_stop_gracefully`](crate::Spec::must_stop_gracefully), when a callback panicked, or when the guardian was
    /// killed.
    pub fn stop(&self) -> Result<()> {
        self.core.stop()
    }

    /// Sends the stop signal alone, and waits until the whole tree is gone, for no longer than the
    /// [`stop_timeout`](crate::Spec::stop_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let deaf = pkit_test::output(r#"sh -c 'trap "" TERM; echo deaf; exec sleep 60'"#, "^deaf$")
    ///     .stop_timeout(Duration::from_millis(50))
    ///     .start()?;
    /// assert!(deaf.terminate().unwrap_err().is_timeout());
    /// assert!(deaf.is_alive());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is not gone after its stop timeout; then it still runs. And as [`stop`](Process::stop).
    pub fn terminate(&self) -> Result<()> {
        self.core.terminate()
    }

    /// Kills it and all that descends from it at once. Returns when the whole tree is gone.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let two = pkit_test::simple("sh -c 'sleep 60 & sleep 60'").start()?;
    /// two.kill()?;
    /// assert_eq!(two.exit().and_then(|exit| exit.signal()), Some(9));
    /// assert_eq!(two.pid(), None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`stop`](Process::stop).
    pub fn kill(&self) -> Result<()> {
        self.core.kill()
    }
}
