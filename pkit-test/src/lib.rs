//! Real processes for tests: brought up, proved ready, and gone when the test is.
//!
//! ```
//! use pkit_test::{Process, tcp, with_processes};
//!
//! #[with_processes(server = tcp("python3 -m http.server --bind {host} {port}", 0))]
//! fn check(server: Process) {
//!     assert!(std::net::TcpStream::connect(server.addr()).is_ok());
//! }
//! # check();
//! ```

#[cfg(not(unix))]
compile_error!(
    "pkit-test owns processes by means that only Unix systems have; on this system it cannot keep its promises"
);

// In reading order, from what users meet first down to the operating system.
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod callbacks;
mod command;
mod config;
mod error;
mod exit;
mod ground;
mod guardian;
mod handle;
mod limits;
mod orchestra;
mod output;
mod place;
mod port;
mod program;
mod quote;
pub mod ready;
mod signal;
mod spec;
mod start;
mod sync;
mod sys;
mod template;

pub use command::{Command, IntoArgs, sh};
pub use error::{Error, Result};
pub use exit::Exit;
pub use ground::{Executor, Ground, Need};
pub use handle::{Mark, Process};
pub use orchestra::{Orchestra, Stack, orchestra, orchestrate, orchestrated};
pub use pkit_test_macros::with_processes;
pub use signal::Signal;
pub use spec::{Spec, http, output, simple, tcp};
pub use start::Restart;
