//! Histories that are written by hand: what is accepted, what is refused, and what is said then.

use expect_test::{Expect, expect};

use super::call::{Call, Op, Seen, Verb, yes};
use super::checker::check;

/// A call by a client from one moment to another, in microseconds.
struct When(usize, u64, u64);

const A: usize = 0;
const B: usize = 1;

fn op(verb: Verb, new: i64) -> Op {
    Op { verb, key: A, other: B, old: None, new }
}

fn returned(When(client, from, to): When, op: Op, answer: &[Seen]) -> Call {
    Call { client, op, called_ns: from * 1000, returned: Some((to * 1000, answer.to_vec())) }
}

/// Its client was killed.
fn pending(client: usize, from: u64, op: Op) -> Call {
    Call { client, op, called_ns: from * 1000, returned: None }
}

fn set(when: When, new: i64) -> Call {
    returned(when, op(Verb::Set, new), &[])
}

fn get(when: When, told: Seen) -> Call {
    returned(when, op(Verb::Get, 0), &[told])
}

#[track_caller]
fn accepts(calls: &[Call]) {
    if let Err(found) = check(calls) {
        panic!("{}", found.report());
    }
}

#[track_caller]
fn refuses(calls: &[Call]) {
    assert!(check(calls).is_err());
}

#[track_caller]
fn says(calls: &[Call], expected: Expect) {
    expected.assert_eq(&check(calls).unwrap_err().report());
}

#[test]
fn a_read_beside_a_write_may_see_either() {
    for told in [None, Some(1)] {
        accepts(&[set(When(0, 10, 20), 1), get(When(1, 12, 18), told)]);
        accepts(&[set(When(0, 10, 20), 1), get(When(1, 5, 30), told)]);
    }
    refuses(&[set(When(0, 10, 20), 1), get(When(1, 12, 18), Some(2))]);
}

#[test]
fn a_stale_read_is_refused() {
    refuses(&[set(When(0, 10, 20), 1), get(When(1, 21, 22), None)]);
    // Beside the write, but after another one has seen it.
    let seen = [set(When(0, 10, 50), 1), get(When(1, 12, 18), Some(1))];
    refuses(&[&seen[..], &[get(When(2, 20, 22), None)]].concat());
    accepts(&[&seen[..], &[get(When(2, 17, 22), None)]].concat());
}

#[test]
fn a_lost_update_is_refused() {
    let add = |when, told| returned(when, op(Verb::Update, 1), &[Some(told)]);
    accepts(&[add(When(0, 10, 20), 1), add(When(1, 10, 20), 2)]);
    refuses(&[add(When(0, 10, 20), 1), add(When(1, 10, 20), 1)]);
    // Also where nobody was told.
    let silent = |client| pending(client, 10, op(Verb::Increment, 1));
    accepts(&[silent(0), silent(1), get(When(2, 20, 21), Some(1))]);
    refuses(&[add(When(0, 10, 20), 1), silent(1), get(When(2, 30, 31), Some(3))]);
}

#[test]
fn a_dirty_read_is_refused() {
    let rolled_back = returned(When(0, 10, 20), op(Verb::GiveUp, 7), &[None, None]);
    accepts(&[rolled_back.clone(), get(When(1, 12, 18), None)]);
    refuses(&[rolled_back.clone(), get(When(1, 12, 18), Some(7))]);
    refuses(&[rolled_back, get(When(1, 25, 26), Some(7))]);
    refuses(&[pending(0, 10, op(Verb::Die, 7)), get(When(1, 25, 26), Some(7))]);
}

#[test]
fn a_transaction_sees_one_moment() {
    let moved = returned(When(0, 10, 20), op(Verb::Move, 5), &[None, None]);
    let read = |when, told: [i64; 2]| returned(when, op(Verb::ReadBoth, 0), &told.map(Some));
    accepts(&[moved.clone(), read(When(1, 15, 16), [-5, 5])]);
    let torn = returned(When(1, 15, 16), op(Verb::ReadBoth, 0), &[Some(-5), None]);
    refuses(&[moved, torn]);
}

#[test]
fn what_never_returned_was_done_or_not() {
    let killed = pending(0, 10, op(Verb::Set, 1));
    accepts(&[killed.clone(), get(When(1, 20, 21), None)]);
    accepts(&[killed.clone(), get(When(1, 20, 21), Some(1))]);
    // At any later moment, but once.
    let later = [get(When(1, 20, 21), None), get(When(1, 30, 31), Some(1))];
    accepts(&[std::slice::from_ref(&killed), &later[..]].concat());
    refuses(&[&[killed], &later[..], &[get(When(1, 40, 41), None)]].concat());
}

#[test]
fn two_never_both_win() {
    let win = |client, told| returned(When(client, 10, 20), op(Verb::CompareAndSet, 3), &yes(told));
    accepts(&[win(0, true), win(1, false)]);
    refuses(&[win(0, true), win(1, true)]);
    refuses(&[win(0, false), win(1, false)]);
}

#[test]
fn what_cannot_be_is_shown() {
    let other = Call { op: Op { key: B, ..op(Verb::Set, 4) }, ..set(When(3, 1, 2), 4) };
    let calls = [other, set(When(0, 10, 20), 1), get(When(1, 15, 22), Some(1)), get(When(2, 30, 31), None)];
    says(
        &calls,
        expect![[r#"
            2 of 3 calls fit in this order: client, called and returned (us), what was done
              0         0.0        10.0  set a = 1
              1         5.0        12.0  get a -> 1
            and then, with a = 1, none of these can be next:
              2        20.0        21.0  get a -> absent
        "#]],
    );
}
