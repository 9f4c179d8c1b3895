//! The tests of the HTTP service, which needs a store. Most of what is interesting is what it does when that fails.

use std::error::Error;
use std::io;
use std::time::Duration;

use pkit_test::{Process, Spec, bin, http, tcp, with_processes};
use pkit_test_examples::http::{get, post};

fn kv() -> Spec {
    tcp(bin!("kv").args("--listen {addr} --data {dir}"), 0)
}

/// `{kv.addr}` is the address of another process, and with it the order: `kv` is ready before `api` starts, and `api` is
/// gone before `kv` is stopped.
fn api() -> Spec {
    http(bin!("api").args("--listen {addr} --store {kv.addr}"), "/health")
}

// The order in which they are written down means nothing. `kv` needs no parameter.
#[with_processes(api = api(), kv = kv())]
#[test]
fn counts_hits(api: Process) {
    for count in 1..=3 {
        assert_eq!(post(&api.url("/hits/home")).unwrap().body, count.to_string());
    }
    assert_eq!(get(&api.url("/hits/home")).unwrap().body, "3");
    assert_eq!(get(&api.url("/hits/other")).unwrap().body, "0");
}

// A parameter may also be a reference, and the body may return a `Result` of any kind.
#[with_processes(kv = kv(), api = api())]
#[test]
fn knows_what_it_does_not_have(api: &Process) -> io::Result<()> {
    assert_eq!(get(&api.url("/nothing/here"))?.status, 404);
    Ok(())
}

#[with_processes(kv = kv(), api = api())]
#[test]
fn outlives_a_crash_of_its_store(kv: &Process, api: &Process) -> Result<(), Box<dyn Error>> {
    post(&api.url("/hits/home"))?;

    kv.kill()?;
    assert_eq!(post(&api.url("/hits/home"))?.status, 503);
    assert!(api.is_alive());

    kv.start()?;
    assert_eq!(post(&api.url("/hits/home"))?.body, "2");
    Ok(())
}

// A process that is paused looks to its clients like one that hangs: the kernel accepts, and nobody answers.
#[with_processes(kv = kv(), api = api().args("--patience-ms 100"))]
#[test]
fn does_not_wait_for_a_store_that_hangs(kv: &Process, api: &Process) -> Result<(), Box<dyn Error>> {
    kv.pause()?;
    assert_eq!(get(&api.url("/hits/home"))?.status, 504);
    api.wait_for_output("^api: GET /hits/home: 504$", Duration::from_secs(10))?;
    kv.resume()?;
    Ok(())
}

#[test]
fn says_which_option_is_missing() {
    let error = http(bin!("api").args("--listen {addr}"), "/health").start().unwrap_err();
    let text = error.to_string();

    assert!(text.starts_with("`api` exited before it was ready\n"), "{text}");
    assert!(text.contains("\n  exit:   exit code 2\n"), "{text}");
    assert!(text.ends_with("\n  stderr: api: the option --store is missing"), "{text}");
}

// `{port.nowhere}` is a port that is reserved for this test and that nobody listens on.
#[test]
fn is_not_well_without_a_store() {
    let api = http(bin!("api").args("--listen {addr} --store {host}:{port.nowhere}"), "/health").port("nowhere");
    let error = api.start_timeout(Duration::from_secs(2)).start().unwrap_err();
    let text = error.to_string();

    assert!(error.is_timeout(), "{text}");
    assert!(text.starts_with("`api` was not ready after 2 s\n"), "{text}");
    assert!(text.contains("/health: status 503, "), "{text}");
}
