//! A slate: memory that two processes have in common, though one of them does not know yet that there will be the other.
//!
//! It is a file without a name. The first part is written before it is handed over, and only read from then on; the rest is
//! mapped by whoever is handed it, so that what is written there survives them, whatever they do to their descriptors. The
//! side that made it reads by `pread`, so that nothing that the other side does can disturb it.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc::off_t;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::resource::{Resource, getrlimit};

use super::fd;

#[cfg(target_os = "linux")]
mod linux;
mod portable;

#[cfg(target_os = "linux")]
use linux::file_without_name;
#[cfg(not(target_os = "linux"))]
use portable::file_without_name;

/// What lies on a multiple of this can be mapped, on any system that we know.
pub(crate) const PAGE_BYTES: u64 = 64 * 1024;

/// The side that has made it.
#[derive(Debug)]
pub(crate) struct Slate {
    file: File,
}

impl Slate {
    /// One of that size, or of the largest that this process may make, but no smaller than `least`. It is empty, and takes no
    /// memory until it is written to.
    pub(crate) fn new(least: u64, bytes: u64) -> io::Result<Slate> {
        // Whoever makes a file larger than that gets a signal, of which the test would die.
        let (allowed, _) = getrlimit(Resource::RLIMIT_FSIZE)?;
        let allowed = unsigned(allowed);
        if least > allowed {
            return Err(io::Error::from(nix::errno::Errno::EFBIG));
        }
        let file = File::from(fd::above_standard(file_without_name()?)?);
        file.set_len(bytes.min(allowed))?;
        Ok(Slate { file })
    }

    /// One that somebody else has made.
    pub(crate) fn given(slate: OwnedFd) -> Slate {
        Slate { file: File::from(slate) }
    }

    pub(crate) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    pub(crate) fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    pub(crate) fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, at)
    }

    /// What stands at a multiple of eight.
    pub(crate) fn number_at(&self, at: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.read_at(at, &mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// For the other process.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.file.as_fd().try_clone_to_owned()
    }
}

/// Reads a number before anything is mapped.
pub(crate) fn number_at(slate: &OwnedFd, at: u64) -> io::Result<u64> {
    Slate { file: File::from(slate.try_clone()?) }.number_at(at)
}

pub(crate) fn length(slate: &OwnedFd) -> io::Result<u64> {
    Slate { file: File::from(slate.try_clone()?) }.length()
}

/// The first part of a slate that one was handed.
#[derive(Debug)]
pub(crate) struct Given {
    area: Area,
}

impl Given {
    pub(crate) fn map(slate: &OwnedFd, bytes: u64) -> io::Result<Given> {
        Ok(Given { area: Area::map(slate, 0, bytes, ProtFlags::PROT_READ)? })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the area is mapped until it is dropped, for reading; whoever made the slate does not write to this part any
        // more, nor makes it shorter.
        unsafe { std::slice::from_raw_parts(self.area.start.as_ptr(), self.area.bytes) }
    }
}

/// The rest of it, to be written to.
#[derive(Debug)]
pub(crate) struct Mapped {
    area: Area,
}

impl Mapped {
    /// Maps what follows `from`, or of it as much as there are addresses for, but no less than `least`.
    pub(crate) fn map(slate: &OwnedFd, from: u64, least: u64) -> io::Result<Mapped> {
        let mut bytes = length(slate)?.saturating_sub(from).max(least);
        loop {
            match Area::map(slate, from, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE) {
                Err(_) if bytes / 2 >= least => bytes /= 2,
                mapped => return Ok(Mapped { area: mapped? }),
            }
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.area.bytes as u64
    }

    /// Writes the bytes, or nothing where they have no room.
    #[must_use]
    pub(crate) fn write_at(&self, at: u64, bytes: &[u8]) -> bool {
        let Some(place) = self.area.place(at, bytes.len()) else { return false };
        // SAFETY: the place has room for the bytes, and is in no borrow: nobody is ever given a reference into a mapped area.
        // Threads of ours that write here take turns, and the other process reads by system calls.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), bytes.len()) };
        true
    }

    /// Sets what stands at a multiple of eight, after all that was written before.
    pub(crate) fn store(&self, at: u64, number: u64) {
        self.number(at).store(number, Ordering::Release);
    }

    pub(crate) fn load(&self, at: u64) -> u64 {
        self.number(at).load(Ordering::Acquire)
    }

    fn number(&self, at: u64) -> &AtomicU64 {
        assert!(at % 8 == 0, "numbers are aligned");
        let place = self.area.place(at, 8).expect("numbers are in the part that is always mapped");
        // SAFETY: the place is mapped as long as `self`, aligned, and any eight bytes are a number.
        unsafe { AtomicU64::from_ptr(place.as_ptr().cast()) }
    }
}

/// Some systems have a sign in their limits, and none of them uses it.
fn unsigned(limit: impl TryInto<u64>) -> u64 {
    limit.try_into().unwrap_or(u64::MAX)
}

#[derive(Debug)]
struct Area {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it is memory of the process and belongs to no thread.
unsafe impl Send for Area {}
// SAFETY: shared, it gives out places only, whose use is explained where they are used.
unsafe impl Sync for Area {}

impl Area {
    fn map(slate: &OwnedFd, from: u64, bytes: u64, rights: ProtFlags) -> io::Result<Area> {
        let too_large = |_| io::Error::from(nix::errno::Errno::EFBIG);
        let size = usize::try_from(bytes).map_err(too_large)?;
        let offset = off_t::try_from(from).map_err(too_large)?;
        let size = NonZeroUsize::new(size).ok_or(nix::errno::Errno::EINVAL)?;
        // SAFETY: a new mapping at a place of the kernel's choice changes nothing that exists.
        let start = unsafe { mmap(None, size, rights, MapFlags::MAP_SHARED, slate, offset)? };
        Ok(Area { start: start.cast(), bytes: size.get() })
    }

    /// Where so many bytes can be written.
    fn place(&self, at: u64, bytes: usize) -> Option<NonNull<u8>> {
        let at = usize::try_from(at).ok()?;
        let end = at.checked_add(bytes)?;
        // SAFETY: up to its end, and no further, the place is in the mapping.
        (end <= self.bytes).then(|| unsafe { self.start.add(at) })
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: it is our mapping, and whatever was borrowed from it is borrowed no more. It cannot fail for one.
        let _ = unsafe { munmap(self.start.cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests;
