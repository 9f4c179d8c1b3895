//! A test in a process of its own: where it counts what a process has, other tests of the binary would be counted too.

use std::env;
use std::process::{Command, Stdio};
use std::thread;

/// Set for the process that runs the body of one test.
const ALONE: &str = "PKIT_TEST_ALONE";

/// Runs the body in a process of its own, and fails when that fails.
#[track_caller]
pub(crate) fn alone(body: impl FnOnce()) {
    if is_alone() {
        return body();
    }
    let output = again().output().expect("this binary can be executed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Whether this process is there for this test only.
pub(crate) fn is_alone() -> bool {
    env::var(ALONE).is_ok_and(|name| name == own_name())
}

/// Executes this binary for this test only.
pub(crate) fn again() -> Command {
    let mut command = Command::new(env::current_exe().expect("procfs is mounted"));
    command.args(["--exact", &own_name(), "--nocapture", "--test-threads=1"]).env(ALONE, own_name());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn own_name() -> String {
    thread::current().name().expect("the harness names the thread of a test after it").to_owned()
}
