//! Whether a port can be bound, tried.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use crate::sys::socket;

/// How free a port has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bind {
    /// Unused in every respect.
    Exclusively,
    /// Nobody listens. Only for when nothing better is left.
    Shared,
}

impl Bind {
    /// Binds the port on all addresses. Returns the IPv4 half, or nothing if somebody is there.
    pub(super) fn free_guard(self, number: u16) -> io::Result<Option<OwnedFd>> {
        let v6 = self.bind((Ipv6Addr::UNSPECIFIED, number).into());
        if v6.is_err_and(|error| is_taken(&error)) {
            // Any other error only says that there is no IPv6 here.
            return Ok(None);
        }
        match self.bind((Ipv4Addr::UNSPECIFIED, number).into()) {
            Ok(guard) => Ok(Some(guard)),
            Err(error) if is_taken(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is bound here is in no server's way that says `SO_REUSEADDR`: a child that another thread forks at this moment
    /// keeps a copy until its exec, long after it was closed here.
    fn bind(self, addr: SocketAddr) -> io::Result<OwnedFd> {
        match self {
            Bind::Exclusively => {
                let bound = socket::bind_exclusively(addr)?;
                socket::share(&bound)?;
                Ok(bound)
            }
            Bind::Shared => socket::bind_shared(addr),
        }
    }
}

pub(super) fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}
