//! A stack in a stack.

use std::{env, fs};

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test::{Orchestra, Process, Stack, http, orchestra, orchestrate, orchestrated, output, simple, tcp};

use crate::alone::{again, is_alone};
use crate::child::{HANG, child, wait_until};
use crate::text::normalised;

#[test]
fn members_of_inner_stacks_are_named_through_them() {
    let state = child("serve_state");
    let storage = orchestra().with("db", tcp(state.with("{port}"), 0));
    let backend =
        orchestra().with("storage", storage).with("cache", http(state.with("{port} --peer {storage.db.addr}"), "/"));
    let stack = orchestra()
        .with("web", http(state.with("{port} --peer {backend.storage.db.addr}"), "/").after("backend"))
        .with("backend", backend)
        .start()
        .unwrap();
    let backend: &Stack = stack.get("backend");
    let db: &Process = backend.get::<Stack>("storage").get("db");
    assert!(stack["web"].is_alive() && backend["cache"].is_alive() && db.is_alive());
    assert_eq!(backend.names().collect::<Vec<_>>(), ["storage", "cache"]);
    // Two stacks may have a `db` each, and whoever reads of one wants to know which it is.
    assert_eq!((db.name(), stack["web"].name()), ("backend.storage.db", "web"));
}

#[test]
fn inner_members_name_those_outside_as_they_are() {
    let state = child("serve_state");
    let inner = orchestra().with("api", http(state.with("{port} --peer {db.addr}"), "/"));
    let stack = orchestra().with("inner", inner).with("db", tcp(state.with("{port}"), 0)).start().unwrap();
    assert!(stack.get::<Stack>("inner")["api"].is_alive());
}

#[test]
fn an_inner_name_hides_an_outer_one() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    let told = |name: &str| output(format!("sh -c 'echo port {{{name}.port}}; read line'"), "port");
    let inner = orchestra().with("db", spec().port("x").env("P", "{port}")).with("client", told("db"));
    let stack = orchestra()
        .with("db", spec().env("P", "{port}"))
        .with("inner", inner)
        .with("client", told("db"))
        .start()
        .unwrap();
    let inner: &Stack = stack.get("inner");
    let line = |db: &Process| format!("port {}\n", db.port());
    assert_eq!(inner["client"].stdout(), line(&inner["db"]));
    assert_eq!(stack["client"].stdout(), line(&stack["db"]));
    assert_ne!(inner["db"].port(), stack["db"].port());
}

#[test]
fn the_address_without_order_reaches_into_a_stack() {
    let sleeper = child("sleeper");
    let told = |hole: &str| output(sleeper.with(""), "sleeper").env("PEER", hole).env("OWN", "{port}");
    let inner = orchestra().with("node", told("{&outer.addr}"));
    let stack = orchestra().with("inner", inner).with("outer", told("{&inner.node.addr}")).start().unwrap();
    let peer = |process: &Process| {
        let environment = fs::read_to_string(format!("/proc/{}/environ", process.pid().unwrap())).unwrap();
        environment.split('\0').find_map(|variable| variable.strip_prefix("PEER=")).map(str::to_owned)
    };
    let node = &stack.get::<Stack>("inner")["node"];
    assert_eq!(peer(node), Some(stack["outer"].addr().to_string()));
    assert_eq!(peer(&stack["outer"]), Some(node.addr().to_string()));
}

#[test]
fn inner_and_outer_members_end_in_one_reverse_order() {
    let order = child("order");
    let file = order.file("stops");
    let spec = |name: &str| output(order.with(&format!("{name} '{}'", file.display())), "ready");
    let inner = orchestrate([("b", spec("b").after("a")), ("c", spec("c").after("b"))]);
    let stack: Orchestra = orchestra().with("d", spec("d").after("inner")).with("inner", inner).with("a", spec("a"));
    drop(stack.start().unwrap());
    assert_eq!(fs::read_to_string(&file).unwrap(), "d\nc\nb\na\n");
}

#[test]
fn a_failure_outside_gives_up_what_starts_inside() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let never = || output(sleeper.with(""), "this is never said").start_timeout(HANG * 60);
    let innermost = orchestrate([("patient", never()), ("never_begun", never().after("patient"))]);
    let inner = orchestra().with("innermost", innermost).with("up", output(sleeper.with(""), "sleeper"));
    // It fails only when the others are there.
    let broken = output(exits.with("3"), "never").after("up");
    let stack = orchestra().with("inner", inner).with("up", output(sleeper.with(""), "sleeper")).with("broken", broken);
    let error = stack.start().unwrap_err();
    assert!(normalised(&error.to_string()).starts_with("`broken` exited before it was ready\n"), "{error}");
    assert!(!error.to_string().contains("patient"), "{error}");
}

#[test]
fn a_failure_inside_gives_up_what_starts_outside() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let never = output(sleeper.with(""), "this is never said").start_timeout(HANG * 60);
    let inner = orchestra().with("broken", output(exits.with("3"), "never"));
    let error = orchestra().with("patient", never).with("inner", inner).start().unwrap_err();
    assert!(error.to_string().starts_with("`inner.broken` exited before it was ready\n"), "{error}");
    assert!(!error.to_string().contains("patient"), "{error}");
}

#[test]
fn mistakes_inside_are_found_before_anything_starts() {
    let sleeper = child("sleeper");
    let marked = simple(sleeper.with("")).on_start(|_| panic!("it was started"));
    let inner = orchestra().with("api", simple("echo {nobody.port}"));
    let error = orchestra().with("first", marked).with("inner", inner).start().unwrap_err();
    expect![[r#"
        `inner` was not started: {nobody.port} means nothing here
          why:    there is no process `nobody`, but `first`
          hint:   write {{nobody.port}} where the text {nobody.port} is meant
          spec:   simple("echo {nobody.port}")   tests/it/orchestra/nested.rs"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn a_circle_through_a_stack_is_found() {
    let inner = orchestra().with("api", simple("echo {db.port}"));
    let error =
        orchestra().with("inner", inner).with("db", simple("sleep 60 {port} {inner.api.dir}")).start().unwrap_err();
    expect![[r#"
        these processes wait for each other: `inner` needs `db` needs `inner`
          spec:   simple("echo {db.port}")   tests/it/orchestra/nested.rs
                  simple("sleep 60 {port} {inner.api.dir}")   tests/it/orchestra/nested.rs
          hint:   `{&db.addr}` is the address without the order"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn a_death_inside_is_the_verdict_of_the_whole() {
    let exits = child("exits");
    let inner = orchestra().with("worker", simple(exits.with("7")));
    let stack = orchestra().with("inner", inner);
    let error = orchestrated(stack, |stack| stack.get::<Stack>("inner")["worker"].wait().map(drop)).unwrap_err();
    assert_eq!((error.is_exit(), error.exit().and_then(|exit| exit.code())), (true, Some(7)), "{error}");
}

#[test]
fn what_is_kept_stays_also_inside() {
    const PROGRAM: &str = "PKIT_TEST_KEPT";
    if is_alone() {
        let spec = output(format!("'{}'", env::var(PROGRAM).unwrap()), "sleeper");
        let stack = orchestra().with("inner", orchestra().with("db", spec.clone())).with("web", spec);
        return orchestrated(stack, |_| panic!("so that it is kept")).unwrap();
    }
    let sleeper = child("sleeper");
    let settings = [("PKIT_KEEP", "failed".into()), ("PKIT_DIR", sleeper.file("pkit")), (PROGRAM, sleeper.path())];
    let output = again().envs(settings).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let guardian = text.split_once("`kill ").and_then(|(_, rest)| rest.split_once('`')?.0.parse().ok());
    let kept = sleeper.count();
    kill(Pid::from_raw(guardian.unwrap_or_else(|| panic!("nothing is kept: {text}"))), Signal::SIGTERM).unwrap();
    wait_until(|| sleeper.count() == 0);
    assert_eq!((output.status.success(), kept, text.matches("`inner.db` stays up").count()), (false, 2, 1), "{text}");
}

#[test]
fn inner_directories_and_ports_are_gone_with_the_stack() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper").env("HERE", "{dir}");
    let stack = orchestra().with("inner", orchestra().with("db", spec())).with("web", spec()).start().unwrap();
    let directories = [stack.get::<Stack>("inner")["db"].dir().to_owned(), stack["web"].dir().to_owned()];
    assert!(directories.iter().all(|directory| directory.is_dir()));
    drop(stack);
    assert_eq!(directories.map(|directory| directory.is_dir()), [false, false]);
}
