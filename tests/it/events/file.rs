//! When a process is ready that makes a file.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use expect_test::expect;
use pkit_test::ready::File;
use pkit_test::{Restart, Spec, Supervision, file, sh, simple};

use crate::child::{ENOUGH, HANG, child, too_late, writes};
use crate::text::normalised;

/// A script in its private directory, which then says so and does nothing more.
fn script(text: &str) -> Spec {
    simple(sh(format!("cd {{dir}}; {text}; echo done; exec sleep 60")))
}

/// What its last look saw, when it had written such a line.
#[track_caller]
fn seen(spec: Spec, line: &str) -> String {
    let error = too_late(spec, writes(line));
    assert!(error.is_timeout(), "{error}");
    let text = normalised(&error.to_string());
    let probe = text.lines().find_map(|line| line.trim().strip_prefix("probe:")).unwrap_or_default().trim().to_owned();
    regex_lite::Regex::new(r"DIRS/\w+-\d+/").unwrap().replace_all(&probe, "DIR/").into_owned()
}

#[test]
fn it_is_ready_when_the_file_is_there() {
    for text in ["touch f", "sleep 0.02; touch f", "touch g; sleep 0.01; mv g f", "sleep 0.01; ln -s /dev/null f"] {
        let process = script(text).ready(File::at("{dir}/f")).start().unwrap();
        assert!(process.dir().join("f").exists(), "{text}");
    }
}

#[test]
fn what_is_there_may_be_anything_and_is_not_opened() {
    for text in ["mkdir f", "mkfifo f", "sleep 0.01; mkfifo f"] {
        assert!(script(text).ready(File::at("{dir}/f")).start().is_ok(), "{text}");
    }
}

#[test]
fn directories_above_it_may_come_later_and_go_in_between() {
    let text =
        "sleep 0.01; mkdir -p a/b; rm -r a; sleep 0.01; mkdir a; sleep 0.01; mkdir a/b; sleep 0.01; echo x > a/b/f";
    let process = script(text).ready(File::at("{dir}/a/b/f").containing("x")).start().unwrap();
    assert_eq!(fs::read_to_string(process.dir().join("a/b/f")).unwrap(), "x\n");
}

#[test]
fn content_that_comes_in_pieces_is_waited_for() {
    let text = "printf 12 > f; sleep 0.02; printf 34 >> f; sleep 0.02; echo >> f";
    let process = script(text).ready(File::at("{dir}/f").matching(r"^\d+\n$")).start().unwrap();
    assert_eq!(fs::read_to_string(process.dir().join("f")).unwrap(), "1234\n");
    let text = "printf beg > f; sleep 0.02; echo in >> f";
    assert!(script(text).ready(File::at("{dir}/f").containing("begin\n")).start().is_ok());
    // Another name of the same file is written to.
    let text = "echo a > other; ln -s other f; sleep 0.02; echo b >> other";
    assert!(script(text).ready(File::at("{dir}/f").containing("b")).start().is_ok());
}

#[test]
fn holes_in_content_are_filled() {
    let spec = |probe| simple(sh("echo at {addr}, a{3} > {dir}/f; exec sleep 60")).ready(probe);
    assert!(spec(File::at("{dir}/f").containing("at {addr}, a{3}\n")).start().is_ok());
    assert!(spec(File::at("{dir}/f").matching(r"^at {addr}, a\{3}")).start().is_ok());
}

#[test]
fn what_lay_there_before_counts_only_when_it_has_changed() {
    let sleeper = child("sleeper");
    let path = sleeper.file("stale");
    fs::write(&path, "1\n").unwrap();
    let error = too_late(file(sleeper.with(""), path.display().to_string()), writes("^sleeper$"));
    expect![[r#"
        `sleeper` was not ready after 1.5 s
          spec:   file("'CHILDREN/sleeper'", "CHILDREN/stale")   tests/it/events/file.rs
          ran:    CHILDREN/sleeper   pid N, in N ms
          probe:  CHILDREN/stale is there: it is as it was before the start, N tries
          stdout: sleeper"#]]
    .assert_eq(&normalised(&error.to_string()));
    let path = path.display();
    for change in ["echo 1 > {}", "touch {}", "echo 2 > {}.new; mv {}.new {}", "rm {}; echo 1 > {}"] {
        let change = change.replace("{}", &path.to_string());
        let spec = file(sh(format!("{change}; exec {}", sleeper.with(""))), path.to_string());
        assert!(spec.start_timeout(HANG).start().is_ok(), "{change}");
    }
    fs::remove_file(sleeper.file("stale")).unwrap();
}

/// As one does that looks whether another one of it runs.
#[test]
fn what_was_opened_to_be_written_and_was_not_has_not_changed() {
    let sleeper = child("sleeper");
    let path = sleeper.file("locked");
    fs::write(&path, "1\n").unwrap();
    let reads = format!("exec 3<> {}; read pid <&3; exec 3<&-; exec {}", path.display(), sleeper.with(""));
    let spec = simple(sh(reads)).ready(File::at(path.display().to_string()).matching(r"^\d+\n$"));
    let said = seen(spec, "^sleeper$");
    fs::remove_file(&path).unwrap();
    assert!(said.contains(": it is as it was before the start, "), "{said}");
}

/// The same content in the same file within a tick of the file system's clock.
#[test]
fn a_restart_that_writes_the_same_again_is_noticed_at_once() {
    let process = file(sh("echo up > {dir}/f; exec sleep 60"), "{dir}/f").start().unwrap();
    for _ in 0..30 {
        process.restart(Restart::Forced).unwrap();
    }
    assert_eq!(process.restarts(), 30);
}

#[test]
fn a_supervised_restart_waits_for_the_file_of_its_own_run() {
    // It is there, and has changed, as soon as it is empty: so a test that reads it waits for a line.
    let spec = simple(sh("echo $$ > {dir}/pid; read line; exit 1")).supervise(Supervision::permanent());
    let process = spec.ready(File::at("{dir}/pid").matching(r"^\d+\n")).start().unwrap();
    process.write_stdin("\n").unwrap();
    process.wait_restart(0, HANG).unwrap();
    let pid = fs::read_to_string(process.dir().join("pid")).unwrap();
    assert_eq!(pid.trim().parse().ok(), process.pid());
}

#[test]
fn what_is_seen_instead_is_told() {
    let content = |text: &str| script(text).ready(File::at("{dir}/f").containing("x\n"));
    let cases = [
        ("true", expect!["DIR/f contains `x\\n`: there is no such file, N tries"]),
        ("touch f", expect!["DIR/f contains `x\\n`: it is empty, N tries"]),
        ("printf 'y\\tz' > f", expect![[r#"DIR/f contains `x\n`: its content is "y\tz", N tries"#]]),
        ("mkdir f", expect!["DIR/f contains `x\\n`: it is a directory, N tries"]),
        ("mkfifo f", expect!["DIR/f contains `x\\n`: it is a FIFO, N tries"]),
        ("ln -s nowhere f", expect!["DIR/f contains `x\\n`: it is a link to what is not there, N tries"]),
        ("ln -s /dev/null f", expect!["DIR/f contains `x\\n`: it is a device, N tries"]),
    ];
    // Beside each other: each has all its time.
    thread::scope(|threads| {
        for (text, expected) in cases {
            threads.spawn(move || expected.assert_eq(&seen(content(text), "^done$")));
        }
        threads.spawn(|| {
            let long = seen(content("yes | head -c 3000000 > f"), "^done$");
            assert!(long.len() < 400 && long.contains("its content is \"y\\ny\\n") && long.contains("\"…"), "{long}");
        });
        threads.spawn(|| {
            expect!["DIR/f is there: it is a link to what is not there, N tries"]
                .assert_eq(&seen(script("ln -s f f2; ln -s nowhere f").ready(File::at("{dir}/f")), "^done$"));
        });
    });
}

#[test]
fn a_loop_of_links_is_no_file() {
    let said = seen(script("ln -s f f").ready(File::at("{dir}/f")), "^done$");
    assert!(said.starts_with("DIR/f is there: it cannot be looked at: "), "{said}");
}

#[test]
fn a_file_that_flaps_is_caught_or_told_and_never_hangs() {
    let text = "while :; do touch f; rm f; done & true";
    match script(text).ready(File::at("{dir}/f").containing("x")).start_timeout(ENOUGH).start() {
        Ok(process) => panic!("{process:?}"),
        Err(error) => assert!(error.is_timeout(), "{error}"),
    }
    assert!(script(text).ready(File::at("{dir}/f")).start().is_ok());
}

#[test]
fn a_link_that_is_led_elsewhere_has_changed() {
    let sleeper = child("sleeper");
    let (link, one, other) = (sleeper.file("link"), sleeper.file("one"), sleeper.file("other"));
    fs::write(&one, "1").unwrap();
    fs::write(&other, "1").unwrap();
    symlink(&one, &link).unwrap();
    let lead = format!("ln -sfn {} {}; exec {}", other.display(), link.display(), sleeper.with(""));
    assert!(file(sh(lead), link.display().to_string()).start_timeout(HANG).start().is_ok());
    [link, one, other].iter().for_each(|path| fs::remove_file(path).unwrap());
}

#[test]
fn a_mistake_is_said_before_anything_runs() {
    for (probe, said) in [
        (File::at(""), "a file without a name"),
        (File::at("f").matching("("), "invalid regex `(`"),
        (File::at("{no.such}"), "{no.such}"),
        (File::at("f").containing("{no.such}"), "{no.such}"),
    ] {
        let error = simple("sleep 60").ready(probe).start().unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}
