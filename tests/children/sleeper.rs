//! Does nothing at all, for ever, and dies of any signal that kills. The harmless one, to compare the others with.
//!
//! `sleeper`: prints `sleeper` and pauses.

use pkit_test_tests::child::{Args, pause, say};

fn main() {
    Args::of_process().end();
    say("sleeper");
    pause()
}
