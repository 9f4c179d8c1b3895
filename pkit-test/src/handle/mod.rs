//! The handle of a process: proof that it is ready, and the only way to touch it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{deadline_in, scaled};
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::guardian::protocol::Order;
use crate::guardian::run::{NoAnswer, Phase};
use crate::output::Stream;
use crate::ready::Search;
use crate::signal::Signal;

mod core;
mod end;
mod log;

pub(crate) use core::Core;
pub(crate) use end::{Outcome, with_last_words};
pub use log::Mark;

/// A process that was started and became ready.
///
/// All methods take `&self`, and a handle can be shared between threads. Dropping it stops the process, and before it
/// whatever still needs it. After the process has ended the handle can [`start`](Process::start) it again, on the same
/// ports and in the same directory.
///
/// ```
/// use pkit_test::tcp;
/// # fn main() -> pkit_test::Result<()> {
/// let server = tcp("python3 -m http.server --bind {host} {port}", 0).start()?;
/// let port = server.port();
/// assert!(server.pid().is_some());
/// server.kill()?;
/// assert!(server.pid().is_none());
/// server.start()?;
/// assert_eq!(server.port(), port);
/// # Ok(()) }
/// ```
pub struct Process {
    pub(crate) core: Arc<Core>,
    /// Whether dropping it stops the process: a view that a callback gets does not.
    pub(crate) is_owner: bool,
}

impl Process {
    pub(crate) fn owner(core: Arc<Core>) -> Process {
        Process { core, is_owner: true }
    }

    pub(crate) fn view(core: Arc<Core>) -> Process {
        Process { core, is_owner: false }
    }

    /// Its name: that of the attribute or the stack, else that of its program.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(pkit_test::simple("/bin/sleep 60").start()?.name(), "sleep");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.place().name
    }

    /// Its own port.
    ///
    /// # Panics
    ///
    /// When it has none: neither `tcp` nor `http` made the spec, and no `{port}` is in it.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.address("").port()
    }

    /// The port that was declared with [`Spec::port`](crate::Spec::port).
    ///
    /// # Panics
    ///
    /// When no port of that name was declared.
    #[must_use]
    #[track_caller]
    pub fn port_of(&self, name: &str) -> u16 {
        self.address(name).port()
    }

    /// The address on which it is expected: 127.0.0.1, unless the spec says another one.
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.core.place().host
    }

    /// Host and port.
    ///
    /// # Panics
    ///
    /// When it has no port.
    #[must_use]
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.address("")
    }

    /// The URL of a path on its own port.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = pkit_test::tcp("python3 -m http.server --bind {host} {port}", 0).start()?;
    /// assert_eq!(server.url("/a"), format!("http://127.0.0.1:{}/a", server.port()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has no port.
    #[must_use]
    #[track_caller]
    pub fn url(&self, path: &str) -> String {
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("http://{}{slash}{path}", self.address(""))
    }

    #[track_caller]
    fn address(&self, port_name: &str) -> SocketAddr {
        let place = self.core.place();
        match place.address(port_name) {
            Some(address) => address,
            None if port_name.is_empty() => panic!("`{}` has no port: nothing in its spec asks for one", place.name),
            None => panic!("`{}` has no port `{port_name}`: `.port({port_name:?})` declares one", place.name),
        }
    }

    /// Its private directory, which is gone with the handle. The path is short enough for a unix socket in it.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let touch = pkit_test::simple("touch {dir}/here").start()?;
    /// touch.wait()?;
    /// assert!(touch.dir().join("here").exists());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it is made only now and cannot be: the file system is full or read-only.
    #[must_use]
    #[track_caller]
    pub fn dir(&self) -> &Path {
        self.core.directory()
    }

    /// Its process id, or `None` when nothing runs.
    ///
    /// Of a program that put itself into the background and ended, it is the id of what it left there.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let run = self.core.run()?;
        let pid = match run.phase() {
            Phase::Running => run.look(|state| state.pid),
            Phase::LeaderEnded(exit) if exit.success() => run.request(|token| Order::Sync { token }).ok()?,
            _ => None,
        };
        pid.and_then(|pid| u32::try_from(pid).ok())
    }

    /// Whether it runs: itself, or what it left in the background when it ended with code 0.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.core.run().is_some_and(|run| run.phase().is_alive())
    }

    /// How many times it was started again.
    ///
    /// ```
    /// use pkit_test::{Restart, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").start()?;
    /// sleeper.restart(Restart::Forced)?;
    /// assert_eq!(sleeper.restarts(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.core.life(|life| life.starts.saturating_sub(1))
    }

    // What it writes and reads.

    /// What is kept of its standard output since the current run began. Bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.core.text(Some(Stream::Out))
    }

    /// What is kept of its standard error since the current run began.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.core.text(Some(Stream::Err))
    }

    /// What is kept of both, in order of arrival.
    #[must_use]
    pub fn output(&self) -> String {
        self.core.text(None)
    }

    /// The file that its output is written to, both streams in order of arrival. It is removed with the handle, unless
    /// the test fails.
    ///
    /// Of more than 512 MB only the newest part is kept; the older half of that is in a file with `.1` at its end.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.core.log_path()
    }

    /// Waits until a line of its output, finished or not, matches a regex; what it wrote before counts.
    ///
    /// The mark is the place right behind the match, for [`wait_for_output_after`](Process::wait_for_output_after).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let seconds = Duration::from_secs(10);
    /// let echo = pkit_test::simple("cat").start()?;
    /// echo.write_stdin("ping 1\nping 2\n")?;
    /// let first = echo.wait_for_output(r"ping (\d)", seconds)?;
    /// assert_eq!(first.group(1), Some("1"));
    /// let second = echo.wait_for_output_after(&first, r"ping (\d)", seconds)?;
    /// assert_eq!(second.line(), "ping 2");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over, when the process has ended without it, or when the regex is invalid.
    pub fn wait_for_output(&self, regex: impl AsRef<str>, timeout: Duration) -> Result<Mark> {
        self.search(regex.as_ref(), timeout, 0)
    }

    /// Waits for a line behind a mark.
    ///
    /// # Errors
    ///
    /// As [`wait_for_output`](Process::wait_for_output).
    pub fn wait_for_output_after(&self, mark: &Mark, regex: impl AsRef<str>, timeout: Duration) -> Result<Mark> {
        // A mark of an earlier run is before everything in this one.
        let from = if mark.run == self.core.life(|life| life.starts) { mark.end } else { 0 };
        self.search(regex.as_ref(), timeout, from)
    }

    fn search(&self, regex: &str, timeout: Duration, from: u64) -> Result<Mark> {
        let run = self.core.run_or_error("wait for its output")?;
        let started = self.core.life(|life| life.starts);
        let search = Search::compiled(&run, regex, from).map_err(|why| Error::new(Kind::Spec, why))?;
        log::wait_for(&self.core, &run, search, regex, deadline_in(scaled(timeout))).map(|found| Mark {
            run: started,
            end: found.end,
            line: found.line,
            groups: found.groups,
        })
    }

    /// Writes to its standard input. Returns when the text is on its way, not when it was read.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let cat = pkit_test::simple("cat").start()?;
    /// cat.write_stdin("hello")?;
    /// cat.close_stdin()?;
    /// cat.wait()?;
    /// assert_eq!(cat.stdout(), "hello");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it has ended, when its standard input was closed (by it, by [`Spec::stdin`](crate::Spec::stdin), or by
    /// [`close_stdin`](Process::close_stdin)), or when it has not read the last megabyte.
    pub fn write_stdin(&self, text: impl AsRef<[u8]>) -> Result<()> {
        text.as_ref().chunks(crate::limits::STDIN_BYTES / 2).try_for_each(|bytes| {
            let bytes = bytes.to_vec();
            self.ask("write to its standard input", |token| Order::Write { token, bytes })
        })
    }

    /// Ends its standard input after what was written.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn close_stdin(&self) -> Result<()> {
        self.ask("close its standard input", |token| Order::CloseInput { token })
    }

    // Signals.

    /// Sends a signal to the process itself; to what it left in the background where it has ended itself.
    ///
    /// An exit that follows a signal that asks to end is one that the test asked for.
    ///
    /// # Errors
    ///
    /// When it has ended, or when the signal is not allowed.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if let (true, Some(run)) = (signal.asks_to_end(), self.core.run()) {
            run.expect_end();
        }
        self.ask("send it a signal", |token| Order::Signal { token, number: signal.number() })
    }

    /// Stops it and all that descends from it where they stand, until [`resume`](Process::resume).
    ///
    /// To its clients it hangs: connections are accepted by the kernel, and nothing answers.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn pause(&self) -> Result<()> {
        self.ask("pause it", |token| Order::Pause { token })
    }

    /// Lets it go on after [`pause`](Process::pause).
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn resume(&self) -> Result<()> {
        self.ask("resume it", |token| Order::Resume { token })
    }

    fn ask(&self, doing: &str, order: impl FnOnce(u64) -> Order) -> Result<()> {
        let run = self.core.run_or_error(doing)?;
        run.request(order).map(drop).map_err(|why| match why {
            NoAnswer::Over(phase) => self.core.ended_error(doing, phase),
            NoAnswer::Refused(error) => Error::system(format_args!("cannot {doing}: `{}`", self.name()), error),
            NoAnswer::Silent => {
                Error::new(Kind::Timeout, format!("cannot {doing}: the shim of `{}` does not answer", self.name()))
            }
        })
    }

    // Its end.

    /// Waits until it has ended and nothing of it is left.
    ///
    /// # Errors
    ///
    /// When nothing was started, or when it was killed with its guardian.
    pub fn wait(&self) -> Result<Exit> {
        let run = self.core.run_or_error("wait for it")?;
        let phase = run.wait_over(None).expect("without a deadline it waits for the end");
        phase.exit().ok_or_else(|| self.core.ended_error("wait for it", phase))
    }

    /// How it ended, or `None` while anything of it is left.
    ///
    /// # Errors
    ///
    /// As [`wait`](Process::wait).
    pub fn try_wait(&self) -> Result<Option<Exit>> {
        self.wait_timeout(Duration::ZERO)
    }

    /// Waits as long as that, or until it has ended.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert_eq!(sleeper.wait_timeout(Duration::from_millis(10))?, None);
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

    /// How it ended the last time; `None` if it never did.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.core.last_exit()
    }

    /// Stops it: its stop signal, its grace, SIGKILL. Returns when the whole tree is gone.
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
    /// killed. Not when it is gone already.
    pub fn stop(&self) -> Result<()> {
        self.core.stop()
    }

    /// Sends the stop signal alone, and waits until the whole tree is gone.
    ///
    /// # Errors
    ///
    /// When it is not gone after its stop timeout; then it still runs. And as [`stop`](Process::stop).
    pub fn terminate(&self) -> Result<()> {
        self.core.terminate()
    }

    /// Kills it and all that descends from it at once. Returns when the whole tree is gone.
    ///
    /// # Errors
    ///
    /// As [`stop`](Process::stop).
    pub fn kill(&self) -> Result<()> {
        self.core.kill()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_owner {
            self.core.dropped();
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Process");
        shown.field("name", &self.name()).field("pid", &self.core.run().and_then(|run| run.look(|state| state.pid)));
        shown.field("addr", &self.core.place().address("")).finish_non_exhaustive()
    }
}
