//! Real servers, as Debian has them: up, a real answer, up again in the same place, gone.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use pkit_test::ready::{Exec, Output, Ready};
use pkit_test::{Executor, Ground, Process, Restart, Result, Signal, Spec, http, orchestra, sh, simple, tcp};
use pkit_test_tests::left_out::{self, server};
use pkit_test_tests::private::Private;
use pkit_test_tests::process::{children, pids};

use crate::child::HANG;
use crate::text::normalised;

/// Starts it, asks it, restarts it in both ways, stops it: the same port all the time, and nothing is left.
#[track_caller]
fn check(spec: Spec, program: &Private, ask: impl Fn(&Process)) {
    let process = spec.start().unwrap();
    let port = process.port();
    ask(&process);
    for how in [Restart::Graceful, Restart::Forced] {
        process.restart(how).unwrap();
        assert_eq!(process.port(), port);
        ask(&process);
    }
    process.stop().unwrap();
    assert_eq!(program.survivors(), Vec::<u32>::new());
    assert!(TcpStream::connect(process.addr()).is_err(), "somebody still listens");
    process.start().unwrap();
    ask(&process);
    drop(process);
    assert_eq!(program.survivors(), Vec::<u32>::new());
}

/// A copy of a server's program, so that what is left of it can be told from others of its kind.
fn copied(path: &Path) -> Private {
    // Not the file that a link leads to: by its name a program may know what it is to be.
    Private::copy_of_file(path)
}

/// Sends some bytes and reads until the answer is there.
#[track_caller]
fn answers(process: &Process, question: &str, answer: &str) {
    let mut stream = TcpStream::connect(process.addr()).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.write_all(question.as_bytes()).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains(answer) {
        match stream.read(&mut buffer) {
            Ok(0) => panic!("the answer was {text:?}"),
            Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
            // Whoever was stopped meanwhile goes on.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
        }
    }
    let _ = stream.shutdown(Shutdown::Both); // It may have closed already.
}

#[test]
fn redis_answers() {
    let Some(path) = server("redis") else { return };
    let redis = copied(&path);
    let spec = tcp(redis.command("--port {port} --bind {host} --save '' --dir {dir}"), 0);
    check(spec, &redis, |process| {
        answers(process, "PING\r\n", "+PONG\r\n");
        answers(process, "SET key value\r\nGET key\r\n", "$5\r\nvalue\r\n");
    });
}

#[test]
fn memcached_answers() {
    let Some(path) = server("memcached") else { return };
    let memcached = copied(&path);
    let spec = tcp(memcached.command("-l {host} -p {port} -U 0"), 0);
    // It refuses to be root.
    let spec = if nix::unistd::geteuid().is_root() { spec.args("-u nobody") } else { spec };
    check(spec, &memcached, |process| {
        answers(process, "set key 0 0 5\r\nvalue\r\n", "STORED\r\n");
        answers(process, "get key\r\n", "VALUE key 0 5\r\nvalue\r\nEND\r\n");
    });
}

/// Nothing of it outside of its directory; its log is the file that every container recipe names.
const NGINX: &str = "
daemon off;
worker_processes 2;
pid {dir}/pid;
error_log /dev/stderr notice;
events {}
http {
    access_log /dev/stdout;
    client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;
    uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
    server { listen {addr}; location / { return 200 'from nginx'; } }
}
";

/// nginx with a configuration of its own, written where it runs.
struct Nginx(Spec);

impl Executor for Nginx {
    type Handle = Process;

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.0.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<Process> {
        fs::write(ground.fill("{dir}/nginx.conf")?, ground.fill(NGINX)?).expect("the directory is ours");
        self.0.start_on(ground)
    }

    fn process(handle: &Process) -> Option<&Process> {
        Some(handle)
    }
}

#[test]
fn nginx_answers_and_logs_to_its_own_stdout() {
    let Some(path) = server("nginx") else { return };
    let nginx = copied(&path);
    let spec = http(nginx.command("-c {dir}/nginx.conf -p {dir} -e /dev/stderr"), "/").stop_signal(Signal::Quit);
    let stack = orchestra().with("web", Nginx(spec)).start().unwrap();
    let web = &stack["web"];
    let ask = || answers(web, "GET /mine HTTP/1.0\r\n\r\n", "from nginx");
    let port = web.port();
    for how in [Restart::Graceful, Restart::Forced] {
        ask();
        web.wait_for_output("GET /mine HTTP/1.0", HANG).unwrap();
        // The first worker may answer before there is a second one.
        let first = web.wait_for_output("start worker process [0-9]", HANG).unwrap();
        web.wait_for_output_after(&first, "start worker process [0-9]", HANG).unwrap();
        assert!(nginx.survivors().len() >= 3, "a master and two workers");
        web.restart(how).unwrap();
        assert_eq!(web.port(), port);
    }
    ask();
    web.stop().unwrap();
    assert_eq!(nginx.survivors(), Vec::<u32>::new());
    drop(stack);
    assert_eq!(nginx.survivors(), Vec::<u32>::new());
}

#[test]
fn python_serves_its_directory() {
    let Some(_) = server("python") else { return };
    // The one in `PATH` may be a script that finds the real one.
    let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let path = PathBuf::from(String::from_utf8(found.stdout).unwrap().trim());
    let process = http(format!("'{}' -m http.server --bind {{host}} {{port}}", path.display()), "/")
        .cwd("{dir}")
        .start()
        .unwrap();
    let port = process.port();
    fs::write(process.dir().join("file"), "from python").unwrap();
    let ask = || answers(&process, "GET /file HTTP/1.0\r\n\r\n", "from python");
    ask();
    process.wait_for_output("GET /file HTTP/1.0. 200", HANG).unwrap();
    for how in [Restart::Graceful, Restart::Forced] {
        process.restart(how).unwrap();
        ask();
    }
    assert_eq!(process.port(), port);
    process.stop().unwrap();
    assert_eq!((process.pid(), TcpStream::connect(process.addr()).is_err()), (None, true));
}

/// As another user where we are root: PostgreSQL refuses to be that.
fn as_postgres(spec: Spec) -> Spec {
    if nix::unistd::geteuid().is_root() { spec.user("postgres") } else { spec }
}

/// A cluster of its own and the server on it, as one would write it in a test of one's own.
struct Postgres {
    directory: PathBuf,
    ready: Ready,
}

impl Executor for Postgres {
    type Handle = Process;

    fn start_on(self, ground: &Ground) -> Result<Process> {
        let program = |name: &str| format!("'{}'", self.directory.join(name).display());
        let arguments = "-D {dir}/data -p {port} -k {dir} -c listen_addresses={host} -c fsync=off";
        let server = format!("{} {arguments}", program("postgres"));
        let mut server = as_postgres(tcp(server, 0)).ready(self.ready).stop_signal(Signal::Int).stop_timeout(HANG);
        server.place(ground)?;
        let data = ground.fill("{dir}")?;
        let init = format!("{} -D {data}/data -U postgres -A trust --no-sync", program("initdb"));
        let exit = as_postgres(simple(init)).start()?.wait()?;
        assert!(exit.success(), "initdb: {exit}");
        server.start_on(ground)
    }

    fn process(handle: &Process) -> Option<&Process> {
        Some(handle)
    }
}

/// What the server answers to its own client.
#[track_caller]
fn query(directory: &Path, db: &Process, text: &str) -> String {
    let url = format!("postgres://postgres@{}/postgres", db.addr());
    let output = Command::new(directory.join("psql")).args(["-X", "-A", "-t", "-c", text, &url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn postgres_answers_a_query() {
    let Some(path) = server("postgres") else { return };
    let directory = path.parent().unwrap().to_owned();
    let ready = Output::stderr("database system is ready to accept connections").into();
    let stack = orchestra().with("db", Postgres { directory: directory.clone(), ready }).start().unwrap();
    let db = &stack["db"];
    let query = |text: &str| query(&directory, db, text);
    assert_eq!(
        query("create table t (n int); insert into t values (42); select n from t"),
        "CREATE TABLE\nINSERT 0 1\n42"
    );
    let port = db.port();
    for how in [Restart::Graceful, Restart::Forced] {
        db.restart(how).unwrap();
        assert_eq!((db.port(), query("select n from t").as_str()), (port, "42"));
    }
    assert!(children(db.pid().unwrap()).len() > 2, "a server with its workers");
    db.stop().unwrap();
    assert!(db.exit().unwrap().success(), "a fast shutdown ends with 0");
    let data = db.dir().join("data");
    let is_left = |pid: &u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data);
    assert_eq!(pids().into_iter().filter(is_left).count(), 0);
}

#[test]
fn pg_isready_says_when_postgres_answers() {
    let Some(path) = server("postgres") else { return };
    let directory = path.parent().unwrap().to_owned();
    let program = |name: &str| format!("'{}'", directory.join(name).display());
    let ready = || Exec::new(format!("{} -h {{host}} -p {{port}}", program("pg_isready")));
    let stack =
        orchestra().with("db", Postgres { directory: directory.clone(), ready: ready().into() }).start().unwrap();
    let db = &stack["db"];
    // Its own word may still be on the way to the log.
    assert_eq!(query(&directory, db, "select 42"), "42");
    db.restart(Restart::Graceful).unwrap();
    assert_eq!(query(&directory, db, "select 42"), "42");

    // It ends when it has been asked for the second time, so that there is a first answer.
    let program = program("pg_isready");
    let check =
        format!("test -e {{dir}}/asked && touch {{dir}}/again; touch {{dir}}/asked; {program} -h {{host}} -p {{port}}");
    let ends = sh("until test -e {dir}/again; do sleep 0.01; done");
    let nobody = simple(ends).ready(Exec::new(sh(check)));
    let error = normalised(&nobody.start().unwrap_err().to_string());
    assert!(error.contains(": exit code 2: 127.0.0.1:PORT - no response, N tries\n"), "{error}");
}

#[test]
fn redis_cli_says_when_redis_answers() {
    let Some(path) = server("redis") else { return };
    let redis = copied(&path);
    let client = path.with_file_name("redis-cli");
    if !client.exists() {
        return left_out::because("redis-cli is not installed");
    }
    let ready = Exec::new(format!("'{}' -h {{host}} -p {{port}} ping", client.display()));
    let spec = simple(redis.command("--port {port} --bind {host} --save '' --dir {dir}")).ready(ready);
    check(spec, &redis, |process| answers(process, "PING\r\n", "+PONG\r\n"));
}
