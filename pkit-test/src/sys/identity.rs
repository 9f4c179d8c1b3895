//! Which open file a descriptor stands for: its number alone says nothing once somebody may have closed it.

use std::os::fd::OwnedFd;

use nix::sys::stat::fstat;

/// Which file, socket or device a descriptor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u128,
    inode: u128,
}

/// `None` for one that is closed.
pub(crate) fn identity(fd: &OwnedFd) -> Option<Identity> {
    let found = fstat(fd).ok()?;
    // The types differ between systems, and some have a sign; as they are, they can be compared.
    Some(Identity { device: found.st_dev as u128, inode: found.st_ino as u128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_itself_by_any_number() {
        let open = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let (first, (reader, writer)) = (open(), crate::sys::platform::pipe().unwrap());
        assert_eq!(identity(&first), identity(&open()));
        assert_ne!(identity(&first), identity(&reader));
        assert_ne!(identity(&first), identity(&writer));
    }
}
