//! Runners that are neither nextest nor cargo, and what stands between a runner and its tests.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use pkit_test_tests::nested::cargo;
use pkit_test_tests::process::signal_process;

use crate::project::BINARIES;
use crate::said::Said;
use crate::scene::{SOME, Scene, run};
use crate::together::ONCE;

/// Some of each binary, and all kinds.
const FEW: &str = "many::n0";
const OF_FEW: usize = 10;

/// Leaves the session, the group, and its parent as well, before anything else is run.
const ORPHAN: &str = r#"exec 3<&0; { read line <&3; exec 3<&-; exec "$@"; } &"#;

/// A program of the user between nextest and each test, which takes a session of its own for it.
pub(crate) fn setsid(scene: &Scene) {
    let said = run(scene.nextest(SOME).env(format!("CARGO_TARGET_{}_RUNNER", host()), "setsid --wait"));
    said.check_no_leak();
    assert!(said.status.success(), "{}", said.text);
    scene.ledger.check_starts(&ONCE);
}

fn host() -> String {
    let output = Command::new(cargo()).arg("-vV").output().expect("cargo can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("host: ")).expect("it says for what it was built");
    line.to_uppercase().replace('-', "_")
}

/// As an editor runs it, or somebody by hand: its life is the run.
pub(crate) fn alone(scene: &Scene) {
    let said = finished(orphan(scene, [scene.binary(0).as_os_str(), OsStr::new(FEW)]));
    assert_eq!(said.passed(), OF_FEW, "{}", said.text);
    scene.ledger.check_starts(&ONCE);
    scene.ledger.check_views();
}

/// Three binaries are three runs, unless somebody says that they are one.
pub(crate) fn script(scene: &Scene) {
    let mut commands: String =
        (0..BINARIES.len()).map(|number| format!("'{}' {FEW}\n", scene.binary(number).display())).collect();
    let said = finished(orphan(scene, ["sh", "-c", &commands]));
    assert_eq!(said.passed(), 3 * OF_FEW, "{}", said.text);
    scene.ledger.check_starts(&ONCE.map(|(name, _)| (name, 3)));

    commands.insert_str(0, "export PKIT_RUN_ID=one@$$\n");
    let said = finished(orphan(scene, ["sh", "-c", &commands]));
    assert_eq!(said.passed(), 3 * OF_FEW, "{}", said.text);
    scene.ledger.check_starts(&ONCE.map(|(name, _)| (name, 4)));
}

pub(crate) fn killed_by_an_editor(scene: &Scene) {
    // The last of its tests wait for somebody who does not come: it has some more to do, however long we take.
    let words = ["env", "CROWD_TROUBLE=gate:50"].map(OsStr::new);
    let orphan = orphan(scene, [words[0], words[1], scene.binary(0).as_os_str(), OsStr::new("many::")]);
    scene.ledger.wait_for("lease", 20);
    let pid = scene.ledger.all("lease")[0].pid;
    signal_process(pid, Signal::SIGKILL).expect("it has not ended");
    finished(orphan);
}

/// A command whose parent is nobody's: we are run by cargo, and it would find that.
fn orphan<const N: usize>(scene: &Scene, words: [impl AsRef<OsStr>; N]) -> Child {
    let mut command = scene.command("sh");
    command.args(["-c", ORPHAN, "sh"]).args(words);
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut between = streams.spawn().expect("it can be run");
    // Not dropped by waiting: only when that is gone the other one may go on.
    let mut word = between.stdin.take().expect("it is piped");
    between.wait().expect("it is our child");
    word.write_all(b"go\n").expect("somebody waits for it");
    between
}

/// Its output ends with the last who has it.
fn finished(orphan: Child) -> Said {
    Said::of(orphan.wait_with_output().expect("it was our child"))
}
