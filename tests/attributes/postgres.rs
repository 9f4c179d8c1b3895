//! A PostgreSQL of our own for `#[sqlx::test]`, one for all tests of this binary.
//!
//! sqlx asks `DATABASE_URL` where its server is, before the body of a test runs, and wants the same answer from every test
//! of a process. So there is one server, which the first test starts, and the variable is set when it is up.

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

use pkit_test::ready::Output;
use pkit_test::{Executor, Ground, Process, Result, Signal, Spec, orchestra, simple, tcp};
use pkit_test_tests::servers::{SERVERS, Server};

/// A new cluster in the private directory, and the server on it.
pub(crate) struct Cluster {
    programs: PathBuf,
}

impl Cluster {
    /// With the programs of the installed server. Without one the tests that need it are ignored.
    pub(crate) fn installed() -> Cluster {
        let server = SERVERS.iter().find(|server| server.name == "postgres").and_then(Server::find);
        let server = server.expect("a test that needs it is ignored where it is missing");
        Cluster { programs: server.with_file_name("") }
    }
}

impl Executor for Cluster {
    type Handle = Process;

    fn start_on(self, ground: &Ground) -> Result<Process> {
        let program = |name: &str| format!("'{}'", self.programs.join(name).display());
        let arguments = "-D {dir}/data -p {port} -k {dir} -c listen_addresses={host} -c fsync=off";
        let mut server = as_postgres(tcp(format!("{} {arguments}", program("postgres")), 0))
            .ready(Output::stderr("database system is ready to accept connections"))
            .stop_signal(Signal::Int);
        server.place(ground)?;
        let directory = ground.fill("{dir}")?;
        let init = format!("{} -D {directory}/data -U postgres -A trust --no-sync", program("initdb"));
        let exit = as_postgres(simple(init)).start()?.wait()?;
        assert!(exit.success(), "initdb: {exit}");
        server.start_on(ground)
    }

    fn process(handle: &Process) -> Option<&Process> {
        Some(handle)
    }
}

/// It refuses to be root.
fn as_postgres(spec: Spec) -> Spec {
    if nix::unistd::geteuid().is_root() { spec.user("postgres") } else { spec }
}

/// The executor of the tests: starts the server if nobody has.
pub(crate) struct Shared;

impl Executor for Shared {
    type Handle = &'static Process;

    fn start_on(self, _: &Ground) -> Result<&'static Process> {
        static SERVER: OnceLock<&'static Process> = OnceLock::new();
        Ok(SERVER.get_or_init(start))
    }
}

fn start() -> &'static Process {
    let stack = orchestra().with("db", Cluster::installed()).start().unwrap();
    // Never dropped: the guardian takes it down when the binary ends.
    let server = &Box::leak(Box::new(stack))["db"];
    announce(server);
    server
}

#[expect(clippy::disallowed_methods, reason = "sqlx knows no other way to be told where its server is")]
fn announce(server: &Process) {
    // SAFETY: whoever reads or writes the environment of this process does it by `std`, which takes turns.
    unsafe { env::set_var("DATABASE_URL", url(server)) };
}

/// Where the server is, for whoever connects by himself.
pub(crate) fn url(server: &Process) -> String {
    format!("postgres://postgres@{}/postgres", server.addr())
}
