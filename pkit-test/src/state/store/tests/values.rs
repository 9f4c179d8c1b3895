//! Values: what is written, what is read, and when not.

use super::super::super::protocol::{Commit, Key, Only, Refusal, Reply, Request, Version};
use super::{A, B, Bed, C, commit, get, increment, int, key, raw, remove, set, shown};
use crate::limits::{STATE_BYTES, VALUE_BYTES};

fn since(name: &str, since: Version) -> Request {
    Request::Get { key: key(name), since: Some(since) }
}

fn only(name: &str, number: i64, only: Only) -> Request {
    Request::Set { key: key(name), value: int(number), only }
}

fn keys(space: &str) -> Request {
    Request::Keys { space: space.into(), since: None }
}

fn snapshot(since: Option<Version>) -> Request {
    Request::Snapshot { space: "".into(), since }
}

/// Of what is answered by one.
fn version(bed: &mut Bed, request: Request) -> Version {
    match bed.store.ask(A, request, bed.now) {
        Some(Reply::Done { version } | Reply::Value { now: version, .. } | Reply::Names { now: version, .. }) => {
            version
        }
        other => panic!("no version in {other:?}"),
    }
}

#[test]
fn what_is_set_is_there_until_it_is_removed() {
    let mut bed = Bed::new();
    assert_eq!(bed.ask(A, get("n")), "none");
    assert_eq!(bed.ask(A, set("n", 1)), "done");
    assert_eq!(bed.ask(B, get("n")), "1 by a");
    let replace = Request::Replace { key: key("n"), value: int(2), only: Only::Always };
    assert_eq!(bed.ask(B, replace), "1 by a");
    assert_eq!(bed.ask(A, remove("n")), "2 by b");
    assert_eq!(bed.ask(A, remove("n")), "none");
    assert_eq!(bed.ask(A, Request::Len { space: "".into() }), "0");
}

#[test]
fn a_write_asks_what_is_there() {
    let mut bed = Bed::new();
    assert_eq!(bed.ask(A, only("n", 1, Only::IfPresent)), "not done: none");
    assert_eq!(bed.ask(A, only("n", 1, Only::IfVersion(0))), "done");
    assert_eq!(bed.ask(B, only("n", 2, Only::IfAbsent)), "not done: 1 by a");
    assert_eq!(bed.ask(B, only("n", 2, Only::IfVersion(0))), "not done: 1 by a");
    assert_eq!(bed.ask(B, only("n", 2, Only::IfVersion(1))), "done");
    assert_eq!(bed.ask(B, only("n", 3, Only::IfPresent)), "done");
    let replace = Request::Replace { key: key("n"), value: int(4), only: Only::IfAbsent };
    assert_eq!(bed.ask(B, replace), "not done: 3 by b");
}

#[test]
fn namespaces_do_not_see_each_other() {
    let other = |name: &str| Key { space: "other".into(), name: name.into() };
    let mut bed = Bed::new();
    bed.ask(A, set("n", 1));
    bed.ask(A, set("m", 2));
    bed.ask(A, Request::Set { key: other("n"), value: int(3), only: Only::Always });
    assert_eq!(bed.ask(B, keys("")), "[m, n]");
    assert_eq!(bed.ask(B, keys("other")), "[n]");
    assert_eq!(bed.ask(B, Request::Clear { space: "".into() }), "2");
    assert_eq!(bed.ask(B, keys("")), "[]");
    assert_eq!(bed.ask(B, Request::Get { key: other("n"), since: None }), "3 by a");
}

#[test]
fn a_commit_is_all_or_nothing() {
    let mut bed = Bed::new();
    bed.ask(A, set("n", 1));
    assert_eq!(bed.ask(B, commit(&[("n", 1)], &[("n", Some(2)), ("m", Some(5)), ("n", Some(3))])), "done");
    assert_eq!(bed.ask(A, commit(&[("n", 1)], &[("n", Some(9)), ("m", None)])), "moved");
    assert_eq!(bed.ask(A, snapshot(None)), "{m = 5 by b, n = 3 by b}");
    assert_eq!(bed.ask(A, commit(&[("x", 0)], &[("m", None), ("y", None)])), "done");
    assert_eq!(bed.ask(A, commit(&[("m", 2)], &[])), "moved");
    let before = bed.store.version;
    assert_eq!(bed.ask(A, commit(&[("m", 0)], &[("m", None)])), "done");
    assert_eq!(bed.store.version, before, "what changes nothing is no change");
}

#[test]
fn a_commit_is_lost_where_a_list_it_has_read_is_another_one() {
    let mut bed = Bed::new();
    bed.ask(A, set("n", 1));
    let now = version(&mut bed, keys(""));
    let listed = |now| {
        Request::Commit(Commit {
            lists: vec![("".into(), now)],
            writes: vec![(key("n"), Some(int(7)))],
            ..Commit::default()
        })
    };
    bed.ask(B, set("n", 2));
    assert_eq!(bed.ask(A, listed(now)), "done", "no key came or went");
    bed.ask(B, set("m", 2));
    assert_eq!(bed.ask(A, listed(now)), "moved");
    bed.ask(B, Request::Clear { space: "".into() });
    assert_eq!(bed.ask(A, listed(now)), "moved", "also where nothing is left of it");
}

/// A transaction that has begun at a moment sees nothing of a later one.
#[test]
fn reads_of_one_transaction_are_of_one_moment() {
    let mut bed = Bed::new();
    bed.ask(A, set("n", 1));
    bed.ask(A, set("m", 1));
    let began = version(&mut bed, get("n"));
    assert_eq!(bed.ask(A, since("m", began)), "1 by a");
    assert_eq!(bed.ask(A, since("x", began)), "none");
    assert_eq!(bed.ask(A, snapshot(Some(began))), "{m = 1 by a, n = 1 by a}");
    bed.ask(B, set("m", 2));
    assert_eq!(bed.ask(A, since("m", began)), "moved");
    assert_eq!(bed.ask(A, since("n", began)), "1 by a");
    assert_eq!(bed.ask(A, snapshot(Some(began))), "moved");
    assert_eq!(bed.ask(A, Request::Keys { space: "".into(), since: Some(began) }), "[m, n]");
    assert_eq!(bed.ask(A, since("x", began)), "none", "it was as absent before");
    bed.ask(B, set("x", 2));
    bed.ask(B, remove("x"));
    assert_eq!(bed.ask(A, since("x", began)), "moved", "it was there in between");
    assert_eq!(bed.ask(A, Request::Keys { space: "".into(), since: Some(began) }), "moved");
}

#[test]
fn an_increment_keeps_the_type_and_its_bounds() {
    let number = |bed: &mut Bed| {
        let Some(Reply::Value { held: Some(held), .. }) = bed.store.ask(A, get("n"), bed.now) else {
            panic!("it is there")
        };
        (held.value.type_name.to_string(), held.value.bytes.to_vec())
    };
    let set_raw = |type_name: &str, bytes: &[u8]| Request::Set {
        key: key("n"),
        value: raw(type_name, bytes),
        only: Only::Always,
    };
    let mut bed = Bed::new();
    assert_eq!(bed.ask(A, increment("n", -3)), "-3");
    assert_eq!(number(&mut bed), ("i64".to_owned(), vec![0xfd]));
    for (type_name, bytes, by, said) in [
        ("i32", &[0x05][..], 1, "6"),
        ("i32", &[0xe0], 1, "-31"),
        ("i32", &[0xce, 0x7f, 0xff, 0xff, 0xff], 1, "out of range: 2147483647 + 1"),
        ("i32", &[0xd2, 0x80, 0, 0, 0], -1, "out of range: -2147483648 + -1"),
        ("i32", &[0xd2, 0x80, 0, 0, 0], 1, "-2147483647"),
        ("i8", &[0xd0, 0x80], -1, "out of range: -128 + -1"),
        ("i16", &[0xd1, 0x80, 0], 1, "-32767"),
        ("u8", &[0xcc, 0xff], 1, "out of range: 255 + 1"),
        ("u16", &[0xcd, 0xff, 0xff], -1, "65534"),
        ("u32", &[0x00], -1, "out of range: 0 + -1"),
        ("usize", &[0x00], -1, "out of range: 0 + -1"),
        ("i64", &[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], -1, "out of range: -9223372036854775808 + -1"),
        ("i64", &[0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1, "out of range: 9223372036854775807 + 1"),
        // 2⁶³, of which one less is an `i64`.
        ("u64", &[0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0], -1, "9223372036854775807"),
        ("u64", &[0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0], 0, "no number: 9223372036854775808 by b"),
        ("u64", &[0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1, "out of range: 9223372036854775807 + 1"),
        ("my::Count", &[0xcc, 0xff], 1, "256"),
        ("bool", &[0xc3], 1, "no number: true by b"),
        ("f64", &[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1, "no number: 1.5 by b"),
        ("alloc::string::String", &[0xa1, b'1'], 1, "no number: \"1\" by b"),
        ("(i32, i32)", &[0x92, 1, 2], 1, "no number: [1,2] by b"),
    ] {
        bed.ask(B, set_raw(type_name, bytes));
        assert_eq!(bed.ask(A, increment("n", by)), said, "{type_name} + {by}");
        assert_eq!(number(&mut bed).0, type_name);
    }
    // What is no MessagePack at all.
    for bytes in [&[][..], &[0xcc], &[0xcd, 1], &[0x01, 0x01], &[0xc1]] {
        bed.ask(B, set_raw("i64", bytes));
        let refused = bed.store.ask(A, increment("n", 1), bed.now);
        assert!(matches!(refused, Some(Reply::Refused(Refusal::NotANumber { .. }))), "{bytes:?}: {refused:?}");
    }
}

/// 1 GiB of the same bytes takes no more memory than one of them.
#[test]
fn the_state_has_a_bound_and_each_value_one() {
    let large: std::sync::Arc<[u8]> = vec![0; VALUE_BYTES as usize].into();
    let set = |name: &str, bytes| Request::Set {
        key: key(name),
        value: super::Value { type_name: "bytes".into(), bytes },
        only: Only::Always,
    };
    let mut bed = Bed::new();
    let too_large = bed.ask(A, set("n", vec![0; VALUE_BYTES as usize + 1].into()));
    assert_eq!(too_large, format!("too large: {} of {VALUE_BYTES}", VALUE_BYTES + 1));
    for number in 0..15 {
        assert_eq!(bed.ask(A, set(&format!("{number}"), large.clone())), "done");
    }
    let full = bed.store.ask(A, set("n", large.clone()), bed.now).expect("it is refused at once");
    let Reply::Refused(Refusal::TooLarge { bytes, limit: STATE_BYTES }) = full else { panic!("{}", shown(&full)) };
    assert!(bytes > STATE_BYTES);
    assert_eq!(bed.ask(A, set("3", large.clone())), "done", "in the place of one as large");
    assert_eq!(bed.ask(A, set("3", vec![0].into())), "done");
    assert_eq!(bed.ask(A, set("n", large)), "done");
    bed.ask(A, Request::Clear { space: "".into() });
    assert_eq!(bed.store.spaces.bytes(), 0);
}

#[test]
fn each_change_has_a_version_of_its_own() {
    let mut bed = Bed::new();
    let mut last = 0;
    for request in [set("n", 1), set("n", 1), commit(&[], &[("n", Some(1)), ("m", Some(1))]), remove("n")] {
        let now = version(&mut bed, request);
        assert!(now > last);
        last = now;
    }
    let now = version(&mut bed, remove("n"));
    assert_eq!(now, last, "nothing has changed");
    assert_eq!(bed.ask(C, get("m")), "1 by a");
}
