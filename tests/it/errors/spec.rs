//! Specs that cannot mean anything, on any machine.

use std::time::Duration;

use expect_test::expect;
use pkit_test::ready::{Http, Output, Tcp};
use pkit_test::{Spec, http, output, simple, tcp};

use super::check::check;

#[test]
fn an_empty_command_is_refused() {
    check(
        simple(""),
        expect![[r#"
        `process` was not started: the command is empty
          spec:   simple("")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("  "),
        expect![[r#"
        `process` was not started: the command is empty
          spec:   simple("")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("'' argument"),
        expect![[r#"
        `process` was not started: the command `'' argument` names no program
          spec:   simple("'' argument")   tests/it/errors/spec.rs"#]],
    );
    check(
        Spec::program(""),
        expect![[r#"
        `process` was not started: the command is empty
          spec:   Spec::program("''")   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn an_open_quote_is_shown() {
    check(
        simple("echo 'one two"),
        expect![[r#"
        `echo` was not started: the quote that opens at column 6 of `echo 'one two` is never closed: `'one two`
          spec:   simple("echo 'one two")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("echo").args("--name \"x"),
        expect![[r#"
        `echo` was not started: the quote that opens at column 8 of `--name "x` is never closed: `"x`
          spec:   simple("echo --name "x")   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn a_zero_byte_is_refused() {
    check(
        simple("echo").arg("a\0b"),
        expect![[r#"
        `echo` was not started: the word $'a\u0000b' of the command holds a NUL byte
          spec:   simple("echo $'a\u0000b'")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("echo").env("A\0B", "x"),
        expect![[r#"
        `echo` was not started: `A\0B` cannot be the name of an environment variable
          spec:   simple("echo")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("echo").env("A", "x\0y"),
        expect![[r#"
        `echo` was not started: no environment variable can have a zero byte in it: `A=x\0y`
          spec:   simple("echo")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("echo").cwd("/tmp\0x"),
        expect![[r#"
        `echo` was not started: no path can have a zero byte in it: `/tmp\0x`
          spec:   simple("echo")   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn a_name_of_a_variable_must_be_one() {
    check(
        simple("echo").env("", "x"),
        expect![[r#"
        `echo` was not started: `` cannot be the name of an environment variable
          spec:   simple("echo")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("echo").env("A=B", "x"),
        expect![[r#"
        `echo` was not started: `A=B` cannot be the name of an environment variable
          spec:   simple("echo")   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn an_invalid_regex_is_shown() {
    check(
        output("echo", "(ready"),
        expect![[r#"
        `echo` was not started: invalid regex `(ready`: found open group without closing ')'
          spec:   output("echo", "(ready")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("echo").ready(Output::stderr("[")),
        expect![[r#"
        `echo` was not started: invalid regex `[`: found unclosed character class
          spec:   simple("echo")   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn a_url_that_cannot_be_asked_is_shown() {
    check(
        http("sleep 60", "http://"),
        expect![[r#"
        `sleep` was not started: "http://" cannot be asked: it has no host
          spec:   http("sleep 60", "http://")   tests/it/errors/spec.rs"#]],
    );
    check(
        http("sleep 60", "http:///path"),
        expect![[r#"
        `sleep` was not started: "http:///path" cannot be asked: it has no host
          spec:   http("sleep 60", "http:///path")   tests/it/errors/spec.rs"#]],
    );
    check(
        http("sleep 60", "https://localhost/"),
        expect![[r#"
        `sleep` was not started: "https://localhost/" cannot be asked: https is not supported, since this crate has no TLS: `ready::Exec` with curl or `ready::poll` with a client of yours can ask
          spec:   http("sleep 60", "https://localhost/")   tests/it/errors/spec.rs"#]],
    );
    check(
        http("sleep 60", "localhost/"),
        expect![[r#"
        `sleep` was not started: "localhost/" cannot be asked: it begins neither with `/` nor with `http://`
          spec:   http("sleep 60", "localhost/")   tests/it/errors/spec.rs"#]],
    );
    check(
        http("sleep 60", "http://localhost:0/"),
        expect![[r#"
        `sleep` was not started: "http://localhost:0/" cannot be asked: `0` is no port
          spec:   http("sleep 60", "http://localhost:0/")   tests/it/errors/spec.rs"#]],
    );
    check(
        http("sleep 60", "http://localhost:65536/"),
        expect![[r#"
        `sleep` was not started: "http://localhost:PORT/" cannot be asked: `PORT` is no port
          spec:   http("sleep 60", "http://localhost:PORT/")   tests/it/errors/spec.rs"#]],
    );
    check(
        http("sleep 60", "http://localhost:http/"),
        expect![[r#"
        `sleep` was not started: "http://localhost:http/" cannot be asked: `http` is no port
          spec:   http("sleep 60", "http://localhost:http/")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("sleep 60").ready(Http::get("{env.HOME}")),
        expect![[r#"
        `sleep` was not started: the probe asks its own port, and it has none
          spec:   simple("sleep 60")   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn a_port_that_the_probe_asks_for_must_be_there() {
    check(
        simple("sleep 60").ready(Tcp::port("peer")),
        expect![[r#"
        `sleep` was not started: the probe asks for the port `peer`, which nobody declared; `.port("peer")` does it
          spec:   simple("sleep 60")   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn a_timeout_of_zero_is_refused() {
    check(
        simple("echo").start_timeout(Duration::ZERO),
        expect![[r#"
        `echo` was not started: a start_timeout of zero leaves no time at all
          spec:   simple("echo")   tests/it/errors/spec.rs"#]],
    );
    check(
        simple("echo").stop_timeout(Duration::ZERO),
        expect![[r#"
        `echo` was not started: a stop_timeout of zero leaves no time at all
          spec:   simple("echo")   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn a_port_is_declared_once() {
    check(
        tcp("echo {port.a}", 0).port("a").port("a"),
        expect![[r#"
        `echo` was not started: the port `a` is declared twice
          spec:   tcp("echo {port.a}", 0)   tests/it/errors/spec.rs"#]],
    );
}

#[test]
fn a_host_is_an_address() {
    check(
        tcp("echo", 0).host("example.org"),
        expect![[r#"
        `echo` was not started: the host `example.org` is not an IP address
          spec:   tcp("echo", 0)   tests/it/errors/spec.rs"#]],
    );
}
