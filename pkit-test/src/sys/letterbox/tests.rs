use std::io::{IoSlice, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use super::{Letter, Letterbox};

/// A letterbox, and who writes to it.
fn pair(name: &str) -> (Letterbox, UnixDatagram) {
    let path: PathBuf = std::env::temp_dir().join(format!("pkit-letterbox-{}-{name}", std::process::id()));
    let letterbox = Letterbox::bind(&path).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(&path).unwrap();
    (letterbox, sender)
}

#[test]
fn messages_come_one_by_one_with_their_sender() {
    let (letterbox, sender) = pair("plain");
    let mut buffer = [0; 8];
    assert_eq!(letterbox.take(&mut buffer).unwrap(), None);
    for text in ["READY=1", "", "far too long for it"] {
        sender.send(text.as_bytes()).unwrap();
    }
    let pid = Some(std::process::id() as i32);
    assert_eq!(letterbox.take(&mut buffer).unwrap(), Some(Letter { length: 7, is_cut: false, sender: pid }));
    assert_eq!(&buffer[..7], b"READY=1");
    assert_eq!(letterbox.take(&mut buffer).unwrap(), Some(Letter { length: 0, is_cut: false, sender: pid }));
    assert_eq!(letterbox.take(&mut buffer).unwrap(), Some(Letter { length: 8, is_cut: true, sender: pid }));
    assert_eq!(letterbox.take(&mut buffer).unwrap(), None);
}

/// Sends one end of a pair along; the other end sees when it is closed.
fn send_with_barrier(sender: &UnixDatagram) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let fds = [theirs.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    sendmsg::<()>(sender.as_raw_fd(), &[IoSlice::new(b"BARRIER=1")], &rights, MsgFlags::empty(), None).unwrap();
    ours
}

#[test]
fn a_descriptor_that_comes_along_is_closed_when_its_message_is_read() {
    let (letterbox, sender) = pair("barrier");
    let mut barrier = send_with_barrier(&sender);
    let mut buffer = [0; 16];
    assert_eq!(letterbox.take(&mut buffer).unwrap().map(|letter| letter.length), Some(9));
    assert_eq!(barrier.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_closed_one_lets_everybody_write_and_keeps_nothing() {
    let (letterbox, sender) = pair("closed");
    let mut early = send_with_barrier(&sender);
    let kept = letterbox.closed().unwrap();
    assert_eq!(early.read(&mut [0]).unwrap(), 0);
    for _ in 0..5000 {
        sender.send(b"WATCHDOG=1").unwrap();
    }
    assert_eq!(send_with_barrier(&sender).read(&mut [0]).unwrap(), 0);
    let path = kept.path.clone();
    assert!(path.exists());
    drop(kept);
    assert!(!path.exists());
}
