//! What to run and when it is ready: a value that does nothing until it is started.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::command::Command;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::handle::Process;
use crate::isolation::Isolations;
use crate::limits::{START_TIMEOUT, STOP_TIMEOUT};
use crate::ready::{File, Finished, Http, Notify, Output, Ready, Tcp, UnixSocket};
use crate::signal::Signal;
use crate::supervise::Supervision;
use crate::template::{Hole, Template, is_name};

mod body;
mod surroundings;
mod life;

pub(crate) use body::Body;

/// What to run and when it is ready.
///
/// A spec is a value: it can be cloned, returned from functions and started as often as you like, and it does nothing
/// until it is. Mistakes in it (an unbalanced quote, an invalid regex) are errors of the start, with the place where
/// the spec was written.
///
/// ```
/// use pkit_test::tcp;
/// # fn main() -> pkit_test::Result<()> {
/// let server = tcp("python3 -m http.server --bind {host} {port}", 0)
///     .env("PYTHONUNBUFFERED", "1")
///     .start()?;
/// assert!(std::net::TcpStream::connect(server.addr()).is_ok());
/// # Ok(()) }
/// ```
/// What it starts is a [`Process`], unless it runs a [`function()`](crate::function()): then its handle is a
/// [`Worker`](crate::Worker), and everything else is the same.
#[must_use = "a spec does nothing until it is started"]
pub struct Spec<H = Process> {
    pub(crate) body: Body,
    pub(crate) written: Written,
    pub(crate) place: &'static Location<'static>,
    pub(crate) env: Vec<(String, Template)>,
    pub(crate) clears_env: bool,
    pub(crate) cwd: Option<Template>,
    pub(crate) stdin: Option<Vec<u8>>,
    pub(crate) user: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) ports: Vec<(String, u16)>,
    pub(crate) after: Vec<String>,
    pub(crate) ready: Vec<Ready>,
    pub(crate) start_timeout: Duration,
    pub(crate) stop_timeout: Duration,
    pub(crate) stop_signal: Signal,
    pub(crate) expects: Expected,
    pub(crate) must_stop_gracefully: bool,
    pub(crate) any_owner: bool,
    pub(crate) isolations: Isolations,
    pub(crate) supervision: Supervision,
    pub(crate) on_start: Vec<OnStart>,
    pub(crate) on_exit: Vec<OnExit>,
    handle: PhantomData<fn() -> H>,
}

pub(crate) type OnStart = Arc<dyn Fn(&Process) + Send + Sync>;
pub(crate) type OnExit = Arc<dyn Fn(&Process, Exit) + Send + Sync>;

/// How the spec was written, for errors: the constructor and what followed the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    constructor: &'static str,
    rest: String,
}

/// Which exits are no failure although nobody asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// None.
    Nothing,
    /// That of a function which returns, at any time, or none.
    Return,
    /// Any, at any time, or none.
    MayExit,
    /// This code, before the end.
    Code(i32),
}

impl Expected {
    /// Whether this exit is no failure.
    pub(crate) fn covers(self, exit: Option<Exit>) -> bool {
        match self {
            Expected::Nothing => false,
            Expected::Return => exit.is_some_and(|exit| exit.success()),
            Expected::MayExit => true,
            Expected::Code(code) => exit.and_then(|exit| exit.code()) == Some(code),
        }
    }
}

/// Runs a command that is ready as soon as it runs: when the kernel has executed the program.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let sleeper = pkit_test::simple("sleep 60").start()?;
/// assert!(sleeper.is_alive());
/// # Ok(()) }
/// ```
#[track_caller]
pub fn simple(command: impl Into<Command>) -> Spec {
    Spec::written(command.into(), "simple", String::new())
}

/// Runs a command that is ready when a line of its output, finished or not, matches a regex.
///
/// Both streams are looked at, from the first byte. The syntax is that of the `regex-lite` crate; in it only names that
/// are known are holes, and their values are inserted escaped.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let worker = pkit_test::output("sh -c 'echo warming up; echo ready; sleep 60'", "^ready$").start()?;
/// assert_eq!(worker.stdout(), "warming up\nready\n");
/// assert!(worker.is_alive());
///
/// // A hole in the regex: its value is taken literally, dots and all.
/// let server = pkit_test::output("sh -c 'echo listening on {addr}; sleep 60'", "on {addr}$").start()?;
/// assert_eq!(server.stdout(), format!("listening on {}\n", server.addr()));
/// # Ok(()) }
/// ```
#[track_caller]
pub fn output(command: impl Into<Command>, regex: impl Into<String>) -> Spec {
    let regex = regex.into();
    let rest = format!(", {regex:?}");
    Spec::written(command.into(), "output", rest).ready(Output::any(regex))
}

/// Runs a server that is ready when it accepts connections on its port, and the listener is its own.
///
/// Port 0 means any free port; the command reads it from `{port}` or `{addr}`. The server is not connected to: it is
/// the kernel that is asked, so that no server has to cope with a connection that says nothing.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let server = pkit_test::tcp("python3 -m http.server --bind {host} {port}", 0).start()?;
/// assert_ne!(server.port(), 0);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn tcp(command: impl Into<Command>, port: u16) -> Spec {
    let mut spec = Spec::written(command.into(), "tcp", format!(", {port}")).ready(Tcp::any());
    spec.ports.push((String::new(), port));
    spec
}

/// Runs a server that is ready when it answers a GET with a status of 200 to 299.
///
/// The target is a path on the server's own port (any free one), or a full `http://` URL.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let server = pkit_test::http("python3 -m http.server --bind {host} {port}", "/").start()?;
/// assert!(server.url("/").starts_with("http://127.0.0.1:"));
/// # Ok(()) }
/// ```
#[track_caller]
pub fn http(command: impl Into<Command>, target: impl Into<String>) -> Spec {
    let target = target.into();
    let rest = format!(", {target:?}");
    let has_own_port = target.starts_with('/');
    let mut spec = Spec::written(command.into(), "http", rest).ready(Http::get(target));
    if has_own_port {
        spec.ports.push((String::new(), 0));
    }
    spec
}

/// Runs a server that is ready when it accepts connections on a unix socket, and the listener is its own.
///
/// Holes in the path are filled; a relative one is meant from where the server runs. `@name` is a name of the abstract
/// namespace. The server is not connected to. More of it says [`ready::UnixSocket`](crate::ready::UnixSocket).
///
/// ```
/// use std::os::unix::net::UnixStream;
/// # fn main() -> pkit_test::Result<()> {
/// const SERVER: &str = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('{dir}/s'); s.listen(); s.accept()";
/// let server = pkit_test::unix(["python3", "-c", SERVER], "{dir}/s").start()?;
/// assert!(UnixStream::connect(server.dir().join("s")).is_ok());
/// # Ok(()) }
/// ```
#[track_caller]
pub fn unix(command: impl Into<Command>, path: impl Into<String>) -> Spec {
    let path = path.into();
    let rest = format!(", {path:?}");
    Spec::written(command.into(), "unix", rest).ready(UnixSocket::at(path))
}

/// Runs a command that is ready when a file is there that was not there before, or has changed since.
///
/// Holes in the path are filled; a relative one is meant from where the command runs. An empty file counts: for one that is
/// written after it was made, [`ready::File`](crate::ready::File) asks for its content.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let server = pkit_test::file("sh -c 'echo $$ > {dir}/pid; exec sleep 60'", "{dir}/pid").start()?;
/// assert!(server.dir().join("pid").exists());
/// # Ok(()) }
/// ```
#[track_caller]
pub fn file(command: impl Into<Command>, path: impl Into<String>) -> Spec {
    let path = path.into();
    let rest = format!(", {path:?}");
    Spec::written(command.into(), "file", rest).ready(File::at(path))
}

/// Runs a service that says by itself when it is ready: `READY=1` to the socket that `$NOTIFY_SOCKET` names, as services
/// tell systemd.
///
/// ```
/// const SERVICE: &str = r#"
/// import os, socket, time
/// manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
/// manager.connect(os.environ["NOTIFY_SOCKET"])
/// print("warm", flush=True)
/// manager.send(b"STATUS=serving\nREADY=1\n")
/// time.sleep(60)
/// "#;
/// # fn main() -> pkit_test::Result<()> {
/// let service = pkit_test::notify(["python3", "-c", SERVICE]).start()?;
/// assert_eq!(service.stdout(), "warm\n");
/// # Ok(()) }
/// ```
#[track_caller]
pub fn notify(command: impl Into<Command>) -> Spec {
    Spec::written(command.into(), "notify", String::new()).ready(Notify::ready())
}

/// Runs a step that is ready when it has ended with exit code 0: what waits for it starts only then.
///
/// For a migration, a download, a check. It has to end within its [`start_timeout`](Spec::start_timeout); any other exit
/// is an error of the start, with the last words of it. Its handle is that of a process that has ended; to let others wait
/// for it, name it with [`after`](Spec::after) or in a hole.
///
/// ```
/// use pkit_test::{finished, orchestra, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let stack = orchestra()
///     .with("app", simple("cat {db.dir}/schema").after("migration").may_exit())
///     .with("migration", finished("sh -c 'echo version 7 > {db.dir}/schema'"))
///     .with("db", simple("sleep 60"))
///     .start()?;
/// stack["app"].wait()?;
/// assert_eq!(stack["app"].stdout(), "version 7\n");
///
/// let error = finished("sh -c 'echo no such table >&2; exit 1'").start().unwrap_err();
/// assert!(error.to_string().starts_with("`sh` did not finish with exit code 0\n"));
/// assert!(error.to_string().ends_with("\n  stderr: no such table"));
/// # Ok(()) }
/// ```
#[track_caller]
pub fn finished(command: impl Into<Command>) -> Spec {
    Spec::written(command.into(), "finished", String::new()).ready(Finished::success())
}

impl Spec {
    /// A command without any probe: ready as soon as it runs, until [`ready`](Spec::ready) says more.
    ///
    /// ```
    /// use pkit_test::{Spec, ready};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -u -m http.server --bind {host} {port}")
    ///     .ready(ready::Tcp::any())
    ///     .ready(ready::Output::stdout("^Serving HTTP"))
    ///     .start()?;
    /// assert!(server.output().contains(&server.port().to_string()));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn new(command: impl Into<Command>) -> Spec {
        Spec::written(command.into(), "Spec::new", String::new())
    }

    /// A program by its path, which is not split and has no holes.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let shell = pkit_test::Spec::program("/bin/sh").arg("-c").arg("exec sleep 60").start()?;
    /// assert!(shell.is_alive());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn program(path: impl Into<std::path::PathBuf>) -> Spec {
        Spec::written(Command::program(path), "Spec::program", String::new())
    }

    #[track_caller]
    fn written(command: Command, constructor: &'static str, rest: String) -> Spec {
        Spec::of(Body::Program(command), Written { constructor, rest })
    }

    pub(crate) fn map_command(mut self, change: impl FnOnce(Command) -> Command) -> Spec {
        if let Body::Program(command) = self.body {
            self.body = Body::Program(change(command));
        }
        self
    }
}

impl<H> Spec<H> {
    #[track_caller]
    fn of(body: Body, written: Written) -> Spec<H> {
        Spec {
            body,
            written,
            place: Location::caller(),
            env: Vec::new(),
            clears_env: false,
            cwd: None,
            stdin: None,
            user: None,
            host: None,
            ports: Vec::new(),
            after: Vec::new(),
            ready: Vec::new(),
            start_timeout: START_TIMEOUT,
            stop_timeout: STOP_TIMEOUT,
            stop_signal: Signal::Term,
            expects: Expected::Nothing,
            must_stop_gracefully: false,
            any_owner: false,
            isolations: Isolations::default(),
            supervision: Supervision::temporary(),
            on_start: Vec::new(),
            on_exit: Vec::new(),
            handle: PhantomData,
        }
    }

    /// The name where nobody gave one: that of the program.
    pub(crate) fn own_name(&self) -> String {
        let written = match &self.body {
            Body::Program(command) => command.to_string(),
            Body::Function(callee) => return callee.name.clone(),
        };
        let program = written.split_whitespace().next().unwrap_or_default();
        let name = program.trim_matches(['\'', '"']).rsplit('/').next().unwrap_or_default();
        if name.is_empty() { "process".to_owned() } else { name.to_owned() }
    }

    /// What the spec says, and where.
    pub(crate) fn shown(&self) -> String {
        let Written { constructor, rest } = &self.written;
        let (file, line, column) = (self.place.file(), self.place.line(), self.place.column());
        match &self.body {
            Body::Program(command) => format!("{constructor}(\"{command}\"{rest})   {file}:{line}:{column}"),
            Body::Function(callee) => format!("{constructor}({callee})   {file}:{line}:{column}"),
        }
    }

    /// Every hole of it that is not in a regex; which of those are holes depends on the names around it.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole> {
        let env = self.env.iter().flat_map(|(_, value)| value.holes());
        let cwd = self.cwd.iter().flat_map(Template::holes);
        let ready = self.ready.iter().flat_map(Ready::holes);
        self.body.holes().chain(env).chain(cwd).chain(ready)
    }

    /// A free port is asked for where nothing tells the program which one that is.
    pub(crate) fn keeps_port_secret(&self) -> bool {
        let is_free = self.ports.iter().all(|(name, number)| !name.is_empty() || *number == 0);
        let is_asked = self.ready.iter().any(|ready| ready.own_port() == Some(""));
        let env = self.env.iter().flat_map(|(_, value)| value.holes());
        let mut told = self.body.holes().chain(env).chain(self.cwd.iter().flat_map(Template::holes));
        // A function asks for it itself.
        is_free && is_asked && self.callee().is_none() && !told.any(|hole| matches!(hole.name(), "port" | "addr"))
    }

    /// Every hole that a regex of it would have if its name were known.
    pub(crate) fn regex_holes(&self) -> Vec<Hole> {
        self.ready.iter().flat_map(Ready::regex_holes).collect()
    }

    /// Whether it can mean anything, whatever the machine.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let refused = |why: String| {
            Err(Error::new(Kind::Spec, format!("`{name}` was not started: {why}")).fact("spec", self.shown()))
        };
        let fault = match &self.body {
            Body::Program(command) => command.fault().map(ToString::to_string),
            Body::Function(callee) => callee.arguments.as_ref().err().cloned(),
        };
        if let Some(fault) = fault {
            return refused(fault);
        }
        if self.start_timeout.is_zero() || self.stop_timeout.is_zero() {
            let which = if self.start_timeout.is_zero() { "start_timeout" } else { "stop_timeout" };
            return refused(format!("a {which} of zero leaves no time at all"));
        }
        if let Some((name, _)) = self.env.iter().find(|(name, _)| name.is_empty() || name.contains(['=', '\0'])) {
            return refused(format!("`{}` cannot be the name of an environment variable", name.escape_debug()));
        }
        if let Some(why) = self.supervision_mistake() {
            return refused(why);
        }
        let peers: Vec<&str> = self.ports.iter().map(|(name, _)| name.as_str()).collect();
        if let Some(odd) = peers.iter().find(|name| !name.is_empty() && !is_name(name)) {
            return refused(format!("no port can be called `{odd}`: no hole could name it"));
        }
        if let Some(twice) = peers.iter().enumerate().find(|(index, name)| peers[..*index].contains(name)) {
            return refused(format!("the port `{}` is declared twice", twice.1));
        }
        if let Expected::Code(code) = self.expects {
            let other = self.ready.iter().filter_map(Ready::exit_code).find(|ready| *ready != code);
            if let Some(ready) = other {
                return refused(format!("it would be ready at exit code {ready}, and exit code {code} is expected"));
            }
        }
        if let Some(why) = self.told_twice() {
            return refused(why);
        }
        if self.callee().is_none() && self.ready.iter().any(Ready::is_said) {
            return refused(
                "only a function can say that by `current().ready()`; a program says it by `Notify`".to_owned(),
            );
        }
        self.ready.iter().find_map(Ready::mistake).map_or(Ok(()), refused)
    }

    /// A variable by which one of its probes tells the process where to report, and which has two meanings.
    fn told_twice(&self) -> Option<String> {
        let mut told = self.ready.iter().filter_map(Ready::variable);
        let variable = told.next()?;
        if told.next().is_some() {
            return Some(format!("two of its probes want to be what {variable} names"));
        }
        let is_set = self.env.iter().any(|(name, _)| name == variable);
        is_set.then(|| format!("it sets {variable}, and so does its probe"))
    }
}

impl<H> fmt::Debug for Spec<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}
