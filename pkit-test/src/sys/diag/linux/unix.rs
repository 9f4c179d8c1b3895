//! Who listens on which unix socket: messages of `linux/unix_diag.h`.

use std::io;

use nix::libc;

use super::{BY_FAMILY, HEADER_BYTES, Kernel, LISTEN, Message, attribute, header, is_unsupported, u32_at};
use crate::sys::diag::{FileId, UnixListener};

/// A header and `struct unix_diag_req`.
const REQUEST_BYTES: usize = HEADER_BYTES + 24;
/// `struct unix_diag_msg`
const ANSWER_BYTES: usize = 16;
/// `UDIAG_SHOW_NAME | UDIAG_SHOW_VFS`
const SHOW: u32 = 1 | 2;
/// `UNIX_DIAG_NAME` and `UNIX_DIAG_VFS`
const NAME: u16 = 0;
const VFS: u16 = 1;

impl Kernel {
    /// Opens it for questions about unix sockets. Whether there is anybody to answer them shows with the first one.
    pub(crate) fn open_unix() -> io::Result<Kernel> {
        Kernel::unchecked()
    }

    /// All unix sockets of this network namespace that accept connections. `Unsupported` where the kernel has no module
    /// for it.
    pub(crate) fn unix_listeners(&self) -> io::Result<Vec<UnixListener>> {
        self.list(question, listener).map_err(|error| match is_unsupported(&error) {
            true => io::Error::new(io::ErrorKind::Unsupported, "no unix_diag here"),
            false => error,
        })
    }
}

/// `struct unix_diag_req`: family, states, the inode that is wanted (all), and what to show.
fn question(sequence: u32) -> [u8; REQUEST_BYTES] {
    let mut request = header(BY_FAMILY, libc::NLM_F_REQUEST | libc::NLM_F_DUMP, sequence);
    let body = &mut request[HEADER_BYTES..];
    body[0] = libc::AF_UNIX as u8;
    body[4..8].copy_from_slice(&(1_u32 << LISTEN).to_ne_bytes());
    body[12..16].copy_from_slice(&SHOW.to_ne_bytes());
    body[16..24].copy_from_slice(&[0xff; 8]);
    request
}

/// `struct unix_diag_msg`, then attributes.
fn listener(message: &Message<'_>) -> Option<UnixListener> {
    let (fixed, attributes) = message.body.split_at_checked(ANSWER_BYTES)?;
    let file = attribute(attributes, VFS)
        .and_then(|value| Some(FileId { inode: u32_at(value, 0)?, device: u32_at(value, 4)? }));
    let name = attribute(attributes, NAME).unwrap_or_default().to_vec();
    Some(UnixListener { name, inode: u32_at(fixed, 4)?.into(), file })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net;

    use super::*;

    #[test]
    fn a_listener_is_found_by_its_file_and_by_its_name() {
        let path = std::env::temp_dir().join(format!("pkit-diag-{}", std::process::id()));
        let bound = net::UnixListener::bind(&path).unwrap();
        let id = FileId::of(&std::fs::metadata(&path).unwrap());
        let listeners = Kernel::open_unix().unwrap().unix_listeners().unwrap();
        std::fs::remove_file(&path).unwrap();
        let found: Vec<_> = listeners.iter().filter(|listener| listener.file == Some(id)).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name.strip_suffix(&[0]), Some(path.as_os_str().as_encoded_bytes()));
        assert!(crate::sys::procfs::socket_inodes(std::process::id() as i32).unwrap().contains(&found[0].inode));
        drop(bound);
        // A fork of another test may have it for a moment longer.
        let is_named = |listener: &UnixListener| listener.name.starts_with(path.as_os_str().as_encoded_bytes());
        while Kernel::open_unix().unwrap().unix_listeners().unwrap().iter().any(is_named) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_short_answer_is_no_listener() {
        for length in 0..ANSWER_BYTES {
            let body = vec![1; length];
            assert_eq!(listener(&Message { kind: BY_FAMILY, flags: 0, sequence: 1, body: &body }), None);
        }
    }
}
