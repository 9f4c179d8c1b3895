//! Executors and handles of any type, side by side.

use std::any::Any;

use crate::error::Result;
use crate::ground::{Executor, Ground, Need};
use crate::handle::Process;
use crate::isolation::Isolation;

/// An executor under a name, whatever its type.
pub(crate) trait Entry: Send {
    fn name(&self) -> &str;
    fn needs(&self) -> Vec<Need>;
    fn isolates(&self, isolation: Isolation) -> bool;
    fn place(&mut self, ground: &Ground) -> Result<()>;
    /// Brings it up and tells the others what it means.
    fn start(self: Box<Self>, ground: &Ground) -> Result<Box<dyn Held>>;
}

/// A handle, whatever its type.
pub(crate) trait Held: Send {
    fn process(&self) -> Option<&Process>;
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}

pub(crate) struct Member<E> {
    name: String,
    executor: E,
}

impl<E> Member<E> {
    pub(crate) fn new(name: String, executor: E) -> Member<E> {
        Member { name, executor }
    }
}

impl<E: Executor + 'static> Entry for Member<E> {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs(&self) -> Vec<Need> {
        self.executor.needs()
    }

    fn isolates(&self, isolation: Isolation) -> bool {
        self.executor.isolates(isolation)
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.executor.place(ground)
    }

    fn start(self: Box<Self>, ground: &Ground) -> Result<Box<dyn Held>> {
        let handle = self.executor.start_on(ground)?;
        ground.publish::<E>(&handle);
        Ok(Box::new(Handle::<E>(handle)))
    }
}

struct Handle<E: Executor>(E::Handle);

impl<E: Executor + 'static> Held for Handle<E> {
    fn process(&self) -> Option<&Process> {
        E::process(&self.0)
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        Box::new(self.0)
    }
}
