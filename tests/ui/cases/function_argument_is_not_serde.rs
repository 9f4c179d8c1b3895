//! Arguments and results go from one process to another.

use std::rc::Rc;

use pkit_test::function;

struct Plain;

fn takes(_: Plain) {}

fn returns() -> Rc<u32> {
    Rc::new(1)
}

fn main() {
    let _ = function(takes, Plain);
    let _ = function(returns, ());
}
