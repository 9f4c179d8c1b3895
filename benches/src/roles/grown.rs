//! What a start costs a process that has become large: a fork copies its page tables, other ways do not.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::clock;
use crate::outcome::Outcome;
use crate::peers::{Kit, Wrap};
use crate::raw::Raw;
use crate::simple;

const PAGE_BYTES: usize = 4096;

/// Prints a line a sample: ours, a raw spawn, one that has to fork, `process-wrap`, `processkit`; in ms.
pub(super) fn print_starts(megabytes: usize, samples: usize) -> Outcome<()> {
    let ballast = ballast(megabytes);
    // The first one starts the guardian, which is another row.
    drop(simple::ours().start()?);
    let mut runtime = Some(Kit::runtime()?);
    for _ in 0..samples {
        let (ours_ms, process) = clock::timed(|| simple::ours().start());
        drop(process?);
        let (raw_ms, child) = clock::timed(simple::raw);
        drop(child?);
        let (fork_ms, child) = clock::timed(|| Raw::spawn(&mut forking()));
        drop(child?);
        let (wrap_ms, child) = clock::timed(|| Wrap::spawn(simple::command()));
        child?.kill()?;
        let own = runtime.take().ok_or("it comes back each time")?;
        let (kit_ms, kit) = clock::timed(|| Kit::spawn(own, simple::command()));
        let mut kit = kit?;
        kit.kill()?;
        runtime = Some(kit.into_runtime());
        println!("{ours_ms} {raw_ms} {fork_ms} {wrap_ms} {kit_ms}");
    }
    drop(ballast);
    Ok(())
}

/// Memory that is really there.
fn ballast(megabytes: usize) -> Vec<u8> {
    let mut ballast = vec![0; megabytes << 20];
    ballast.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    std::hint::black_box(ballast)
}

/// To set the user, even to the same one, `std` has to fork.
fn forking() -> Command {
    let mut command = simple::command();
    command.uid(nix::unistd::getuid().as_raw());
    command
}
