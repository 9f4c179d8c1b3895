//! A process with process ids of its own: what it sees, what the test sees, and that nothing of it outlives its shim.

use std::time::Duration;

use nix::sys::signal::{Signal as Sig, kill};
use nix::unistd::Pid;
use pkit_test::ready::poll;
use pkit_test::{Isolation, Restart, Signal, Spec, file, http, notify, output, sh, simple, tcp, unix};
use pkit_test_tests::left_out;
use pkit_test_tests::private::{survivors, wait_gone};
use pkit_test_tests::process::{children, parent, stat};

use super::may;
use crate::child::{HANG, child, wait_until};
use crate::dump::dump_of;
use crate::nested::victim;

fn alone(spec: Spec) -> Spec {
    spec.isolate(Isolation::Pid)
}

fn raw(pid: u32) -> Pid {
    Pid::from_raw(pid.try_into().unwrap())
}

#[test]
fn it_has_ids_of_its_own_and_a_proc_that_shows_them() {
    if !may(Isolation::Pid) {
        return;
    }
    let script = "echo id $$ parent $PPID; for one in /proc/[0-9]*; do echo seen ${one#/proc/}; done; cat";
    let sh = alone(output(sh(script), "^seen")).start().unwrap();
    sh.write_stdin("end\n").unwrap();
    sh.wait_for_output("^end$", HANG).unwrap();
    let text = sh.stdout();
    let (first, seen) = text.split_once('\n').unwrap();
    let id: u32 = first.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(id < 10 && first.ends_with("parent 1"), "{text}");
    let seen: Vec<u32> = seen.lines().filter_map(|line| line.strip_prefix("seen ")?.parse().ok()).collect();
    assert_eq!(seen, [1, id]);
}

#[test]
fn the_test_knows_it_by_the_id_that_ps_shows() {
    if !may(Isolation::Pid) {
        return;
    }
    let child = child("env_dump");
    let process = alone(output(child.with("--stay"), "^end:")).start().unwrap();
    let (pid, dump) = (process.pid().unwrap(), dump_of(&process));
    assert_ne!(pid, dump.number("pid"));
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/exe")).unwrap(), child.path());
    let shim = parent(pid).unwrap();
    assert_eq!(children(shim), [pid]);
    // Its shim is a child of the guardian, which is one of ours.
    assert_eq!(parent(parent(shim).unwrap()), Some(std::process::id()));
    assert_eq!((dump.number("ppid"), dump.number("uid")), (1, nix::unistd::getuid().as_raw()));
}

#[test]
fn what_it_leaves_in_the_background_is_known_by_that_id_too() {
    if !may(Isolation::Pid) {
        return;
    }
    let child = child("daemonizer");
    let process = alone(simple(child.with("{port}"))).start().unwrap();
    wait_until(|| process.exit().is_some_and(|exit| exit.success()));
    let pid = process.pid().unwrap();
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/exe")).unwrap(), child.path());
    process.stop().unwrap();
    assert_eq!(process.pid(), None);
}

#[test]
fn a_server_is_proven_to_be_ours() {
    if !may(Isolation::Pid) {
        return;
    }
    let child = child("slow");
    let server = alone(tcp(child.with("5 {port}"), 0)).start().unwrap();
    assert!(std::net::TcpStream::connect(server.addr()).is_ok());
    server.restart(Restart::Forced).unwrap();
    assert!(std::net::TcpStream::connect(server.addr()).is_ok());
    let site = alone(http("python3 -m http.server --bind {host} {port}", "/"));
    assert!(site.start().unwrap().is_alive());
}

#[test]
fn signals_and_pauses_reach_it() {
    if !may(Isolation::Pid) {
        return;
    }
    let child = child("forks");
    let process = alone(output(child.with("3 --setsid"), "^forked 3$")).start().unwrap();
    let pid = process.pid().unwrap();
    let all = || [children(pid), vec![pid]].concat();
    let are = |state: char| {
        move || all().iter().all(|pid| stat(*pid).is_some_and(|stat| (stat.state == 'T') == (state == 'T')))
    };
    assert_eq!(all().len(), 4);
    process.pause().unwrap();
    wait_until(are('T'));
    process.resume().unwrap();
    wait_until(are('S'));
    process.signal(Signal::Kill).unwrap();
    assert_eq!(process.wait().unwrap().signal(), Some(9));
}

#[test]
fn no_signal_of_its_own_ends_its_shim() {
    if !may(Isolation::Pid) {
        return;
    }
    let child = child("sleeper");
    let script = format!("{} & read line; kill -KILL 1; kill -KILL -1; echo still here; cat", child.with(""));
    let sh = alone(simple(sh(script))).start().unwrap();
    wait_until(|| child.count() == 1);
    sh.write_stdin("now\n").unwrap();
    // The second one killed all of it but the shim, and the shell by which it was sent is spared by `kill(2)`.
    sh.wait_for_output("^still here$", HANG).unwrap();
    wait_until(|| child.count() == 0);
    assert!(sh.is_alive());
    sh.stop().unwrap();
}

#[test]
fn every_end_reaches_all_descendants() {
    if !may(Isolation::Pid) {
        return;
    }
    for (name, arguments, line) in [
        ("daemon", "", "^daemon"),
        ("daemon_bare", "", "^daemon"),
        ("forks", "20 --setsid", "^forked 20$"),
        ("hopper", "", "^hopping$"),
        ("deaf", "", "^deaf"),
    ] {
        let child = child(name);
        let spec = alone(output(child.with(arguments), line)).stop_timeout(Duration::from_millis(50));
        let process = spec.start().unwrap();
        assert!(child.count() > 0, "{name}");
        drop(process);
        assert_eq!(child.count(), 0, "{name}");
    }
}

#[test]
fn when_its_shim_is_killed_the_kernel_leaves_nothing() {
    if !may(Isolation::Pid) {
        return;
    }
    for (name, arguments, line) in [("daemon", "", "^daemon"), ("forks", "20 --setsid", "^forked")] {
        let child = child(name);
        let process = alone(output(child.with(arguments), line)).start().unwrap();
        let shim = parent(process.pid().unwrap()).unwrap();
        kill(raw(shim), Sig::SIGKILL).unwrap();
        assert!(process.wait().unwrap_err().is_guardian_lost());
        assert_eq!(child.count(), 0, "{name}");
    }
}

#[test]
fn an_orphan_that_ends_is_not_the_process() {
    if !may(Isolation::Pid) {
        return;
    }
    // Each of the three is an orphan at once, and has ended before the line.
    let script = "for one in 1 2 3; do (setsid sh -c 'echo orphan; exit 3' &); done; cat";
    let process = alone(output(sh(script), "^orphan$")).start().unwrap();
    wait_until(|| process.stdout().lines().count() == 3);
    let shim = parent(process.pid().unwrap()).unwrap();
    wait_until(|| children(shim).len() == 1);
    process.write_stdin("up\n").unwrap();
    process.wait_for_output("^up$", HANG).unwrap();
    assert!(process.is_alive());
}

#[test]
fn what_it_mounts_hides_nothing_from_its_shim() {
    if !may(Isolation::Pid) || !nix::unistd::geteuid().is_root() {
        return left_out::because("who is not root may not mount");
    }
    let sleeper = child("sleeper");
    // Its descendants are found by `/proc`, and its log lies below the temporary directory or elsewhere.
    let start = sleeper.with("");
    let script = format!("setsid {start} & setsid {start} & mount -t tmpfs none /proc; echo up; read end");
    let process = alone(output(sh(script), "^up$")).start().unwrap();
    wait_until(|| sleeper.count() == 2);
    // Not an error that says that a shim had to be killed.
    process.stop().unwrap();
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn it_may_be_another_user() {
    if !may(Isolation::Pid) || !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can");
    }
    let spec = alone(simple("sh -c 'id -un; cut -d\" \" -f1 /proc/self/stat; touch {dir}/mine'").user("nobody"));
    let process = spec.may_exit().start().unwrap();
    assert!(process.wait().unwrap().success(), "{}", process.output());
    let text = process.stdout();
    let (name, id) = text.trim_end().split_once('\n').unwrap();
    assert!(name == "nobody" && id.parse::<u32>().unwrap() < 10, "{text}");
}

/// What a guardian and its shims cannot promise: that one of them is left. `PKIT_CRASH_LOOPS` is how often.
#[test]
fn when_all_of_us_are_killed_at_one_moment_the_kernel_leaves_nothing() {
    if !may(Isolation::Pid) {
        return;
    }
    let loops = std::env::var("PKIT_CRASH_LOOPS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    for round in 0..loops {
        // Of its own, so that there is nothing in it for which its guardian would send a janitor as well.
        let temporary = std::env::temp_dir().join(format!("pi-{}-{round}", std::process::id()));
        std::fs::create_dir(&temporary).unwrap();
        let victim = victim("isolate::has_daemons_of_all_kinds").with("daemon").with("daemon_bare");
        let victim = victim.with("forks").with("hopper").env("TMPDIR", temporary.to_str().unwrap());
        let (mut process, _output) = victim.spawned_until("up");
        // Test, guardian, a shim for each, and the spare one, which is forked a moment after a start.
        wait_until(|| survivors(victim.binary()).len() == 1 + 1 + 4 + 1);
        let all: Vec<Pid> = survivors(victim.binary()).into_iter().map(raw).collect();
        // Whoever is stopped does nothing between the first kill and the last; and without it they may.
        if round % 2 == 0 {
            all.iter().for_each(|pid| kill(*pid, Sig::SIGSTOP).unwrap());
        }
        all.iter().for_each(|pid| _ = kill(*pid, Sig::SIGKILL));
        process.wait().unwrap();
        for name in ["daemon", "daemon_bare", "forks", "hopper"] {
            wait_until(|| victim.count(name) == 0);
        }
        let _ = wait_gone(victim.binary(), HANG);
        std::fs::remove_dir_all(&temporary).unwrap();
    }
}

/// Also those who are told by somebody's id, or look into a network.
#[test]
fn every_probe_sees_it_wherever_it_is() {
    for isolation in [Isolation::Pid, Isolation::Net] {
        if !may(isolation) {
            continue;
        }
        let [notifier, server, slow] = ["notifier", "unix_server", "slow"].map(child);
        let by_itself = notify(notifier.with("READY=1")).isolate(isolation);
        assert!(by_itself.start().unwrap().is_alive());
        let by_child = notify(notifier.with("--by child READY=1")).isolate(isolation);
        assert!(by_child.start().unwrap().is_alive());
        let socket = unix(server.with("{dir}/s"), "{dir}/s").isolate(isolation);
        assert!(socket.start().unwrap().is_alive());
        let file = file("sh -c 'echo 1 > {dir}/pid; sleep 60'", "{dir}/pid").isolate(isolation);
        assert!(file.start().unwrap().is_alive());
        let own = Spec::new(slow.with("0 {port}")).ready(poll(|view| view.owns(view.addr()))).isolate(isolation);
        assert!(own.start().unwrap().is_alive());
    }
}
