//! A connection with a deadline for one item.
//!
//! Its timeouts are those of all items and are set once: an item whose answer comes in one piece costs no further system call.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Timed<'s> {
    stream: &'s UnixStream,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    has_read: bool,
    /// Less time is left than the connection is set to wait for usually.
    is_short: bool,
}

/// Sets what [`Timed`] builds on.
pub(super) fn prepare(stream: &UnixStream, timeout: Option<Duration>) -> io::Result<()> {
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)
}

/// Whether the time is over, and nothing else is wrong.
pub(super) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl<'s> Timed<'s> {
    /// From now on.
    pub(super) fn new(stream: &'s UnixStream, timeout: Option<Duration>) -> Timed<'s> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        Timed { stream, timeout, deadline, has_read: false, is_short: false }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.stream;
        loop {
            match stream.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) if count == bytes.len() => return Ok(()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.shorten()?;
        }
    }

    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.has_read, true) {
            self.shorten()?;
        }
        let mut stream = self.stream;
        stream.read(room)
    }

    /// The item was done in time.
    pub(super) fn finish(self) -> io::Result<()> {
        if self.is_short { prepare(self.stream, self.timeout) } else { Ok(()) }
    }

    fn shorten(&mut self) -> io::Result<()> {
        let Some(deadline) = self.deadline else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.is_short = true;
        prepare(self.stream, Some(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(30);

    fn pair(timeout: Option<Duration>) -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        prepare(&ours, timeout).unwrap();
        (ours, theirs)
    }

    /// Reads until there is an error, but for that of a wait that somebody has interrupted by stopping us for a moment.
    fn until_error(timed: &mut Timed<'_>) -> io::Error {
        loop {
            match timed.read(&mut [0; 1]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error,
                Ok(count) => assert_ne!(count, 0, "the other end is gone"),
            }
        }
    }

    #[test]
    fn what_does_not_come_is_late() {
        let (ours, _theirs) = pair(Some(SHORT));
        let mut timed = Timed::new(&ours, Some(SHORT));
        timed.write(b"item").unwrap();
        assert!(is_late(&until_error(&mut timed)));
        // Nobody reads: it has room for some of that only.
        let mut timed = Timed::new(&ours, Some(SHORT));
        assert!(is_late(&timed.write(&vec![0; 8 << 20]).unwrap_err()));
    }

    #[test]
    fn what_comes_in_drops_is_late_all_the_same() {
        let (ours, theirs) = pair(Some(SHORT));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let mut stream = &theirs;
                // Until nobody is there who reads.
                while stream.write_all(b".").is_ok() {
                    std::thread::yield_now();
                }
            });
            let late = until_error(&mut Timed::new(&ours, Some(SHORT)));
            ours.shutdown(std::net::Shutdown::Both).unwrap();
            assert!(is_late(&late), "{late}");
        });
    }

    #[test]
    fn an_item_in_time_leaves_the_next_one_all_of_its_time() {
        let (ours, mut theirs) = pair(Some(Duration::from_secs(60)));
        let mut timed = Timed::new(&ours, Some(Duration::from_secs(60)));
        theirs.write_all(b"ab").unwrap();
        let read = [0; 2].map(|_| timed.read(&mut [0; 1]).unwrap());
        assert_eq!(read, [1, 1]);
        assert!(timed.is_short);
        prepare(&ours, Some(SHORT)).unwrap();
        timed.finish().unwrap();
        assert_eq!(ours.read_timeout().unwrap(), Some(Duration::from_secs(60)));
    }
}
