//! What can be done to a process that runs: its standard input, and signals.

use std::io;
use std::sync::Arc;

use super::Process;
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::guardian::protocol::Order;
use crate::guardian::run::{NoAnswer, Run};
use crate::limits::{REPLY_LIMIT, STDIN_BYTES, STDIN_PART_BYTES, STDIN_PATIENCE};
use crate::signal::Signal;

impl Process {
    /// Writes to its standard input. Returns when the text is on its way, not when it was read.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let cat = pkit_test::simple("cat").start()?;
    /// cat.write_stdin("hello")?;
    /// cat.close_stdin()?;
    /// cat.wait()?;
    /// assert_eq!(cat.stdout(), "hello");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it has ended, when its standard input was closed (by it, by [`Spec::stdin`](crate::Spec::stdin), or by
    /// [`close_stdin`](Process::close_stdin)), or when 1 MiB waits to be read by it and it has read nothing for 5 s. The
    /// beginning of a long text may be on its way then, and the error says how much of it; the rest is not written later.
    pub fn write_stdin(&self, text: impl AsRef<[u8]>) -> Result<()> {
        let text = text.as_ref();
        text.chunks(STDIN_PART_BYTES).enumerate().try_for_each(|(index, bytes)| {
            let (doing, bytes) = ("write to its standard input", bytes.to_vec());
            let run = self.touched(doing)?;
            let written = run.request(|token| Order::Write { token, bytes });
            written.map(drop).map_err(|why| self.not_written(doing, why, index * STDIN_PART_BYTES, text.len()))
        })
    }

    fn not_written(&self, doing: &str, why: NoAnswer, taken: usize, all: usize) -> Error {
        let name = self.name();
        match why {
            NoAnswer::Refused(error) if error.kind() == io::ErrorKind::TimedOut => {
                let mib = STDIN_BYTES / 1024 / 1024;
                Error::new(Kind::Timeout, format!("cannot {doing}: `{name}` does not read it"))
                    .fact(
                        "waited",
                        format!("{}, in which it has read nothing of the {mib} MiB before", in_words(STDIN_PATIENCE)),
                    )
                    .fact("took", format!("{taken} of {all} bytes"))
            }
            NoAnswer::Silent => {
                let what = format!("either `{name}` reads less than 64 KiB in {REPLY_LIMIT:?}, or its shim is stopped");
                Error::new(Kind::Timeout, format!("cannot {doing}: {what}"))
                    .fact("took", format!("{taken} of {all} bytes"))
            }
            NoAnswer::Refused(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Error::new(Kind::State, format!("cannot {doing}: that of `{name}` is closed"))
            }
            why => self.not_done(doing, why),
        }
    }

    /// Ends its standard input after what was written. Once is enough; a second time does nothing.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let count = pkit_test::simple("wc -l").start()?;
    /// count.write_stdin("one\ntwo\n")?;
    /// count.close_stdin()?;
    /// assert!(count.wait()?.success());
    /// assert_eq!(count.stdout().trim(), "2");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn close_stdin(&self) -> Result<()> {
        self.ask("close its standard input", |token| Order::CloseInput { token })
    }

    /// Sends a signal to the process itself; to what it left in the background where it has ended itself.
    ///
    /// After INT, QUIT, ABRT, KILL or TERM the test has asked for the exit that follows. HUP asks for one only where it is
    /// ended by it: many programs read their configuration again, and a crash after that is a crash. A process that is
    /// [supervised](crate::Spec::supervise) is started again all the same: the signal is how a test causes a crash. It
    /// returns when the signal is sent, not when it has had its effect.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Signal, output};
    /// # fn main() -> pkit_test::Result<()> {
    /// let script = r#"trap "echo reloaded" HUP; echo up; while :; do sleep 0.01; done"#;
    /// let server = output(["sh", "-c", script], "^up$").start()?;
    /// server.signal(Signal::Hup)?;
    /// assert_eq!(server.wait_for_output("^re", Duration::from_secs(10))?.line(), "reloaded");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it has ended, or when the signal is not allowed or not known on this system.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let doing = "send it a signal";
        self.core.control(doing)?;
        // Before it is sent: the end that it causes may be heard of before the answer.
        let deadly = [Signal::Int, Signal::Quit, Signal::Abort, Signal::Kill, Signal::Term, Signal::Hup];
        if deadly.iter().any(|one| one.number() == signal.number()) {
            self.core.run().iter().for_each(|run| run.look(|state| state.was_signalled = true));
        }
        self.ask(doing, |token| Order::Signal { token, number: signal.number() })
    }

    /// Stops it and all that descends from it where they stand, until [`resume`](Process::resume).
    ///
    /// To its clients it hangs: connections are accepted by the kernel, and nothing answers. A stop ends it all the
    /// same.
    ///
    /// ```
    /// use std::{io::Read, net::TcpStream, time::Duration};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = pkit_test::tcp("python3 -m http.server --bind {host} {port}", 0).start()?;
    /// server.pause()?;
    /// let mut client = TcpStream::connect(server.addr()).unwrap();
    /// client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    /// assert!(client.read(&mut [0]).is_err(), "it is up, and says nothing");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn pause(&self) -> Result<()> {
        self.ask("pause it", |token| Order::Pause { token })
    }

    /// Lets it go on after [`pause`](Process::pause).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let echo = pkit_test::simple("cat").start()?;
    /// echo.pause()?;
    /// echo.write_stdin("ping\n")?;
    /// assert!(echo.wait_for_output("ping", Duration::from_millis(50)).unwrap_err().is_timeout());
    /// echo.resume()?;
    /// assert_eq!(echo.wait_for_output("ping", Duration::from_secs(10))?.line(), "ping");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn resume(&self) -> Result<()> {
        self.ask("resume it", |token| Order::Resume { token })
    }

    /// The run that something is about to be done to.
    fn touched(&self, doing: &str) -> Result<Arc<Run>> {
        self.core.control(doing)?;
        self.core.run_or_error(doing)
    }

    fn ask(&self, doing: &str, order: impl FnOnce(u64) -> Order) -> Result<()> {
        let run = self.touched(doing)?;
        run.request(order).map(drop).map_err(|why| self.not_done(doing, why))
    }

    fn not_done(&self, doing: &str, why: NoAnswer) -> Error {
        match why {
            NoAnswer::Over(phase) => self.core.ended_error(doing, phase),
            NoAnswer::Refused(error) => Error::system(format_args!("cannot {doing}: `{}`", self.name()), error),
            NoAnswer::Silent => {
                Error::new(Kind::Timeout, format!("cannot {doing}: the shim of `{}` does not answer", self.name()))
            }
        }
    }
}
