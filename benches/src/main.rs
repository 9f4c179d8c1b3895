//! `cargo run --release -p pkit-test-benches [-- --quick] [--only NAME]`

use std::process::ExitCode;

fn main() -> ExitCode {
    pkit_test_benches::main()
}
