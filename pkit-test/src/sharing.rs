//! Shared for a run: one server for all tests.
//!
//! A test gets its own processes, and that is right where they cost little. A database that takes seconds to come up is another
//! matter: `cargo nextest run` has a process for each test, and none of them could have it from the others. With `.shared()` there is
//! one for the whole run. The test that needs it first starts it, all others find it in less than a millisecond, and it goes when
//! the run ends, whatever way that ends. Nothing has to be set up: no setup script, no daemon, no port that everybody knows.
//!
//! ```
//! use pkit_test::{Process, Shared, Spec, tcp, with_processes};
//!
//! fn server() -> Shared<Spec> {
//!     tcp("python3 -m http.server --bind {host} {port}", 0).shared()
//! }
//!
//! #[with_processes(server = server())]
//! fn one_test(server: Process) {
//!     assert!(std::net::TcpStream::connect(server.addr()).is_ok());
//! }
//!
//! #[with_processes(server = server())]
//! fn another_test(server: &Process) {
//!     assert!(server.pid().is_some());                    // the same, as long as the run lasts
//! }
//! # one_test(); another_test();
//! ```
//!
//! The handle is that of what is shared: a [`Process`](crate::Process) of a spec, a [`Worker`](crate::Worker) of a function, a
//! [`State`](crate::State), a [`Stack`](crate::Stack) of a whole orchestra. When a test drops it the test lets go, and nothing else happens.
//!
//! # What is the same
//!
//! Two are the same if they would be started in the same way: same program and arguments as they are written, before holes are
//! filled; same environment and working directory of the spec, same user, ports, probes, input and isolation. A function is the same
//! with the same arguments. Timeouts, stop signals and the place where it was written do not count, nor does the name under which a
//! test has it. It is started with the environment of the *runner*, and not with that of the test that happens to come first.
//!
//! Closures cannot be compared: a spec that has some (`on_start`, `on_exit`, `ready::poll`) is shared by a name, which alone says then
//! what is the same. So are two that would be one, and should be two:
//!
//! ```
//! use pkit_test::{orchestra, simple};
//! # fn main() -> pkit_test::Result<()> {
//! let sleeper = || simple("sleep 60");
//! let stack = orchestra()
//!     .with("one", sleeper().shared())
//!     .with("same", sleeper().shared())
//!     .with("other", sleeper().shared_as("for the reports"))
//!     .with("own", sleeper())
//!     .start()?;
//! assert_eq!(stack["one"].pid(), stack["same"].pid());
//! assert_ne!(stack["one"].pid(), stack["other"].pid());
//! assert_ne!(stack["one"].pid(), stack["own"].pid());
//! # Ok(()) }
//! ```
//!
//! What needs another process is shared together with that one, as an orchestra; one that names a process of the test is refused,
//! since the test will be gone. An executor of your own can be shared if it is [`Shareable`](crate::Shareable).
//!
//! ```
//! use pkit_test::{Stack, orchestra, tcp, with_processes};
//!
//! #[with_processes(stack = orchestra()
//!     .with("db", tcp("python3 -m http.server --bind {host} {port}", 0))
//!     .with("api", tcp("python3 -m http.server --bind {host} {port}", 0).env("DB", "{db.addr}"))
//!     .shared())]
//! fn has_both(stack: Stack) {
//!     assert_ne!(stack["db"].port(), stack["api"].port());
//! }
//! # has_both();
//! ```
//!
//! # What is one run
//!
//! A run is the life of the process that runs the tests. Of several above a test it is the nearest: a `cargo test` in a test is a run
//! of its own.
//!
//! | tests are run by | a run is |
//! |---|---|
//! | `cargo nextest run` | all of it: all binaries, retries, and the repetitions of `--stress-count` |
//! | `cargo test` | all of it: one binary after the other, then the doctests |
//! | `cargo test --doc` | all doctests that this cargo runs |
//! | a test binary by hand, `target/debug/deps/it-…` | that process |
//! | rust-analyzer, RustRover: *Run* | the `cargo test` that it calls |
//! | rust-analyzer, RustRover: *Debug* | the process that is debugged, as by hand |
//! | `cargo llvm-cov`, `cargo mutants`, and others that call cargo | each `cargo test` or `cargo nextest run` that they call |
//! | `cargo watch -x test`, `bacon` | each turn, as each is a `cargo test` |
//! | a wrapper between cargo and the binary (`runner = "valgrind"`) | that of cargo, or nextest: the wrapper is none |
//! | Bazel, Buck, a script that calls test binaries, a container in which no cargo runs | each process of a test binary |
//!
//! Two runs share nothing, also at the same time, of the same binaries. Users do not, nor do containers. What a test starts itself
//! and what is below that, a function as well, is in a run of its own if it shares something.
//!
//! Where that does not fit, `PKIT_RUN_ID` says what does. As a name it makes one run of all processes that are given the same name:
//! the run lasts as long as whoever started the first of them, such as the script that sets it. With a process id behind it
//! it lasts as long as that process, and that may be any one. In a terminal that is the shell you type into: all of it stays up until
//! you close that, or end `pkit-broker` by `kill`.
//!
//! ```sh
//! PKIT_RUN_ID=nightly ./run-all-test-binaries        # as long as the shell that has called this
//! PKIT_RUN_ID=nightly@$$ ./run-all-test-binaries     # the same, said outright
//! ```
//!
//! # A part for each test
//!
//! Tests that write into one database are in each other's way. [`each`](crate::Shared::each) gives every test a value of its own, made
//! from what is shared: a database, a prefix of keys, a virtual host. The test gets it as a [`View`](crate::View), which derefs to the
//! value; the common handle is in [`View::shared`](crate::View::shared).
//!
//! ```no_run
//! use std::process::Command;
//! use pkit_test::{Each, Spec, View, simple, tcp, with_processes};
//!
//! struct Database { url: String }
//!
//! fn database() -> Each<Spec, Database> {
//!     tcp("postgres -D /srv/template -p {port} -k {dir}", 0).shared().each(
//!         |server, seat| {
//!             let mut create = Command::new("createdb");
//!             create.args(["-h", "127.0.0.1", "-p", &server.port().to_string(), seat.id()]);
//!             match create.status()?.success() {
//!                 true => Ok(Database { url: format!("postgres://127.0.0.1:{}/{}", server.port(), seat.id()) }),
//!                 false => Err(std::io::Error::other("createdb failed")),
//!             }
//!         },
//!         simple("dropdb --if-exists --force -h {host} -p {port} {seat}"),
//!     )
//! }
//!
//! #[with_processes(db = database(), api = simple("api --database {db.seat}"))]
//! fn writes_as_it_likes(db: View<Database>) {
//!     println!("nobody else is at {}", db.url);
//! }
//! ```
//!
//! *Make* is a closure, and runs in the test. *Undo* is data: a command, or with the feature `function` a function of the test binary
//! ([`undo`](crate::undo())). It is sent to the run before make is called, so that it happens whatever becomes of the test:
//!
//! | the test | is undone |
//! |---|---|
//! | ends, passes or fails, or panics | behind all processes of the test, which is told if that fails |
//! | drops its view before, or says [`View::undo`](crate::View::undo) | there; what needs the view stops first |
//! | moves it into a thread that still runs, or forgets it | at its end all the same |
//! | could not make it, by an error or a panic | at once, and the error of the start is that of make |
//! | aborts, exits, gets SIGKILL, is timed out by nextest: before make, in it, after it, or while it is undone | by the run, once and to its end |
//!
//! So undo has to be content where there is nothing to undo: `dropdb --if-exists`. It has 30 s, or what its
//! [`timeout`](crate::Undo::timeout) says, and is stopped then. One that fails, or takes too long, fails its test, unless that has failed by
//! itself; nothing of what it was about to remove is given to anybody else:
//!
//! ```
//! use pkit_test::{Process, orchestrated, orchestra, sh, simple};
//!
//! let store = simple("sleep 60").shared().each(
//!     |_: &Process, _| Ok::<_, String>(()),
//!     simple(sh("echo database {seat} is in use >&2; exit 1")),
//! );
//! let error = orchestrated(orchestra().with("store", store), |_| ()).unwrap_err();
//! assert!(error.to_string().starts_with("undo of `store` failed\n"));
//! assert!(error.to_string().contains("\n  stderr: database test_"));
//! ```
//!
//! # Numbers
//!
//! [`Seat::slot`](crate::Seat::slot), the hole `{slot}` of undo and `{db.slot}` of others, is a small number that no other test has that
//! holds the same server now: for servers with numbered databases. Numbers that were given back are given again, the smallest
//! first, so that eight tests at once have 0 to 7. [`Seat::id`](crate::Seat::id), in holes `{seat}` and `{db.seat}`, is a name that no other
//! test of the run ever has.
//!
//! ```no_run
//! use pkit_test::{Each, Spec, View, simple, tcp, with_processes};
//!
//! fn cache() -> Each<Spec, u32> {
//!     tcp("redis-server --port {port} --save '' --databases 64", 0)
//!         .shared()
//!         .each(|_, seat| Ok::<_, String>(seat.slot()), simple("redis-cli -p {port} -n {slot} flushdb"))
//! }
//!
//! #[with_processes(cache = cache(), app = simple("app --redis redis://{cache.addr}/{cache.slot}"))]
//! fn counts(cache: View<u32>) {
//!     println!("redis-cli -p {} -n {}", cache.shared().port(), *cache);
//! }
//! ```
//!
//! # Alone
//!
//! What would hurt others is refused: `stop`, `kill`, `restart`, `signal`, `pause`, `replace` and `write_stdin` are errors of which
//! [`is_shared`](crate::Error::is_shared) is true. [`exclusive`](crate::Shared::exclusive) waits until all others have let go and keeps new
//! ones out; then it may do all that. Who waits gets it behind that, as it was left; if it was left stopped, a new one. Nobody waits for
//! ever: after five minutes, and the time that a start may take, it is an error that says who has it.
//! `PKIT_TIMEOUT_SCALE` makes that longer.
//!
//! ```
//! use pkit_test::{Restart, simple};
//! # fn main() -> pkit_test::Result<()> {
//! let common = || simple("sleep 60").env("FOR", "the page").shared();
//! let one = common().start()?;
//! assert!(one.kill().unwrap_err().is_shared());
//! drop(one);
//! common().exclusive().start()?.restart(Restart::Forced)?;
//! # Ok(()) }
//! ```
//!
//! # When it goes wrong
//!
//! - **It does not start.** All tests that wait for it fail at once, with the same whole error, and so do those that come later in
//!   the run; nobody tries again, unless it says [`try_again`](crate::Shared::try_again).
//! - **Whoever starts it is killed meanwhile.** The next one that waits starts it.
//! - **It dies in the middle of the run.** Every test that has it fails with that, as with a process of its own. The next one
//!   gets a new one, on new ports.
//! - **A test fails.** What the server has written since that test got hold of it is shown. The log itself is that of the run.
//! - **The runner is killed.** Tests that still run go on; behind the last of them everything ends, as at the end of each run.
//!
//! # How to see it
//!
//! `PKIT_LOG=1` says for each test whether it has started or found it, how long that took, in which slot, and of which run.
//!
//! ```console
//! $ PKIT_LOG=1 cargo nextest run --no-capture
//!        START             counts_by_a_service
//! [pkit     0.000 ms] shared_redis::counts_by_a_service_of_its_own: start 2 processes
//! [pkit     3.314 ms] guardian 22564 for process 22560
//! [pkit    11.374 ms] broker of nextest (process 22431) started in 7 ms
//! [pkit    15.165 ms] start cache: /usr/bin/redis-server --port 27216 --bind 127.0.0.1 --save '' --databases 64
//! [pkit    81.673 ms] ready cache after 66 ms, 39 ms of it waited
//! [pkit    82.737 ms] shared cache: started in 78 ms, start 1, slot 0, of the run of nextest (process 22431)
//!        START             counts_from_one
//! [pkit     0.000 ms] shared_redis::counts: start 1 processes
//! [pkit     0.815 ms] broker of nextest (process 22431) found in 168 µs
//! [pkit     1.483 ms] shared store: found in 1 ms, start 1, slot 0, of the run of nextest (process 22431)
//! [pkit     3.784 ms] undo what the test has made of store (test_2, slot 0)
//! ```
//!
//! *Is waited for* says who starts it meanwhile, or has it for itself. *Start 2* is one that was started anew, after it had died. A slot that is larger than the number of tests at once says that an
//! undo has failed. Two lines that name two runs, where you expect one, say which process was taken for the runner, and why two
//! tests do not share. What a broker is called in `ps` is `pkit-broker`; it is a child of nobody, ends with the run, and
//! everything shared is below it.
//!
//! In the table of a test that fails, and in [`processes`](crate::processes), what is shared is marked so.
//!
//! # How to get out of it
//!
//! - One test that needs a server of its own leaves out `.shared()`: what a spec does without it does not change.
//! - Two groups of tests that must not meet use two names, by `shared_as`.
//! - A test that breaks things uses `exclusive()`.
//! - A run that should not share with the rest, or should with more, has another `PKIT_RUN_ID`.
//!
//! # What it does not do
//!
//! - Outlive the run: there is nothing to clean up, and no second `cargo test` finds the database of the first.
//! - Work between machines, users or containers.
//! - Supervise: a shared process that ends is started again for the next test, and not for those that have it.
//! - Give a test a [network of its own](crate::Isolation::Net) and a shared server: neither could reach the other.
