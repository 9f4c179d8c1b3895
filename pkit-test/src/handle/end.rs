//! How a process is brought to its end, and what is to be said about it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use super::fate::end_of;
use crate::config::{Show, config, deadline_in, log, say, scaled};
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::guardian::client;
use crate::guardian::protocol::StopPlan;
use crate::guardian::report::{self, render};
use crate::guardian::run::{Phase, Run};

use crate::limits::{
    CALLBACK_LIMIT, KILL_LIMIT, LAST_WORDS_LINES, PARDON_LIMIT, RECORDED_RUNS, SHIM_MARGIN, TAIL_BYTES, TAIL_LINES,
};
use crate::output::LogFiles;
use crate::output::tail::{last_words, tail, tail_since};
use crate::signal::Signal;
use crate::spec::Expected;
use crate::sys::procfs;

const PROGRAM_ENDED: &str = "`.may_exit()` or `.expect_exit(code)` where that is right";
const SHARED_OUTPUT: &str = "shared; since this test had it: ";
const FUNCTION_ENDED: &str = "`join` it where the test expects that, or `.may_exit()` or `.expect_exit(code)`";

/// What became of a process in the scope that it was started in.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) failures: Vec<Error>,
    /// Worth saying when the test has failed anyway.
    pub(crate) notes: Vec<String>,
}

impl Core {
    pub(crate) fn stop(&self) -> Result<()> {
        self.control("stop it")?;
        self.leave_down();
        self.end(self.spec().stop_plan())
    }

    pub(crate) fn kill(&self) -> Result<()> {
        self.control("kill it")?;
        self.leave_down();
        self.end(StopPlan { signal: Signal::Kill.number(), grace_ms: 0, then_kill: true })
    }

    pub(crate) fn terminate(&self) -> Result<()> {
        self.control("terminate it")?;
        self.leave_down();
        let result = self.end(StopPlan { then_kill: false, ..self.spec().stop_plan() });
        if !self.is_over() {
            // It runs on as if nobody had asked.
            self.change_life(|life| life.is_left_down = false);
            self.tell_started();
        }
        result
    }

    /// Stops that run without a word about whether the process is wanted.
    pub(crate) fn halt(&self, run: &Arc<Run>) -> Result<()> {
        self.end_run(run, self.spec().stop_plan())
    }

    fn end(&self, plan: StopPlan) -> Result<()> {
        self.run().map_or(Ok(()), |run| self.end_run(&run, plan))
    }

    fn end_run(&self, run: &Arc<Run>, plan: StopPlan) -> Result<()> {
        self.run_or_error("stop it")?;
        let was_over = run.phase().is_over();
        if !was_over {
            log(|| format!("stop {} with signal {}", self.place().name, plan.signal));
            self.record.is_to_stop();
            run.stop(plan);
            self.wait_end(run, plan)?;
        }
        self.callbacks_done()?;
        match run.phase() {
            lost @ Phase::Lost { .. } => Err(self.ended_error("stop it", lost)),
            // Whoever asks again for the end of what is gone hears nothing.
            _ if was_over => Ok(()),
            _ => self.had_to_kill(run, plan).map_or(Ok(()), Err),
        }
    }

    fn wait_end(&self, run: &Run, plan: StopPlan) -> Result<()> {
        let grace = Duration::from_millis(plan.grace_ms);
        let limit = if plan.then_kill { grace + KILL_LIMIT + SHIM_MARGIN * 2 } else { grace };
        let over = run.wait_until(Some(deadline_in(limit)), |state| {
            (state.phase.is_over() || !state.stuck.is_empty()).then(|| state.stuck.clone())
        });
        match over {
            Some(stuck) if stuck.is_empty() => Ok(()),
            Some(stuck) => {
                let pids: Vec<String> = stuck.iter().map(|pid| format!("{pid} {}", command_of(*pid))).collect();
                Err(self.still_alive(run, "survived SIGKILL").fact("left", pids.join("\n")))
            }
            None if plan.then_kill => Err(self.still_alive(run, "was not stopped: its shim does not answer")),
            None => Err(self.still_alive(run, "is not gone after its stop signal").fact("waited", in_words(grace))),
        }
    }

    fn still_alive(&self, run: &Run, what: &str) -> Error {
        self.about(Error::new(Kind::StillAlive, format!("`{}` {what}", self.place().name)), Some(run))
    }

    fn had_to_kill(&self, run: &Run, plan: StopPlan) -> Option<Error> {
        let spec = self.spec();
        let applies = spec.must_stop_gracefully && plan.then_kill && plan.signal != Signal::Kill.number();
        (applies && run.look(|state| state.was_killed)).then(|| {
            let signal = crate::signal::name(plan.signal);
            let why = format!(
                "it was still there {} after {signal}, and it must stop gracefully",
                in_words(Duration::from_millis(plan.grace_ms))
            );
            let title = format!("`{}` had to be killed", self.place().name);
            self.about(Error::new(Kind::HadToKill, title), Some(run)).fact("why", why)
        })
    }

    /// Waits for its callbacks. One that does not come to its end is waited for once.
    fn callbacks_done(&self) -> Result<()> {
        let was_late = self.life(|life| life.has_late_callback);
        let limit = if was_late { Duration::ZERO } else { scaled(CALLBACK_LIMIT) };
        let done = self.callbacks.wait_until(deadline_in(limit));
        self.life(|life| life.has_late_callback |= !done);
        let name = &self.place().name;
        let panics = self.callbacks.take_panics().into_iter();
        let shown = self.spec().shown();
        let panicked = panics.map(|text| {
            Error::new(Kind::Callback, format!("a callback of `{name}` panicked: {text}")).fact("spec", &shown)
        });
        let late =
            Error::new(Kind::Callback, format!("a callback of `{name}` does not come to its end")).fact("spec", &shown);
        let late = (!done).then_some(late);
        Error::all(panicked.chain(late)).map_or(Ok(()), Err)
    }

    /// The handle is gone: so is the process, and before it all that needs it.
    pub(super) fn dropped(self: &Arc<Core>) {
        let Some(run) = self.run() else { return self.retire() };
        if !run.guardian().is_ours() || self.life(|life| std::mem::replace(&mut life.was_dropped, true)) {
            return;
        }
        let has_failed = std::thread::panicking();
        if has_failed && !self.is_managed() {
            client::note_failure();
        }
        let scope = self.ground.scope();
        if scope.is_end_near() || self.is_managed() && config().keep != Show::Never && (has_failed || scope.is_done()) {
            // The end of the scope stops it, or leaves it up: only that knows whether the test has failed. A handle that
            // the test itself drops before is stopped, whatever the settings: they must not change what a test does.
            return;
        }
        if !self.is_managed() {
            self.desk.close();
            self.wake();
        }
        if !self.is_managed() && config().keep.applies(has_failed) {
            // As at the end of a scope: only then it is known whether it stays up.
            self.desk.wait_closed();
            if !self.is_over() {
                return self.keep();
            }
        }
        if self.is_managed() && !has_failed && !self.ground.is_cancelled() {
            self.await_expected_exit();
        }
        self.retire();
        self.stop_with_dependents();
        if !self.is_managed() {
            self.desk.wait_closed();
            // Nobody else will say it.
            let troubles = self.life(|life| std::mem::take(&mut life.troubles));
            troubles.iter().filter(|trouble| !trouble.is_exit()).for_each(|trouble| say(&format!("{trouble}\n")));
            self.show(has_failed);
            self.remove_logs(has_failed);
            self.ground.scope().part.report(has_failed);
        }
        // What has become of it by now is the test's business, and what becomes of it then is not.
        if has_failed && !self.is_own() && run.can_be_asked() {
            // What the test has felt may not have been heard of yet, and with the lease nobody would hear of it any more.
            let _ = run.sync().answer(Instant::now() + PARDON_LIMIT);
        }
        self.settle();
        self.let_lease_go();
    }

    /// Stops what needs it first, the newest first. What cannot be stopped is the business of whoever reports. What others have
    /// as well stays up.
    pub(crate) fn stop_with_dependents(self: &Arc<Core>) {
        for dependent in self.dependents() {
            dependent.stop_with_dependents();
        }
        let result = if self.is_own() { self.stop() } else { Ok(()) };
        let report = |error: Error| self.life(|life| life.troubles.push(error));
        result.err().into_iter().for_each(report);
    }

    /// Leaves it up, and says how to reach it and how to end it.
    pub(crate) fn keep(self: &Arc<Core>) {
        self.place().keep();
        if self.is_own() {
            client::note_kept();
        }
        say(&self.kept().unwrap_or_default());
    }

    fn kept(&self) -> Option<String> {
        let (place, run) = (self.place(), self.run()?);
        let mut facts = vec![("pid", self.pid().map(|pid| pid.to_string()).unwrap_or_default())];
        facts.extend(place.ports.iter().map(|(name, port)| {
            let address = SocketAddr::new(place.host, *port);
            if name.is_empty() { ("addr", address.to_string()) } else { ("port", format!("{name} at {address}")) }
        }));
        facts.extend(place.made_directory().map(|path| ("dir", path.display().to_string())));
        let net = self.ground.scope().network().zip(self.pid());
        facts.extend(net.map(|(_, pid)| ("net", format!("its own: `nsenter --net --target {pid}` is a way in"))));
        facts.push(("output", self.log_path().display().to_string()));
        facts.push(("end", self.how_to_end(&run)));
        Some(report::facts(&format!("`{}` stays up", place.name), &facts))
    }

    fn how_to_end(&self, run: &Run) -> String {
        if self.is_own() {
            return format!("`kill {}` ends it, with all that is kept of this test", run.guardian().pid());
        }
        // Its guardian is no child of ours, and nobody has told us of it.
        let guardian = run.look(|state| state.shim).and_then(procfs::parent);
        guardian.map_or_else(String::new, |pid| format!("`kill {pid}` ends it, for all tests of this run"))
    }

    /// Shows the end of its output, in the words of the thread that asks: a test's own thread is captured.
    pub(crate) fn show(&self, has_failed: bool) {
        self.note_verdict(has_failed);
        if !config().output.applies(has_failed) {
            return;
        }
        let Some(run) = self.run() else { return };
        let why = match run.phase().exit() {
            Some(exit) if !run.look(|state| state.is_asked_to_end) => format!("{exit}, "),
            _ => String::new(),
        };
        let tail = match run.since() {
            0 => tail(run.log(), TAIL_LINES, TAIL_BYTES).unwrap_or_default(),
            since => tail_since(run.log(), since, TAIL_LINES, TAIL_BYTES),
        };
        let why = if self.is_own() { why } else { format!("{why}{SHARED_OUTPUT}") };
        say(&render(&self.place().name, &tail, &self.log_path(), &why));
    }

    /// Removes the logs of a test that passed.
    pub(crate) fn remove_logs(&self, has_failed: bool) {
        if has_failed || config().output == Show::Always || self.place().is_kept() {
            return;
        }
        if self.run().is_some_and(|run| !run.guardian().is_ours()) {
            // A fork of the test leaves them to the test.
            return;
        }
        for log in self.life(|life| std::mem::take(&mut life.logs)) {
            LogFiles::at(&log).remove();
        }
    }

    /// Removes the logs of runs that are long over, so that one that is started again and again fills no disk.
    pub(crate) fn remove_old_logs(&self) {
        let old: Vec<_> = self.life(|life| {
            let count = life.logs.len().saturating_sub(RECORDED_RUNS);
            life.logs.drain(..count).collect()
        });
        old.iter().for_each(|log| LogFiles::at(log).remove());
    }

    /// Looks at a run that is over, once: an exit that nobody asked for is trouble.
    pub(crate) fn settle(&self) {
        let Some(run) = self.run().filter(|run| run.phase().is_over()) else { return };
        if self.life(|life| std::mem::replace(&mut life.is_settled, true)) {
            return;
        }
        let trouble = if self.spec().supervision.is_some() { self.covered(&run) } else { self.surprise(&run) };
        self.life(|life| {
            life.last_exit = run.phase().exit().or(life.last_exit);
            life.troubles.extend(trouble);
        });
    }

    /// The test has been told how the current run ended: the end of a scope need not tell it again.
    pub(crate) fn was_told(&self, run: &Arc<Run>) {
        self.life(|life| {
            if life.run.as_ref().is_some_and(|current| Arc::ptr_eq(current, run)) && run.phase().is_over() {
                life.is_settled = true;
                life.last_exit = run.phase().exit().or(life.last_exit);
            }
        });
    }

    /// An exit that is its supervisor's business: worth a note.
    fn covered(&self, run: &Run) -> Option<Error> {
        let (phase, end) = run.look(|state| (state.phase, end_of(state)));
        if self.spec().policy().wants_back(end) && !matches!(phase, Phase::Refused { .. }) {
            let note = format!("`{}` {end}; it is supervised", self.place().name);
            self.life(|life| life.notes.push(note));
        }
        None
    }

    fn surprise(&self, run: &Run) -> Option<Error> {
        let (phase, was_asked, listeners) = run.look(|state| (state.phase, state.is_asked_to_end, state.listeners));
        if listeners > 0 && !phase.exit().is_some_and(|exit| exit.success()) {
            // Whoever waits for its result is told by that, although somebody else starts it again before.
            return None;
        }
        match (phase, self.spec().expects) {
            // Whoever stops it is told.
            (Phase::Refused { .. } | Phase::Lost { with_guardian: true }, _) if self.is_own() => None,
            (Phase::Lost { with_guardian: true }, _) => {
                Some(self.died("was killed together with the broker of the run", run))
            }
            (Phase::Refused { .. }, _) => None,
            (Phase::Lost { with_guardian: false }, _) if self.is_own() => {
                Some(self.died("was killed together with its shim", run))
            }
            (Phase::Lost { with_guardian: false }, _) => {
                Some(self.died("was killed together with its shim, or with its guardian", run))
            }
            (_, expected @ (Expected::MayExit | Expected::Return)) if expected.covers(phase.exit()) => None,
            (_, Expected::Code(code)) if phase.exit().and_then(|exit| exit.code()) == Some(code) => None,
            // Whoever is stopped before its time has had no chance; that it still ran is said elsewhere.
            _ if was_asked => None,
            (_, Expected::Code(code)) => {
                Some(self.died(&format!("did not end with the expected exit code {code}"), run))
            }
            _ => Some(self.died("ended during the test, and nobody asked it to", run)),
        }
    }

    fn died(&self, how: &str, run: &Run) -> Error {
        let phase = run.phase();
        let kind = if matches!(self.spec().expects, Expected::Code(_)) { Kind::Unexpected } else { Kind::Died };
        let error = self.about(Error::new(kind, format!("`{}` {how}", self.place().name)), Some(run));
        let error = phase.exit().into_iter().fold(error, Error::with_exit);
        let may_be_right = matches!(self.spec().expects, Expected::Nothing | Expected::Return)
            && phase.exit().is_some_and(|exit| exit.code().is_some());
        let hint = may_be_right.then(|| self.spec().callee().map_or(PROGRAM_ENDED, |_| FUNCTION_ENDED));
        let panic = self.parcel().and_then(|parcel| parcel.panic());
        let panic = panic.map(|note| format!("there was one{}", note.in_a_line())).unwrap_or_default();
        with_last_words(error.fact("panic", panic).fact("hint", hint.unwrap_or_default()), run)
    }

    /// The facts that every error about a process has; with its id and how long it has run where there was a run.
    pub(crate) fn about(&self, error: Error, run: Option<&Run>) -> Error {
        let (shown, ran) = self.life(|life| (life.spec.shown(), life.ran.clone()));
        let times = run.map(|run| {
            let pid = run.look(|state| state.pid).map(|pid| format!("pid {pid}, ")).unwrap_or_default();
            format!("   {pid}in {}", in_words(run.lived()))
        });
        let ran = format!("{ran}{}", times.unwrap_or_default());
        error.fact("spec", shown).fact("ran", ran).fact("shared", self.shared_by())
    }

    /// At the end of a scope: what is to be said. Waits for an exit that is expected; everything else has ended.
    pub(crate) fn outcome(&self) -> Outcome {
        self.settle();
        let mut outcome = Outcome { failures: Vec::new(), notes: self.life(|life| std::mem::take(&mut life.notes)) };
        outcome.failures.extend(self.callbacks_done().err());
        let troubles = self.life(|life| std::mem::take(&mut life.troubles));
        // A callback that does not end is met by everybody who stops the process.
        let is_new = |trouble: &Error| outcome.failures.iter().all(|known| known.to_string() != trouble.to_string());
        let troubles: Vec<Error> = troubles.into_iter().filter(is_new).collect();
        outcome.failures.extend(troubles);
        let is_asked_by_test = self.control("stop it").is_ok();
        let run =
            self.run().filter(|run| is_asked_by_test && run.look(|state| state.was_killed && state.is_asked_to_end));
        let plan = self.spec().stop_plan();
        let had_to_kill = run.as_ref().and_then(|run| self.had_to_kill(run, plan));
        if let Some(error) = had_to_kill {
            // Also where the test has stopped it and did not look what became of that; but once.
            let is_said = outcome.failures.iter().any(|failure| failure.kind() == Kind::HadToKill);
            outcome.failures.extend((!is_said).then_some(error));
        } else if run.is_some() {
            let signal = crate::signal::name(plan.signal);
            outcome.notes.push(format!(
                "`{}` had to be killed {} after {signal}",
                self.place().name,
                in_words(Duration::from_millis(plan.grace_ms))
            ));
        }
        outcome
    }

    pub(crate) fn was_dropped(&self) -> bool {
        self.life(|life| life.was_dropped)
    }

    /// Gives a process that is expected to end by itself the time of a stop for it.
    pub(crate) fn await_expected_exit(&self) {
        let spec = self.spec();
        let (Expected::Code(code), Some(run)) = (spec.expects, self.run().filter(|_| self.is_own())) else { return };
        // Once is enough: the end of a scope asks, and so does the drop of a handle in it.
        if self.life(|life| life.is_settled) && !(spec.supervision.is_some() && run.phase().is_over()) {
            return;
        }
        let deadline = Instant::now() + Duration::from_millis(spec.stop_plan().grace_ms);
        if !self.wait_last_run(deadline) {
            let title = format!("`{}` was expected to end with exit code {code} and still runs", self.place().name);
            let error = with_last_words(self.about(Error::new(Kind::Unexpected, title), Some(&run)), &run);
            self.life(|life| {
                life.troubles.push(error);
                life.is_settled = true;
            });
        }
    }
}

/// Adds the last lines that a process wrote.
pub(crate) fn with_last_words(error: Error, run: &Run) -> Error {
    with_words_of(error, run.log(), run.since())
}

/// The same of what has written to this log, from there on.
pub(crate) fn with_words_of(error: Error, log: &Path, since: u64) -> Error {
    match last_words(log, since, LAST_WORDS_LINES, TAIL_BYTES) {
        Some((stream, tail)) => error.fact(stream.name(), tail.lines.join("\n")),
        None => error.fact("output", "none"),
    }
}

fn command_of(pid: i32) -> String {
    procfs::command_line(pid).map(|line| format!("`{line}`")).unwrap_or_default()
}
