//! Does the process say by itself that it is ready, as services tell systemd?
//!
//! The socket is in its private directory: so it can be reached also as another user, and by clients that know no abstract
//! names. Its messages are an event. Every start has a socket of its own, so that nothing of an earlier run counts.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Fill, Look, Probe, Sight, Site, Unarmed, Unprepared};
use crate::limits::NOTIFY_MESSAGES;
use crate::sys::letterbox::{Letter, Letterbox};
use crate::sys::procfs;
use crate::template::Template;

/// What tells the process where to write.
pub(crate) const VARIABLE: &str = "NOTIFY_SOCKET";

/// More than systemd takes. What is longer counts as far as it goes.
const BUFFER_BYTES: usize = 8 * 1024;

/// How much of a status is shown.
const SHOWN_CHARS: usize = 120;

/// Mostly the program has no idea of any of this, and whoever wrote the test does not know that.
const SILENCE: &str = "it has said nothing, as programs do that know nothing of sd_notify";

/// How often it is asked where a process comes from that may change its parent meanwhile.
const TRIES: usize = 3;

/// Ready when the process says so: `READY=1` to the socket that `$NOTIFY_SOCKET` names, as services tell systemd
/// (`sd_notify`).
///
/// Any process of the service may say it, also one that has ended by now (`systemd-notify --ready`). Others are not heard,
/// unless [`Spec::any_owner`](crate::Spec::any_owner) allows it. `STATUS=` and `ERRNO=` are shown where it is not ready in
/// time. Descriptors that come along are closed at once. What it says once it is ready is thrown away, and never makes it
/// wait; before that somebody has to read it, which is [`wait_ready`](crate::Process::wait_ready) after
/// [`Spec::spawn`](crate::Spec::spawn).
///
/// A spec can have one of these, and cannot set `NOTIFY_SOCKET` itself. Other specs do not pass on the one that the test was
/// given.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::{Spec, ready::Notify};
/// const SERVICE: &str = r#"
/// import os, socket, time
/// manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
/// manager.sendto(b"STATUS=loading 3 of 7", os.environ["NOTIFY_SOCKET"])
/// time.sleep(60)
/// "#;
/// let late = Spec::new(["python3", "-c", SERVICE]).ready(Notify::ready()).start_timeout(Duration::from_secs(3));
/// let error = late.start().unwrap_err();
/// assert!(error.is_timeout());
/// assert!(error.to_string().contains("READY=1 at $NOTIFY_SOCKET: its status is \"loading 3 of 7\", "));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify {
    // So that there can be more to ask for one day.
    ready: (),
}

impl Notify {
    /// When it has said `READY=1`.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Notify};
    /// let error = Spec::new("sh -c 'test -S \"$NOTIFY_SOCKET\" && exit 7'").ready(Notify::ready()).start().unwrap_err();
    /// assert_eq!(error.exit().and_then(|exit| exit.code()), Some(7));
    /// ```
    #[must_use]
    pub fn ready() -> Notify {
        Notify { ready: () }
    }

    pub(super) fn prepare<E>(self, site: &Site, fill: &mut Fill<'_, E>) -> Result<Hearing, Unprepared<E>> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let directory = Template::parse("{dir}").render(fill.lookup).map_err(Unprepared::Hole)?;
        let path = PathBuf::from(directory).join(format!(".notify-{:x}", NEXT.fetch_add(1, Ordering::Relaxed)));
        Ok(Hearing { path, any_owner: site.any_owner, letterbox: None, said: Said::default() })
    }
}

/// Whether it has said so.
#[derive(Debug)]
pub(super) struct Hearing {
    path: PathBuf,
    any_owner: bool,
    letterbox: Option<Letterbox>,
    said: Said,
}

/// What was heard.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    is_ready: bool,
    status: Option<String>,
    errno: Option<i32>,
    /// Messages that said none of this.
    others: u64,
    stranger: Option<String>,
}

impl Hearing {
    /// Reads some of what has come. Whether there may be more.
    fn hear(&mut self, tree_root: i32) -> std::io::Result<bool> {
        let Some(letterbox) = &self.letterbox else { return Ok(false) };
        let mut buffer = [0; BUFFER_BYTES];
        for _ in 0..NOTIFY_MESSAGES {
            let Some(letter) = letterbox.take(&mut buffer)? else { return Ok(false) };
            match stranger(&letter, tree_root).filter(|_| !self.any_owner) {
                Some(stranger) => self.said.stranger = Some(stranger),
                None => self.said.take_in(&buffer[..letter.length]),
            }
            if self.said.is_ready {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Who has sent it, if that is somebody else who is still there. Whoever is gone cannot be asked for its parents any more:
/// the small programs that do this for scripts end at once.
fn stranger(letter: &Letter, tree_root: i32) -> Option<String> {
    let pid = letter.sender?;
    if pid == 0 {
        return Some("a process that cannot be seen from here".to_owned());
    }
    // A parent that ends between two questions breaks the line of them.
    let is_known = (0..TRIES).any(|_| procfs::is_below(pid, tree_root) || procfs::parent(pid).is_none());
    let command = || procfs::command_line(pid).unwrap_or_else(|| "gone meanwhile".to_owned());
    (!is_known).then(|| format!("`{}` (pid {pid})", command()))
}

impl Said {
    /// Lines of `NAME=value`, in any order. What is none of ours is for others.
    fn take_in(&mut self, message: &[u8]) {
        let mut is_of_use = false;
        for line in message.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            match line.split_once('=') {
                Some(("READY", "1")) => self.is_ready = true,
                Some(("STATUS", status)) => self.status = Some(status.chars().take(SHOWN_CHARS).collect()),
                Some(("ERRNO", errno)) => self.errno = errno.trim().parse().ok().or(self.errno),
                _ => continue,
            }
            is_of_use = true;
        }
        self.others += u64::from(!is_of_use);
    }

    /// For people, instead of the word that was waited for.
    fn instead(&self) -> String {
        let status = self.status.as_ref().map(|status| format!("its status is \"{}\"", status.escape_debug()));
        let errno = self.errno.map(|errno| format!("its error is {}", std::io::Error::from_raw_os_error(errno)));
        let others = match self.others {
            0 => None,
            1 => Some("1 message said something else".to_owned()),
            others => Some(format!("{others} messages said something else")),
        };
        let stranger = self.stranger.as_ref().map(|who| format!("somebody else wrote to it: {who}"));
        let parts: Vec<String> = status.into_iter().chain(errno).chain(others).chain(stranger).collect();
        if parts.is_empty() { SILENCE.to_owned() } else { parts.join(", ") }
    }
}

/// For the fuzzer: whether a message says that it is ready, and what is shown if it does not.
#[cfg(any(test, pkit_fuzz))]
pub(crate) fn heard(message: &[u8]) -> (bool, String) {
    let mut said = Said::default();
    said.take_in(message);
    (said.is_ready, said.instead())
}

impl Probe for Hearing {
    fn arm(&mut self) -> Result<(), Unarmed> {
        let bound = Letterbox::bind(&self.path);
        self.letterbox = Some(bound.map_err(|error| {
            Unarmed::System(format!("no socket for {VARIABLE} could be bound at {}", self.path.display()), error)
        })?);
        Ok(())
    }

    fn look(&mut self, sight: &Sight<'_>) -> Look {
        match self.hear(sight.tree_root) {
            _ if self.said.is_ready => Look::Ready,
            Ok(true) => Look::More(self.said.instead()),
            Ok(false) => Look::AtEvent(self.said.instead()),
            Err(error) => Look::NotYet(format!("its messages cannot be read: {error}")),
        }
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.letterbox.as_ref().map(|letterbox| letterbox.as_fd())
    }

    fn variable(&self) -> Option<(&'static str, &Path)> {
        Some((VARIABLE, &self.path))
    }

    fn question(&self) -> String {
        format!("READY=1 at ${VARIABLE}")
    }

    fn rest(self: Box<Self>) -> Option<Letterbox> {
        self.letterbox.and_then(Letterbox::closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(messages: &[&[u8]]) -> Said {
        let mut said = Said::default();
        messages.iter().for_each(|message| said.take_in(message));
        said
    }

    #[test]
    fn ready_is_heard_among_other_lines_in_any_order() {
        for message in ["READY=1", "READY=1\n", "STATUS=a=b\nREADY=1", "READY=1\nMAINPID=7\nX_Y=1", "\n\nREADY=1\n\n"] {
            assert!(heard(&[message.as_bytes()]).is_ready, "{message:?}");
        }
        for message in ["", "READY=0", "READY", "READY=10", "ready=1", " READY=1", "NOT_READY=1", "\u{0}READY=1"] {
            assert!(!heard(&[message.as_bytes()]).is_ready, "{message:?}");
        }
    }

    #[test]
    fn what_was_heard_instead_is_told() {
        assert_eq!(heard(&[]).instead(), SILENCE);
        let said = heard(&[b"STATUS=old", b"STATUS=new\nERRNO=2", b"WATCHDOG=1", b"\xff\xfe", b""]);
        assert_eq!(
            said.instead(),
            "its status is \"new\", its error is No such file or directory (os error 2), 3 messages said something else"
        );
        assert_eq!(heard(&[b"ERRNO=x"]).instead(), heard(&[b"ERRNO="]).instead());
        let long = format!("STATUS={}", "é".repeat(5000));
        assert!(heard(&[long.as_bytes()]).instead().len() < 4 * SHOWN_CHARS);
    }
}
