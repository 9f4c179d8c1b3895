//! The real servers that some tests need: one table, which `xtask` reads as well.
//!
//! Only `std` is used here, because `xtask` has no dependencies and includes this very file.

use std::env;
use std::path::{Path, PathBuf};

/// Names the servers that `xtask` found, separated by commas. Without it each test looks for itself.
pub const SERVERS_VARIABLE: &str = "PKIT_TEST_SERVERS";

/// Names the file to which a test that is left out appends a line.
pub const LEFT_OUT_VARIABLE: &str = "PKIT_TEST_LEFT_OUT";

/// A server that some tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// What the tests call it.
    pub name: &'static str,
    /// The program that is looked for.
    pub program: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
}

/// All of them.
pub const SERVERS: [Server; 5] = [
    Server { name: "redis", program: "redis-server", package: "redis-server" },
    Server { name: "nginx", program: "nginx", package: "nginx-light" },
    Server { name: "memcached", program: "memcached", package: "memcached" },
    Server { name: "postgres", program: "postgres", package: "postgresql-15" },
    Server { name: "python", program: "python3", package: "python3" },
];

/// Where Debian puts what is not for everybody's `PATH`.
const MORE_DIRECTORIES: [&str; 3] = ["/usr/lib/postgresql/15/bin", "/usr/sbin", "/usr/local/sbin"];

impl Server {
    /// Where its program is. Its own directory goes first, as a wrapper in `PATH` may not do what we need.
    #[must_use]
    pub fn find(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let more = MORE_DIRECTORIES.iter().map(PathBuf::from);
        let candidates = more.chain(env::split_paths(&path)).map(|directory| directory.join(self.program));
        candidates.into_iter().find(|candidate| is_executable(candidate))
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
