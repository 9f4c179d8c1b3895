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
//! A **spec** says what to run and when it is ready. It is a value, and does nothing until it is started. The
//! constructors differ in what "ready" means: [`simple`], [`output`], [`tcp`], [`http`]; [`unix`] for a unix socket, [`file()`] for
//! a file, [`notify`] for a service that says so by itself; and [`finished`], for a step.
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
//! A command may be one, as in `ready::Exec::new("pg_isready -p {port}")`.
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
//! | `{dir}` | its private directory, which only its user can enter, with a path short enough for a unix socket |
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
//! A stack goes down and up as a whole, or one [member](Stack::member) of it with what depends on it; and
//! [`stopped`](Stack::stopped) has it down for a while.
//!
//! ```
//! use pkit_test::{Restart, orchestrate, simple};
//!
//! # fn main() -> pkit_test::Result<()> {
//! let (db, api) = (simple("sleep 60"), simple("sleep 60").after("db"));
//! let stack = orchestrate([("db", db), ("api", api), ("other", simple("sleep 60"))]).start()?;
//! stack.member("db").restart(Restart::Forced)?;
//! assert_eq!(["db", "api", "other"].map(|name| stack[name].restarts()), [1, 1, 0]);
//! stack.stopped(|| assert!(!stack["other"].is_alive()))?;
//! # Ok(()) }
//! ```
//!
//! A step that has to be over before others start is [`finished`]: a migration, a download, a check.
//!
//! ```
//! use pkit_test::{Process, finished, simple, with_processes};
//!
//! #[with_processes(
//!     db = simple("sleep 60"),
//!     migration = finished("sh -c 'echo version 7 > {db.dir}/schema'"),
//!     app = simple("cat {db.dir}/schema").after("migration").may_exit(),
//! )]
//! fn app_finds_the_schema(app: Process) {
//!     app.wait().unwrap();
//!     assert_eq!(app.stdout(), "version 7\n");
//! }
//! # app_finds_the_schema();
//! ```
//!
//! # A fixed port, and a network of one's own
//!
//! Port 0 is any free port. A number is that port: other tests of this crate that want it wait, and a stranger who has it is an
//! error that names it. With a [network of its own](Isolation::Net) a test need not wait: all of them can have port 5432 at once.
//! [Process ids of its own](Isolation::Pid) are for what must be gone whoever is killed. [`Isolation`] says what each takes.
//!
//! ```no_run
//! use pkit_test::{Isolation, Process, tcp, with_processes};
//!
//! #[with_processes(cache = tcp("redis-server --port {port} --save ''", 6379).isolate(Isolation::Net))]
//! fn has_the_usual_port(cache: Process) {
//!     assert!(std::net::TcpStream::connect("127.0.0.1:6379").is_ok());
//! }
//! ```
//!
//! # Functions as processes
//!
//! A function of the test runs in a process of its own: to be a server, a second writer, or the one that crashes. What it returns
//! comes back, and so does its panic. The page [`functions`] has ports, pools and the rest of it.
//!
//! ```
//! # fn main() -> pkit_test::Result<()> {
//! let worker = pkit_test::function(|text: String, times: usize| text.repeat(times), ("ab".to_owned(), 2)).start()?;
//! assert_eq!(worker.join()?, "abab");
//! # Ok(()) }
//! ```
//!
//! # Shared state
//!
//! A [`State`] is what several processes share: values that they change atomically, wait for and watch, and points where they meet.
//! With it a test says in which order things happen, and waits for a condition and not for a time. The page [`states`] has all of
//! it, and how a program in another language takes part.
//!
//! ```
//! use std::time::Duration;
//! use pkit_test::{State, function, state, with_processes};
//!
//! const SECONDS: Duration = Duration::from_secs(10);
//!
//! fn bake(state: State) {
//!     let oven = state.phase("oven");
//!     oven.pass("hot", SECONDS).unwrap();                    // stands here until it is let on
//!     state.update("loaves", |loaves: &mut u32| *loaves += 1).unwrap();
//! }
//!
//! #[with_processes(shop = state())]
//! fn two_bakers_start_at_once(shop: State) -> pkit_test::Result<()> {
//!     shop.set("loaves", &0)?;
//!     let _bakers = [function(bake, shop.clone()).start()?, function(bake, shop.clone()).start()?];
//!     shop.phase("oven").wait_for("hot", 2, SECONDS)?;       // both are there, and neither has begun
//!     assert_eq!(shop.get("loaves")?, Some(0));
//!     shop.phase("oven").open("hot")?;
//!     shop.wait_equal("loaves", &2, SECONDS)?;
//!     Ok(())
//! }
//! # two_bakers_start_at_once().unwrap();
//! ```
//!
//! # Shared for a run
//!
//! With `.shared()` there is one for all tests of a run, and [`each`](Shared::each) gives every test a part of it: [`sharing`].
//!
//! # Your own executor and probe
//!
//! An [`Executor`] is anything that is brought up in more than one step: a database that nobody meets before its migration has
//! ended, a process with a file that it finds, something that is no process at all. The page [`executors`] has one.
//!
//! A probe is a closure, and [`ready::poll`] makes it one. It asks the server in the server's own words, as often as
//! it takes; what it gets instead is what an error shows. It may even block: a start that is over does not wait for it.
//! [Over there](ready::poll()) is one that pings.
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
//! [`expect_exit`](Spec::expect_exit), or is supervised. What the test stops, kills, or signals to end has been asked for. A
//! handle without an attribute or a scope around it fails nothing: [`exit`](Process::exit) says how it ended.
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
//! # Supervision
//!
//! Let it crash: a process that is [supervised](Spec::supervise) is started again when it has ended, as in Erlang/OTP. It
//! keeps its ports, its directory and its handle. So a test can cause the crash, by a [`signal`](Process::signal) or by
//! whatever breaks the process, wait for the restart, and see whether its clients survive.
//!
//! ```
//! use std::time::Duration;
//! use pkit_test::{Process, Signal, Supervision, tcp, with_processes};
//!
//! #[with_processes(
//!     server = tcp("python3 -m http.server --bind {host} {port}", 0).supervise(Supervision::permanent()),
//! )]
//! fn comes_back(server: Process) -> pkit_test::Result<()> {
//!     let before = server.restarts();
//!     server.signal(Signal::Kill)?;
//!     server.wait_restart(before, Duration::from_secs(10))?;
//!     assert!(std::net::TcpStream::connect(server.addr()).is_ok());
//!     Ok(())
//! }
//! # comes_back().unwrap();
//! ```
//!
//! | | says |
//! |---|---|
//! | [`permanent`](Supervision::permanent), [`transient`](Supervision::transient), [`temporary`](Supervision::temporary) | after which exits it is started again: all that nobody asked for, crashes, none |
//! | [`Strategy`] of the [stack](Orchestra::strategy) | who goes down and up with it: nobody, all, those that come after it |
//! | intensity of the [process](Supervision::intensity) and of the [stack](Orchestra::intensity) | how many restarts are allowed in which time: 3 in 5 s, and no limit for all together |
//! | [`backoff`](Supervision::backoff) | the pauses before restarts: none before the first one, then growing |
//!
//! Beyond the intensity all of the stack is stopped for good, in reverse order, and the test fails with the history: each
//! exit and restart with its time, how the last run ended, and its last words. What the test itself stops, kills or
//! terminates stays down, and nothing is started again once the end of the scope has begun.
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
//! [`processes`] lists what the test has started, with states, times and exits. Where there is more of it than one run of one
//! process, the same is shown as a table and as a timeline, once, when all of it has ended.
//!
//! # Settings from outside
//!
//! Variables of the environment scale timeouts, show the output of tests that pass, and leave processes up for those who want to
//! look: `PKIT_KEEP=failed cargo test`. The page [`settings`] has all of them.
//!
//! # What is promised
//!
//! When a handle is gone, or its owner has died in *any* way, no process that it started is alive, nor any descendant,
//! whatever that did to get away. A `Drop` alone cannot promise that, so there is a process that outlives the test: the
//! *guardian*, which is the test binary itself, executed again and taken over before `main`. It is started with the first
//! process and costs nothing before.
//!
//! One hole is left: when the test, the guardian and all its helpers get SIGKILL at the same moment, descendants of a process
//! may survive; with [process ids of its own](Isolation::Pid) they do not. And it is Linux only so far: on other Unix systems the
//! crate compiles, and starting a process is an error that says so, unless `PKIT_UNTRIED=1` asks for what was never run. GOTCHAS.md
//! has a table of what holds where.

#![cfg_attr(
    not(feature = "function"),
    expect(
        dead_code,
        unused_imports,
        rustdoc::broken_intra_doc_links,
        reason = "what functions need of the floors below them, and what is said of them"
    )
)]

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
#[cfg(unix)]
pub mod executors;
#[cfg(all(unix, feature = "rstest"))]
pub mod fixtures;
#[cfg(all(unix, feature = "function"))]
pub mod functions;
#[cfg(unix)]
pub mod settings;
#[cfg(unix)]
pub mod sharing;
#[cfg(all(unix, feature = "function"))]
pub mod states;
#[cfg(all(unix, feature = "function"))]
mod state;
#[cfg(unix)]
mod shared;
#[cfg(unix)]
mod orchestra;
#[cfg(unix)]
mod start;
#[cfg(all(unix, feature = "function"))]
mod function;
#[cfg(unix)]
mod spec;
#[cfg(unix)]
mod callee;
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
mod supervise;
#[cfg(unix)]
mod guardian;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod record;
#[cfg(unix)]
mod template;
#[cfg(unix)]
mod quote;
#[cfg(unix)]
mod parcel;
#[cfg(unix)]
mod port;
#[cfg(unix)]
mod network;
#[cfg(unix)]
mod config;
#[cfg(unix)]
mod duration;
#[cfg(unix)]
mod error;
#[cfg(unix)]
mod exit;
#[cfg(unix)]
mod isolation;
#[cfg(unix)]
mod limits;
#[cfg(unix)]
mod signal;
#[cfg(unix)]
mod sync;
#[cfg(unix)]
mod sys;
/// What is fuzzed, for the driver in `fuzz/`. In no build that anybody uses.
#[cfg(all(unix, any(test, pkit_fuzz)))]
#[doc(hidden)]
#[path = "fuzz/mod.rs"]
pub mod __fuzz;

#[cfg(all(unix, feature = "function"))]
pub use function::{
    Callable, Current, Failure, Map, Peer, Pool, PoolSpec, Task, Ticket, Worker, Workers, current, function, pool,
    task, try_current, workers,
};
#[cfg(all(unix, feature = "function"))]
pub use shared::undo;
#[cfg(all(unix, feature = "function"))]
pub use state::{
    Barrier, Change, Counter, Latch, Leased, Outcome, Party, Permit, Phase, Queue, Semaphore, Snapshot, State,
    StateSpec, Transaction, Watch, state,
};
#[cfg(unix)]
pub use {
    command::{Command, IntoArgs, sh},
    error::{Error, Result},
    exit::Exit,
    ground::{Attaching, Executor, Ground, Identity, Need, Publication, Sharing},
    handle::{Mark, Process},
    isolation::Isolation,
    orchestra::{Member, Orchestra, Stack, orchestra, orchestrate, orchestrated},
    pkit_test_macros::with_processes,
    record::{ProcessRecord, ProcessState, RunRecord, processes},
    shared::{Each, IntoUndo, Seat, Shareable, Shared, Undo, View},
    signal::Signal,
    spec::{Spec, file, finished, http, notify, output, simple, tcp, unix},
    start::Restart,
    supervise::{Strategy, Supervision},
};
