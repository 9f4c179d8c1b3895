//! The Linux side of it: `proc(5)`.

use std::collections::HashMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::dir::Dir;
use nix::fcntl::{OFlag, readlinkat};
use nix::sys::stat::Mode;

use super::{Kin, walk};
use crate::sys::without::{Means, lacks};

/// How much of a command line is read.
const COMMAND_BYTES: u64 = 4096;

/// How much of a file is read at a time.
const PROC_BYTES: usize = 4096;

/// The children of a process, of all its threads. One that is born or dies meanwhile may be missing.
pub(crate) fn children(pid: i32) -> io::Result<Vec<i32>> {
    if knows_children() { children_of_threads(pid) } else { Ok(children_by_parent().remove(&pid).unwrap_or_default()) }
}

/// Everything below a process, parents first. Zombies are among them.
pub(crate) fn descendants(pid: i32) -> Vec<i32> {
    if knows_children() {
        return walk::below(pid, |pid| children_of_threads(pid).unwrap_or_default());
    }
    let mut by_parent = children_by_parent();
    walk::below(pid, |pid| by_parent.remove(&pid).unwrap_or_default())
}

/// Whether a process is `root` or below it. Asks upwards, so it also knows a child that was born a moment ago.
pub(crate) fn is_below(pid: i32, root: i32) -> bool {
    walk::is_below(pid, root, parent)
}

/// The sockets that a process holds, by the inode that `sock_diag` knows them by. An error if we may not know.
pub(crate) fn socket_inodes(pid: i32) -> io::Result<Vec<u64>> {
    Ok(open_files(&format!("/proc/{pid}/fd"))?.iter().filter_map(|target| socket_inode(target)).collect())
}

/// Those that its threads hold, which need not be those of the process.
pub(crate) fn socket_inodes_of_threads(pid: i32) -> Vec<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let targets =
        threads.flat_map(|thread| open_files(&thread.path().join("fd").to_string_lossy()).unwrap_or_default());
    targets.filter_map(|target| socket_inode(&target)).collect()
}

/// The pipes that a process holds, by their inodes. None where we may not know.
pub(crate) fn pipe_inodes(pid: i32) -> Vec<u64> {
    let targets = open_files(&format!("/proc/{pid}/fd")).unwrap_or_default();
    targets.iter().filter_map(|target| numbered(target, "pipe:[")).collect()
}

/// What the descriptors in a directory of them lead to.
fn open_files(directory: &str) -> io::Result<Vec<OsString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut fds = Dir::open(directory, flags, Mode::empty())?;
    let names: Vec<CString> = fds.iter().flatten().map(|fd| fd.file_name().to_owned()).collect();
    // From the directory on, which spares finding the process again for each. One that was closed meanwhile is not held.
    Ok(names.iter().filter_map(|name| readlinkat(&fds, name.as_c_str()).ok()).collect())
}

/// Some process that holds a socket, other than those in `skip`, with its command. None if nobody whom we may look at.
pub(crate) fn find_socket_owner(inode: u64, skip: &[i32]) -> Option<(i32, String)> {
    let holds = |pid: &i32| socket_inodes(*pid).is_ok_and(|inodes| inodes.contains(&inode));
    let owner = processes().filter(|pid| !skip.contains(pid)).find(holds)?;
    Some((owner, command_line(owner).unwrap_or_else(|| "gone meanwhile".to_owned())))
}

/// The unix socket that is bound to a name of the abstract namespace, by its inode.
pub(crate) fn abstract_socket(name: &str) -> Option<u64> {
    abstract_sockets(name).into_iter().find_map(|(found, inode)| (found == name).then_some(inode))
}

/// The unix sockets that are bound to names of the abstract namespace that begin like this, with their inodes.
///
/// They are those of the thread's own network namespace: `/proc/net` would be that of the first thread.
pub(crate) fn abstract_sockets(beginning: &str) -> Vec<(String, u64)> {
    let listed = fs::read("/proc/thread-self/net/unix").unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let rows = listed.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let named = rows.filter_map(|row| Some((row.get(7)?.strip_prefix('@')?.to_owned(), row[6].parse().ok()?)));
    named.filter(|(name, _)| name.starts_with(beginning)).collect()
}

/// The command line for people: one line, not too long. A process without one has its name in brackets.
pub(crate) fn command_line(pid: i32) -> Option<String> {
    let bytes = read_some(&format!("/proc/{pid}/cmdline"))?;
    let words = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    if words.trim().is_empty() {
        let name = read_some(&format!("/proc/{pid}/comm"))?;
        return Some(format!("[{}]", String::from_utf8_lossy(&name).trim_end()));
    }
    Some(walk::for_people(&words))
}

/// What a process does not allow by default in what it makes.
pub(crate) fn file_mask(pid: i32) -> Option<u32> {
    u32::from_str_radix(&line_of(&format!("/proc/{pid}/status"), "Umask:")?, 8).ok()
}

/// The process that a descriptor means.
pub(crate) fn pid_of(pidfd: &OwnedFd) -> Option<i32> {
    let pid = line_of(&format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()), "Pid:")?.parse().ok();
    // One that is gone, or of another namespace, has none.
    pid.filter(|pid| *pid > 0)
}

fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
}

/// The name that a process has given itself.
pub(crate) fn name(pid: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// The parent of a process.
pub(crate) fn parent(pid: i32) -> Option<i32> {
    Stat::read(pid)?.field(4)?.parse().ok()
}

/// What is different after each boot, and in no other system.
pub(crate) fn boot_id() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim_end().to_owned())
}

/// The namespace in which our process ids mean something.
pub(crate) fn pid_namespace() -> Option<u64> {
    numbered(fs::read_link("/proc/self/ns/pid").ok()?.as_os_str(), "pid:[")
}

/// The network that a process is in. Unknown for those that we may not look at.
pub(crate) fn network(pid: i32) -> Option<u64> {
    numbered(fs::read_link(format!("/proc/{pid}/ns/net")).ok()?.as_os_str(), "net:[")
}

/// The network that the calling thread is in.
pub(crate) fn own_network() -> Option<u64> {
    numbered(fs::read_link("/proc/thread-self/ns/net").ok()?.as_os_str(), "net:[")
}

/// Whether there is such a process, and it has not ended.
pub(crate) fn is_alive(pid: i32) -> bool {
    Stat::read(pid).is_some_and(|stat| stat.is_alive())
}

/// The same, and it has not begun to end. One that has lost its memory, but not yet all else, is root's in `/proc`: nobody may
/// look into it, and it is about to let go of what it holds.
pub(crate) fn lives_on(pid: i32) -> bool {
    /// `PF_EXITING` of the kernel's `sched.h`, which has never been another one.
    const IS_EXITING: u32 = 0x4;
    let stat = Stat::read(pid).filter(Stat::is_alive);
    let flags = stat.and_then(|stat| stat.field(9)?.parse::<u32>().ok());
    flags.is_some_and(|flags| flags & IS_EXITING == 0)
}

/// When a process began, in ticks since the boot. With its id this means one process and no later one.
pub(crate) fn birth(pid: i32) -> Option<u64> {
    Stat::read(pid).filter(Stat::is_alive)?.field(22)?.parse().ok()
}

/// Who a process is, by one look. Not of one that has ended.
pub(crate) fn kin(pid: i32) -> Option<Kin> {
    let stat = Stat::read(pid).filter(Stat::is_alive)?;
    let number = |field| stat.field(field)?.parse::<i32>().ok();
    let birth = stat.field(22)?.parse().ok()?;
    Some(Kin { pid, parent: number(4)?, session: number(6)?, birth, name: stat.name.clone() })
}

/// The file that a process executes. Unknown for those that we may not look at.
pub(crate) fn executable(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// What a process was given when it was executed, each variable with a zero behind it. Unknown for those that we may not
/// look at.
pub(crate) fn environment(pid: i32) -> Option<Vec<u8>> {
    read_all(&format!("/proc/{pid}/environ"))
}

/// The value of a variable that a process was given. Unknown for those that we may not look at.
pub(crate) fn given(pid: i32, variable: &str) -> Option<Vec<u8>> {
    walk::value_of(&environment(pid)?, variable)
}

/// Makes this process one whose descriptors nobody but root may see, like a server that has changed its user.
#[cfg(test)]
pub(crate) fn forbid_looking() -> io::Result<()> {
    Ok(nix::sys::prctl::set_dumpable(false)?)
}

/// Whether the kernel lists children (`CONFIG_PROC_CHILDREN`), which spares reading all of `/proc`.
pub(crate) fn knows_children() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    *KNOWS.get_or_init(|| !lacks(Means::Children) && Path::new("/proc/thread-self/children").exists())
}

/// The children of a process that has one thread.
pub(crate) fn children_of_single(pid: i32) -> io::Result<Vec<i32>> {
    if !knows_children() {
        return children(pid);
    }
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(listed.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect())
}

fn children_of_threads(pid: i32) -> io::Result<Vec<i32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        // A thread that has ended has no children: another thread has inherited them.
        let listed = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.extend(listed.split_ascii_whitespace().filter_map(|child| child.parse::<i32>().ok()));
    }
    Ok(children)
}

fn children_by_parent() -> HashMap<i32, Vec<i32>> {
    walk::by_parent(processes(), parent)
}

/// All processes that we see, ourselves included.
pub(crate) fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The inode of a socket, by what the link of its descriptor says.
fn socket_inode(target: &OsStr) -> Option<u64> {
    numbered(target, "socket:[")
}

fn numbered(target: &OsStr, kind: &str) -> Option<u64> {
    target.to_str()?.strip_prefix(kind)?.strip_suffix(']')?.parse().ok()
}

fn read_some(path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(COMMAND_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A whole file. Those of `/proc` do not say how large they are, so that the standard library asks more often than needed.
fn read_all(path: &str) -> Option<Vec<u8>> {
    // Of all processes it is read while one of them runs away: each microsecond counts.
    let (mut bytes, mut piece) = (Vec::new(), [0; PROC_BYTES]);
    let mut file = File::open(path).ok()?;
    loop {
        match file.read(&mut piece).ok()? {
            0 => return Some(bytes),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// `/proc/PID/stat`. The second field, the name, may hold blanks, parentheses and bytes of any kind.
struct Stat {
    name: String,
    /// From the third field on.
    fields: String,
}

impl Stat {
    fn read(pid: i32) -> Option<Stat> {
        let bytes = read_all(&format!("/proc/{pid}/stat"))?;
        let name_begin = bytes.iter().position(|byte| *byte == b'(')? + 1;
        let name_end = bytes.iter().rposition(|byte| *byte == b')')?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Some(Stat { name: text(bytes.get(name_begin..name_end)?), fields: text(&bytes[name_end + 1..]) })
    }

    /// Zombies have ended.
    fn is_alive(&self) -> bool {
        !matches!(self.field(3), None | Some("Z" | "X"))
    }

    /// A field by its number in `proc(5)`, from the third on.
    fn field(&self, number: usize) -> Option<&str> {
        self.fields.split_ascii_whitespace().nth(number - 3)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn whoever_is_about_to_end_does_not_live_on() {
        assert!(lives_on(std::process::id() as i32));
        let mut process = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = process.id() as i32;
        assert!(lives_on(pid));
        process.kill().unwrap();
        // Between the two it may be seen that it has begun to end, and from then on nobody says that it lives on.
        crate::sys::wait::eventually(|| !lives_on(pid));
        assert!((0..100).all(|_| !lives_on(pid)));
        process.wait().unwrap();
        assert!(!lives_on(pid));
    }

    #[test]
    fn both_ways_to_find_children_agree() {
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", "exec 3<&0; cat <&3 & cat <&3 & echo; wait"]);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // The line says that both are there.
        shell.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let pid = shell.id() as i32;
        let mut listed = children_of_threads(pid).unwrap();
        let mut scanned = children_by_parent().remove(&pid).unwrap();
        listed.sort_unstable();
        scanned.sort_unstable();
        assert_eq!(listed.len(), 2);
        assert_eq!(listed, scanned);
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert!(children_of_threads(pid).is_err());
        assert_eq!(children_by_parent().remove(&pid), None);
    }
}
