//! Servers that answer badly, or not at all: a start that is bounded, and an error that says what was seen last.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::time::Duration;
use std::{fs, process, thread};

use expect_test::expect;
use pkit_test::ready::{Exec, Http};
use pkit_test::{Error, Process, Spec, sh, tcp};
use pkit_test_tests::process::{fds, threads};
use regex_lite::Regex;

use crate::alone::alone;
use crate::child::{Child, HANG, answers, child, too_late, wait_until, writes};

fn spec(server: &Child, vice: &str) -> Spec {
    Spec::new(server.with(&format!("{vice} {{port}}")))
}

fn health() -> Http {
    Http::get("/health")
}

/// What the error says of the probe, without what differs from run to run.
fn seen(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().find_map(|line| line.strip_prefix("  probe:  ")).unwrap_or(&text);
    let (_, seen) = line.split_once("/health: ").unwrap_or_else(|| panic!("{text}"));
    let seen = Regex::new(r"[\d.]+ m?s\b").unwrap().replace_all(seen, "N ms").into_owned();
    // How much has come in that time nobody knows.
    let seen = Regex::new("OO+…?").unwrap().replace_all(&seen, "OO…").into_owned();
    Regex::new(r"\d+ (tries|try)").unwrap().replace_all(&seen, "N tries").into_owned()
}

/// All at once, and what the error of each says.
fn all_seen(vices: &[&str], probe: impl Fn() -> Http + Sync) -> String {
    let server = child("http_vice");
    let start = |vice: &str| {
        let spec = spec(&server, vice).ready(probe());
        let comes_so_far = |process: &Process| match vice {
            // Before that a client finds room.
            "full" => writes("^full$")(process),
            "mute" => wait_until(|| TcpStream::connect(process.addr()).is_ok()),
            _ => answers(process),
        };
        let error = too_late(spec, comes_so_far);
        assert!(error.is_timeout(), "{vice}: {error}");
        seen(&error)
    };
    let start = &start;
    let seen = thread::scope(|scope| {
        let threads: Vec<_> = vices.iter().map(|vice| (vice, scope.spawn(move || start(vice)))).collect();
        threads.into_iter().map(|(vice, thread)| (vice, thread.join().unwrap())).collect::<Vec<_>>()
    });
    assert_eq!(server.count(), 0);
    seen.into_iter().fold(String::new(), |mut text, (vice, seen)| {
        writeln!(text, "{vice:20}{seen}").unwrap();
        text
    })
}

#[test]
fn what_is_no_answer_is_told_as_what_it_is() {
    let vices = [
        "mute",
        "closes",
        "resets",
        "busy --count 9999",
        "redirects",
        "text",
        "binary",
        "endless_status",
        "drips",
        "full",
    ];
    expect![[r#"
        mute                no answer within N ms, N tries
        closes              closed the connection without an answer, N tries
        resets              reset the connection, N tries
        busy --count 9999   503 Service Unavailable, N tries
        redirects           302 Found to /login?to=%2F, which is not followed, N tries
        text                answered garbage: "SSH-2.0-OpenSSH_9.2p1\r\n", N tries
        binary              answered garbage: "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0\xef\xee\xed\xec\xeb\xea\xe9\xe8\xe7\xe6\xe5\xe4\xe3\xe2\xe1\xe0\xdf\xde\xdd\xdc\xdb\xda\xd9\xd8\xd7\xd6\xd5\xd4\xd3\xd2\xd1\xd0\xcf\xce\xcd\xcc\xcb\xca\xc9\xc8\xc7\xc6\xc5\xc4…", N tries
        endless_status      no status in the first 8 KiB of the answer, N tries
        drips               no whole status line within N ms: "HTTP/1.1 200 OO…", N tries
        full                connection not accepted within N ms, N tries
    "#]].assert_eq(&all_seen(&vices, health));
}

#[test]
fn what_is_wrong_with_a_body_is_told() {
    let vices = ["endless_headers", "endless_body", "endless_chunks", "cut", "short", "dribbles", "redirects", "group"];
    expect![[r#"
        endless_headers     no end of the headers in the first 64 KiB, N tries
        endless_body        200 OK, but its body does not contain "readiness": "more more more more more more more more more more more more …"; no more of it was read, N tries
        endless_chunks      200 OK, but its body does not contain "readiness": "more more more more more more more more more more more more …"; no more of it was read, N tries
        cut                 closed the connection within the body, after 5 of 100 bytes, N tries
        short               200 OK, but its body does not contain "readiness": "re", N tries
        dribbles            200 OK, but its body does not contain "readiness": "ready\n", N tries
        redirects           302 Found to /login?to=%2F, which is not followed, N tries
        group               200 OK, but its body does not contain "readiness": "ready\n", N tries
    "#]].assert_eq(&all_seen(&vices, || health().body_contains("readiness")));
    expect![[r#"
        cut                 closed the connection within the body, after 5 of 100 bytes, N tries
        group               200 OK, but its body does not match `^rea$`: "ready\n", N tries
    "#]]
    .assert_eq(&all_seen(&["cut", "group"], || health().body_matches("^rea$")));
}

#[test]
fn a_status_is_enough_whatever_follows() {
    let server = child("http_vice");
    for vice in ["endless_headers", "endless_body", "endless_chunks", "cut", "short", "dribbles", "early", "group"] {
        let process = spec(&server, vice).ready(health()).start().unwrap_or_else(|error| panic!("{vice}: {error}"));
        assert!(process.is_alive(), "{vice}");
    }
    let ready = || health().body_contains("ready");
    for vice in ["cut", "dribbles", "early", "group"] {
        spec(&server, vice).ready(ready()).start().unwrap();
    }
    for vice in ["endless_body", "endless_chunks"] {
        spec(&server, vice).ready(health().body_contains("more more")).start().unwrap();
    }
    spec(&server, "group").ready(ready().body_matches("^ready\n$").body_matches("a.y")).start().unwrap();
    spec(&server, "short").ready(health().body_matches("^re$")).start().unwrap();
    spec(&server, "redirects").ready(health().status(302)).start().unwrap();
    spec(&server, "redirects").ready(health().statuses(200..400)).start().unwrap();
}

#[test]
fn one_that_is_busy_for_a_while_is_asked_until_it_is_not() {
    let server = child("http_vice");
    for count in [1, 7] {
        spec(&server, &format!("busy --count {count}")).ready(health()).start().unwrap();
    }
}

#[test]
fn one_that_answers_and_dies_is_never_both_ready_and_forgotten() {
    let server = child("http_vice");
    for _ in 0..20 {
        match spec(&server, "dies").ready(health()).start() {
            Ok(process) => assert_eq!(process.wait().unwrap().code(), Some(3)),
            Err(error) => assert_eq!(error.exit().and_then(|exit| exit.code()), Some(3), "{error}"),
        }
    }
}

/// The probe asks the kernel, and there is somebody who listens.
#[test]
fn one_without_room_for_more_listens_all_the_same() {
    let server = child("http_vice");
    assert!(tcp(server.with("full {port}"), 0).start().is_ok());
}

#[test]
fn nothing_of_a_bad_answer_stays() {
    alone(|| {
        let server = child("http_vice");
        let soon = Duration::from_millis(60);
        let fails = |probe: Spec| assert!(probe.start_timeout(soon).start().unwrap_err().is_timeout());
        let vices = [
            "mute",
            "closes",
            "resets",
            "text",
            "endless_status",
            "endless_headers",
            "endless_body",
            "endless_chunks",
            "drips",
            "full",
        ];
        let missing = || health().body_contains("never there");
        fails(spec(&server, "mute").ready(missing()));
        let held = || [fds(process::id()), threads(process::id())].map(Option::unwrap);
        let (before, memory) = (held(), peak_kb());
        for vice in vices {
            fails(spec(&server, vice).ready(missing()));
        }
        fails(spec(&server, "group").ready(Exec::new("false")));
        // A thread that has ended is on the kernel's list for a moment longer.
        wait_until(|| held().iter().zip(before).all(|(held, before)| *held <= before));
        assert!(peak_kb() < memory + 32 * 1024, "{memory} kB have become {} kB", peak_kb());
    });
}

/// The most memory that this process has had.
fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn the_end_of_a_mute_server_is_not_waited_out() {
    let server = child("http_vice");
    let script = format!("{} & read line; kill $!; exit 4", server.with("mute {port}"));
    let process = Spec::new(sh(script)).ready(health()).start_timeout(HANG * 10).spawn().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| process.wait_ready());
        wait_until(|| TcpStream::connect(process.addr()).is_ok());
        process.write_stdin("now\n").unwrap();
        let error = waiting.join().unwrap().unwrap_err();
        assert_eq!(error.exit().and_then(|exit| exit.code()), Some(4), "{error}");
    });
}
