//! Looks at itself, and tells what it sees. The one to compare a function in a process of its own with.
//!
//! `vain`: prints one `key: value` a line and exits with 0.

use pkit_test_tests::portrait::portrait;

fn main() {
    for (key, value) in portrait() {
        println!("{key}: {value}");
    }
}
