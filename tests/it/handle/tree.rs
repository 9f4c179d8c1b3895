//! A process and all that descends from it, as one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use pkit_test::ready::Output;
use pkit_test::{Process, Signal, output, tcp};
use pkit_test_tests::private::survivors;
use pkit_test_tests::process::stat;

use crate::child::{Child, HANG, child, wait_until};
use crate::nested::victim;

/// Waits until all processes that run it are stopped, or none is.
fn wait_states(child: &Child, are_stopped: bool) {
    let is_stopped = |pid: &u32| stat(*pid).is_some_and(|stat| stat.state == 'T');
    wait_until(|| survivors(&child.path()).iter().all(|pid| is_stopped(pid) == are_stopped));
}

#[test]
fn pause_stops_all_of_it_and_resume_lets_all_go_on() {
    let forks = child("forks");
    let process = output(forks.with("10 --setsid"), "forked").start().unwrap();
    process.pause().unwrap();
    wait_states(&forks, true);
    assert!(process.is_alive());
    process.resume().unwrap();
    wait_states(&forks, false);
    process.pause().unwrap();
    process.stop().unwrap();
    assert_eq!(forks.count(), 0);
}

#[test]
fn a_paused_server_hangs_and_answers_when_it_goes_on() {
    let slow = child("slow");
    let server = tcp(slow.with("0 {port}"), 0).start().unwrap();
    server.pause().unwrap();
    wait_states(&slow, true);
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(stream.read(&mut [0; 100]).is_err(), "nobody is there to answer");
    server.resume().unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[test]
fn a_daemonizer_is_what_it_left_in_the_background() {
    let daemonizer = child("daemonizer");
    let server = tcp(daemonizer.with("{port}"), 0).start().unwrap();
    // The leader waits until the other one listens, and is there for a moment longer.
    wait_until(|| survivors(&daemonizer.path()) == server.pid().as_slice());
    assert!(server.is_alive() && TcpStream::connect(server.addr()).is_ok());
    assert_eq!(server.try_wait().unwrap(), None);
    server.signal(Signal::Kill).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(0));
    assert_eq!((server.pid(), server.is_alive()), (None, false));
}

#[test]
fn a_test_with_processes_of_its_own_may_be_one_of_ours() {
    for end in [Process::stop, Process::kill] {
        let victim = victim("settings::hangs").with("banner");
        let process = victim.spec().ready(Output::stdout("it hangs")).start().unwrap();
        assert_eq!(victim.count("banner"), 1);
        end(&process).unwrap();
        assert_eq!((victim.count("banner"), survivors(victim.binary()).len()), (0, 0));
    }
}

#[test]
fn it_outlives_the_thread_that_started_it() {
    let sleeper = child("sleeper");
    let process = thread::spawn({
        let spec = output(sleeper.with(""), "sleeper");
        move || spec.start().unwrap()
    });
    let process = process.join().unwrap();
    let ended = process.wait_timeout(Duration::from_millis(50)).unwrap();
    assert_eq!((ended, process.is_alive(), sleeper.count()), (None, true, 1));
}

#[test]
fn dropping_a_daemonizer_ends_it() {
    let daemonizer = child("daemonizer");
    drop(tcp(daemonizer.with("{port}"), 0).start().unwrap());
    assert_eq!(daemonizer.count(), 0);
}
