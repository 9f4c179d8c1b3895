//! Functions as processes.
//!
//! A [`function()`](crate::function()) of the test runs in a process of its own: to be a server, a second writer, or the one
//! that crashes. What it works with it is passed, as one value or as a tuple, and what it returns comes back to
//! [`join`](crate::Worker::join). A panic over there is a [`Failure`](crate::Failure) here, as an exit and a signal are.
//!
//! ```
//! use pkit_test::function;
//!
//! fn repeat(text: String, times: usize) -> String {
//!     assert!(times < 10, "too often");
//!     text.repeat(times)
//! }
//!
//! # fn main() -> pkit_test::Result<()> {
//! let worker = function(repeat, ("ab".to_owned(), 2)).start()?;
//! assert_eq!(worker.join()?, "abab");
//!
//! // It has ended, and runs again: with the same arguments by `start`, with others by `call`.
//! assert_eq!(worker.pid(), None);
//! assert_eq!(worker.call(("c".to_owned(), 3))?, "ccc");
//!
//! let failure = worker.call(("c".to_owned(), 30)).unwrap_err();
//! assert!(failure.is_panic() && failure.line().is_some());
//! assert_eq!(failure.message(), "too often");
//! # Ok(()) }
//! ```
//!
//! Its [`Worker`](crate::Worker) is a [`Process`](crate::Process) with all methods of one, and it stands wherever a program can
//! stand. What a program gets by holes a function asks for: [`current`](crate::current) has its name, ports and directory, and
//! the addresses of those that it comes after.
//!
//! ```
//! use std::io::Write;
//! use std::net::{TcpListener, TcpStream};
//! use pkit_test::{Worker, current, function, ready::Tcp, with_processes};
//!
//! fn greet(words: String) {
//!     for stream in TcpListener::bind(current().addr()).unwrap().incoming() {
//!         stream.unwrap().write_all(words.as_bytes()).unwrap();
//!     }
//! }
//!
//! fn ask() -> String {
//!     let mut stream = TcpStream::connect(current().peer("server").addr()).unwrap();
//!     std::io::read_to_string(&mut stream).unwrap()
//! }
//!
//! #[with_processes(
//!     server = function(greet, "hello".to_owned()).ready(Tcp::any()),
//!     client = function(ask, ()).after("server"),
//! )]
//! fn the_server_greets(client: Worker<String>) {
//!     assert_eq!(client.join().unwrap(), "hello");
//! }
//! # the_server_greets();
//! ```
//!
//! The start returns when the function is about to run, so that a signal sent then is its own:
//! [`Current::terminating`](crate::Current::terminating) and [`Current::on_terminate`](crate::Current::on_terminate) are how it
//! hears of SIGTERM, which ends it where it asks for neither. With [`Said::ready`](crate::ready::Said::ready) it says itself
//! when it is ready.
//!
//! [`workers`](crate::workers) starts several at once; a [`Pool`](crate::Pool) keeps its processes, and gives them one item
//! after the other.
//!
//! ```
//! use pkit_test::Pool;
//!
//! fn root(n: u64) -> u64 {
//!     assert_ne!(n, 7, "seven is unlucky");
//!     n.isqrt()
//! }
//!
//! # fn main() -> pkit_test::Result<()> {
//! let pool = Pool::new(2)?;
//! let roots: Vec<_> = pool.map(root, [4, 7, 9]).map(|root| root.ok()).collect();
//! assert_eq!(roots, [Some(2), None, Some(3)]);
//! # Ok(()) }
//! ```
