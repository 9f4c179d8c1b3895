//! The crate `processkit`: a cgroup where one can be made, and a process group elsewhere.

use std::process::Stdio;

use processkit::ProcessGroup;
use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Runtime};

use crate::outcome::Outcome;

/// A process in a container of the system, and the runtime that the crate needs.
pub(crate) struct Kit {
    child: Child,
    group: ProcessGroup,
    runtime: Runtime,
}

impl Kit {
    pub(crate) fn runtime() -> Outcome<Runtime> {
        Ok(Builder::new_current_thread().enable_all().build()?)
    }

    /// The runtime is made before, by whoever measures.
    pub(crate) fn spawn(runtime: Runtime, command: std::process::Command) -> Outcome<Kit> {
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let entered = runtime.enter();
        let group = ProcessGroup::new()?;
        let child = group.spawn(command)?;
        drop(entered);
        Ok(Kit { child, group, runtime })
    }

    /// SIGKILL to all, and the wait for the end of the first.
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        self.group.kill_all()?;
        self.runtime.block_on(self.child.wait())?;
        Ok(())
    }

    /// What contains its processes on this machine.
    pub(crate) fn mechanism(&self) -> String {
        format!("{:?}", self.group.mechanism())
    }

    pub(crate) fn into_runtime(self) -> Runtime {
        self.runtime
    }
}
