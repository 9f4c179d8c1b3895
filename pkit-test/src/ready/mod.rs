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
//!
//! A command that knows is a probe as well: [`Exec`] asks `pg_isready` or `redis-cli ping`, and nothing of a try outlives it.
//!
//! A probe of your own is a closure, and [`poll`] makes it one. There is no trait to implement: what a probe has to do
//! besides looking (to wait no longer than the process lives, to be asked again, to be cloned with its spec) is done for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::guardian::run::{Phase, Run};
use crate::limits::TRY_THAT_TELLS;
use crate::template::{Hole, Template};

mod exec;
mod finished;
mod http;
mod http_exchange;
mod output;
mod poll;
mod tcp;
mod view;

pub use exec::Exec;
pub use finished::Finished;
pub use http::{Body, Http, Statuses};
pub use output::Output;
pub(crate) use output::{Found, Search, Seen};
pub use poll::{Answer, Poll, poll};
pub use tcp::Tcp;
pub(crate) use view::Around;
pub use view::View;

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
    Finished(Finished),
    Exec(Box<Exec>),
    Poll(Poll),
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

impl From<Finished> for Ready {
    fn from(probe: Finished) -> Ready {
        Ready { kind: Kind::Finished(probe) }
    }
}

impl From<Exec> for Ready {
    fn from(probe: Exec) -> Ready {
        Ready { kind: Kind::Exec(Box::new(probe)) }
    }
}

impl From<Poll> for Ready {
    fn from(probe: Poll) -> Ready {
        Ready { kind: Kind::Poll(probe) }
    }
}

impl Ready {
    /// The holes of it; not those of a regex.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole> {
        let holes: Vec<&Hole> = match &self.kind {
            Kind::Http(probe) => probe.templates().into_iter().flat_map(Template::holes).collect(),
            Kind::Exec(probe) => probe.holes().collect(),
            Kind::Tcp(_) | Kind::Output(_) | Kind::Finished(_) | Kind::Poll(_) => Vec::new(),
        };
        holes.into_iter()
    }

    /// The holes that its regex has where their names are known.
    pub(crate) fn regex_holes(&self) -> Vec<Hole> {
        match &self.kind {
            Kind::Output(probe) => probe.holes(),
            Kind::Http(probe) => probe.regex_holes(),
            Kind::Tcp(_) | Kind::Finished(_) | Kind::Exec(_) | Kind::Poll(_) => Vec::new(),
        }
    }

    /// What makes it meaningless on any machine.
    pub(crate) fn mistake(&self) -> Option<String> {
        match &self.kind {
            Kind::Http(probe) => probe.mistake(),
            Kind::Output(probe) => probe.mistake(),
            Kind::Exec(probe) => probe.mistake(),
            Kind::Tcp(_) | Kind::Finished(_) | Kind::Poll(_) => None,
        }
    }

    /// The ports of the process itself that it looks at, by name.
    pub(crate) fn own_port(&self) -> Option<&str> {
        match &self.kind {
            Kind::Tcp(probe) => Some(probe.port_name()),
            Kind::Http(probe) => probe.own_port(),
            Kind::Output(_) | Kind::Finished(_) | Kind::Exec(_) | Kind::Poll(_) => None,
        }
    }

    /// The exit code with which it has to end to be ready.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match &self.kind {
            Kind::Finished(probe) => Some(probe.expected()),
            _ => None,
        }
    }

    /// Makes the probe for one start, its holes filled.
    pub(crate) fn prepare<E>(&self, site: &Site, fill: &mut Fill<'_, E>) -> Result<Box<dyn Probe>, Unprepared<E>> {
        match &self.kind {
            Kind::Tcp(probe) => probe.prepare(site).map(boxed).map_err(Unprepared::Mistake),
            Kind::Http(probe) => probe.prepare(site, fill).map(boxed),
            Kind::Output(probe) => probe.prepare(fill).map(boxed),
            Kind::Finished(probe) => Ok(boxed(*probe)),
            Kind::Exec(probe) => (fill.exec)(probe).map_err(Unprepared::Hole),
            Kind::Poll(probe) => Ok(boxed(probe.prepare(site))),
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
    /// Makes a probe of a command: what it needs for that is known only above.
    pub(crate) exec: &'a dyn Fn(&Exec) -> Made<E>,
}

/// A probe for one start, or why a hole of it means nothing.
type Made<E> = Result<Box<dyn Probe>, E>;

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

/// The address of a port that somebody asks for by name, who is told what declares one where there is none.
#[track_caller]
pub(crate) fn known_address(address: Option<SocketAddr>, process: &str, port_name: &str) -> SocketAddr {
    match address {
        Some(address) => address,
        None if port_name.is_empty() => panic!("`{process}` has no port: nothing in its spec asks for one"),
        None => panic!("`{process}` has no port `{port_name}`: `.port({port_name:?})` declares one"),
    }
}

/// The URL of a path, with a slash before it.
pub(crate) fn url_of(address: SocketAddr, path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("http://{address}{slash}{path}")
}

/// Whether a try that was cut short says less than what was seen before it: it had no more time than others have needed, on
/// a machine that may be busy.
pub(crate) fn says_less(took: Duration, longest: Duration) -> bool {
    took < TRY_THAT_TELLS.max(longest * 2)
}

/// One question, for one start.
pub(crate) trait Probe: Send {
    /// Looks once. The reason of a "not yet" is for the error at the deadline.
    fn look(&mut self, sight: &Sight<'_>) -> Look;

    /// The question, for people.
    fn question(&self) -> String;

    /// The addresses that it asks.
    fn addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// Those on this machine that nobody has reserved: whether somebody is there already is to be known before the process
    /// is started.
    fn unreserved(&self) -> Vec<SocketAddr> {
        Vec::new()
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
    /// Not yet, and only its end can change that.
    AtEnd(String),
    /// The port is somebody else's. It may become ours.
    Foreign(String),
    /// The question is still open.
    Unanswered(String),
    /// There will never be an answer.
    Broken(String),
}

/// What a probe is given to look with.
pub(crate) struct Sight<'a> {
    pub(crate) name: &'a str,
    pub(crate) run: &'a Arc<Run>,
    /// Everything below this process is the service.
    pub(crate) tree_root: i32,
    /// How long one exchange may take.
    pub(crate) patience: Duration,
    /// When the time for the start is over.
    pub(crate) deadline: Instant,
    /// Whether it is worth while to go on.
    pub(crate) is_over: &'a dyn Fn() -> bool,
    /// Whether no answer changes anything any more, in that phase. To be asked also while the state of the run is locked.
    pub(crate) is_moot: &'a dyn Fn(Phase) -> bool,
    pub(crate) around: Weak<dyn Around>,
}

impl Sight<'_> {
    /// The same for a closure, which may outlive the start.
    fn view(&self, site: &Arc<Site>) -> View {
        View {
            name: self.name.into(),
            site: Arc::clone(site),
            run: Arc::clone(self.run),
            tree_root: self.tree_root,
            patience: self.patience,
            around: Weak::clone(&self.around),
        }
    }
}
