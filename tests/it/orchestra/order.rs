//! Who waits for whom, at the start and at the end.

use std::fs;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pkit_test::ready::Http;
use pkit_test::{Process, Spec, http, orchestra, orchestrate, output, simple, tcp};
use pkit_test_tests::private::Private;

use crate::child::{Child, HANG, child};

/// One that leaves its name in the file when it is stopped.
fn order(child: &Child, name: &str, file: &Path) -> Spec {
    output(child.with(&format!("{name} '{}'", file.display())), "ready")
}

/// Which of several processes were stopped in which order.
#[track_caller]
fn check(stack: impl FnOnce(&dyn Fn(&str) -> Spec) -> pkit_test::Orchestra, expected: &str) {
    let child = child("order");
    let file = child.file("stops");
    let stack = stack(&|name| order(&child, name, &file)).start().unwrap();
    drop(stack);
    assert_eq!(fs::read_to_string(&file).unwrap().split_whitespace().collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn a_chain_ends_in_reverse() {
    check(|spec| orchestrate([("a", spec("a")), ("b", spec("b").after("a")), ("c", spec("c").after("b"))]), "c b a");
}

#[test]
fn the_order_of_writing_is_not_the_order_of_starting() {
    check(|spec| orchestrate([("c", spec("c").after("b")), ("b", spec("b").after("a")), ("a", spec("a"))]), "c b a");
}

#[test]
fn a_diamond_ends_from_its_top() {
    let stack = |spec: &dyn Fn(&str) -> Spec| {
        orchestrate([
            ("top", spec("top").after("left").after("right")),
            ("left", spec("left").env("BASE", "{base.dir}")),
            ("right", spec("right").after("left").env("BASE", "{base.dir}")),
            ("base", spec("base")),
        ])
    };
    check(stack, "top right left base");
}

#[test]
fn every_place_of_a_hole_is_an_order() {
    let web = "--bind {host} {port}";
    let stack = |spec: &dyn Fn(&str) -> Spec| {
        orchestra()
            .with("probe", spec("probe").ready(Http::get("{cwd.url}/")).any_owner())
            .with("cwd", tcp(format!("python3 -m http.server {web}"), 0).cwd("{env_.dir}"))
            .with("env_", spec("env_").env("ARGUMENT", "{argument.dir}"))
            .with("argument", spec("argument"))
    };
    check(stack, "probe env_ argument");
}

#[test]
fn what_needs_another_starts_when_that_is_ready() {
    let (state, web) = (child("serve_state"), child("slow"));
    let stack = orchestra()
        // Each exits 1 when its peer does not answer.
        .with("third", http(state.with("{port} --peer {second.addr}"), "/"))
        .with("second", http(state.with("{port} --peer {first.addr}"), "/"))
        .with("first", http(web.with("50 {port} --warm 50"), "/"))
        .start()
        .unwrap();
    assert!(["first", "second", "third"].iter().all(|name| stack[name].is_alive()));
}

#[test]
fn independent_ones_start_beside_each_other() {
    let sh = Private::copy_of_file(&fs::canonicalize("/bin/sh").unwrap());
    let pipe = sh.path().with_file_name("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    // Opening one end waits for the other one: the two can only become ready together.
    let end = |opened: &str| {
        let script = format!("exec 3{opened}'{}'; echo met; read line", pipe.display());
        output(sh.command("-c"), "^met$").arg(script).start_timeout(HANG)
    };
    let stack = orchestrate([("writer", end(">")), ("reader", end("<"))]).start().unwrap();
    assert!(stack["writer"].is_alive() && stack["reader"].is_alive());
    drop(stack);
    assert_eq!(sh.survivors(), Vec::<u32>::new());
}

#[test]
fn an_address_without_order_lets_two_need_each_other() {
    let echo = child("env_dump");
    let spec = |other: &str| {
        output(echo.with(&format!("--stay {{addr}} {{&{other}.addr}} {{&{other}.port.peer}}")), "end:").port("peer")
    };
    let stack = orchestrate([("a", spec("b")), ("b", spec("a"))]).start().unwrap();
    let said = |process: &Process| {
        let text = process.stdout();
        text.lines().filter_map(|line| line.strip_prefix("arg: ")).skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let knows = |own: &Process, other: &Process| {
        [own.addr().to_string(), other.addr().to_string(), other.port_of("peer").to_string()]
    };
    let (a, b) = (&stack["a"], &stack["b"]);
    assert_eq!((said(a), said(b)), (knows(a, b).to_vec(), knows(b, a).to_vec()));
}

#[test]
fn the_address_is_true_before_the_other_one_listens() {
    let (sleeper, slow) = (child("sleeper"), child("slow"));
    let stack = orchestra()
        .with("client", output(sleeper.with(""), "sleeper").env("SERVER", "{&server.addr}"))
        .with("server", tcp(slow.with("0 {port}"), 0).after("client"))
        .start()
        .unwrap();
    let environment = fs::read(format!("/proc/{}/environ", stack["client"].pid().unwrap())).unwrap();
    let told = format!("SERVER={}", stack["server"].addr());
    assert!(environment.split(|byte| *byte == 0).any(|variable| variable == told.as_bytes()));
}

#[test]
fn an_order_without_a_hole_is_one_as_well() {
    let (exits, order) = (child("exits"), child("order"));
    let marker = order.file("job was here");
    let job = simple(exits.with("0")).may_exit().on_start({
        let marker = marker.clone();
        move |process| {
            process.wait().unwrap();
            fs::write(&marker, "").unwrap();
        }
    });
    let sees = format!("sh -c 'test -e \"$1\" && echo seen; read line' sh '{}'", marker.display());
    let stack = orchestra().with("late", output(sees, "seen").after("job")).with("job", job).start();
    assert!(stack.unwrap()["late"].is_alive());
}
