//! Runs the example: `fn main` with a stack in plain code is a program like any other.

use pkit_test::{Result, bin, simple};

#[test]
fn leaves_nothing_to_be_desired() -> Result<()> {
    let stack = simple(bin!("stack")).start()?;
    assert!(stack.wait()?.success(), "{}", stack.output());
    assert!(stack.stdout().contains("hits: 1\nhits: 2\nhits: 3\n"), "{}", stack.output());
    Ok(())
}
