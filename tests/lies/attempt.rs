//! One start, with its stranger, and what was true meanwhile.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pkit_test::ready::{Http, Output, Tcp};
use pkit_test::{Error, Executor, Ground, Need, Process, Result, Spec};
use pkit_test_tests::child::monotonic_ns;

use crate::scenario::{Asks, Comes, Expected, Scenario, Stranger};
use crate::truth::{Claim, Ns, Record, is_missed, may_be_true};

/// For those who are to become ready: only catches a hang.
const PATIENCE: Duration = Duration::from_secs(30);
/// For those who never do: it is waited out.
const NO_PATIENCE: Duration = Duration::from_millis(120);
/// For those of whom it is not known: long enough for a miss to be one.
const SOME_PATIENCE: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_millis(20);

/// What came of a start.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    Ready,
    NotReady,
    /// It was said to be ready and was not, with all that is known of it.
    Lie(String),
    /// It was ready, and the start failed.
    Missed(String),
}

/// The program, and a directory for its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) program: &'a Path,
    pub(crate) directory: &'a Path,
    pub(crate) any_owner: bool,
}

/// Does it, and judges it.
pub(crate) fn attempt(stage: Stage<'_>, scenario: &Scenario, number: u64) -> Verdict {
    let file = |name: &str| stage.directory.join(format!("{number}-{name}"));
    let (ours, theirs) = (file("ours"), file("theirs"));
    let start = Start {
        spec: spec(stage, scenario, &ours),
        program: stage.program.to_owned(),
        scenario: scenario.clone(),
        records: (ours.clone(), theirs.clone()),
    };
    let Outcome { claim, process, trouble, stranger } = start.start().expect("it is placed");
    drop((process, stranger));
    let verdict = judge(scenario, &claim, (&ours, &theirs), trouble.as_ref());
    let _ = (fs::remove_file(ours), fs::remove_file(theirs));
    verdict
}

fn judge(scenario: &Scenario, claim: &Claim, records: (&Path, &Path), trouble: Option<&Error>) -> Verdict {
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let (ours_text, theirs_text) = (text(records.0), text(records.1));
    let (ours, theirs) = (Record::read(&ours_text), Record::read(&theirs_text));
    let evidence = || {
        let trouble = trouble.map_or_else(String::new, |error| format!("{error}\n"));
        format!("{scenario:?}\n{claim:?}\n{trouble}ours:\n{ours_text}theirs:\n{theirs_text}")
    };
    let is_lie = !may_be_true(claim, &ours, &theirs) || scenario.expected == Expected::Never;
    let is_miss = is_missed(claim, &ours, &theirs) || scenario.expected == Expected::Ready;
    match claim.is_ready {
        true if is_lie => Verdict::Lie(evidence()),
        true => Verdict::Ready,
        false if is_miss => Verdict::Missed(evidence()),
        false => Verdict::NotReady,
    }
}

fn spec(stage: Stage<'_>, scenario: &Scenario, record: &Path) -> Spec {
    let steps: Vec<String> = scenario.steps.iter().map(|step| placed(step, scenario.host)).collect();
    let timeout = match scenario.expected {
        Expected::Ready => PATIENCE,
        Expected::Never => NO_PATIENCE,
        Expected::Either => SOME_PATIENCE,
    };
    let spec = Spec::program(stage.program).args([record.display().to_string()]).args(steps).host(scenario.host);
    let spec = spec.start_timeout(timeout).stop_timeout(GRACE);
    let spec = if scenario.asks(Asks::Admin) { spec.port("admin") } else { spec };
    let spec = if stage.any_owner { spec.any_owner() } else { spec };
    scenario.probes.iter().fold(spec, |spec, probe| match probe {
        Asks::Tcp => spec.ready(Tcp::any()),
        Asks::Http => spec.ready(Http::get("/")),
        Asks::Word => spec.ready(Output::any("^up$")),
        Asks::Admin => spec.ready(Tcp::port("admin")),
    })
}

/// The places that a step may name: all of its family, all of both, and the other one.
fn placed(step: &str, host: &str) -> String {
    let (any, other) = if host == "::1" { ("[::]", "127.0.0.1") } else { ("0.0.0.0", "[::1]") };
    let step = step.replace("{both}", "[::]:{port}");
    step.replace("{any}", &format!("{any}:{{port}}")).replace("{other}", &format!("{other}:{{port}}"))
}

/// A start that knows its port before anything runs, so that a stranger can.
struct Start {
    spec: Spec,
    program: PathBuf,
    scenario: Scenario,
    records: (PathBuf, PathBuf),
}

struct Outcome {
    claim: Claim,
    process: Option<Process>,
    trouble: Option<Error>,
    stranger: Option<Guest>,
}

impl Executor for Start {
    type Handle = Outcome;

    fn needs(&self) -> Vec<Need> {
        self.spec.needs()
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.spec.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<Outcome> {
        let asked = addresses(&self.scenario, ground)?;
        let known = |text: &str| ground.fill(text);
        let guest = |when| self.scenario.stranger.as_ref().filter(|stranger| stranger.comes == when);
        let come = |when| guest(when).map(|stranger| self.come(stranger, &known)).transpose();
        let run_first = !self.scenario.is_again();
        if run_first {
            let stranger = come(Comes::First)?.or(come(Comes::Meanwhile)?);
            let began = monotonic_ns();
            let started = self.spec.clone().start_on(ground);
            return Ok(outcome(&self.scenario, asked, began, started, stranger));
        }
        let process = self.spec.clone().start_timeout(PATIENCE).start_on(ground)?;
        process.kill()?;
        fs::remove_file(&self.records.0).expect("it has written something");
        let stranger = come(Comes::FirstAtRestart)?.or(come(Comes::MeanwhileAtRestart)?);
        let began = monotonic_ns();
        let started = process.start();
        Ok(outcome(&self.scenario, asked, began, started.map(|()| process), stranger))
    }
}

impl Start {
    /// Lets a stranger in. One that is to be first has said so when this returns.
    fn come(&self, stranger: &Stranger, fill: &dyn Fn(&str) -> Result<String>) -> Result<Guest> {
        let steps = stranger.steps.iter().map(|step| fill(&placed(step, self.scenario.host)));
        let steps: Vec<String> = steps.collect::<Result<_>>()?;
        let mut command = Command::new(&self.program);
        command.arg(&self.records.1).args(steps).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the stranger runs");
        let out = process.stdout.take().expect("it is a pipe");
        if matches!(stranger.comes, Comes::First | Comes::FirstAtRestart) {
            BufReader::new(out).read_line(&mut String::new()).expect("the stranger speaks");
        }
        Ok(Guest(process))
    }
}

fn outcome(
    scenario: &Scenario,
    asked: Vec<SocketAddr>,
    began: Ns,
    started: Result<Process>,
    stranger: Option<Guest>,
) -> Outcome {
    let returned = monotonic_ns();
    let is_ready = started.is_ok();
    let claim = Claim { asked, wants_word: scenario.asks(Asks::Word), began, returned, is_ready };
    let (process, trouble) = started.map_or_else(|error| (None, Some(error)), |process| (Some(process), None));
    Outcome { claim, process, trouble, stranger }
}

fn addresses(scenario: &Scenario, ground: &Ground) -> Result<Vec<SocketAddr>> {
    let host: IpAddr = scenario.host.parse().expect("an address");
    let address = |hole: &str| Ok(SocketAddr::new(host, ground.fill(hole)?.parse().expect("a port")));
    let main = scenario.asks(Asks::Tcp) || scenario.asks(Asks::Http);
    let holes = [main.then_some("{port}"), scenario.asks(Asks::Admin).then_some("{port.admin}")];
    holes.into_iter().flatten().map(address).collect()
}

/// A stranger that ends with this.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended, and then there is nothing to kill.
        let _ = self.0.kill();
        self.0.wait().expect("it is our child");
    }
}
