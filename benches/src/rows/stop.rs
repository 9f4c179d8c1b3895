//! How long it takes to stop a process that dies at once, beside a signal and a wait by hand.

use nix::sys::signal::Signal;

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::raw::Raw;
use crate::roles::Role;
use crate::stamps::Stamps;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 200;
const STOP_MS: f64 = 0.5;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let mut stamps = bench.stamps()?;
    let (mut stop, mut dropped, mut raw) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..bench.samples(SAMPLES) {
        let (stop_ms, drop_ms) = by_us(bench, &mut stamps)?;
        stop.push(stop_ms);
        dropped.push(drop_ms);
        raw.push(by_hand(bench, &mut stamps)?);
    }
    let table = Table::new("stop: a process that dies at once on SIGTERM, ms")
        .line(Line::new("stop()", stop).over("kill, waitpid", raw.clone()).budget(Budget::Ours(STOP_MS)))
        .line(Line::new("drop after it: logs, ports", dropped).over("kill, waitpid", raw));
    Ok(vec![table])
}

fn by_us(bench: &Bench, stamps: &mut Stamps) -> Outcome<(f64, f64)> {
    let process = bench.spec(&Role::Idle { stamps: stamps.path().to_owned() }).start()?;
    stamps.next()?;
    let (stop_ms, stopped) = clock::timed(|| process.stop());
    stopped?;
    let (drop_ms, ()) = clock::timed(|| drop(process));
    Ok((stop_ms, drop_ms))
}

fn by_hand(bench: &Bench, stamps: &mut Stamps) -> Outcome<f64> {
    let mut child = Raw::spawn(&mut bench.command(&Role::Idle { stamps: stamps.path().to_owned() }))?;
    stamps.next()?;
    let (end_ms, ended) = clock::timed(|| child.end(Signal::SIGTERM));
    ended?;
    Ok(end_ms)
}
