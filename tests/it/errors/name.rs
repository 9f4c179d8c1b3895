//! Names and holes that mean nothing, and processes that wait for each other.

use expect_test::expect;
use pkit_test::{orchestra, orchestrate, simple, tcp};

use super::check::{check, check_stack};

#[test]
fn a_process_that_nobody_declared_is_named() {
    check(
        simple("echo {db.port}"),
        expect![[r#"
            `echo` was not started: {db.port} means nothing here
              why:    there is no process `db`: `echo` is started without others
              hint:   write {{db.port}} where the text {db.port} is meant
              spec:   simple("echo {db.port}")   tests/it/errors/name.rs"#]],
    );
    check(
        simple("echo").after("db"),
        expect![[r#"
            `echo` was not started: after("db") means nothing here
              why:    there is no process `db`: `echo` is started without others
              spec:   simple("echo")   tests/it/errors/name.rs"#]],
    );
    check(
        simple("echo {greeting}"),
        expect![[r#"
            `echo` was not started: {greeting} means nothing here
              why:    there is no process `greeting`: `echo` is started without others
              hint:   write {{greeting}} where the text {greeting} is meant
              spec:   simple("echo {greeting}")   tests/it/errors/name.rs"#]],
    );
}

#[test]
fn the_name_that_was_meant_is_offered() {
    check(
        simple("echo {prot}"),
        expect![[r#"
        `echo` was not started: {prot} means nothing here
          why:    there is no process `prot`: `echo` is started without others
          meant:  {port}?
          hint:   write {{prot}} where the text {prot} is meant
          spec:   simple("echo {prot}")   tests/it/errors/name.rs"#]],
    );
    check(
        simple("echo {adr}"),
        expect![[r#"
        `echo` was not started: {adr} means nothing here
          why:    there is no process `adr`: `echo` is started without others
          meant:  {addr}?
          hint:   write {{adr}} where the text {adr} is meant
          spec:   simple("echo {adr}")   tests/it/errors/name.rs"#]],
    );
    check(
        simple("echo {prot.peer}"),
        expect![[r#"
        `echo` was not started: {prot.peer} means nothing here
          why:    there is no process `prot`: `echo` is started without others
          hint:   write {{prot.peer}} where the text {prot.peer} is meant
          spec:   simple("echo {prot.peer}")   tests/it/errors/name.rs"#]],
    );
    check_stack(
        orchestrate([("cache", simple("sleep 60")), ("api", simple("echo {&cahce.dir}"))]),
        expect![[r#"
        `api` was not started: {&cahce.dir} means nothing here
          why:    there is no process `cahce`, but `cache`
          meant:  {&cache.dir}?
          hint:   write {{&cahce.dir}} where the text {&cahce.dir} is meant
          spec:   simple("echo {&cahce.dir}")   tests/it/errors/name.rs"#]],
    );
    check_stack(
        orchestrate([("cache", simple("sleep 60")), ("api", simple("echo").after("cahce"))]),
        expect![[r#"
        `api` was not started: after("cahce") means nothing here
          why:    there is no process `cahce`, but `cache`
          meant:  after("cache")?
          spec:   simple("echo")   tests/it/errors/name.rs"#]],
    );
}

#[test]
fn a_hole_that_means_nothing_is_named() {
    check(
        simple("echo {port.peer}"),
        expect![[r#"
        `echo` was not started: {port.peer} means nothing here
          why:    no port `peer` was declared; `.port("peer")` does it
          spec:   simple("echo {port.peer}")   tests/it/errors/name.rs"#]],
    );
    check(
        simple("echo {dir.x}"),
        expect![[r#"
        `echo` was not started: {dir.x} means nothing here
          why:    it has none
          spec:   simple("echo {dir.x}")   tests/it/errors/name.rs"#]],
    );
    check(
        simple("echo {index}"),
        expect![[r#"
        `echo` was not started: {index} means nothing here
          why:    it has none
          spec:   simple("echo {index}")   tests/it/errors/name.rs"#]],
    );
    check(
        simple("echo {env.PKIT_TEST_NO_SUCH_VARIABLE}"),
        expect![[r#"
        `echo` was not started: {env.PKIT_TEST_NO_SUCH_VARIABLE} means nothing here
          why:    the variable `PKIT_TEST_NO_SUCH_VARIABLE` is not set
          spec:   simple("echo {env.PKIT_TEST_NO_SUCH_VARIABLE}")   tests/it/errors/name.rs"#]],
    );
    check(
        simple("echo {env}"),
        expect![[r#"
        `echo` was not started: {env} means nothing here
          why:    it needs a name, as in {env.HOME}
          spec:   simple("echo {env}")   tests/it/errors/name.rs"#]],
    );
}

#[test]
fn circles_are_named_in_full() {
    check_stack(
        orchestrate([("one", simple("a {one.port}"))]),
        expect![[r#"
            `one` needs itself
              spec:   simple("a {one.port}")   tests/it/errors/name.rs
              hint:   `{&one.addr}` is the address without the order"#]],
    );
    check_stack(
        orchestrate([
            ("one", simple("a {two.port}")),
            ("two", simple("a {three.dir}")),
            ("three", simple("a").after("one")),
            ("four", simple("a {nobody.port}")),
        ]),
        expect![[r#"
            these processes wait for each other: `one` needs `two` needs `three` needs `one`
              spec:   simple("a {two.port}")   tests/it/errors/name.rs
                      simple("a {three.dir}")   tests/it/errors/name.rs
                      simple("a")   tests/it/errors/name.rs
              hint:   `{&two.addr}` is the address without the order"#]],
    );
}

#[test]
fn names_must_be_names() {
    check_stack(
        orchestrate([("one", simple("a")), ("one", simple("b"))]),
        expect![[r#"
        no process can be called `one`
          why:    another process of the stack has it"#]],
    );
    check_stack(
        orchestrate([("port", simple("a"))]),
        expect![[r#"
        no process can be called `port`
          why:    it means something else in a hole, as do port, host, addr, dir, env, index, slot, peers, link"#]],
    );
    check_stack(
        orchestrate([("a b", simple("a"))]),
        expect![[r#"
        no process can be called `a b`
          why:    it could not be used in a hole: a name is made of letters, digits and `_`"#]],
    );
    check_stack(
        orchestrate([("", simple("a"))]),
        expect![[r#"
        no process can be called ``
          why:    it could not be used in a hole: a name is made of letters, digits and `_`"#]],
    );
}

#[test]
fn what_a_process_has_not_is_said() {
    check_stack(
        orchestrate([("db", simple("sleep 60")), ("api", simple("echo {db.port}"))]),
        expect![[r#"
            `api` was not started: {db.port} means nothing here
              why:    `db` has no port
              spec:   simple("echo {db.port}")   tests/it/errors/name.rs"#]],
    );
    check_stack(
        orchestrate([("db", simple("sleep 60")), ("api", simple("echo {db.addr}"))]),
        expect![[r#"
            `api` was not started: {db.addr} means nothing here
              why:    `db` has no port
              spec:   simple("echo {db.addr}")   tests/it/errors/name.rs"#]],
    );
    check_stack(
        orchestrate([("db", simple("sleep 60")), ("api", simple("echo {db}"))]),
        expect![[r#"
        `api` was not started: {db} means nothing here
          why:    it needs a part, as in {db.addr}
          spec:   simple("echo {db}")   tests/it/errors/name.rs"#]],
    );
    check_stack(
        orchestrate([("db", simple("sleep 60")), ("api", simple("echo {db.colour}"))]),
        expect![[r#"
        `api` was not started: {db.colour} means nothing here
          why:    `db` has no `colour`, but dir, host, pid
          spec:   simple("echo {db.colour}")   tests/it/errors/name.rs"#]],
    );
    check_stack(
        orchestrate([("db", tcp("sleep 60", 0)), ("api", simple("echo {&db.pid}"))]),
        expect![[r#"
        `api` was not started: {&db.pid} means nothing here
          why:    `db` has no pid before it is started
          spec:   simple("echo {&db.pid}")   tests/it/errors/name.rs"#]],
    );
    check_stack(
        orchestrate([("db", tcp("sleep 60", 0)), ("api", simple("echo {&db.port.peer}"))]),
        expect![[r#"
            `api` was not started: {&db.port.peer} means nothing here
              why:    `db` has no `port.peer`, but addr, dir, host, port, url
              spec:   simple("echo {&db.port.peer}")   tests/it/errors/name.rs"#]],
    );
}

#[test]
fn all_unknown_names_are_said_at_once() {
    check_stack(
        orchestra().with("one", simple("a {db.port} {cache.port}")).with("two", simple("b").after("db")),
        expect![[r#"
            `one` was not started: {db.port} means nothing here
              why:    there is no process `db`, but `two`
              hint:   write {{db.port}} where the text {db.port} is meant
              spec:   simple("a {db.port} {cache.port}")   tests/it/errors/name.rs
            `one` was not started: {cache.port} means nothing here
              why:    there is no process `cache`, but `two`
              hint:   write {{cache.port}} where the text {cache.port} is meant
              spec:   simple("a {db.port} {cache.port}")   tests/it/errors/name.rs
            `two` was not started: after("db") means nothing here
              why:    there is no process `db`, but `one`
              spec:   simple("b")   tests/it/errors/name.rs"#]],
    );
}
