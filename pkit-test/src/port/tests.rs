use std::any::Any;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, stdin};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use nix::unistd::Uid;

use super::bind::Bind;
use super::*;
use crate::sys::wait::eventually;

/// What a child that runs [`child`] does, in one variable of its environment.
const TASK: &str = "PKIT_TEST_UNIT_PORT_TASK";
const NOBODY: u32 = 65_534;

/// The same test binary as a process of its own. It ends when this value is dropped.
struct Neighbour {
    process: Child,
    stdin: Option<ChildStdin>,
    said: String,
}

impl Neighbour {
    fn new(task: &str) -> Neighbour {
        Neighbour::of(Command::new(std::env::current_exe().unwrap()), task)
    }

    fn as_nobody(task: &str) -> Neighbour {
        let mut command = Command::new(std::env::current_exe().unwrap());
        if Uid::effective().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Neighbour::of(command, task)
    }

    fn of(mut command: Command, task: &str) -> Neighbour {
        command.args(["--exact", "port::tests::child", "--nocapture", "--test-threads=1"]).env(TASK, task);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        // The harness may have begun this very line.
        let said = lines.find_map(|line| line.split_once("said: ").map(|(_, said)| said.to_owned()));
        let stdin = process.stdin.take();
        Neighbour { process, stdin, said: said.expect("the neighbour says something") }
    }

    fn pid(&self) -> i32 {
        self.process.id() as i32
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}

#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let words: Vec<_> = task.split(' ').collect();
    let held: Box<dyn Any> = match words[..] {
        ["reserve", count] => {
            let ports: Vec<_> = (0..count.parse().unwrap()).map(|_| Port::any().unwrap()).collect();
            say(&ports.iter().map(|port| port.number().to_string()).collect::<Vec<_>>().join(","));
            Box::new(ports)
        }
        ["fixed", number] => {
            let port = Port::fixed(number.parse().unwrap());
            say(&port.as_ref().map_or_else(ToString::to_string, |port| port.number().to_string()));
            Box::new(port)
        }
        ["listen", addr] => {
            let listener = TcpListener::bind(addr).unwrap();
            say(&listener.local_addr().unwrap().to_string());
            Box::new(listener)
        }
        ["listen-secretly", addr] => {
            procfs::forbid_looking().unwrap();
            let listener = TcpListener::bind(addr).unwrap();
            say(&listener.local_addr().unwrap().to_string());
            Box::new(listener)
        }
        ["judge", addr, root] => {
            let verdict = owner(&Diag::open(), addr.parse().unwrap(), root.parse().unwrap(), false);
            say(&format!("{:?}", verdict.unwrap()));
            Box::new(())
        }
        _ => panic!("{task}"),
    };
    // The parent's end is closed when it is done with us.
    let _ = stdin().read(&mut [0]);
    drop(held);
}

fn pool_of(ports: RangeInclusive<u16>, contested: bool) -> Pool {
    Pool { ports, contested, reserved: Vec::new() }
}

fn say(text: &str) {
    println!("said: {text}");
}

fn own_pid() -> i32 {
    std::process::id() as i32
}

/// Many containers have no IPv6; what is about it has nothing to look at there.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn the_pool_is_below_what_the_kernel_gives_away() {
    for (ephemeral, ports, contested) in [
        (32_768..=60_999, 10_240..=32_767, false),
        (15_000..=65_535, 10_240..=14_999, false),
        (11_239..=65_535, 1_024..=11_238, false),
        (10_000..=65_535, 1_024..=9_999, false),
        (2_024..=65_535, 1_024..=2_023, false),
        (2_023..=65_535, 2_023..=65_535, true),
        (1_024..=65_535, 1_024..=65_535, true),
        (1..=65_535, 1_024..=65_535, true),
        (40_000..=40_000, 10_240..=39_999, false),
        (1_024..=60_999, 61_000..=65_535, false),
        (1..=1, 10_240..=65_535, false),
        (1_024..=1_024, 10_240..=65_535, false),
        (1_500..=64_999, 1_500..=65_535, true),
    ] {
        let system = System { ephemeral: ephemeral.clone(), unprivileged: 1_024, reserved: Vec::new() };
        assert_eq!(Pool::of(system), pool_of(ports, contested), "{ephemeral:?}");
    }
}

#[test]
fn the_pool_needs_no_rights() {
    for (ephemeral, unprivileged, ports, contested) in [
        (32_768..=60_999, 0, 10_240..=32_767, false),
        (32_768..=60_999, 20_000, 20_000..=32_767, false),
        (32_768..=60_999, 32_000, 61_000..=65_535, false),
        (32_768..=60_999, 40_000, 61_000..=65_535, false),
        (32_768..=60_999, 65_000, 65_000..=65_535, true),
        (1_024..=65_535, 50_000, 50_000..=65_535, true),
        (1_024..=65_535, 65_535, 65_535..=65_535, true),
    ] {
        let system = System { ephemeral, unprivileged, reserved: Vec::new() };
        assert_eq!(Pool::of(system.clone()), pool_of(ports, contested), "{system:?}");
    }
}

#[test]
fn what_is_set_aside_comes_last() {
    let free = (12_000..=14_000)
        .find(|number| {
            Pool { reserved: vec![1..=1], ..pool_of(*number..=*number + 2, false) }
                .take(0)
                .is_ok_and(|port| port.number() == *number)
        })
        .unwrap();
    let pool = Pool { reserved: vec![free..=free], ..pool_of(free..=free + 2, false) };
    eventually(|| pool.take(0).is_ok_and(|port| port.number() != free));
    let all_of_it = Pool { reserved: vec![1..=65_535], ..pool };
    eventually(|| all_of_it.take(0).is_ok());
}

#[test]
fn every_port_of_the_pool_comes_once() {
    let pool = pool_of(5..=9, false);
    assert_eq!(pool.from(0).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    assert_eq!(pool.from(u64::MAX).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    assert_eq!(pool.from(3).collect::<Vec<_>>(), [8, 9, 5, 6, 7]);
    let to_the_end = pool_of(65_534..=65_535, true);
    assert_eq!(to_the_end.from(1).collect::<Vec<_>>(), [65_535, 65_534]);
}

#[test]
fn beginnings_differ() {
    assert_eq!((0..100).map(|_| random()).collect::<HashSet<_>>().len(), 100);
}

#[test]
fn a_port_is_below_the_ephemeral_range_and_can_be_served() {
    let port = Port::any().unwrap();
    let first = *socket::ephemeral_ports().unwrap().start();
    assert!(port.number() < first || first < 2_024);
    let listener = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
    TcpStream::connect(listener.local_addr().unwrap()).unwrap();
}

#[test]
fn processes_never_get_the_same_port() {
    let start = |at| if at % 2 == 0 { Neighbour::new("reserve 150") } else { Neighbour::as_nobody("reserve 150") };
    let neighbours: Vec<_> = (0..4).map(start).collect();
    let here: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..50).map(|_| Port::any().unwrap()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let theirs =
        neighbours.iter().flat_map(|neighbour| neighbour.said.split(',')).map(|number| number.parse().unwrap());
    let all: Vec<u16> = here.iter().map(Port::number).chain(theirs).collect();
    assert_eq!(all.len(), 4 * 150 + 4 * 50);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

#[test]
fn a_held_port_is_said_with_who_holds_it() {
    let free = Port::any().unwrap().number();
    eventually(|| Holder::of(free).is_none());
    let own = Port::fixed(free).unwrap();
    assert_eq!(Holder::of(free), Some(Holder::ThisProcess));
    drop(own);
    eventually(|| Holder::of(free).is_none());
    let neighbour = Neighbour::new(&format!("fixed {free}"));
    let holder = Holder::of(free);
    assert!(matches!(&holder, Some(Holder::Other { pid, .. }) if *pid == neighbour.pid()), "{holder:?}");
}

#[test]
fn fixed_ports_are_taken_together_or_not_at_all() {
    let [one, two] = [Port::any().unwrap(), Port::any().unwrap()];
    let numbers = [one.number(), two.number()];
    drop(one);
    let trouble = Port::fixed_all(&numbers).unwrap_err();
    assert!(matches!(trouble, (number, PortTrouble::HeldByTest { .. }) if number == two.number()));
    eventually(|| Port::fixed(numbers[0]).is_ok());
    drop(two);
    eventually(|| Port::fixed_all(&numbers).is_ok_and(|ports| ports.len() == 2));
}

#[test]
fn tests_that_want_the_same_few_ports_share_them_out() {
    // Every thread begins at the same port, so that each has to pass what the others hold.
    let pool = pool_of(12_000..=14_000, false);
    let taken: Vec<_> = std::thread::scope(|scope| {
        let take = || (0..50).map(|_| pool.take(7).unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(taken.iter().map(Port::number).collect::<HashSet<_>>().len(), 200);
}

#[test]
fn a_pool_can_be_exhausted() {
    let all = Port::any().unwrap();
    let pool = pool_of(all.number()..=all.number(), false);
    assert_eq!(pool.take(1).unwrap_err().to_string(), format!("no port of {0} to {0} is free", all.number()));
}

#[test]
fn a_port_is_free_again_when_its_last_hold_is_gone() {
    let port = Port::any().unwrap();
    let number = port.number();
    assert!(matches!(Port::fixed(number), Err(PortTrouble::HeldByTest { port, .. }) if port == number));
    let hold = port.into_hold();
    let elsewhere = hold.try_clone().unwrap();
    drop(hold);
    assert!(matches!(Port::fixed(number), Err(PortTrouble::HeldByTest { .. })));
    drop(elsewhere);
    eventually(|| Port::fixed(number).is_ok());
}

#[test]
fn a_port_is_held_over_processes_and_users() {
    let number = Port::any().unwrap().number();
    eventually(|| Holder::of(number).is_none());
    let neighbour = Neighbour::as_nobody(&format!("fixed {number}"));
    assert_eq!(neighbour.said, number.to_string());
    assert_eq!(Port::fixed(number).unwrap_err().to_string(), format!("port {number} is held by another test"));
    drop(neighbour);
    eventually(|| Port::fixed(number).is_ok());
}

/// As much of it as is shown in any case: the rest of a long path is not.
fn begin_of_our_command() -> String {
    std::env::current_exe().unwrap().display().to_string().chars().take(60).collect()
}

#[test]
fn a_fixed_port_is_taken_by_who_listens() {
    let neighbour = Neighbour::new("listen 127.0.0.1:0");
    let addr: SocketAddr = neighbour.said.parse().unwrap();
    let trouble = Port::fixed(addr.port()).unwrap_err();
    assert!(
        matches!(&trouble, PortTrouble::Taken { by: Server::Process { pid, .. }, .. } if *pid == neighbour.pid()),
        "{trouble}"
    );
    let text = trouble.to_string();
    assert!(text.starts_with(&format!("port {} is taken by pid {}: ", addr.port(), neighbour.pid())), "{text}");
    assert!(text.contains(&begin_of_our_command()), "{text}");
    drop(neighbour);
    eventually(|| Port::fixed(addr.port()).is_ok());
}

#[test]
fn only_listeners_that_local_clients_find_take_a_fixed_port() {
    for (bound, taken) in [("0.0.0.0", true), ("::", true), ("::1", true), ("127.0.0.1", true), ("127.0.0.53", false)] {
        if bound == "::1" && !has_ipv6() {
            continue;
        }
        // None that the kernel gives away: at another address somebody else could have it.
        let number = Port::any().unwrap().number();
        eventually(|| Holder::of(number).is_none());
        let _listener = TcpListener::bind((bound, number)).unwrap();
        let port = Port::fixed(number);
        assert_eq!(matches!(port, Err(PortTrouble::Taken { .. })), taken, "{bound} {port:?}");
        assert_eq!(port.is_ok(), !taken, "{bound} {port:?}");
    }
}

#[test]
fn zero_is_not_a_port() {
    assert_eq!(Port::fixed(0).unwrap_err().to_string(), "0 is not a port that can be fixed");
}

/// Ends a connection so that the server's side of it stays in `TIME_WAIT`.
fn leave_time_wait(number: u16) {
    let listener = TcpListener::bind(("127.0.0.1", number)).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    drop(listener.accept().unwrap().0);
    // The end of the stream says that the server was first to close.
    client.read_exact(&mut [0]).unwrap_err();
}

#[test]
fn a_port_in_time_wait_is_passed_over_but_can_be_fixed() {
    let number = Port::any().unwrap().number();
    leave_time_wait(number);
    let next = pool_of(number..=number + 20, false);
    eventually(|| next.take(0).unwrap().number() != number);
    assert!(Bind::Exclusively.free_guard(number).unwrap().is_none());
    eventually(|| Port::fixed(number).is_ok());
    let last_resort = pool_of(number..=number, false);
    eventually(|| last_resort.take(0).is_ok_and(|port| port.number() == number));
}

#[test]
fn ports_of_others_are_passed_over() {
    for bound in ["127.0.0.1", "0.0.0.0", "::1", "::", "127.0.0.2"] {
        if bound == "::1" && !has_ipv6() {
            continue;
        }
        let number = Port::any().unwrap().number();
        let listener = TcpListener::bind((bound, number)).unwrap();
        for bind in [Bind::Exclusively, Bind::Shared] {
            assert!(bind.free_guard(number).unwrap().is_none(), "{bound} {bind:?}");
        }
        drop(listener);
    }
}

#[test]
fn a_contested_port_is_kept_from_the_kernel_and_left_to_the_server() {
    let first = 61_000;
    let pool = pool_of(first..=first + 200, true);
    let port = pool.take(random()).unwrap();
    let number = port.number();
    // No one gets it exclusively, which is how the kernel and other tests of ours look for a free one.
    assert!(Bind::Exclusively.free_guard(number).unwrap().is_none());
    assert!(pool_of(number..=number, true).take(0).is_err());
    for addr in ["127.0.0.1", "0.0.0.0", "::"] {
        eventually(|| TcpListener::bind((addr, number)).is_ok());
    }
    let hold = port.into_hold();
    assert!(Bind::Exclusively.free_guard(number).unwrap().is_none());
    drop(hold);
    eventually(|| Bind::Exclusively.free_guard(number).unwrap().is_some());
}

fn verdict(addr: SocketAddr, root: i32) -> Owner {
    owner(&Diag::open(), addr, root, false).unwrap()
}

#[test]
fn a_listener_of_our_tree_is_ours() {
    for bound in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
        let neighbour = Neighbour::new(&format!("listen {bound}"));
        let addr: SocketAddr = neighbour.said.parse().unwrap();
        let asked = SocketAddr::from(([127, 0, 0, 1], addr.port()));
        for root in [neighbour.pid(), own_pid()] {
            assert_eq!(verdict(asked, root), Owner::Ours(addr), "{bound}");
        }
    }
}

#[test]
fn a_listener_of_another_is_foreign_and_named() {
    let neighbour = Neighbour::new("listen 0.0.0.0:0");
    let other = Neighbour::new("listen 127.0.0.1:0");
    let addr: SocketAddr = neighbour.said.parse().unwrap();
    let asked = SocketAddr::from(([127, 0, 0, 1], addr.port()));
    let Owner::Foreign { pid, command, addr: at } = verdict(asked, other.pid()) else { panic!("not foreign") };
    assert_eq!((pid, at), (neighbour.pid(), addr));
    assert!(matches!(verdict(asked, 0), Owner::Foreign { pid, .. } if pid == neighbour.pid()));
    assert!(command.starts_with(&begin_of_our_command()), "{command}");
    assert_eq!(owner(&Diag::open(), asked, other.pid(), true).unwrap(), Owner::Ours(addr));
}

#[test]
fn a_foreign_listener_beside_ours_counts() {
    let number = Port::any().unwrap().number();
    let ours = Neighbour::new(&format!("listen 127.0.0.1:{number}"));
    let asked = ours.said.parse().unwrap();
    let unreachable = Neighbour::new(&format!("listen 127.0.0.2:{number}"));
    assert!(matches!(verdict(asked, ours.pid()), Owner::Ours(_)));
    drop(unreachable);
    if !has_ipv6() {
        return;
    }
    let v6 = Neighbour::new(&format!("listen [::1]:{number}"));
    assert!(matches!(verdict(asked, ours.pid()), Owner::Ours(_)));
    assert!(matches!(verdict(v6.said.parse().unwrap(), ours.pid()), Owner::Foreign { pid, .. } if pid == v6.pid()));
}

#[test]
fn a_listener_of_ipv6_alone_is_elsewhere() {
    if !has_ipv6() {
        return;
    }
    // None that the kernel gives away: at another address somebody else could have it.
    let number = Port::any().unwrap().number();
    let neighbour = Neighbour::new(&format!("listen [::1]:{number}"));
    let addr: SocketAddr = neighbour.said.parse().unwrap();
    let asked = SocketAddr::from(([127, 0, 0, 1], addr.port()));
    assert_eq!(verdict(asked, neighbour.pid()), Owner::Nobody);
    let diag = Diag::open();
    assert_eq!(listens_elsewhere(&diag, neighbour.pid(), &[]), [addr]);
    assert!(listens_elsewhere(&diag, own_pid(), &[]).contains(&addr));
    let silent = Neighbour::new("reserve 1");
    assert_eq!(listens_elsewhere(&diag, silent.pid(), &[]), []);
}

#[test]
fn a_listener_that_may_not_be_looked_at_is_unknown() {
    let neighbour = Neighbour::as_nobody("listen-secretly 127.0.0.1:0");
    for root in [neighbour.pid(), own_pid()] {
        let judge = Neighbour::as_nobody(&format!("judge {} {root}", neighbour.said));
        assert_eq!(judge.said, format!("Unknown({})", neighbour.said));
    }
}

#[test]
fn what_a_port_costs() {
    let began = Instant::now();
    let ports: Vec<_> = (0..100).map(|_| Port::any().unwrap()).collect();
    println!("any: {:?}", began.elapsed() / 100);
    let diag = Diag::open();
    let listener = TcpListener::bind(("127.0.0.1", ports[0].number())).unwrap();
    let neighbour = Neighbour::new("listen 127.0.0.1:0");
    for (addr, root) in
        [(listener.local_addr().unwrap(), own_pid()), (neighbour.said.parse().unwrap(), neighbour.pid())]
    {
        let began = Instant::now();
        for _ in 0..100 {
            assert!(matches!(owner(&diag, addr, root, false).unwrap(), Owner::Ours(_)));
        }
        println!("owner: {:?}", began.elapsed() / 100);
    }
}
