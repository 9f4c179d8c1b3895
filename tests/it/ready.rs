//! When a process is ready, and when it is not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use expect_test::expect;
use pkit_test::ready::{Http, Output, Tcp};
use pkit_test::{Process, Spec, http, output, sh, simple, tcp};

use crate::child::{HANG, child};
use crate::text::normalised;

const SOON: Duration = Duration::from_millis(100);

/// The first line of an answer.
fn get(process: &Process, path: &str) -> String {
    let mut stream = TcpStream::connect(process.addr()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_server_answers_as_soon_as_it_is_ready() {
    let slow = child("slow");
    for boot_ms in [0, 1, 5, 30, 120] {
        let server = tcp(slow.with(&format!("{boot_ms} {{port}}")), 0).start().unwrap();
        assert_eq!(get(&server, "/"), "HTTP/1.1 200 -");
    }
}

#[test]
fn one_that_listens_is_not_ready_before_it_answers() {
    let slow = child("slow");
    let server = http(slow.with("5 {port} --warm 60"), "/").start().unwrap();
    assert_eq!(get(&server, "/"), "HTTP/1.1 200 -");
}

#[test]
fn a_status_may_be_asked_for() {
    let slow = child("slow");
    let spec = |probe: Http| Spec::new(slow.with("0 {port} --else 418")).ready(probe);
    assert!(spec(Http::get("/tea").status(418)).start().is_ok());
    assert!(spec(Http::get("/tea").status(200).status(418)).start().is_ok());
    assert!(spec(Http::get("/")).start().is_ok());
    assert!(spec(Http::get("/tea")).start_timeout(SOON).start().unwrap_err().is_timeout());
    assert!(spec(Http::get("/").status(418)).start_timeout(SOON).start().unwrap_err().is_timeout());
}

#[test]
fn a_header_is_sent_with_its_holes_filled() {
    let script = "import http.server as h, sys\n\
        class H(h.BaseHTTPRequestHandler):\n    \
            def do_GET(self):\n        \
                ok = self.headers.get('X-Dir') == sys.argv[2]\n        \
                self.send_response(200 if ok else 403); self.end_headers()\n\
        h.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()";
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        return pkit_test_tests::left_out::because("python3 is not installed");
    }
    let spec = Spec::program("/usr/bin/env").args(["python3", "-c", script, "{port}", "{dir}"]);
    spec.ready(Http::get("/").header("X-Dir", "{dir}")).start().unwrap();
}

#[test]
fn several_probes_must_all_hold() {
    let slow = child("slow");
    let both = |regex: &str| {
        let script = format!("echo begun; exec {}", slow.with("20 {port}"));
        simple(sh(script)).ready(Output::stdout(regex)).ready(Tcp::any())
    };
    assert_eq!(get(&both("^begun$").start().unwrap(), "/"), "HTTP/1.1 200 -");
    assert!(both("^ended$").start_timeout(SOON).start().unwrap_err().is_timeout());
}

#[test]
fn a_probe_may_look_at_another_port() {
    let slow = child("slow");
    let server = simple(slow.with("10 {port.admin}")).port("admin").ready(Tcp::port("admin")).start().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", server.port_of("admin"))).is_ok());
}

#[test]
fn a_probe_of_one_stream_does_not_hear_the_other() {
    let banner = child("banner");
    let spec = |probe| simple(banner.with("ready --stderr")).ready(probe);
    assert!(spec(Output::stderr("ready")).start().is_ok());
    assert!(spec(Output::any("ready")).start().is_ok());
    assert!(spec(Output::stdout("ready")).start_timeout(SOON).start().unwrap_err().is_timeout());
}

#[test]
fn holes_in_a_regex_are_filled_and_mean_nothing_but_themselves() {
    let script = "echo listening on {addr}; exec sleep 60";
    assert!(output(sh(script), r"on {addr}$").start().is_ok());
    assert!(output(sh("echo 127x0x0x1; exec sleep 60"), "^{host}$").start_timeout(SOON).start().is_err());
    assert!(output(sh("echo aaa; exec sleep 60"), "^a{3}$").start().is_ok());
}

#[test]
fn a_server_that_serves_once_is_not_asked_by_connecting() {
    let one_shot = child("one_shot_server");
    let server = tcp(one_shot.with("{port} hi"), 0).start().unwrap();
    let mut text = String::new();
    TcpStream::connect(server.addr()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), server.wait().unwrap().code()), ("hi\n", Some(0)));
}

#[test]
fn a_command_without_probes_is_ready_when_its_program_runs() {
    let process = simple("sleep 60").start().unwrap();
    let program = std::fs::read_link(format!("/proc/{}/exe", process.pid().unwrap())).unwrap();
    assert!(!program.ends_with("it") && !program.to_string_lossy().contains("/deps/"), "{program:?}");
}

#[test]
fn a_start_has_two_halves() {
    let slow = child("slow");
    let server = tcp(slow.with("30 {port}"), 0).spawn().unwrap();
    assert!(server.pid().is_some());
    server.wait_ready().unwrap();
    assert_eq!(get(&server, "/"), "HTTP/1.1 200 -");
    server.wait_ready().unwrap();
    drop(server);
    drop(tcp(slow.with("30000 {port}"), 0).spawn().unwrap());
    assert_eq!(slow.count(), 0);
}

#[test]
fn the_second_half_may_fail() {
    let exits = child("exits");
    let server = tcp(exits.with("4"), 0).spawn().unwrap();
    let error = server.wait_ready().unwrap_err();
    expect![[r#"
        `exits` exited before it was ready
          spec:   tcp("'CHILDREN/exits' 4", 0)   tests/it/ready.rs
          ran:    CHILDREN/exits 4   pid N, in N ms
          exit:   exit code 4
          probe:  tcp 127.0.0.1:PORT: connection refused, N tries
          output: none"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!(server.exit(), error.exit());
    assert!(simple("no-such-program").spawn().unwrap_err().is_not_found());
}

#[test]
fn what_has_ended_is_not_ready_any_more() {
    let process = output(sh("echo ready"), "ready").spawn().unwrap();
    process.wait().unwrap();
    let error = process.wait_ready().unwrap_err();
    expect![[r#"
        `sh` exited before it was ready
          spec:   output("sh -c 'echo ready'", "ready")   tests/it/ready.rs
          ran:    /bin/sh -c 'echo ready' sh   pid N, in N ms
          exit:   exit code 0
          probe:  output matches `ready`: it holds, and the process had ended, N tries
          stdout: ready"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn what_may_end_may_have_been_ready() {
    let spec = || output(sh("echo ready; exit 3"), "ready");
    for spec in [spec().may_exit(), spec().expect_exit(3)] {
        for _ in 0..20 {
            let process = spec.clone().start().unwrap();
            assert_eq!(process.wait().unwrap().code(), Some(3));
        }
    }
    assert!(output(sh("echo ready"), "never").may_exit().start().unwrap_err().is_exit());
}

/// Whoever looks late gives a late answer, never a wrong one.
#[test]
fn what_is_ready_when_its_time_is_over_before_anybody_looked_is_ready() {
    let liar = child("liar");
    let steps = "/dev/null listen:{addr} serve wait:300000 say:late";
    let process = tcp(liar.with(steps), 0).start_timeout(SOON).spawn().unwrap();
    process.wait_for_output("^late$", HANG).unwrap();
    process.wait_ready().unwrap();
}
