//! What the driver chose: a program of its own, or a function of ours in a process.

use std::ops::Deref;
use std::time::Duration;

use pkit_test::{Executor, Ground, Isolation, Need, Pool, Process, Result, Spec, State, Supervision, Worker};

/// An executor of either kind.
#[derive(Debug)]
pub enum Chosen {
    /// A program.
    Program(Spec),
    /// A function.
    Function(Spec<Worker<()>>),
    /// The same, and a pool beside it.
    Pooled(Spec<Worker<()>>),
    /// The same, and a state that it finds in its environment.
    Stateful(Spec<Worker<()>>),
}

/// Its handle.
#[derive(Debug)]
pub enum Held {
    /// Of a program.
    Program(Process),
    /// Of a function.
    Function(Worker<()>),
    /// Of a function, and of a pool.
    Pooled(Worker<()>, Pool),
    /// Of a function, and the state.
    Stateful(Worker<()>, State),
}

/// The processes of a pool.
const POOL: usize = 2;

impl Chosen {
    /// As of a spec; without pool and state, as nobody supervises one: that it is lost with a guardian is an error of the scope.
    #[must_use]
    pub fn supervise(self, supervision: Supervision) -> Chosen {
        match self.map(|spec| spec.supervise(supervision), |spec| spec.supervise(supervision)) {
            Chosen::Pooled(spec) | Chosen::Stateful(spec) => Chosen::Function(spec),
            other => other,
        }
    }

    /// As of a spec.
    #[must_use]
    pub fn stop_timeout(self, timeout: Duration) -> Chosen {
        self.map(|spec| spec.stop_timeout(timeout), |spec| spec.stop_timeout(timeout))
    }

    /// As of a spec.
    #[must_use]
    pub fn after(self, name: &str) -> Chosen {
        self.map(|spec| spec.after(name), |spec| spec.after(name))
    }

    /// As of a spec.
    #[must_use]
    pub fn isolate(self, isolation: Isolation) -> Chosen {
        self.map(|spec| spec.isolate(isolation), |spec| spec.isolate(isolation))
    }

    fn map(
        self,
        program: impl FnOnce(Spec) -> Spec,
        function: impl FnOnce(Spec<Worker<()>>) -> Spec<Worker<()>>,
    ) -> Chosen {
        match self {
            Chosen::Program(spec) => Chosen::Program(program(spec)),
            Chosen::Function(spec) => Chosen::Function(function(spec)),
            Chosen::Pooled(spec) => Chosen::Pooled(function(spec)),
            Chosen::Stateful(spec) => Chosen::Stateful(function(spec)),
        }
    }
}

impl Executor for Chosen {
    type Handle = Held;

    fn needs(&self) -> Vec<Need> {
        match self {
            Chosen::Program(spec) => spec.needs(),
            Chosen::Function(spec) | Chosen::Pooled(spec) | Chosen::Stateful(spec) => spec.needs(),
        }
    }

    fn isolates(&self, isolation: Isolation) -> bool {
        match self {
            Chosen::Program(spec) => spec.isolates(isolation),
            Chosen::Function(spec) | Chosen::Pooled(spec) | Chosen::Stateful(spec) => spec.isolates(isolation),
        }
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        match self {
            Chosen::Program(spec) => spec.place(ground),
            Chosen::Function(spec) | Chosen::Pooled(spec) | Chosen::Stateful(spec) => spec.place(ground),
        }
    }

    fn start_on(self, ground: &Ground) -> Result<Held> {
        Ok(match self {
            Chosen::Program(spec) => Held::Program(ground.start(spec)?),
            Chosen::Function(spec) => Held::Function(ground.start(spec)?),
            Chosen::Pooled(spec) => {
                let worker = ground.start(spec)?;
                Held::Pooled(worker, ground.child("pool").start(pkit_test::pool(POOL))?)
            }
            Chosen::Stateful(spec) => {
                let state = ground.child("state").start(pkit_test::state())?;
                let path = state.path().display().to_string();
                Held::Stateful(ground.start(spec.env(State::ENV, path))?, state)
            }
        })
    }

    fn process(handle: &Held) -> Option<&Process> {
        Some(handle)
    }
}

impl Deref for Held {
    type Target = Process;

    fn deref(&self) -> &Process {
        match self {
            Held::Program(process) => process,
            Held::Function(worker) | Held::Pooled(worker, _) | Held::Stateful(worker, _) => worker,
        }
    }
}
