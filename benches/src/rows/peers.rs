//! The same work by the Python packages whose ideas are in here: mirakuru and pytest-xprocess.

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::peers::{NOT_THERE, Python};
use crate::raw;
use crate::roles::{BANNER, Role};
use crate::stamps::Stamps;
use crate::stats::Samples;
use crate::table::{Line, Table};

const SAMPLES: usize = 30;
const BOOT_MS: u64 = 20;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let title = format!("peers: a server with a boot of {BOOT_MS} ms");
    let peers = (Python::start(bench, "mirakuru")?, Python::start(bench, "xprocess")?);
    let (Some(mut mirakuru), Some(mut xprocess)) = peers else {
        return Ok(vec![Table::new(title).note(NOT_THERE)]);
    };
    let (mut port, mut banner) = (Pair::default(), Pair::default());
    for _ in 0..bench.samples(SAMPLES) {
        port.ours.push(by_us(bench, Probe::Port)?);
        port.peer.push(by_peer(bench, Probe::Port, &mut mirakuru)?);
        banner.ours.push(by_us(bench, Probe::Banner)?);
        banner.peer.push(by_peer(bench, Probe::Banner, &mut xprocess)?);
    }
    Ok(vec![
        port.table(&format!("{title}, ready when it listens"), "mirakuru"),
        banner.table(&format!("{title}, ready when it says `{BANNER}`"), "pytest-xprocess"),
    ])
}

/// How it is known to be ready.
#[derive(Clone, Copy)]
enum Probe {
    Port,
    Banner,
}

#[derive(Default)]
struct Pair {
    ours: Seen,
    peer: Seen,
}

#[derive(Default)]
struct Seen {
    lag_ms: Samples,
    cpu_ms: Samples,
    stop_ms: Samples,
}

struct One {
    lag_ms: f64,
    cpu_ms: f64,
    stop_ms: f64,
}

impl Seen {
    fn push(&mut self, one: One) {
        self.lag_ms.push(one.lag_ms);
        self.cpu_ms.push(one.cpu_ms);
        self.stop_ms.push(one.stop_ms);
    }
}

impl Pair {
    fn table(self, title: &str, peer: &str) -> Table {
        let Pair { ours, peer: its } = self;
        Table::new(format!("{title}, ms"))
            .line(Line::new("lag behind that", ours.lag_ms).over(peer, its.lag_ms))
            .line(Line::new("CPU of the start", ours.cpu_ms).over(peer, its.cpu_ms))
            .line(Line::new("stop", ours.stop_ms).over(peer, its.stop_ms))
    }
}

impl Probe {
    fn role(self, port: &str, stamps: &Stamps) -> Role {
        let (boot_us, stamps) = (clock::boot_us(BOOT_MS), stamps.path().to_owned());
        match self {
            Probe::Port => Role::Server { port: port.to_owned(), boot_us, stamps },
            Probe::Banner => Role::Banner { boot_us, stamps },
        }
    }
}

fn by_us(bench: &Bench, probe: Probe) -> Outcome<One> {
    let mut stamps = bench.stamps()?;
    let spec = bench.spec(&probe.role("{port}", &stamps)).stop_signal(pkit_test::Signal::Term);
    let spec = match probe {
        Probe::Port => spec.ready(pkit_test::ready::Tcp::any()),
        Probe::Banner => spec.ready(pkit_test::ready::Output::stdout(format!("^{BANNER}"))),
    };
    let cpu = clock::cpu_ms();
    let process = spec.start()?;
    let (ended, cpu_ms) = (clock::now_ns(), clock::cpu_ms() - cpu);
    let lag_ms = clock::between_ms(stamps.next()?, ended);
    let (stop_ms, stopped) = clock::timed(|| process.stop());
    stopped?;
    Ok(One { lag_ms, cpu_ms, stop_ms })
}

fn by_peer(bench: &Bench, probe: Probe, python: &mut Python) -> Outcome<One> {
    let mut stamps = bench.stamps()?;
    let port = raw::free_port();
    let command = bench.command(&probe.role(&port.to_string(), &stamps));
    let wanted = matches!(probe, Probe::Port).then_some(port);
    let up = python.up(wanted, &command)?;
    let lag_ms = clock::between_ms(stamps.next()?, up.ended_ns);
    python.tell_to("stop")?;
    let down = python.answer()?;
    Ok(One { lag_ms, cpu_ms: up.cpu_ms, stop_ms: clock::between_ms(down.began_ns, down.ended_ns) })
}
