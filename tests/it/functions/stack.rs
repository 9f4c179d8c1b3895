//! Functions among programs: ready, needed, supervised, isolated, and part of the verdict like any other process.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process;
use std::time::Duration;

use expect_test::expect;
use pkit_test::ready::{Said, Tcp};
use pkit_test::{
    Isolation, Spec, Supervision, Worker, current, function, orchestra, orchestrate, orchestrated, tcp, with_processes,
};
use pkit_test_tests::child::pause;
use pkit_test_tests::left_out;
use serde::{Deserialize, Serialize};

use crate::child::{HANG, child};
use crate::nested::victim;
use crate::text::normalised;

/// Serves the same word to everybody.
fn serve(word: String) {
    let listener = TcpListener::bind((current().host(), current().port_of("api"))).unwrap();
    for stream in listener.incoming() {
        stream.unwrap().write_all(word.as_bytes()).unwrap();
    }
}

fn ask(address: SocketAddr) -> String {
    let mut text = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn server(word: &str) -> Spec<Worker<()>> {
    function(serve, word.to_owned()).port("api").ready(Tcp::port("api"))
}

#[test]
fn it_is_probed_like_any_other() {
    let worker = server("hello").start().unwrap();
    assert_eq!(ask(SocketAddr::from(([127, 0, 0, 1], worker.port_of("api")))), "hello");
    worker.stop().unwrap();
}

/// What a function is told of where it is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    name: String,
    port: u16,
    admin: u16,
    ports: BTreeMap<String, u16>,
    address: SocketAddr,
    db: (u16, SocketAddr, String),
    peers: Vec<String>,
}

fn look() -> Seen {
    let here = current();
    let db = here.peer("db");
    Seen {
        name: here.name().to_owned(),
        port: here.port(),
        admin: here.port_of("admin"),
        ports: here.ports().map(|(name, port)| (name.to_owned(), port)).collect(),
        address: here.addr(),
        db: (db.port(), db.addr(), db.url("/x")),
        peers: here.peers().map(|peer| peer.name().to_owned()).collect(),
    }
}

#[test]
fn it_knows_where_it_is_and_where_those_are_that_it_needs() {
    let slow = child("slow");
    let db = tcp(slow.with("0 {port}"), 0);
    // Its own port is there because somebody asks for it.
    let app = function(look, ()).env("OWN", "{port}").port("admin").after("db");
    let stack = orchestra().with("db", db.clone()).with("app", app).with("other", db).start().unwrap();
    let (app, db) = (stack.get::<Worker<Seen>>("app"), &stack["db"]);
    let seen = app.join().unwrap();
    let expected = Seen {
        name: "app".to_owned(),
        port: app.port(),
        admin: app.port_of("admin"),
        ports: BTreeMap::from([(String::new(), app.port()), ("admin".to_owned(), app.port_of("admin"))]),
        address: app.addr(),
        db: (db.port(), db.addr(), db.url("/x")),
        peers: vec!["db".to_owned()],
    };
    assert_eq!(seen, expected);
}

#[test]
fn a_wrong_name_is_a_panic_that_says_which_there_are() {
    let failure = function(|| current().port_of("api"), ()).port("admin").start().unwrap().join().unwrap_err();
    expect!["`a_wrong_name_is_a_panic_that_says_which_there_are-closure` has no port `api`: only admin"]
        .assert_eq(failure.message());
    let line = line!() + 1;
    let failure = function(|| current().port(), ()).start().unwrap().join().unwrap_err();
    expect![
        "`a_wrong_name_is_a_panic_that_says_which_there_are-closure` has no port of its own: its spec asks for none"
    ]
    .assert_eq(failure.message());
    // The place is the one that asks, and none of ours.
    assert_eq!((failure.file(), failure.line()), (Some(file!()), Some(line)));
    let line = line!() + 1;
    let failure = function(|| current().peer("db").port(), ()).start().unwrap().join().unwrap_err();
    expect!["`a_wrong_name_is_a_panic_that_says_which_there_are-closure` knows no process `db`: its spec says `after` of none"]
        .assert_eq(failure.message());
    assert_eq!((failure.file(), failure.line()), (Some(file!()), Some(line)));
    let outside = std::panic::catch_unwind(|| current().port()).unwrap_err();
    expect!["`current()` is for code that runs in a function process, which this is not"]
        .assert_eq(outside.downcast_ref::<String>().map_or("", |text| text));
}

#[test]
fn holes_in_arguments_are_nobodys_business() {
    let text = "{port} {db.addr} {dir} {{x}} {unknown}".to_owned();
    let worker = function(|text: String| text, text.clone()).start().unwrap();
    assert_eq!(worker.join().unwrap(), text);
    // In the environment they mean something.
    let worker = function(|| std::env::var("OWN").unwrap(), ()).env("OWN", "{port}").start().unwrap();
    assert_eq!(worker.join().unwrap(), worker.port().to_string());
    let error = function(|| (), ()).env("OWN", "{db.port}").start().unwrap_err();
    assert!(error.is_spec(), "{error}");
}

#[test]
fn it_is_started_again_by_its_supervisor() {
    fn crashes() -> u32 {
        current().ready();
        // The first one of them dies.
        let file = current().dir().join("crashed");
        if !file.exists() {
            std::fs::write(file, "").unwrap();
            process::abort();
        }
        pause()
    }
    let policy = Supervision::permanent().backoff(Duration::from_millis(1), Duration::from_millis(4));
    let spec = function(crashes, ()).ready(Said::ready()).supervise(policy);
    orchestrated([("app", spec)], |stack| {
        let app = &stack["app"];
        if app.restarts() == 0 {
            app.wait_restart(0, HANG).unwrap();
        }
        assert_eq!((app.restarts(), app.is_alive()), (1, true));
    })
    .unwrap();
}

#[test]
fn others_wait_for_what_it_says() {
    fn says() {
        current().ready();
        pause();
    }
    let app = || function(|| current().peers().count(), ());
    let stack = orchestra()
        .with("app", app().after("says"))
        .with("says", function(says, ()).ready(Said::ready()))
        .start()
        .unwrap();
    assert_eq!(stack.get::<Worker<usize>>("app").join().unwrap(), 1);
    let stack = orchestrate([("a", app()), ("b", app().after("a"))]).start().unwrap();
    assert_eq!(stack.get::<Worker<usize>>("b").join().unwrap(), 1);
}

#[with_processes(app = server("by value"))]
#[test]
fn it_is_a_parameter_by_value(app: Worker<()>) {
    assert!(app.is_alive());
}

#[with_processes(app = function(|n: u32| n + 1, 1), db = server("db"))]
#[test]
fn it_is_a_parameter_by_reference(app: &Worker<u32>, db: &mut Worker<()>) {
    assert_eq!(app.join().unwrap(), 2);
    assert_eq!(app.call(5).unwrap(), 6);
    db.stop().unwrap();
}

#[with_processes(app = function(|n: u32| n + 1, 1), db = server("db").after("app"))]
#[tokio::test]
async fn it_is_a_parameter_of_a_future(app: Worker<u32>, db: Worker<()>) {
    assert_eq!(app.join().unwrap(), 2);
    assert!(db.is_alive());
}

#[test]
fn one_that_returns_is_no_surprise_and_one_that_panics_is() {
    victim("functions::returns").passes();
    victim("functions::panics_and_is_joined").passes();
    victim("functions::panics_unseen").fails(expect![[r#"
        --- `app`: exit code 101, all it wrote (CHILDREN/pkit/PID.1-app.1.log)
        <unnamed> panicked at tests/it/victims/functions.rs:
        what the function says
        victims::functions::panics_unseen panicked at tests/it/victims/functions.rs:
        `app` ended during the test, and nobody asked it to
          spec:   function(boom, bool)   tests/it/victims/functions.rs
          ran:    boom, in a process of its own   pid N, in N ms
          exit:   exit code 101
          panic:  there was one at tests/it/victims/functions.rs: what the function says
          hint:   `join` it where the test expects that, or `.may_exit()` or `.expect_exit(code)`
          stderr: <unnamed> panicked at tests/it/victims/functions.rs:
                  what the function says
                  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"#]]);
    victim("functions::exits_unseen").fails(expect![[r#"
        --- `app`: exit code 101, it wrote nothing
        victims::functions::exits_unseen panicked at tests/it/victims/functions.rs:
        `app` ended during the test, and nobody asked it to
          spec:   function(exits_unseen-closure, bool)   tests/it/victims/functions.rs
          ran:    exits_unseen-closure, in a process of its own   pid N, in N ms
          exit:   exit code 101
          hint:   `join` it where the test expects that, or `.may_exit()` or `.expect_exit(code)`
          output: none"#]]);
    victim("functions::may_panic").passes();
}

#[test]
fn a_start_that_fails_stops_the_rest() {
    let sleeper = child("sleeper");
    let unready = function(|| -> u32 { panic!("no luck") }, ()).env("RUST_BACKTRACE", "0");
    let unready = unready.ready(Said::ready()).after("db");
    let stack = orchestra().with("db", pkit_test::simple(sleeper.with(""))).with("app", unready);
    let error = stack.start().unwrap_err();
    expect![[r#"
        `app` exited before it was ready
          spec:   function(a_start_that_fails_stops_the_rest-closure, ())   tests/it/functions/stack.rs
          ran:    a_start_that_fails_stops_the_rest-closure, in a process of its own   pid N, in N ms
          exit:   exit code 101
          probe:  it says that it is ready: it runs, and has not called `current().ready()`, N tries
          why:    it panicked at tests/it/functions/stack.rs: no luck
          needs:  db (ready in N ms)
          stderr: <unnamed> panicked at tests/it/functions/stack.rs:
                  no luck
                  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn with_ids_of_its_own_it_is_all_the_same() {
    if !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can be sure to get a namespace");
    }
    #[expect(clippy::zombie_processes, reason = "that it is left to its end is what is tested")]
    fn forks() -> (u32, usize) {
        let child = process::Command::new("sleep").arg("600").spawn().unwrap();
        assert!(child.id() < 1000);
        let seen = std::fs::read_dir("/proc").unwrap().flatten();
        let seen = seen.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).count();
        (process::id(), seen)
    }
    let worker = function(forks, ()).isolate(Isolation::Pid).start().unwrap();
    let (pid, seen) = worker.join().unwrap();
    assert!(pid < 1000 && seen < 10, "{pid} {seen}");
    let failure = function(|| -> u32 { panic!("inside") }, ()).isolate(Isolation::Pid).start().unwrap().join();
    assert_eq!(failure.unwrap_err().message(), "inside");
    let worker = function(|| -> u32 { pause() }, ()).isolate(Isolation::Pid).start().unwrap();
    worker.stop().unwrap();
    assert!(worker.join().unwrap_err().is_signal());
}

#[test]
fn in_a_network_of_its_own_it_has_the_port_that_it_likes() {
    if !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can be sure to get a namespace");
    }
    fn serves() {
        let _listener = TcpListener::bind("127.0.0.1:80").unwrap();
        current().ready();
        pause();
    }
    fn asks() -> bool {
        TcpStream::connect("127.0.0.1:80").is_ok()
    }
    let serves = function(serves, ()).ready(Said::ready()).isolate(Isolation::Net);
    let asks = function(asks, ()).after("serves").isolate(Isolation::Net);
    let stack = orchestra().with("serves", serves).with("asks", asks).start().unwrap();
    assert!(stack.get::<Worker<bool>>("asks").join().unwrap());
}
