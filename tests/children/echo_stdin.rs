//! Says again what it is told, and ends when nobody speaks any more.
//!
//! `echo_stdin [--stderr]`: echoes each line of stdin, to stderr if asked to, and exits 0 at its end.

use std::io;

use pkit_test_tests::child::{Args, fail, say};

fn main() {
    let mut args = Args::of_process();
    let to_stderr = args.flag("--stderr");
    args.end();
    for line in io::stdin().lines() {
        match line {
            Ok(text) if to_stderr => eprintln!("{text}"),
            Ok(text) => say(text),
            Err(error) => fail(format_args!("stdin: {error}")),
        }
    }
}
