//! One PostgreSQL for all tests of a run, and a database for each: a cluster takes seconds to make, a database a tenth of one.
//!
//! The cluster is an executor of one's own that can be shared. Where PostgreSQL is not installed the tests say so, and are counted
//! as left out.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pkit_test::ready::Output;
use pkit_test::{
    Attaching, Command, Error, Executor, Ground, Identity, Process, Publication, Result, Seat, Shareable, Signal, Spec,
    View, simple, tcp, with_processes,
};
use pkit_test_tests::left_out::server;

/// A new cluster in the private directory, and the server on it.
#[derive(Clone)]
struct Cluster {
    /// Where its programs are.
    programs: PathBuf,
}

impl Cluster {
    /// With the programs beside this one.
    fn of(postgres: &Path) -> Cluster {
        Cluster { programs: postgres.with_file_name("") }
    }

    fn program(&self, name: &str) -> Command {
        Command::program(self.programs.join(name))
    }

    fn server(&self) -> Spec {
        let arguments = "-D {dir}/data -p {port} -k {dir} -c listen_addresses={host} -c fsync=off";
        as_postgres(tcp(self.program("postgres").args(arguments), 0))
            .ready(Output::stderr("database system is ready to accept connections"))
            .stop_signal(Signal::Int)
    }

    /// Asks the server by its own client.
    fn ask(&self, server: &Process, database: &str, query: &str) -> Result<String> {
        let url = format!("postgres://postgres@{}/{database}", server.addr());
        let client = self.program("psql").args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", query, &url]);
        let client = simple(client).may_exit().start()?;
        match client.wait()?.success() {
            true => Ok(client.stdout().trim().to_owned()),
            false => Err(Error::other(client.stderr())),
        }
    }
}

impl Executor for Cluster {
    type Handle = Process;

    fn start_on(self, ground: &Ground) -> Result<Process> {
        let mut server = self.server();
        server.place(ground)?;
        let directory = ground.fill("{dir}")?;
        let init = self.program("initdb").args([
            "-D",
            &format!("{directory}/data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
        ]);
        let init = as_postgres(simple(init)).start()?;
        let exit = init.wait()?;
        if !exit.success() {
            return Err(Error::other(format!("initdb: {exit}\n{}", init.output())));
        }
        server.start_on(ground)
    }

    fn process(server: &Process) -> Option<&Process> {
        Some(server)
    }
}

impl Shareable for Cluster {
    fn identify(&self, identity: &mut Identity) {
        identity.executor(&self.server());
    }

    fn publish(server: &Process, publication: &mut Publication) {
        publication.process(server);
    }

    fn attach(self, published: &mut Attaching<'_>) -> Result<Process> {
        published.process(self.server())
    }
}

/// It refuses to be root.
fn as_postgres(spec: Spec) -> Spec {
    let is_root = Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0);
    if is_root { spec.user("postgres") } else { spec }
}

/// The database of one test: its name is the seat's, which no other test of the run has.
fn database(cluster: &Cluster) -> impl Executor<Handle = View<String>> + use<> {
    let client = cluster.clone();
    let make = move |server: &Process, seat: &Seat| -> Result<String> {
        client.ask(server, "postgres", &format!("create database {}", seat.id()))?;
        Ok(seat.id().to_owned())
    };
    // Run when the test is over, also when it was killed, and before the slot and the name are anybody else's.
    let drop = cluster.program("dropdb").args("--if-exists --force -h {host} -p {port} -U postgres {seat}");
    cluster.clone().shared().each(make, simple(drop))
}

#[with_processes(database = database(cluster))]
fn has_a_database_of_its_own(cluster: &Cluster, rows: u32, database: View<String>) {
    let ask = |query: &str| cluster.ask(database.shared(), &database, query).unwrap();
    // All of them make the same table, at the same time, and see their own rows only.
    ask("create table hits (page text)");
    ask(&format!("insert into hits select 'home' from generate_series(1, {rows})"));
    assert_eq!(ask("select count(*) from hits"), rows.to_string());
}

#[test]
fn keeps_one_row() {
    if let Some(postgres) = server("postgres") {
        has_a_database_of_its_own(&Cluster::of(&postgres), 1);
    }
}

#[test]
fn keeps_two_rows() {
    if let Some(postgres) = server("postgres") {
        has_a_database_of_its_own(&Cluster::of(&postgres), 2);
    }
}

#[test]
fn keeps_three_rows() {
    if let Some(postgres) = server("postgres") {
        has_a_database_of_its_own(&Cluster::of(&postgres), 3);
    }
}
