//! A process dies: what it has held is free, and whoever gets it knows.

use super::super::super::protocol::*;
use super::{A, A2, B, Bed, C, SECOND, acquire, arrive, barrier, get, latch, lease, let_on, pass, pop, push, queue};
use super::{semaphore, set, turn, wait_for, who};

#[test]
fn its_permits_are_free_and_the_next_to_have_one_knows() {
    let mut bed = Bed::new().given(A, semaphore(SemaphoreAct::Open { permits: 2 })).given(A, acquire());
    bed.ask(A2, acquire());
    bed.ask(B, acquire());
    assert_eq!(bed.leave(1), "B: permit 3, a died with it");
    assert_eq!(bed.ask(C, semaphore(SemaphoreAct::Free)), "1");
    assert_eq!(bed.ask(C, acquire()), "permit 4, a died with it");
    bed.ask(C, semaphore(SemaphoreAct::Release { permit: 4 }));
    assert_eq!(bed.ask(C, acquire()), "permit 5", "that was said");
}

#[test]
fn its_items_are_back_in_their_order() {
    let mut bed = Bed::new();
    (1..=4).for_each(|number| {
        bed.ask(A, push(number));
    });
    bed.ask(B, lease());
    bed.ask(B, lease());
    assert_eq!(bed.ask(C, pop()), "item 3");
    assert_eq!(bed.leave(2), "");
    assert_eq!(bed.ask(C, lease()), "item 1 as lease 3, b died with it");
    assert_eq!(bed.leave(3), "");
    assert_eq!(bed.ask(A, pop()), "item 1, c died with it");
    assert_eq!(bed.ask(A, pop()), "item 2, b died with it");
    assert_eq!(bed.ask(A, pop()), "item 4");
}

/// Of two that come back at once the first one goes to whoever waits first.
#[test]
fn its_items_go_to_those_who_wait() {
    let mut bed = Bed::new().given(A, push(1)).given(A, push(2)).given(B, lease()).given(B, lease());
    bed.ask(C, pop());
    bed.ask(A, lease());
    assert_eq!(bed.leave(2), "C: item 1, b died with it; A: item 2 as lease 3, b died with it");
    bed.ask(C, queue(QueueAct::Close));
    bed.ask(C, pop());
    assert_eq!(bed.leave(1), "C: item 2, a died with it");
    assert_eq!(bed.ask(C, pop()), "closed by c");
}

/// A link is not a process: what is held stays held.
#[test]
fn a_link_that_is_closed_takes_nothing_along() {
    let mut bed = Bed::new().given(A, semaphore(SemaphoreAct::Open { permits: 1 })).given(A, acquire());
    bed.ask(A, push(1));
    bed.ask(A, lease());
    bed.ask(B, acquire());
    bed.ask(C, pop());
    assert_eq!(bed.close(A), "");
    assert_eq!(bed.ask(A2, semaphore(SemaphoreAct::Release { permit: 1 })), "done; B: permit 2");
    assert_eq!(bed.leave(1), "C: item 1, a died with it");
}

#[test]
fn a_barrier_is_broken_until_somebody_takes_the_place() {
    let open = || barrier(BarrierAct::Open { parties: 3 });
    let mut bed = Bed::new().given(A, open()).given(B, open()).given(C, open());
    bed.ask(A, arrive());
    assert_eq!(bed.leave(2), "A: broken by b: died");
    assert_eq!(bed.ask(C, arrive()), "broken by b: died", "also who comes later");
    assert_eq!(bed.ask(A, open()), "done");
    assert_eq!(bed.ask(A, arrive()), "broken by b: died", "it is nobody new");
    bed.store.enter(4, who("d", 4));
    bed.store.open(40, 4);
    bed.ask(40, open());
    bed.ask(A, arrive());
    bed.ask(C, arrive());
    assert_eq!(bed.ask(40, arrive()), "2; A: 0; C: 1");
}

/// There are enough others: only those hear of it who wait.
#[test]
fn a_barrier_with_more_who_take_part_than_it_needs_goes_on() {
    let open = || barrier(BarrierAct::Open { parties: 2 });
    let mut bed = Bed::new().given(A, open()).given(B, open()).given(C, open());
    bed.ask(A, arrive());
    assert_eq!(bed.leave(2), "A: broken by b: died");
    bed.ask(A, arrive());
    assert_eq!(bed.ask(C, arrive()), "1; A: 0");
}

/// Two of them wait in the same process: neither is told anything, as nobody is there to hear it.
#[test]
fn who_dies_waiting_breaks_the_round_for_the_others_alone() {
    let open = || barrier(BarrierAct::Open { parties: 4 });
    let mut bed = Bed::new().given(A, open()).given(B, open());
    bed.ask(A, arrive());
    bed.ask(A2, arrive());
    bed.ask(B, arrive());
    assert_eq!(bed.leave(1), "B: broken by a: died");
}

#[test]
fn a_latch_says_who_died_without_counting() {
    let open = || latch(LatchAct::Open { count: 2 });
    let mut bed = Bed::new().given(A, open()).given(B, open()).given(A, latch(LatchAct::CountDown { by: 1 }));
    bed.leave(1);
    bed.ask(C, latch(LatchAct::Wait { timeout: SECOND }));
    bed.leave(2);
    let said = "C: late (left: 1 of 2 | counted: `a` (pid 1) | died: `b` (pid 2), and had not counted)";
    assert_eq!(bed.pass(SECOND), said);
}

#[test]
fn a_step_says_who_died_there() {
    let mut bed = Bed::new().given(B, pass("read"));
    bed.ask(A, wait_for("read", 2));
    assert_eq!(bed.leave(2), "");
    assert_eq!(bed.ask(C, pass("read")), "(waits)");
    assert_eq!(bed.ask(A2, let_on("read", None)), "1; C: done");
    bed.ask(C, pass("read"));
    bed.pass(SECOND / 2);
    let said = bed.pass(SECOND / 2);
    let facts = "here: 1 of 2: `c` (pid 3) | let on: 1 s before, by `a` (pid 1) | lost: `b` (pid 2), standing there";
    assert_eq!(said.split("; ").next(), Some(&*format!("A: late ({facts})")));
}

#[test]
fn it_may_die_with_everything_at_once() {
    let mut bed = Bed::new().given(A, turn());
    bed.ask(A2, semaphore(SemaphoreAct::Open { permits: 1 }));
    bed.ask(A2, acquire());
    bed.ask(A2, push(1));
    bed.ask(A2, lease());
    bed.ask(A2, pass("s"));
    bed.ask(B, acquire());
    bed.ask(C, set("n", 1));
    assert_eq!(bed.leave(1), "B: permit 2, a died with it; C: done");
    assert_eq!(bed.leave(1), "", "once");
    assert_eq!(bed.ask(B, pop()), "item 1, a died with it");
    assert_eq!(bed.ask(A, get("n")), "no: nobody has opened this link");
    assert_eq!(bed.store.parked.count(), 0);
}

/// It was answered, and is gone before anybody has carried the answer to it.
#[test]
fn nothing_is_said_to_a_link_that_is_gone() {
    let mut bed = Bed::new().given(B, pop()).given(C, pop());
    bed.store.ask(A, push(1), bed.now);
    bed.store.ask(A, push(2), bed.now);
    assert_eq!(bed.close(B), "C: item 2");
}
