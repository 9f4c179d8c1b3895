//! The tries of a [`ready::Exec`](crate::ready::Exec): each a process of ours, beside the service that it asks about.
//!
//! ```text
//!            exit code 0    another exit    its time is over   moot or too late     its shim is killed   refused
//! Resting    (never)        (never)         -> Trying          -> Resting, open     (never)              (never)
//! Trying     -> ready       -> Resting      -> Resting         -> Resting, open     -> Resting           the start fails (*)
//!
//! (*) -> Resting, where there was no room for another process or its pipes: there may be later
//! ```
//! Moot is what the start says: the service has ended, or the stack was given up. However a try ends, nothing is left of it
//! when the look returns: it has a shim of its own, which stops whatever it has started, also when the test itself dies.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::failure;
use crate::config::scaled;
use crate::duration::in_words;
use crate::exit::Exit;
use crate::guardian::client::Luggage;
use crate::guardian::protocol::{Launch, StopPlan};
use crate::guardian::run::{Phase, Run, State};
use crate::limits::{EXEC_REST, EXEC_REST_LEAST_MAX, EXEC_REST_MAX, KILL_LIMIT, POLL_MIN, POLL_SHARE};
use crate::network::Network;
use crate::output::LogFiles;
use crate::output::tail::tail;
use crate::quote::one_line;
use crate::ready::{Look, Probe, Sight, end_of_try, says_less, time_of_try};
use crate::signal::Signal;
use crate::sys::child::Step;

/// How much is read of what a try wrote, in search of its last line, and how much of that is shown.
const SAID_BYTES: u64 = 4096;
const SAID_CHARS: usize = 200;

/// At once and without a question: whatever it is about to find out, nobody wants to know it any more.
pub(super) fn at_once() -> StopPlan {
    StopPlan { signal: Signal::Kill.number(), grace_ms: 0, then_kill: true }
}

/// The command at work, for one start.
pub(super) struct Checking {
    launch: Launch,
    network: Option<Network>,
    question: String,
    try_timeout: Duration,
    /// When it is time for the next try.
    due: Option<Instant>,
    /// What the last try came to, and how long the longest took that came to anything.
    last: Option<String>,
    longest: Duration,
    /// One was under way when nobody wanted to know any more.
    was_moot: bool,
}

/// What came of a try.
enum Came {
    Exit(Exit),
    Refused(Step, io::Error),
    /// Its shim was killed, or never came to be.
    Lost,
    /// It took too long.
    Late,
    /// The time for the start was over.
    CutShort,
    Moot,
}

impl Checking {
    pub(super) fn new(launch: Launch, network: Option<Network>, question: String, try_timeout: Duration) -> Checking {
        Checking {
            launch,
            network,
            question,
            try_timeout: scaled(try_timeout),
            due: None,
            last: None,
            longest: Duration::ZERO,
            was_moot: false,
        }
    }

    /// Rests, and returns whether there is to be another try. There is one at least, also right at the deadline.
    fn rest(&self, sight: &Sight<'_>) -> bool {
        let is_moot = |state: &mut State| (sight.is_moot)(state.phase).then_some(());
        let Some(due) = self.due else { return !(sight.is_moot)(sight.run.phase()) };
        let is_over = sight.run.wait_until(Some(due.min(sight.deadline)), is_moot).is_some();
        !is_over && Instant::now() < sight.deadline
    }

    fn open(&self) -> Look {
        let nothing = if self.was_moot { "it was still running" } else { "it was not asked" };
        Look::Unanswered(self.last.as_deref().unwrap_or(nothing).to_owned())
    }

    /// Starts one, waits for what comes of it, and leaves nothing of it.
    fn attempt(&self, sight: &Sight<'_>) -> Result<(Came, String), String> {
        let began = Instant::now();
        let log = log_of_try(sight.run.log());
        let launch = Launch { log: log.clone(), ..self.launch.clone() };
        let luggage = Luggage { network: self.network.as_ref(), ..Luggage::default() };
        let launched = sight.run.guardian().launch(launch, luggage, Box::new(|_| {}));
        let Some(run) = launched.map_err(|error| error.title().to_owned())? else {
            // The guardian is about to end, and the service with it.
            return Ok((Came::Lost, String::new()));
        };
        run.tell(sight.run);
        let attempt = Attempt { run, log };
        let came = self.wait_for(&attempt.run, began, sight);
        attempt.end();
        let said = attempt.said();
        Ok((came, said))
    }

    fn wait_for(&self, run: &Run, began: Instant, sight: &Sight<'_>) -> Came {
        let limit = began + self.try_timeout;
        let until = limit.min(end_of_try(began, sight.deadline));
        let came = sight.run.wait_until(Some(until), |state| {
            came_of(run.phase()).or_else(|| (sight.is_moot)(state.phase).then_some(Came::Moot))
        });
        came.unwrap_or(if until == limit { Came::Late } else { Came::CutShort })
    }

    /// A try that was cut short before it had the time of others says less than those.
    fn notes(&mut self, why: String, took: Duration) -> Look {
        self.longest = self.longest.max(took);
        self.last = Some(why.clone());
        Look::NotYet(why)
    }

    fn judge(&mut self, came: Came, said: &str, took: Duration) -> Look {
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        match came {
            Came::Exit(exit) if exit.success() => Look::Ready,
            Came::Exit(exit) => self.notes(format!("{exit}{said}"), took),
            Came::Late => self.notes(format!("still running after {}{said}", in_words(self.try_timeout)), took),
            Came::CutShort if self.last.is_some() && says_less(took, self.longest) => self.open(),
            Came::CutShort => self.notes(format!("still running after {}{said}", in_words(took)), took),
            Came::Lost => self.notes("it was killed together with its shim".to_owned(), took),
            Came::Moot => {
                self.was_moot = true;
                self.open()
            }
            // There may be room for it later.
            Came::Refused(step @ (Step::Fork | Step::Prepare), error) => {
                let (_, why) = failure::refusal(None, step, &error);
                self.notes(why, took)
            }
            Came::Refused(step, error) => {
                let user = self.launch.user.as_ref().map(|user| user.name.as_str());
                let (_, why) = failure::refusal(user, step, &error);
                Look::Broken(format!("`{}` cannot be run: {why}", self.question))
            }
        }
    }
}

impl Probe for Checking {
    fn look(&mut self, sight: &Sight<'_>) -> Look {
        if !self.rest(sight) {
            return self.open();
        }
        let began = Instant::now();
        let look = match self.attempt(sight) {
            Ok((came, said)) => self.judge(came, &said, time_of_try(began, Instant::now(), sight.deadline)),
            Err(why) => Look::Broken(why),
        };
        self.due = Some(Instant::now() + rest_after(began.elapsed(), sight.run.age()));
        look
    }

    fn question(&self) -> String {
        self.question.clone()
    }

    fn can_lapse(&self) -> bool {
        true
    }

    fn look_again(&mut self, sight: &Sight<'_>) -> Look {
        self.due = None;
        self.look(sight)
    }
}

/// Longer after a longer try, so that a bounded part of a processor goes into asking; and longer with the time waited, as
/// between the questions of all probes.
fn rest_after(took: Duration, waited: Duration) -> Duration {
    let least = (waited / POLL_SHARE).clamp(POLL_MIN, EXEC_REST_LEAST_MAX);
    (took * EXEC_REST).min(EXEC_REST_MAX).max(least)
}

fn came_of(phase: Phase) -> Option<Came> {
    match phase {
        Phase::Starting | Phase::Running => None,
        Phase::LeaderEnded(exit) | Phase::Gone(exit, _) => Some(Came::Exit(exit)),
        Phase::Refused { step, errno } => Some(Came::Refused(step, io::Error::from_raw_os_error(errno))),
        Phase::Lost { .. } => Some(Came::Lost),
    }
}

/// The process of one try. Nothing is left of it when this is gone.
struct Attempt {
    run: Arc<Run>,
    log: PathBuf,
}

impl Attempt {
    /// Ends what is left of it, be it what it left in the background.
    fn end(&self) {
        if !self.run.phase().is_over() {
            self.run.stop(at_once());
            // What SIGKILL does not end in that time is nothing that we can end.
            self.run.wait_over(Some(Instant::now() + KILL_LIMIT));
        }
    }

    /// The last line that it wrote.
    fn said(&self) -> String {
        // Without a log it wrote nothing.
        let lines = tail(&self.log, usize::MAX, SAID_BYTES).unwrap_or_default().lines;
        let last = lines.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty()).unwrap_or_default();
        one_line(last, SAID_CHARS).into_owned()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.end();
        LogFiles::at(&self.log).remove();
    }
}

/// Beside that of the service, and no other one: two may wait for one service.
fn log_of_try(log: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut path = log.as_os_str().to_owned();
    path.push(format!(".check-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_rest_grows_with_the_try_and_with_the_wait() {
        assert_eq!(rest_after(ms(5), ms(10)), ms(20));
        assert_eq!(rest_after(ms(5), ms(1800)), ms(100));
        assert_eq!(rest_after(ms(5), Duration::from_secs(3600)), EXEC_REST_LEAST_MAX);
        assert_eq!(rest_after(ms(1000), ms(1000)), ms(4000));
        assert_eq!(rest_after(Duration::from_secs(3600), ms(1)), EXEC_REST_MAX);
        assert_eq!(rest_after(Duration::ZERO, Duration::ZERO), POLL_MIN);
    }
}
