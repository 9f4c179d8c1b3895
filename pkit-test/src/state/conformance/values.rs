//! Values one by one.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{World, process};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Tuple(u8, String),
    Named { list: Vec<Option<i64>>, map: BTreeMap<String, f64> },
}

pub(super) fn what_is_set_is_there_until_it_is_removed(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    assert_eq!(other.get::<u32>("n").unwrap(), None);
    one.set("n", &1).unwrap();
    assert_eq!(other.get("n").unwrap(), Some(1));
    one.set("n", "text").unwrap();
    assert_eq!(other.require::<String>("n").unwrap(), "text");
    assert!(other.contains("n").unwrap());
    assert_eq!((other.remove("n").unwrap(), one.remove("n").unwrap()), (true, false));
    assert!(one.require::<u32>("n").unwrap_err().is_absent());
    assert_eq!(one.get_or("n", 5).unwrap(), 5);
    assert!(one.is_empty().unwrap());
}

pub(super) fn values_of_all_shapes_come_back(world: &dyn World) {
    let state = process(world, "one");
    let map = BTreeMap::from([("half".to_owned(), 0.5), ("".to_owned(), f64::MAX)]);
    for shape in
        [Shape::Unit, Shape::Tuple(255, "ä\0".to_owned()), Shape::Named { list: vec![None, Some(i64::MIN)], map }]
    {
        state.set("shape", &shape).unwrap();
        assert_eq!(state.get("shape").unwrap(), Some(shape));
    }
    state.set("none", &None::<u32>).unwrap();
    assert_eq!(state.get::<Option<u32>>("none").unwrap(), Some(None));
    let refused = state.set("k", &Some(None::<u32>)).unwrap_err().to_string();
    assert!(refused.starts_with("`k` cannot be kept as a value: "), "{refused}");
    let large = vec![7_u64; 1 << 20];
    state.set("large", &large).unwrap();
    assert_eq!(state.get("large").unwrap(), Some(large));
}

pub(super) fn keys_are_any_text(world: &dyn World) {
    let state = process(world, "one");
    let mut keys = ["", " ", "a/b", "a\0b", "ключ", "\n", &"long".repeat(1000)].map(str::to_owned);
    keys.iter().for_each(|key| state.set(key, key).unwrap());
    keys.sort();
    assert_eq!(state.keys().unwrap(), keys);
    assert!(state.iter::<String>().unwrap().all(|(key, value)| key == value));
    assert_eq!((state.clear().unwrap(), state.clear().unwrap()), (keys.len(), 0));
}

pub(super) fn namespaces_are_apart(world: &dyn World) {
    let state = process(world, "one");
    let (a, ab) = (state.namespace("a"), state.namespace("a").namespace("b"));
    state.set("b/n", &0).unwrap();
    a.set("n", &1).unwrap();
    ab.set("n", &2).unwrap();
    assert_eq!((a.get("n").unwrap(), ab.get("n").unwrap()), (Some(1), Some(2)));
    assert_eq!((state.keys().unwrap(), a.keys().unwrap()), (vec!["b/n".to_owned()], vec!["n".to_owned()]));
    assert_eq!(a.clear().unwrap(), 1);
    assert_eq!((state.len().unwrap(), ab.len().unwrap()), (1, 1));
}

pub(super) fn an_error_calls_a_name_with_its_namespace(world: &dyn World) {
    let state = process(world, "one").namespace("left").namespace("inner");
    let moment = Duration::from_millis(1);
    let absent = state.transaction(|tx| Ok(tx.require::<u32>("n")?));
    let errors = [
        (state.require::<u32>("n").unwrap_err(), "`left/inner/n` is absent"),
        (absent.unwrap_err(), "`left/inner/n` is absent"),
        (state.wait_present::<u32>("n", moment).unwrap_err(), "`left/inner/n` was not set"),
        (state.counter("c").wait_at_least(1, moment).unwrap_err(), "counter `left/inner/c` was not 1"),
        (state.queue::<u32>("q").pop(moment).unwrap_err(), "queue `left/inner/q` had no item"),
    ];
    for (error, begin) in errors {
        assert!(error.to_string().starts_with(begin), "{error}");
    }
}

pub(super) fn a_namespace_that_cannot_be_one_is_an_error(world: &dyn World) {
    let state = process(world, "one").namespace("fine");
    for name in ["", "a/b", "/", "a\0b"] {
        let bad = state.namespace(name);
        let said = format!(
            "`{}` is no name for a namespace: it must not be empty, nor have `/` or NUL in it",
            name.replace('\0', "\\0")
        );
        for error in [
            bad.set("n", &1).unwrap_err(),
            bad.namespace("inner").get::<u32>("n").unwrap_err(),
            bad.keys().unwrap_err(),
            bad.watch_all().unwrap_err(),
            bad.latch("l", 1).unwrap_err(),
            bad.counter("c").add(1).unwrap_err(),
            bad.transaction(|tx| Ok(tx.len()?)).unwrap_err(),
        ] {
            assert!(error.is_spec());
            assert_eq!(error.to_string(), said);
        }
    }
    assert!(state.is_empty().unwrap());
}

pub(super) fn one_of_those_who_insert_does(world: &dyn World) {
    let inserted: Vec<usize> = thread::scope(|scope| {
        let insert = |n| move || process(world, "one").get_or_insert("leader", n).unwrap();
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(insert(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let state = process(world, "other");
    let leader: usize = state.require("leader").unwrap();
    assert!(inserted.iter().all(|seen| *seen == leader), "{inserted:?}");
    assert_eq!(state.get_or_insert_with("leader", || -> usize { panic!("it is there") }).unwrap(), leader);
}

pub(super) fn a_replaced_value_is_handed_out(world: &dyn World) {
    let state = process(world, "one");
    assert_eq!(state.replace("n", &1).unwrap(), None);
    assert_eq!(state.replace("n", &2).unwrap(), Some(1));
    assert!(state.replace("n", &"text".to_owned()).unwrap_err().is_wrong_type());
    assert!(state.take::<String>("n").unwrap_err().is_wrong_type());
    assert_eq!(state.take("n").unwrap(), Some(2));
    assert_eq!(state.take::<u32>("n").unwrap(), None);
}

pub(super) fn a_snapshot_is_of_one_moment(world: &dyn World) {
    let state = process(world, "one");
    state.set("b", &2).unwrap();
    state.set("a", &1).unwrap();
    state.namespace("inner").set("c", &3).unwrap();
    let snapshot = state.snapshot().unwrap();
    state.clear().unwrap();
    assert_eq!(format!("{snapshot:?}"), r#"{"a": 1, "b": 2}"#);
    assert_eq!((snapshot.get("b").unwrap(), snapshot.len()), (Some(2), 2));
    assert!(snapshot.keys().eq(["a", "b"]));
    assert!(snapshot.iter::<String>().unwrap_err().is_wrong_type());
    assert!(snapshot.require::<u32>("c").unwrap_err().is_absent());
}

pub(super) fn numbers_are_counted_in_their_type(world: &dyn World) {
    let state = process(world, "one");
    assert_eq!((state.increment("n", 5).unwrap(), state.increment("n", -7).unwrap()), (5, -2));
    state.set("byte", &255_u8).unwrap();
    let error = state.increment("byte", 1).unwrap_err().to_string();
    assert_eq!(error, "`byte` is 255, and with +1 it would be out of its range");
    state.set("most", &i64::MAX).unwrap();
    assert!(state.increment("most", 1).is_err());
    assert_eq!(state.get("most").unwrap(), Some(i64::MAX));
    state.set("text", "7").unwrap();
    let error = state.increment("text", 1).unwrap_err();
    assert!(error.is_wrong_type());
    assert!(
        error
            .to_string()
            .starts_with("`text` is a `str`, and no whole number to count with\n  value:  \"7\"\n  set by: `one`")
    );
}

pub(super) fn a_wrong_type_is_named_with_its_writer(world: &dyn World) {
    let (writer, reader) = (process(world, "writer"), process(world, "reader"));
    writer.set("n", &[1_u32, 2]).unwrap();
    for error in [
        reader.get::<String>("n").unwrap_err(),
        reader.update("n", |_: &mut String| ()).unwrap_err(),
        reader.transaction(|tx| Ok(tx.get::<String>("n")?)).unwrap_err(),
        reader.compare_and_set("n", Some(&String::new()), None).unwrap_err(),
    ] {
        assert!(error.is_wrong_type());
        let text = error.to_string();
        let expected = "`n` is a `[u32; 2]`, and was read as `alloc::string::String`\n  value:  [1,2]\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("\n  set by: `writer`"), "{text}");
    }
}

pub(super) fn what_is_too_large_is_refused(world: &dyn World) {
    let state = process(world, "one");
    let large = "x".repeat(64 << 20);
    let error = state.set("k", &large).unwrap_err();
    assert!(error.is_too_large());
    assert_eq!(error.to_string(), "`k` is larger than 64 MiB, which is the limit");
    assert!(state.transaction(|tx| Ok(tx.set("k", &large)?)).unwrap_err().is_too_large());
    assert!(state.is_empty().unwrap());
}

pub(super) fn two_states_never_meet(world: &dyn World) {
    let other = super::InMemory::new();
    process(world, "one").set("n", &1).unwrap();
    assert_eq!(process(&other, "one").get::<u32>("n").unwrap(), None);
}

pub(super) fn a_state_that_is_gone_is_said_to_be(world: &dyn World) {
    let state = process(world, "one");
    state.set("n", &1).unwrap();
    world.end();
    for error in [
        state.get::<u32>("n").unwrap_err(),
        state.set("n", &2).unwrap_err(),
        state.update("n", |n: &mut u32| *n += 1).unwrap_err(),
        state.transaction(|tx| Ok(tx.get::<u32>("n")?)).unwrap_err(),
        state.watch_all().unwrap_err(),
        state.barrier("b", 1).unwrap_err(),
        state.queue::<u32>("q").try_pop().unwrap_err(),
    ] {
        assert!(error.is_state_gone(), "{error}");
    }
}
