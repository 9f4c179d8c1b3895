//! How long after a banner a start returns: an event, and no loop.
//!
//! The child reads the clock right before it writes. Beside ours is a pipe of its own, read line by line.

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::raw::Raw;
use crate::roles::{BANNER, Role};
use crate::stamps::Stamps;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

use super::ready::cpu_without_probe;

const BOOTS_MS: [u64; 3] = [0, 5, 20];
const SAMPLES: usize = 50;
const LAG_MS: f64 = 0.2;
const CPU_MS: f64 = 0.15;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let mut lag = Table::new("output: from the write of a banner to the return of start(), ms");
    let mut cpu = Table::new("output: CPU of this process in a start, ms");
    for boot_ms in BOOTS_MS {
        let seen = Seen::by_both(bench, boot_ms)?;
        let what = format!("boot of {boot_ms} ms");
        lag = lag
            .line(Line::new(&what, seen.lag_ms).minus("read of a pipe", seen.raw_lag_ms).budget(Budget::Ours(LAG_MS)));
        let line = Line::new(&what, seen.cpu_ms).minus("without a probe", seen.no_probe_cpu_ms);
        cpu = cpu.line(line.budget(Budget::Difference(CPU_MS)));
    }
    Ok(vec![lag, cpu])
}

#[derive(Default)]
struct Seen {
    lag_ms: Samples,
    cpu_ms: Samples,
    no_probe_cpu_ms: Samples,
    raw_lag_ms: Samples,
}

impl Seen {
    fn by_both(bench: &Bench, boot_ms: u64) -> Outcome<Seen> {
        let mut stamps = bench.stamps()?;
        let mut seen = Seen::default();
        for _ in 0..bench.samples(SAMPLES) {
            let (lag_ms, cpu_ms) = by_us(bench, clock::boot_us(boot_ms), &mut stamps)?;
            seen.lag_ms.push(lag_ms);
            seen.cpu_ms.push(cpu_ms);
            seen.no_probe_cpu_ms.push(cpu_without_probe(bench, &role(0, &stamps), &mut stamps)?);
            seen.raw_lag_ms.push(by_hand(bench, clock::boot_us(boot_ms), &mut stamps)?);
        }
        Ok(seen)
    }
}

fn role(boot_us: u64, stamps: &Stamps) -> Role {
    Role::Banner { boot_us, stamps: stamps.path().to_owned() }
}

fn by_us(bench: &Bench, boot_us: u64, stamps: &mut Stamps) -> Outcome<(f64, f64)> {
    let banner = format!("^{BANNER}$");
    let spec = bench.spec(&role(boot_us, stamps)).ready(pkit_test::ready::Output::stdout(banner));
    let cpu = clock::cpu_ms();
    let process = spec.start()?;
    let (ended, cpu_ms) = (clock::now_ns(), clock::cpu_ms() - cpu);
    let lag_ms = clock::between_ms(stamps.next()?, ended);
    drop(process);
    Ok((lag_ms, cpu_ms))
}

fn by_hand(bench: &Bench, boot_us: u64, stamps: &mut Stamps) -> Outcome<f64> {
    let child = Raw::spawn_until_line(&mut bench.command(&role(boot_us, stamps)), BANNER)?;
    let ended = clock::now_ns();
    let lag_ms = clock::between_ms(stamps.next()?, ended);
    drop(child);
    Ok(lag_ms)
}
