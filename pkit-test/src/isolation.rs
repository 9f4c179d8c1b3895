//! What a process can have of its own besides its ports and its directory: process ids, a network.

/// What a process has of its own, by a namespace of the kernel. For [`Spec::isolate`](crate::Spec::isolate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isolation {
    /// Its own process ids: when its parent is killed the kernel kills all of it, whoever else is killed with that.
    Pid,
    /// Its own network, with nothing but a loopback in it, for the whole test.
    Net,
}

/// Which of them a spec asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Isolations {
    pub(crate) pid: bool,
    pub(crate) net: bool,
}

impl Isolations {
    pub(crate) fn with(self, isolation: Isolation) -> Isolations {
        match isolation {
            Isolation::Pid => Isolations { pid: true, ..self },
            Isolation::Net => Isolations { net: true, ..self },
        }
    }

    pub(crate) fn has(self, isolation: Isolation) -> bool {
        match isolation {
            Isolation::Pid => self.pid,
            Isolation::Net => self.net,
        }
    }
}
