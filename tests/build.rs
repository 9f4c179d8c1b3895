//! Says which servers are there, for tests that cannot find out by themselves: what `#[sqlx::test]` makes of a function
//! connects before the function could leave itself out. Where PostgreSQL is missing such a test is an ignored one.

#[expect(dead_code, unreachable_pub, reason = "the library of the tests is the owner of the file")]
#[path = "support/servers.rs"]
mod servers;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_postgres)");
    println!("cargo::rerun-if-env-changed=PATH");
    // An installation makes a directory there. A file that is missing would be looked for in every build.
    println!("cargo::rerun-if-changed=/usr/lib");
    println!("cargo::rerun-if-changed=build.rs");
    if servers::SERVERS.iter().any(|server| server.name == "postgres" && server.find().is_some()) {
        println!("cargo::rustc-cfg=has_postgres");
    }
}
