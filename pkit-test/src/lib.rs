//! Real processes for tests: brought up, proven to be ready, and gone when the test is.
//!
//! ```
//! use pkit_test::{Process, tcp, with_processes};
//!
//! #[with_processes(server = tcp("python3 -m http.server --bind {host} {port}", 0))]
//! fn accepts(server: Process) {
//!     assert!(std::net::TcpStream::connect(server.addr()).is_ok());
//! }
//! # accepts();
//! ```
//!
//! Put `#[test]` below the attribute and it is a test. The server is up when the body begins, on a port that nobody else
//! has, and gone when the body ends, whatever way it ends: also when the test panics, aborts, or is killed.
//!
//! This page is a tutorial from the first process to the last line of a failure. Every block of it runs.
//!
//! # One process
//!
//! A **spec** says what to run and when it is ready. It is a value, and does nothing until it is started. The four
//! constructors differ in what "ready" means: [`simple`], [`output`], [`tcp`] and [`http`].
//!
//! Starting gives a **handle**: proof that the process is ready, and the way to it. Dropping it stops the process.
//!
//! ```
//! use pkit_test::{http, output, simple, tcp};
//!
//! # fn main() -> pkit_test::Result<()> {
//! let sleeper = simple("sleep 60").start()?;                     // ready as soon as it runs
//! let greeter = output("sh -c 'echo hello; cat'", "^hello$").start()?; // when a line of its output matches
//! let files = tcp("python3 -m http.server --bind {host} {port}", 0).start()?; // when it listens: 0 is any free port
//! let site = http("python3 -m http.server --bind {host} {port}", "/").start()?; // when it answers with 200 to 299
//!
//! assert!(sleeper.is_alive());
//! assert_eq!(greeter.stdout(), "hello\n");
//! assert_ne!(files.port(), site.port());
//! # Ok(()) }
//! ```
//!
//! More probes are in [`ready`], for [`Spec::new`], and for any spec that needs another one: all of them have to hold.
//!
//! ```
//! use pkit_test::{ready, tcp};
//!
//! # fn main() -> pkit_test::Result<()> {
//! // Listening is not always ready: a database may listen and still refuse its first client.
//! let server = tcp("python3 -u -m http.server --bind {host} {port}", 0)
//!     .ready(ready::Output::stdout("^Serving HTTP on"))
//!     .start()?;
//! assert!(server.stdout().contains(&server.port().to_string()));
//! # Ok(()) }
//! ```
//!
//! # What to run
//!
//! A [`Command`] is one text, split into words as a shell splits them. No shell runs, unless [`sh`] asks for one.
//! [`bin!`] is a binary of the package under test, wherever cargo has put it.
//!
//! ```
//! use pkit_test::{bin, sh, simple};
//!
//! # fn main() -> pkit_test::Result<()> {
//! let words = simple("printf '%s\n' 'one word' two *").start()?;
//! words.wait()?;
//! assert_eq!(words.stdout(), "one word\ntwo\n*\n");
//!
//! let shell = simple(sh("echo three two one | wc -w")).start()?;
//! shell.wait()?;
//! assert_eq!(shell.stdout().trim(), "3");
//!
//! let api = simple(bin!("api").args("--verbose"));    // like the others, a spec that does nothing yet
//! # let _ = api;
//! # Ok(()) }
//! ```
//!
//! # Holes
//!
//! What stands in braces is filled in when the process starts, in arguments, environment, directories and probes alike.
//!
//! | hole | means |
//! |---|---|
//! | `{port}` `{addr}` `{host}` | its own port, its address, the host of that |
//! | `{port.peer}` | another port of its own, declared by [`Spec::port`] |
//! | `{dir}` | its private directory, with a path short enough for a unix socket |
//! | `{db.port}` `{db.port.peer}` `{db.addr}` `{db.host}` `{db.url}` `{db.dir}` `{db.pid}` | the same of the process `db`, which is ready first |
//! | `{&db.addr}` | the address without the order, for processes that need each other |
//! | `{env.HOME}` | a variable of the test's environment |
//!
//! A hole is a name and perhaps more names behind dots, without a blank. All other braces are text, so JSON and awk need no
//! care, and `{{port}}` is the text `{port}`. A value is never split and never read again, whatever is in it. In a regex only
//! names that are known are holes.
//!
//! ```
//! use pkit_test::simple;
//!
//! # fn main() -> pkit_test::Result<()> {
//! let echo = simple(r#"echo {"listen": "{addr}", "braces": "{{addr}}"}"#).start()?;
//! echo.wait()?;
//! assert_eq!(echo.stdout(), format!("{{listen: {}, braces: {{addr}}}}\n", echo.addr()));
//! # Ok(()) }
//! ```
//!
//! # Several processes
//!
//! A hole of another process is the dependency: no order is written down. What does not depend on each other starts in
//! parallel, and everything ends in reverse order. The parameters of the function are found by their names; a process
//! without one is fine, and `&Process` does as well as `Process`.
//!
//! ```
//! use pkit_test::{Process, Result, output, tcp, with_processes};
//!
//! #[with_processes(
//!     client = output("sh -c 'echo I shall ask {server.addr}; cat'", "I shall ask {server.addr}$"),
//!     server = tcp("python3 -m http.server --bind {host} {port}", 0),
//! )]
//! fn client_knows_the_server(client: &Process, server: &Process) -> Result<()> {
//!     assert!(client.stdout().ends_with(&format!("{}\n", server.port())));
//!     Ok(())
//! }
//! # client_knows_the_server().unwrap();
//! ```
//!
//! On other tests than `#[test]`, and on async ones, the attribute goes above what else is there: the page [`attributes`] has
//! all orders, and what holds in each.
//!
//! The same in plain code is an [`orchestra`], and [`orchestrated`] is the scope that takes it down. Both are an
//! [`Executor`], as a spec is: so a stack can be a member of a stack, and an executor of your own of both.
//!
//! ```
//! use pkit_test::{orchestrated, simple};
//!
//! # fn main() -> pkit_test::Result<()> {
//! let pids = orchestrated([("one", simple("sleep 60")), ("two", simple("sleep 60"))], |stack| {
//!     [stack["one"].pid(), stack["two"].pid()]
//! })?;
//! assert!(pids[0].is_some() && pids[0] != pids[1]);
//! # Ok(()) }
//! ```
//!
//! # In the middle of a test
//!
//! Tests are there to cause trouble. All methods of a [`Process`] take `&self` and work from any thread.
//!
//! ```
//! use std::time::Duration;
//! use pkit_test::{Restart, Signal, output};
//!
//! const SECONDS: Duration = Duration::from_secs(10);
//!
//! # fn main() -> pkit_test::Result<()> {
//! let worker = output("sh -c 'echo up; while read line; do echo got $line; done'", "^up$").start()?;
//!
//! worker.write_stdin("one\ntwo\n")?;                         // talk to it
//! let first = worker.wait_for_output("^got (.*)$", SECONDS)?;
//! assert_eq!(first.group(1), Some("one"));
//! worker.wait_for_output_after(&first, "^got two$", SECONDS)?;
//!
//! worker.signal(Signal::Abort)?;                             // let it die
//! assert_eq!(worker.wait()?.signal(), Some(6));
//! assert_eq!(worker.pid(), None);
//!
//! worker.start()?;                                           // and come back, in the same place
//! worker.restart(Restart::Forced)?;
//! assert_eq!(worker.stdout(), "up\n");                       // of the current run
//! # Ok(()) }
//! ```
//!
//! [`stop`](Process::stop) sends the stop signal, gives the process its grace and then kills; [`terminate`](Process::terminate)
//! only asks; [`kill`](Process::kill) only kills. All three return when the whole tree is gone.
//! [`pause`](Process::pause) makes it hang, [`replace`](Process::replace) starts another version in its place.
//!
//! # Verdicts
//!
//! An exit that nobody asked for fails the test, with code 0 as well, unless the spec says [`may_exit`](Spec::may_exit) or
//! [`expect_exit`](Spec::expect_exit). What the test stops, kills, or signals to end has been asked for. A handle without
//! an attribute or a scope around it fails nothing: [`exit`](Process::exit) says how it ended.
//!
//! ```
//! use pkit_test::{orchestrated, simple};
//!
//! let error = orchestrated([("job", simple("sh -c 'echo no space >&2; exit 3'"))], |stack| {
//!     stack["job"].wait().map(drop)
//! })
//! .unwrap_err();
//! assert!(error.is_exit());
//! assert_eq!(error.exit().and_then(|exit| exit.code()), Some(3));
//! assert!(error.to_string().ends_with("\n  stderr: no space"));
//!
//! orchestrated([("job", simple("sh -c 'exit 3'").expect_exit(3))], |_| ()).unwrap();
//! ```
//!
//! # When it goes wrong
//!
//! An [`Error`] is what happened in one line, and below it what is known. Its `Debug` is the same text, so that `unwrap()`
//! and `?` show it whole. Where a caller may act there is a question to ask, such as [`is_timeout`](Error::is_timeout).
//! A start that fails leaves nothing, and nobody waits out a deadline when the answer is known.
//!
//! ```
//! let error = pkit_test::http("sh -c 'echo missing DATABASE_URL >&2; exit 1'", "/health").start().unwrap_err();
//! let text = error.to_string();
//! assert!(text.starts_with("`sh` exited before it was ready\n  spec:   http("));
//! assert!(text.contains("\n  exit:   exit code 1\n  probe:  GET http://127.0.0.1:"));
//! assert!(text.ends_with("\n  stderr: missing DATABASE_URL"));
//! ```
//!
//! When a test fails, the last lines of each process are in the test's own output, and the whole logs stay on disk. When it
//! passes, nothing is shown and nothing stays.
//!
//! # Settings from outside
//!
//! | variable | values | meaning |
//! |---|---|---|
//! | `PKIT_TIMEOUT_SCALE` | a positive number, default 1 | multiplies the timeouts of start, stop and crash, and of waiting for output |
//! | `PKIT_OUTPUT` | `failed` (default), `always`, `never` | when the output of processes is shown |
//! | `PKIT_KEEP` | `failed`, `always` | leaves up what is up at the end, and says how to reach it and how to end it |
//! | `PKIT_DIR` | a directory, default `pkit` in the target directory | where the logs are |
//! | `PKIT_LOG` | `1` | says on stderr what we do, with times |
//!
//! # What is promised
//!
//! When a handle is gone, or its owner has died in *any* way, no process that it started is alive, nor any descendant,
//! whatever that did to get away. A `Drop` alone cannot promise that, so there is a process that outlives the test: the
//! *guardian*, which is the test binary itself, executed again and taken over before `main`. It is started with the first
//! process and costs nothing before.
//!
//! One hole is left: when the test, the guardian and all its helpers get SIGKILL at the same moment, descendants of a process
//! may survive. And it is Linux only so far: on other Unix systems the crate compiles, and starting a process is an error
//! that says so.

#[cfg(not(unix))]
compile_error!(
    "pkit-test owns processes by means that only Unix systems have; on this system it cannot keep its promises"
);

// In reading order, from what users meet first down to the operating system. Elsewhere the error above is the only one.
#[cfg(unix)]
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(unix)]
pub mod attributes;
#[cfg(all(unix, feature = "rstest"))]
pub mod fixtures;
#[cfg(unix)]
mod orchestra;
#[cfg(unix)]
mod start;
#[cfg(unix)]
mod spec;
#[cfg(unix)]
mod command;
#[cfg(unix)]
mod handle;
#[cfg(unix)]
mod ground;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod callbacks;
#[cfg(unix)]
pub mod ready;
#[cfg(unix)]
mod guardian;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod template;
#[cfg(unix)]
mod quote;
#[cfg(unix)]
mod port;
#[cfg(unix)]
mod config;
#[cfg(unix)]
mod error;
#[cfg(unix)]
mod exit;
#[cfg(unix)]
mod limits;
#[cfg(unix)]
mod signal;
#[cfg(unix)]
mod sync;
#[cfg(unix)]
mod sys;

#[cfg(unix)]
pub use command::{Command, IntoArgs, sh};
#[cfg(unix)]
pub use error::{Error, Result};
#[cfg(unix)]
pub use exit::Exit;
#[cfg(unix)]
pub use ground::{Executor, Ground, Need};
#[cfg(unix)]
pub use handle::{Mark, Process};
#[cfg(unix)]
pub use orchestra::{Orchestra, Stack, orchestra, orchestrate, orchestrated};
#[cfg(unix)]
pub use pkit_test_macros::with_processes;
#[cfg(unix)]
pub use signal::Signal;
#[cfg(unix)]
pub use spec::{Spec, http, output, simple, tcp};
#[cfg(unix)]
pub use start::Restart;

/// The blocks of the README are examples like all others. Only here: in the published package it lies elsewhere.
#[cfg(all(unix, doctest))]
#[doc = include_str!("../../README.md")]
struct Readme;
