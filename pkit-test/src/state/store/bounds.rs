//! What a request may name. Values are looked at where they are written.

use super::super::protocol::{Commit, Key, PhaseAct, QueueAct, Refusal, Request, Value};
use crate::limits::{STATE_NAME_BYTES, TYPE_NAME_BYTES};

/// Whether all names in it are of a sane length.
pub(super) fn check(request: &Request) -> Result<(), Refusal> {
    match request {
        Request::Get { key, .. }
        | Request::Remove { key }
        | Request::Increment { key, .. }
        | Request::Wait { key, .. } => of_key(key),
        Request::Keys { space, .. }
        | Request::Snapshot { space, .. }
        | Request::Len { space }
        | Request::Clear { space } => name(space),
        Request::Set { key, value, .. } | Request::Replace { key, value, .. } => {
            of_key(key).and_then(|()| typed(value))
        }
        Request::Commit(commit) => of_commit(commit),
        Request::Watch { space, keys, .. } => name(space).and_then(|()| keys.iter().try_for_each(|key| name(key))),
        Request::Barrier { name: of, .. } | Request::Latch { name: of, .. } | Request::Semaphore { name: of, .. } => {
            meeting(of)
        }
        Request::Queue { name: of, act } => meeting(of).and_then(|()| of_queue(act)),
        Request::Phase { name: of, act } => meeting(of).and_then(|()| name(step(act))),
        Request::Hello { .. } | Request::Turn { .. } | Request::EndTurn | Request::Next { .. } | Request::History => {
            Ok(())
        }
    }
}

fn of_key(key: &Key) -> Result<(), Refusal> {
    name(&key.space)?;
    name(&key.name)
}

fn of_commit(commit: &Commit) -> Result<(), Refusal> {
    commit.reads.iter().try_for_each(|(key, _)| of_key(key))?;
    commit.lists.iter().try_for_each(|(space, _)| name(space))?;
    commit.writes.iter().try_for_each(|(key, value)| {
        of_key(key)?;
        value.as_ref().map_or(Ok(()), typed)
    })
}

fn of_queue(act: &QueueAct) -> Result<(), Refusal> {
    match act {
        QueueAct::Push { value } => typed(value),
        _ => Ok(()),
    }
}

fn step(act: &PhaseAct) -> &str {
    match act {
        PhaseAct::Pass { step, .. }
        | PhaseAct::WaitFor { step, .. }
        | PhaseAct::LetOn { step, .. }
        | PhaseAct::Open { step }
        | PhaseAct::Standing { step } => step,
    }
}

/// It may have a namespace in front.
fn meeting(name: &str) -> Result<(), Refusal> {
    no_longer_than("a name", name, STATE_NAME_BYTES * 2 + 1)
}

fn name(name: &str) -> Result<(), Refusal> {
    no_longer_than("a name", name, STATE_NAME_BYTES)
}

fn typed(value: &Value) -> Result<(), Refusal> {
    no_longer_than("the name of a type", &value.type_name, TYPE_NAME_BYTES)
}

fn no_longer_than(what: &str, text: &str, most: usize) -> Result<(), Refusal> {
    if text.len() <= most {
        return Ok(());
    }
    Err(Refusal::Malformed(format!("{what} has {} bytes, and may have {most}", text.len())))
}
