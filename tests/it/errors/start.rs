//! Starts that went wrong on the way.

use std::net::TcpListener;

use expect_test::expect;
use pkit_test::ready::{Http, Output};
use pkit_test::{http, orchestra, output, simple, tcp};

use super::check::{check, check_late, check_stack};
use crate::child::{answers, child, writes};

#[test]
fn an_exit_before_ready_is_told_with_its_last_words() {
    let exits = child("exits");
    check(
        tcp(exits.with("12 --say 'no database' --ms 20"), 0),
        expect![[r#"
        `exits` exited before it was ready
          spec:   tcp("'CHILDREN/exits' 12 --say 'no database' --ms 20", 0)   tests/it/errors/start.rs
          ran:    CHILDREN/exits 12 --say 'no database' --ms 20   pid N, in N ms
          exit:   exit code 12
          probe:  tcp 127.0.0.1:PORT: connection refused, N tries
          stderr: no database"#]],
    );
    check(
        tcp(exits.with("--signal SIGSEGV"), 0),
        expect![[r#"
        `exits` exited before it was ready
          spec:   tcp("'CHILDREN/exits' --signal SIGSEGV", 0)   tests/it/errors/start.rs
          ran:    CHILDREN/exits --signal SIGSEGV   pid N, in N ms
          exit:   signal 11 (SIGSEGV)
          probe:  tcp 127.0.0.1:PORT: connection refused, N tries
          output: none"#]],
    );
    check(
        output(exits.with("0"), "ready"),
        expect![[r#"
        `exits` exited before it was ready
          spec:   output("'CHILDREN/exits' 0", "ready")   tests/it/errors/start.rs
          ran:    CHILDREN/exits 0   pid N, in N ms
          exit:   exit code 0
          probe:  output matches `ready`: it has written nothing, N tries
          output: none"#]],
    );
    check(
        http(exits.with("--signal SIGKILL"), "/"),
        expect![[r#"
        `exits` exited before it was ready
          spec:   http("'CHILDREN/exits' --signal SIGKILL", "/")   tests/it/errors/start.rs
          ran:    CHILDREN/exits --signal SIGKILL   pid N, in N ms
          exit:   signal 9 (SIGKILL)
          probe:  GET http://127.0.0.1:PORT/: connection refused, N tries
          output: none"#]],
    );
}

#[test]
fn a_server_that_does_not_listen_is_told_where_it_does() {
    let (sleeper, wrong) = (child("sleeper"), child("wrong_port"));
    check_late(
        tcp(sleeper.with(""), 0),
        writes("^sleeper$"),
        expect![[r#"
            `sleeper` was not ready after 1.5 s
              spec:   tcp("'CHILDREN/sleeper'", 0)   tests/it/errors/start.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              probe:  tcp 127.0.0.1:PORT: connection refused, N tries
              hint:   nothing in the command uses {port}: how would it know?
              stdout: sleeper"#]],
    );
    check_late(
        tcp(wrong.with("{port}"), 0),
        writes(r"^listening on .*\d$"),
        expect![[r#"
            `wrong_port` was not ready after 1.5 s
              spec:   tcp("'CHILDREN/wrong_port' {port}", 0)   tests/it/errors/start.rs
              ran:    CHILDREN/wrong_port PORT   pid N, in N ms
              probe:  tcp 127.0.0.1:PORT: connection refused, N tries
              serves: 127.0.0.1:PORT
              stdout: listening on 127.0.0.1:PORT"#]],
    );
    check_late(
        tcp(wrong.with("{port} --v6"), 0),
        writes(r"^listening on .*\d$"),
        expect![[r#"
            `wrong_port` was not ready after 1.5 s
              spec:   tcp("'CHILDREN/wrong_port' {port} --v6", 0)   tests/it/errors/start.rs
              ran:    CHILDREN/wrong_port PORT --v6   pid N, in N ms
              probe:  tcp 127.0.0.1:PORT: connection refused, N tries
              serves: [::1]:PORT
              stdout: listening on [::1]:PORT"#]],
    );
}

#[test]
fn a_server_that_answers_otherwise_is_told_how() {
    let (sleeper, slow) = (child("sleeper"), child("slow"));
    check_late(
        http(slow.with("0 {port}"), "/other"),
        answers,
        expect![[r#"
            `slow` was not ready after 1.5 s
              spec:   http("'CHILDREN/slow' 0 {port}", "/other")   tests/it/errors/start.rs
              ran:    CHILDREN/slow 0 PORT   pid N, in N ms
              probe:  GET http://127.0.0.1:PORT/other: status 404, N tries
              output: none"#]],
    );
    check_late(
        http(sleeper.with(""), "/"),
        writes("^sleeper$"),
        expect![[r#"
            `sleeper` was not ready after 1.5 s
              spec:   http("'CHILDREN/sleeper'", "/")   tests/it/errors/start.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              probe:  GET http://127.0.0.1:PORT/: connection refused, N tries
              hint:   nothing in the command uses {port}: how would it know?
              stdout: sleeper"#]],
    );
    check_late(
        simple(slow.with("0 {port}")).ready(Http::get("/").status(418)),
        answers,
        expect![[r#"
            `slow` was not ready after 1.5 s
              spec:   simple("'CHILDREN/slow' 0 {port}")   tests/it/errors/start.rs
              ran:    CHILDREN/slow 0 PORT   pid N, in N ms
              probe:  GET http://127.0.0.1:PORT/: status 200 instead of 418, N tries
              output: none"#]],
    );
}

#[test]
fn a_line_that_does_not_come_is_told_with_the_last_one() {
    let banner = child("banner");
    check_late(
        output(banner.with("almost"), "ready"),
        writes("^almost$"),
        expect![[r#"
            `banner` was not ready after 1.5 s
              spec:   output("'CHILDREN/banner' almost", "ready")   tests/it/errors/start.rs
              ran:    CHILDREN/banner almost   pid N, in N ms
              probe:  output matches `ready`: no line matches; the last one is "almost", N tries
              stdout: almost"#]],
    );
    check_late(
        simple(banner.with("almost")).ready(Output::stderr("ready")),
        writes("^almost$"),
        expect![[r#"
            `banner` was not ready after 1.5 s
              spec:   simple("'CHILDREN/banner' almost")   tests/it/errors/start.rs
              ran:    CHILDREN/banner almost   pid N, in N ms
              probe:  stderr matches `ready`: it has written nothing, N tries
              stdout: almost"#]],
    );
}

#[test]
fn a_foreign_listener_is_never_taken_for_ours() {
    let sleeper = child("sleeper");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    check_late(
        http(sleeper.with(""), url),
        writes("^sleeper$"),
        expect![[r#"
            `sleeper` was not ready after 1.5 s: its port is somebody else's
              spec:   http("'CHILDREN/sleeper'", "http://127.0.0.1:PORT/")   tests/it/errors/start.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              probe:  GET http://127.0.0.1:PORT/: 127.0.0.1:PORT belongs to somebody else: `THIS TEST` (pid N), N tries
              stdout: sleeper"#]],
    );
}

#[test]
fn a_taken_port_is_said_with_its_owner() {
    let sleeper = child("sleeper");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    check(
        tcp(sleeper.with(""), port),
        expect![[r#"
        `sleeper` was not started: port PORT is taken by pid N: THIS TEST
          spec:   tcp("'CHILDREN/sleeper'", PORT)   tests/it/errors/start.rs"#]],
    );
}

#[test]
fn a_failure_in_a_stack_tells_what_was_ready_before() {
    let (slow, exits) = (child("slow"), child("exits"));
    check_stack(
        orchestra().with("db", tcp(slow.with("0 {port}"), 0)).with("api", tcp(exits.with("1 --say {db.addr}"), 0)),
        expect![[r#"
            `api` exited before it was ready
              spec:   tcp("'CHILDREN/exits' 1 --say {db.addr}", 0)   tests/it/errors/start.rs
              ran:    CHILDREN/exits 1 --say 127.0.0.1:PORT   pid N, in N ms
              exit:   exit code 1
              probe:  tcp 127.0.0.1:PORT: connection refused, N tries
              needs:  db (ready in N ms)
              stderr: 127.0.0.1:PORT"#]],
    );
}
