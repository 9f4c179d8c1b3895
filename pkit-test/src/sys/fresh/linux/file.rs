//! The constructors of a binary that nothing is loaded beside: it has no dynamic section that tells of them, but its file
//! has a list of all sections.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The executable of this process, also when it was deleted.
const FILE: &str = "/proc/self/exe";

/// Sections of constructors have this type.
const SHT_INIT_ARRAY: u32 = 14;

/// Where the file says that they are. It is not loaded anywhere else.
pub(super) fn constructors() -> Option<Range<usize>> {
    // The layout below is that of 64 bits; others do without.
    if cfg!(not(target_pointer_width = "64")) {
        return None;
    }
    let file = File::open(FILE).ok()?;
    let (begin, size, count) = sections(&file).ok()?;
    let section = (0..count).find_map(|at| constructors_in(&file, begin + at * size).ok().flatten())?;
    Some(section)
}

/// Where the list is, how large an entry is, and how many there are.
fn sections(file: &File) -> io::Result<(u64, u64, u64)> {
    let begin = u64::from_ne_bytes(read(file, 0x28)?);
    let size = u16::from_ne_bytes(read(file, 0x3a)?);
    let count = u16::from_ne_bytes(read(file, 0x3c)?);
    Ok((begin, size.into(), count.into()))
}

fn constructors_in(file: &File, entry: u64) -> io::Result<Option<Range<usize>>> {
    if u32::from_ne_bytes(read(file, entry + 0x04)?) != SHT_INIT_ARRAY {
        return Ok(None);
    }
    let begin = u64::from_ne_bytes(read(file, entry + 0x10)?) as usize;
    let length = u64::from_ne_bytes(read(file, entry + 0x20)?) as usize;
    Ok(Some(begin..begin + length))
}

fn read<const BYTES: usize>(file: &File, at: u64) -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
