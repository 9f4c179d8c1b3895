//! Where a process is: ports, addresses, directory, name.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use expect_test::{Expect, expect};
use nix::unistd::geteuid;
use pkit_test::{Process, Spec, simple, tcp};

use crate::child::child;
use crate::nested::victim;

#[test]
fn addresses_say_the_port() {
    let slow = child("slow");
    let server = tcp(slow.with("0 {port}"), 0).port("peer").start().unwrap();
    let port = server.port();
    assert_eq!(server.addr().to_string(), format!("127.0.0.1:{port}"));
    assert_eq!(server.url("/a?b"), format!("http://127.0.0.1:{port}/a?b"));
    assert_eq!(server.url("a"), format!("http://127.0.0.1:{port}/a"));
    assert_eq!(server.host(), Ipv4Addr::LOCALHOST);
    assert!(server.port_of("peer") != port && server.port_of("peer") != 0);
    assert_eq!(server.name(), "slow");
}

#[test]
fn a_host_may_be_of_version_6() {
    let slow = child("slow");
    let server = tcp(slow.with("0 {port} --host {host}"), 0).host("::1").start().unwrap();
    assert_eq!(server.host(), Ipv6Addr::LOCALHOST);
    assert_eq!(server.addr().to_string(), format!("[::1]:{}", server.port()));
    assert_eq!(server.url("/"), format!("http://[::1]:{}/", server.port()));
}

#[test]
fn a_hole_of_a_port_declares_it() {
    let process = simple("echo {port} {addr} {host}").start().unwrap();
    process.wait().unwrap();
    assert_eq!(process.stdout(), format!("{0} 127.0.0.1:{0} 127.0.0.1\n", process.port()));
}

#[test]
fn asking_for_what_is_not_there_panics_with_what_would_help() {
    let sleeper = child("sleeper");
    let process = simple(sleeper.with("")).start().unwrap();
    check_panic(
        &process,
        |process| _ = process.port(),
        expect!["`sleeper` has no port: nothing in its spec asks for one"],
    );
    check_panic(
        &process,
        |process| _ = process.addr(),
        expect!["`sleeper` has no port: nothing in its spec asks for one"],
    );
    check_panic(
        &process,
        |process| _ = process.url("/"),
        expect!["`sleeper` has no port: nothing in its spec asks for one"],
    );
    check_panic(
        &process,
        |process| _ = process.port_of("peer"),
        expect![[r#"`sleeper` has no port `peer`: `.port("peer")` declares one"#]],
    );
}

#[track_caller]
fn check_panic(process: &Process, ask: fn(&Process), expected: Expect) {
    let panic = catch_unwind(AssertUnwindSafe(|| ask(process))).unwrap_err();
    expected.assert_eq(panic.downcast_ref::<String>().unwrap());
}

#[test]
fn the_directory_is_private_and_lives_as_long_as_the_handle() {
    let process = simple("sh -c 'echo text > {dir}/file; mkdir {dir}/more; exec sleep 60'").start().unwrap();
    let dir = process.dir().to_owned();
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(dir.as_os_str().len() < 80, "a unix socket fits in: {dir:?}");
    process.stop().unwrap();
    assert!(dir.exists(), "it may start again there");
    drop(process);
    assert!(!dir.exists());
}

#[test]
fn the_directory_is_made_when_somebody_asks() {
    let sleeper = child("sleeper");
    let process = simple(sleeper.with("")).start().unwrap();
    assert!(process.dir().is_dir());
    let other = simple(sleeper.with("")).start().unwrap();
    assert_ne!(process.dir(), other.dir());
}

#[test]
fn the_directory_has_any_name_in_it() {
    let spec =
        |name: &str| Spec::program("/bin/sh").arg("-c").arg("pwd > {dir}/pwd; sleep 60").cwd("{dir}").env("N", name);
    for name in ["a", "very_long_name_".repeat(20).as_str(), "größe"] {
        let stack = pkit_test::orchestrate([(name, spec(name))]).start().unwrap();
        assert!(stack[name].dir().is_dir());
    }
}

#[test]
fn its_directory_goes_also_where_nobody_may_write_to_what_is_in_it() {
    for (name, passes) in [("forbidden::drops_it", true), ("forbidden::dies_with_it", false)] {
        let victim = victim(name);
        victim.open_to_all();
        // Root may do everything, so that nothing is forbidden to it.
        let ended = if geteuid().is_root() { victim.run_as_nobody() } else { victim.run_uncaptured() };
        assert_eq!(ended.status.success(), passes, "{}", ended.text());
        victim.will_be_gone(&ended);
    }
}
