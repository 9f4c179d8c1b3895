//! The strategies, with real processes: who goes down with whom, and in which order all come up.

use std::fs;
use std::sync::{Arc, Mutex};

use pkit_test::{
    Executor, Ground, Orchestra, Process, Result, Signal, Spec, Stack, Strategy, Supervision, orchestra, orchestrate,
    output,
};

use super::{MS, moody, tireless};
use crate::child::{Child, HANG, child};

/// What happened, in order.
type Story = Arc<Mutex<Vec<String>>>;

/// One that tells of its starts and exits, and crashes upon a byte.
fn member(crash: &Child, story: &Story, name: &str) -> Spec {
    let (started, ended) = (Arc::clone(story), Arc::clone(story));
    let shown = name.to_owned();
    output(crash.with("0 --code 7"), "up")
        .on_start(move |process| started.lock().unwrap().push(format!("+{}", process.name())))
        .on_exit(move |_, _| ended.lock().unwrap().push(format!("-{shown}")))
        .supervise(tireless(Supervision::permanent()))
}

/// What a crash of `b` does to four members, of which `d` needs `a`.
#[track_caller]
fn check(strategy: Strategy, act: impl Fn(&Stack), expected: &str) {
    let crash = child("crash_later");
    let story = Story::default();
    let spec = |name: &str| member(&crash, &story, name);
    let stack = orchestra()
        .with("d", spec("d").after("a"))
        .with("a", spec("a"))
        .with("b", spec("b").after("a"))
        .with("c", spec("c").after("b"))
        .strategy(strategy)
        .start()
        .unwrap();
    story.lock().unwrap().clear();
    act(&stack);
    let told = story.lock().unwrap().join(" ");
    assert_eq!(told, expected);
    assert_eq!(stack.names().filter(|name| stack[name].is_alive()).count(), crash.count());
}

fn crash(stack: &Stack, name: &str, last: &str) {
    let before = stack[last].restarts();
    stack[name].write_stdin("x").unwrap();
    stack[last].wait_restart(before, HANG).unwrap();
}

#[test]
fn one_for_one() {
    check(Strategy::OneForOne, |stack| crash(stack, "b", "b"), "-b +b");
}

/// In the order of the stack: `a`, then `d`, which was written first, and then those that were written later.
#[test]
fn one_for_all() {
    check(Strategy::OneForAll, |stack| crash(stack, "b", "c"), "-b -c -d -a +a +d +b +c");
}

#[test]
fn rest_for_one() {
    check(Strategy::RestForOne, |stack| crash(stack, "b", "c"), "-b -c +b +c");
    check(Strategy::RestForOne, |stack| crash(stack, "a", "c"), "-a -c -b -d +a +d +b +c");
}

#[test]
fn who_is_down_stays_down() {
    let act = |stack: &Stack| {
        stack["c"].stop().unwrap();
        crash(stack, "b", "d");
    };
    check(
        Strategy::OneForAll,
        |stack| {
            act(stack);
            stack["b"].wait_restart(0, HANG).unwrap();
        },
        "-c -b -d -a +a +d +b",
    );
}

#[test]
fn each_has_its_own_deadline_on_the_way_down() {
    let (deaf, crashes) = (child("deaf"), child("crash_later"));
    let stack = orchestra()
        .with("crashes", output(crashes.with("0"), "up").supervise(Supervision::permanent()))
        .with("deaf", output(deaf.with(""), "deaf").stop_timeout(MS * 50))
        .strategy(Strategy::OneForAll)
        .start()
        .unwrap();
    stack["crashes"].write_stdin("x").unwrap();
    assert_eq!(stack["deaf"].wait_restart(0, HANG).unwrap(), 1);
    assert_eq!((stack["deaf"].exit().unwrap().signal(), deaf.count()), (Some(9), 1));
}

#[test]
fn a_start_that_fails_takes_all_along_once_more() {
    let (order, moody) = (child("order"), moody());
    let file = order.file("stops");
    let stack = orchestra()
        .with("first", output(order.with(&format!("first '{}'", file.display())), "ready"))
        .with("moody", moody.with("uxxu").after("first").supervise(tireless(Supervision::permanent())))
        .with("last", output(order.with(&format!("last '{}'", file.display())), "ready").after("moody"))
        .strategy(Strategy::OneForAll)
        .start()
        .unwrap();
    stack["moody"].write_stdin("x").unwrap();
    stack["last"].wait_restart(0, HANG).unwrap();
    assert_eq!(["first", "moody", "last"].map(|name| stack[name].restarts()), [3, 3, 1]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "last\nfirst\nfirst\nfirst\n");
}

#[test]
fn a_stack_in_a_stack_has_a_strategy_of_its_own() {
    let crashes = child("crash_later");
    let story = Story::default();
    let spec = |name: &str| member(&crashes, &story, name);
    let inner = || -> Orchestra { orchestrate([("x", spec("x")), ("y", spec("y"))]).strategy(Strategy::OneForAll) };
    let stack =
        orchestra().with("outer", spec("outer")).with("inner", inner()).strategy(Strategy::RestForOne).start().unwrap();
    let inner: &Stack = stack.get("inner");
    let restarts = || [&stack["outer"], &inner["x"], &inner["y"]].map(Process::restarts);
    crash(inner, "x", "y");
    assert_eq!(restarts(), [0, 1, 1]);
    stack["outer"].write_stdin("x").unwrap();
    inner["y"].wait_restart(1, HANG).unwrap();
    assert_eq!(restarts(), [1, 2, 2]);
    crash(inner, "y", "y");
    assert_eq!(restarts(), [1, 3, 3]);
    assert_eq!(crashes.count(), 3);
}

/// Starts another one whenever it is asked.
struct Factory(Spec);

struct Works {
    ground: Ground,
    spec: Spec,
}

impl Executor for Factory {
    type Handle = Works;

    fn start_on(self, ground: &Ground) -> Result<Works> {
        Ok(Works { ground: ground.clone(), spec: self.0 })
    }
}

#[test]
fn what_an_executor_starts_later_is_looked_after_as_well() {
    let crashes = child("crash_later");
    let spec = member(&crashes, &Story::default(), "late");
    let stack = orchestra().with("works", Factory(spec)).start().unwrap();
    let Works { ground, spec } = stack.get("works");
    let late = spec.clone().start_on(ground).unwrap();
    late.write_stdin("x").unwrap();
    assert_eq!(late.wait_restart(0, HANG).unwrap(), 1);
    let later = spec.clone().start_on(ground).unwrap();
    later.write_stdin("x").unwrap();
    assert_eq!((later.wait_restart(0, HANG).unwrap(), crashes.count()), (1, 2));
}

#[test]
fn members_can_be_taken_down_and_up_under_supervision() {
    let crashes = child("crash_later");
    let story = Story::default();
    let spec = |name: &str| member(&crashes, &story, name);
    let stack = orchestrate([("db", spec("db")), ("api", spec("api").after("db"))]).start().unwrap();
    stack.member("db").stopped(|| assert_eq!(crashes.count(), 0)).unwrap();
    assert_eq!(crashes.count(), 2);
    crash(&stack, "db", "db");
    stack["api"].signal(Signal::Kill).unwrap();
    assert_eq!(stack["api"].wait_restart(1, HANG).unwrap(), 2);
}
