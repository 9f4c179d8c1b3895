//! How long after the server's own listen() a start returns, and what the waiting costs.
//!
//! The server reads the clock right behind listen(). Beside ours are loops that connect again and again, over the same
//! server, spawned by hand.

use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::raw::{self, Raw};
use crate::roles::Role;
use crate::stamps::Stamps;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const BOOTS_MS: [u64; 5] = [0, 1, 5, 20, 200];
const SAMPLES: usize = 50;

/// The last one is the default of mirakuru.
const LOOPS: [(&str, Duration); 3] = [
    ("connect every 100 us", Duration::from_micros(100)),
    ("connect every 1 ms", Duration::from_millis(1)),
    ("connect every 100 ms", Duration::from_millis(100)),
];

/// As in the limits of the crate, where they are private.
const POLL_MIN: Duration = Duration::from_micros(200);
const POLL_MAX: Duration = Duration::from_millis(12);
const POLL_SHARE: u32 = 18;

/// Up to here the lag has a fixed bound, beyond one in proportion.
const SHORT_BOOT_MS: u64 = 10;
const SHORT_LAG_MS: f64 = 0.3;
const LONG_LAG_SHARE: f64 = 0.03;

/// From here on the waiting must cost next to nothing.
const LONG_BOOT_MS: u64 = 200;
const CPU_PERCENT: f64 = 8.0;
const LONG_CPU_PERCENT: f64 = 1.0;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let mut lag = Table::new("ready: from the server's listen() to the return of start(), ms");
    let mut cpu = Table::new("ready: CPU of this process in a start, ms");
    let mut share = Table::new("ready: CPU of this process for waiting, % of the wait");
    for boot_ms in BOOTS_MS {
        let seen = Seen::by_all(bench, boot_ms)?;
        let what = format!("boot of {boot_ms} ms");
        lag = lag.line(seen.lag_line(&what).budget(lag_budget(boot_ms)));
        cpu =
            cpu.line(Line::new(&what, seen.ours.cpu_ms.clone()).minus("without a probe", seen.no_probe_cpu_ms.clone()));
        share = share.line(seen.share_line(&what).budget(cpu_budget(boot_ms)));
    }
    let share =
        share.note("ours is without the CPU of a start that has no probe, the loops are without that of their spawn");
    Ok(vec![lag, cpu, share])
}

fn lag_budget(boot_ms: u64) -> Budget {
    Budget::Ours(if boot_ms < SHORT_BOOT_MS { SHORT_LAG_MS } else { boot_ms as f64 * LONG_LAG_SHARE })
}

fn cpu_budget(boot_ms: u64) -> Budget {
    Budget::Ours(if boot_ms < LONG_BOOT_MS { CPU_PERCENT } else { LONG_CPU_PERCENT })
}

/// What all ways to wait have seen at one time of boot.
struct Seen {
    ours: Waits,
    no_probe_cpu_ms: Samples,
    loops: Vec<Waits>,
    pauses: Waits,
}

/// The waits of one way.
#[derive(Default)]
struct Waits {
    lag_ms: Samples,
    cpu_ms: Samples,
    wait_ms: Samples,
}

struct Wait {
    lag_ms: f64,
    cpu_ms: f64,
    wait_ms: f64,
}

impl Waits {
    fn push(&mut self, wait: &Wait) {
        self.lag_ms.push(wait.lag_ms);
        self.cpu_ms.push(wait.cpu_ms);
        self.wait_ms.push(wait.wait_ms);
    }

    fn cpu_percent(&self, without_ms: f64) -> Samples {
        self.cpu_ms.paired(&self.wait_ms, |cpu, wait| 100.0 * (cpu - without_ms) / wait)
    }
}

impl Seen {
    /// One sample of each way after the other.
    fn by_all(bench: &Bench, boot_ms: u64) -> Outcome<Seen> {
        let mut stamps = bench.stamps()?;
        let loops = LOOPS.iter().map(|_| Waits::default()).collect();
        let mut seen =
            Seen { ours: Waits::default(), no_probe_cpu_ms: Samples::default(), loops, pauses: Waits::default() };
        for _ in 0..bench.samples(SAMPLES) {
            let ours = by_us(bench, clock::boot_us(boot_ms), &mut stamps)?;
            seen.pauses.push(&only_pauses(ours.wait_ms));
            seen.ours.push(&ours);
            seen.no_probe_cpu_ms.push(cpu_without_probe(bench, &server(0, &stamps), &mut stamps)?);
            for ((_, pause), waits) in LOOPS.iter().zip(&mut seen.loops) {
                waits.push(&by_loop(bench, clock::boot_us(boot_ms), *pause, &mut stamps)?);
            }
        }
        Ok(seen)
    }

    fn lag_line(&self, what: &str) -> Line {
        self.beside_loops(Line::new(what, self.ours.lag_ms.clone()), |waits| waits.lag_ms.clone())
    }

    fn share_line(&self, what: &str) -> Line {
        let ours = self.ours.cpu_percent(self.no_probe_cpu_ms.median());
        let line = Line::new(what, ours).over("the same pauses alone", self.pauses.cpu_percent(0.0));
        self.beside_loops(line, |waits| waits.cpu_percent(0.0))
    }

    fn beside_loops(&self, line: Line, figure: impl Fn(&Waits) -> Samples) -> Line {
        LOOPS.iter().zip(&self.loops).fold(line, |line, ((name, _), waits)| line.over(*name, figure(waits)))
    }
}

fn by_us(bench: &Bench, boot_us: u64, stamps: &mut Stamps) -> Outcome<Wait> {
    let spec = bench.spec(&server(boot_us, stamps)).ready(pkit_test::ready::Tcp::any());
    let (cpu, began) = (clock::cpu_ms(), clock::now_ns());
    let process = spec.start()?;
    let (ended, cpu_ms) = (clock::now_ns(), clock::cpu_ms() - cpu);
    let lag_ms = clock::between_ms(stamps.next()?, ended);
    drop(process);
    Ok(Wait { lag_ms, cpu_ms, wait_ms: clock::between_ms(began, ended) })
}

/// What the pauses cost that we make in a wait of that length, when nothing is asked between them: on a machine whose
/// timers are dear, as those of a virtual one are, most of it.
fn only_pauses(wait_ms: f64) -> Wait {
    let (cpu, began) = (clock::cpu_ms(), Instant::now());
    let end = Duration::from_secs_f64(wait_ms / 1e3);
    while began.elapsed() < end {
        std::thread::park_timeout((began.elapsed() / POLL_SHARE).clamp(POLL_MIN, POLL_MAX));
    }
    Wait { lag_ms: 0.0, cpu_ms: clock::cpu_ms() - cpu, wait_ms }
}

fn server(boot_us: u64, stamps: &Stamps) -> Role {
    Role::Server { port: "{port}".to_owned(), boot_us, stamps: stamps.path().to_owned() }
}

/// The same program with the same ports, and nothing to wait for.
pub(super) fn cpu_without_probe(bench: &Bench, role: &Role, stamps: &mut Stamps) -> Outcome<f64> {
    let spec = bench.spec(role);
    let cpu = clock::cpu_ms();
    let process = spec.start()?;
    let cpu_ms = clock::cpu_ms() - cpu;
    stamps.next()?;
    drop(process);
    Ok(cpu_ms)
}

fn by_loop(bench: &Bench, boot_us: u64, pause: Duration, stamps: &mut Stamps) -> Outcome<Wait> {
    let port = raw::free_port();
    let role = Role::Server { port: port.to_string(), boot_us, stamps: stamps.path().to_owned() };
    let mut command = bench.command(&role);
    let began = clock::now_ns();
    let server = Raw::spawn(&mut command)?;
    let cpu = clock::cpu_ms();
    let connection = raw::connect_every(pause, port);
    let (ended, cpu_ms) = (clock::now_ns(), clock::cpu_ms() - cpu);
    let lag_ms = clock::between_ms(stamps.next()?, ended);
    drop((connection, server));
    Ok(Wait { lag_ms, cpu_ms, wait_ms: clock::between_ms(began, ended) })
}
