//! Others come by its handle only if somebody has said how.

use pkit_test::{Executor, Ground, Process, Result, Shareable as _, simple};

struct Mine;

impl Executor for Mine {
    type Handle = Process;

    fn start_on(self, ground: &Ground) -> Result<Process> {
        ground.start(simple("sleep 60"))
    }
}

fn main() {
    let _ = Mine.shared();
}
