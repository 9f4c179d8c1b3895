//! A callable, in another process of the same program.
//!
//! What has no size is its type, and can be had again wherever the type is known. A pointer to a function travels as its
//! distance from a place of ours, since programs lie elsewhere each time they are executed.

use std::mem::{MaybeUninit, size_of, transmute_copy};

use nix::libc;

/// What distances are measured from: no function, since an optimiser may give one of these an address in each crate.
static ANCHOR: u8 = 0;

fn anchor_address() -> usize {
    (&raw const ANCHOR).expose_provenance()
}

/// How an address of this program travels to another process of it.
pub(super) fn distance_to(address: usize) -> u64 {
    address.wrapping_sub(anchor_address()) as u64
}

/// The address here that has travelled.
pub(super) fn address_at(distance: u64) -> usize {
    anchor_address().wrapping_add(distance as usize)
}

/// Whether a value of that type could be had again from its type, or from one address.
pub(crate) const fn could_travel<F>() -> bool {
    size_of::<F>() == 0 || size_of::<F>() == size_of::<fn()>()
}

/// Where a pointer to a function points to, as a distance. `None` for what has no size, and for what is not in this program
/// but in a library that it has loaded.
pub(crate) fn distance_of<F: Copy>(pointer: &F) -> Option<u64> {
    if size_of::<F>() != size_of::<fn()>() {
        return None;
    }
    // SAFETY: it has the size of an address, and callers give pointers to functions only.
    let address: usize = unsafe { transmute_copy(pointer) };
    (object_of(address) == object_of(anchor_address())).then(|| distance_to(address))
}

/// The value of that type, of which the process that sent the distance has had one.
pub(crate) fn conjure<F: Copy>(distance: Option<u64>) -> Option<F> {
    match distance {
        None if size_of::<F>() == 0 => {
            // SAFETY: it has no bytes that could be wrong, and somebody had a value of it, so that there can be one. It is
            // `Copy`, so that a second one takes nothing away from the first.
            Some(unsafe { transmute_copy(&()) })
        }
        Some(distance) if size_of::<F>() == size_of::<fn()>() => {
            let address = address_at(distance);
            // SAFETY: the distance is that of a function of the same type, in the same program.
            Some(unsafe { transmute_copy(&address) })
        }
        _ => None,
    }
}

/// Where the program or library begins in memory that has this address; `None` where the system does not say, as it does not of
/// a program that is all in one piece.
fn object_of(address: usize) -> Option<usize> {
    let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: it only looks the address up, and fills what it is given; what is zero is a valid empty answer.
    let (result, found) = unsafe {
        let result = libc::dladdr(address as *const libc::c_void, found.as_mut_ptr());
        (result, found.assume_init())
    };
    (result != 0).then_some(found.dli_fbase as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(number: u32) -> u32 {
        number * 2
    }

    fn again<F: Copy>(callable: F) -> Option<F> {
        conjure(distance_of(&callable))
    }

    #[test]
    fn what_has_no_size_is_had_from_its_type() {
        assert_eq!(again(double).unwrap()(4), 8);
        assert_eq!(again(|number: u32| number + 1).unwrap()(4), 5);
    }

    #[test]
    fn a_pointer_is_had_from_its_distance() {
        assert_eq!(again(double as fn(u32) -> u32).unwrap()(4), 8);
        assert!(distance_of(&(double as fn(u32) -> u32)).is_some());
        assert!(distance_of(&double).is_none());
    }

    #[test]
    fn what_is_in_a_library_does_not_travel() {
        let foreign: unsafe extern "C" fn() -> libc::pid_t = libc::getpid;
        // A program that is all in one piece has no libraries.
        let is_one_piece = cfg!(target_feature = "crt-static");
        assert_eq!(distance_of(&foreign).is_some(), is_one_piece);
    }

    #[test]
    fn nothing_is_made_from_the_wrong_word() {
        assert!(conjure::<fn()>(None).is_none());
        assert!(conjure::<()>(Some(8)).is_none());
        assert!(could_travel::<()>() && could_travel::<fn()>() && !could_travel::<[usize; 2]>());
    }
}
