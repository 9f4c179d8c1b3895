//! `cargo bench -p pkit-test-benches [-- --quick] [--only NAME]`

use std::process::ExitCode;

fn main() -> ExitCode {
    pkit_test_benches::bench_main()
}
