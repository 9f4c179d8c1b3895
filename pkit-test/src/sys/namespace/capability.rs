//! The two capabilities that a namespace of one's own gives and that we use, and no others.
//!
//! Whoever enters a user namespace has all of them in it, and with them rights over all files of its own user: a test
//! that looks whether a file may not be read would find that it may. So all others are given up at once.

use std::io;

use nix::libc;

const NET_ADMIN: u32 = 12;
const SYS_ADMIN: u32 = 21;
/// To make a network and join it, and to bring its loopback up.
const OURS: u32 = 1 << NET_ADMIN | 1 << SYS_ADMIN;

/// The layout that the kernel has known since 2.6.26: two words for each set.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Whether the calling thread may make namespaces.
pub(super) fn may_make_namespaces() -> bool {
    get().is_ok_and(|[low, _]| low.effective & (1 << SYS_ADMIN) != 0)
}

/// Gives up all but ours.
pub(super) fn keep_ours() -> io::Result<()> {
    let [low, _] = get()?;
    set(Sets { effective: low.effective & OURS, permitted: low.permitted & OURS, inheritable: 0 })
}

/// Lets the next program of this thread keep ours, or no longer. By itself a program that is not root's has none.
pub(super) fn pass_on(is_passed: bool) -> io::Result<()> {
    let [low, _] = get()?;
    if is_passed {
        set(Sets { inheritable: low.permitted & OURS, ..low })?;
        return [NET_ADMIN, SYS_ADMIN].into_iter().try_for_each(|one| ambient(libc::PR_CAP_AMBIENT_RAISE, one));
    }
    for one in [NET_ADMIN, SYS_ADMIN] {
        ambient(libc::PR_CAP_AMBIENT_LOWER, one)?;
    }
    set(Sets { inheritable: low.inheritable & !OURS, ..low })
}

/// Gives up all but what a program would keep that is not root's.
pub(super) fn keep_ambient() -> io::Result<()> {
    let [low, high] = get()?;
    set_both([low.only(ambient_word(0)), high.only(ambient_word(WORD_BITS))])
}

const WORD_BITS: u32 = 32;

/// Those of the ambient ones that are in the word that begins with `first`. A number that the kernel does not know is none.
fn ambient_word(first: u32) -> u32 {
    (0..WORD_BITS).filter(|bit| is_ambient(first + bit)).fold(0, |word, bit| word | 1 << bit)
}

fn is_ambient(capability: u32) -> bool {
    let zero: libc::c_ulong = 0;
    let what = libc::PR_CAP_AMBIENT_IS_SET as libc::c_ulong;
    // SAFETY: prctl with integer arguments only.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, what, libc::c_ulong::from(capability), zero, zero) == 1 }
}

impl Sets {
    fn only(self, kept: u32) -> Sets {
        Sets { effective: kept, permitted: kept, inheritable: self.inheritable }
    }
}

fn ambient(what: libc::c_int, capability: u32) -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: prctl with integer arguments only.
    let result = unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, what as libc::c_ulong, libc::c_ulong::from(capability), zero, zero)
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn get() -> io::Result<[Sets; 2]> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut sets = [Sets::default(); 2];
    // SAFETY: the header and two sets have the layout of this version and live through the call.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(sets) }
}

/// The upper word is for capabilities that are none of ours.
fn set(low: Sets) -> io::Result<()> {
    set_both([low, Sets::default()])
}

fn set_both(sets: [Sets; 2]) -> io::Result<()> {
    let mut header = Header { version: VERSION, pid: 0 };
    // SAFETY: as above; the kernel only reads the sets.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
