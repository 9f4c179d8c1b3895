//! A function process has nothing of the test's memory.

use pkit_test::function;

fn main() {
    let text = String::from("seen here");
    let _ = function(|| text.len(), ());
}
