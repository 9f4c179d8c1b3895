//! Updates and transactions, one after the other: what they see, and what is left of them.

use std::cell::Cell;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{World, process};

pub(super) fn an_update_returns_what_its_closure_does(world: &dyn World) {
    let state = process(world, "one");
    assert!(state.update("n", |n: &mut u32| *n += 1).unwrap_err().is_absent());
    state.set("n", &1).unwrap();
    state.update("n", |n: &mut u32| *n += 1).unwrap();
    assert_eq!(state.update("n", |n: &mut u32| std::mem::replace(n, 10)).unwrap(), 2);
    assert_eq!(state.update("n", |n: &mut u32| Ok::<_, String>((*n, "text"))).unwrap(), (10, "text"));
    assert_eq!(
        state
            .update_or("m", 7, |m: &mut u32| {
                *m += 1;
                Some(*m)
            })
            .unwrap(),
        Some(8)
    );
    assert_eq!(state.get("m").unwrap(), Some(8));
}

pub(super) fn an_update_that_fails_leaves_no_trace(world: &dyn World) {
    let state = process(world, "one");
    state.set("n", &1).unwrap();
    // By what is there, and by what this process remembers.
    for _ in 0..2 {
        let error = state
            .update("n", |n: &mut u32| {
                *n = 0;
                Err::<(), _>("no")
            })
            .unwrap_err();
        assert!(error.is_rolled_back());
        assert_eq!(error.to_string(), "`n` was not changed: no");
        assert_eq!(error.source().unwrap().to_string(), "no");
        let panic = catch_unwind(AssertUnwindSafe(|| {
            state.update("n", |n: &mut u32| -> () {
                *n = 0;
                panic!("oh")
            })
        }));
        assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"oh"));
        assert_eq!(state.get("n").unwrap(), Some(1));
        state.update("n", |n: &mut u32| *n = 1).unwrap();
    }
}

/// Also if it was the last one to write it: what it remembers is no longer so.
pub(super) fn an_update_sees_what_others_wrote(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    one.set("n", &0).unwrap();
    one.update("n", |n: &mut u32| *n = 1).unwrap();
    other.set("n", &5).unwrap();
    assert_eq!(
        one.update("n", |n: &mut u32| {
            *n += 1;
            *n
        })
        .unwrap(),
        6
    );
    other.set("n", &10).unwrap();
    let at_least_ten = |n: &mut u32| if *n < 10 { Err("too few") } else { Ok(*n) };
    assert_eq!(one.update("n", at_least_ten).unwrap(), 10);
    other.set("n", "text").unwrap();
    assert!(one.update("n", |_: &mut u32| ()).unwrap_err().is_wrong_type());
    other.remove("n").unwrap();
    assert!(one.update("n", |_: &mut String| ()).unwrap_err().is_absent());
}

pub(super) fn an_update_may_use_the_state(world: &dyn World) {
    let state = process(world, "one");
    state.set("n", &1).unwrap();
    state.update("n", |n: &mut i64| *n += state.increment("m", 1).unwrap()).unwrap();
    assert_eq!((state.get("n").unwrap(), state.get("m").unwrap()), (Some(2), Some(1)));
}

pub(super) fn what_is_compared_is_what_is_there(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    assert!(!one.compare_and_set("n", Some(&1), Some(&2)).unwrap());
    assert!(one.compare_and_set("n", None, Some(&1)).unwrap());
    other.set("n", &3).unwrap();
    assert!(!one.compare_and_set("n", Some(&1), Some(&2)).unwrap());
    assert!(one.compare_and_set("n", Some(&3), Some(&4)).unwrap());
    assert!(!other.compare_and_set("n", None, Some(&5)).unwrap());
    assert!(other.compare_and_set("n", Some(&4), None).unwrap());
    assert!(one.compare_and_set::<u32>("n", None, None).unwrap());
    assert!(!one.contains("n").unwrap());
}

pub(super) fn a_transaction_reads_what_it_wrote(world: &dyn World) {
    let state = process(world, "one");
    state.set("a", &1).unwrap();
    state.set("b", &2).unwrap();
    state
        .transaction(|tx| {
            tx.set("c", &3)?;
            assert_eq!((tx.get("a")?, tx.get("c")?, tx.get::<u32>("d")?), (Some(1), Some(3), None));
            assert_eq!((tx.remove("b")?, tx.remove("b")?), (true, false));
            assert_eq!((tx.contains("b")?, tx.len()?, tx.is_empty()?), (false, 2, false));
            assert_eq!(tx.keys()?, ["a", "c"]);
            assert_eq!((tx.increment("a", 4)?, tx.increment("e", 1)?), (5, 1));
            assert_eq!((tx.take::<u32>("c")?, tx.take::<u32>("c")?), (Some(3), None));
            assert!(tx.get::<String>("a").unwrap_err().is_wrong_type());
            assert!(tx.require::<u32>("c").unwrap_err().is_absent());
            assert_eq!(process(world, "other").keys()?, ["a", "b"]);
            Ok(())
        })
        .unwrap();
    assert_eq!((state.keys().unwrap(), state.get("a").unwrap()), (vec!["a".to_owned(), "e".to_owned()], Some(5)));
}

pub(super) fn a_transaction_is_all_or_nothing(world: &dyn World) {
    let state = process(world, "one");
    let error = state.transaction(|tx| {
        tx.set("a", &1)?;
        Err::<(), _>("no".into())
    });
    let error = error.unwrap_err();
    assert!(error.is_rolled_back());
    assert_eq!(error.to_string(), "the transaction was rolled back: no");
    let panic = catch_unwind(AssertUnwindSafe(|| {
        state.transaction(|tx| {
            tx.set("a", &1)?;
            panic!("oh");
            #[expect(unreachable_code, reason = "says what it would return")]
            Ok(())
        })
    }));
    assert!(panic.is_err() && state.is_empty().unwrap());
    let mut changes = state.watch_all().unwrap();
    state
        .transaction(|tx| {
            tx.set("a", &1)?;
            tx.set("b", &2)?;
            Ok(())
        })
        .unwrap();
    assert_eq!([(); 2].map(|()| changes.next().unwrap().unwrap().key().to_owned()), ["a", "b"]);
}

pub(super) fn a_transaction_sees_one_moment(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    one.set("a", &0).unwrap();
    one.set("b", &0).unwrap();
    let runs = Cell::new(0);
    let seen = one.transaction(|tx| {
        runs.set(runs.get() + 1);
        let a: u32 = tx.require("a")?;
        if runs.get() == 1 {
            other.set("a", &1)?;
            other.set("b", &1)?;
        }
        let b: u32 = tx.require("b")?;
        assert_eq!(a, b, "two moments");
        Ok((a, b))
    });
    assert_eq!((seen.unwrap(), runs.get()), ((1, 1), 2));
    // What was read before it changed is of one moment, too, and needs no second run to be returned.
    runs.set(0);
    let seen = one.transaction(|tx| {
        runs.set(runs.get() + 1);
        let seen: (u32, u32) = (tx.require("a")?, tx.require("b")?);
        other.increment("a", 1)?;
        assert_eq!(seen, (tx.require("a")?, tx.require("b")?), "what was read stays");
        Ok(seen)
    });
    assert_eq!((seen.unwrap(), runs.get()), ((1, 1), 1));
}

pub(super) fn a_doomed_transaction_is_run_again_whatever_it_returns(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    for ending in ["swallowed", "returned", "unwrapped"] {
        one.set("a", &0).unwrap();
        one.set("b", &0).unwrap();
        let runs = Cell::new(0);
        let done = one.transaction(|tx| {
            runs.set(runs.get() + 1);
            let _a: u32 = tx.require("a")?;
            if runs.get() == 1 {
                other.set("b", &1)?;
            }
            let b = tx.get::<u32>("b");
            tx.set("a", &5)?;
            match ending {
                _ if runs.get() == 2 => assert_eq!(b?, Some(1)),
                "swallowed" => assert!(b.is_err() && tx.get::<u32>("c").is_err() && tx.keys().is_err()),
                "returned" => return Err("for another reason".into()),
                _ => drop(b.unwrap()),
            }
            Ok(runs.get())
        });
        assert_eq!((done.unwrap(), one.get("a").unwrap()), (2, Some(5)), "{ending}");
    }
}

pub(super) fn a_list_that_grew_is_read_again(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    one.set("0", &0).unwrap();
    let runs = Cell::new(0);
    one.transaction(|tx| {
        let len = tx.len()?;
        if runs.replace(runs.get() + 1) == 0 {
            other.set("1", &"of the other")?;
        }
        tx.set(&len.to_string(), "of the one")?;
        Ok(())
    })
    .unwrap();
    assert_eq!((one.keys().unwrap().len(), runs.get()), (3, 2));
    assert_eq!(one.require::<String>("1").unwrap(), "of the other");
}

pub(super) fn a_transaction_in_a_transaction_is_another_one(world: &dyn World) {
    let state = process(world, "one");
    let done = state.transaction(|tx| {
        tx.set("outer", &1)?;
        state.transaction(|inner| {
            let sees_outer = inner.contains("outer")?;
            Ok(inner.set("inner", &sees_outer)?)
        })?;
        Err::<(), _>("the outer one alone".into())
    });
    assert!(done.unwrap_err().is_rolled_back());
    assert_eq!((state.keys().unwrap(), state.get("inner").unwrap()), (vec!["inner".to_owned()], Some(false)));
}

pub(super) fn who_overtakes_himself_is_told(world: &dyn World) {
    let state = process(world, "one");
    state.set("n", &0).unwrap();
    let overtaken = state.transaction(|tx| {
        let n: u32 = tx.require("n")?;
        state.set("n", &n)?;
        Ok(tx.set("n", &(n + 1))?)
    });
    let error = overtaken.unwrap_err();
    assert!(error.is_contended());
    let expected = "the transaction was given up: what it had read was changed meanwhile, each time\n  \
        tries:  4, and 3 turns of 1 s at most\n  \
        hint:   in a turn others wait: either the closure is slower, or it changes what it has read by a `State`";
    assert_eq!(error.to_string(), expected);
    assert!(state.update("n", |n: &mut u32| state.set("n", n).unwrap()).unwrap_err().is_contended());
    // And nobody has to wait for those turns.
    process(world, "other").set("n", &9).unwrap();
    assert_eq!(state.get("n").unwrap(), Some(9));
}

pub(super) fn transactions_span_namespaces(world: &dyn World) {
    let state = process(world, "one");
    let moved = state.transaction(|tx| {
        tx.namespace("left").set("n", &1)?;
        let n = tx.namespace("left").take::<u32>("n")?.ok_or("it was written")?;
        tx.namespace("right").namespace("inner").set("n", &n)?;
        Ok((tx.namespace("left").len()?, tx.namespace("right").namespace("inner").keys()?))
    });
    assert_eq!(moved.unwrap(), (0, vec!["n".to_owned()]));
    assert_eq!(state.namespace("right").namespace("inner").get("n").unwrap(), Some(1));
}

pub(super) fn an_error_of_ours_comes_out_as_it_is(world: &dyn World) {
    let state = process(world, "one");
    assert!(state.transaction(|tx| Ok(tx.require::<u32>("n")?)).unwrap_err().is_absent());
    let update = state.update("n", |_: &mut u32| ());
    assert!(update.unwrap_err().to_string().starts_with("`n` is absent\n  hint:   `update_or` "));
    state.set("n", &1).unwrap();
    let update = state.update("n", |_: &mut u32| state.require::<u32>("m").map(drop));
    assert!(update.unwrap_err().to_string().starts_with("`m` is absent\n  hint:   `wait_present` "));
}
