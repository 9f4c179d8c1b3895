//! A fork of a process that has next to nothing: as fast as a process can come to be.

use std::io::{Read, Write};

use crate::clock;
use crate::outcome::Outcome;
use crate::sys;

/// Prints a line a sample: from before the fork until the child ran, in ms.
pub(super) fn print_forks(samples: usize) -> Outcome<()> {
    for _ in 0..samples {
        let (mut from_child, mut to_parent) = std::io::pipe()?;
        let began = clock::now_ns();
        // Without the stamp there is an error on the other side.
        sys::in_a_fork(|| drop(to_parent.write_all(&clock::now_ns().to_ne_bytes())))?;
        let mut ran = [0; 8];
        from_child.read_exact(&mut ran)?;
        println!("{}", clock::between_ms(began, u64::from_ne_bytes(ran)));
    }
    Ok(())
}
