//! A test with a network of its own: what is in it, who is in it, and the way back.

use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use expect_test::expect;
use pkit_test::{
    Executor, Ground, Isolation, Process, Restart, Result, Signal, Spec, Supervision, orchestra, orchestrate,
    orchestrated, simple, tcp, with_processes,
};
use pkit_test_tests::left_out::server;

use super::{may, place_of_thread};
use crate::child::{Child, HANG, child};
use crate::nested::victim;
use crate::text::normalised;

/// A web server at a port, in a network of its own.
fn web(child: &Child, port: u16) -> Spec {
    tcp(child.with("0 {port}"), port).isolate(Isolation::Net)
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Whether a process is where the calling thread is.
fn is_here(process: &Process) -> bool {
    let place = std::fs::read_link(format!("/proc/{}/ns/net", process.pid().unwrap())).unwrap();
    place == place_of_thread()
}

#[test]
fn the_same_port_is_that_of_every_test() {
    if !may(Isolation::Net) {
        return;
    }
    let child = child("slow");
    // Eight at one moment, each until all of them have been up.
    let barrier = std::sync::Barrier::new(8);
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                let before = place_of_thread();
                let stack = [("web", web(&child, 80)), ("database", web(&child, 5432))];
                orchestrated(stack, |stack| {
                    assert!(answers(80) && answers(5432) && !answers(81));
                    assert!(is_here(&stack["web"]) && place_of_thread() != before);
                    assert_eq!(stack["web"].url("/"), "http://127.0.0.1:80/");
                    barrier.wait();
                })
                .unwrap();
                assert_eq!(place_of_thread(), before);
            });
        }
    });
}

#[test]
fn so_is_that_of_a_real_server() {
    let Some(redis) = server("redis") else { return };
    if !may(Isolation::Net) {
        return;
    }
    let spec = || tcp(format!("{} --port {{port}} --save ''", redis.display()), 6379).isolate(Isolation::Net);
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| orchestrated([("redis", spec())], |_| assert!(answers(6379))).unwrap());
        }
    });
}

#[test]
fn both_loopbacks_are_up_and_nothing_else_is_there() {
    if !may(Isolation::Net) {
        return;
    }
    let child = child("slow");
    let v6 = tcp(child.with("0 {port} --host ::1"), 80).host("::1").isolate(Isolation::Net);
    orchestrated([("v6", v6), ("v4", web(&child, 81))], |_| {
        assert!(TcpStream::connect("[::1]:80").is_ok() && answers(81));
        let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let names: Vec<&str> =
            devices.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
        assert_eq!(
            names.iter().filter(|name| !name.contains("tun") && !name.contains("sit")).collect::<Vec<_>>(),
            [&"lo"],
            "{names:?}"
        );
    })
    .unwrap();
}

#[test]
fn the_thread_comes_back_whatever_the_end() {
    if !may(Isolation::Net) {
        return;
    }
    let (child, home) = (child("slow"), place_of_thread());
    let member = || [("web", web(&child, 80))];
    let panicked = catch_unwind(AssertUnwindSafe(|| orchestrated(member(), |_| panic!("on purpose"))));
    assert!(panicked.is_err() && place_of_thread() == home, "after a panic");
    let failed = orchestrated([("web", simple("no-such-program").isolate(Isolation::Net))], |_| ());
    assert!(failed.is_err() && place_of_thread() == home, "after a start that failed");
    assert!(web(&child, 0).env("A", "{nobody.port}").start().is_err() && place_of_thread() == home, "before one");
    let stack = orchestrate(member()).start().unwrap();
    assert!(answers(80) && place_of_thread() != home);
    drop(stack);
    assert_eq!(place_of_thread(), home, "with its stack");
    let bare = web(&child, 80).start().unwrap();
    assert!(answers(80) && place_of_thread() != home);
    drop(bare);
    assert_eq!(place_of_thread(), home, "with its handle");
}

#[test]
fn the_attribute_comes_back_too() {
    #[with_processes(web = web(child, 80))]
    fn fails(child: &Child, web: &Process) -> std::result::Result<(), String> {
        assert!(answers(80) && is_here(web));
        Err("as it should".to_owned())
    }
    #[with_processes(web = web(child, 80))]
    fn passes(child: &Child, web: Process) {
        assert!(answers(web.port()) && is_here(&web));
    }
    if !may(Isolation::Net) {
        return;
    }
    let (child, home) = (child("slow"), place_of_thread());
    assert!(fails(&child).is_err() && place_of_thread() == home);
    passes(&child);
    assert_eq!(place_of_thread(), home);
}

#[tokio::test]
async fn an_async_body_is_in_it_and_what_it_spawns_on_this_thread() {
    #[with_processes(web = web(child, 80))]
    async fn body(child: &Child, web: Process) {
        assert!(is_here(&web) && tokio::net::TcpStream::connect("127.0.0.1:80").await.is_ok());
        let spawned = tokio::spawn(async { tokio::net::TcpStream::connect("127.0.0.1:80").await.is_ok() });
        assert!(spawned.await.unwrap());
    }
    if !may(Isolation::Net) {
        return;
    }
    let (child, home) = (child("slow"), place_of_thread());
    body(&child).await;
    assert_eq!(place_of_thread(), home);
}

#[tokio::test]
async fn a_future_that_is_dropped_brings_its_thread_back() {
    #[with_processes(web = web(child, 80))]
    async fn body(child: &Child, web: &Process) {
        assert!(is_here(web));
        std::future::pending::<()>().await;
    }
    if !may(Isolation::Net) {
        return;
    }
    let (child, home) = (child("slow"), place_of_thread());
    let late = tokio::time::timeout(Duration::from_millis(200), body(&child)).await;
    assert!(late.is_err() && place_of_thread() == home);
    assert_eq!(child.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_many_threads_the_body_is_in_it() {
    #[with_processes(web = web(child, 80))]
    async fn body(child: &Child, web: Process) {
        tokio::task::yield_now().await;
        assert!(is_here(&web) && tokio::net::TcpStream::connect("127.0.0.1:80").await.is_ok());
    }
    if !may(Isolation::Net) {
        return;
    }
    let (child, home) = (child("slow"), place_of_thread());
    body(&child).await;
    assert_eq!(place_of_thread(), home);
}

#[test]
fn threads_callbacks_and_restarts_are_in_it() {
    if !may(Isolation::Net) {
        return;
    }
    let child = child("slow");
    let (tell, told) = channel();
    let home = place_of_thread();
    let (tell_end, at_home) = (tell.clone(), home.clone());
    let spec = web(&child, 80)
        .supervise(Supervision::permanent())
        .on_start(move |process| tell.send(is_here(process) && answers(80)).unwrap())
        // Whoever looks late may find the next run.
        .on_exit(move |_, _| tell_end.send(place_of_thread() != at_home).unwrap());
    let stack = orchestrate([("web", spec)]).start().unwrap();
    let web = &stack["web"];
    assert!(told.recv_timeout(HANG).unwrap());
    thread::scope(|threads| threads.spawn(|| assert!(answers(80) && place_of_thread() != home)).join().unwrap());
    web.signal(Signal::Kill).unwrap();
    web.wait_restart(0, HANG).unwrap();
    assert!(told.recv_timeout(HANG).unwrap() && told.recv_timeout(HANG).unwrap());
    assert!(answers(80) && is_here(web));
}

#[test]
fn a_thread_from_elsewhere_may_start_it_again() {
    if !may(Isolation::Net) {
        return;
    }
    let child = child("slow");
    let (send, receive) = channel::<Process>();
    let home = place_of_thread();
    // Made before there is a network: it is in none of ours.
    let outside = thread::spawn(move || {
        let web = receive.recv().unwrap();
        web.restart(Restart::Forced).unwrap();
        let has_stayed = place_of_thread();
        drop(web);
        has_stayed
    });
    send.send(web(&child, 80).start().unwrap()).unwrap();
    assert_eq!(outside.join().unwrap(), home);
    // Its last handle was dropped elsewhere: this thread comes back when it has to do with us.
    simple("true").may_exit().start().unwrap();
    assert_eq!(place_of_thread(), home);
}

#[test]
fn what_is_started_inside_is_in_it_as_well() {
    if !may(Isolation::Net) {
        return;
    }
    let (child, home) = (child("slow"), place_of_thread());
    let plain = || tcp(child.with("0 {port}"), 0);
    orchestrated([("one", web(&child, 80)), ("other", plain())], |stack| {
        let place = place_of_thread();
        assert!(is_here(&stack["other"]) && answers(stack["other"].port()));
        let bare = plain().start().unwrap();
        assert!(is_here(&bare) && answers(bare.port()));
        orchestrated([("inner", web(&child, 82))], |inner| assert!(is_here(&inner["inner"]) && answers(80))).unwrap();
        assert_eq!(place_of_thread(), place);
        drop(bare);
        assert_eq!(place_of_thread(), place);
        thread::scope(|threads| threads.spawn(|| assert!(is_here(&plain().start().unwrap()))).join().unwrap());
    })
    .unwrap();
    assert_eq!(place_of_thread(), home);
    let inner = orchestra().with("web", web(&child, 80));
    let stack = orchestra().with("inner", inner).with("app", plain()).start().unwrap();
    assert!(is_here(&stack["app"]) && answers(80));
}

#[test]
fn a_test_beside_it_knows_nothing_of_it() {
    if !may(Isolation::Net) {
        return;
    }
    let child = child("slow");
    let _web = web(&child, 80).start().unwrap();
    // As the guardian and the callbacks, which are everybody's.
    let plain = thread::scope(|threads| {
        let outside = threads.spawn(|| {
            // A thread of this one begins inside.
            assert!(Network::leave());
            let (tell, told) = channel();
            let plain = tcp(child.with("0 {port}"), 0).on_start(move |_| tell.send(place_of_thread()).unwrap());
            let plain = plain.start().unwrap();
            assert!(is_here(&plain) && answers(plain.port()));
            assert_eq!(told.recv_timeout(HANG).unwrap(), place_of_thread());
        });
        outside.join()
    });
    plain.unwrap();
}

/// The network of the process.
struct Network;

impl Network {
    fn leave() -> bool {
        let home = std::fs::File::open("/proc/self/ns/net").unwrap();
        nix::sched::setns(home, nix::sched::CloneFlags::CLONE_NEWNET).is_ok()
    }
}

struct Silent(Spec);

impl Executor for Silent {
    type Handle = Process;
    fn start_on(self, ground: &Ground) -> Result<Process> {
        ground.start(self.0)
    }
}

struct Told(Spec);

impl Executor for Told {
    type Handle = Process;
    fn isolates(&self, isolation: Isolation) -> bool {
        self.0.isolates(isolation)
    }
    fn start_on(self, ground: &Ground) -> Result<Process> {
        ground.start(self.0)
    }
}

#[test]
fn an_executor_says_that_it_starts_one() {
    if !may(Isolation::Net) {
        return;
    }
    let (child, home) = (child("slow"), place_of_thread());
    let process = Told(web(&child, 80)).start().unwrap();
    assert!(is_here(&process) && place_of_thread() != home);
    drop(process);
    assert_eq!(place_of_thread(), home);
    let error = orchestra().with("web", Silent(simple("sleep 60").isolate(Isolation::Net))).start().unwrap_err();
    expect![[r#"
        `web` was not started: its stack has no network of its own
          why:    what is around it was started without, and could not be reached
          hint:   `isolates` of the executor that starts it has to say what it is going to start
          spec:   simple("sleep 60")   tests/it/isolate/net.rs"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert!(error.is_spec());
}

#[test]
fn it_outlives_a_guardian() {
    if may(Isolation::Net) {
        victim("isolate::loses_its_guardian").with("slow").passes();
    }
}

#[test]
fn what_is_kept_says_how_to_get_there() {
    let Some(python) = server("python") else { return };
    if !may(Isolation::Net) {
        return;
    }
    let victim = victim("isolate::is_kept").with("slow").env("PKIT_KEEP", "always");
    let ended = victim.run_uncaptured();
    let pid = ended.stderr.split("`nsenter --net --target ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    let mut there = std::process::Command::new("nsenter");
    there
        .args(["--net", "--target", pid])
        .arg(python)
        .args(["-c", "import socket; socket.create_connection(('127.0.0.1', 80))"]);
    let is_reached = there.status().unwrap().success();
    let (_, rest) = ended.stderr.split_once("`kill ").unwrap();
    let guardian = rest.split_once('`').unwrap().0.parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guardian), nix::sys::signal::Signal::SIGTERM).unwrap();
    victim.will_be_gone(&ended);
    assert!(is_reached, "{}", ended.text());
}

#[test]
fn it_cannot_be_had_later() {
    if !may(Isolation::Net) {
        return;
    }
    let sleeper = simple("sleep 60").start().unwrap();
    let error = sleeper.replace(simple("sleep 60").isolate(Isolation::Net)).unwrap_err();
    assert!(error.to_string().starts_with("`sleep` was not replaced: the new spec wants a network of its own\n"));
    assert!(sleeper.is_alive());
}
