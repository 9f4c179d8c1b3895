//! What can run in a process of its own: functions, pointers to them, closures without captures, tasks.

use std::collections::BTreeMap;
use std::fmt::Debug;

use expect_test::expect;
use pkit_test::{Spec, Task, Worker, current, function, orchestra, task};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::nested::victim;
use crate::text::normalised;

fn none() -> String {
    "nothing".to_owned()
}
fn one(a: u8) -> String {
    format!("{a}")
}
fn three(a: u8, b: String, c: Option<u8>) -> String {
    format!("{a} {b} {c:?}")
}
fn four(a: u8, b: String, c: Option<u8>, d: Vec<i64>) -> String {
    format!("{} {d:?}", three(a, b, c))
}
fn five(a: u8, b: String, c: Option<u8>, d: Vec<i64>, e: f64) -> String {
    format!("{} {e:?}", four(a, b, c, d))
}
#[expect(clippy::too_many_arguments, reason = "that is the point of it")]
fn six(a: u8, b: String, c: Option<u8>, d: Vec<i64>, e: f64, f: char) -> String {
    format!("{} {f:?}", five(a, b, c, d, e))
}
#[expect(clippy::too_many_arguments, reason = "that is the point of it")]
fn seven(a: u8, b: String, c: Option<u8>, d: Vec<i64>, e: f64, f: char, g: ()) -> String {
    format!("{} {g:?}", six(a, b, c, d, e, f))
}
type Last = BTreeMap<String, (bool, i128)>;
#[expect(clippy::too_many_arguments, reason = "that is the point of it")]
fn eight(a: u8, b: String, c: Option<u8>, d: Vec<i64>, e: f64, f: char, g: (), h: Last) -> String {
    format!("{} {h:?}", seven(a, b, c, d, e, f, g))
}

/// Its process runs it, and hands this back.
#[track_caller]
fn check<R: Debug + PartialEq + DeserializeOwned + 'static>(spec: Spec<Worker<R>>, expected: impl Into<R>) {
    let worker = spec.start().unwrap();
    assert_eq!(worker.join().unwrap(), expected.into());
    assert_eq!((worker.pid(), worker.exit().and_then(|exit| exit.code())), (None, Some(0)));
}

#[test]
fn a_function_takes_up_to_eight_arguments() {
    let text = || "text".to_owned();
    let last = || Last::from([("key".to_owned(), (true, i128::MIN))]);
    check(function(none, ()), "nothing");
    check(function(one, 1), "1");
    check(function(one, (1,)), "1");
    check(function(three, (1, text(), Some(2))), "1 text Some(2)");
    check(function(four, (1, text(), None, vec![-1, i64::MAX])), "1 text None [-1, 9223372036854775807]");
    check(function(five, (1, text(), None, vec![], -0.0)), "1 text None [] -0.0");
    check(function(six, (1, text(), None, vec![], 0.5, 'ß')), "1 text None [] 0.5 'ß'");
    check(function(seven, (1, text(), None, vec![], 0.5, '\0', ())), "1 text None [] 0.5 '\\0' ()");
    check(
        function(eight, (1, text(), None, vec![], 0.5, 'x', (), last())),
        format!("1 text None [] 0.5 'x' () {:?}", last()),
    );
}

#[test]
fn one_argument_may_be_a_tuple_itself() {
    fn pair(pair: (u32, u32)) -> u32 {
        pair.0 - pair.1
    }
    fn unit((): ()) -> u32 {
        3
    }
    check(function(pair, (3, 2)), 1_u32);
    check(function(pair, ((3, 2),)), 1_u32);
    check(function(unit, ()), 3_u32);
}

#[test]
fn whatever_can_be_called_and_holds_nothing_will_do() {
    fn double(n: u32) -> u32 {
        n * 2
    }
    fn triple(n: u32) -> u32 {
        n * 3
    }
    fn generic<T: std::str::FromStr + Default>(text: String) -> T {
        text.parse().unwrap_or_default()
    }
    for (turn, pointer) in [double as fn(u32) -> u32, triple].into_iter().enumerate() {
        check(function(pointer, 7), [14_u32, 21][turn]);
    }
    check(function(none as fn() -> String, ()), "nothing");
    check(function(one as fn(u8) -> String, 4), "4");
    check(function((|a: u32, b: u32| a - b) as fn(u32, u32) -> u32, (4, 3)), 1_u32);
    check(function(|n: u32| n + 1, 1), 2_u32);
    check(function(|a: u32, b: String| format!("{a}{b}"), (1, "x".to_owned())), "1x");
    check(function(|| std::process::id() > 1, ()), true);
    check(function(generic::<i16>, "-5".to_owned()), -5_i16);
    check(function(generic::<bool>, "true".to_owned()), true);
    check(function(u32::count_ones, 255), 8_u32);
    check(function(u32::wrapping_add, (u32::MAX, 2)), 1_u32);
    check(function(Some::<u8>, 4), Some(4_u8));
    // What it makes itself it may well capture.
    check(function(|n: u32| (0..3).map(move |by| by * n).sum::<u32>(), 2), 6_u32);
}

#[test]
fn what_has_captured_something_is_refused() {
    let captured = 7_usize;
    let value: &'static u32 = &7;
    let text = |error: pkit_test::Error| normalised(&error.to_string());
    let error = text(function(move |n: usize| n + captured, 1).start().unwrap_err());
    expect![[r#"
        `what_has_captured_something_is_refused-closure` was not started: a closure that has captured something cannot run in a process of its own: pass it as an argument
          spec:   function(what_has_captured_something_is_refused-closure, usize)   tests/it/functions/kinds.rs"#]].assert_eq(&error);
    let error = text(function(move |n: u32| n + value, 1).start().unwrap_err());
    expect![[r#"
        `what_has_captured_something_is_refused-closure` was not started: a closure that has captured something cannot run in a process of its own: pass it as an argument
          spec:   function(what_has_captured_something_is_refused-closure, u32)   tests/it/functions/kinds.rs"#]].assert_eq(&error);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sum {
    of: Vec<u32>,
}

impl Task for Sum {
    type Output = u32;

    fn run(self) -> u32 {
        self.of.into_iter().sum()
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Either<T> {
    Echo(T),
    Name,
}

impl<T: Serialize + DeserializeOwned + Debug + 'static> Task for Either<T> {
    type Output = Result<T, String>;

    fn run(self) -> Result<T, String> {
        match self {
            Either::Echo(value) => Ok(value),
            Either::Name => Err(current().name().to_owned()),
        }
    }
}

#[test]
fn a_task_is_a_value_that_runs() {
    check(task(Sum { of: vec![1, 2, 3] }), 6_u32);
    check(task(Either::Echo(Some('x'))), Ok(Some('x')));
    check(task(Either::<()>::Name), Err("Either".to_owned()));
    let worker = task(Sum { of: vec![1] }).start().unwrap();
    assert_eq!(worker.join().unwrap(), 1);
    assert_eq!(worker.call(Sum { of: vec![4, 5] }).unwrap(), 9);
}

#[test]
fn it_is_called_as_people_call_it() {
    let name = |spec: Spec<Worker<String>>| spec.start().unwrap().name().to_owned();
    assert_eq!(name(function(none, ())), "none");
    let stack = orchestra().with("told", function(|| current().name().to_owned(), ())).start().unwrap();
    assert_eq!(stack.get::<Worker<String>>("told").join().unwrap(), "told");
    let names = [
        function(none, ()).start().unwrap().name().to_owned(),
        function(|_: u32| 1, 2).start().unwrap().name().to_owned(),
        function(none as fn() -> String, ()).start().unwrap().name().to_owned(),
        task(Sum { of: vec![] }).start().unwrap().name().to_owned(),
        task(Either::<u8>::Name).start().unwrap().name().to_owned(),
    ];
    expect![[r#"
        none
        it_is_called_as_people_call_it-closure
        function
        Sum
        Either"#]]
    .assert_eq(&names.join("\n"));
}

#[test]
fn it_runs_under_libtest_and_under_nextest() {
    victim("functions::all_kinds").passes();
    let victim = victim("functions::all_kinds");
    let ended = victim.run_uncaptured();
    assert!(ended.status.success(), "{}", ended.text());
    victim.is_gone(&ended);
    if let Some(ended) = crate::nextest::run(&victim) {
        assert!(ended.status.success() && !ended.stderr.contains("LEAK"), "{}", ended.text());
        victim.is_gone(&ended);
    }
}

/// What the victim does.
pub(crate) fn all_kinds() {
    check(function(one, 1), "1");
    check(function(one as fn(u8) -> String, 1), "1");
    check(function(|n: u8| n, 1), 1);
    check(task(Sum { of: vec![1, 2, 3] }), 6_u32);
}
