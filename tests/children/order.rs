//! Leaves a line when it is stopped, so that the order of several stops can be read from one file.
//!
//! `order NAME FILE [--port PORT] [--ms MS]`: listens on `PORT` if there is one, prints `ready NAME`; on SIGTERM waits
//! `MS`, appends `NAME` to `FILE` as a line and exits 0.

use std::fs::OpenOptions;
use std::io::Write as _;

use nix::sys::signal::Signal;
use pkit_test_tests::child::{Args, awaited, fail, listen, say, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let port = args.option("--port");
    let linger_ms = args.option("--ms").unwrap_or(0);
    let name: String = args.word("NAME");
    let path: String = args.word("FILE");
    args.end();
    let _listener = port.map(|port| listen("127.0.0.1", port));
    let stop = awaited(Signal::SIGTERM);
    say(format_args!("ready {name}"));
    stop.wait().expect("the set is not empty");
    wait_ms(linger_ms);
    // One write of one line in append mode: several of us may do it at the same moment.
    let opened = OpenOptions::new().append(true).create(true).open(&path);
    let written = opened.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()));
    written.unwrap_or_else(|error| fail(format_args!("{path}: {error}")));
}
