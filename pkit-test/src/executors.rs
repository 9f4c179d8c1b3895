//! Executors of one's own.
//!
//! An [`Executor`](crate::Executor) is anything that is brought up in more than one step. Here a database that nobody meets before its
//! migration has ended with exit code 0. On its [`Ground`](crate::Ground) it starts one executor, and on a [part](crate::Ground::child) of that
//! another one; the `?` behind each of them is all that a failure needs: nothing is left, and the error says which step it
//! was, with its last words. What is no process can have a [port](crate::Ground::port) and a [directory](crate::Ground::dir) there as well.
//!
//! ```
//! use pkit_test::{Executor, Ground, Need, Process, Result, Spec, finished, orchestra, tcp};
//!
//! /// A database, and the step that makes it fit to be met.
//! struct Migrated {
//!     db: Spec,
//!     migration: Spec,
//! }
//!
//! impl Executor for Migrated {
//!     type Handle = Process;
//!
//!     fn needs(&self) -> Vec<Need> {
//!         [self.db.needs(), self.migration.needs()].concat()
//!     }
//!
//!     fn start_on(self, ground: &Ground) -> Result<Process> {
//!         let db = ground.start(self.db)?;
//!         ground.child("migration").start(self.migration)?;
//!         Ok(db)
//!     }
//!
//!     fn process(db: &Process) -> Option<&Process> {
//!         Some(db)
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let db = || tcp("python3 -m http.server --bind {host} {port}", 0);
//! let good = Migrated { db: db(), migration: finished("touch {db.dir}/schema") };
//! let stack = orchestra().with("db", good).start()?;
//! assert!(stack["db"].is_alive() && stack["db"].dir().join("schema").exists());
//!
//! let bad = Migrated { db: db(), migration: finished("sh -c 'echo no table at {db.addr} >&2; exit 3'") };
//! let error = orchestra().with("db", bad).start().unwrap_err().to_string();
//! assert!(error.starts_with("`db.migration` did not finish with exit code 0\n"));
//! assert!(error.contains("\n  stderr: no table at 127.0.0.1:"));
//! # Ok(()) }
//! ```
