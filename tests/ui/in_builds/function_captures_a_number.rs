//! `cargo check` does not see it, since it is about the size of a type that only code is generated for.

use pkit_test::function;

#[test]
fn a_capture_is_refused() {
    let number = 7_u32;
    let _ = function(move |n: u32| n + number, 1);
}
