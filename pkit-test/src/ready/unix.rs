//! Does the process itself accept connections on a unix socket?
//!
//! That the file is made is an event; that somebody listens is asked of the kernel, as for a TCP port: a connection would
//! be met by the server, which may accept exactly one. Between the two there is no event, and next to no time.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::file::why_not_there;
use super::{Fill, Look, Probe, Sight, Site, Unarmed, Unprepared};
use crate::port::{self, Holds};
use crate::sys::diag::{Diag, FileId, UnixListener};
use crate::sys::watch::{self, Watch};
use crate::sys::{procfs, socket};
use crate::template::Template;

/// How long the path of a unix socket can be, on the system where it is shortest but one byte more on Linux.
const LONGEST: usize = 107;

/// Ready when the process listens on a unix socket.
///
/// Holes in the path are filled, and a relative path is meant from where the process runs. `@name` is a name of the
/// abstract namespace of Linux.
///
/// A file that an earlier run has left, at which nobody listens, is not ready; somebody else who listens there before the
/// start is an error, and one who does so later is named in the error at the end. With
/// [`Spec::any_owner`](crate::Spec::any_owner) anybody will do.
///
/// The process sees no connection: the kernel is asked who listens (`unix_diag`). Where the kernel does not answer, as in some
/// containers, it is connected to.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use pkit_test::{Spec, ready::UnixSocket};
/// # fn main() -> pkit_test::Result<()> {
/// const SERVER: &str = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('s'); s.listen(); s.accept()";
/// let server = Spec::new(["python3", "-c", SERVER]).cwd("{dir}").ready(UnixSocket::at("s")).start()?;
/// assert!(UnixStream::connect(server.dir().join("s")).is_ok());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    path: Template,
}

impl UnixSocket {
    /// The socket at a path, or with an `@` before it the one of an abstract name.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::UnixSocket};
    /// # fn main() -> pkit_test::Result<()> {
    /// let error = Spec::new("sh -c 'exit 1'").ready(UnixSocket::at("{dir}/s")).start().unwrap_err();
    /// assert!(error.is_exit());
    /// assert!(error.to_string().contains("\n  probe:  unix /"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn at(path: impl Into<String>) -> UnixSocket {
        UnixSocket { path: Template::parse(&path.into()) }
    }

    pub(super) fn templates(&self) -> Vec<&Template> {
        vec![&self.path]
    }

    pub(super) fn mistake(&self) -> Option<String> {
        let is_empty = ["", "@"].contains(&self.path.source());
        is_empty.then(|| "the probe asks for a unix socket without a name".to_owned())
    }

    pub(super) fn prepare<E>(&self, site: &Site, fill: &mut Fill<'_, E>) -> Result<Serving, Unprepared<E>> {
        let text = self.path.render(fill.lookup).map_err(Unprepared::Hole)?;
        let address = match text.strip_prefix('@') {
            Some(name) => Address::Abstract(name.to_owned()),
            None => Address::File(fill.absolute(&text)?),
        };
        Ok(Serving { length: text.len(), address, any_owner: site.any_owner, watch: None })
    }
}

/// Where a unix socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    File(PathBuf),
    Abstract(String),
}

/// Whether the process listens on a unix socket.
#[derive(Debug)]
pub(super) struct Serving {
    address: Address,
    /// Of the path as it is written: a relative one may be short where it leads far.
    length: usize,
    any_owner: bool,
    watch: Option<Watch>,
}

/// Who listens.
#[derive(Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Somebody(Holds),
}

impl Serving {
    /// Whether events tell of the file. Asked before each look.
    fn follows(&mut self) -> bool {
        let Address::File(path) = &self.address else { return false };
        watch::follow(&mut self.watch, |watch| {
            watch.drain();
            watch.follow(path)
        })
    }

    /// What is at the path, if it is no socket.
    fn obstacle(&self) -> Option<String> {
        let Address::File(path) = &self.address else { return None };
        match fs::metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() => None,
            Ok(_) => Some("it is no socket".to_owned()),
            Err(error) => Some(why_not_there(path, &error)),
        }
    }

    fn who(&self, tree_root: i32) -> io::Result<Who> {
        match self.who_now(tree_root)? {
            // A socket that was closed while we looked for its owner has none either: so look again.
            Who::Somebody(Holds::Hidden | Holds::Unknown) => self.who_now(tree_root),
            known => Ok(known),
        }
    }

    fn who_now(&self, tree_root: i32) -> io::Result<Who> {
        match Diag::unix_listeners() {
            Ok(listeners) => match self.who_of(&listeners, tree_root) {
                Who::Nobody if self.may_be_out_of_sight(tree_root) => who_answers(&self.address, tree_root),
                who => Ok(who),
            },
            Err(_) => who_answers(&self.address, tree_root),
        }
    }

    /// Whether somebody may listen there of whom the kernel does not tell: it knows those of our network, and a file is met
    /// from every one.
    fn may_be_out_of_sight(&self, tree_root: i32) -> bool {
        let is_elsewhere =
            |pid: i32| procfs::network(pid).is_some_and(|network| Some(network) != procfs::own_network());
        let is_file = matches!(self.address, Address::File(_)) && self.obstacle().is_none();
        is_file && (self.any_owner || procfs::descendants(tree_root).into_iter().any(is_elsewhere))
    }

    /// Where the kernel tells of files, that of the file decides: the same name may have been another socket's before.
    fn who_of(&self, listeners: &[UnixListener], tree_root: i32) -> Who {
        let found: Vec<&UnixListener> = match &self.address {
            Address::Abstract(name) => listeners.iter().filter(|listener| is_called(listener, name)).collect(),
            Address::File(path) => {
                let Ok(metadata) = fs::metadata(path) else { return Who::Nobody };
                let file = FileId::of(&metadata);
                let at_file: Vec<_> = listeners.iter().filter(|listener| listener.file == Some(file)).collect();
                let by_name = || listeners.iter().filter(|listener| may_be_at(listener, file, path));
                if at_file.is_empty() { by_name().collect() } else { at_file }
            }
        };
        let holders = found.iter().map(|listener| match self.any_owner {
            true => Holds::Ours,
            false => port::holder_of(listener.inode, tree_root),
        });
        holders.min_by_key(badness).map_or(Who::Nobody, Who::Somebody)
    }
}

fn badness(holds: &Holds) -> u8 {
    match holds {
        Holds::Ours => 0,
        Holds::Unknown => 1,
        Holds::Hidden => 2,
        Holds::Foreign { .. } => 3,
    }
}

/// Some pad the name with zeros to the full length of an address.
fn is_called(listener: &UnixListener, name: &str) -> bool {
    let bound = listener.name.strip_prefix(&[0]);
    let padding = bound.and_then(|bound| bound.strip_prefix(name.as_bytes()));
    padding.is_some_and(|padding| padding.iter().all(|byte| *byte == 0))
}

/// For file systems whose files the kernel knows by other numbers than their users, as some of layers do. They differ in the
/// device: with the same one it is another file of that name, which was there before, or is in another directory.
fn may_be_at(listener: &UnixListener, file: FileId, path: &Path) -> bool {
    listener.file.is_none_or(|bound| bound.device != file.device) && is_bound_to(listener, path)
}

fn is_bound_to(listener: &UnixListener, path: &Path) -> bool {
    let name = listener.name.strip_suffix(&[0]).unwrap_or(&listener.name);
    let name = Path::new(std::ffi::OsStr::from_bytes(name));
    !name.as_os_str().is_empty() && path.ends_with(name.strip_prefix(".").unwrap_or(name))
}

/// By a connection: for kernels that do not say who listens. Who has begun to listen may have gone since, and left the
/// socket to its children.
fn who_answers(address: &Address, tree_root: i32) -> io::Result<Who> {
    let name = match address {
        Address::File(path) => path.as_os_str().as_bytes().to_vec(),
        Address::Abstract(name) => [b"\0", name.as_bytes()].concat(),
    };
    match socket::ask_who_listens(&name) {
        Ok(Some(pid)) if procfs::is_below(pid, tree_root) => Ok(Who::Somebody(Holds::Ours)),
        Ok(Some(pid)) => Ok(Who::Somebody(
            procfs::command_line(pid).map_or(Holds::Unknown, |command| Holds::Foreign { pid, command }),
        )),
        Ok(None) => Ok(Who::Somebody(Holds::Unknown)),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(Who::Nobody),
            _ => Err(error),
        },
    }
}

impl Probe for Serving {
    fn arm(&mut self) -> Result<(), Unarmed> {
        if self.length > LONGEST {
            let length = self.length;
            return Err(Unarmed::Mistake(format!(
                "the path of its socket has {length} bytes, and a unix socket's can have {LONGEST}: {}",
                self.shown()
            )));
        }
        if self.any_owner || self.obstacle().is_some() {
            return Ok(());
        }
        let by_whom = match self.who(0) {
            Ok(Who::Somebody(Holds::Foreign { pid, command })) => format!("pid {pid}: {command}"),
            Ok(Who::Somebody(_)) => "a process that we may not look at".to_owned(),
            // Whoever cannot be asked now is asked again.
            Ok(Who::Nobody) | Err(_) => return Ok(()),
        };
        Err(Unarmed::Taken(format!("the socket {} is taken by {by_whom}", self.shown())))
    }

    fn look(&mut self, sight: &Sight<'_>) -> Look {
        let follows = self.follows();
        match self.obstacle() {
            Some(obstacle) if follows => return Look::AtEvent(obstacle),
            _ => {}
        }
        let look = self.look_at_it(sight);
        // There are few of them to be had, and others may be waited for.
        self.watch = self.watch.take().filter(|_| look != Look::Ready);
        look
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(|watch| watch.as_fd())
    }

    fn may_miss_events(&self) -> bool {
        true
    }

    fn can_lapse(&self) -> bool {
        true
    }

    fn look_again(&mut self, sight: &Sight<'_>) -> Look {
        self.look_at_it(sight)
    }

    fn question(&self) -> String {
        format!("unix {}", self.shown())
    }

    fn door(&self) -> &'static str {
        "socket"
    }
}

impl Serving {
    /// As it is now, whatever events may follow.
    fn look_at_it(&self, sight: &Sight<'_>) -> Look {
        if let Some(obstacle) = self.obstacle() {
            return Look::NotYet(obstacle);
        }
        match self.who(sight.tree_root) {
            Ok(Who::Nobody) if matches!(self.address, Address::File(_)) => {
                Look::Begun("nobody listens at it".to_owned())
            }
            Ok(Who::Nobody) => Look::NotYet("nobody listens at it".to_owned()),
            Ok(Who::Somebody(Holds::Foreign { pid, command })) if !self.any_owner => {
                Look::Foreign(format!("it belongs to somebody else: `{command}` (pid {pid})"))
            }
            Ok(Who::Somebody(Holds::Hidden)) => {
                Look::Foreign("it belongs to somebody else, a process that we may not look at".to_owned())
            }
            Ok(Who::Somebody(_)) => Look::Ready,
            Err(error) => Look::NotYet(format!("nobody could be asked: {error}")),
        }
    }

    fn shown(&self) -> String {
        match &self.address {
            Address::File(path) => path.display().to_string(),
            Address::Abstract(name) => format!("@{name}"),
        }
    }
}

#[cfg(test)]
mod tests;
