//! Each test has a part of its own of what is shared, and it is undone however the test ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use pkit_test_tests::private::wait_gone;

use crate::child::{HANG, wait_until};
use crate::nested::{Ended, Victim, victim};
use crate::text::normalised;
use crate::victims::views::{DEED, LEDGER, UNDO};

/// A run whose end is in our hands: it is the life of a process that waits for the end of its input.
struct Day {
    runner: Child,
    ledger: PathBuf,
}

impl Day {
    fn of(victim: Victim) -> (Day, Victim) {
        let runner = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it can be run");
        let victim = victim.env("PKIT_RUN_ID", &format!("views@{}", runner.id()));
        let ledger = victim.file("ledger");
        let victim = victim.env(LEDGER, &ledger.display().to_string());
        fs::create_dir_all(victim.directory()).expect("it can be made");
        (Day { runner, ledger }, victim)
    }

    /// What was written down.
    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.ledger).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The same without the numbers of those who wrote it.
    fn deeds(&self) -> Vec<String> {
        let without = |line: String| line.split(" test_").next().unwrap_or_default().to_owned();
        self.lines().into_iter().map(without).collect()
    }

    fn has(&self, deed: &str) -> bool {
        self.deeds().iter().any(|known| known == deed)
    }

    /// The run is over: nothing is left of it.
    #[track_caller]
    fn ends(mut self, victims: &[&Victim]) {
        drop(self.runner.stdin.take());
        self.runner.wait().expect("it is ours");
        for victim in victims {
            let _ = wait_gone(victim.binary(), HANG);
            victim.is_gone_by_name();
        }
    }
}

fn has_a_part(name: &'static str) -> (Day, Victim) {
    Day::of(victim(name).with("sleeper"))
}

fn did(victim: &Victim, deed: &str, undo: &str) -> Ended {
    let mut command = victim.command();
    victim.ended(command.args(["--exact", &victim.path()]).env(DEED, deed).env(UNDO, undo))
}

const PART: &str = "views::has_a_part";

#[test]
fn it_is_undone_however_the_test_ends() {
    for undo in ["a command", "a function"] {
        let (day, victim) = has_a_part(PART);
        let own = victim.binary().parent().and_then(|dir| dir.file_name()).expect("it has one").to_str().expect("text");
        let undone = if undo == "a function" { format!("{own} undone") } else { "undone".to_owned() };
        let mut expected: Vec<&str> = Vec::new();
        for (deed, deeds, signal, passes) in [
            ("passes", &["made", "dropped", &undone][..], None, true),
            ("panics", &["made", "dropped", &undone], None, false),
            ("exits", &["made", &undone], None, true),
            ("aborts", &["made", &undone], Some(6), false),
            ("is killed", &["made", &undone], Some(9), false),
            ("is timed out", &["made", &undone], Some(15), false),
            ("is killed before it makes", &[&undone], Some(9), false),
            ("is killed when it makes", &["made", &undone], Some(9), false),
            ("makes nothing", &[&undone], None, false),
            ("panics in make", &[&undone], None, false),
            ("drops it", &["made", "dropped", &undone, "after"], None, true),
            ("forgets it", &["made", &undone], None, true),
            ("gives it away", &["made", &undone], None, true),
        ] {
            let ended = did(&victim, deed, undo);
            assert_eq!(ended.status.success(), passes, "{deed}: {}{}", ended.stdout, ended.stderr);
            assert_eq!(ended.status.signal(), signal, "{deed}");
            expected.extend(deeds);
            // Of one that was killed nobody is left who would have waited.
            wait_until(|| day.deeds().len() >= expected.len());
            assert_eq!(day.deeds(), expected, "{deed}, by {undo}");
        }
        let seats: BTreeSet<String> =
            day.lines().iter().filter_map(|line| line.split(' ').rev().nth(1).map(str::to_owned)).collect();
        assert_eq!(seats.len(), 13, "an id for each");
        assert_eq!(victim.count("sleeper"), 1);
        day.ends(&[&victim]);
    }
}

#[test]
fn it_is_undone_in_an_async_test_and_by_a_handle_alone() {
    for name in ["views::has_a_part_in_an_async_test", "views::has_a_part_by_itself"] {
        let (day, victim) = has_a_part(name);
        let deeds = [
            ("passes", &["made", "dropped", "undone"][..]),
            ("panics", &["made", "dropped", "undone"]),
            ("drops it", &["made", "dropped", "undone", "after"]),
        ];
        for (deed, _) in deeds {
            let ended = did(&victim, deed, "a command");
            assert_eq!(ended.status.success(), deed != "panics", "{deed}: {}{}", ended.stdout, ended.stderr);
        }
        assert_eq!(day.deeds(), deeds.map(|(_, deeds)| deeds).concat());
        day.ends(&[&victim]);
    }
}

#[test]
fn what_needs_it_ends_before() {
    let (day, victim) = has_a_part("views::has_somebody_who_needs_it");
    for (deed, deeds) in [
        ("passes", ["made", "dropped", "api ended", "undone"]),
        ("panics", ["made", "dropped", "api ended", "undone"]),
        ("forgets it", ["made", "api ended", "undone", ""]),
    ] {
        did(&victim, deed, "a command");
        let deeds: Vec<&str> = deeds.into_iter().filter(|deed| !deed.is_empty()).collect();
        assert_eq!(day.deeds(), deeds, "{deed}");
        fs::remove_file(&day.ledger).expect("it was written");
    }
    did(&victim, "drops it", "a command");
    assert_eq!(day.deeds(), ["made", "dropped", "api ended", "undone", "after"]);
    day.ends(&[&victim]);
}

#[test]
fn a_failed_undo_fails_the_test_at_its_end() {
    let (day, victim) = has_a_part(PART);
    let ended = did(&victim, "passes", "a failure");
    assert!(!ended.status.success());
    expect![[r#"
        --- `store`: shared; since this test had it: it wrote nothing
        victims::views::has_a_part panicked at tests/it/victims/views.rs:
        undo of `store` failed
          undo:   simple("sh -c 'echo undone {seat} {slot} >> {env.PKIT_TEST_LEDGER}; echo {seat} is in use at {addr} >&2; exit 3'")   tests/it/victims/views.rs
          ran:    /bin/sh -c 'echo undone test_N 0 >> CHILDREN/ledger; echo test_N is in use at 127.0.0.1:PORT >&2; exit 3' sh
          seat:   test_N, slot 0
          exit:   exit code 3
          slot:   no other test of this run gets it, for what was made may be there still
          stderr: test_N is in use at 127.0.0.1:PORT"#]].assert_eq(&report(&ended));
    let late = did(&victim, "passes", "a hang");
    expect![[r#"
        --- `store`: shared; since this test had it: it wrote nothing
        victims::views::has_a_part panicked at tests/it/victims/views.rs:
        undo of `store` took too long
          undo:   simple("sh -c 'echo undone {seat} {slot} >> {env.PKIT_TEST_LEDGER}; exec sleep 1000'")   tests/it/victims/views.rs
          ran:    /bin/sh -c 'echo undone test_N 1 >> CHILDREN/ledger; exec sleep 1000' sh
          seat:   test_N, slot 1
          waited: 200 ms
          exit:   signal 15 (SIGTERM)
          slot:   no other test of this run gets it, for what was made may be there still
          output: none"#]].assert_eq(&report(&late));
    let panicked = did(&victim, "passes", "a function that panics");
    expect![[r#"
        --- `store`: shared; since this test had it: it wrote nothing
        victims::views::has_a_part panicked at tests/it/victims/views.rs:
        undo of `store` failed
          undo:   undo(fails_by_panic, Seat)   tests/it/victims/views.rs
          ran:    fails_by_panic, in a process of its own
          seat:   test_N, slot 2
          exit:   exit code 101
          slot:   no other test of this run gets it, for what was made may be there still
          stderr: <unnamed> panicked at tests/it/victims/views.rs:
                  no such place
                  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"#]]
    .assert_eq(&report(&panicked));
    let refused = did(&victim, "a function fails", "a function");
    expect![[r#"
        --- `store`: shared; since this test had it: it wrote nothing
        victims::views::has_a_part panicked at tests/it/victims/views.rs:
        undo of `store` failed
          undo:   undo(undone, Seat)   tests/it/victims/views.rs
          ran:    undone, in a process of its own
          seat:   test_N, slot 3
          exit:   exit code 1
          slot:   no other test of this run gets it, for what was made may be there still
          stderr: Error: "test_N is in use""#]]
    .assert_eq(&report(&refused));
    // Their slots are nobody's any more.
    did(&victim, "passes", "a command");
    assert_eq!(day.lines().last().and_then(|line| line.rsplit(' ').next().map(str::to_owned)).as_deref(), Some("4"));
    day.ends(&[&victim]);
}

#[test]
fn a_failed_undo_never_replaces_what_the_test_says() {
    let (day, victim) = has_a_part(PART);
    let ended = did(&victim, "panics", "a failure");
    expect![[r#"
        victims::views::has_a_part panicked at tests/it/victims/views.rs:
        by itself
        --- `store`: shared; since this test had it: it wrote nothing
        undo of `store` failed
          undo:   simple("sh -c 'echo undone {seat} {slot} >> {env.PKIT_TEST_LEDGER}; echo {seat} is in use at {addr} >&2; exit 3'")   tests/it/victims/views.rs
          ran:    /bin/sh -c 'echo undone test_N 0 >> CHILDREN/ledger; echo test_N is in use at 127.0.0.1:PORT >&2; exit 3' sh
          seat:   test_N, slot 0
          exit:   exit code 3
          slot:   no other test of this run gets it, for what was made may be there still
          stderr: test_N is in use at 127.0.0.1:PORT"#]].assert_eq(&report(&ended));
    let ended = did(&victim, "makes nothing", "a failure");
    expect![[r#"
        victims::views::has_a_part panicked at tests/it/victims/views.rs:
        `store` was not started: nothing was made for this test
          why:    there is no room
                  for another one
          seat:   test_N, slot 1
        undo of `store` failed
          undo:   simple("sh -c 'echo undone {seat} {slot} >> {env.PKIT_TEST_LEDGER}; echo {seat} is in use at {addr} >&2; exit 3'")   tests/it/victims/views.rs
          ran:    /bin/sh -c 'echo undone test_N 1 >> CHILDREN/ledger; echo test_N is in use at 127.0.0.1:PORT >&2; exit 3' sh
          seat:   test_N, slot 1
          exit:   exit code 3
          slot:   no other test of this run gets it, for what was made may be there still
          stderr: test_N is in use at 127.0.0.1:PORT"#]].assert_eq(&report(&ended));
    day.ends(&[&victim]);
    let (day, victim) = has_a_part("views::has_a_part_by_itself");
    let ended = did(&victim, "passes", "a failure");
    assert!(ended.status.success(), "a handle by itself fails nothing");
    let asked = did(&victim, "asks how it went", "a failure");
    assert!(asked.status.success(), "{}{}", asked.stdout, asked.stderr);
    day.ends(&[&victim]);
}

#[test]
fn what_cannot_be_undone_is_not_made() {
    let (day, victim) = has_a_part(PART);
    expect![[r#"
        victims::views::has_a_part panicked at tests/it/victims/views.rs:
        `undo of store` was not started: program `no-such-program-here` is in no directory of PATH
          spec:   simple("no-such-program-here {seat}")   tests/it/victims/views.rs
          PATH:   …"#]]
    .assert_eq(&report(&did(&victim, "passes", "no program")));
    expect![[r#"
        victims::views::has_a_part panicked at tests/it/victims/views.rs:
        `store` was not started: {api.port} means nothing in its undo
          why:    `store` has no `api.port`, but seat, slot, addr, addr.main, dir, host, port, port.main, url, url.main
          hint:   what undoes runs when the test is gone, so that it knows nothing but the shared server
          undo:   simple("true {api.port}")   tests/it/victims/views.rs"#]]
    .assert_eq(&report(&did(&victim, "passes", "unknown")));
    assert_eq!(day.lines(), Vec::<String>::new());
    day.ends(&[&victim]);
}

/// The test is killed while it waits for the undo: it goes on, and until it is over nobody has the slot.
#[test]
fn a_slot_is_given_again_when_it_is_undone() {
    let (day, victim) = has_a_part(PART);
    let pipe = day.ledger.with_extension("go");
    mkfifo(&pipe, Mode::S_IRWXU).expect("there is none");
    let mut command = victim.command();
    command.args(["--exact", &victim.path()]).env(DEED, "passes").env(UNDO, "a pause");
    let mut paused = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it can be run");
    wait_until(|| day.has("undoing"));
    did(&victim, "passes", "a command");
    kill(Pid::from_raw(paused.id().try_into().expect("a pid")), Signal::SIGKILL).expect("it waits");
    paused.wait().expect("it is ours");
    did(&victim, "passes", "a command");
    let slots = |day: &Day| {
        day.lines()
            .iter()
            .filter(|line| line.starts_with("made"))
            .map(|line| line.rsplit(' ').next().expect("a slot").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(slots(&day), ["0", "1", "1"], "{:?}", day.lines());
    let before = day.lines().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&pipe)
        .and_then(|mut pipe| pipe.write_all(b"go\n"))
        .expect("somebody reads");
    wait_until(|| day.lines().len() > before);
    assert!(day.lines().last().is_some_and(|line| line.starts_with("undone") && line.ends_with(" 0")));
    wait_until(|| {
        did(&victim, "passes", "a command");
        slots(&day).last().map(String::as_str) == Some("0")
    });
    day.ends(&[&victim]);
}

#[test]
fn no_two_have_the_same_at_once() {
    let (day, victim) = Day::of(victim("views::several_have_a_part").with("sleeper"));
    let run = || {
        let mut command = victim.command();
        command.args(["--exact", &victim.path()]).stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn().expect("it can be run")
    };
    let all: Vec<Child> = (0..6).map(|_| run()).collect();
    for mut one in all {
        assert!(one.wait().expect("it is ours").success());
    }
    let mut holders: BTreeMap<String, String> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in day.lines() {
        let [deed, seat, slot] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        match deed {
            "made" => {
                assert!(seen.insert(seat.to_owned()), "{seat} twice");
                let before = holders.insert(slot.to_owned(), seat.to_owned());
                assert_eq!(before, None, "slot {slot} of {seat}");
            }
            "undone" => assert_eq!(holders.remove(slot).as_deref(), Some(seat)),
            _ => {}
        }
    }
    assert_eq!((seen.len(), holders.len()), (6 * 4 * 3, 0));
    assert_eq!(victim.count("sleeper"), 1);
    day.ends(&[&victim]);
}

/// The server was started by another binary, and the own one is gone by then.
#[test]
fn a_function_undoes_in_the_binary_that_has_it() {
    let (day, first) = has_a_part(PART);
    assert!(did(&first, "passes", "a command").status.success());
    let (second_day, second) = has_a_part(PART);
    let second = second.env("PKIT_RUN_ID", &format!("views@{}", day.runner.id()));
    let sleeper = first.child("sleeper").path().display().to_string();
    let second = second.env(&format!("{}sleeper", crate::nested::CHILD), &sleeper);
    let own = second
        .binary()
        .parent()
        .and_then(|dir| dir.file_name())
        .expect("it has one")
        .to_str()
        .expect("text")
        .to_owned();
    let mut command = second.command();
    command.args(["--exact", &second.path(), "--nocapture"]).env(DEED, "waits").env(UNDO, "a function");
    let mut killed = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it can be run");
    wait_until(|| second_day.has("made"));
    fs::remove_file(second.binary()).expect("it is there");
    kill(Pid::from_raw(killed.id().try_into().expect("a pid")), Signal::SIGKILL).expect("it waits");
    killed.wait().expect("it is ours");
    wait_until(|| second_day.has(&format!("{own} undone")));
    assert_eq!(first.count("sleeper"), 1, "and not a second one");
    assert_eq!(second.count("sleeper"), 0);
    second_day.ends(&[]);
    day.ends(&[&first]);
}

#[test]
fn another_user_may_undo() {
    if !nix::unistd::geteuid().is_root() {
        return pkit_test_tests::left_out::because("only root can be somebody else");
    }
    let (day, victim) = has_a_part(PART);
    victim.open_to_all();
    fs::write(&day.ledger, "").expect("it can be written");
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(&day.ledger, all).expect("it is ours");
    let ended = did(&victim, "passes", "nobody");
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(day.deeds(), ["made", "dropped", "undone", "nobody", "/"]);
    day.ends(&[&victim]);
}

#[test]
fn with_the_server_all_is_gone_that_was_made_of_it() {
    let (day, victim) = has_a_part("views::loses_its_server");
    let ended = did(&victim, "", "a failure");
    assert!(!ended.status.success());
    expect![[r#"
        --- `store`: signal 9 (SIGKILL), shared; since this test had it: it wrote nothing
        victims::views::loses_its_server panicked at tests/it/victims/views.rs:
        `store` ended during the test, and nobody asked it to
          spec:   output("'CHILDREN/sleeper'", "sleeper")   tests/it/victims/views.rs
          ran:    CHILDREN/sleeper   pid N, in N ms
          shared: with other tests of this run
          exit:   signal 9 (SIGKILL)
          output: none"#]]
    .assert_eq(&report(&ended));
    assert_eq!(day.deeds(), ["made", "dropped"]);
    day.ends(&[&victim]);
}

#[test]
fn it_may_be_further_in_and_of_a_whole_orchestra_and_of_one_alone() {
    for (name, deeds) in [
        ("views::has_a_part_further_in", &["made", "has", "dropped", "undone", "made", "has", "dropped", "undone"][..]),
        ("views::has_a_part_of_a_stack", &["undone"]),
        ("views::has_it_alone", &["made", "dropped", "undone", "made", "dropped", "undone"]),
    ] {
        let (day, victim) = has_a_part(name);
        let ended = did(&victim, "", "a command");
        assert!(ended.status.success(), "{name}: {}{}", ended.stdout, ended.stderr);
        assert_eq!(day.deeds(), deeds, "{name}");
        day.ends(&[&victim]);
    }
}

/// What is kept for people to look at is not undone as long as the test is there.
#[test]
fn what_is_kept_is_undone_with_the_process() {
    let (day, victim) = has_a_part(PART);
    let victim = victim.env("PKIT_KEEP", "failed").env("PKIT_KEEP_FOR", "1s");
    let ended = did(&victim, "panics", "a command");
    assert!(!ended.status.success());
    wait_until(|| day.has("undone"));
    assert_eq!(day.deeds(), ["made", "dropped", "undone"]);
    // The server stays for people to look at, as long as was said.
    day.ends(&[&victim]);
}

fn report(ended: &Ended) -> String {
    let text = ended.report();
    let numbers = regex_lite::Regex::new(r"\btest_\d+").expect("sound");
    normalised(&numbers.replace_all(&text, "test_N"))
}
