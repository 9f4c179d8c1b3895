//! The attribute on tests that pass: parameters, bodies, dependencies, order.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;

use pkit_test::{Orchestra, Process, Spec, Stack, bin, http, orchestra, output, sh, simple, tcp, with_processes};
use rstest::rstest;

use crate::child::child;

fn sleeper() -> Spec {
    output(bin!("sleeper"), "sleeper")
}

fn server() -> Spec {
    tcp(bin!("slow").args("0 {port}"), 0)
}

#[with_processes(a = sleeper())]
#[test]
fn a_parameter_is_a_value(a: Process) {
    assert_eq!((a.name(), a.is_alive()), ("a", true));
    drop(a);
}

#[with_processes(a = sleeper(), b = sleeper())]
#[test]
fn a_parameter_is_a_reference(a: &Process, b: &mut Process) {
    assert!(a.is_alive() && b.is_alive());
}

#[with_processes(a = sleeper(), b = server())]
#[test]
fn a_parameter_has_an_underscore(_a: Process, _b: &Process) {}

#[with_processes(a = sleeper())]
#[test]
fn a_process_needs_no_parameter() {}

#[with_processes(a = sleeper())]
#[test]
fn a_body_returns_a_result(a: Process) -> pkit_test::Result<()> {
    a.stop()?;
    a.start()?;
    Ok(())
}

#[with_processes(a = sleeper())]
#[test]
fn a_body_returns_early(a: Process) {
    if a.is_alive() {
        return;
    }
    panic!("not reached");
}

#[with_processes(a = sleeper(), b = both(), c = server())]
#[test]
fn executors_are_of_any_type(b: &Stack, c: Process, a: Process) {
    assert!(b["one"].is_alive() && b["two"].is_alive() && a.is_alive());
    assert!(TcpStream::connect(c.addr()).is_ok());
}

fn both() -> Orchestra {
    orchestra().with("one", sleeper()).with("two", sleeper().after("one"))
}

#[with_processes(
    api = http(bin!("serve_state").args("{port} --peer {store.addr}"), "/"),
    store = tcp(bin!("serve_state").args("{port} --ms 30"), 0),
)]
#[test]
fn a_hole_is_a_dependency(api: Process, store: Process) {
    let script = api.url("/");
    assert!(script.starts_with("http://127.0.0.1:") && api.port() != store.port());
}

/// Is ready when the other one has begun, too.
fn waiting_for(other: &str) -> Spec {
    let script =
        format!("touch {{dir}}/up; until test -e {{&{other}.dir}}/up; do sleep 0.01; done; echo ready; exec sleep 60");
    output(sh(script), "ready")
}

#[with_processes(one = waiting_for("two"), two = waiting_for("three"), three = waiting_for("one"))]
#[test]
fn what_is_independent_starts_at_the_same_time(one: Process, two: Process, three: Process) {
    assert!(one.is_alive() && two.is_alive() && three.is_alive());
}

fn stops(name: &str, file: &str) -> Spec {
    output(bin!("order").arg(name).arg(file).args("--ms 10"), "ready")
}

#[test]
fn all_stop_in_reverse_order_whatever_the_parameters() {
    #[with_processes(
        web = stops("web", &file).after("api"),
        db = stops("db", &file),
        api = stops("api", &file).env("DB", "{db.pid}").env("CACHE", "{cache.pid}"),
        cache = stops("cache", &file).after("db"),
    )]
    fn body(file: String, db: Process, api: &Process) {
        assert!(db.is_alive() && api.is_alive());
    }
    let place = child("sleeper");
    let file = place.file("stops");
    body(file.display().to_string());
    assert_eq!(fs::read_to_string(file).unwrap(), "web\napi\ncache\ndb\n");
}

#[test]
fn all_stop_in_reverse_order_when_the_body_panics() {
    #[with_processes(db = stops("db", &file), api = stops("api", &file).after("db"))]
    fn body(file: String, _db: Process) {
        panic!("the body fails");
    }
    let place = child("sleeper");
    let file = place.file("stops");
    let path = file.display().to_string();
    let panic = std::panic::catch_unwind(|| body(path)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"the body fails"));
    assert_eq!(fs::read_to_string(file).unwrap(), "api\ndb\n");
}

#[test]
fn the_value_of_any_function_comes_back() {
    #[with_processes(a = simple(format!("sleep {seconds}")))]
    fn body<'a>(seconds: u32, text: &'a str, a: Process) -> (&'a str, Option<u32>, PathBuf) {
        (text, a.pid(), a.dir().to_owned())
    }
    let (text, pid, dir) = body(60, "text");
    assert_eq!((text, pid.is_some(), dir.exists()), ("text", true, false));
}

#[test]
fn a_port_is_free_again_after_the_end() {
    #[with_processes(a = tcp(bin!("slow").args("0 {port}"), port))]
    fn body(port: u16, a: Process) -> u16 {
        a.port()
    }
    let port = body(0);
    assert_eq!((body(port), body(port)), (port, port));
}

#[with_processes(a = simple(format!("sleep {seconds}")))]
#[rstest]
#[case(60)]
#[case(61)]
fn cases_of_rstest_have_processes_of_their_own(#[case] seconds: u32, a: Process) {
    assert!(seconds >= 60 && a.is_alive());
}

#[with_processes(a = sleeper(), b = server())]
#[tokio::test]
async fn a_body_may_be_async(a: &Process, b: Process) {
    tokio::task::yield_now().await;
    assert!(a.is_alive() && b.is_alive());
}

#[with_processes(inner = server())]
#[with_processes(outer = sleeper())]
#[test]
fn two_attributes_nest(outer: Process, inner: Process) {
    assert!(outer.is_alive() && inner.is_alive());
}
