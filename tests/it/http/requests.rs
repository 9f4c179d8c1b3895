//! What a server is sent.

use std::fs;

use expect_test::{Expect, expect};
use pkit_test::ready::Http;
use pkit_test::{Spec, orchestra, tcp};

use crate::child::{Child, answers, child, too_late};
use crate::text::normalised;

fn spec(server: &Child, probe: Http) -> Spec {
    Spec::new(server.with("records {port} --file {dir}/asked")).ready(probe)
}

/// Starts it, and looks at what it was sent.
#[track_caller]
fn sends(probe: Http, expected: Expect) {
    let server = child("http_vice");
    let process = spec(&server, probe).start().unwrap();
    let asked = fs::read(process.dir().join("asked")).unwrap();
    let asked = String::from_utf8_lossy(&asked).replace("\r\n", "\n");
    // One that stands still for as long as a try lasts is asked again, and has been asked twice then.
    let line = asked.split_inclusive('\n').next().unwrap();
    let first = asked[line.len()..].find(line).map_or(asked.as_str(), |again| &asked[..line.len() + again]);
    expected.assert_eq(&normalised(first));
}

#[track_caller]
fn refused(probe: Http, expected: Expect) {
    let error = Spec::new("sleep 60").ready(probe).start().map(drop).unwrap_err();
    assert!(error.is_spec(), "{error}");
    let text = normalised(&error.to_string());
    expected.assert_eq(text.lines().next().unwrap());
}

#[test]
fn every_method_is_sent() {
    let server = child("http_vice");
    for (probe, line) in [
        (Http::get("/a?b=c d"), "GET /a?b=c%20d HTTP/1.1"),
        (Http::head("/"), "HEAD / HTTP/1.1"),
        (Http::post("/"), "POST / HTTP/1.1"),
        (Http::put("/"), "PUT / HTTP/1.1"),
        (Http::delete("/{host}"), "DELETE /127.0.0.1 HTTP/1.1"),
        (Http::options("/"), "OPTIONS / HTTP/1.1"),
        (Http::request("PATCH", "/"), "PATCH / HTTP/1.1"),
        (Http::request("M-SEARCH", "/"), "M-SEARCH / HTTP/1.1"),
    ] {
        let process = spec(&server, probe).start().unwrap();
        let asked = fs::read_to_string(process.dir().join("asked")).unwrap();
        assert_eq!(asked.lines().next(), Some(line));
    }
}

#[test]
fn a_request_has_what_a_server_expects() {
    sends(
        Http::get("/"),
        expect![[r#"
        GET / HTTP/1.1
        Host: 127.0.0.1:PORT
        User-Agent: pkit-test
        Accept: */*
        Connection: close

    "#]],
    );
    sends(
        Http::post("/"),
        expect![[r#"
        POST / HTTP/1.1
        Host: 127.0.0.1:PORT
        User-Agent: pkit-test
        Accept: */*
        Connection: close
        Content-Length: 0

    "#]],
    );
    let probe =
        Http::put("/setup").header("Content-Type", "application/json").body(r#"{"port": {port}, "as": "{{port}}"}"#);
    sends(
        probe,
        expect![[r#"
        PUT /setup HTTP/1.1
        Host: 127.0.0.1:PORT
        User-Agent: pkit-test
        Accept: */*
        Connection: close
        Content-Length: 31
        Content-Type: application/json

        {"port": PORT, "as": "{port}"}"#]],
    );
    sends(
        Http::delete("/").body(b"{port}\xff"),
        expect![[r#"
            DELETE / HTTP/1.1
            Host: 127.0.0.1:PORT
            User-Agent: pkit-test
            Accept: */*
            Connection: close
            Content-Length: 7

            {port}�"#]],
    );
    let probe = Http::get("/")
        .header("host", "example.org")
        .header("X-At", "{addr}")
        .header("x-at", "twice")
        .header("Accept", "");
    sends(
        probe,
        expect![[r#"
        GET / HTTP/1.1
        User-Agent: pkit-test
        Connection: close
        host: example.org
        X-At: 127.0.0.1:PORT
        x-at: twice
        Accept: 

    "#]],
    );
}

#[test]
fn what_could_be_more_than_one_request_is_refused() {
    refused(
        Http::request("GE T", "/"),
        expect!["`sleep` was not started: the probe cannot be sent: `GE T` is no method"],
    );
    refused(Http::request("", "/"), expect!["`sleep` was not started: the probe cannot be sent: `` is no method"]);
    refused(
        Http::request("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "/"),
        expect![[
            r#"`sleep` was not started: the probe cannot be sent: `GET / HTTP/1.1\r\nX: y\r\n\r\nGET` is no method"#
        ]],
    );
    refused(
        Http::request("CONNECT", "/"),
        expect!["`sleep` was not started: the probe cannot be sent: `CONNECT` asks for a tunnel and not for an answer"],
    );
    refused(
        Http::get("/").header("X Y", "z"),
        expect!["`sleep` was not started: the probe cannot be sent: `X Y` is no name of a header"],
    );
    refused(
        Http::get("/").header("", "z"),
        expect!["`sleep` was not started: the probe cannot be sent: `` is no name of a header"],
    );
    refused(
        Http::get("/").header("X:", "z"),
        expect!["`sleep` was not started: the probe cannot be sent: `X:` is no name of a header"],
    );
    refused(
        Http::get("/").header("X", "a\r\nY: b"),
        expect![
            "`sleep` was not started: the probe cannot be sent: the header `X` holds a line break or another control character"
        ],
    );
    refused(
        Http::get("/").header("X", "a\nb"),
        expect![
            "`sleep` was not started: the probe cannot be sent: the header `X` holds a line break or another control character"
        ],
    );
    refused(
        Http::get("/").header("X", "\0"),
        expect![
            "`sleep` was not started: the probe cannot be sent: the header `X` holds a line break or another control character"
        ],
    );
    sends(
        Http::get("/a\r\nX: y"),
        expect![[r#"
        GET /a%0D%0AX:%20y HTTP/1.1
        Host: 127.0.0.1:PORT
        User-Agent: pkit-test
        Accept: */*
        Connection: close

    "#]],
    );
}

#[test]
fn what_can_never_hold_is_refused() {
    refused(
        Http::get("/").status(42),
        expect!["`sleep` was not started: the probe can never hold: no answer can have the status 42"],
    );
    refused(
        Http::get("/").status(100),
        expect![
            "`sleep` was not started: the probe can never hold: the status 100 comes before an answer and is never one"
        ],
    );
    refused(
        Http::get("/").statuses(200..200),
        expect!["`sleep` was not started: the probe can never hold: no status lies in 200..=199"],
    );
    refused(
        Http::get("/").statuses([]),
        expect!["`sleep` was not started: the probe can never hold: it accepts no status at all"],
    );
    refused(
        Http::get("/").body_matches("("),
        expect!["`sleep` was not started: invalid regex `(`: found open group without closing ')'"],
    );
    refused(
        Http::head("/").body_contains("ready"),
        expect!["`sleep` was not started: the probe can never hold: the answer to a HEAD has no body"],
    );
    refused(
        Http::get("/").port("admin"),
        expect![[
            r#"`sleep` was not started: the probe asks at the port `admin`, which nobody declared; `.port("admin")` does it"#
        ]],
    );
    refused(
        Http::get("http://127.0.0.1:80/").port("admin"),
        expect![[
            r#"`sleep` was not started: the probe asks at the port `admin`, and "http://127.0.0.1:80/" has a port of its own"#
        ]],
    );
    refused(
        Http::get("https://127.0.0.1/"),
        expect![[
            r#"`sleep` was not started: "https://127.0.0.1/" cannot be asked: https is not supported, since this crate has no TLS: `ready::Exec` with curl or `ready::poll` with a client of yours can ask"#
        ]],
    );
    refused(
        Http::get("http://[::1/"),
        expect![[r#"`sleep` was not started: "http://[::1/" cannot be asked: `[:` is no host"#]],
    );
}

#[test]
fn a_named_port_is_asked() {
    let server = child("http_vice");
    let spec = Spec::new(server.with("records {port.admin} --file {dir}/asked")).port("admin");
    let process = spec.ready(Http::get("/").port("admin")).start().unwrap();
    let asked = fs::read_to_string(process.dir().join("asked")).unwrap();
    assert!(asked.contains(&format!("\r\nHost: 127.0.0.1:{}\r\n", process.port_of("admin"))), "{asked}");
}

#[test]
fn holes_in_what_is_looked_for_are_filled() {
    let server = child("slow");
    let group = child("http_vice");
    let start = |probe: Http| {
        let ask = Spec::new(group.with("group {port}")).env("DB", "{db.port}").ready(probe);
        let stack = orchestra().with("app", ask).with("db", tcp(server.with("0 {port}"), 0));
        stack.start().map(drop)
    };
    start(Http::get("/{db.port}").body_contains("r{env.NOTHING_OF_IT}").body_matches("x")).unwrap_err();
    start(Http::get("/{db.port}").body_matches("^(ready|{db.addr})\n$|[a-z]{99}")).unwrap();
    let error = Spec::new(group.with("group {port}")).ready(Http::get("/").body_contains("at {addr}"));
    let error = too_late(error, answers);
    expect![[r#"
        `http_vice` was not ready after 1.5 s
          spec:   Spec::new("'CHILDREN/http_vice' group {port}")   tests/it/http/requests.rs
          ran:    CHILDREN/http_vice group PORT   pid N, in N ms
          probe:  GET http://127.0.0.1:PORT/: 200 OK, but its body does not contain "at 127.0.0.1:PORT": "ready\n", N tries
          output: none"#]].assert_eq(&normalised(&error.to_string()));
}
