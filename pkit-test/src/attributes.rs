//! The attribute beside others: which order, async tests, fixtures of rstest, databases.
//!
//! `#[with_processes]` goes above everything else that does something. This page says what holds in each order, and why.
//! Its table is written from tests that are run, and its examples are pieces of them.
//!
//! # The order
//!
//! Attributes are expanded from top to bottom. Ours takes the parameters that are processes away and puts the start before
//! the body and the stop behind it; what stands below sees a function without them. So whatever stands below it happens
//! first: a fixture is made, a lock is taken, a runtime is started, a timeout begins. What stands above ours has been
//! expanded before, and knows nothing of processes; where that cannot work you get an error that names the right order. (To
//! see what stands above it, the attribute reads your source file, which takes Rust 1.88. Before that you get the error of
//! the compiler alone.)
//!
//! Where the last column begins with `ui`, the test is in `tests/ui/in_tests`, and what it shows is an error.
//!
//! | from top to bottom | works | what to know | test |
//! |---|---|---|---|
//! | `with_processes` `test` | yes | The form to begin with. | `plain::above_test` |
//! | `with_processes` `test` | yes | `?` and a returned `Err` mean what they mean without the attribute. | `plain::with_a_result` |
//! | `with_processes` `test` `should_panic` | yes | A process that does not start is printed and the test returns, so that it does not pass by our panic. | `plain::above_should_panic` |
//! | `should_panic` `with_processes` `test` | yes | The compiler's own attributes may stand on either side. | `plain::below_should_panic` |
//! | `with_processes` `with_processes` `test` | yes | They nest: the lower one is up first and down last, and the upper one may use its handles. | `plain::on_itself` |
//! | `test` `with_processes` | yes | There is nothing to refuse: the processes are up while the body runs, and nobody asks for a handle. | `plain::below_test` |
//! | `with_processes` | yes | As on a test; what goes wrong is a panic. | `plain::functions_that_are_no_tests_have_processes` |
//! | `with_processes` | yes | Any parameters, any value; whoever calls it brings the rest. | `plain::functions_that_are_no_tests_have_processes` |
//! | `with_processes` `tokio::test` | yes | Start and stop are awaited, on the only thread that there is: a mock in this runtime keeps answering. | `runtime::above_tokio_test` |
//! | `with_processes` `tokio::test` | yes | The same on many threads. | `runtime::above_tokio_test_with_many_threads` |
//! | `with_processes` `tokio::test` | yes | `?` means what it means without the attribute, also in an executor. | `runtime::with_a_result` |
//! | `with_processes` `tokio::test` `should_panic` | yes | As with `#[test]`. | `runtime::above_should_panic` |
//! | `with_processes` `with_processes` `tokio::test` | yes | They nest here, too. | `runtime::on_itself` |
//! | `tokio::test` `with_processes` | yes | Right where the processes are to be there before the runtime is, and after it. Start and stop block, and executors cannot await. | `runtime::below_tokio_test` |
//! | `with_processes` `tokio::main` | yes | As on a test. | `runtime::main_may_be_async` |
//! | `with_processes` `rstest` | yes | A process may use a fixture. | `cases::with_a_fixture` |
//! | `with_processes` `rstest` `case` | yes | Each case has processes of its own, which may use its arguments. | `cases::with_cases` |
//! | `with_processes` `rstest` `values` | yes | Each combination of values has processes of its own. | `cases::with_values` |
//! | `with_processes` `rstest` `timeout` | yes | Start and stop are part of the time. A test that takes longer is abandoned, not ended: what it started lives until the test binary ends, and no longer. | `cases::with_a_timeout` |
//! | `with_processes` `rstest` `case` `should_panic` | yes | A panic in one case is a panic in all. | `cases::with_cases_that_should_panic` |
//! | `with_processes` `rstest` `tokio::test` `future` | yes | A process may await the fixture. | `cases::with_a_future` |
//! | `with_processes` `rstest` `awt` `tokio::test` `future` | yes | Or find it awaited. | `cases::with_a_future_that_is_awaited` |
//! | `with_processes` `rstest` `case` `timeout` `tokio::test` | yes | All of it together. A test that takes longer is dropped, with what it started. | `cases::async_with_cases_and_a_timeout` |
//! | `rstest` `case` `with_processes` | yes | There is nothing that it could take for a fixture: the processes are up while a case runs, and know nothing of it. | `cases::below_rstest` |
//! | `with_processes` `rstest` | yes | A process may use a handle that is a fixture. | `fixtures::with_a_fixture_that_is_a_handle` |
//! | `with_processes` `rstest` `case` | yes | One process for all tests of the binary, which ends with it: `#[once]` never drops it, the guardian does. | `fixtures::with_a_fixture_that_is_made_once` |
//! | `with_processes` `rstest` | yes | A process may use what another fixture has made. | `fixtures::with_a_ready_made_directory` |
//! | `with_processes` `test_log::test` | yes | The log is there before anything is started. | `others::above_test_log` |
//! | `with_processes` `test_log::test(tokio::test)` | yes | With a runtime. | `others::above_test_log_of_tokio` |
//! | `test_log::test` `with_processes` | yes | It leaves the function as it is, with a log. | `others::below_test_log` |
//! | `with_processes` `googletest::test` | yes | `verify_that!` is a failure as any other `Err`. Of a failed `expect_that!` only googletest knows: the test fails, but `PKIT_OUTPUT=always` is what shows the output of its processes. | `others::above_googletest` |
//! | `with_processes` `googletest::test` `tokio::test` | yes | The same, with a runtime. | `others::above_googletest_with_tokio` |
//! | `with_processes` `rstest::rstest` `case` `googletest::test` | yes | With fixtures of rstest. | `others::above_googletest_with_rstest` |
//! | `with_processes` `test_context` `test` | yes | The context is set up first and torn down last, and a process may use it. | `others::above_test_context` |
//! | `with_processes` `test_context` `tokio::test` | yes | The same, with a runtime. | `others::above_test_context_with_tokio` |
//! | `test_context` `with_processes` `test` | yes | The processes are up before the context is set up, which finds no handle. | `others::below_test_context` |
//! | `with_processes` `serial` `test` | yes | The lock is taken first: the processes start when it is this test's turn. | `others::above_serial` |
//! | `with_processes` `serial` `tokio::test` | yes | The same, with a runtime. | `others::above_serial_with_tokio` |
//! | `sqlx::test` `with_processes` | yes | Right where the database is one of our processes: it is up, and `DATABASE_URL` is set, before sqlx connects. No process can be a parameter, since sqlx fills in all of them. | `database::below_sqlx_test` |
//! | `sqlx::test` `with_processes` | yes | Each test has a database of its own on the one server. | `database::below_sqlx_test_again` |
//! | `with_processes` `sqlx::test` `with_processes` | yes | Right where the database is not one of the processes: sqlx connects first. On the same function another one may stand below, for the database. | `database::above_sqlx_test` |
//! | `with_processes` `tokio::test` | yes | Without `#[sqlx::test]` nothing has to be known beforehand: a server for this test alone, a handle, and the migrations in the body. | `database::a_database_without_sqlx_test` |
//! | `with_processes` `test` `ignore` | yes | It starts nothing: its executors are not even asked for. | `crash: is_ignored` |
//! | `test` `with_processes` | no | The compiler refuses it, and we say why. <br> error: `#[with_processes]` goes above `#[test]`, which refuses parameters | `ui: below_test` |
//! | `test` `with_processes` | yes | Nothing is refused, and the processes are up while the body runs. | `ui: below_test` |
//! | `tokio::main` `with_processes` | no | It is refused by tokio, and we say why. <br> error: `#[with_processes]` goes above `#[tokio::main]`, which refuses parameters | `ui: below_tokio_main` |
//! | `rstest` `with_processes` | no | The compiler would miss a fixture. <br> error: `#[with_processes]` goes above `#[rstest]`, which takes `db` for a fixture | `ui: below_rstest` |
//! | `rstest` `case` `with_processes` | no | Each case begins with our processes, and only then has a value. <br> error: `#[with_processes]` goes above `#[rstest]`: below it the executor of `db` does not see `number` | `ui: below_rstest_with_an_argument` |
//! | `rstest` `with_processes` `values` | no | The same by name. <br> error: `#[with_processes]` goes above `#[rstest]`: below it the executor of `db` does not see `length` | `ui: below_rstest_with_an_argument` |
//! | `googletest::test` `with_processes` | no | The compiler would miss a fixture. <br> error: `#[with_processes]` goes above `#[googletest::test]`, which takes `db` for a fixture | `ui: below_googletest` |
//! | `googletest::test` `with_processes` | yes | Nothing is taken for anything. | `ui: below_googletest` |
//! | `test_context` `with_processes` `test` | no | Nobody would fill in the process. <br> error: `#[with_processes]` goes above `#[test_context]`, which fills in the context but not `db` | `ui: below_test_context` |
//! | `serial` `with_processes` `test` | no | Two tests would have their processes up at the same time. <br> error: `#[with_processes]` goes above `#[serial]`: below it processes start before it is the turn of the test | `ui: below_serial` |
//! | `serial_test::serial` `with_processes` `test` | no | The same. <br> error: `#[with_processes]` goes above `#[serial_test::serial]`: below it processes start before it is the turn of the test | `ui: below_serial` |
//! | `parallel` `with_processes` `test` | no | The same. <br> error: `#[with_processes]` goes above `#[parallel]`: below it processes start before it is the turn of the test | `ui: below_serial` |
//! | `sqlx::test` `with_processes` | no | No parameter is a process. <br> error: `db` is no parameter below `#[sqlx::test]`, which fills in all of them: leave it out, or, where the database is not one of these processes, put `#[with_processes]` above | `ui: below_sqlx` |
//! | `sqlx::test` `with_processes` | yes | The processes are up before sqlx connects. | `ui: below_sqlx` |
//!
//! # Async tests
//!
//! In an `async fn` the start and the stop are awaited. A thread of ours waits for the processes and wakes the body, whatever
//! the runtime is, so that everything else in the runtime goes on: a mock that a process asks before it is ready, and again
//! before it goes, also where the runtime has one thread.
//!
//! ```text
//! #[with_processes(a = Mock::start().await.client())]
//! #[tokio::test]
//! async fn above_tokio_test(a: Process) {
//!     assert_eq!(a.stdout(), "answer to start\n");
//! }
//! ```
//!
//! The methods of a handle block the thread that calls them, in an `async fn` as everywhere, and so does a handle that the
//! body itself drops. What a process waits for in such a call must not live in that thread.
//!
//! When the test is over before its body is, since a timeout has dropped it, the processes are stopped at once.
//!
//! # Two attributes on one function
//!
//! The lower one is up first and down last, and the upper one may use its handles. Parameters outlive the processes, unless the
//! body moves them elsewhere.
//!
//! ```text
//! #[with_processes(upper = says(lower.pid().is_some()))]
//! #[with_processes(lower = sleeper())]
//! #[test]
//! fn on_itself(lower: Process, upper: Process) {
//!     assert_eq!((said(&upper).as_str(), lower.is_alive()), ("true", true));
//! }
//! ```
//!
//! # Fixtures of rstest
//!
//! A `#[fixture]` that returns a handle is all that is needed, of one process or of a whole [`Stack`](crate::Stack).
//!
//! ```text
//! #[fixture]
//! fn worker() -> Process {
//!     sleeper().start().unwrap()
//! }
//!
//! #[rstest]
//! fn each_use_of_a_fixture_is_a_process(worker: Process, #[from(worker)] other: Process) {
//!     assert_ne!(worker.pid(), other.pid());
//! }
//! ```
//!
//! | scope | when it starts | when it ends |
//! |---|---|---|
//! | a fixture | with each use of it, also by another fixture | with the test, or with the fixture that used it |
//! | `#[once]` | with the first test that asks; the others wait | with the test binary |
//! | [`with_processes`](crate::with_processes) | with the test, beside each other where they may | with the test, in reverse order |
//!
//! A handle in a fixture fails no test when its process dies; the attribute does. Two fixtures that need each other's address
//! are two starts one after the other; a stack starts beside each other what it can.
//!
//! Two things end a test without dropping its fixtures:
//!
//! - `#[once]` keeps the value in a static, which is never dropped.
//! - `#[timeout]` runs the body of a sync test on a thread of its own and abandons it when the time is over; the thread goes on,
//!   and so do the processes, while other tests of the binary run. What they wrote is not shown, since nobody says that their
//!   test is over; it is where the runner ends the test instead, as `slow-timeout` of nextest does. (An async test is dropped,
//!   and with it what it started, which is shown.)
//!
//! In both what was started is gone when the test binary ends, with all its descendants, and under `cargo nextest run` that is
//! the end of the test: a process that outlives the test owns them, and ends when they have. A handle in a `#[once]` fixture
//! has to be `Sync`: a [`Process`](crate::Process) is; a `Stack` goes into a `Mutex`.
//!
//! ```text
//! #[fixture]
//! #[once]
//! fn common() -> Process {
//!     sleeper().start().unwrap()
//! }
//!
//! #[with_processes(a = says(common.pid().unwrap()))]
//! #[rstest]
//! #[case(1)]
//! #[case(2)]
//! fn with_a_fixture_that_is_made_once(common: &Process, #[case] number: u8, a: Process) {
//!     assert!(number > 0 && common.is_alive());
//!     assert_eq!(Some(said(&a)), common.pid().map(|pid| pid.to_string()));
//! }
//! ```
//!
//! With the feature `rstest` there are two that are ready-made: `pkit_test::fixture!` declares a fixture that starts something
//! under its own name, and `pkit_test::fixtures::dir` is a directory that is gone with its test, also with one that is
//! killed. Without the feature, rstest is no dependency of this crate.
//!
//! ```text
//! pkit_test::fixture!(ready_made: Process = sleeper());
//! ```
//!
//! # Databases
//!
//! `#[sqlx::test]` asks the variable `DATABASE_URL` for its server and connects before the body runs. Where that server is one
//! of your processes, the attribute therefore goes *below* it, so that the server is up first; no process can be a parameter
//! then, since sqlx fills in all of them. sqlx also wants the same server for all tests of a process, so it is one server that
//! the first test starts, and not one for each.
//!
//! ```text
//! #[sqlx::test(migrations = "attributes/migrations")]
//! #[with_processes(db = Shared)]
//! #[cfg_attr(not(has_postgres), ignore = "postgres is not installed")]
//! async fn below_sqlx_test(pool: PgPool) {
//!     add(&pool, "from the test").await;
//!     assert_eq!(words(&pool).await, ["from a migration", "from the test"]);
//! }
//! ```
//!
//! The executor starts a PostgreSQL once, keeps it until the test binary ends, and says where it is:
//!
//! ```text
//! impl Executor for Shared {
//!     type Handle = &'static Process;
//!
//!     fn start_on(self, _: &Ground) -> Result<&'static Process> {
//!         static SERVER: OnceLock<&'static Process> = OnceLock::new();
//!         Ok(SERVER.get_or_init(start))
//!     }
//! }
//!
//! fn start() -> &'static Process {
//!     let stack = orchestra().with("db", Cluster::installed()).start().unwrap();
//!     // Never dropped: the guardian takes it down when the binary ends.
//!     let server = &Box::leak(Box::new(stack))["db"];
//!     announce(server);
//!     server
//! }
//!
//!     // SAFETY: whoever reads or writes the environment of this process does it by `std`, which takes turns.
//!     unsafe { env::set_var("DATABASE_URL", url(server)) };
//! ```
//!
//! Without `#[sqlx::test]` nothing has to be known before the body runs, and each test may have a server and a handle of its
//! own:
//!
//! ```text
//! #[with_processes(db = Cluster::installed())]
//! #[tokio::test]
//! #[cfg_attr(not(has_postgres), ignore = "postgres is not installed")]
//! async fn a_database_without_sqlx_test(db: &Process) -> Result<(), sqlx::Error> {
//!     let mut connection = PgConnection::connect(&url(db)).await?;
//!     sqlx::migrate!("attributes/migrations").run(&mut connection).await?;
//! ```
