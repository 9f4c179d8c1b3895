//! Watching.

use std::thread;

use super::{SHORT, World, process};
use crate::error::Result;
use crate::state::{Change, Watch};

/// Key and number; `None` where it was removed.
fn seen(change: Option<Result<Change>>) -> (String, Option<u32>) {
    let change = change.unwrap().unwrap();
    (change.key().to_owned(), change.value().unwrap())
}

fn nothing_more(watch: &mut Watch) {
    assert!(watch.next_timeout(SHORT).unwrap().is_none());
}

pub(super) fn all_that_changes_is_seen_in_order(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    one.set("a", &0).unwrap();
    let mut watch = one.watch_all().unwrap();
    other.set("a", &1).unwrap();
    other.increment("b", 2).unwrap();
    other.remove("a").unwrap();
    other.remove("a").unwrap();
    one.update("b", |b: &mut u32| *b = 3).unwrap();
    one.clear().unwrap();
    let expected = [("a", Some(1)), ("b", Some(2)), ("a", None), ("b", Some(3)), ("b", None)];
    for (key, value) in expected {
        assert_eq!(seen(watch.next()), (key.to_owned(), value));
    }
    nothing_more(&mut watch);
    other.set("c", &1).unwrap();
    let change = watch.next_timeout(SHORT).unwrap().unwrap();
    assert_eq!(format!("{change:?}").split(" (pid").next(), Some("`c` = 1 by `other`"));
}

pub(super) fn two_watches_see_the_same_order(world: &dyn World) {
    const TIMES: u32 = 300;
    let watches = ["one", "other"].map(|name| process(world, name).watch(&["n", "m"]).unwrap());
    thread::scope(|scope| {
        for key in ["n", "m", "n", "m"] {
            let state = process(world, "writer");
            scope.spawn(move || (0..TIMES).for_each(|n| state.set(key, &n).unwrap()));
        }
    });
    let [one, other] =
        watches.map(|watch| watch.take(4 * TIMES as usize).map(|change| seen(Some(change))).collect::<Vec<_>>());
    assert_eq!(one.len(), 4 * TIMES as usize);
    assert_eq!(one, other);
}

pub(super) fn a_commit_comes_at_once(world: &dyn World) {
    let state = process(world, "one");
    let mut watch = state.watch(&["b", "a"]).unwrap();
    let done = state.transaction(|tx| {
        ["c", "b", "a"].iter().try_for_each(|key| tx.set(key, &1))?;
        Ok(())
    });
    done.unwrap();
    assert_eq!([(); 2].map(|()| seen(watch.next()).0), ["a", "b"]);
    nothing_more(&mut watch);
}

pub(super) fn a_live_watch_shows_the_last(world: &dyn World) {
    let state = process(world, "one");
    let mut watch = state.watch(&["a", "b"]).unwrap().live();
    (0..10).for_each(|n| ["a", "b"].iter().for_each(|key| state.set(key, &n).unwrap()));
    assert_eq!([(); 2].map(|()| seen(watch.next())), [("a".to_owned(), Some(9)), ("b".to_owned(), Some(9))]);
    nothing_more(&mut watch);
    state.remove("a").unwrap();
    assert_eq!(seen(watch.next()), ("a".to_owned(), None));
}

pub(super) fn a_live_watch_misses_nothing_before_it_was_so(world: &dyn World) {
    let state = process(world, "one");
    state.set("gone", &1).unwrap();
    let watch = state.watch_all().unwrap();
    (0..10).for_each(|n| state.set("a", &n).unwrap());
    state.remove("gone").unwrap();
    let mut watch = watch.live();
    state.set("b", &1).unwrap();
    let expected = [("a", Some(9)), ("gone", None), ("b", Some(1))].map(|(key, value)| (key.to_owned(), value));
    assert_eq!([(); 3].map(|()| seen(watch.next())), expected);
    nothing_more(&mut watch);
}

pub(super) fn too_much_is_an_error_and_it_goes_on(world: &dyn World) {
    let state = process(world, "one");
    let mut watch = state.watch(&["n"]).unwrap();
    let mut live = state.watch(&["n"]).unwrap().live();
    let large = vec!["x".repeat(1 << 20)];
    (0..20).for_each(|_| state.set("n", &large).unwrap());
    let missed = watch.next().unwrap().unwrap_err();
    assert!(missed.is_overflow());
    let text = missed.to_string();
    assert!(text.starts_with("the watch has missed ") && text.contains("more came than are kept"), "{text}");
    nothing_more(&mut watch);
    state.set("n", &1).unwrap();
    assert_eq!(seen(watch.next()), ("n".to_owned(), Some(1)));
    assert_eq!(seen(live.next()), ("n".to_owned(), Some(1)));
    nothing_more(&mut live);
}

pub(super) fn only_what_is_watched_is_seen(world: &dyn World) {
    let state = process(world, "one");
    let (mut watch, mut inner) = (state.watch(&["n"]).unwrap(), state.namespace("inner").watch_all().unwrap());
    state.set("m", &1).unwrap();
    state.namespace("inner").set("n", &2).unwrap();
    state.counter("n").add(1).unwrap();
    state.namespace("inner").namespace("n").set("n", &3).unwrap();
    nothing_more(&mut watch);
    assert_eq!(seen(inner.next()), ("n".to_owned(), Some(2)));
    nothing_more(&mut inner);
}

pub(super) fn a_watch_of_no_keys_is_an_error(world: &dyn World) {
    let keys: [&str; 0] = [];
    let error = process(world, "one").watch(&keys).unwrap_err();
    assert!(error.is_spec());
    assert_eq!(error.to_string(), "a watch of no keys would see nothing: `watch_all` sees all");
}
