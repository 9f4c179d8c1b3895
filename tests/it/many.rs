//! Many at once and many after each other.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _, stdin};
use std::process::{Child as StdChild, Stdio};
use std::thread;
use std::time::Duration;

use pkit_test::{Orchestra, Process, Spec, Stack, http, orchestrate, output, simple, tcp};
use pkit_test_tests::nested::until;
use pkit_test_tests::process::{children, cpu_ticks, fds, threads};

use crate::alone::{again, alone, is_alone};
use crate::child::{Child, HANG, child, wait_until};

const THREADS: usize = 200;
const NAMES: [&str; 3] = ["one", "two", "three"];

fn three(slow: &Child) -> Orchestra {
    NAMES.map(|name| (name, tcp(slow.with("0 {port}"), 0).start_timeout(HANG * 5))).into_iter().collect()
}

fn ports(stack: &Stack) -> Vec<u16> {
    NAMES.iter().map(|name| stack[name].port()).collect()
}

#[test]
fn two_hundred_threads_get_a_port_each_for_three_processes() {
    alone(|| {
        let slow = child("slow");
        let stacks: Vec<Stack> = thread::scope(|scope| {
            let starts: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| three(&slow).start().unwrap())).collect();
            starts.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let all: BTreeSet<u16> = stacks.iter().flat_map(ports).collect();
        assert_eq!((all.len(), slow.count()), (3 * THREADS, 3 * THREADS));
        thread::scope(|scope| {
            for stack in stacks {
                scope.spawn(move || drop(stack));
            }
        });
        assert_eq!(slow.count(), 0);
        // A shim ends after what it had to say of its service; one may wait for the next start.
        wait_until(|| ours().1.len() <= 1);
    });
}

#[test]
fn eight_test_processes_at_once_get_different_ports() {
    if is_alone() {
        return three_until_told();
    }
    let start = |_| again().stdin(Stdio::piped()).spawn().expect("this binary can be executed");
    let mut processes: Vec<StdChild> = (0..8).map(start).collect();
    let told: Vec<u16> = processes.iter_mut().flat_map(told_ports).collect();
    assert_eq!((told.len(), told.iter().collect::<BTreeSet<_>>().len()), (24, 24), "{told:?}");
    for mut process in processes {
        drop(process.stdin.take());
        let mut rest = String::new();
        // Also the proof that nobody else holds its output.
        process.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
        assert!(process.wait().unwrap().success(), "{rest}");
    }
}

/// Holds three processes until its stdin ends.
fn three_until_told() {
    let slow = child("slow");
    let stack = three(&slow).start().unwrap();
    let ports: Vec<String> = ports(&stack).iter().map(u16::to_string).collect();
    eprintln!("ports {}", ports.join(" "));
    stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(stack);
    assert_eq!(slow.count(), 0);
    std::io::stderr().flush().unwrap();
}

fn told_ports(process: &mut StdChild) -> Vec<u16> {
    let mut reader = BufReader::new(process.stderr.as_mut().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        if let Some(ports) = line.strip_prefix("ports ") {
            return ports.split_whitespace().map(|port| port.parse().unwrap()).collect();
        }
        line.clear();
    }
    panic!("it ended without a word: {:?}", process.wait());
}

/// What must not grow: descriptors and threads of the test and of the guardian, and the number of shims.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Uses {
    test: (usize, usize),
    guardian: (usize, usize),
    shims: usize,
}

impl Uses {
    pub(crate) fn now() -> Uses {
        let (guardian, shims) = ours();
        let of = |pid| (fds(pid).unwrap(), threads(pid).unwrap());
        Uses { test: of(std::process::id()), guardian: of(guardian), shims: shims.len() }
    }
}

/// The guardian and its shims.
fn ours() -> (u32, Vec<u32>) {
    let own = children(std::process::id());
    let [guardian] = own.as_slice() else { panic!("a test has one guardian, not {own:?}") };
    (*guardian, children(*guardian))
}

/// Pages that are nobody else's. What is shared with other processes of this binary counts differently as they come
/// and go.
fn own_memory_kb(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap()
}

#[test]
fn five_hundred_starts_and_stops_leave_no_trace() {
    alone(|| {
        const WARM_UP: usize = 100;
        const STARTS: usize = 500;
        // Growth by a hundred bytes a start is a leak; allocators and stacks may still find their size.
        const SLACK_KB: u64 = 256;
        let sleeper = child("sleeper");
        let spec = output(sleeper.with(""), "sleeper").env("PLACE", "{port} {dir}");
        let memory = || [own_memory_kb(std::process::id()), own_memory_kb(ours().0)];
        let turn = |index: usize| {
            let process = spec.clone().start().unwrap();
            if index % 2 == 0 { process.kill().unwrap() } else { process.stop().unwrap() }
        };
        (0..WARM_UP).for_each(turn);
        let idle = settled();
        let (uses, used_kb) = (Uses::now(), memory());
        drop(idle);
        (0..STARTS).for_each(turn);
        let idle = settled();
        // A thread of the test may be on its last steps; what has leaked stays.
        let _ = until(HANG, || (Uses::now() == uses).then_some(()));
        assert_eq!(Uses::now(), uses);
        let grown = memory().into_iter().zip(used_kb).map(|(now, before)| now.saturating_sub(before));
        let grown: Vec<u64> = grown.collect();
        assert!(grown.iter().all(|kb| *kb <= SLACK_KB), "test and guardian grew by {grown:?} KB");
        drop(idle);
    });
}

/// A shim may be made ready for the next start, and that takes a moment. So does the end of one whose process is gone:
/// what is returned is to be kept while somebody counts.
pub(crate) fn settled() -> Process {
    let idle = simple("sleep 600").start().unwrap();
    assert!(idle_window(&idle), "the guardian or a shim is never idle");
    idle
}

/// How often a process was given a processor and gave it up: not at all while it is idle, however busy the machine is.
fn switches(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let counts = text.lines().filter(|line| line.contains("ctxt_switches:"));
    Some(counts.filter_map(|line| line.rsplit(char::is_whitespace).next()?.parse::<u64>().ok()).sum())
}

/// Waits for a second in which the guardian and its shims do nothing at all, and returns whether there was one.
fn idle_window(process: &Process) -> bool {
    let looks = || -> Vec<(u32, Option<u64>)> {
        let (guardian, shims) = ours();
        [guardian].into_iter().chain(shims).map(|pid| (pid, switches(pid))).collect()
    };
    (0..60).any(|_| {
        let before = looks();
        assert_eq!(process.wait_timeout(Duration::from_secs(1)).unwrap(), None);
        looks() == before
    })
}

#[test]
fn what_is_ready_costs_nothing() {
    alone(|| {
        // In clock ticks of 10 ms: asking procfs is some of it.
        const SLACK: u64 = 3;
        let (slow, sleeper) = (child("slow"), child("sleeper"));
        let specs: [(&str, Spec); 4] = [
            ("simple", simple(sleeper.with(""))),
            ("output", output(sleeper.with(""), "sleeper")),
            ("tcp", tcp(slow.with("0 {port}"), 0)),
            ("http", http(slow.with("0 {port}"), "/")),
        ];
        let stack = orchestrate(specs).start().unwrap();
        let own = || cpu_ticks(std::process::id()).unwrap();
        assert!(idle_window(&stack["simple"]), "the guardian or a shim is never idle");
        // Time in which the machine is somebody else's may be counted as ours.
        let is_idle = (0..10).any(|_| {
            let before = own();
            assert_eq!(stack["tcp"].wait_timeout(Duration::from_secs(1)).unwrap(), None);
            own() <= before + SLACK
        });
        assert!(is_idle, "the test works while it waits");
    });
}
