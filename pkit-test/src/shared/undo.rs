//! What undoes what a test has made of a shared server: data, for it has to happen also when the test was killed.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
#[cfg(feature = "function")]
use std::process::Termination;
use std::time::Duration;

use super::seat::Seat;
use crate::error::{Error, Kind, Result};
#[cfg(feature = "function")]
use crate::function::{Callable, callee_of_errand};
use crate::guardian::lease::Lease;
#[cfg(feature = "function")]
use crate::guardian::protocol::FunctionOrder;
use crate::guardian::protocol::Launch;
#[cfg(feature = "function")]
use crate::parcel::{Parcel, Surroundings};
use crate::spec::{Expected, Spec};
#[cfg(feature = "function")]
use crate::sys::{fresh, takeover};

/// What undoes what [`each`](crate::Shared::each) has made: a command, or a function of the test binary.
///
/// A command is any spec that has neither probes nor ports nor dependencies, as [`simple`](crate::simple) and
/// [`finished`](crate::finished) make it. It runs in the environment of the test that has written it, from the directory of that,
/// and its holes are filled before anything is made: those of the shared server, as its own, and `{seat}` and `{slot}`. With
/// [`user`](Spec::user) it runs in `/`, if it does not say otherwise. With the feature `function`, [`undo`] makes one of a function.
///
/// Both have to end with exit code 0, in their [`start_timeout`](Spec::start_timeout) of 30 s, or in that which
/// [`timeout`](Undo::timeout) says; else the test fails. And both have to be content if there is nothing to undo: the test may have
/// been killed before it had made anything.
///
/// ```
/// use pkit_test::{Undo, sh, simple};
/// let undo = Undo::from(simple("dropdb --if-exists -p {port} {seat}"));
/// assert!(format!("{undo:?}").starts_with("simple(\"dropdb --if-exists -p {port} {seat}\")"));
/// let _in_two_steps: Undo = simple(sh("rm -rf {dir}/{seat} && rm -f {dir}/{seat}.lock")).into();
/// ```
#[derive(Clone)]
#[must_use = "it undoes nothing until it is given to `each`"]
pub struct Undo {
    spec: Spec,
}

/// What is sent to where it will run.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) launch: Launch,
    #[cfg(feature = "function")]
    pub(super) parcel: Option<Parcel>,
    pub(super) limit: Duration,
    /// For people: as it was written, what runs, and as whom.
    pub(super) shown: String,
    pub(super) ran: String,
    pub(super) user: Option<String>,
}

impl Undo {
    /// How long it may take. Then it is stopped, and the test fails.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Undo, simple};
    /// let _undo = Undo::from(simple("dropdb {seat}")).timeout(Duration::from_secs(5));
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Undo {
        self.spec = self.spec.start_timeout(timeout);
        self
    }

    /// With nothing left to be known.
    pub(super) fn resolve(&self, seat: &Seat) -> Result<Resolved> {
        let name = format!("undo of {}", seat.name());
        self.refuse_what_it_cannot_be(&name)?;
        let spec = self.called_with(seat);
        let errand = spec.errand(&name, &mut |hole| seat.fill(hole));
        let errand = errand.map_err(|error| if error.is_spec() { error.fact("undo", spec.shown()) } else { error })?;
        let (shown, limit, user) = (spec.shown(), spec.errand_limit(), spec.user.clone());
        #[cfg(feature = "function")]
        let (function, parcel) = (order_of(&spec), packed(&spec, seat)?);
        #[cfg(not(feature = "function"))]
        let function = None;
        let launch = Launch { function, ..errand.launch };
        Ok(Resolved {
            launch,
            #[cfg(feature = "function")]
            parcel,
            limit,
            shown,
            ran: errand.ran,
            user,
        })
    }

    /// Nobody waits for it to be ready, nothing of ours is beside it, and no closure of this process is there.
    fn refuse_what_it_cannot_be(&self, name: &str) -> Result<()> {
        let spec = &self.spec;
        let is_step = spec.ready.iter().all(|ready| ready.exit_code() == Some(0));
        let ends_well = matches!(spec.expects, Expected::Nothing | Expected::Return | Expected::Code(0));
        let isolations = spec.isolations;
        let wrong = [
            (!is_step, "it has a probe: it is no server, but a step, which is over when it has ended"),
            (!ends_well, "it is to end with exit code 0, and nothing else"),
            (!spec.ports.is_empty() || spec.host.is_some(), "it has a port or a host: those are the shared server's"),
            (!spec.after.is_empty(), "it comes after another process, which would be gone by then"),
            (isolations.pid || isolations.net, "it is isolated, and could not reach what it is to undo"),
            (spec.supervision.is_some(), "it is supervised: it runs once"),
            (!spec.on_start.is_empty() || !spec.on_exit.is_empty(), "it has a callback, and the test may be gone then"),
        ];
        let why = wrong.into_iter().find(|(is_wrong, _)| *is_wrong);
        why.map_or(Ok(()), |(_, why)| {
            Err(Error::new(Kind::Spec, format!("`{name}` cannot be run: {why}")).fact("spec", spec.shown()))
        })
    }

    #[cfg(feature = "function")]
    fn called_with(&self, seat: &Seat) -> Spec {
        let mut spec = self.spec.clone();
        if let crate::spec::Body::Function(callee) = &mut spec.body {
            if callee.arguments.is_ok() {
                callee.arguments = crate::function::encode(seat);
            }
        }
        spec
    }

    #[cfg(not(feature = "function"))]
    fn called_with(&self, _: &Seat) -> Spec {
        self.spec.clone()
    }
}

impl Resolved {
    /// From here on it is undone when the lease ends, however.
    pub(super) fn register(&self, lease: &Lease) -> Result<()> {
        let passed = |error| Error::system(format_args!("what runs {} was not passed on", self.launch.name), error);
        let (slate, binary) = self.gifts().map_err(passed)?;
        lease.undo(&self.launch, self.limit, slate, binary)
    }

    #[cfg(feature = "function")]
    fn gifts(&self) -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
        let slate = self.parcel.as_ref().map(Parcel::descriptor).transpose()?;
        let binary = slate.as_ref().map(|_| takeover::own_binary()).transpose()?;
        Ok((slate, binary))
    }

    #[cfg(not(feature = "function"))]
    fn gifts(&self) -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
        Ok((None, None))
    }
}

/// By the descriptor of this binary: it may be another one than that of the guardian there.
#[cfg(feature = "function")]
fn order_of(spec: &Spec) -> Option<FunctionOrder> {
    let callee = spec.callee()?;
    let (entry, name) = (fresh::offset_of(callee.entry), callee.name.clone());
    Some(FunctionOrder { entry, name, by_exec: true, has_binary: true })
}

#[cfg(feature = "function")]
fn packed(spec: &Spec, seat: &Seat) -> Result<Option<Parcel>> {
    let Some((callee, arguments)) = spec.callee().and_then(|callee| Some((callee, callee.arguments.as_ref().ok()?)))
    else {
        return Ok(None);
    };
    let (pointer, own) = (callee.pointer, seat.address());
    let surroundings = Surroundings { pointer, waits_for_ready: false, own, peers: Vec::new() };
    let parcel = Parcel::pack(arguments, &surroundings);
    parcel.map(Some).map_err(|error| Error::system("the seat of a test was not passed on to what undoes", error))
}

impl From<Spec> for Undo {
    fn from(spec: Spec) -> Undo {
        Undo { spec }
    }
}

/// What [`each`](crate::Shared::each) takes for its undo: a command, or what [`undo`](fn@crate::undo) has made of a function.
///
/// ```
/// use pkit_test::{Each, IntoUndo, Process, Spec, simple};
///
/// /// A directory for each test.
/// fn directories(server: Spec, undo: impl IntoUndo) -> Each<Spec, ()> {
///     server.shared().each(|server: &Process, seat| std::fs::create_dir(server.dir().join(seat.id())), undo)
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let one = directories(simple("sleep 60"), simple("rm -rf {dir}/{seat}")).start()?;
/// assert!(one.seat().dir().join(one.seat().id()).is_dir());
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot undo anything",
    label = "neither a command nor a function made with `undo`",
    note = "what undoes also runs when the test was killed, so in a process of its own: `simple(\"dropdb {{seat}}\")`, or \
            `undo(|seat: Seat| …)`"
)]
pub trait IntoUndo {
    #[doc(hidden)]
    fn into_undo(self) -> Undo;
}

impl IntoUndo for Undo {
    fn into_undo(self) -> Undo {
        self
    }
}

impl IntoUndo for Spec {
    fn into_undo(self) -> Undo {
        self.into()
    }
}

/// A function that undoes what [`each`](crate::Shared::each) has made for a test.
///
/// It is called with the [`Seat`] of that test, in a process of its own, which is the binary that the function is in, executed
/// anew: so it runs as well when the test was killed. As `main` it may return a `Result`, of which an error fails the test.
/// [`current`](crate::current) says in it where the shared server is.
///
/// ```
/// use std::fs;
/// use pkit_test::{Process, Seat, View, simple, undo, with_processes};
///
/// fn remove(seat: Seat) -> std::io::Result<()> {
///     fs::remove_dir_all(seat.dir().join(seat.id()))
/// }
///
/// #[with_processes(store = simple("sleep 60").shared().each(
///     |store: &Process, seat| fs::create_dir(store.dir().join(seat.id())),
///     undo(remove),
/// ))]
/// fn has_a_directory_of_its_own(store: View<()>) -> pkit_test::Result<()> {
///     let own = store.seat().dir().join(store.seat().id());
///     assert!(own.is_dir());
///     store.undo()?;
///     assert!(!own.exists());
///     Ok(())
/// }
/// # has_a_directory_of_its_own().unwrap();
/// ```
#[cfg(feature = "function")]
#[track_caller]
pub fn undo<F, M>(function: F) -> Undo
where
    F: Callable<Seat, M>,
    F::Output: Termination,
    M: 'static,
{
    Undo { spec: Spec::calling(callee_of_errand::<F, Seat, M>(function, "Seat"), "undo") }
}

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::sh;
    use crate::isolation::Isolation;
    use crate::spec::{finished, simple, tcp};
    use crate::supervise::Supervision;

    fn seat() -> Seat {
        Seat::new("db", (0, 1), [("port".to_owned(), "4000".to_owned())])
    }

    fn refused(undo: impl Into<Undo>) -> String {
        let error = undo.into().resolve(&seat()).expect_err("refused");
        assert!(error.is_spec(), "{error}");
        error.title().to_owned()
    }

    #[test]
    fn a_step_is_resolved_whole() {
        for undo in
            [simple("true {seat} {port}"), finished("true {seat} {port}"), simple("true {seat} {port}").expect_exit(0)]
        {
            let resolved = Undo::from(undo).timeout(Duration::from_secs(3)).resolve(&seat()).unwrap();
            assert_eq!(resolved.launch.arguments, [&b"true"[..], b"test_1", b"4000"]);
            assert_eq!(resolved.launch.name, "undo of db");
            assert!(resolved.launch.function.is_none() && resolved.limit >= Duration::from_secs(3));
        }
        assert_eq!(Undo::from(simple(sh("a; b"))).resolve(&seat()).unwrap().user, None);
    }

    #[test]
    fn what_is_no_step_is_refused() {
        let step = || simple("true");
        for (undo, why) in [
            (tcp("true {port}", 0), "a probe"),
            (step().port("peer"), "a port"),
            (step().after("db"), "comes after"),
            (step().isolate(Isolation::Pid), "isolated"),
            (step().supervise(Supervision::permanent()), "supervised"),
            (step().on_exit(|_, _| {}), "a callback"),
            (step().may_exit(), "exit code 0"),
            (step().expect_exit(3), "exit code 0"),
            (simple("true {api.port}"), "means nothing in its undo"),
            (simple("'"), "was not started"),
        ] {
            let title = refused(undo);
            assert!(title.contains(why), "{title}");
        }
    }

    #[cfg(feature = "function")]
    #[test]
    fn a_function_is_called_with_the_seat() {
        fn work(_: Seat) -> Result<(), String> {
            Ok(())
        }
        let resolved = undo(work).resolve(&seat()).unwrap();
        assert!(resolved.launch.function.is_some_and(|function| function.has_binary && function.name == "work"));
        assert!(resolved.parcel.is_some());
        assert!(resolved.shown.starts_with("undo(work, Seat)   "), "{}", resolved.shown);
    }
}
