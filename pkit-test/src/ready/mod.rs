//! When is a process ready? One question a probe.
//!
//! A probe that fails says "not yet", never "failed": the deadline belongs to the start, which also watches the
//! process itself, so that no probe waits for one that has ended.
//!
//! ```
//! use pkit_test::{Spec, ready};
//! # fn main() -> pkit_test::Result<()> {
//! let server = Spec::new("python3 -u -m http.server --bind {host} {port}")
//!     .ready(ready::Output::stdout("Serving HTTP"))
//!     .ready(ready::Http::get("/").status(200))
//!     .start()?;
//! assert!(server.output().contains("GET / HTTP/1.1"));
//! # Ok(()) }
//! ```

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::guardian::run::Run;
use crate::template::{Hole, Template};

mod http;
mod http_exchange;
mod output;
mod tcp;

pub use http::Http;
pub use output::Output;
pub(crate) use output::{Found, Search, Seen};
pub use tcp::Tcp;

/// A probe of any kind, for [`Spec::ready`](crate::Spec::ready). Each kind turns into it by itself.
///
/// ```
/// use pkit_test::{Spec, ready::{Output, Ready, Tcp}};
/// # fn main() -> pkit_test::Result<()> {
/// let probes: [Ready; 2] = [Tcp::any().into(), Output::any("^Serving").into()];
/// let spec = Spec::new("python3 -u -m http.server --bind {host} {port}");
/// let server = probes.into_iter().fold(spec, Spec::ready).start()?;
/// assert!(server.output().starts_with("Serving"));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Ready {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Tcp(Tcp),
    Http(Http),
    Output(Output),
}

impl From<Tcp> for Ready {
    fn from(probe: Tcp) -> Ready {
        Ready { kind: Kind::Tcp(probe) }
    }
}

impl From<Http> for Ready {
    fn from(probe: Http) -> Ready {
        Ready { kind: Kind::Http(probe) }
    }
}

impl From<Output> for Ready {
    fn from(probe: Output) -> Ready {
        Ready { kind: Kind::Output(probe) }
    }
}

impl Ready {
    /// The holes of it; not those of a regex.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole> {
        let templates = match &self.kind {
            Kind::Http(probe) => probe.templates(),
            Kind::Tcp(_) | Kind::Output(_) => Vec::new(),
        };
        templates.into_iter().flat_map(Template::holes)
    }

    /// The holes that its regex has where their names are known.
    pub(crate) fn regex_holes(&self) -> Vec<Hole> {
        match &self.kind {
            Kind::Output(probe) => probe.holes(),
            Kind::Tcp(_) | Kind::Http(_) => Vec::new(),
        }
    }

    /// What makes it meaningless on any machine.
    pub(crate) fn mistake(&self) -> Option<String> {
        match &self.kind {
            Kind::Http(probe) => probe.mistake(),
            Kind::Output(probe) => probe.mistake(),
            Kind::Tcp(_) => None,
        }
    }

    /// The ports of the process itself that it looks at, by name.
    pub(crate) fn own_port(&self) -> Option<&str> {
        match &self.kind {
            Kind::Tcp(probe) => Some(probe.port_name()),
            Kind::Http(probe) => probe.own_port(),
            Kind::Output(_) => None,
        }
    }

    /// Makes the probe for one start, its holes filled.
    pub(crate) fn prepare<E>(&self, site: &Site, fill: &mut Fill<'_, E>) -> Result<Box<dyn Probe>, Unprepared<E>> {
        match &self.kind {
            Kind::Tcp(probe) => probe.prepare(site).map(boxed).map_err(Unprepared::Mistake),
            Kind::Http(probe) => probe.prepare(site, fill).map(boxed),
            Kind::Output(probe) => probe.prepare(fill).map(boxed),
        }
    }
}

fn boxed(probe: impl Probe + 'static) -> Box<dyn Probe> {
    Box::new(probe)
}

/// How holes are filled at a start.
pub(crate) struct Fill<'a, E> {
    pub(crate) lookup: &'a mut dyn FnMut(&Hole) -> Result<String, E>,
    /// Whether a name means something here, for a regex.
    pub(crate) is_known: &'a dyn Fn(&str) -> bool,
}

/// Why there is no probe.
pub(crate) enum Unprepared<E> {
    Hole(E),
    Mistake(String),
}

/// Where the process is to be found.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) host: IpAddr,
    /// The ports by name; the one without a name is its own.
    pub(crate) ports: Vec<(String, u16)>,
    pub(crate) any_owner: bool,
    /// Where somebody listened before it was started.
    pub(crate) served: Vec<SocketAddr>,
}

impl Site {
    pub(crate) fn address(&self, port_name: &str) -> Option<SocketAddr> {
        let (_, port) = self.ports.iter().find(|(name, _)| name == port_name)?;
        Some(SocketAddr::new(self.host, *port))
    }
}

/// One question, for one start.
pub(crate) trait Probe: Send {
    /// Looks once. The reason of a "not yet" is for the error at the deadline.
    fn look(&mut self, view: &View<'_>) -> Look;

    /// The question, for people.
    fn question(&self) -> String;

    /// An address on this machine that it asks and that nobody has reserved: whether somebody is there already is to be
    /// known before the process is started.
    fn unreserved(&self) -> Option<SocketAddr> {
        None
    }
}

/// What a look gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    Ready,
    /// Not yet. Look again after a pause.
    NotYet(String),
    /// Not yet. Look again at once: there is more than was looked at.
    More(String),
    /// Not yet. Look again when the process has written more than this.
    AfterOutput(u64, String),
    /// The port is somebody else's. It may become ours.
    Foreign(String),
}

/// What a probe can see of a process.
pub(crate) struct View<'a> {
    pub(crate) run: &'a Run,
    /// Everything below this process is the service.
    pub(crate) tree_root: i32,
    /// How long one exchange may take.
    pub(crate) patience: Duration,
    /// Whether it is worth while to go on.
    pub(crate) is_over: &'a dyn Fn() -> bool,
}
