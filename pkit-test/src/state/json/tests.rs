//! Lines, the requests that they are, and the answers as lines.

use std::sync::Arc;
use std::time::Duration;

use super::super::packed::from_json;
use super::super::protocol::{
    BarrierAct, Change, Commit, Held, Key, LatchAct, Only, PhaseAct, QueueAct, Refusal, Reply, Request, SemaphoreAct,
    Until, Value, Who,
};
use super::ops::OPS;
use super::{reply, request};

fn key(space: &str, name: &str) -> Key {
    Key { space: space.into(), name: name.into() }
}

fn value(json: &str, type_name: &str) -> Value {
    Value { type_name: type_name.into(), bytes: from_json(json).expect("it is JSON").into() }
}

fn held(json: &str) -> Held {
    Held { value: value(json, "u32"), version: 7, by: who() }
}

fn who() -> Who {
    Who { name: "worker".into(), pid: 42 }
}

const SECOND: Duration = Duration::from_secs(1);

fn values() -> Vec<(&'static str, Request)> {
    let n = || key("", "n");
    vec![
        (r#"{"op":"hello","name":"sh"}"#, Request::Hello { protocol: 0, nonce: 0, name: "sh".into() }),
        (r#"{"op":"get","key":"n"}"#, Request::Get { key: n(), since: None }),
        (r#"{"key":"n","since":3,"op":"get","space":"a"}"#, Request::Get { key: key("a", "n"), since: Some(3) }),
        (
            r#"{"op":"set","key":"n","value":{"a":[1]}}"#,
            Request::Set { key: n(), value: value(r#"{"a":[1]}"#, "object of JSON"), only: Only::Always },
        ),
        (
            r#"{"op":"set","key":"n","value":null,"only":"absent"}"#,
            Request::Set { key: n(), value: value("null", "null of JSON"), only: Only::IfAbsent },
        ),
        (
            r#"{"op":"set","key":"n","value":-1,"only":"present","version":null}"#,
            Request::Set { key: n(), value: value("-1", "number of JSON"), only: Only::IfPresent },
        ),
        (
            r#"{"op":"set","key":"n","value":"x","version":7}"#,
            Request::Set { key: n(), value: value("\"x\"", "string of JSON"), only: Only::IfVersion(7) },
        ),
        (
            r#"{"op":"replace","key":"n","value":true}"#,
            Request::Replace { key: n(), value: value("true", "bool of JSON"), only: Only::Always },
        ),
        (r#"{"op":"remove","key":"n"}"#, Request::Remove { key: n() }),
        (r#"{"op":"increment","key":"n"}"#, Request::Increment { key: n(), by: 1 }),
        (r#"{"op":"increment","key":"n","by":-5}"#, Request::Increment { key: n(), by: -5 }),
        (r#"{"op":"keys"}"#, Request::Keys { space: "".into(), since: None }),
        (r#"{"op":"len","space":"a"}"#, Request::Len { space: "a".into() }),
        (r#"{"op":"snapshot"}"#, Request::Snapshot { space: "".into(), since: None }),
        (r#"{"op":"clear"}"#, Request::Clear { space: "".into() }),
        (
            r#"{"op":"commit","space":"a","reads":{"n":7,"m":0},"list":9,"set":{"n":1},"remove":["o"]}"#,
            Request::Commit(Commit {
                reads: vec![(key("a", "n"), 7), (key("a", "m"), 0)],
                lists: vec![("a".into(), 9)],
                writes: vec![(key("a", "o"), None), (key("a", "n"), Some(value("1", "number of JSON")))],
            }),
        ),
        (r#"{"op":"commit"}"#, Request::Commit(Commit::default())),
        (r#"{"op":"turn","timeout":1}"#, Request::Turn { timeout: SECOND }),
        (r#"{"op":"end_turn"}"#, Request::EndTurn),
        (r#"{"op":"next"}"#, Request::Next { timeout: None }),
        (r#"{"op":"next","timeout":0.5}"#, Request::Next { timeout: Some(SECOND / 2) }),
        (r#"{"op":"next","timeout":1e300}"#, Request::Next { timeout: Some(Duration::MAX) }),
        (
            r#"{"op":"watch","keys":["n","m"],"live":true,"first":true}"#,
            Request::Watch { space: "".into(), keys: vec!["n".into(), "m".into()], is_live: true, with_first: true },
        ),
        (r#"{"op":"history"}"#, Request::History),
    ]
}

fn waits() -> Vec<(&'static str, Request)> {
    let wait = |until| Request::Wait { key: key("", "n"), until, timeout: SECOND };
    vec![
        (r#"{"op":"wait","key":"n","equals":null,"timeout":1}"#, wait(Until::Equal(from_json("null").unwrap().into()))),
        (r#"{"op":"wait","key":"n","at_least":-3,"timeout":1}"#, wait(Until::AtLeast(-3))),
        (r#"{"op":"wait","key":"n","timeout":1}"#, wait(Until::Present)),
        (r#"{"op":"wait","key":"n","present":true,"timeout":1}"#, wait(Until::Present)),
        (r#"{"op":"wait","key":"n","present":false,"timeout":1}"#, wait(Until::Absent)),
        (r#"{"op":"wait","key":"n","after":7,"timeout":1}"#, wait(Until::After(7))),
    ]
}

fn points() -> Vec<(&'static str, Request)> {
    let name = || Arc::from("\0b");
    let step = || Arc::from("s");
    let barrier = |act| Request::Barrier { name: name(), act };
    let latch = |act| Request::Latch { name: name(), act };
    let semaphore = |act| Request::Semaphore { name: name(), act };
    let queue = |act| Request::Queue { name: name(), act };
    let phase = |act| Request::Phase { name: name(), act };
    vec![
        (r#"{"op":"barrier.open","name":"b","parties":3}"#, barrier(BarrierAct::Open { parties: 3 })),
        (
            r#"{"op":"barrier.leave","name":"b","space":"a"}"#,
            Request::Barrier { name: "a\0b".into(), act: BarrierAct::Leave },
        ),
        (r#"{"op":"barrier.arrive","name":"b","timeout":1}"#, barrier(BarrierAct::Arrive { timeout: SECOND })),
        (r#"{"op":"barrier.waiting","name":"b"}"#, barrier(BarrierAct::Waiting)),
        (r#"{"op":"latch.open","name":"b","count":2}"#, latch(LatchAct::Open { count: 2 })),
        (r#"{"op":"latch.count_down","name":"b"}"#, latch(LatchAct::CountDown { by: 1 })),
        (r#"{"op":"latch.count_down","name":"b","by":2}"#, latch(LatchAct::CountDown { by: 2 })),
        (r#"{"op":"latch.wait","name":"b","timeout":1.0}"#, latch(LatchAct::Wait { timeout: SECOND })),
        (r#"{"op":"latch.count","name":"b"}"#, latch(LatchAct::Count)),
        (r#"{"op":"semaphore.open","name":"b","permits":1}"#, semaphore(SemaphoreAct::Open { permits: 1 })),
        (r#"{"op":"semaphore.acquire","name":"b"}"#, semaphore(SemaphoreAct::Acquire { timeout: None })),
        (r#"{"op":"semaphore.release","name":"b","permit":4}"#, semaphore(SemaphoreAct::Release { permit: 4 })),
        (r#"{"op":"semaphore.free","name":"b"}"#, semaphore(SemaphoreAct::Free)),
        (r#"{"op":"queue.push","name":"b","value":[]}"#, queue(QueueAct::Push { value: value("[]", "array of JSON") })),
        (r#"{"op":"queue.pop","name":"b","timeout":1}"#, queue(QueueAct::Pop { timeout: Some(SECOND) })),
        (r#"{"op":"queue.lease","name":"b"}"#, queue(QueueAct::Lease { timeout: None })),
        (r#"{"op":"queue.settle","name":"b","lease":1}"#, queue(QueueAct::Settle { lease: 1, is_done: true })),
        (
            r#"{"op":"queue.settle","name":"b","lease":1,"done":false}"#,
            queue(QueueAct::Settle { lease: 1, is_done: false }),
        ),
        (r#"{"op":"queue.len","name":"b"}"#, queue(QueueAct::Len)),
        (r#"{"op":"queue.close","name":"b"}"#, queue(QueueAct::Close)),
        (
            r#"{"op":"phase.pass","name":"b","step":"s","timeout":1}"#,
            phase(PhaseAct::Pass { step: step(), timeout: SECOND }),
        ),
        (
            r#"{"op":"phase.wait_for","name":"b","step":"s","timeout":1}"#,
            phase(PhaseAct::WaitFor { step: step(), count: 1, timeout: SECOND }),
        ),
        (
            r#"{"op":"phase.wait_for","name":"b","step":"s","count":3,"timeout":1}"#,
            phase(PhaseAct::WaitFor { step: step(), count: 3, timeout: SECOND }),
        ),
        (r#"{"op":"phase.let_on","name":"b","step":"s"}"#, phase(PhaseAct::LetOn { step: step(), count: None })),
        (r#"{"op":"phase.open","name":"b","step":"s"}"#, phase(PhaseAct::Open { step: step() })),
        (r#"{"op":"phase.standing","name":"b","step":"s"}"#, phase(PhaseAct::Standing { step: step() })),
    ]
}

#[test]
fn every_request_can_be_asked_for() {
    let all = [values(), waits(), points()].concat();
    for (line, expected) in &all {
        assert_eq!(request(line).as_ref(), Ok(expected), "{line}");
    }
    for op in OPS {
        assert!(all.iter().any(|(line, _)| line.contains(&format!("\"op\":\"{}\"", op.name))), "{}", op.name);
    }
}

#[test]
fn a_mistake_names_the_request_and_the_field() {
    for (line, wrong) in [
        ("{\"op\":", "this is no JSON: a value is missing at character 7"),
        ("[]", "a request is an object, as {\"op\":\"get\",\"key\":\"n\"}"),
        ("{}", "a request needs the field `op`"),
        (r#"{"op":1}"#, "`op` is a string, and not 1"),
        (r#"{"op":"get","key":"a","key":"b"}"#, "the field `key` is there twice, again as number 3"),
        (r#"{"op":"gte","key":"a"}"#, "there is no op `gte`; `get` was probably meant"),
        (r#"{"op":"frobnicate"}"#, "there is no op `frobnicate`"),
        (r#"{"op":"get"}"#, "`get` needs the field `key`"),
        (r#"{"op":"get","key":null}"#, "`key` of `get` is missing"),
        (r#"{"op":"get","key":["a"]}"#, "`key` of `get` is a string, and not [\"a\"]"),
        (
            r#"{"op":"wait","key":"n","timeuot":1}"#,
            "`wait` has no field `timeuot`; `timeout` was probably meant; \
             it has `key`, `timeout`, `space`, `equals`, `at_least`, `present`, `after`",
        ),
        (r#"{"op":"len","space":"a\u0000b"}"#, "`space` has a NUL in it"),
        (r#"{"op":"history","x":1}"#, "`history` has no field `x`; it has none"),
        (r#"{"op":"turn","timeout":-1}"#, "`timeout` of `turn` is a number of seconds, and not -1"),
        (r#"{"op":"turn","timeout":"1"}"#, "`timeout` of `turn` is a number of seconds, and not \"1\""),
        (r#"{"op":"increment","key":"n","by":1.5}"#, "`by` of `increment` is a whole number, and not 1.5"),
        (r#"{"op":"get","key":"n","since":-1}"#, "`since` of `get` is a whole number that is not below 0, and not -1"),
        (r#"{"op":"set","key":"n","value":1,"only":"new"}"#, "`only` of `set` is \"absent\" or \"present\""),
        (r#"{"op":"set","key":"n","value":1,"only":"absent","version":1}"#, "`set` has either `only` or `version`"),
        (
            r#"{"op":"wait","key":"n","timeout":1,"equals":1,"after":2}"#,
            "`wait` has one of `equals`, `at_least`, `present` and `after`",
        ),
        (r#"{"op":"watch","keys":"n"}"#, "`keys` of `watch` is an array of strings, and not \"n\""),
        (r#"{"op":"watch","live":1}"#, "`live` of `watch` is true or false, and not 1"),
        (
            r#"{"op":"commit","reads":{"n":"7"}}"#,
            "`reads` of `commit` is an object of keys with their versions, and not {\"n\":\"7\"}",
        ),
    ] {
        assert_eq!(request(line), Err(wrong.to_owned()), "{line}");
    }
    let long = format!(r#"{{"op":"{}\n"}}"#, "x".repeat(10_000));
    assert_eq!(request(&long), Err(format!("there is no op `{}`", "x".repeat(80))));
}

#[track_caller]
fn check(request: Option<&Request>, answer: &Reply, line: &str) {
    assert_eq!(reply(request, answer), line);
    from_json(line).expect("an answer is JSON");
}

#[test]
fn answers_say_what_is_known() {
    let get = Request::Get { key: key("", "n"), since: None };
    let get = Some(&get);
    let by = r#""by":{"name":"worker","pid":42}"#;
    check(get, &Reply::Welcome { server: u64::MAX }, r#"{"ok":18446744073709551615}"#);
    check(
        get,
        &Reply::Value { held: Some(held("[1]")), now: 9 },
        &format!(r#"{{"ok":[1],"version":7,{by},"type":"u32"}}"#),
    );
    let absent = Reply::Value { held: None, now: 9 };
    check(get, &absent, r#"{"error":"absent","message":"there is no `n`","version":9}"#);
    check(Some(&Request::Remove { key: key("", "n") }), &absent, r#"{"ok":null,"version":9}"#);
    let names = vec!["a".to_owned(), "\"b\"\n".to_owned()];
    check(get, &Reply::Names { names, now: 9 }, r#"{"ok":["a","\"b\"\n"],"version":9}"#);
    let entries = vec![("a".to_owned(), held("1")), ("b".to_owned(), held("null"))];
    check(get, &Reply::Entries { entries, now: 9 }, r#"{"ok":{"a":1,"b":null},"versions":{"a":7,"b":7},"version":9}"#);
    check(get, &Reply::Number(-3), r#"{"ok":-3}"#);
    check(get, &Reply::Done { version: 8 }, r#"{"ok":true,"version":8}"#);
    check(
        get,
        &Reply::NotDone { held: Some(held("2")) },
        &format!(r#"{{"ok":false,"value":2,"version":7,{by},"type":"u32"}}"#),
    );
    check(get, &Reply::NotDone { held: None }, r#"{"ok":false,"version":0}"#);
    check(get, &Reply::Moved, r#"{"error":"moved","message":"it has changed since that version"}"#);
    check(Some(&Request::Commit(Commit::default())), &Reply::Moved, r#"{"ok":false}"#);
}

#[test]
fn answers_of_meeting_points_say_who_died() {
    let after = Some(who());
    let who_json = r#"{"name":"worker","pid":42}"#;
    check(None, &Reply::Granted { permit: 3, after: None }, r#"{"ok":3}"#);
    check(None, &Reply::Granted { permit: 3, after: after.clone() }, &format!(r#"{{"ok":3,"after":{who_json}}}"#));
    let item = value("\"x\"", "u32");
    check(None, &Reply::Item { value: item.clone(), lease: None, after: None }, r#"{"ok":"x"}"#);
    check(
        None,
        &Reply::Item { value: item.clone(), lease: Some(1), after },
        &format!(r#"{{"ok":"x","lease":1,"after":{who_json}}}"#),
    );
    check(None, &Reply::Standing(vec![who(), who()]), &format!(r#"{{"ok":[{who_json},{who_json}]}}"#));
    let change = |value, is_first| Change { key: key("a", "n"), value, version: 8, by: who(), is_first };
    let changes = vec![change(Some(item), false), change(None, true)];
    check(
        None,
        &Reply::Changes(changes),
        &format!(
            r#"{{"ok":[{{"key":"n","value":"x","version":8,"by":{who_json}}},{{"key":"n","removed":true,"version":8,"by":{who_json},"first":true}}]}}"#
        ),
    );
    let facts = vec![("count".to_owned(), "1 of 2".to_owned())];
    check(None, &Reply::Late { facts }, r#"{"error":"late","message":"the time is over","facts":{"count":"1 of 2"}}"#);
}

#[test]
fn refusals_have_a_word_and_a_sentence() {
    for (refusal, kind, message) in [
        (Refusal::Malformed("a \"b\"".into()), "malformed", r#"a \"b\""#),
        (Refusal::OtherProtocol(2), "other_protocol", "the server speaks version 2 of the protocol"),
        (Refusal::NotANumber { held: held("[]") }, "not_a_number", "it is a `u32`, and no whole number"),
        (Refusal::OutOfRange { held: 1, by: 2 }, "out_of_range", "1 and 2 is more than a number can be"),
        (Refusal::TooLarge { bytes: 2, limit: 1 }, "too_large", "2 bytes are more than the 1 that are allowed"),
        (
            Refusal::Differs { made: 2, asked: 3, by: who() },
            "differs",
            "`worker` has opened it for 2, and now it is for 3",
        ),
        (Refusal::Broken { by: who(), why: "died".into() }, "broken", "the round is broken: of `worker`, died"),
        (Refusal::Closed { by: who() }, "closed", "it was closed by `worker`"),
        (Refusal::Overflow { missed: 3 }, "overflow", "3 changes were not kept, as nobody asked for them"),
    ] {
        let line = reply(None, &Reply::Refused(refusal));
        let begin = format!(r#"{{"error":"{kind}","message":"{message}""#);
        assert!(line.starts_with(&begin), "{line}");
        from_json(&line).expect("an answer is JSON");
    }
}

/// `tests/it/state/foreign.rs` asks a state for what is in them.
#[test]
fn every_request_has_a_row_in_the_documentation() {
    let rows = include_str!("../../states.rs");
    let asked = |op: &str| format!("//! | `{{\"op\":\"{op}\"");
    for op in OPS {
        assert_eq!(rows.matches(&asked(op.name)).count(), 1, "{}", op.name);
    }
    assert_eq!(rows.matches(&asked("").replace("\"\"", "\"")).count(), OPS.len());
}
