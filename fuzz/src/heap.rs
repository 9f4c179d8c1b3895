//! How much an input makes a target take: a multiple of its length, and all of it is given back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What a target may take whatever its input is: buffers of a fixed size, and the tables of a regex, whose crate has limits of
/// its own.
const BASE_BYTES: usize = 64 * 1024 * 1024;

/// What it may take for each byte of it. A token of the macro is a hundred bytes, and a few are copied.
const BYTES_A_BYTE: usize = 16 * 1024;

/// What may stay behind from all inputs together: what is made once and kept on purpose.
const LASTING_BYTES: usize = 64 * 1024 * 1024;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
pub struct Counting;

// SAFETY: all that is asked of the one is asked of the other.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: the caller keeps the promises of this function, which are those of that one.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: it was allocated above, so by the system.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Runs it, and panics where it takes more than its input justifies.
pub fn within_limits(length: usize, run: impl FnOnce()) {
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    run();
    let taken = MOST.load(Relaxed) - before;
    assert!(taken <= BASE_BYTES + length * BYTES_A_BYTE, "{taken} bytes were taken for an input of {length}");
    assert!(NOW.load(Relaxed) <= LASTING_BYTES, "{} bytes are not given back", NOW.load(Relaxed));
}
