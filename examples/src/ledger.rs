//! A sum that several processes may add to at once: a file of amounts, a line each, and a lock.
//!
//! The lock is a name that the kernel takes back when its holder ends, in whatever way: no file stays behind that would
//! keep the others out. Who waits is connected to who holds it, and sees the connection end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A ledger in a directory.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
}

/// The right to write. It ends with this value.
#[derive(Debug)]
pub struct Entry {
    file: File,
    _name: UnixListener,
}

impl Ledger {
    /// The one in that directory, which need not be there yet.
    #[must_use]
    pub fn of(directory: &Path) -> Ledger {
        Ledger { path: directory.join("ledger") }
    }

    /// Adds an amount. When this returns it is written.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn add(&self, amount: u64) -> io::Result<()> {
        let mut entry = self.begin()?;
        entry.write(&amount.to_string())?;
        entry.write("\n")
    }

    /// The sum of all that was added.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has something else in it.
    pub fn sum(&self) -> io::Result<u64> {
        let mut text = String::new();
        self.begin()?.file.read_to_string(&mut text)?;
        text.lines().map(|line| line.parse::<u64>().map_err(io::Error::other)).sum()
    }

    /// Waits until nobody else writes, and forgets what a writer has not finished.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn begin(&self) -> io::Result<Entry> {
        let name = SocketAddr::from_abstract_name(self.path.as_os_str().as_bytes())?;
        let name = loop {
            match UnixListener::bind_addr(&name) {
                Ok(listener) => break listener,
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => wait_for_the_end(&name),
                Err(error) => return Err(error),
            }
        };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        forget_what_was_cut_off(&mut file)?;
        Ok(Entry { file, _name: name })
    }
}

impl Entry {
    /// Writes a part of a line.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&mut self, part: &str) -> io::Result<()> {
        self.file.write_all(part.as_bytes())
    }
}

/// Nobody accepts, so that it ends with who listens. If that is over already there is nothing to wait for.
fn wait_for_the_end(name: &SocketAddr) {
    if let Ok(mut stream) = UnixStream::connect_addr(name) {
        let _ = stream.read(&mut [0]);
    }
}

fn forget_what_was_cut_off(file: &mut File) -> io::Result<()> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    file.set_len(text.rfind('\n').map_or(0, |end| end + 1) as u64)?;
    file.seek(SeekFrom::Start(0)).map(drop)
}
