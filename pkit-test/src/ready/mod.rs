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
//! | probe | holds when | looks |
//! |---|---|---|
//! | [`Tcp`] | the process itself listens at its port | at growing pauses, 0.2 to 12 ms; the server sees no connection |
//! | [`Http`] | a request is answered as it should be | as above, by a request a time |
//! | [`UnixSocket`] | the process itself listens at a unix socket | when the file changes; the server sees no connection |
//! | [`File`] | a file is there, or says something, that did not before | when the file changes |
//! | [`Output`] | a line that it writes matches a regex | when it writes |
//! | [`Notify`] | it says so itself, as services tell systemd | when it says something |
//! | [`Finished`] | it has ended with an exit code | when it ends |
//! | [`Said`] | a function calls `current().ready()` | when it does |
//! | [`Exec`] | a command ends with exit code 0 | again and again |
//! | [`poll`] | a closure of yours says so | again and again |
//!
//! Of several all have to hold, in any order.
//!
//! A command that knows is a probe as well: [`Exec`] asks `pg_isready` or `redis-cli ping`, and nothing of a try outlives it.
//!
//! A probe of your own is a closure, and [`poll`] makes it one. There is no trait to implement: what a probe has to do
//! besides looking (to wait no longer than the process lives, to be asked again, to be cloned with its spec) is done for it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::guardian::run::{Phase, Run};
use crate::limits::{HTTP_LAST_TRY, TRY_THAT_TELLS};
use crate::parcel::{Parcel, Stage};
use crate::sys::bell::Bell;
use crate::sys::letterbox::Letterbox;
use crate::template::{Hole, Template};

mod begun;
mod exec;
mod file;
mod finished;
mod http;
pub(crate) mod http_exchange;
mod notify;
mod output;
mod poll;
mod round;
mod tcp;
mod unix;
mod view;

pub(crate) use begun::Begun;
pub use begun::Said;
pub use exec::Exec;
pub use file::File;
pub use finished::Finished;
pub use http::{Body, Http, Statuses};
pub use notify::Notify;
pub(crate) use notify::VARIABLE as NOTIFY_SOCKET;
#[cfg(any(test, pkit_fuzz))]
pub(crate) use notify::heard;
pub use output::Output;
pub(crate) use output::{Found, Search, Seen};
pub use poll::{Answer, Poll, poll};
pub(crate) use round::Round;
pub use tcp::Tcp;
pub use unix::UnixSocket;
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
    UnixSocket(UnixSocket),
    File(File),
    Notify(Notify),
    Said(Said),
}

impl From<UnixSocket> for Ready {
    fn from(probe: UnixSocket) -> Ready {
        Ready { kind: Kind::UnixSocket(probe) }
    }
}

impl From<File> for Ready {
    fn from(probe: File) -> Ready {
        Ready { kind: Kind::File(probe) }
    }
}

impl From<Notify> for Ready {
    fn from(probe: Notify) -> Ready {
        Ready { kind: Kind::Notify(probe) }
    }
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
            Kind::UnixSocket(probe) => probe.templates().into_iter().flat_map(Template::holes).collect(),
            Kind::File(probe) => probe.templates().into_iter().flat_map(Template::holes).collect(),
            Kind::Exec(probe) => probe.holes().collect(),
            _ => Vec::new(),
        };
        holes.into_iter()
    }

    /// The holes that its regex has where their names are known.
    pub(crate) fn regex_holes(&self) -> Vec<Hole> {
        match &self.kind {
            Kind::Output(probe) => probe.holes(),
            Kind::Http(probe) => probe.regex_holes(),
            Kind::File(probe) => probe.regex_holes(),
            _ => Vec::new(),
        }
    }

    /// What makes it meaningless on any machine.
    pub(crate) fn mistake(&self) -> Option<String> {
        match &self.kind {
            Kind::Http(probe) => probe.mistake(),
            Kind::Output(probe) => probe.mistake(),
            Kind::UnixSocket(probe) => probe.mistake(),
            Kind::File(probe) => probe.mistake(),
            Kind::Exec(probe) => probe.mistake(),
            _ => None,
        }
    }

    /// The ports of the process itself that it looks at, by name.
    pub(crate) fn own_port(&self) -> Option<&str> {
        match &self.kind {
            Kind::Tcp(probe) => Some(probe.port_name()),
            Kind::Http(probe) => probe.own_port(),
            _ => None,
        }
    }

    /// The environment variable that tells the process of it, which there can be only once.
    pub(crate) fn variable(&self) -> Option<&'static str> {
        matches!(self.kind, Kind::Notify(_)).then_some(notify::VARIABLE)
    }

    /// Whether it waits for a word of the function itself.
    pub(crate) fn is_said(&self) -> bool {
        matches!(self.kind, Kind::Said(_))
    }

    /// The exit code with which it has to end to be ready.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match &self.kind {
            Kind::Finished(probe) => Some(probe.expected()),
            _ => None,
        }
    }

    /// What makes two of them the same; nothing where it is a closure.
    pub(crate) fn identity(&self) -> Option<String> {
        // What each of them says of itself is all of it.
        (!matches!(self.kind, Kind::Poll(_))).then(|| format!("{:?}", self.kind))
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
            Kind::UnixSocket(probe) => probe.prepare(site, fill).map(boxed),
            Kind::File(probe) => probe.prepare(fill).map(boxed),
            Kind::Notify(probe) => probe.prepare(site, fill).map(boxed),
            Kind::Said(_) => Ok(boxed(Begun::new(site.parcel.clone(), Stage::SaidReady))),
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
    /// Where the process runs.
    pub(crate) cwd: &'a mut dyn FnMut() -> Result<PathBuf, E>,
    /// Makes a probe of a command: what it needs for that is known only above.
    pub(crate) exec: &'a dyn Fn(&Exec) -> Made<E>,
}

impl<E> Fill<'_, E> {
    /// A path as the process means it: one that is relative, from where it runs.
    fn absolute(&mut self, path: &str) -> Result<PathBuf, Unprepared<E>> {
        if Path::new(path).is_absolute() {
            return Ok(path.into());
        }
        (self.cwd)().map(|cwd| cwd.join(path)).map_err(Unprepared::Hole)
    }
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
    /// What a function is given, and says by.
    pub(crate) parcel: Option<Arc<Parcel>>,
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

/// Why a start cannot begin: what a probe finds before anything of it runs.
#[derive(Debug)]
pub(crate) enum Unarmed {
    Mistake(String),
    /// What it is to serve is somebody else's.
    Taken(String),
    /// What we were doing, and the error.
    System(String, io::Error),
}

/// Whether a try that was cut short says less than what was seen before it: it had no more time than others have needed, on
/// a machine that may be busy.
pub(crate) fn says_less(took: Duration, longest: Duration) -> bool {
    took < TRY_THAT_TELLS.max(longest * 2)
}

/// When a try that began then is cut short. One that is made right before the deadline has a moment all the same.
pub(crate) fn end_of_try(began: Instant, deadline: Instant) -> Instant {
    deadline.max(began + HTTP_LAST_TRY)
}

/// How long it had. Whoever has stood still since then did not give it more.
pub(crate) fn time_of_try(began: Instant, now: Instant, deadline: Instant) -> Duration {
    now.min(end_of_try(began, deadline)).saturating_duration_since(began)
}

/// One question, for one start.
pub(crate) trait Probe: Send {
    /// Sees how things are before anything of the run is there, and is ready for all that happens from its first moment on.
    fn arm(&mut self) -> Result<(), Unarmed> {
        Ok(())
    }

    /// Looks once. The reason of a "not yet" is for the error at the deadline.
    fn look(&mut self, sight: &Sight<'_>) -> Look;

    /// What has something to read when it is worth while to look again, after a [`Look::AtEvent`].
    fn events(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Whether there may be something to see without such an event.
    fn may_miss_events(&self) -> bool {
        false
    }

    /// Where it wants a bell that rings with each output.
    fn bell(&mut self) -> Option<&mut Option<Arc<Bell>>> {
        None
    }

    /// What the process is told of it in its environment.
    fn variable(&self) -> Option<(&'static str, &Path)> {
        None
    }

    /// Where others may be met, for people.
    fn door(&self) -> &'static str {
        "port"
    }

    /// What has to stay open beyond the wait, for as long as the run lives.
    fn rest(self: Box<Self>) -> Option<Letterbox> {
        None
    }

    /// The question, for people.
    fn question(&self) -> String;

    /// The addresses that it asks.
    fn addresses(&self) -> Vec<SocketAddr> {
        self.local_addresses()
    }

    /// Those on this machine: whether somebody is there already is to be known before the process
    /// is started.
    fn local_addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// Whether what it has found may be undone: a line that was written stays written, a listener may be closed.
    fn can_lapse(&self) -> bool {
        false
    }

    /// Whether what it has found counts also where the process has ended since.
    fn outlives_the_process(&self) -> bool {
        false
    }

    /// Looks whether it still holds, now that all the others of the spec do too.
    fn look_again(&mut self, _sight: &Sight<'_>) -> Look {
        Look::Ready
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
    /// Not yet, but it has begun: the pauses grow from here on anew.
    Begun(String),
    /// Not yet. Look again when there is an event of the probe, or one of the run: without the first only the second counts.
    AtEvent(String),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_has_no_more_time_because_we_stood_still() {
        let (began, ms) = (Instant::now(), Duration::from_millis);
        let had = |took, left| time_of_try(began, began + ms(took), began + ms(left));
        assert_eq!(had(20, 500), ms(20));
        assert_eq!(had(3000, 500), ms(500));
        assert!(says_less(had(3000, 500), ms(50)) && !says_less(had(3000, 4000), ms(50)));
        assert_eq!([had(3000, 10), had(40, 10)], [HTTP_LAST_TRY, ms(40)]);
    }
}
