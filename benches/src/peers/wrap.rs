//! The crate `process-wrap`: a command in a process group of its own, which is signalled and waited for as a whole.

use std::io;
use std::process::{Command, Stdio};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessGroup};

/// A process and its group.
#[derive(Debug)]
pub(crate) struct Wrap {
    child: Box<dyn ChildWrapper>,
}

impl Wrap {
    pub(crate) fn spawn(mut command: Command) -> io::Result<Wrap> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = CommandWrap::from(command).wrap(ProcessGroup::leader()).spawn()?;
        Ok(Wrap { child })
    }

    /// SIGKILL to the group, and the wait for its end.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }
}
