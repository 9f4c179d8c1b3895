//! One of our own programs for one test, and the proof at its end that nothing of it is left.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

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

/// Waits for what no descriptor tells of: the state of another process, a file.
#[track_caller]
pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never became so");
        wait_ms(1);
    }
}
