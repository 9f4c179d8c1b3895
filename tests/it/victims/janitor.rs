//! Tests that die so that everything is left, and one that lives long enough for a janitor.

use std::fs;
use std::path::Path;
use std::process;

use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;
use pkit_test::{Process, output};
use pkit_test_tests::child::{pause, wait_ms};
use pkit_test_tests::process::{children, stat};

use super::chosen::{command, is_chosen};
use crate::child::wait_until;
use crate::race;

fn up(child: &str, arguments: &str) -> Process {
    let process = output(command(child, arguments), ".").start().unwrap();
    fs::write(process.dir().join("kept"), "state").unwrap();
    process
}

fn send(pid: u32, signal: Signal) {
    // A spare shim may end meanwhile.
    let _ = kill(Pid::from_raw(pid.try_into().unwrap()), signal);
}

/// The guardian, its shims and this process, as nearly at one moment as can be: nobody sees that another one is gone. What the
/// guardian has written down by then is waited for.
fn kill_all_of_us(process: &Process) -> ! {
    let directory = process.dir().parent().unwrap().to_owned();
    wait_until(|| fs::read_to_string(directory.join("run")).is_ok_and(|text| text.contains("\nservice ")));
    let guardian = children(process::id())[0];
    send(guardian, Signal::SIGSTOP);
    wait_until(|| stat(guardian).is_some_and(|stat| stat.state == 'T'));
    let shims = children(guardian);
    shims.iter().for_each(|shim| send(*shim, Signal::SIGKILL));
    send(guardian, Signal::SIGKILL);
    raise(Signal::SIGKILL).unwrap();
    pause()
}

#[test]
fn is_killed_with_all_of_us() {
    if is_chosen() {
        let arguments = std::env::var("FORKS").unwrap_or_default();
        kill_all_of_us(&up("forks", &arguments));
    }
}

/// Lives until the file of that name is gone, and a moment beyond the time at which a janitor is sent.
#[test]
fn lives_until_something_is_gone() {
    if is_chosen() {
        let _process = up("sleeper", "");
        let file = std::env::var("FILE").unwrap();
        wait_until(|| fs::symlink_metadata(Path::new(&file)).is_err());
    }
}

#[test]
fn stays_up() {
    if is_chosen() {
        std::mem::forget(up("sleeper", ""));
    }
}

/// One of many, some of which are killed: what is theirs stays theirs.
#[test]
fn has_a_directory_among_many() {
    if !is_chosen() {
        return;
    }
    let end = race::end();
    let file = std::env::var("FILE").unwrap();
    while std::time::Instant::now() < end {
        let process = up("sleeper", "");
        for _ in 0..race::random(8) {
            wait_ms(1);
            assert_eq!(fs::read_to_string(process.dir().join("kept")).unwrap(), "state");
            assert!(process.is_alive());
        }
        if race::random(4) == 0 && Path::new(&file).exists() {
            kill_all_of_us(&process);
        }
    }
}

/// The guardian and the shim are killed, the test lives on: the next guardian ends what they have left.
#[test]
fn loses_its_guardian_and_the_shim() {
    if !is_chosen() {
        return;
    }
    let process = up("forks", "5 --setsid");
    let directory = process.dir().parent().unwrap().to_owned();
    wait_until(|| fs::read_to_string(directory.join("run")).is_ok_and(|text| text.contains("\nservice ")));
    let guardian = children(process::id())[0];
    send(guardian, Signal::SIGSTOP);
    wait_until(|| stat(guardian).is_some_and(|stat| stat.state == 'T'));
    children(guardian).iter().for_each(|shim| send(*shim, Signal::SIGKILL));
    send(guardian, Signal::SIGKILL);
    process.wait().unwrap_err();
    let forks = std::env::var("PKIT_TEST_CHILD_forks").unwrap();
    assert!(
        !pkit_test_tests::private::survivors(Path::new(&forks)).is_empty(),
        "otherwise there is nothing to be seen"
    );
    let next = up("sleeper", "");
    wait_until(|| pkit_test_tests::private::survivors(Path::new(&forks)).is_empty());
    assert!(next.is_alive());
    assert_eq!(fs::read_to_string(next.dir().join("kept")).unwrap(), "state");
}
