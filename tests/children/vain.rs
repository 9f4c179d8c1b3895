//! Looks at itself, and tells what it sees: one `key: value` a line. Then it exits with 0.

use pkit_test_tests::portrait::portrait;

fn main() {
    for (key, value) in portrait() {
        println!("{key}: {value}");
    }
}
