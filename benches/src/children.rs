//! Owners in processes of their own, to be looked at and to be killed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::bench::Bench;
use crate::outcome::Outcome;
use crate::procfs::{self, Kind, Member};
use crate::roles::Role;
use crate::stamps::Stamps;
use crate::sys;

/// No tree of ours takes so long to end; what does is an error and no hang.
const END_LIMIT_MS: u16 = 30_000;

/// A process that has started others with pkit-test.
pub(crate) struct Owner {
    child: Child,
    family: Vec<Member>,
}

impl Owner {
    /// An owner of so many sleeps.
    pub(crate) fn of_sleeps(bench: &Bench, sleeps: usize) -> Outcome<Owner> {
        let stamps = bench.stamps()?;
        let role = Role::Owner { sleeps, stamps: stamps.path().to_owned() };
        Owner::start(bench, &role, stamps, 1, sleeps)
    }

    /// An owner of one service that has so many daemons.
    pub(crate) fn of_daemons(bench: &Bench, daemons: usize) -> Outcome<Owner> {
        let stamps = bench.stamps()?;
        let role = Role::OwnerOfDaemons { daemons, stamps: stamps.path().to_owned() };
        // Each daemon says that it is there, then their service and the owner do.
        Owner::start(bench, &role, stamps, daemons + 2, daemons + 1)
    }

    fn start(bench: &Bench, role: &Role, mut stamps: Stamps, words: usize, services: usize) -> Outcome<Owner> {
        let mut command = bench.command(role);
        // Its logs stay behind when it is killed, for people to look at; here they are litter.
        command.env("PKIT_DIR", bench.scratch()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut owner = Owner { child: command.spawn()?, family: Vec::new() };
        (0..words).try_for_each(|_| stamps.next().map(drop))?;
        owner.family = procfs::family(owner.child.id() as i32);
        let found = owner.pids(Kind::Service).len();
        if found == services { Ok(owner) } else { Err(format!("{found} services instead of {services}").into()) }
    }

    pub(crate) fn pids(&self, kind: Kind) -> Vec<i32> {
        self.family.iter().filter(|member| member.kind == kind).map(|member| member.pid).collect()
    }

    /// Descriptors that tell the end of all services, and of guardian and shims.
    pub(crate) fn pidfds(&self) -> io::Result<(Vec<OwnedFd>, Vec<OwnedFd>)> {
        let (services, own): (Vec<&Member>, Vec<&Member>) =
            self.family.iter().partition(|member| member.kind == Kind::Service);
        Ok((open(&services)?, open(&own)?))
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let pidfds = self.pidfds();
        // Neither fails for a child that is not reaped. All that it started ends with it, and the next sample is not
        // to compete with that; what is gone already has no descriptor.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Ok((services, own)) = pidfds {
            let _ = wait_dead(&services).and_then(|()| wait_dead(&own));
        }
    }
}

/// Waits until all of them are dead. One after the other will do: the last to end is the last to be waited for.
pub(crate) fn wait_dead(pidfds: &[OwnedFd]) -> Outcome<()> {
    for pidfd in pidfds {
        let mut polled = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        if poll(&mut polled, PollTimeout::from(END_LIMIT_MS))? == 0 {
            return Err("a process is still there long after its end was due".into());
        }
    }
    Ok(())
}

fn open(members: &[&Member]) -> io::Result<Vec<OwnedFd>> {
    members.iter().map(|member| sys::pidfd(member.pid)).collect()
}
