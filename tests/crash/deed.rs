//! What is done to a victim from outside: by a third process, which none of them has started.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::path::Path;
use std::process::Child as Process;

use nix::sys::signal::Signal;
use pkit_test_tests::child::wait_us;
use pkit_test_tests::nested::until;
use pkit_test_tests::private::{HOPPING, survivors, wait_gone};
use pkit_test_tests::process::{has_child, parent, signal_process};

use crate::cell::{HANG, SETTLE, gone};
use crate::lines::Lines;
use crate::promise::Promise;

/// Some things that are done one after the other, from some moment on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deed {
    pub(crate) from: Moment,
    pub(crate) steps: &'static [Step],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is about to start the first of its processes. Who is there changes all the time.
    Starting,
    Up,
    /// It was told to go on, and has said that it does.
    Told(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Send(Signal, Whom),
    /// A random time, at most so long.
    Within(u64),
    /// Waits until nothing runs the child any more, where that is promised.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    Test,
    Guardian,
    Shims,
    OneShim,
    /// Test, guardian and shims, in no order.
    All,
}

/// Who is who, among those that execute the victim's file. They are looked for once, so that nothing but signals happens
/// between two steps.
#[derive(Debug, Default)]
struct Cast {
    test: Vec<u32>,
    guardian: Vec<u32>,
    shims: Vec<u32>,
    /// The shims that have somebody to look after.
    busy: Vec<u32>,
    /// Who else executes the victim's file: what has lost its parent, and functions with all that is below them.
    others: Vec<u32>,
}

/// A victim, and what belongs to it.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) process: &'a mut Process,
    pub(crate) lines: &'a mut Lines,
    /// The files that are executed by nobody else.
    pub(crate) victim: &'a Path,
    pub(crate) child: &'a Path,
    /// Then the victim's file is the child's as well.
    pub(crate) is_function: bool,
    pub(crate) promise: Promise,
}

/// Does it. `Err` says what could not be done.
pub(crate) fn perform(deed: &Deed, scene: &mut Scene<'_>) -> Result<(), String> {
    let cast = cast_at(deed.from, scene)?;
    for step in deed.steps {
        match *step {
            Step::Within(most_us) => wait_us(random() % most_us),
            Step::Gone if scene.promise == Promise::Nothing => wait_for_the_end(&cast, scene)?,
            Step::Gone => drop(wait_gone(scene.child, SETTLE)),
            // Who is there is not known before.
            Step::Send(signal, whom) if deed.from == Moment::Starting => {
                cast.as_it_is_now(scene.victim).send(signal, whom, scene.is_function);
            }
            Step::Send(signal, whom) => cast.send(signal, whom, scene.is_function),
        }
    }
    Ok(())
}

fn wait_for_the_end(cast: &Cast, scene: &Scene<'_>) -> Result<(), String> {
    gone("child", scene.child)?;
    let is_over = || !scene.is_function || cast.as_it_is_now(scene.victim).others.is_empty();
    until(HANG, || is_over().then_some(())).ok_or_else(|| "the functions are still there".into())
}

/// Waits for the moment; who is there then?
fn cast_at(moment: Moment, scene: &mut Scene<'_>) -> Result<Cast, String> {
    if moment == Moment::Starting {
        return scene.lines.wait_for("starting").map(|()| Cast::of(scene.victim));
    }
    let cast = complete(scene.victim, scene.lines)?;
    if let Moment::Told(line) = moment {
        let input = scene.process.stdin.as_mut().expect("piped");
        input.write_all(b"!").map_err(|error| format!("not told: {error}"))?;
        scene.lines.wait_for(line)?;
    }
    Ok(cast)
}

/// All who are there when all is up.
fn complete(victim: &Path, lines: &mut Lines) -> Result<Cast, String> {
    lines.wait_for("up")?;
    let cast = until(HANG, || Some(Cast::of(victim)).filter(Cast::is_complete));
    cast.ok_or_else(|| "there are no guardian and shims".into())
}

impl Cast {
    fn of(victim: &Path) -> Cast {
        let all = executing(victim);
        let is_first = |pid: &u32| parent(*pid).is_some_and(|parent| !all.contains(&parent));
        Cast { test: all.iter().copied().filter(is_first).collect(), ..Cast::default() }.as_it_is_now(victim)
    }

    /// The test is still the test: whoever has lost its parent meanwhile is not.
    fn as_it_is_now(&self, victim: &Path) -> Cast {
        let all = executing(victim);
        let child_of = |parents: &[u32]| -> Vec<u32> {
            all.iter().copied().filter(|&pid| parent(pid).is_some_and(|pid| parents.contains(&pid))).collect()
        };
        let guardian = child_of(&self.test);
        let shims = child_of(&guardian);
        let busy = shims.iter().copied().filter(|&pid| has_child(pid)).collect();
        let known = [&self.test, &guardian, &shims];
        let others = all.iter().copied().filter(|pid| known.iter().all(|some| !some.contains(pid))).collect();
        Cast { test: self.test.clone(), guardian, shims, busy, others }
    }

    /// Both processes of the victim are there, and what was forked for the next one has begun: it has another name then.
    fn is_complete(&self) -> bool {
        let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let has_begun = |&pid: &u32| self.guardian.iter().all(|&guardian| name(pid) != name(guardian));
        self.guardian.len() == 1 && self.busy.len() >= 2 && self.shims.iter().all(has_begun)
    }

    fn send(&self, signal: Signal, whom: Whom, has_functions: bool) {
        let mut everybody = Vec::new();
        let pids = match whom {
            Whom::Test => &self.test,
            Whom::Guardian => &self.guardian,
            Whom::Shims => &self.shims,
            Whom::OneShim => &self.busy.get(..1).unwrap_or_default().to_vec(),
            Whom::All => {
                // A function must go by itself.
                let others = if has_functions { &[][..] } else { &self.others };
                everybody.extend(self.guardian.iter().chain(&self.shims).chain(others).chain(&self.test));
                &everybody
            }
        };
        for &pid in pids {
            // What is dead by now is as it is to be.
            let _ = signal_process(pid, signal);
        }
    }
}

fn executing(victim: &Path) -> Vec<u32> {
    survivors(victim).into_iter().filter(|&pid| pid != HOPPING).collect()
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
