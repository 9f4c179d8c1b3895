//! Is a file there, and does it say what it is to say?
//!
//! A file that an earlier run has left says nothing about this one. So what lies there before the start counts only when it
//! has changed, by all that a file system says of a file. Two changes within a tick of its clock look the same by that, so
//! that such a file is watched as well, from before the start on.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::O_NONBLOCK;
use regex_lite::Regex;

use super::output::{fill_regex, holes_of, mistake_of};
use super::{Fill, Look, Probe, Sight, Unarmed, Unprepared};
use crate::limits::FILE_BYTES;
use crate::sys::watch::{self, Watch};
use crate::template::{Hole, Template};

/// How much of a content is shown.
const SHOWN_CHARS: usize = 60;

/// Ready when a file is there that was not there before the start, or has changed since.
///
/// Holes in the path are filled, and a relative path is meant from where the process runs. It counts from the moment on when
/// it is there, also while it is empty: a file that is first made and then written, as pid files are, is to be asked for
/// its [content](File::matching). Where it is there, a directory, a FIFO or a socket will do as well, and is never opened.
///
/// ```
/// use pkit_test::{Spec, ready::File};
/// # fn main() -> pkit_test::Result<()> {
/// let daemon = Spec::new("sh -c 'echo $$ > {dir}/pid; exec sleep 60'").ready(File::at("{dir}/pid").matching(r"^\d+\n"));
/// let daemon = daemon.start()?;
/// let pid = std::fs::read_to_string(daemon.dir().join("pid")).unwrap();
/// assert_eq!(pid.trim().parse().ok(), daemon.pid());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    path: Template,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Any,
    Containing(Template),
    Matching(String),
}

impl File {
    /// The file at a path, whatever is in it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Spec, ready::File};
    /// # fn main() -> pkit_test::Result<()> {
    /// let never = Spec::new("sleep 60").ready(File::at("{dir}/done")).start_timeout(Duration::from_secs(1));
    /// let error = never.start().unwrap_err();
    /// assert!(error.to_string().contains("/done is there: there is no such file, "));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn at(path: impl Into<String>) -> File {
        File { path: Template::parse(&path.into()), content: Content::Any }
    }

    /// Only when this text is in it, among its first 1 MiB. Holes in the text are filled.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::File};
    /// # fn main() -> pkit_test::Result<()> {
    /// let spec = Spec::new("sh -c 'echo begin > log; echo up at {addr} >> log; exec sleep 60'").cwd("{dir}");
    /// let server = spec.ready(File::at("log").containing("up at {addr}\n")).start()?;
    /// assert!(server.dir().join("log").exists());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn containing(self, text: impl Into<String>) -> File {
        File { content: Content::Containing(Template::parse(&text.into())), ..self }
    }

    /// Only when a regex matches in it, among its first 1 MiB. The syntax is that of the `regex-lite` crate, where `^` and `$` are
    /// begin and end of all of it, unless `(?m)` makes them those of a line. Only names that are known are holes.
    ///
    /// A file that is written in pieces may be caught in the middle: `^\d+\n` waits for the end of the line, `^\d+` does not.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::File};
    /// # fn main() -> pkit_test::Result<()> {
    /// let spec = Spec::new("sh -c 'echo 12 > {dir}/port; exec sleep 60'");
    /// let server = spec.ready(File::at("{dir}/port").matching(r"^\d{2}\n$")).start()?;
    /// assert!(server.is_alive());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn matching(self, regex: impl Into<String>) -> File {
        File { content: Content::Matching(regex.into()), ..self }
    }

    pub(super) fn templates(&self) -> Vec<&Template> {
        let text = match &self.content {
            Content::Containing(text) => Some(text),
            Content::Any | Content::Matching(_) => None,
        };
        [&self.path].into_iter().chain(text).collect()
    }

    pub(super) fn regex_holes(&self) -> Vec<Hole> {
        match &self.content {
            Content::Matching(regex) => holes_of(regex),
            Content::Any | Content::Containing(_) => Vec::new(),
        }
    }

    pub(super) fn mistake(&self) -> Option<String> {
        match &self.content {
            _ if self.path.source().is_empty() => Some("the probe asks for a file without a name".to_owned()),
            Content::Matching(regex) => mistake_of(regex),
            Content::Any | Content::Containing(_) => None,
        }
    }

    pub(super) fn prepare<E>(&self, fill: &mut Fill<'_, E>) -> Result<Appearing, Unprepared<E>> {
        let path = self.path.render(fill.lookup).map_err(Unprepared::Hole)?;
        let path = fill.absolute(&path)?;
        let wanted = match &self.content {
            Content::Any => Wanted::Any,
            Content::Containing(text) => Wanted::Text(text.render(fill.lookup).map_err(Unprepared::Hole)?),
            Content::Matching(regex) => Wanted::Regex(fill_regex(regex, fill)?),
        };
        Ok(Appearing { path, wanted, before: None, has_changed: false, watch: None })
    }
}

#[derive(Debug)]
enum Wanted {
    Any,
    Text(String),
    Regex(Regex),
}

/// Whether a file is there.
#[derive(Debug)]
pub(super) struct Appearing {
    path: PathBuf,
    wanted: Wanted,
    /// What lay there before the start.
    before: Option<Stamp>,
    /// An event has told that it is not the same any more.
    has_changed: bool,
    watch: Option<Watch>,
}

/// What changes with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Appearing {
    /// Whether events tell of the file. Asked before each look.
    fn follows(&mut self) -> bool {
        let Appearing { path, has_changed, watch, .. } = self;
        watch::follow(watch, |watch| {
            *has_changed |= watch.drain();
            watch.follow(path)?;
            watch.follow_file(path)
        })
    }

    /// What there is instead of what is wanted.
    fn missing(&self) -> Option<String> {
        let metadata = match stat(&self.path) {
            Ok(metadata) => metadata,
            Err(error) => return Some(why_not_there(&self.path, &error)),
        };
        if !self.has_changed && self.before == Some(Stamp::of(&metadata)) {
            return Some("it is as it was before the start".to_owned());
        }
        match &self.wanted {
            Wanted::Any => None,
            _ if !metadata.is_file() => Some(format!("it is {}", kind_of(&metadata))),
            wanted => match read(&self.path) {
                Ok(content) => (!wanted.is_in(&content)).then(|| unfit(&content)),
                Err(error) => Some(format!("it cannot be read: {error}")),
            },
        }
    }
}

impl Wanted {
    fn is_in(&self, content: &[u8]) -> bool {
        let content = String::from_utf8_lossy(content);
        match self {
            Wanted::Any => true,
            Wanted::Text(text) => content.contains(text),
            Wanted::Regex(regex) => regex.is_match(&content),
        }
    }
}

pub(super) fn why_not_there(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if fs::symlink_metadata(path).is_ok() => "it is a link to what is not there".to_owned(),
        io::ErrorKind::NotFound => match first_missing(path) {
            Some(directory) => format!("there is no directory {} for it", directory.display()),
            None => "there is no such file".to_owned(),
        },
        _ => format!("it cannot be looked at: {error}"),
    }
}

/// The directory that somebody has to make before the file can be there.
fn first_missing(path: &Path) -> Option<&Path> {
    let is_missing = |directory: &&Path| fs::symlink_metadata(directory).is_err();
    path.ancestors().skip(1).take_while(is_missing).last().filter(|directory| !directory.as_os_str().is_empty())
}

/// What is removed while it is looked at has no name any more, and has changed in a way that nobody waits for.
fn stat(path: &Path) -> io::Result<Metadata> {
    let metadata = fs::metadata(path)?;
    if metadata.nlink() == 0 { Err(io::ErrorKind::NotFound.into()) } else { Ok(metadata) }
}

fn kind_of(metadata: &Metadata) -> &'static str {
    match metadata.file_type() {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// What was a file when it was looked at may be a FIFO by now, which would not be opened before somebody writes to it.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file any more"));
    }
    let mut content = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

fn unfit(content: &[u8]) -> String {
    if content.is_empty() {
        return "it is empty".to_owned();
    }
    let begin = String::from_utf8_lossy(&content[..content.len().min(4 * SHOWN_CHARS)]);
    let shown: String = begin.chars().take(SHOWN_CHARS).collect();
    let more = if shown.len() < content.len() { "…" } else { "" };
    format!("its content is \"{}\"{more}", shown.escape_debug())
}

impl Probe for Appearing {
    fn arm(&mut self) -> Result<(), Unarmed> {
        if fs::symlink_metadata(&self.path).is_ok() {
            // In this order: what happens between the two is an event.
            self.follows();
            self.before = stat(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        }
        Ok(())
    }

    fn look(&mut self, _: &Sight<'_>) -> Look {
        let follows = self.follows();
        match self.missing() {
            None => {
                // There are few of them to be had, and others may be waited for.
                self.watch = None;
                Look::Ready
            }
            Some(why) if follows => Look::AtEvent(why),
            Some(why) => Look::NotYet(why),
        }
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

    fn look_again(&mut self, _: &Sight<'_>) -> Look {
        self.missing().map_or(Look::Ready, Look::NotYet)
    }

    fn question(&self) -> String {
        let path = self.path.display();
        match &self.wanted {
            Wanted::Any => format!("{path} is there"),
            Wanted::Text(text) => format!("{path} contains `{}`", text.escape_debug()),
            Wanted::Regex(regex) => format!("{path} matches `{}`", regex.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn what_is_removed_while_it_is_looked_at_is_not_there() {
        let path = std::env::temp_dir().join(format!("pkit-removed-{}", std::process::id()));
        let file = fs::File::create(&path).unwrap();
        // As a look sees it that has found the file already.
        let found = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        assert!(stat(&path).is_ok() && stat(&found).is_ok());
        fs::remove_file(&path).unwrap();
        assert_eq!(stat(&found).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
