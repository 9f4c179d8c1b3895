//! One program for all targets: `PKIT_FUZZ_TARGET` says which. All else is libFuzzer's, and `cargo xtask fuzz` calls it.

#![no_main]

mod heap;

use std::env;
use std::sync::OnceLock;

use pkit_test::__fuzz::{TARGETS, Target};

/// The attribute macro is a crate of its own, which cannot show its functions to the library.
const ATTRIBUTE: Target = Target { name: "attribute", run: attribute::__fuzz::attribute, most_bytes: 1024 };

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let target = target();
    if bytes.len() <= target.most_bytes {
        heap::within_limits(bytes.len(), || (target.run)(bytes));
    }
});

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = env::var("PKIT_FUZZ_TARGET").expect("PKIT_FUZZ_TARGET is the name of a target");
        let all = TARGETS.iter().chain([&ATTRIBUTE]);
        *all.clone().find(|target| target.name == name).unwrap_or_else(|| {
            panic!("no target `{name}`, but {}", all.map(|target| target.name).collect::<Vec<_>>().join(", "))
        })
    })
}
