//! One of our own programs for one test, and the proof at its end that nothing of it is left.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pkit_test::{Error, Process, Spec};
use pkit_test_tests::child::wait_ms;
use pkit_test_tests::private::Private;

/// Only catches a hang.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// How long a start may take that fails because its time is over, where its error shows what the process was like by then. On
/// a busy machine a child of ours may need half a second to begin; a test waits for all of it, so it is not far more.
pub(crate) const ENOUGH: Duration = Duration::from_millis(1500);

/// A private copy of one of the programs in `children/`: who runs it was started by this test.
///
/// To be declared before the handles, so that it is dropped after them.
#[derive(Debug)]
pub(crate) struct Child {
    copy: Private,
}

/// A child by its name.
pub(crate) fn child(name: &str) -> Child {
    Child { copy: Private::copy_of(name) }
}

impl Child {
    /// The command line that runs it.
    pub(crate) fn with(&self, arguments: &str) -> String {
        self.copy.command(arguments)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.copy.path().to_owned()
    }

    /// A file beside it, which is gone with it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.copy.path().with_file_name(name)
    }

    /// How many processes run it.
    pub(crate) fn count(&self) -> usize {
        self.copy.survivors().len()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !thread::panicking() {
            // At once: whoever returned said that nothing is left.
            assert_eq!(self.copy.survivors(), Vec::<u32>::new(), "processes are left that run {:?}", self.path());
        }
    }
}

/// The error of a start whose time is over. It shows what the process is like when it has come so far, and that takes as long
/// as it takes: who asks when the time is over is still answered once.
#[track_caller]
pub(crate) fn too_late(spec: Spec, comes_so_far: impl FnOnce(&Process)) -> Error {
    let process = spec.start_timeout(ENOUGH).spawn().unwrap();
    comes_so_far(&process);
    process.wait_ready().unwrap_err()
}

/// Until it has written such a line.
pub(crate) fn writes(line: &str) -> impl Fn(&Process) {
    move |process| drop(process.wait_for_output(line, HANG).unwrap())
}

/// Until it has answered on its port.
pub(crate) fn answers(process: &Process) {
    has_answered(process.addr());
}

/// Waits until somebody has answered there. Who is connected to has only listened, and may stand still before it accepts.
pub(crate) fn has_answered(addr: impl Into<SocketAddr>) {
    let addr = addr.into();
    wait_until(|| {
        let Ok(mut stream) = TcpStream::connect(addr) else { return false };
        stream.set_read_timeout(Some(HANG)).unwrap();
        // An end is an answer as well, in order or not.
        let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n").and_then(|()| stream.read(&mut [0]));
        true
    });
}

/// Makes a file that can be executed. By another process: were it open for writing in this one, a child that another thread
/// forks at that moment would hold it too, and the kernel starts nothing that somebody may write to.
pub(crate) fn write_program(path: &Path, text: &str) {
    let written = Command::new("sh").args(["-c", "printf %s \"$1\" > \"$0\""]).arg(path).arg(text).status();
    assert!(written.is_ok_and(|status| status.success()), "{} cannot be written", path.display());
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits for what no descriptor tells of: the state of another process, a file.
#[track_caller]
pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never became so");
        wait_ms(1);
    }
}
