//! A test that cannot run says so: by a line in its output, and by a line in a file that `cargo xtask test` counts.

use std::env;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;

use crate::servers::{LEFT_OUT_VARIABLE, SERVERS, SERVERS_VARIABLE};

/// The program of a server, or `None` after it was said that this test is left out:
///
/// ```no_run
/// # use pkit_test_tests::left_out::server;
/// let Some(redis) = server("redis") else { return };
/// ```
///
/// # Panics
///
/// When the table of servers has no such name, or when `xtask` found a server that is not there.
#[must_use]
pub fn server(name: &str) -> Option<PathBuf> {
    let Some(server) = SERVERS.iter().find(|server| server.name == name) else { panic!("no server is called {name}") };
    let found = server.find();
    match env::var(SERVERS_VARIABLE) {
        Ok(listed) if listed.split(',').any(|one| one == name) => Some(
            found.unwrap_or_else(|| panic!("{SERVERS_VARIABLE} lists {name}, but {} is not there", server.program)),
        ),
        Err(_) if found.is_some() => found,
        _ => {
            because(format_args!("{} is not installed (Debian: {})", server.program, server.package));
            None
        }
    }
}

/// Says that the current test is left out, and why.
///
/// # Panics
///
/// When that cannot be written down: a test that is left out in silence is worse than one that fails.
pub fn because(reason: impl Display) {
    let current = thread::current();
    let line = format!("left out: {}: {reason}\n", current.name().unwrap_or("a test"));
    // Not `eprint!`: the harness would keep it to itself, as the test passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os(LEFT_OUT_VARIABLE) {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list can be written");
    }
}
