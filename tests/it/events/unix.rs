//! When a process that listens on a unix socket is ready.

use std::io::Read as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use expect_test::expect;
use pkit_test::ready::{Output, UnixSocket};
use pkit_test::{Process, Restart, Spec, orchestra, sh, simple, unix};
use pkit_test_tests::left_out;

use crate::child::{Child, ENOUGH, HANG, child, too_late, wait_until, writes};
use crate::text::normalised;

fn connects(path: impl AsRef<Path>) -> bool {
    UnixStream::connect(path).is_ok()
}

fn server(child: &Child, options: &str) -> Spec {
    unix(child.with(&format!("{{dir}}/s {options}")), "{dir}/s")
}

fn is_up(process: &Process) -> bool {
    connects(process.dir().join("s"))
}

#[test]
fn it_accepts_as_soon_as_it_is_ready() {
    let child = child("unix_server");
    for options in ["", "--ms 1", "--ms 20", "--gap 15", "--ms 60 --gap 5"] {
        assert!(is_up(&server(&child, options).start().unwrap()), "{options}");
    }
}

#[test]
fn a_socket_that_is_made_and_removed_again_is_not_ready() {
    let child = child("unix_server");
    assert!(is_up(&server(&child, "--flaps 300 --gap 10").start().unwrap()));
}

#[test]
fn one_that_serves_once_is_not_asked_by_connecting() {
    let child = child("unix_server");
    let process = server(&child, "--once hi").may_exit().start().unwrap();
    let mut text = String::new();
    UnixStream::connect(process.dir().join("s")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), process.wait().unwrap().code()), ("hi", Some(0)));
}

#[test]
fn a_relative_path_is_meant_from_where_it_runs_and_may_lead_far() {
    let child = child("unix_server");
    let long = "d".repeat(120);
    let make = format!("mkdir -p {{dir}}/{long}; cd {{dir}}/{long}; exec {}", child.with("s --ms 5"));
    let cwd = format!("{{dir}}/{long}");
    // The directory has to be there before the start.
    let place = simple("true").may_exit().start().unwrap();
    std::fs::create_dir(place.dir().join(&long)).unwrap();
    place.wait().unwrap();
    place.replace(unix(child.with("s --ms 5"), "s").cwd(cwd)).unwrap();
    assert!(place.is_alive() && !place.stdout().is_empty());
    // A path that is too long in itself is said before anything runs.
    let error = unix(sh(make), format!("{{dir}}/{long}/s")).start().unwrap_err();
    assert!(error.is_spec());
    assert!(error.to_string().contains("the path of its socket has "), "{error}");
}

#[test]
fn a_directory_that_is_made_later_is_followed() {
    let child = child("unix_server");
    let script = format!("sleep 0.02; mkdir {{dir}}/a; mkdir {{dir}}/a/b; exec {}", child.with("{dir}/a/b/s --ms 20"));
    let process = unix(sh(script), "{dir}/a/b/s").start().unwrap();
    assert!(connects(process.dir().join("a/b/s")));
}

#[test]
fn an_abstract_name_will_do() {
    let child = child("unix_server");
    let name = format!("@pkit-test-{}-{{port}}", std::process::id());
    let process = unix(child.with(&format!("{name} --ms 10 --gap 3")), name).start().unwrap();
    assert_eq!(process.stdout(), "listening\n");
}

#[test]
fn what_an_earlier_run_has_left_is_not_ready() {
    let child = child("unix_server");
    let script = format!("exec 3>>{{dir}}/runs; rm -f {{dir}}/s; echo run >&3; exec {}", child.with("{dir}/s --ms 10"));
    let process = unix(sh(script), "{dir}/s").start().unwrap();
    for how in [Restart::Forced, Restart::Graceful] {
        process.restart(how).unwrap();
        assert!(is_up(&process));
        // It is there only now that it listens, and not since the run before.
        assert_eq!(process.stdout(), "listening\n");
    }
}

#[test]
fn a_name_that_was_that_of_another_socket_is_not_taken_for_it() {
    let child = child("unix_server");
    let never_listens = child.with("{dir}/s --gap 60000");
    let (before, elsewhere) = (child.with("{dir}/s"), child.with("s"));
    for script in [
        format!(
            "{before} & until test -S s; do :; done; sleep 0.05; rm s; {never_listens} & until test -S s; do :; done"
        ),
        format!(
            "{never_listens} & until test -S s; do :; done; mkdir a; cd a; {elsewhere} & until test -S s; do :; done"
        ),
    ] {
        let spec = simple(sh(format!("cd {{dir}}; {script}; sleep 0.05; echo now; exec sleep 60")));
        let spec = spec.ready(Output::any("^now$")).ready(UnixSocket::at("{dir}/s"));
        let error = too_late(spec, writes("^now$"));
        assert!(error.is_timeout() && error.to_string().contains("/s: nobody listens at it"), "{error}");
    }
}

#[test]
fn a_stale_file_alone_is_told_at_the_end() {
    let sleeper = child("sleeper");
    let path = sleeper.file("s");
    drop(UnixDatagram::bind(&path).unwrap());
    let error = too_late(unix(sleeper.with(""), path.display().to_string()), writes("^sleeper$"));
    std::fs::remove_file(&path).unwrap();
    expect![[r#"
        `sleeper` was not ready after 1.5 s
          spec:   unix("'CHILDREN/sleeper'", "CHILDREN/s")   tests/it/events/unix.rs
          ran:    CHILDREN/sleeper   pid N, in N ms
          probe:  unix CHILDREN/s: nobody listens at it, N tries
          stdout: sleeper"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn what_is_no_socket_is_told_at_the_end() {
    let sleeper = &child("sleeper");
    thread::scope(|threads| {
        for (command, said) in [
            ("true", "there is no such file"),
            ("touch {dir}/s", "it is no socket"),
            ("mkdir {dir}/s", "it is no socket"),
            ("ln -s nowhere {dir}/s", "it is a link to what is not there"),
        ] {
            threads.spawn(move || {
                let script = format!("{command}; exec {}", sleeper.with(""));
                let error = too_late(unix(sh(script), "{dir}/s"), writes("^sleeper$"));
                assert!(
                    error.is_timeout() && error.to_string().contains(&format!("/s: {said}, ")),
                    "{command}: {error}"
                );
            });
        }
    });
}

#[test]
fn a_directory_that_nobody_made_is_told() {
    let sleeper = child("sleeper");
    let text = too_late(unix(sleeper.with(""), "{dir}/run/app/s"), writes("^sleeper$")).to_string();
    assert!(text.contains("/run/app/s: there is no directory /") && text.contains("/run for it, "), "{text}");
}

#[test]
fn the_socket_at_which_it_listens_instead_is_told() {
    let server = child("unix_server");
    let is_up = |process: &Process| wait_until(|| connects(process.dir().join("other")));
    let text = too_late(unix(server.with("{dir}/other"), "{dir}/s"), is_up).to_string();
    assert!(text.contains("/s: there is no such file, "), "{text}");
    assert!(text.lines().any(|line| line.starts_with("  serves: unix /") && line.ends_with("/other")), "{text}");
    let is_up = |process: &Process| {
        let name = SocketAddr::from_abstract_name(format!("pkit-other-{}", process.port())).unwrap();
        wait_until(|| UnixStream::connect_addr(&name).is_ok());
    };
    let text = too_late(unix(server.with("@pkit-other-{port}"), "{dir}/s"), is_up).to_string();
    assert!(text.contains("\n  serves: unix @pkit-other-"), "{text}");
}

#[test]
fn a_stranger_who_listens_there_before_is_an_error() {
    let sleeper = child("sleeper");
    let path = sleeper.file("taken");
    let listener = UnixListener::bind(&path).unwrap();
    let spec = || unix(sleeper.with(""), path.display().to_string());
    let error = spec().start().unwrap_err();
    expect![[r#"
        `sleeper` was not started: the socket CHILDREN/taken is taken by pid N: THIS TEST
          spec:   unix("'CHILDREN/sleeper'", "CHILDREN/taken")   tests/it/events/unix.rs"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert!(spec().any_owner().start().is_ok());
    drop(listener);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_stranger_who_comes_later_is_never_taken_for_it() {
    let sleeper = child("sleeper");
    let path = sleeper.file("later");
    let process = unix(sleeper.with(""), path.display().to_string()).start_timeout(ENOUGH).spawn().unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    process.wait_for_output("^sleeper$", HANG).unwrap();
    let error = process.wait_ready().unwrap_err();
    expect![[r#"
        `sleeper` was not ready after 1.5 s: its socket is somebody else's
          spec:   unix("'CHILDREN/sleeper'", "CHILDREN/later")   tests/it/events/unix.rs
          ran:    CHILDREN/sleeper   pid N, in N ms
          probe:  unix CHILDREN/later: it belongs to somebody else: `THIS TEST` (pid N), N tries
          stdout: sleeper"#]]
    .assert_eq(&normalised(&error.to_string()));
    drop(listener);
    std::fs::remove_file(&path).unwrap();
}

/// As a server in a sandbox, or in a container: the kernel tells only of sockets of one's own network.
#[test]
fn one_in_another_network_is_met_by_its_file() {
    let apart = "unshare --map-root-user --net";
    if !Command::new("sh").args(["-c", &format!("{apart} true")]).status().is_ok_and(|status| status.success()) {
        return left_out::because("nobody may be in another network here");
    }
    let child = child("unix_server");
    let spec = || unix(format!("{apart} {}", child.with("{dir}/s --ms 20 --gap 20")), "{dir}/s");
    let server = spec().start().unwrap();
    assert!(is_up(&server));
    let path = server.dir().join("s").display().to_string();
    let sleeper = self::child("sleeper");
    assert!(unix(sleeper.with(""), &path).any_owner().start().is_ok());
    let beside = simple(format!("{apart} {}", sleeper.with(""))).ready(UnixSocket::at(path));
    let error = too_late(beside, writes("^sleeper$"));
    assert!(error.is_port_taken(), "{error}");
}

#[test]
fn an_exit_before_it_listens_is_told_with_what_was_seen() {
    let exits = child("exits");
    let error = unix(exits.with("4"), "{dir}/s").start().unwrap_err();
    expect![[r#"
        `exits` exited before it was ready
          spec:   unix("'CHILDREN/exits' 4", "{dir}/s")   tests/it/events/unix.rs
          ran:    CHILDREN/exits 4   pid N, in N ms
          exit:   exit code 4
          probe:  unix DIRS/exits-1/s: there is no such file, N tries
          output: none"#]]
    .assert_eq(&numbered(&normalised(&error.to_string())));
}

/// Places are counted in a process, and other tests of it have places, too.
fn numbered(text: &str) -> String {
    regex_lite::Regex::new(r"(DIRS/\w+)-\d+").unwrap().replace_all(text, "$1-1").into_owned()
}

#[test]
fn a_name_that_is_none_is_a_mistake() {
    for path in ["", "@"] {
        let error = simple("sleep 60").ready(UnixSocket::at(path)).start().unwrap_err();
        assert!(error.is_spec() && error.to_string().contains("a unix socket without a name"), "{error}");
    }
}

#[test]
fn a_peer_finds_it_in_its_directory() {
    let child = child("unix_server");
    let proxy = simple(sh("test -S {db.dir}/s && echo found")).may_exit();
    let stack = orchestra().with("proxy", proxy).with("db", server(&child, "--ms 20")).start().unwrap();
    stack["proxy"].wait().unwrap();
    assert_eq!(stack["proxy"].stdout(), "found\n");
}
