//! Watches: nothing is missed, or it is said; and each change is heard by those alone whom it concerns.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::protocol::{Key, Only, Reply, Request, Until, Value};
use super::{A, B, Bed, C, SECOND, arcs, commit, int, key, next, raw, remove, set, watch};
use crate::limits::{ANSWERED_BYTES, WATCHED_BYTES, WATCHED_CHANGES};

/// How it is kept, and whether what is there comes first.
fn with(names: &[&str], is_live: bool, with_first: bool) -> Request {
    Request::Watch { space: "".into(), keys: arcs(names), is_live, with_first }
}

fn sized(name: &str, bytes: usize) -> Request {
    Request::Set { key: key(name), value: raw("bytes", &vec![0; bytes]), only: Only::Always }
}

fn wait(until: Until) -> Request {
    Request::Wait { key: key("n"), until, timeout: SECOND }
}

/// So many changes are told at once.
fn many(bed: &mut Bed) -> usize {
    match bed.store.ask(B, next(), bed.now) {
        Some(Reply::Changes(changes)) => changes.len(),
        other => panic!("no changes: {other:?}"),
    }
}

#[test]
fn nothing_is_missed_since_it_began() {
    let mut bed = Bed::new().given(A, set("n", 0)).given(B, watch(&["n", "m"]));
    for request in [set("n", 1), set("x", 5), set("n", 2), remove("n"), remove("n"), set("m", 3)] {
        bed.ask(A, request);
    }
    assert_eq!(bed.ask(B, next()), "n = 1, n = 2, n gone, m = 3");
    assert_eq!(bed.ask(B, next()), "(waits)");
    assert_eq!(bed.ask(A, set("x", 6)), "done");
    assert_eq!(bed.ask(A, set("n", 4)), "done; B: n = 4");
}

#[test]
fn a_commit_is_heard_as_one() {
    let mut bed = Bed::new().given(B, watch(&[])).given(C, watch(&["m"]));
    bed.ask(B, next());
    bed.ask(C, next());
    let said = bed.ask(A, commit(&[], &[("n", Some(1)), ("m", Some(2)), ("n", Some(3))]));
    assert_eq!(said, "done; C: m = 2; B: m = 2, n = 3");
    bed.ask(B, next());
    assert_eq!(bed.ask(A, Request::Clear { space: "".into() }), "2; B: m gone, n gone");
}

#[test]
fn what_is_there_comes_first_where_that_is_wanted() {
    let mut bed = Bed::new().given(A, set("n", 1)).given(A, set("b", 2)).given(A, set("a", 3));
    bed.ask(B, with(&[], false, true));
    bed.ask(A, set("b", 4));
    assert_eq!(bed.ask(B, next()), "first a = 3, first b = 2, first n = 1, b = 4");
    bed.ask(C, with(&["n", "absent"], true, true));
    assert_eq!(bed.ask(C, next()), "first n = 1");
    assert_eq!(bed.ask(C, next()), "(waits)");
}

#[test]
fn a_live_one_has_the_last_change_of_each_key() {
    let mut bed = Bed::new().given(A, set("n", 0)).given(B, with(&[], true, true));
    for request in [set("n", 1), set("m", 2), set("n", 3), remove("m"), set("x", 4)] {
        bed.ask(A, request);
    }
    assert_eq!(bed.ask(B, next()), "n = 3, m gone, x = 4");
    assert_eq!(bed.ask(B, next()), "(waits)");
}

#[test]
fn a_live_one_has_the_bytes_of_the_last_changes_alone() {
    let mut bed = Bed::new().given(B, with(&["n", "m"], true, false)).given(A, set("m", 1));
    for _ in 0..4 {
        bed.ask(A, sized("n", WATCHED_BYTES / 2));
    }
    assert_eq!(many(&mut bed), 2);
}

#[test]
fn another_one_on_the_same_link_takes_its_place() {
    let mut bed = Bed::new().given(B, watch(&["n"]));
    bed.ask(A, set("n", 1));
    bed.ask(B, watch(&["m", "m"]));
    bed.ask(B, next());
    assert_eq!(bed.ask(A, set("n", 2)), "done");
    assert_eq!(bed.ask(A, set("m", 3)), "done; B: m = 3");
}

#[test]
fn of_other_namespaces_nothing_is_heard() {
    let mut bed = Bed::new().given(B, watch(&[]));
    bed.ask(B, next());
    let other = Key { space: "other".into(), name: "n".into() };
    assert_eq!(bed.ask(A, Request::Set { key: other, value: int(1), only: Only::Always }), "done");
}

#[test]
fn too_many_changes_are_said_to_be_so_once() {
    let mut bed = Bed::new().given(B, watch(&["n"]));
    for number in 0..=WATCHED_CHANGES {
        bed.ask(A, set("n", number as i64));
    }
    bed.ask(A, set("n", -1));
    assert_eq!(bed.ask(B, next()), format!("missed {}", WATCHED_CHANGES + 2));
    assert_eq!(bed.ask(B, next()), "(waits)");
    assert_eq!(bed.ask(A, set("n", 7)), "done; B: n = 7");
}

#[test]
fn too_large_changes_are_too_many_unless_it_is_one() {
    let mut bed = Bed::new().given(B, watch(&[]));
    bed.ask(A, sized("n", WATCHED_BYTES * 2));
    assert_eq!(many(&mut bed), 1);
    for _ in 0..3 {
        bed.ask(A, sized("n", WATCHED_BYTES / 2));
    }
    assert_eq!(bed.ask(B, next()), "missed 3", "and what came after they were too many");
}

/// They are as many as there are, and no reason to miss what comes.
#[test]
fn what_was_there_is_not_counted() {
    let mut bed = Bed::new();
    let names: Vec<_> = (0..=WATCHED_CHANGES).map(|number| number.to_string()).collect();
    for name in &names {
        bed.ask(A, set(name, 1));
    }
    for is_live in [false, true] {
        bed.ask(B, with(&[], is_live, true));
        bed.ask(A, set("0", 2));
        let mut heard = 0;
        while heard < names.len() {
            heard += many(&mut bed);
        }
        assert_eq!(heard, names.len() + usize::from(!is_live));
    }
}

#[test]
fn an_answer_has_a_bound_and_the_rest_comes_with_the_next() {
    let mut bed = Bed::new().given(B, watch(&[]));
    for _ in 0..5 {
        bed.ask(A, sized("n", ANSWERED_BYTES / 2));
    }
    assert_eq!([many(&mut bed), many(&mut bed), many(&mut bed)], [2, 2, 1]);
    assert_eq!(bed.ask(B, next()), "(waits)");
}

#[test]
fn who_hears_nothing_in_time_hears_what_was_last() {
    let mut bed = Bed::new().given(B, watch(&["n"])).given(A, set("n", 1)).given(B, next());
    bed.pass(SECOND / 4);
    assert_eq!(bed.ask(B, next()), "(waits)");
    assert_eq!(bed.pass(SECOND), "B: late (last change: 1.25 s before, by `a` (pid 1))");
    assert_eq!(
        bed.ask(B, Request::Next { timeout: Some(Duration::ZERO) }),
        "late (last change: 1.25 s before, by `a` (pid 1))"
    );
}

#[test]
fn one_value_is_waited_for_whatever_comes_before_it() {
    let mut bed = Bed::new().given(A, set("n", 1));
    let value: Arc<[u8]> = int(3).bytes;
    assert_eq!(bed.ask(B, wait(Until::Equal(value.clone()))), "(waits)");
    assert_eq!(bed.ask(C, wait(Until::Absent)), "(waits)");
    assert_eq!(bed.ask(A, set("n", 2)), "done");
    // As another type, and gone at once: it was there.
    let same = Value { type_name: "u8".into(), bytes: vec![0xcc, 3].into() };
    assert_eq!(bed.ask(A, Request::Set { key: key("n"), value: same, only: Only::Always }), "done; B: 3 by a");
    assert_eq!(bed.ask(A, remove("n")), "3 by a; C: none");
    assert_eq!(bed.ask(C, wait(Until::Absent)), "none");
    let now = bed.store.version;
    assert_eq!(bed.ask(C, wait(Until::After(now - 1))), "none");
    assert_eq!(bed.ask(C, wait(Until::After(now))), "(waits)");
    assert_eq!(bed.ask(A, set("n", 5)), "done; C: 5 by a");
    bed.ask(B, wait(Until::Equal(value)));
    assert_eq!(bed.pass(SECOND), "B: late (value: 5 | set by: `a` (pid 1))");
}
