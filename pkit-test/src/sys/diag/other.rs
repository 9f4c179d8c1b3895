//! Other Unix systems have no `sock_diag`: opening it is an error, so nothing else is ever called.

use std::io;
use std::net::SocketAddr;

use super::{Listener, Occupant, UnixListener};

#[derive(Debug)]
pub(crate) struct Diag(());

impl Diag {
    pub(crate) fn open() -> io::Result<Diag> {
        unsupported()
    }

    pub(crate) fn open_unix() -> io::Result<Diag> {
        unsupported()
    }

    pub(crate) fn unix_listeners(&self) -> io::Result<Vec<UnixListener>> {
        unsupported()
    }

    pub(crate) fn is_listening(&self, _addr: SocketAddr) -> io::Result<bool> {
        unsupported()
    }

    pub(crate) fn listeners(&self, _port: u16) -> io::Result<Vec<Listener>> {
        unsupported()
    }

    pub(crate) fn occupants(&self, _port: u16) -> io::Result<Vec<Occupant>> {
        unsupported()
    }

    pub(crate) fn all_listeners(&self) -> io::Result<Vec<Listener>> {
        unsupported()
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "sockets can only be asked for on Linux"))
}
