//! What it takes is made there, so that it can borrow from nobody.

use pkit_test::function;

fn length(text: &str) -> usize {
    text.len()
}

fn main() {
    let _ = function(length, "text");
}
