//! Tests that have a part of a shared server, and end in all ways. What becomes of their part they write into a ledger.

use std::env;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::mem;
use std::path::Path;
use std::process;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test::{Each, Process, Seat, Spec, Undo, View, output, sh, simple, undo, with_processes};

use super::chosen::{command, is_chosen};

/// Where all write down what they do, and which of the deeds below this process is to do.
pub(crate) const LEDGER: &str = "PKIT_TEST_LEDGER";
pub(crate) const DEED: &str = "PKIT_TEST_DEED";
/// How it is undone.
pub(crate) const UNDO: &str = "PKIT_TEST_UNDO";

/// What a test has made: a line in the ledger, and its place in it.
struct Mine(Seat);

impl Drop for Mine {
    fn drop(&mut self) {
        note("dropped", &self.0);
    }
}

fn deed() -> String {
    env::var(DEED).unwrap_or_default()
}

/// One write, so that lines of several processes do not mix.
fn note(what: &str, seat: &Seat) {
    let mut ledger = OpenOptions::new().append(true).create(true).open(env::var(LEDGER).unwrap()).unwrap();
    ledger.write_all(format!("{what} {} {}\n", seat.id(), seat.slot()).as_bytes()).unwrap();
}

fn die() -> ! {
    kill(Pid::this(), Signal::SIGKILL).unwrap();
    unreachable!("nobody survives that")
}

/// Until whoever runs this test has seen enough.
fn wait_for_end() {
    println!("\nis there");
    let _ = std::io::stdin().read(&mut [0]);
}

fn make(server: &Process, seat: &Seat) -> Result<Mine, String> {
    assert_eq!(server.slot(), Some(seat.slot()));
    match deed().as_str() {
        "is killed before it makes" => die(),
        "makes nothing" => return Err("there is no room\nfor another one".to_owned()),
        "panics in make" => panic!("no"),
        _ => note("made", seat),
    }
    if deed() == "is killed when it makes" {
        die();
    }
    Ok(Mine(seat.clone()))
}

fn undone(seat: Seat) -> Result<(), String> {
    assert_eq!(pkit_test::current().dir(), seat.dir(), "it stands where the server does");
    let own = std::fs::read_link("/proc/self/exe").unwrap();
    println!("in {}", own.display());
    note(&format!("{} undone", own.parent().unwrap().file_name().unwrap().to_str().unwrap()), &seat);
    if deed() == "a function fails" { Err(format!("{} is in use", seat.id())) } else { Ok(()) }
}

fn fails_by_panic(seat: Seat) {
    note("undone", &seat);
    panic!("no such place");
}

fn by_command(script: &str) -> Spec {
    simple(sh(format!("echo undone {{seat}} {{slot}} >> {{env.{LEDGER}}}; {script}")))
}

fn how() -> Undo {
    match env::var(UNDO).unwrap_or_default().as_str() {
        "a function" => undo(undone),
        "a function that panics" => undo(fails_by_panic),
        "a failure" => by_command("echo {seat} is in use at {addr} >&2; exit 3").into(),
        "a hang" => Undo::from(by_command("exec sleep 1000")).timeout(Duration::from_millis(200)),
        "nobody" => by_command("id -un >> {env.PKIT_TEST_LEDGER}; pwd >> {env.PKIT_TEST_LEDGER}").user("nobody").into(),
        // It begins, and goes on when somebody has written into the pipe.
        "a pause" => simple(sh(format!(
            "echo undoing {{seat}} {{slot}} >> {{env.{LEDGER}}}; read line < {{env.{LEDGER}}}.go; \
             echo undone {{seat}} {{slot}} >> {{env.{LEDGER}}}"
        )))
        .into(),
        "no program" => simple("no-such-program-here {seat}").into(),
        "unknown" => simple("true {api.port}").into(),
        _ => by_command(":").into(),
    }
}

fn server() -> Spec {
    output(command("sleeper", ""), "sleeper").port("main").env("AT", "{addr}")
}

fn store() -> Each<Spec, Mine> {
    server().shared().each(make, how())
}

#[test]
fn has_a_part() {
    #[with_processes(store = store())]
    fn body(store: View<Mine>) {
        act(store);
    }
    if is_chosen() {
        body();
    }
}

fn act(store: View<Mine>) {
    match deed().as_str() {
        "passes" | "" | "a function fails" => {}
        "panics" => panic!("by itself"),
        "exits" => process::exit(0),
        "aborts" => process::abort(),
        "is killed" => die(),
        // As nextest does it.
        "is timed out" => kill(Pid::this(), Signal::SIGTERM).unwrap(),
        "waits" => wait_for_end(),
        "drops it" => {
            let seat = store.seat().clone();
            drop(store);
            note("after", &seat);
        }
        "asks how it went" => {
            let error = store.undo().unwrap_err();
            assert!(error.is_exit() && error.exit().and_then(|exit| exit.code()) == Some(3), "{error}");
        }
        "forgets it" => mem::forget(store),
        "gives it away" => drop(thread::spawn(move || wait_for_ever(&store))),
        other => panic!("nobody knows how to do {other}"),
    }
}

fn wait_for_ever(_store: &View<Mine>) {
    loop {
        thread::park();
    }
}

/// What needs the part ends before it is undone.
#[test]
fn has_somebody_who_needs_it() {
    #[with_processes(
        store = store(),
        api = output(sh(format!("trap 'echo api ended {{store.seat}} {{store.slot}} >> {{env.{LEDGER}}}; exit 0' TERM; \
            echo up; while :; do sleep 0.01; done")), "^up$"),
    )]
    fn body(store: View<Mine>, api: Process) {
        assert!(api.is_alive());
        act(store);
    }
    if is_chosen() {
        body();
    }
}

/// A handle by itself, which fails nothing.
#[test]
fn has_a_part_by_itself() {
    if is_chosen() {
        act(store().start().unwrap());
    }
}

#[test]
fn has_a_part_in_an_async_test() {
    #[with_processes(store = store())]
    async fn body(store: View<Mine>) {
        act(store);
    }
    if is_chosen() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(body());
    }
}

/// The server of all is killed, by whomever.
#[test]
fn loses_its_server() {
    #[with_processes(store = store())]
    fn body(store: View<Mine>) {
        let pid = store.shared().pid().unwrap();
        kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
        store.shared().wait().unwrap();
    }
    if is_chosen() {
        body();
    }
}

/// Of a stack that is in a stack, whose handle the test has for itself.
#[test]
fn has_a_part_further_in() {
    if !is_chosen() {
        return;
    }
    let inner = || pkit_test::orchestra().with("store", store());
    let stack = pkit_test::orchestra().with("inner", inner()).start().unwrap();
    let store: &View<Mine> = stack.get::<pkit_test::Stack>("inner").get("store");
    note("has", store.seat());
    drop(stack);
    pkit_test::orchestrated(pkit_test::orchestra().with("inner", inner()), |stack| {
        note("has", stack.get::<pkit_test::Stack>("inner").get::<View<Mine>>("store").seat());
    })
    .unwrap();
}

/// The parts of a whole orchestra are known to what undoes.
#[test]
fn has_a_part_of_a_stack() {
    if !is_chosen() {
        return;
    }
    let shared = pkit_test::orchestra().with("db", server()).with("other", simple(command("sleeper", ""))).shared();
    let script = format!("echo undone {{seat}} {{slot}} {{db.addr.main}} {{other.dir}} >> {{env.{LEDGER}}}");
    let whole = shared.each(
        |stack: &pkit_test::Stack, seat| {
            assert_eq!(seat.value("db.port.main"), stack["db"].port_of("main").to_string());
            assert!(seat.value("other.dir").starts_with('/'));
            Ok::<_, String>(seat.value("db.addr.main").to_owned())
        },
        simple(sh(script)),
    );
    let view = whole.start().unwrap();
    let (at, other) = (view.clone(), view.shared()["other"].dir().display().to_string());
    let seat = view.seat().clone();
    view.undo().unwrap();
    let last = std::fs::read_to_string(env::var(LEDGER).unwrap()).unwrap();
    assert_eq!(last, format!("undone {} {} {at} {other}\n", seat.id(), seat.slot()));
}

/// Whoever has it alone has a part as well, and others wait until that is undone.
#[test]
fn has_it_alone() {
    if !is_chosen() {
        return;
    }
    let alone = || server().shared().exclusive().each(make, by_command(":"));
    let view = alone().start().unwrap();
    view.shared().restart(pkit_test::Restart::Forced).unwrap();
    drop(view);
    assert!(alone().start().unwrap().shared().is_alive());
}

/// In one process, as under libtest: several at once.
#[test]
fn several_have_a_part() {
    if !is_chosen() {
        return;
    }
    let ledger = env::var(LEDGER).unwrap();
    assert!(Path::new(&ledger).parent().unwrap().exists());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    pkit_test::orchestrated(pkit_test::orchestra().with("store", store()), |stack| {
                        assert!(stack.get::<View<Mine>>("store").shared().is_alive());
                    })
                    .unwrap();
                }
            });
        }
    });
}
