//! Other Unix systems: no such thing without a descriptor for each file. Whoever wants to know has to look.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

#[derive(Debug)]
pub(crate) struct Watch {
    never: OwnedFd,
}

impl Watch {
    pub(crate) fn open() -> io::Result<Watch> {
        unsupported()
    }

    pub(crate) fn follow(&mut self, _path: &Path) -> io::Result<()> {
        unsupported()
    }

    pub(crate) fn follow_file(&mut self, _path: &Path) -> io::Result<()> {
        unsupported()
    }

    pub(crate) fn drain(&mut self) -> bool {
        false
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.never.as_fd()
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "files can only be watched on Linux"))
}
