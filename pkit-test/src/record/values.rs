//! What is known of a process and of each of its runs: values that nobody changes any more.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::exit::Exit;

/// How far a process has come, or a run of it.
///
/// ```
/// use pkit_test::{ProcessState, processes, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let [asked, surprise] = [simple("sleep 60").start()?, simple("sh -c 'exit 3'").start()?];
/// asked.stop()?;
/// surprise.wait()?;
/// let states: Vec<ProcessState> = processes().iter().map(|process| process.state()).collect();
/// assert_eq!(states, [ProcessState::Ended, ProcessState::Died]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessState {
    /// It is to run, and is not ready yet.
    Starting,
    /// It was ready, and some of it is left.
    Ready,
    /// The test has asked it to stop, and some of it is left.
    Stopping,
    /// Nothing of it is left, and that was asked for, or is allowed by [`may_exit`](crate::Spec::may_exit) or
    /// [`expect_exit`](crate::Spec::expect_exit).
    Ended,
    /// Nothing of it is left, and nobody had asked for that.
    Died,
    /// It could not be run, or it did not become ready.
    Failed,
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ProcessState::Starting => "starting",
            ProcessState::Ready => "ready",
            ProcessState::Stopping => "stopping",
            ProcessState::Ended => "ended",
            ProcessState::Died => "died",
            ProcessState::Failed => "failed",
        })
    }
}

/// One run of a process: from the order to start it until nothing of it is left.
///
/// Times are counted from the moment in which the test began to use this crate.
///
/// ```
/// use pkit_test::{ProcessState, Restart, processes, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let sleeper = simple("sleep 60").start()?;
/// sleeper.restart(Restart::Forced)?;
/// let record = processes().remove(0);
/// let [first, second] = record.runs() else { panic!("two runs") };
/// assert_eq!((first.state(), second.state()), (ProcessState::Ended, ProcessState::Ready));
/// assert!(first.ended() <= Some(second.started()));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct RunRecord {
    pub(super) pid: Option<u32>,
    pub(super) started: Duration,
    pub(super) ready: Option<Duration>,
    pub(super) stopping: Option<Duration>,
    pub(super) ended: Option<Duration>,
    pub(super) failed: Option<Duration>,
    /// It failed since it took too long, and not by its end.
    pub(super) was_late: bool,
    pub(super) exit: Option<Exit>,
    pub(super) was_asked: bool,
    /// The spec allows the exit, whoever asked.
    pub(super) was_allowed: bool,
}

impl RunRecord {
    /// How far it has come.
    ///
    /// ```
    /// use pkit_test::{ProcessState, processes, tcp};
    /// let error = tcp("sh -c 'exit 3' {port}", 0).start().unwrap_err();
    /// assert!(error.is_exit());
    /// assert_eq!(processes()[0].runs()[0].state(), ProcessState::Failed);
    /// ```
    #[must_use]
    pub fn state(&self) -> ProcessState {
        match (self.failed, self.ended) {
            (Some(_), _) => ProcessState::Failed,
            (None, Some(_)) if self.was_asked || self.was_allowed => ProcessState::Ended,
            (None, Some(_)) => ProcessState::Died,
            (None, None) if self.stopping.is_some() => ProcessState::Stopping,
            (None, None) if self.ready.is_some() => ProcessState::Ready,
            (None, None) => ProcessState::Starting,
        }
    }

    /// The process id that it had, also after its end, when it may be somebody else's; `None` if its program never ran.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// let pid = sleeper.pid();
    /// sleeper.stop()?;
    /// assert_eq!(pkit_test::processes()[0].runs()[0].pid(), pid);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// When its start began.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let two = [pkit_test::simple("sleep 60").start()?, pkit_test::simple("sleep 60").start()?];
    /// let records = pkit_test::processes();
    /// assert!(records[0].runs()[0].started() < records[1].runs()[0].started());
    /// # drop(two); Ok(()) }
    /// ```
    #[must_use]
    pub fn started(&self) -> Duration {
        self.started
    }

    /// When it was ready, if it ever was.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let slow = pkit_test::output("sh -c 'read line; echo $line; sleep 60'", "^ready$").spawn()?;
    /// assert_eq!(pkit_test::processes()[0].runs()[0].ready(), None);
    /// slow.write_stdin("ready\n")?;
    /// slow.wait_ready()?;
    /// assert!(pkit_test::processes()[0].runs()[0].ready().is_some());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ready(&self) -> Option<Duration> {
        self.ready
    }

    /// When nothing of it was left any more.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert_eq!(pkit_test::processes()[0].runs()[0].ended(), None);
    /// sleeper.stop()?;
    /// let records = pkit_test::processes();
    /// assert!(records[0].runs()[0].ended() > records[0].runs()[0].ready());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ended(&self) -> Option<Duration> {
        self.ended
    }

    /// How it ended; `None` while some of it is left, and where its end was not seen because the guardian was killed.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// pkit_test::simple("sh -c 'exit 3'").start()?.wait()?;
    /// assert_eq!(pkit_test::processes()[0].runs()[0].exit().and_then(|exit| exit.code()), Some(3));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Whether the test had asked for its end before it came: by a stop, a kill, or a signal that ends.
    ///
    /// ```
    /// use pkit_test::{Signal, processes, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").start()?;
    /// sleeper.signal(Signal::Term)?;
    /// sleeper.wait()?;
    /// assert!(processes()[0].runs()[0].was_asked());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn was_asked(&self) -> bool {
        self.was_asked
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some()
    }
}

/// What this test knows of a process that it has started, from its first start on, as it was at one moment.
///
/// [`processes`](crate::processes) returns one for each.
///
/// ```
/// use pkit_test::{ProcessState, processes, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let sleeper = simple("sleep 60").start()?;
/// let before = processes().remove(0);
/// sleeper.stop()?;
/// assert_eq!(before.state(), ProcessState::Ready);
/// assert_eq!(processes()[0].state(), ProcessState::Ended);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ProcessRecord {
    pub(super) name: String,
    pub(super) addr: Option<SocketAddr>,
    pub(super) is_shared: bool,
    pub(super) spec: String,
    pub(super) restarts: u32,
    /// How many of its runs are left out at the front.
    pub(super) forgotten: usize,
    /// At least one: what was never to run is in no record.
    pub(super) runs: Vec<RunRecord>,
}

impl ProcessRecord {
    fn last(&self) -> &RunRecord {
        self.runs.last().expect("a process is recorded from its first start on")
    }

    /// Its name, as [`Process::name`](crate::Process::name).
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("/bin/sleep 60").start()?;
    /// assert_eq!(pkit_test::processes()[0].name(), sleeper.name());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The spec as it was written, and where, as errors show it.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert!(pkit_test::processes()[0].spec().starts_with(r#"simple("sleep 60")   "#));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn spec(&self) -> &str {
        &self.spec
    }

    /// Its address, if it has a port.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let [with, without] = [pkit_test::simple("echo {port}").start()?, pkit_test::simple("sleep 60").start()?];
    /// let addrs: Vec<_> = pkit_test::processes().iter().map(|process| process.addr()).collect();
    /// assert_eq!(addrs, [Some(with.addr()), None]);
    /// # drop(without); Ok(()) }
    /// ```
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// Whether it is [shared](crate::Spec::shared) with other tests of the run: then it was started when this test first had
    /// it, as far as this is concerned, and does not end with it.
    ///
    /// ```
    /// use pkit_test::{processes, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let _shared = simple("sleep 62").shared().start()?;
    /// let _own = simple("sleep 62").start()?;
    /// assert_eq!(processes().iter().map(|process| process.is_shared()).collect::<Vec<_>>(), [true, false]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// How far its last run has come.
    ///
    /// ```
    /// use pkit_test::{ProcessState, processes, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").start()?;
    /// sleeper.stop()?;
    /// sleeper.start()?;
    /// assert_eq!(processes()[0].state(), ProcessState::Ready);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn state(&self) -> ProcessState {
        self.last().state()
    }

    /// The process id of its last run, as [`RunRecord::pid`]: also after the end.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert_eq!(pkit_test::processes()[0].pid(), sleeper.pid());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.last().pid
    }

    /// How many times it was started again, as [`Process::restarts`](crate::Process::restarts).
    ///
    /// ```
    /// use pkit_test::{Restart, processes, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").start()?;
    /// sleeper.restart(Restart::Forced)?;
    /// assert_eq!(processes()[0].restarts(), sleeper.restarts());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// How it ended the last time, this run or one before it, as [`Process::exit`](crate::Process::exit).
    ///
    /// ```
    /// use pkit_test::{Restart, processes, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").start()?;
    /// assert_eq!(processes()[0].exit(), None);
    /// sleeper.restart(Restart::Forced)?;
    /// assert_eq!(processes()[0].exit().and_then(|exit| exit.signal()), Some(9));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.runs.iter().rev().find_map(RunRecord::exit)
    }

    /// When the start of its last run began, as [`RunRecord::started`].
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// let records = pkit_test::processes();
    /// assert!(Some(records[0].started()) < records[0].ready());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn started(&self) -> Duration {
        self.last().started
    }

    /// When its last run was ready, as [`RunRecord::ready`].
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// assert!(pkit_test::processes()[0].ready().is_some());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ready(&self) -> Option<Duration> {
        self.last().ready
    }

    /// When nothing of its last run was left any more, as [`RunRecord::ended`].
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// sleeper.kill()?;
    /// let records = pkit_test::processes();
    /// assert!(records[0].ended() > records[0].ready());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ended(&self) -> Option<Duration> {
        self.last().ended
    }

    /// Its runs, the first one first; of very many the last ones.
    ///
    /// ```
    /// use pkit_test::{Restart, processes, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").start()?;
    /// sleeper.restart(Restart::Forced)?;
    /// let signals = processes()[0].runs().iter().map(|run| run.exit()?.signal()).collect::<Vec<_>>();
    /// assert_eq!(signals, [Some(9), None]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn runs(&self) -> &[RunRecord] {
        &self.runs
    }
}
