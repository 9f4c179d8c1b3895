//! Which test holds a port that is wanted, for people.

use std::fmt;

use super::name_of;
use crate::sys::child::own_pid;
use crate::sys::procfs;

/// What a guardian calls itself. It holds the ports, and people know the test above it.
const GUARDIAN_NAME: &str = "pkit-guardian";

/// The test that holds a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Another thread of this process.
    ThisProcess,
    Other {
        pid: i32,
        command: String,
    },
}

impl Holder {
    /// Looks for it; `None` if it has let go meanwhile, or is not ours to look at.
    pub(crate) fn of(port: u16) -> Option<Holder> {
        let inode = procfs::abstract_socket(&name_of(port))?;
        let (pid, command) = procfs::find_socket_owner(inode, &[])?;
        let test = test_above(pid).filter(|test| *test != pid);
        Some(match test {
            _ if pid == own_pid() || test == Some(own_pid()) => Holder::ThisProcess,
            Some(test) if test > 1 => {
                Holder::Other { pid: test, command: procfs::command_line(test).unwrap_or(command) }
            }
            // Its test has died, or it is a test that is about to hand the port on.
            _ => Holder::Other { pid, command },
        })
    }
}

/// The first on the way up that is no guardian. What a guardian has just forked still has its name and all that it holds.
fn test_above(pid: i32) -> Option<i32> {
    let mut up = std::iter::successors(Some(pid), |pid| procfs::parent(*pid).filter(|parent| *parent > 0));
    up.find(|pid| procfs::name(*pid).as_deref() != Some(GUARDIAN_NAME))
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::ThisProcess => write!(f, " of this process, or this one"),
            Holder::Other { pid, command } => write!(f, ", pid {pid}: {command}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_a_guardian_has_just_forked_is_of_the_same_test() {
        let script = format!("printf {GUARDIAN_NAME} > /proc/$$/comm; exec 3<&0; (read _ <&3) & echo $!; wait");
        let mut guardian = Command::new("sh");
        let guardian = guardian.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guardian = guardian.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(guardian.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let fork = line.trim().parse().unwrap();
        assert_eq!(procfs::name(fork).as_deref(), Some(GUARDIAN_NAME));
        assert_eq!([fork, own_pid()].map(test_above), [Some(own_pid()); 2]);
        drop(guardian.stdin.take());
        assert!(guardian.wait().unwrap().success());
    }
}
