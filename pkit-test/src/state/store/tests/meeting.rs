//! Meeting points: who goes on when, and what is said to those who do not.

use std::time::Duration;

use super::super::super::protocol::*;
use super::{A, A2, B, Bed, C, SECOND, acquire, arrive, barrier, latch, lease, let_on, pass, phase, pop, push, queue};
use super::{semaphore, wait_for};

fn opened(parties: u64) -> Bed {
    let open = || barrier(BarrierAct::Open { parties });
    Bed::new().given(A, open()).given(B, open()).given(C, open())
}

fn permits(permits: u64) -> Bed {
    Bed::new().given(A, semaphore(SemaphoreAct::Open { permits }))
}

fn release(permit: u64) -> Request {
    semaphore(SemaphoreAct::Release { permit })
}

fn settle(lease: u64, is_done: bool) -> Request {
    queue(QueueAct::Settle { lease, is_done })
}

#[test]
fn a_barrier_lets_all_go_on_again_and_again() {
    let mut bed = opened(3);
    for _ in 0..3 {
        assert_eq!(bed.ask(A, arrive()), "(waits)");
        assert_eq!(bed.ask(C, arrive()), "(waits)");
        assert_eq!(bed.ask(A2, barrier(BarrierAct::Waiting)), "2");
        assert_eq!(bed.ask(B, arrive()), "2; A: 0; C: 1");
    }
    assert_eq!(opened(1).ask(A, arrive()), "0", "alone");
}

#[test]
fn who_leaves_a_barrier_does_no_harm() {
    let mut bed = opened(2);
    bed.ask(A, arrive());
    assert_eq!(bed.ask(B, barrier(BarrierAct::Leave)), "done");
    assert_eq!(bed.ask(B, barrier(BarrierAct::Leave)), "done");
    assert_eq!(bed.leave(2), "", "it had left");
    assert_eq!(bed.ask(C, arrive()), "1; A: 0");
}

#[test]
fn a_round_is_broken_by_one_who_does_not_wait_and_the_next_is_whole() {
    let mut bed = opened(3);
    bed.ask(A, arrive());
    let at_once = barrier(BarrierAct::Arrive { timeout: Duration::ZERO });
    let said = bed.ask(B, at_once);
    assert_eq!(said, "late (here: 2 of 3: `a` (pid 1), `b` (pid 2)); A: broken by b: its time was over");
    bed.ask(A, arrive());
    bed.ask(B, arrive());
    assert_eq!(bed.ask(C, arrive()), "2; A: 0; B: 1");
}

#[test]
fn a_latch_goes_down_to_nothing_and_stays_there() {
    let open = || latch(LatchAct::Open { count: 3 });
    let mut bed = Bed::new().given(A, open()).given(B, open());
    let count_down = |by| latch(LatchAct::CountDown { by });
    let wait = || latch(LatchAct::Wait { timeout: SECOND });
    assert_eq!(bed.ask(A, count_down(1)), "2");
    assert_eq!(bed.ask(C, wait()), "(waits)");
    assert_eq!(bed.ask(B, count_down(1)), "1");
    assert_eq!(bed.pass(SECOND), "C: late (left: 1 of 3 | counted: `a` (pid 1), `b` (pid 2))");
    bed.ask(C, wait());
    assert_eq!(bed.ask(A, count_down(7)), "0; C: done");
    assert_eq!(bed.ask(A, count_down(1)), "0");
    assert_eq!(bed.ask(C, wait()), "done");
    assert_eq!(bed.ask(C, latch(LatchAct::Count)), "0");
    assert_eq!(bed.ask(C, open()), "done", "it was made for 3");
    let none = Request::Latch { name: "none".into(), act: LatchAct::Open { count: 0 } };
    bed.ask(A, none);
    let wait = Request::Latch { name: "none".into(), act: LatchAct::Wait { timeout: SECOND } };
    assert_eq!(bed.ask(A, wait), "done");
}

#[test]
fn permits_go_in_the_order_of_asking() {
    let mut bed = permits(2);
    assert_eq!(bed.ask(A, acquire()), "permit 1");
    assert_eq!(bed.ask(A, acquire()), "permit 2");
    assert_eq!(bed.ask(A, semaphore(SemaphoreAct::Free)), "0");
    assert_eq!(bed.ask(B, acquire()), "(waits)");
    assert_eq!(bed.ask(C, acquire()), "(waits)");
    assert_eq!(bed.ask(A, release(2)), "done; B: permit 3");
    assert_eq!(bed.ask(A, release(2)), "done", "it was let go already");
    assert_eq!(bed.ask(A, release(1)), "done; C: permit 4");
    assert_eq!(bed.ask(B, release(3)), "done");
    assert_eq!(bed.ask(A, semaphore(SemaphoreAct::Free)), "1");
}

#[test]
fn now_or_never_is_answered_now() {
    let mut bed = permits(1).given(A, acquire());
    let now = semaphore(SemaphoreAct::Acquire { timeout: None });
    assert_eq!(bed.ask(B, now), "late (free: 0 of 1 | held by: `a` (pid 1))");
    let none = "late (last push: never | last pop: never)";
    assert_eq!(bed.ask(B, queue(QueueAct::Pop { timeout: None })), none);
    assert_eq!(bed.ask(B, queue(QueueAct::Lease { timeout: None })), none);
    bed.ask(A, push(1));
    assert_eq!(bed.ask(B, queue(QueueAct::Pop { timeout: None })), "item 1");
    assert_eq!(bed.store.parked.count(), 0);
}

#[test]
fn items_go_in_order_and_come_back_to_it() {
    let mut bed = Bed::new();
    for number in 1..=4 {
        assert_eq!(bed.ask(A, push(number)), number.to_string());
    }
    assert_eq!(bed.ask(B, lease()), "item 1 as lease 1");
    assert_eq!(bed.ask(B, lease()), "item 2 as lease 2");
    assert_eq!(bed.ask(C, pop()), "item 3");
    assert_eq!(bed.ask(B, settle(2, false)), "done");
    assert_eq!(bed.ask(B, settle(1, false)), "done");
    assert_eq!(bed.ask(A, queue(QueueAct::Len)), "3");
    assert_eq!(bed.ask(C, lease()), "item 1 as lease 3");
    assert_eq!(bed.ask(C, settle(3, true)), "done");
    assert_eq!(bed.ask(C, settle(3, false)), "done", "it was done already");
    assert_eq!(bed.ask(B, pop()), "item 2");
    assert_eq!(bed.ask(B, pop()), "item 4");
    assert_eq!(bed.ask(B, pop()), "(waits)");
    assert_eq!(bed.ask(C, lease()), "(waits)");
    assert_eq!(bed.ask(A, push(5)), "0; B: item 5");
    assert_eq!(bed.ask(A, push(6)), "0; C: item 6 as lease 4");
}

#[test]
fn a_closed_queue_is_at_its_end_when_nothing_can_come_back() {
    let mut bed = Bed::new().given(A, push(1)).given(A, push(2));
    bed.ask(A, lease());
    assert_eq!(bed.ask(B, queue(QueueAct::Close)), "done");
    assert_eq!(bed.ask(B, pop()), "item 2");
    assert_eq!(bed.ask(B, pop()), "(waits)", "what is leased may come back");
    assert_eq!(bed.ask(C, pop()), "(waits)");
    assert_eq!(bed.ask(A, settle(1, false)), "done; B: item 1; C: closed by b");
    assert_eq!(bed.ask(A, pop()), "closed by b");
}

#[test]
fn who_gets_no_item_hears_who_was_there_last() {
    let mut bed = Bed::new().given(A, push(1)).given(A, push(2)).given(B, lease()).given(B, pop());
    bed.pass(SECOND / 4);
    bed.ask(A, queue(QueueAct::Close));
    bed.ask(C, pop());
    let said = "C: late (last push: 1.25 s before, by `a` (pid 1) | last pop: 1.25 s before, by `b` (pid 2) \
        | leased: 1, by `b` (pid 2) | closed: by `a` (pid 1))";
    assert_eq!(bed.pass(SECOND), said);
}

#[test]
fn processes_are_walked_step_by_step() {
    let mut bed = Bed::new();
    assert_eq!(bed.ask(A, wait_for("read", 2)), "(waits)");
    assert_eq!(bed.ask(B, pass("read")), "(waits)");
    assert_eq!(bed.ask(C, pass("read")), "(waits); A: standing: b c");
    assert_eq!(bed.ask(A, wait_for("read", 1)), "standing: b c");
    assert_eq!(bed.ask(A, wait_for("wrote", 0)), "standing: ");
    assert_eq!(bed.ask(A, let_on("read", Some(1))), "1; B: done");
    assert_eq!(bed.ask(B, pass("wrote")), "(waits)");
    let open = || phase(PhaseAct::Open { step: "read".into() });
    assert_eq!(bed.ask(A, open()), "1; C: done");
    assert_eq!(bed.ask(C, pass("read")), "done", "nobody stops there any more");
    assert_eq!(bed.ask(A, open()), "0");
    assert_eq!(bed.ask(A, phase(PhaseAct::Standing { step: "wrote".into() })), "standing: b");
}

/// Each waits for its own number, and for those only that stand there at one time.
#[test]
fn so_many_must_stand_there_at_once() {
    let mut bed = Bed::new();
    bed.ask(A, wait_for("s", 2));
    bed.ask(A2, wait_for("s", 1));
    assert_eq!(bed.ask(B, pass("s")), "(waits); A2: standing: b");
    assert_eq!(bed.ask(A2, let_on("s", None)), "1; B: done");
    assert_eq!(bed.ask(B, pass("s")), "(waits)");
    assert_eq!(bed.ask(C, pass("s")), "(waits); A: standing: b c");
}

#[test]
fn who_waits_at_a_step_in_vain_hears_who_else_does() {
    let mut bed = Bed::new().given(B, pass("read")).given(C, pass("wrote"));
    bed.ask(A, let_on("read", Some(0)));
    bed.ask(A, wait_for("read", 2));
    let said = "B: late (here: `b` (pid 2) | let on: 1 s before, by `a` (pid 1) | elsewhere: `c` (pid 3) at `wrote`); \
        C: late (here: `c` (pid 3)); \
        A: late (here: 0 of 2: nobody | let on: 1 s before, by `a` (pid 1))";
    assert_eq!(bed.pass(SECOND), said);
    let open = phase(PhaseAct::Open { step: "read".into() });
    bed.ask(B, open);
    bed.ask(A, wait_for("read", 1));
    let said = bed.pass(SECOND);
    assert!(said.ends_with("open: nobody stops there any more)"), "{said}");
}

/// Each kind has names of its own.
#[test]
fn kinds_may_share_a_name() {
    let name: std::sync::Arc<str> = "x".into();
    let mut bed = Bed::new();
    bed.ask(A, Request::Barrier { name: name.clone(), act: BarrierAct::Open { parties: 2 } });
    bed.ask(A, Request::Semaphore { name: name.clone(), act: SemaphoreAct::Open { permits: 5 } });
    assert_eq!(bed.ask(A, Request::Latch { name: name.clone(), act: LatchAct::Open { count: 1 } }), "done");
    assert_eq!(bed.ask(B, Request::Barrier { name, act: BarrierAct::Arrive { timeout: SECOND } }), "(waits)");
}
