//! Functions of a program that is no test, in processes of their own.
//!
//! ```console
//! cargo run -p pkit-test-examples --example functions
//! ```

use pkit_test::function;

fn square(n: u32) -> u32 {
    println!("squaring {n}");
    n.checked_mul(n).expect("it is too large")
}

fn main() -> pkit_test::Result<()> {
    let worker = function(square, 7).start()?;
    println!("{}", worker.join()?);
    println!("{}", worker.call(8)?);
    // What goes wrong over there is an error here, and the program goes on.
    println!("{}", worker.call(u32::MAX).unwrap_err().message());
    println!("{}", worker.call(9)?);
    Ok(())
}
