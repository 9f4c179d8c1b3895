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

// In reading order, from what users meet first down to the operating system. Elsewhere the error above is the only one.
#[cfg(unix)]
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
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
