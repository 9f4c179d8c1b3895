//! What cannot be shared is refused before anything runs, and says what would help.

use expect_test::{Expect, expect};
use pkit_test::ready::poll;
use pkit_test::{Executor, Ground, Isolation, Process, Result, Supervision, function, orchestra, simple, tcp};

use crate::text::normalised;

#[track_caller]
fn refuses<H>(result: Result<H>, expected: Expect) {
    let error = result.err().expect("it is refused");
    assert!(error.is_spec(), "{error}");
    expected.assert_eq(&normalised(&error.to_string()));
}

/// Would it run, it would be found out.
const NOTHING: &str = "no-such-program";

#[test]
fn what_needs_a_process_of_the_test_is_shared_with_it() {
    let api =
        || tcp("no-such-program {addr} --cache {cache.addr} --and {cache.port} {&peer.addr}", 0).after("migration");
    refuses(
        api().shared().start(),
        expect![[r#"
            `no-such-program` cannot be shared: it needs `cache`, which it does not have itself
              spec:   tcp("no-such-program {addr} --cache {cache.addr} --and {cache.port} {&peer.addr}", 0)   tests/it/shared/refusals.rs
              needs:  {cache.addr}
              why:    `cache` is another one in each test, and this is one for all of them
              hint:   share them together: `orchestra().with("cache", ..).with("no-such-program", ..).shared()`
            `no-such-program` cannot be shared: it needs `peer`, which it does not have itself
              spec:   tcp("no-such-program {addr} --cache {cache.addr} --and {cache.port} {&peer.addr}", 0)   tests/it/shared/refusals.rs
              needs:  {&peer.addr}
              why:    `peer` is another one in each test, and this is one for all of them
              hint:   share them together: `orchestra().with("peer", ..).with("no-such-program", ..).shared()`
            `no-such-program` cannot be shared: it needs `migration`, which it does not have itself
              spec:   tcp("no-such-program {addr} --cache {cache.addr} --and {cache.port} {&peer.addr}", 0)   tests/it/shared/refusals.rs
              needs:  after("migration")
              why:    `migration` is another one in each test, and this is one for all of them
              hint:   share them together: `orchestra().with("migration", ..).with("no-such-program", ..).shared()`"#]],
    );
    let stack = orchestra().with("cache", simple("sleep 60 {port}")).with("api", simple("sleep {cache.port}").shared());
    refuses(
        stack.start(),
        expect![[r#"
            `api` cannot be shared: it needs `cache`, which it does not have itself
              spec:   simple("sleep {cache.port}")   tests/it/shared/refusals.rs
              needs:  {cache.port}
              why:    `cache` is another one in each test, and this is one for all of them
              hint:   share them together: `orchestra().with("cache", ..).with("api", ..).shared()`"#]],
    );
}

#[test]
fn what_is_supervised_is_not_shared() {
    refuses(
        simple(NOTHING).supervise(Supervision::permanent()).shared().start(),
        expect![[r#"
        `no-such-program` cannot be shared: it is supervised
          spec:   simple("no-such-program")   tests/it/shared/refusals.rs
          why:    its supervisor is in one test, and ends with it
          hint:   what has died is started again for the next test that needs it, without that"#]],
    );
}

#[test]
fn what_nobody_else_could_reach_is_not_shared() {
    refuses(
        simple(NOTHING).isolate(Isolation::Net).shared().start(),
        expect![[r#"
        `no-such-program` cannot be shared: it is to have a network of its own
          spec:   simple("no-such-program")   tests/it/shared/refusals.rs
          why:    no other test could reach it there"#]],
    );
}

#[test]
fn a_number_of_each_test_is_not_in_what_all_have() {
    refuses(
        simple("no-such-program {slot}").shared().start(),
        expect![[r#"
        `no-such-program` cannot be shared: `{slot}` stands in its own spec
          spec:   simple("no-such-program {slot}")   tests/it/shared/refusals.rs
          why:    it is a number that each test has, and this is one for all of them
          hint:   `{name.slot}` is for what a test starts beside it"#]],
    );
}

#[test]
fn closures_are_shared_by_a_name() {
    let silent = |spec: pkit_test::Spec| spec.on_start(|_| ()).on_exit(|_, _| ()).on_exit(|_, _| ());
    refuses(
        silent(simple(NOTHING)).shared().start(),
        expect![[r#"
        `no-such-program` cannot be shared without a name: it has a closure
          spec:   simple("no-such-program")   tests/it/shared/refusals.rs
          why:    `on_start`, `on_exit`: whether two closures do the same cannot be seen
          hint:   `shared_as("a name")` says by the name what is the same"#]],
    );
    refuses(
        simple(NOTHING).ready(poll(|_| true)).shared().start(),
        expect![[r#"
        `no-such-program` cannot be shared without a name: it has a closure
          spec:   simple("no-such-program")   tests/it/shared/refusals.rs
          why:    a probe by `poll`: whether two closures do the same cannot be seen
          hint:   `shared_as("a name")` says by the name what is the same"#]],
    );
    let pointer: fn(u32) -> u32 = |n| n;
    refuses(
        function(pointer, 1).shared().start(),
        expect![[r#"
        `function` cannot be shared without a name: it has a closure
          spec:   function(function, u32)   tests/it/shared/refusals.rs
          why:    a pointer to a function: whether two closures do the same cannot be seen
          hint:   `shared_as("a name")` says by the name what is the same"#]],
    );
    assert!(silent(simple(NOTHING)).shared_as("silent").start().unwrap_err().is_not_found());
}

#[test]
fn what_is_shared_is_no_part_of_what_is_shared() {
    let inner = simple(NOTHING).shared();
    refuses(
        orchestra().with("inner", inner).shared().start(),
        expect![[r#"
        `stack` cannot be shared: a part of it is shared by itself
          spec:   orchestra of inner
          why:    what is shared is shared with all its parts, which come and go together
          hint:   leave out the inner `shared()`"#]],
    );
}

struct Own;

impl Executor for Own {
    type Handle = Process;

    fn start_on(self, ground: &Ground) -> Result<Process> {
        ground.start(simple(NOTHING))
    }
}

#[test]
fn a_member_that_says_nothing_of_sharing_is_named() {
    let inner = orchestra().with("own", Own);
    refuses(
        orchestra().with("db", simple(NOTHING)).with("inner", inner).shared().start(),
        expect![[r#"
        `stack` cannot be shared: its member `own` cannot
          spec:   orchestra of db, inner
          why:    `Own` does not say how it is shared
          hint:   it has to be `Shareable`, and its `sharing()` to be `Some(Sharing::of())`"#]],
    );
}

/// In a stack it has its name there, in full.
#[test]
fn all_that_is_wrong_is_said() {
    let spec = simple("no-such-program {slot}").supervise(Supervision::permanent()).on_start(|_| ());
    let stack = orchestra().with("inner", orchestra().with("db", spec.shared()));
    refuses(
        stack.start(),
        expect![[r#"
        `inner.db` cannot be shared: it is supervised
          spec:   simple("no-such-program {slot}")   tests/it/shared/refusals.rs
          why:    its supervisor is in one test, and ends with it
          hint:   what has died is started again for the next test that needs it, without that
        `inner.db` cannot be shared: `{slot}` stands in its own spec
          spec:   simple("no-such-program {slot}")   tests/it/shared/refusals.rs
          why:    it is a number that each test has, and this is one for all of them
          hint:   `{name.slot}` is for what a test starts beside it
        `inner.db` cannot be shared without a name: it has a closure
          spec:   simple("no-such-program {slot}")   tests/it/shared/refusals.rs
          why:    `on_start`: whether two closures do the same cannot be seen
          hint:   `shared_as("a name")` says by the name what is the same"#]],
    );
}
