//! What is shared for a run: a lease of a server that is up, from a process whose first deed that is, beside a connection to a
//! unix socket and a byte from it; and a whole suite with one server, beside one with a server a test.
//!
//! This program is the runner, and says so to its children. What they share goes with it.

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::roles::Role;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 300;
const LEASE_MS: f64 = 1.0;

const SUITES: usize = 5;
const TESTS: usize = 120;
/// As many at once as a runner would have on four cores, or on eight.
const AT_ONCE: usize = 8;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    Ok(vec![leases(bench)?, suites(bench)?])
}

fn leases(bench: &Bench) -> Outcome<Table> {
    let socket = listener(bench)?;
    // It starts the broker and the server.
    lease(bench, true, &socket)?;
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for _ in 0..bench.samples(SAMPLES) {
        ours.push(lease(bench, true, &socket)?);
        bare.push(lease(bench, false, &socket)?);
    }
    let line = Line::new("a lease, the first of a process", ours).minus("connect, and a byte", bare);
    Ok(Table::new("shared: a lease of a server that is up, ms").line(line.budget(Budget::Ours(LEASE_MS))))
}

/// Says a byte to whoever connects.
fn listener(bench: &Bench) -> Outcome<PathBuf> {
    let path = bench.scratch().join("listener");
    let listener = UnixListener::bind(&path)?;
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.write_all(b"."); // Who goes away is no news.
        }
    });
    Ok(path)
}

/// The child measures itself.
fn lease(bench: &Bench, ours: bool, socket: &Path) -> Outcome<f64> {
    let role = Role::Lease { ours, socket: socket.to_owned() };
    let output = in_run(bench.command(&role), "leases").output()?;
    let text = String::from_utf8(output.stdout)?;
    let took = text.trim().parse();
    took.map_err(|_| format!("the child has measured nothing: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Each suite is a run of its own, so that the start of its server is part of it.
fn suites(bench: &Bench) -> Outcome<Table> {
    let (mut shared, mut own) = (Samples::default(), Samples::default());
    for number in 0..if bench.is_quick() { 1 } else { SUITES } {
        shared.push(suite(bench, true, &format!("suite-{number}"))?);
        own.push(suite(bench, false, "none")?);
    }
    let line = Line::new("one server for all", shared).over("a server a test", own);
    Ok(Table::new(format!("shared: {TESTS} tests, {AT_ONCE} at once, server with a boot of 50 ms; wall time in ms"))
        .line(line))
}

fn suite(bench: &Bench, shares: bool, run: &str) -> Outcome<f64> {
    let lane = || -> Result<(), String> {
        for _ in 0..TESTS / AT_ONCE {
            let mut command = in_run(bench.command(&Role::Test { shares }), run);
            let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
        }
        Ok(())
    };
    let (took_ms, lanes) = clock::timed(|| {
        thread::scope(|scope| {
            let lanes: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(lane)).collect();
            lanes.into_iter().try_for_each(|lane| lane.join().expect("it does not panic"))
        })
    });
    lanes?;
    Ok(took_ms)
}

fn in_run(mut command: Command, name: &str) -> Command {
    command.env("PKIT_RUN_ID", format!("{name}@{}", std::process::id()));
    command
}
