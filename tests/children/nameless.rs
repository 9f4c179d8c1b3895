//! Has neither environment nor arguments nor a name: nothing that was put there finds it, nor does `pkill`.
//!
//! `nameless`: executes itself again without any environment variable and without a word on its command line, not even its
//! own name, calls itself `-`, prints `nameless` and pauses. What begins with an empty name is already that.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::prctl::set_name;
use pkit_test_tests::child::{fail, pause, say};

fn main() {
    let name = std::env::args_os().next().unwrap_or_default();
    if !name.is_empty() {
        fail(Command::new("/proc/self/exe").arg0("").env_clear().exec());
    }
    set_name(c"-").unwrap_or_else(|error| fail(format_args!("name: {error}")));
    say("nameless");
    pause()
}
