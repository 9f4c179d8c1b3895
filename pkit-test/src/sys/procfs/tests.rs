#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::sys::wait::eventually;

/// A shell that has written its first line, and ends with the test.
struct Shell(Child, String);

impl Shell {
    fn new(script: &str) -> Shell {
        Shell::run(Command::new("sh"), script)
    }

    fn run(mut shell: Command, script: &str) -> Shell {
        let shell = shell.args(["-c", script, "a name"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Shell(shell, line.trim().to_owned())
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // What it started reads from its standard input, and ends with it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn own_pid() -> i32 {
    std::process::id() as i32
}

#[test]
fn a_tree_is_seen_from_both_ends() {
    let shell = Shell::new("exec 3<&0; sh -c 'cat <&3 & echo $!; wait' & wait");
    let grandchild: i32 = shell.1.parse().unwrap();
    assert!(children(own_pid()).unwrap().contains(&shell.pid()));
    let below = descendants(shell.pid());
    assert_eq!(below.len(), 2);
    assert_eq!(below[1], grandchild);
    assert_eq!(parent(grandchild), Some(below[0]));
    assert_eq!(children(below[0]).unwrap(), [grandchild]);
    assert!(is_below(grandchild, shell.pid()) && is_below(grandchild, own_pid()) && is_below(shell.pid(), shell.pid()));
    assert!(!is_below(own_pid(), 0));
    assert!(!is_below(shell.pid(), grandchild) && !is_below(own_pid(), shell.pid()));
}

#[test]
fn what_has_vanished_is_not_there() {
    // Above every limit of the kernel.
    for gone in [i32::MAX, -1, 0] {
        assert_eq!(children(gone).unwrap_or_default(), []);
        assert_eq!(descendants(gone).len(), 0);
        assert!(socket_inodes(gone).is_err());
        assert_eq!((command_line(gone), parent(gone)), (None, None));
        assert!(!is_below(gone, own_pid()));
    }
}

#[test]
fn a_zombie_has_a_name_and_nothing_else() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    nix::sys::wait::waitid(
        nix::sys::wait::Id::Pid(pid),
        nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT,
    )
    .unwrap();
    assert_eq!(command_line(pid.as_raw()), Some("[true]".to_owned()));
    assert_eq!(socket_inodes(pid.as_raw()).unwrap_or_default(), []);
    child.wait().unwrap();
}

#[test]
fn a_name_with_parentheses_hides_nothing() {
    let dir = std::env::temp_dir().join(format!("pkit-procfs-{}", own_pid()));
    fs::create_dir_all(&dir).unwrap();
    let program = dir.join("a) R 1 (b");
    std::os::unix::fs::symlink("/bin/sh", &program).unwrap();
    let shell = Shell::run(Command::new(&program), "echo; cat; :");
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", shell.pid())).unwrap(), "a) R 1 (b\n");
    assert_eq!(parent(shell.pid()), Some(own_pid()));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_sockets_of_a_process_are_known() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
    let inode = link.to_str().unwrap().trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap();
    assert!(socket_inodes(own_pid()).unwrap().contains(&inode));
    // A child that another test is just starting has our descriptors until its exec.
    let is_ours = |(pid, _): (i32, String)| is_below(pid, own_pid());
    let own = (own_pid(), command_line(own_pid()).unwrap());
    let owner = find_socket_owner(inode, &[]).unwrap();
    assert!(owner == own || is_ours(owner.clone()), "{owner:?}");
    assert!(find_socket_owner(inode, &[own_pid()]).is_none_or(is_ours));
    drop(listener);
    assert!(find_socket_owner(inode, &[]).is_none_or(is_ours));
}

#[test]
fn a_command_line_is_joined() {
    let shell = Shell::new("echo; cat; :");
    assert_eq!(command_line(shell.pid()).unwrap(), "sh -c echo; cat; : a name");
}

#[test]
fn a_process_is_known_by_its_start_its_session_and_its_pipes() {
    let [first, second] = [(); 2].map(|()| Shell::new("echo; read -r _"));
    assert!(birth(first.pid()).unwrap() <= birth(second.pid()).unwrap());
    assert!(birth(own_pid()).unwrap() <= birth(first.pid()).unwrap());
    assert_eq!(session(first.pid()), session(own_pid()));
    let (ours, theirs) = (pipe_inodes(own_pid()), pipe_inodes(first.pid()));
    // Its standard input and output, of which we hold the other ends.
    assert!(theirs.len() >= 2 && theirs[..2].iter().all(|pipe| ours.contains(pipe)), "{theirs:?} {ours:?}");
    assert!(!pipe_inodes(second.pid()).iter().any(|pipe| theirs[..2].contains(pipe)));
    assert_eq!((birth(0), session(0), pipe_inodes(0)), (None, None, Vec::new()));
}

#[test]
fn who_has_ended_is_not_alive_even_before_it_is_reaped() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id() as i32;
    eventually(|| !is_alive(pid));
    child.wait().unwrap();
    assert!(!is_alive(pid) && is_alive(own_pid()));
}

#[test]
fn a_boot_and_a_namespace_are_the_same_for_all_that_can_be_asked() {
    let id = boot_id().unwrap();
    assert_eq!((id.len(), boot_id()), (36, Some(id)));
    let namespace = pid_namespace().unwrap();
    let link = fs::read_link(format!("/proc/{}/ns/pid", own_pid())).unwrap();
    assert_eq!(link.to_str(), Some(format!("pid:[{namespace}]").as_str()));
}
