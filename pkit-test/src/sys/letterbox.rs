//! A datagram socket at a path, to which services write that they are ready: the receiving side of `sd_notify(3)`.
//!
//! Descriptors that come along are dropped by the kernel, since there is no room for them: whoever sent one to see it
//! closed sees that at once.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as system;

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// What a service writes to.
#[derive(Debug)]
pub(crate) struct Letterbox {
    socket: UnixDatagram,
}

/// What was in one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Letter {
    /// How many bytes of it are in the buffer.
    pub(crate) length: usize,
    /// There was no room for all of it.
    pub(crate) is_cut: bool,
    /// Who has sent it: 0 where it is nobody that can be seen from here, none where the system does not say.
    pub(crate) sender: Option<i32>,
}

impl Letterbox {
    /// Binds it, for everybody who may enter the directory.
    pub(crate) fn bind(path: &Path) -> io::Result<Letterbox> {
        let socket = UnixDatagram::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o777))?;
        socket.set_nonblocking(true)?;
        system::ask_for_senders(&socket)?;
        Ok(Letterbox { socket })
    }

    /// The next message, if there is one.
    pub(crate) fn take(&self, buffer: &mut [u8]) -> io::Result<Option<Letter>> {
        loop {
            match system::receive(&self.socket, buffer) {
                Ok(letter) => return Ok(Some(letter)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads nothing any more, and keeps nobody waiting: from now on the kernel throws away what comes, as if it had been
    /// read. Lasts as long as the descriptor. None where the system cannot do that: then senders are refused.
    pub(crate) fn close(self) -> Option<OwnedFd> {
        system::throw_away(&self.socket).ok()?;
        // What had come before that.
        while matches!(self.take(&mut [0]), Ok(Some(_))) {}
        Some(self.socket.into())
    }
}

impl AsFd for Letterbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
