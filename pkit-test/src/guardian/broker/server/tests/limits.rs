//! Those who keep to no rule, and what a broker costs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use super::fake::is_gone;
use super::*;

#[test]
fn whoever_breaks_the_rules_is_cut_off_and_nobody_else() {
    let run = Run::new();
    let (mut holder, ..) = run.started("holder");
    let breaches: [&dyn Fn(&mut Fake); 5] = [
        &|fake| fake.asks(&Ask::Begin),
        &|fake| fake.asks(&Ask::Ready { parts: Vec::new(), vital: Vec::new() }),
        &|fake| fake.releases(),
        &|fake| (&fake.socket).write_all(&[0xff; 64]).unwrap(),
        &|fake| (&fake.socket).write_all(&Word::Start { next_id: 1 }.to_frame().to_bytes()).unwrap(),
    ];
    for breach in breaches {
        let mut fake = run.comes();
        breach(&mut fake);
        fake.ends();
    }
    holder.orders(1, &Order::Sync { token: 1 });
    assert!(matches!(holder.event(1), Event::Answer { token: 1, .. }));
    drop(holder);
    run.ends();
}

#[test]
fn whoever_says_nothing_keeps_nobody() {
    let run = Run::new();
    let silent: Vec<Fake> = (0..100).map(|_| run.comes()).collect();
    let (holder, ..) = run.started("holder");
    drop(holder);
    run.ends();
    drop(silent);
}

/// It asks and asks, and reads no answer: neither does the broker grow without a bound, nor does anybody wait for it.
#[test]
fn whoever_does_not_read_is_cut_off() {
    let run = Run::new();
    let (mut holder, ..) = run.started("holder");
    let mut deaf = run.wants("deaf");
    deaf.granted();
    let question = Order::Sync { token: 1 }.to_frame(1).to_bytes().repeat(1000);
    deaf.socket.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    while (&deaf.socket).write_all(&question).is_ok() {}
    holder.orders(1, &Order::Sync { token: 1 });
    assert!(matches!(holder.event(1), Event::Answer { token: 1, .. }));
    assert!(memory_kb(run.broker()) < 64 * 1024);
    drop((holder, deaf));
    run.ends();
}

fn memory_kb(pid: i32) -> u64 {
    status(pid, "VmHWM:").trim_end_matches(" kB").parse().unwrap()
}

fn status(pid: i32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

#[test]
fn a_broker_that_has_nothing_to_do_does_nothing() {
    let run = Run::new();
    let (mut holder, ..) = run.started("holder");
    holder.orders(1, &Order::Sync { token: 1 });
    holder.event(1);
    // Whoever has answered has still to go to sleep, and whoever wakes up now and then never sleeps that long.
    eventually(|| {
        let before = status(run.broker(), "voluntary_ctxt_switches:");
        assert!(Command::new("sleep").arg("0.5").status().unwrap().success());
        status(run.broker(), "voluntary_ctxt_switches:") == before
    });
    drop(holder);
    run.ends();
}

#[test]
fn nothing_stays_of_leases_that_have_ended() {
    let run = Run::new();
    let (holder, ..) = run.started("holder");
    let open = || std::fs::read_dir(format!("/proc/{}/fd", run.broker())).unwrap().count();
    let lease = || {
        let mut fake = run.wants("another");
        fake.granted();
        fake.releases();
        fake.answer();
    };
    lease();
    let before = open();
    (0..200).for_each(|_| lease());
    eventually(|| open() <= before);
    drop(holder);
    run.ends();
}

/// A child that a test has forked holds the connection, and the test is dead.
#[test]
fn a_dead_one_has_nothing_though_its_child_holds_its_connection() {
    let run = Run::new();
    let (holder, ..) = run.started("holder");
    drop(holder);
    let helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "guardian::broker::server::tests::limits::plays_a_test_that_forks", "--nocapture"])
        .env(SOCKET, run.socket())
        .stdout(Stdio::piped())
        .spawn();
    let mut helper = helper.unwrap();
    let lines = BufReader::new(helper.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with(HAS_IT)));
    let mut own = run.wants_as("own", |want| want.is_exclusive = true);
    assert_eq!(own.waits(), "`helper` uses it");
    let child = procfs::children(helper.id() as i32).unwrap()[0];
    helper.kill().unwrap();
    helper.wait().unwrap();
    own.granted();
    assert!(procfs::is_alive(child));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::SIGKILL).unwrap();
    is_gone(child);
    drop(own);
    run.ends();
}

const HAS_IT: &str = "it has it";
const SOCKET: &str = "PKIT_TEST_BROKER_SOCKET";

/// Played in a process of its own, by the test above.
#[test]
fn plays_a_test_that_forks() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let stream = UnixStream::connect(socket).unwrap();
    let held = stream.try_clone().unwrap();
    let mut child = Command::new("sleep").arg("1000").stdin(OwnedFd::from(held)).stdout(Stdio::null()).spawn().unwrap();
    let mut fake = Fake::on(stream);
    let [key, name, shown, who] = ["key", "db", "shown", "helper"].map(str::to_owned);
    let want = Want { key, name, shown, test: who.clone(), who, is_exclusive: false, tries_again: false };
    fake.asks(&Ask::Want(want));
    fake.granted();
    println!("{HAS_IT}");
    // Until somebody kills it.
    child.wait().unwrap();
}
