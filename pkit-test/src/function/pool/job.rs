//! One item on its way, and the promise of an answer to it.

use std::any::type_name;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attend::attend_to;
use super::frame::{ITEM_BYTES, ItemHead, Routine};
use crate::error::{Error, Kind};
use crate::function::callable::{Callable, name_of, pointer_of};
use crate::function::codec::{self, Unwritten};
use crate::function::failure::Failure;
use crate::limits::ARGUMENT_BYTES;
use crate::sync::Monitor;
use crate::sys::likeness;

/// The function of an item.
#[derive(Debug, Clone)]
pub(super) struct Call {
    name: Arc<str>,
    /// What a worker runs and what with, as they travel; or why they cannot.
    travels: Result<(u64, Option<u64>), String>,
}

impl Call {
    pub(super) fn of<F, A, M>(function: F) -> Call
    where
        F: Callable<A, M>,
        A: DeserializeOwned + 'static,
        M: 'static,
        F::Output: Serialize,
    {
        let routine: Routine = attend_to::<F, A, M>;
        let travels = pointer_of::<F, A, M>(&function).and_then(|pointer| {
            let routine = likeness::distance_of(&routine).ok_or("it is in a library that is loaded at run time")?;
            Ok((routine, pointer))
        });
        Call { name: name_of(type_name::<F>()).into(), travels }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// An item of it, or why that cannot be one.
    pub(super) fn job<A: Serialize>(&self, number: u64, arguments: &A, is_of_ticket: bool) -> Result<Job, Failure> {
        let message = self.message(arguments).map_err(|failure| failure.of_item(number))?;
        let (name, promise) = (Arc::clone(&self.name), Arc::default());
        Ok(Job { message, number, name, is_of_ticket, crashes: 0, promise })
    }

    fn message<A: Serialize>(&self, arguments: &A) -> Result<Vec<u8>, Failure> {
        let (routine, pointer) = self
            .travels
            .clone()
            .map_err(|why| Failure::error(&Error::new(Kind::Spec, format!("`{}` was not called: {why}", self.name))))?;
        let mut message = vec![0; ITEM_BYTES];
        codec::append(&mut message, ARGUMENT_BYTES, arguments).map_err(|why| match why {
            Unwritten::TooLarge => {
                Failure::arguments(&self.name, &format!("they are larger than {}", codec::size(ARGUMENT_BYTES)))
            }
            Unwritten::Mistake(why) => Failure::arguments(&self.name, &why),
        })?;
        let length = (message.len() - ITEM_BYTES) as u64;
        message[..ITEM_BYTES].copy_from_slice(&ItemHead { routine, pointer, length }.to_bytes());
        Ok(message)
    }
}

/// One item. Where it is dropped without an answer, whoever waits for that hears that there will be none.
#[derive(Debug)]
pub(super) struct Job {
    /// What its worker is sent.
    message: Vec<u8>,
    pub(super) number: u64,
    name: Arc<str>,
    pub(super) is_of_ticket: bool,
    /// How many workers it has cost.
    pub(super) crashes: u32,
    promise: Arc<Promise>,
}

impl Job {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    pub(super) fn promise(&self) -> Arc<Promise> {
        Arc::clone(&self.promise)
    }

    /// What it returned. The memory of its arguments is not needed any more.
    pub(super) fn returned(mut self, result: &[u8]) {
        let mut bytes = std::mem::take(&mut self.message);
        bytes.clear();
        bytes.extend_from_slice(result);
        self.promise.keep(Ok(bytes));
    }

    pub(super) fn failed(self, failure: Failure) {
        self.promise.keep(Err(failure));
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.promise.is_kept() {
            self.promise.keep(Err(Failure::dropped(&self.name).of_item(self.number)));
        }
    }
}

/// What an item returned, encoded, or why it did not.
type Answer = Result<Vec<u8>, Failure>;

/// Where the answer to an item will be.
#[derive(Debug, Default)]
pub(super) struct Promise {
    answer: Monitor<Option<Answer>>,
}

impl Promise {
    /// That of what is no item.
    pub(super) fn broken(failure: Failure) -> Arc<Promise> {
        Arc::new(Promise { answer: Monitor::new(Some(Err(failure))) })
    }

    fn keep(&self, answer: Answer) {
        self.answer.change(|kept| *kept = Some(answer));
    }

    fn is_kept(&self) -> bool {
        self.answer.with(|kept| kept.is_some())
    }

    /// The answer as the function gave it; `None` where it is not there by the deadline.
    pub(super) fn read<R: DeserializeOwned>(
        &self,
        name: &str,
        number: u64,
        deadline: Option<Instant>,
    ) -> Option<Result<R, Failure>> {
        self.answer.wait_until(deadline, |answer| {
            Some(match answer.as_ref()? {
                Ok(bytes) => codec::read(bytes).map_err(|why| Failure::unreadable(name, &why).of_item(number)),
                Err(failure) => Err(failure.clone()),
            })
        })
    }
}
