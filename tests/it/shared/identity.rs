//! What makes two the same, and what does not.

use std::time::Duration;

use pkit_test::ready::{Exec, Http, Output, Tcp};
use pkit_test::{Identity, Isolation, Shareable, Signal, Spec, bin, function, orchestra, sh, simple, tcp};

fn server() -> Spec {
    tcp("server --listen {addr}", 0)
}

fn same(one: &impl Shareable, other: &impl Shareable) -> bool {
    Identity::of(one) == Identity::of(other)
}

#[test]
fn all_that_it_is_started_with_makes_a_difference() {
    let others = [
        tcp("server --listen {addr} -v", 0),
        tcp("server '--listen {addr}'", 0),
        tcp("other --listen {addr}", 0),
        tcp("server --listen {addr}", 4711),
        Spec::new("server --listen {addr}"),
        server().arg(""),
        server().env("A", "1"),
        server().env("A", "2"),
        server().env("A", "1").env("B", "{dir}"),
        server().env_clear(),
        server().cwd("/"),
        server().cwd("{dir}"),
        server().stdin(""),
        server().stdin("text"),
        server().user("nobody"),
        server().port("peer"),
        server().host("127.0.0.2"),
        server().any_owner(),
        server().isolate(Isolation::Pid),
        server().ready(Output::any("up")),
        server().ready(Output::stderr("up")),
        server().ready(Http::get("/")),
        server().ready(Http::get("/").status(204)),
        server().ready(Http::post("/").body("x")),
        server().ready(Http::post("/").body("y")),
        server().ready(Exec::new("ask {addr}")),
        server().ready(Exec::new(sh("ask {addr}"))),
        server().ready(Tcp::port("peer")),
    ];
    for (index, other) in others.iter().enumerate() {
        assert!(!same(&server(), other), "{other:?}");
        let twin = others[..index].iter().find(|before| same(*before, other));
        assert!(twin.is_none(), "{twin:?} {other:?}");
        assert!(same(other, &other.clone()), "{other:?}");
    }
}

#[test]
fn how_long_it_may_take_and_how_it_may_end_makes_none() {
    let minute = Duration::from_secs(60);
    let others = [
        server().start_timeout(minute),
        server().stop_timeout(minute),
        server().stop_signal(Signal::Int),
        server().may_exit(),
        server().expect_exit(3),
        server().must_stop_gracefully(),
    ];
    others.iter().for_each(|other| assert!(same(&server(), other), "{other:?}"));
}

#[test]
fn a_program_is_the_same_as_it_is_found_wherever_the_test_runs() {
    assert!(same(&simple(bin!("sleeper")), &simple(bin!("sleeper"))));
    assert!(!same(&simple(bin!("sleeper")), &simple(bin!("polite"))));
    assert!(!same(&simple("sleeper"), &simple(bin!("sleeper"))));
}

fn work(n: u32) -> u32 {
    n
}

fn rest(n: u32) -> u32 {
    n
}

#[test]
fn a_function_is_the_same_by_its_path_and_its_arguments() {
    assert!(same(&function(work, 1), &function(work, 1)));
    assert!(!same(&function(work, 1), &function(work, 2)));
    assert!(!same(&function(work, 1), &function(rest, 1)));
}

/// All closures of a function have one name.
#[test]
fn a_closure_is_the_same_by_its_place() {
    let [one, other] = [function(|n: u32| n + 1, 1), function(|n: u32| n + 2, 1)];
    assert!(!same(&one, &other));
    let closure = || function(|n: u32| n + 1, 1);
    assert!(same(&closure(), &closure()));
}

/// What it points to is known when the process begins, and not by its type.
#[test]
fn a_pointer_to_a_function_is_like_nothing() {
    let pointer = work as fn(u32) -> u32;
    assert!(!same(&function(pointer, 1), &function(pointer, 1)));
}

#[test]
fn an_orchestra_is_the_same_by_its_members_and_their_names() {
    let stack = |name: &str, command: &str| orchestra().with("a", simple("sleep 60")).with(name, simple(command));
    assert!(same(&stack("b", "sleep 61"), &stack("b", "sleep 61")));
    assert!(!same(&stack("b", "sleep 61"), &stack("c", "sleep 61")));
    assert!(!same(&stack("b", "sleep 61"), &stack("b", "sleep 62")));
    let nested = orchestra().with("b", stack("b", "sleep 61"));
    assert!(!same(&nested, &stack("b", "sleep 61")));
    assert!(same(&nested, &orchestra().with("b", stack("b", "sleep 61"))));
}

#[test]
fn what_is_equal_but_of_another_kind_is_another() {
    assert!(!same(&orchestra().with("a", simple("sleep 60")), &simple("sleep 60")));
}
