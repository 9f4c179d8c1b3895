//! Tests whose processes leave directories that nobody may write to, to be run by somebody who is not root.

use std::path::Path;

use nix::sys::signal::{Signal, raise};
use pkit_test::{Process, output, sh};

use super::chosen::is_chosen;

/// As the cache of modules of a Go program is; here also its own directory, and one that cannot be read.
fn forbidding() -> Process {
    let script = "mkdir -p a/b c && touch a/b/file c/file && chmod 500 a/b a && chmod 0 c . && echo up && read end";
    output(sh(script), "^up$").cwd("{dir}").start().unwrap()
}

#[test]
fn drops_it() {
    if is_chosen() {
        let process = forbidding();
        let path = process.dir().to_owned();
        assert!(Path::new(&path).exists());
        drop(process);
        assert!(!path.exists(), "{}", path.display());
    }
}

#[test]
fn dies_with_it() {
    if is_chosen() {
        let _process = forbidding();
        raise(Signal::SIGKILL).unwrap();
    }
}
