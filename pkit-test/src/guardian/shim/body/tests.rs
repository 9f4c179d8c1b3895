//! Functions by way of the guardian, which write what they find on their slate.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::exit::Exit;
use crate::guardian::client::{self, Luggage};
use crate::guardian::protocol::{FunctionOrder, Launch, StopPlan};
use crate::guardian::run::{Phase, Run};
use crate::output::LogFiles;
use crate::sys::bell::Bell;
use crate::sys::child::{End, Step, own_pid};
use crate::sys::fresh::tests::{HANGS, c_variable, constructor_says};
use crate::sys::fresh::{Entry, Gifts, offset_of};
use crate::sys::user::User;
use crate::sys::{fd, procfs};

/// A run that has ended, and what it has left.
struct Ended {
    phase: Phase,
    slate: String,
    output: String,
    has_rung: bool,
}

fn launch(entry: Entry, by_exec: bool) -> Launch {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let log = std::env::temp_dir().join(format!("pkit-body-{}-{}", own_pid(), NEXT.fetch_add(1, Ordering::Relaxed)));
    Launch {
        name: "w".into(),
        program: PathBuf::new(),
        arguments: Vec::new(),
        environment: vec![b"GIVEN=one".to_vec(), b"GIVEN=two".to_vec(), b"OTHER=".to_vec()],
        cwd: "/".into(),
        user: None,
        stop: StopPlan { signal: 15, grace_ms: 5000, then_kill: true },
        log,
        log_bytes: 1_000_000,
        input: Vec::new(),
        input_ends: true,
        has_bell: true,
        has_own_pids: false,
        has_network: false,
        is_errand: true,
        function: Some(FunctionOrder {
            entry: offset_of(entry),
            name: "the function".into(),
            by_exec,
            has_binary: false,
        }),
        ends_with_leader: true,
    }
}

fn run(launch: Launch) -> Ended {
    run_with(launch, |_| {})
}

fn run_with(launch: Launch, act: impl FnOnce(&Run)) -> Ended {
    let log = launch.log.clone();
    let has_binary = launch.function.as_ref().is_some_and(|function| function.has_binary);
    let path = log.with_extension("slate");
    let mut slate = File::options().read(true).write(true).create_new(true).open(&path).expect("a slate");
    fs::remove_file(&path).expect("just made");
    let bell = Bell::new().expect("a bell");
    let luggage = Luggage {
        bell: Some(bell.rope().expect("a rope")),
        slate: Some(slate.try_clone().expect("another one").into()),
        binary: has_binary.then(|| File::open("/proc/self/exe").expect("it runs").into()),
        network: None,
    };
    let guardian = client::current().expect("a guardian");
    let run = guardian.launch(launch, luggage, Box::new(|_| {})).expect("launched").expect("not declined");
    act(&run);
    let phase = run.wait_over(Some(Instant::now() + Duration::from_secs(20))).expect("over in time");
    let (mut text, output) = (String::new(), run.text(None));
    slate.rewind().and_then(|()| slate.read_to_string(&mut text)).expect("readable");
    LogFiles::at(&log).remove();
    Ended { phase, slate: text, output, has_rung: fd::is_readable_until(bell.as_fd(), Instant::now()) }
}

fn write(slate: OwnedFd, text: &str) {
    File::from(slate).write_all(text.as_bytes()).expect("written");
}

/// Writes down what it finds.
fn look_around(gifts: Gifts) -> ! {
    let mut seen = String::new();
    let mut say = |what: &str, found: &dyn std::fmt::Debug| writeln!(seen, "{what}: {found:?}").expect("a string");
    say("constructor", &constructor_says());
    // The mark by which orphans are found where they do not come back.
    say("variables", &std::env::vars().filter(|(name, _)| name != "PKIT_KIN").collect::<Vec<_>>());
    say("by C", &(c_variable("GIVEN"), c_variable("PATH")));
    let arguments: Vec<String> = std::env::args().collect();
    // The library keeps none before `main` there.
    let count = if cfg!(target_env = "musl") { arguments.len() + 1 } else { arguments.len() };
    let own = std::env::current_exe().expect("a path").to_string_lossy().into_owned();
    say("arguments", &(count, arguments.first().map_or(cfg!(target_env = "musl"), |first| *first == own)));
    say("name", &procfs::name(own_pid()));
    say("command line", &fs::read_to_string("/proc/self/cmdline").expect("readable"));
    say("directory", &std::env::current_dir().expect("one"));
    let rope = gifts.rope.expect("a rope");
    let mut open: Vec<String> = fs::read_dir("/proc/self/fd")
        .expect("listed")
        .filter_map(|fd| fs::read_link(fd.expect("one").path()).ok()?.to_str().map(str::to_owned))
        .filter(|to| !to.contains("/fd"))
        .map(|to| to.split([':', '/']).find(|part| !part.is_empty()).unwrap_or_default().to_owned())
        .collect();
    open.sort();
    say("open", &open);
    let status = fs::read_to_string("/proc/self/status").expect("readable");
    for field in ["SigBlk:", "SigIgn:", "SigCgt:", "SigPnd:"] {
        let mask = status.lines().find_map(|line| line.strip_prefix(field)).map(str::trim).expect("a mask");
        // The two that the threads library keeps for itself are as the runner has them.
        let mask = u64::from_str_radix(mask, 16).expect("a number") & !(0b11 << 31);
        say(field.trim_end_matches(':'), &mask);
    }
    say("leads its group", &(nix::unistd::getpgrp().as_raw() == own_pid()));
    say("rings", &rope.pull());
    println!("said without a reader");
    print!("and this");
    write(gifts.slate, &seen);
    std::process::exit(7)
}

const SEEN: &str = r#"constructor: "1 arguments"
variables: [("GIVEN", "one"), ("GIVEN", "two"), ("OTHER", "")]
by C: (Some("one"), None)
arguments: (1, true)
name: Some("the function")
command line: "the function\0"
directory: "/"
open: ["anon_inode", "dev", "pipe", "pipe", "tmp"]
SigBlk: 0
SigIgn: 4096
SigCgt: 0
SigPnd: 0
leads its group: true
rings: true
"#;

#[test]
fn a_fork_is_as_fresh_as_a_program() {
    for by_exec in [false, true] {
        let ended = run(launch(look_around, by_exec));
        let seen = if cfg!(target_env = "musl") { SEEN.replace("1 arguments", "it has run") } else { SEEN.to_owned() };
        assert_eq!(ended.slate, seen, "by_exec: {by_exec}");
        assert_eq!(ended.phase.exit(), Some(Exit::from(End::Code(7))));
        assert_eq!(ended.output, "said without a reader\nand this", "by_exec: {by_exec}");
        assert!(ended.has_rung);
    }
}

/// As if it were another one: by its descriptor, of which the function finds nothing.
#[test]
fn a_function_of_another_binary_is_as_fresh() {
    let launch = launch(look_around, false);
    let function = launch.function.clone().map(|function| FunctionOrder { has_binary: true, ..function });
    let seen = if cfg!(target_env = "musl") { SEEN.replace("1 arguments", "it has run") } else { SEEN.to_owned() };
    assert_eq!(run(Launch { function, ..launch }).slate, seen);
}

/// Leaves somebody behind, who waits for ever.
fn leave_a_child(gifts: Gifts) -> ! {
    let child = std::process::Command::new("sleep").arg("1000").spawn().expect("spawned");
    write(gifts.slate, &child.id().to_string());
    std::process::exit(0)
}

#[test]
fn what_a_function_leaves_is_over_with_it() {
    for by_exec in [false, true] {
        let ended = run(launch(leave_a_child, by_exec));
        assert_eq!(ended.phase.exit(), Some(Exit::from(End::Code(0))));
        assert!(!procfs::is_alive(ended.slate.parse().expect("an id")), "by_exec: {by_exec}");
    }
}

/// Starts a process of its own, by a guardian of its own.
fn start_another(gifts: Gifts) -> ! {
    let ended = run(Launch { program: "/bin/sh".into(), function: None, ..launch(look_around, false) });
    let inner = run(launch(leave_a_child, false));
    write(gifts.slate, &format!("{:?} {:?}", ended.phase.exit(), inner.phase.exit()));
    std::process::exit(0)
}

#[test]
fn a_function_may_start_programs_and_functions() {
    for by_exec in [false, true] {
        let ended = run(launch(start_another, by_exec));
        let expected = format!("{:?} {:?}", Some(Exit::from(End::Code(0))), Some(Exit::from(End::Code(0))));
        assert_eq!(ended.slate, expected, "by_exec: {by_exec}");
    }
}

#[test]
fn what_cannot_be_run_is_refused_with_its_step() {
    let refused = |launch: Launch| match run(launch).phase {
        Phase::Refused { step, errno } => (step, errno),
        other => panic!("{other:?}"),
    };
    let launch = || launch(look_around, false);
    let function = FunctionOrder { entry: 1 << 60, name: "nowhere".into(), by_exec: false, has_binary: false };
    assert_eq!(refused(Launch { function: Some(function), ..launch() }).0, Step::Entry);
    let lost = client::current().expect("a guardian").launch(launch(), Luggage::default(), Box::new(|_| {}));
    let lost = lost.expect("launched").expect("not declined").wait_over(None).expect("over");
    assert!(matches!(lost, Phase::Refused { step: Step::Slate, errno } if errno == Errno::EMFILE as i32), "{lost:?}");
    assert_eq!(refused(Launch { cwd: "/missing".into(), ..launch() }).0, Step::Cwd);
}

#[test]
fn a_constructor_that_hangs_is_stopped_as_any_service() {
    for by_exec in [false, true] {
        let mut launch = launch(look_around, by_exec);
        launch.environment.push(format!("{HANGS}=1").into_bytes());
        let stop = launch.stop;
        let ended = run_with(launch, |run| {
            let is_running = run.wait_until(Some(Instant::now() + Duration::from_secs(20)), |state| state.pid);
            assert!(is_running.is_some(), "by_exec: {by_exec}");
            run.stop(stop);
        });
        assert_eq!(ended.phase.exit().and_then(|exit| exit.signal()), Some(15), "by_exec: {by_exec}");
        assert_eq!(ended.slate, "", "by_exec: {by_exec}");
    }
}

/// Writes down who it is, and what it may.
fn tell_rights(gifts: Gifts) -> ! {
    let status = fs::read_to_string("/proc/self/status").expect("readable");
    let lines =
        status.lines().filter(|line| ["Uid:", "Gid:", "CapPrm:", "CapEff:"].iter().any(|of| line.starts_with(of)));
    let owner = fs::metadata("/proc/self/fd").expect("there").uid();
    write(gifts.slate, &format!("{}\nseen by {owner}", lines.collect::<Vec<_>>().join("\n")));
    std::process::exit(0)
}

#[test]
fn a_function_may_be_somebody_else_and_has_their_rights() {
    if !crate::sys::user::may_change_user() {
        return;
    }
    let ended = run(Launch {
        user: Some(User { name: "u".into(), uid: 65_534, gid: 65_534, groups: vec![65_534], home: "/".into() }),
        ..launch(tell_rights, false)
    });
    let expected = "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\n\
                    CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nseen by 65534";
    assert_eq!(ended.slate, expected);
}

fn tell_id(gifts: Gifts) -> ! {
    write(gifts.slate, &own_pid().to_string());
    std::process::exit(0)
}

#[test]
fn a_function_may_have_ids_of_its_own() {
    for by_exec in [false, true] {
        let ended = run(Launch { has_own_pids: true, ..launch(tell_id, by_exec) });
        match ended.phase {
            // Not every system gives them.
            Phase::Refused { step: Step::OwnPids | Step::OwnUsers | Step::UserMap | Step::OwnProc, .. } => {}
            _ => assert_eq!(ended.slate, "2", "by_exec: {by_exec}"),
        }
    }
}

fn tell_keys(gifts: Gifts) -> ! {
    let number = RandomState::new().build_hasher().finish();
    write(gifts.slate, &number.to_string());
    std::process::exit(0)
}

/// The guardian must not have drawn them: all its forks would have the same.
#[test]
fn no_two_functions_draw_the_same_keys_for_their_maps() {
    let drawn: BTreeSet<String> = (0..5).map(|_| run(launch(tell_keys, false)).slate).collect();
    assert_eq!(drawn.len(), 5, "{drawn:?}");
}
