//! The handle of a process: proof that it is ready, and the only way to touch it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::ready::{known_address, url_of};

mod log;
mod touch;
mod ending;
mod awaited;
mod core;
mod end;
mod fate;
mod held;
mod published;

pub(crate) use awaited::Awaited;
pub(crate) use core::{Core, Farewell, Life, in_order};
pub(crate) use end::{Outcome, with_last_words, with_words_of};
pub(crate) use fate::end_of;
pub(crate) use held::Held;
pub use log::Mark;
pub(crate) use published::Published;

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

/// What a spec starts.
pub trait Started: Send + 'static {
    /// Takes the process for what it is.
    fn of(process: Process) -> Self;

    /// The process behind it.
    fn process(&self) -> &Process;
}

impl Started for Process {
    fn of(process: Process) -> Process {
        process
    }

    fn process(&self) -> &Process {
        self
    }
}

impl Process {
    pub(crate) fn owner(core: Arc<Core>) -> Process {
        Process { core, is_owner: true }
    }

    pub(crate) fn view(core: Arc<Core>) -> Process {
        Process { core, is_owner: false }
    }

    /// Its name: that of the attribute or the stack, else that of its program. In a stack of a stack it is `inner.db`.
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

    /// Its own port: the one of `{port}`, between its starts the same.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let app = pkit_test::simple("echo {port}").start()?;
    /// app.wait()?;
    /// assert_eq!(app.stdout(), format!("{}\n", app.port()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has none: neither `tcp` nor `http` made the spec, no `{port}` or `{addr}` is in it, and no probe asks
    /// for one.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.address("").port()
    }

    /// The port that was declared with [`Spec::port`](crate::Spec::port).
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let node = pkit_test::simple("sh -c 'echo $PEERS'").port("peer").env("PEERS", "{addr.peer}").start()?;
    /// node.wait()?;
    /// assert_eq!(node.stdout(), format!("127.0.0.1:{}\n", node.port_of("peer")));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When no port of that name was declared.
    #[must_use]
    #[track_caller]
    pub fn port_of(&self, name: &str) -> u16 {
        self.address(name).port()
    }

    /// The address on which it is expected: 127.0.0.1, unless [`Spec::host`](crate::Spec::host) says another one.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert!(sleeper.host().is_loopback());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.core.place().host
    }

    /// Host and port.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = pkit_test::tcp("python3 -m http.server --bind {host} {port}", 0).start()?;
    /// let client = std::net::TcpStream::connect(server.addr()).unwrap();
    /// assert_eq!(client.peer_addr().unwrap().port(), server.port());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has no port, as [`port`](Process::port).
    #[must_use]
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.address("")
    }

    /// The URL of a path on its own port: `http://`, host, port and the path, with a slash before it.
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
    /// When it has no port, as [`port`](Process::port).
    #[must_use]
    #[track_caller]
    pub fn url(&self, path: &str) -> String {
        url_of(self.address(""), path)
    }

    #[track_caller]
    fn address(&self, port_name: &str) -> SocketAddr {
        let place = self.core.place();
        known_address(place.address(port_name), &place.name, port_name)
    }

    /// Its private directory, the one of `{dir}`, which is gone with the handle. The path is short enough for a unix
    /// socket in it.
    ///
    /// It is made when a hole or this asks for it first, for its user alone, and stays the same from start to start.
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
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let shell = pkit_test::simple("sh -c 'echo I am $$; exec sleep 60'").start()?;
    /// let mark = shell.wait_for_output(r"I am (\d+)", Duration::from_secs(10))?;
    /// assert_eq!(shell.pid(), mark.group(1).unwrap().parse().ok());
    /// shell.stop()?;
    /// assert_eq!(shell.pid(), None);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.core.run()?.pid()
    }

    /// Whether it runs: itself, or what it left in the background when it ended with code 0.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert!(sleeper.is_alive());
    /// sleeper.stop()?;
    /// assert!(!sleeper.is_alive());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.core.run().is_some_and(|run| run.phase().is_alive())
    }

    /// How many times it was started again: by [`start`](Process::start), [`restart`](Process::restart),
    /// [`replace`](Process::replace) or its [supervisor](crate::Spec::supervise), ready or not.
    ///
    /// ```
    /// use pkit_test::{Restart, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").start()?;
    /// assert_eq!(sleeper.restarts(), 0);
    /// sleeper.restart(Restart::Forced)?;
    /// assert_eq!(sleeper.restarts(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.core.life(|life| life.starts.saturating_sub(1))
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
        shown.field("addr", &self.core.place().address("")).field("state", &self.core.record.state());
        shown.finish_non_exhaustive()
    }
}
