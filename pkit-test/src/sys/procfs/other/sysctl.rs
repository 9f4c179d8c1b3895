//! What `sysctl(3)` answers, as bytes.

use nix::libc;

/// A list may grow between the question for its length and that for itself.
const TRIES: usize = 4;

/// The whole answer to a question.
pub(super) fn ask(name: &[libc::c_int]) -> Option<Vec<u8>> {
    for _ in 0..TRIES {
        let length = length(name)?;
        // Half as much again: there may be more by now.
        let mut bytes = vec![0; length + length / 2 + 64];
        let mut filled = bytes.len();
        let mut name = name.to_vec();
        // SAFETY: the name and the buffer are of the lengths that are said, and live through the call.
        let result = unsafe {
            libc::sysctl(
                name.as_mut_ptr(),
                name.len() as libc::c_uint,
                bytes.as_mut_ptr().cast(),
                &raw mut filled,
                std::ptr::null_mut(),
                0,
            )
        };
        if result == 0 {
            bytes.truncate(filled);
            return Some(bytes);
        }
    }
    None
}

fn length(name: &[libc::c_int]) -> Option<usize> {
    let (mut name, mut length) = (name.to_vec(), 0);
    // SAFETY: as above; without a buffer only the length is told.
    let result = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            name.len() as libc::c_uint,
            std::ptr::null_mut(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    (result == 0).then_some(length)
}
