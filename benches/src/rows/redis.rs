//! A real server: redis up to its first PONG, and down, beside the bare server with the same arguments.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::raw::{self, Raw};
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 30;
const UP_AND_DOWN_MS: f64 = 10.0;

/// The bare server is asked as often as this, so that what is measured is the server.
const PAUSE: Duration = Duration::from_micros(100);

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let title = "redis: up to the first PONG, and down, ms";
    if !is_there() {
        return Ok(vec![Table::new(title).note("not measured: there is no redis-server on this machine")]);
    }
    let mut seen = Seen::default();
    for _ in 0..bench.samples(SAMPLES) {
        seen.ours(Signal::SIGKILL)?;
        seen.bare(Signal::SIGKILL)?;
        seen.ours(Signal::SIGTERM)?;
        seen.bare(Signal::SIGTERM)?;
    }
    let Seen { ours, bare } = seen;
    let table = Table::new(title)
        .line(Line::new("up", ours.up).over("bare", bare.up))
        .line(Line::new("down by kill()", ours.kill).over("SIGKILL, waitpid", bare.kill))
        .line(
            Line::new("up, and down by kill()", ours.both).over("bare", bare.both).budget(Budget::Ours(UP_AND_DOWN_MS)),
        )
        .line(Line::new("down by stop()", ours.stop).over("SIGTERM, waitpid", bare.stop))
        .note("redis looks at a SIGTERM when its timer fires, ten times a second");
    Ok(vec![table])
}

fn is_there() -> bool {
    Command::new("redis-server").arg("--version").output().is_ok()
}

#[derive(Default)]
struct Seen {
    ours: Times,
    bare: Times,
}

#[derive(Default)]
struct Times {
    up: Samples,
    kill: Samples,
    stop: Samples,
    both: Samples,
}

impl Times {
    fn push(&mut self, up_ms: f64, down_ms: f64, signal: Signal) {
        self.up.push(up_ms);
        if signal == Signal::SIGKILL {
            self.kill.push(down_ms);
            self.both.push(up_ms + down_ms);
        } else {
            self.stop.push(down_ms);
        }
    }
}

impl Seen {
    fn ours(&mut self, signal: Signal) -> Outcome<()> {
        let spec = pkit_test::tcp("redis-server --port {port} --save ''", 0);
        let (up_ms, process) = clock::timed(|| -> Outcome<_> {
            let process = spec.start()?;
            ask(TcpStream::connect(process.addr())?)?;
            Ok(process)
        });
        let process = process?;
        let (down_ms, down) = clock::timed(|| if signal == Signal::SIGKILL { process.kill() } else { process.stop() });
        down?;
        self.ours.push(up_ms, down_ms, signal);
        Ok(())
    }

    fn bare(&mut self, signal: Signal) -> Outcome<()> {
        let port = raw::free_port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--save", ""]);
        let (up_ms, server) = clock::timed(|| -> Outcome<_> {
            let server = Raw::spawn(&mut command)?;
            ask(raw::connect_every(PAUSE, port))?;
            Ok(server)
        });
        let mut server = server?;
        let (down_ms, down) = clock::timed(|| server.end(signal));
        down?;
        self.bare.push(up_ms, down_ms, signal);
        Ok(())
    }
}

fn ask(mut connection: TcpStream) -> io::Result<()> {
    let mut answer = [0; 7];
    connection.write_all(b"PING\r\n")?;
    connection.read_exact(&mut answer)?;
    if &answer == b"+PONG\r\n" { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "no PONG")) }
}
