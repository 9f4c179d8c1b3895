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
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// What a service writes to. With it goes its file.
#[derive(Debug)]
pub(crate) struct Letterbox {
    socket: UnixDatagram,
    path: PathBuf,
    owner: u32,
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
        let letterbox = Letterbox { socket, path: path.to_owned(), owner: std::process::id() };
        fs::set_permissions(path, Permissions::from_mode(0o777))?;
        letterbox.socket.set_nonblocking(true)?;
        system::ask_for_senders(&letterbox.socket)?;
        Ok(letterbox)
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
    /// read. None where the system cannot do that: then senders are refused.
    pub(crate) fn closed(self) -> Option<Letterbox> {
        system::throw_away(&self.socket).ok()?;
        // What had come before that.
        while matches!(self.take(&mut [0]), Ok(Some(_))) {}
        Some(self)
    }
}

impl AsFd for Letterbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Letterbox {
    fn drop(&mut self) {
        // A fork of the test has a copy, and the file is not its own. One that is gone already went with its directory.
        if self.owner == std::process::id() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
