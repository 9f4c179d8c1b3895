//! Meeting points: a name, and what is done there.

use super::super::protocol::{BarrierAct, LatchAct, PhaseAct, QueueAct, Request, SemaphoreAct};
use super::fields::Fields;

type Made = Result<Request, String>;

fn barrier(fields: &Fields<'_>, act: BarrierAct) -> Made {
    Ok(Request::Barrier { name: fields.name()?, act })
}

pub(super) fn barrier_open(fields: &Fields<'_>) -> Made {
    barrier(fields, BarrierAct::Open { parties: fields.count("parties")? })
}

pub(super) fn barrier_arrive(fields: &Fields<'_>) -> Made {
    barrier(fields, BarrierAct::Arrive { timeout: fields.seconds("timeout")? })
}

pub(super) fn barrier_leave(fields: &Fields<'_>) -> Made {
    barrier(fields, BarrierAct::Leave)
}

pub(super) fn barrier_waiting(fields: &Fields<'_>) -> Made {
    barrier(fields, BarrierAct::Waiting)
}

fn latch(fields: &Fields<'_>, act: LatchAct) -> Made {
    Ok(Request::Latch { name: fields.name()?, act })
}

pub(super) fn latch_open(fields: &Fields<'_>) -> Made {
    latch(fields, LatchAct::Open { count: fields.count("count")? })
}

pub(super) fn latch_count_down(fields: &Fields<'_>) -> Made {
    latch(fields, LatchAct::CountDown { by: fields.maybe_count("by")?.unwrap_or(1) })
}

pub(super) fn latch_wait(fields: &Fields<'_>) -> Made {
    latch(fields, LatchAct::Wait { timeout: fields.seconds("timeout")? })
}

pub(super) fn latch_count(fields: &Fields<'_>) -> Made {
    latch(fields, LatchAct::Count)
}

fn semaphore(fields: &Fields<'_>, act: SemaphoreAct) -> Made {
    Ok(Request::Semaphore { name: fields.name()?, act })
}

pub(super) fn semaphore_open(fields: &Fields<'_>) -> Made {
    semaphore(fields, SemaphoreAct::Open { permits: fields.count("permits")? })
}

pub(super) fn semaphore_acquire(fields: &Fields<'_>) -> Made {
    semaphore(fields, SemaphoreAct::Acquire { timeout: fields.maybe_seconds("timeout")? })
}

pub(super) fn semaphore_release(fields: &Fields<'_>) -> Made {
    semaphore(fields, SemaphoreAct::Release { permit: fields.count("permit")? })
}

pub(super) fn semaphore_free(fields: &Fields<'_>) -> Made {
    semaphore(fields, SemaphoreAct::Free)
}

fn queue(fields: &Fields<'_>, act: QueueAct) -> Made {
    Ok(Request::Queue { name: fields.name()?, act })
}

pub(super) fn queue_push(fields: &Fields<'_>) -> Made {
    queue(fields, QueueAct::Push { value: fields.value("value")? })
}

pub(super) fn queue_pop(fields: &Fields<'_>) -> Made {
    queue(fields, QueueAct::Pop { timeout: fields.maybe_seconds("timeout")? })
}

pub(super) fn queue_lease(fields: &Fields<'_>) -> Made {
    queue(fields, QueueAct::Lease { timeout: fields.maybe_seconds("timeout")? })
}

/// Done, unless it says that it is not.
pub(super) fn queue_settle(fields: &Fields<'_>) -> Made {
    let is_done = fields.maybe_flag("done")?.unwrap_or(true);
    queue(fields, QueueAct::Settle { lease: fields.count("lease")?, is_done })
}

pub(super) fn queue_len(fields: &Fields<'_>) -> Made {
    queue(fields, QueueAct::Len)
}

pub(super) fn queue_close(fields: &Fields<'_>) -> Made {
    queue(fields, QueueAct::Close)
}

fn phase(fields: &Fields<'_>, act: PhaseAct) -> Made {
    Ok(Request::Phase { name: fields.name()?, act })
}

pub(super) fn phase_pass(fields: &Fields<'_>) -> Made {
    phase(fields, PhaseAct::Pass { step: fields.text("step")?, timeout: fields.seconds("timeout")? })
}

pub(super) fn phase_wait_for(fields: &Fields<'_>) -> Made {
    let count = fields.maybe_count("count")?.unwrap_or(1);
    phase(fields, PhaseAct::WaitFor { step: fields.text("step")?, count, timeout: fields.seconds("timeout")? })
}

/// All that stand there, unless it says how many.
pub(super) fn phase_let_on(fields: &Fields<'_>) -> Made {
    phase(fields, PhaseAct::LetOn { step: fields.text("step")?, count: fields.maybe_count("count")? })
}

pub(super) fn phase_open(fields: &Fields<'_>) -> Made {
    phase(fields, PhaseAct::Open { step: fields.text("step")? })
}

pub(super) fn phase_standing(fields: &Fields<'_>) -> Made {
    phase(fields, PhaseAct::Standing { step: fields.text("step")? })
}
