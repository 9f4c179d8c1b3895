//! What a closure has captured stays here: it is to be an argument.

use pkit_test::function;

fn main() {
    let text = String::from("moved");
    let _ = function(move |n: usize| text.len() + n, 1);
}
