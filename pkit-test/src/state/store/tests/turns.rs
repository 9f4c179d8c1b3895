//! Turns: who goes first, who waits, and how it ends.

use super::super::super::protocol::{Request, SemaphoreAct};
use super::{A, A2, B, Bed, C, SECOND, acquire, commit, get, next, semaphore, set, turn, watch};
use crate::limits::TURN_LIMIT;

#[test]
fn only_changes_by_others_wait() {
    let mut bed = Bed::new().given(A, turn());
    bed.ask(B, semaphore(SemaphoreAct::Open { permits: 1 }));
    assert_eq!(bed.ask(B, get("n")), "none");
    assert_eq!(bed.ask(B, commit(&[("n", 0)], &[])), "done", "it writes nothing");
    assert_eq!(bed.ask(B, acquire()), "permit 1");
    assert_eq!(bed.ask(B, set("n", 1)), "(waits)");
    assert_eq!(bed.ask(A2, set("n", 2)), "done", "the process whose turn it is");
    assert_eq!(bed.ask(A, Request::EndTurn), "done; B: done");
    assert_eq!(bed.ask(A, get("n")), "1 by b");
}

/// Turns and changes stand in one line.
#[test]
fn what_came_first_is_done_first() {
    let mut bed = Bed::new().given(A, turn());
    bed.ask(B, turn());
    bed.ask(C, set("n", 1));
    assert_eq!(bed.ask(A, commit(&[], &[("n", Some(2))])), "done; B: done");
    assert_eq!(bed.ask(C, get("n")), "no: the request before has not been answered yet");
    assert_eq!(bed.ask(A, turn()), "(waits)", "behind the change");
    assert_eq!(bed.ask(B, commit(&[("n", 1)], &[("n", Some(3))])), "done; C: done; A: done");
}

#[test]
fn a_commit_ends_it_also_where_it_is_lost() {
    let mut bed = Bed::new().given(A, turn());
    bed.ask(B, set("n", 1));
    assert_eq!(bed.ask(A2, commit(&[], &[("m", Some(1))])), "done", "of another link, whose turn it is not");
    assert_eq!(bed.ask(A, commit(&[("m", 0)], &[("m", Some(2))])), "moved; B: done");
}

#[test]
fn it_ends_with_its_link_its_process_and_its_time() {
    for how in ["link", "session", "time"] {
        let mut bed = Bed::new().given(A, turn());
        bed.ask(B, set("n", 1));
        let said = match how {
            "link" => bed.close(A),
            "session" => bed.leave(1),
            _ => bed.pass(TURN_LIMIT),
        };
        assert_eq!(said, "B: done", "{how}");
        assert_eq!(bed.ask(C, set("n", 2)), "done", "{how}");
        assert_eq!(bed.store.deadline(), None, "{how}");
    }
}

/// Of a process that dies with changes waiting and the turn of its own: none of them is done.
#[test]
fn what_a_dead_process_has_waiting_is_not_done() {
    let mut bed = Bed::new().given(A, turn());
    bed.ask(B, turn());
    bed.ask(C, set("n", 1));
    bed.leave(3);
    assert_eq!(bed.ask(A, Request::EndTurn), "done; B: done");
    assert_eq!(bed.leave(2), "");
    assert_eq!(bed.ask(A, get("n")), "none");
}

#[test]
fn asking_again_gives_no_more_time() {
    let mut bed = Bed::new().given(A, turn());
    let until = bed.store.deadline();
    bed.pass(TURN_LIMIT / 2);
    assert_eq!(bed.ask(A, turn()), "done");
    assert_eq!(bed.store.deadline(), until);
    assert_eq!(bed.ask(B, Request::EndTurn), "done", "it has none");
    assert_eq!(bed.store.deadline(), until);
}

#[test]
fn who_waits_for_one_too_long_hears_whose_it_is() {
    let mut bed = Bed::new().given(A, turn());
    bed.ask(B, Request::Turn { timeout: SECOND / 2 });
    assert_eq!(bed.pass(SECOND / 2), "B: late (turn: 500 ms before, by `a` (pid 1))");
    assert_eq!(bed.ask(A, Request::EndTurn), "done");
}

/// Those who watch hear of a change when it is done, not when it was asked for.
#[test]
fn a_change_that_waits_is_not_seen() {
    let mut bed = Bed::new().given(A, turn()).given(C, watch(&["n"]));
    bed.ask(B, set("n", 1));
    assert_eq!(bed.ask(C, next()), "(waits)");
    assert_eq!(bed.ask(A, Request::EndTurn), "done; C: n = 1; B: done");
}
