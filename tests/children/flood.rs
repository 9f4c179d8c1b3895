//! Writes as fast as it can, more than any pipe holds.
//!
//! `flood BYTES [--stderr | --both] [--marker TEXT] [--stay]`: writes that many bytes in lines of 80 (0: endless), to
//! stdout, to stderr or half to each in turns; then the line `TEXT`, and with `--stay` it pauses instead of exiting.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;

use pkit_test_tests::child::{Args, fail, pause};

const LINE: [u8; 80] = *b"0123456789012345678901234567890123456789012345678901234567890123456789 flooding\n";
const LINES_AT_ONCE: usize = 512;

fn main() {
    let mut args = Args::of_process();
    let mut streams = streams(args.flag("--stderr"), args.flag("--both"));
    let marker = args.option::<String>("--marker");
    let stay = args.flag("--stay");
    let bytes = args.word("BYTES");
    args.end();

    flood(&mut streams, if bytes == 0 { u64::MAX } else { bytes });
    if let Some(text) = marker {
        write(&mut streams[0], format!("{text}\n").as_bytes());
    }
    if stay {
        pause();
    }
}

/// Files and not `stdout()`: no lock, no buffer, no flush in between.
fn streams(to_stderr: bool, to_both: bool) -> Vec<File> {
    let out = || std::io::stdout().as_fd().try_clone_to_owned().map(File::from).expect("stdout is open");
    let err = || std::io::stderr().as_fd().try_clone_to_owned().map(File::from).expect("stderr is open");
    match (to_stderr, to_both) {
        (_, true) => vec![out(), err()],
        (true, false) => vec![err()],
        (false, false) => vec![out()],
    }
}

fn flood(streams: &mut [File], bytes: u64) {
    let chunk = LINE.repeat(LINES_AT_ONCE);
    let mut left = bytes;
    for turn in (0..streams.len()).cycle() {
        if left == 0 {
            return;
        }
        let length = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        write(&mut streams[turn], &chunk[..length]);
        left -= length as u64;
    }
}

fn write(stream: &mut File, bytes: &[u8]) {
    if let Err(error) = stream.write_all(bytes) {
        fail(format_args!("flood: {error}"));
    }
}
