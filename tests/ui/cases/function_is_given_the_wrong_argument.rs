//! Its arguments are those that it takes.

use pkit_test::function;

fn double(n: u32) -> u32 {
    n * 2
}

fn main() {
    let _ = function(double, "two");
    let _ = function(double, (1, 2));
    let _ = function(double, ());
}
