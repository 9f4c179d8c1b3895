//! Three small programs and two libraries, and the tests that a project of theirs would have. Read the tests: they are what is shown.
//!
//! | program  | what it is                                       | tests                      | what they show                             |
//! |----------|--------------------------------------------------|----------------------------|--------------------------------------------|
//! | `kv`     | a key-value server with a log on disk            | `tests/kv.rs`              | ports, directories, crash and restart      |
//! | `api`    | an HTTP service that keeps its counts in a store | `tests/api.rs`             | the attribute, holes, causing trouble      |
//! | `worker` | a program that talks by its output               | `tests/worker.rs`          | banners, input and output, expected exits  |
//! |          | `kv` asked in its own words, and filled          | `tests/own.rs`             | a probe and an executor of one's own       |
//! |          | the ledger below, which is a library             | `tests/ledger.rs`          | functions as processes                     |
//! |          | votes in a `kv`, by processes that meet          | `tests/lost_update.rs`     | a race that happens every time             |
//! |          | `api` with a real redis-server as its store      | `tests/redis.rs`           | somebody else's server                     |
//! |          | one redis-server for all tests of a run          | `tests/shared_redis.rs`    | a number that is a test's own              |
//! |          | one PostgreSQL for all tests of a run            | `tests/shared_postgres.rs` | a database a test, undone whatever happens |
//! |          | both services without the attribute              | `examples/stack.rs`        | plain code                                 |
//!
//! ```console
//! cargo test -p pkit-test-examples
//! ```
//!
//! This library is what the programs share. It uses nothing but `std`, and knows nothing of pkit-test.

pub mod http;
pub mod ledger;
pub mod store;
pub mod votes;

/// The value behind an option of the command line, or what to say to somebody who did not give it.
///
/// # Errors
///
/// When the option or its value is missing.
pub fn option(name: &str) -> Result<String, String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().ok_or_else(|| format!("the option {name} is missing"))
}
