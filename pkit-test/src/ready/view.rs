//! What a probe of one's own can see.
//!
//! It is a value and not a borrow: a closure that never returns is left behind with it, and must not keep alive what the
//! start has given up. So it knows the run, and of the rest only the way to it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Site, known_address, url_of};
use crate::error::{Error, Kind, Result};
use crate::guardian::run::Run;
use crate::output::Stream;
use crate::port::{self, Owner};
use crate::sys::diag::Diag;

/// A process that is about to become ready, as the closure of [`poll`](super::poll) sees it.
///
/// Its methods are those of a [`Process`](crate::Process) that only look.
///
/// ```
/// use pkit_test::{ready, tcp};
/// # fn main() -> pkit_test::Result<()> {
/// // Ready when it has written which port it serves, and that is the one that it was told.
/// let serves = ready::poll(|view| view.stdout().contains(&format!("port {} ", view.port())));
/// let server = tcp("python3 -u -m http.server --bind {host} {port}", 0).ready(serves).start()?;
/// assert!(server.stdout().starts_with("Serving HTTP on"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct View {
    pub(super) name: Arc<str>,
    pub(super) site: Arc<Site>,
    pub(super) run: Arc<Run>,
    pub(super) tree_root: i32,
    pub(super) patience: Duration,
    pub(super) around: Weak<dyn Around>,
}

/// What is around a process: known to the floors above, and gone with the process.
pub(crate) trait Around: Send + Sync {
    /// The private directory.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    fn directory(&self) -> PathBuf;

    fn fill(&self, text: &str) -> Result<String>;
}

impl View {
    /// Its name: that of the attribute or the stack, else that of its program.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// simple("sleep 60").ready(ready::poll(|view| view.name() == "sleep")).start()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own port: the one of `{port}`.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let told = ready::poll(|view| view.stdout() == format!("{}\n", view.port()));
    /// let app = simple("sh -c 'echo {port}; sleep 60'").ready(told).start()?;
    /// assert_eq!(app.stdout(), format!("{}\n", app.port()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has none: as every panic of the closure that is an error of the start.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.address("").port()
    }

    /// The port that was declared with [`Spec::port`](crate::Spec::port).
    ///
    /// ```
    /// use std::net::TcpStream;
    /// use pkit_test::{Spec, ready};
    /// # fn main() -> pkit_test::Result<()> {
    /// let admin = ready::poll(|view| TcpStream::connect((view.host(), view.port_of("admin"))).map(drop));
    /// Spec::new("python3 -m http.server --bind {host} {port.admin}").port("admin").ready(admin).start()?;
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

    /// The address on which it is expected.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// simple("sleep 60").ready(ready::poll(|view| view.host().is_loopback())).start()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.site.host
    }

    /// Host and port.
    ///
    /// ```
    /// use std::net::TcpStream;
    /// use pkit_test::{Spec, ready};
    /// # fn main() -> pkit_test::Result<()> {
    /// let accepts = ready::poll(|view| TcpStream::connect(view.addr()).map(drop));
    /// Spec::new("python3 -m http.server --bind {host} {port}").ready(accepts).start()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has no port, as [`port`](View::port).
    #[must_use]
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.address("")
    }

    /// The URL of a path on its own port.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let told = ready::poll(|view| view.stdout() == format!("{}\n", view.url("/api")));
    /// simple("sh -c 'echo http://{addr}/api; sleep 60'").ready(told).start()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has no port, as [`port`](View::port).
    #[must_use]
    #[track_caller]
    pub fn url(&self, path: &str) -> String {
        url_of(self.address(""), path)
    }

    #[track_caller]
    fn address(&self, port_name: &str) -> SocketAddr {
        known_address(self.site.address(port_name), &self.name, port_name)
    }

    /// Its private directory, the one of `{dir}`.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let touched = ready::poll(|view| view.dir().join("here").exists());
    /// let touch = simple("sh -c 'touch {dir}/here; sleep 60'").ready(touched).start()?;
    /// assert!(touch.dir().join("here").exists());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it is made only now and cannot be. And when the process is gone, because the closure was left behind.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        match self.around.upgrade() {
            Some(around) => around.directory(),
            None => panic!("{}", self.gone()),
        }
    }

    /// Fills the holes of a text, as the command of the process has them.
    ///
    /// ```
    /// use pkit_test::{Result, orchestra, ready, simple};
    /// # fn main() -> Result<()> {
    /// let told = ready::poll(|view| -> Result<bool> { Ok(view.stdout() == view.fill("{db.port}\n")?) });
    /// let stack = orchestra()
    ///     .with("db", simple("sleep 60 {port}"))
    ///     .with("app", simple("sh -c 'echo {db.port}; sleep 60'").ready(told))
    ///     .start()?;
    /// assert_eq!(stack["app"].stdout(), format!("{}\n", stack["db"].port()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When a hole means nothing here. A hole in the closure is no dependency: what it names is ready first only where the
    /// spec says so, by a hole of its own or [`after`](crate::Spec::after).
    pub fn fill(&self, text: &str) -> Result<String> {
        let around = self.around.upgrade().ok_or_else(|| Error::new(Kind::State, self.gone()))?;
        around.fill(text)
    }

    fn gone(&self) -> String {
        format!("the start of `{}` is over, and its probe was left behind", self.name)
    }

    /// Its process id, or `None` when nothing runs.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// simple("sleep 60").ready(ready::poll(|view| view.pid().is_some())).start()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.run.pid()
    }

    /// What it has written to its standard output so far.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let three = ready::poll(|view| view.stdout().lines().count() == 3);
    /// simple("sh -c 'seq 3; sleep 60'").ready(three).start()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stdout(&self) -> String {
        self.run.text(Some(Stream::Out))
    }

    /// What it has written to its standard error so far.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let three = ready::poll(|view| view.stderr().lines().count() == 3);
    /// simple("sh -c 'seq 3 >&2; sleep 60'").ready(three).start()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stderr(&self) -> String {
        self.run.text(Some(Stream::Err))
    }

    /// What it has written to both so far, in order of arrival.
    ///
    /// ```
    /// use pkit_test::{ready, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let both = ready::poll(|view| view.output().lines().count() == 2);
    /// simple("sh -c 'echo one; echo two >&2; sleep 60'").ready(both).start()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn output(&self) -> String {
        self.run.text(None)
    }

    /// How long one try should take at most: for the timeouts of a client. More than zero, and no longer than 2 s, so
    /// that a server that has swallowed one question is asked another one.
    ///
    /// A closure that takes longer delays no answer that is known already: the end of the process, or of the time for the
    /// start, is noticed at once, and the closure is left behind.
    ///
    /// ```
    /// use std::net::TcpStream;
    /// use pkit_test::{ready, tcp};
    /// # fn main() -> pkit_test::Result<()> {
    /// let accepts = ready::poll(|view| TcpStream::connect_timeout(&view.addr(), view.patience()).map(drop));
    /// tcp("python3 -m http.server --bind {host} {port}", 0).ready(accepts).start()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether the process itself listens at an address, and nobody else does.
    ///
    /// For an address that it has chosen itself. Of the ports that it was given this is looked after already: where somebody
    /// else listens on one of them, [`poll`](super::poll) does not even ask.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use pkit_test::{Spec, ready};
    /// # fn main() -> pkit_test::Result<()> {
    /// // It lets the system choose, and says what it got.
    /// let server = Spec::new("python3 -u -m http.server --bind 127.0.0.1 0").ready(ready::poll(|view| {
    ///     let port = view.stdout().split_once("port ")?.1.split(' ').next()?.parse().ok()?;
    ///     Some(view.owns(SocketAddr::from(([127, 0, 0, 1], port))))
    /// }));
    /// assert!(server.start()?.is_alive());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn owns(&self, addr: SocketAddr) -> bool {
        matches!(port::owner(&Diag::open(), addr, self.tree_root, false), Ok(Owner::Ours(_)))
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("name", &self.name).field("site", &self.site).finish_non_exhaustive()
    }
}
