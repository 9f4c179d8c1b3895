//! The table above `park.rs`, cell by cell. `B` waits, and `C` does so behind it.

use super::super::super::protocol::{BarrierAct, LatchAct, PhaseAct, QueueAct, Request, SemaphoreAct, Until};
use super::{A, B, Bed, C, SECOND, acquire, arrive, barrier, get, latch, let_on, next, pass, phase, pop, push, queue};
use super::{key, semaphore, set, turn, wait_for, watch};
use crate::limits::TURN_LIMIT;

const ROWS: [&str; 10] =
    ["Turn", "a change", "Next", "Wait", "Barrier", "Latch", "Semaphore", "Queue", "Step", "Gathering"];

const EVENTS: [&str; 5] = ["asked", "let on", "time", "link", "session"];

/// What is to be waited for is there, and not yet as it should be.
fn before(row: &str) -> Bed {
    let bed = Bed::new();
    match row {
        "Turn" | "a change" => bed.given(A, turn()),
        "Next" => bed.given(B, watch(&["n"])).given(C, watch(&["n"])),
        "Barrier" => {
            [A, B, C].into_iter().fold(bed, |bed, link| bed.given(link, barrier(BarrierAct::Open { parties: 3 })))
        }
        "Latch" => bed.given(A, latch(LatchAct::Open { count: 1 })),
        "Semaphore" => bed.given(A, semaphore(SemaphoreAct::Open { permits: 1 })).given(A, acquire()),
        _ => bed,
    }
}

fn wanted(row: &str) -> Request {
    match row {
        "Turn" => Request::Turn { timeout: SECOND / 2 },
        "a change" => set("n", 1),
        "Next" => next(),
        "Wait" => Request::Wait { key: key("n"), until: Until::Present, timeout: SECOND },
        "Barrier" => arrive(),
        "Latch" => latch(LatchAct::Wait { timeout: SECOND }),
        "Semaphore" => acquire(),
        "Queue" => pop(),
        "Step" => pass("s"),
        "Gathering" => wait_for("s", 1),
        _ => unreachable!("{row} is no row"),
    }
}

fn lets_on(bed: &mut Bed, row: &str) -> String {
    match row {
        "Turn" | "a change" => bed.ask(A, Request::EndTurn),
        "Next" | "Wait" => bed.ask(A, set("n", 1)),
        "Barrier" => bed.ask(A, arrive()),
        "Latch" => bed.ask(A, latch(LatchAct::CountDown { by: 1 })),
        "Semaphore" => bed.ask(A, semaphore(SemaphoreAct::Release { permit: 1 })),
        "Queue" => bed.ask(A, push(1)),
        "Step" => bed.ask(A, phase(PhaseAct::Open { step: "s".into() })),
        "Gathering" => bed.ask(A, pass("s")),
        _ => unreachable!("{row} is no row"),
    }
}

fn cell(row: &str, event: &str) -> String {
    let mut bed = before(row);
    if event == "asked" {
        lets_on(&mut bed, row);
        return bed.ask(B, wanted(row));
    }
    assert_eq!(bed.ask(B, wanted(row)), "(waits)", "{row}");
    assert_eq!(bed.ask(C, wanted(row)), "(waits)", "{row}");
    assert_eq!(bed.store.parked.count(), 2);
    let said = match event {
        "let on" => lets_on(&mut bed, row),
        "time" => bed.pass(if row == "Turn" { SECOND / 2 } else { TURN_LIMIT }),
        "link" => bed.close(B),
        "session" => bed.leave(2),
        _ => unreachable!("{event} is no event"),
    };
    // Whatever it was, a link that is gone hears nothing of what comes later.
    if matches!(event, "link" | "session") {
        let later = lets_on(&mut bed, row);
        assert!(!later.contains("B:"), "{row}, {event}: {later}");
    }
    said
}

/// In the order of [`EVENTS`].
const TABLE: [[&str; 5]; 10] = [
    [
        "done",
        "done; B: done",
        "B: late (turn: 500 ms before, by `a` (pid 1)); C: late (turn: 500 ms before, by `a` (pid 1))",
        "",
        "",
    ],
    // It has no time; that of the turn is over.
    ["done", "done; B: done; C: done", "B: done; C: done", "", ""],
    ["n = 1", "done; B: n = 1; C: n = 1", "B: late (); C: late ()", "", ""],
    ["1 by a", "done; B: 1 by a; C: 1 by a", "B: late (value: none); C: late (value: none)", "", ""],
    [
        "(waits)",
        "2; B: 0; C: 1",
        "C: broken by b: its time was over; B: late (here: 2 of 3: `b` (pid 2), `c` (pid 3))",
        "C: broken by b: its link was closed",
        "C: broken by b: died",
    ],
    [
        "done",
        "0; B: done; C: done",
        "B: late (left: 1 of 1 | counted: nobody); C: late (left: 1 of 1 | counted: nobody)",
        "",
        "",
    ],
    [
        "permit 2",
        "done; B: permit 2",
        "B: late (free: 0 of 1 | held by: `a` (pid 1)); C: late (free: 0 of 1 | held by: `a` (pid 1))",
        "",
        "",
    ],
    [
        "item 1",
        "0; B: item 1",
        "B: late (last push: never | last pop: never); C: late (last push: never | last pop: never)",
        "",
        "",
    ],
    ["done", "2; B: done; C: done", "B: late (here: `b` (pid 2), `c` (pid 3)); C: late (here: `c` (pid 3))", "", ""],
    [
        "standing: a",
        "(waits); B: standing: a; C: standing: a",
        "B: late (here: 0 of 1: nobody); C: late (here: 0 of 1: nobody)",
        "",
        "",
    ],
];

#[test]
fn every_cell_of_the_table_is_as_it_says() {
    let cells = ROWS.map(|row| EVENTS.map(|event| cell(row, event)));
    for (row, (cells, expected)) in ROWS.iter().zip(cells.iter().zip(TABLE)) {
        for (event, (cell, expected)) in EVENTS.iter().zip(cells.iter().zip(expected)) {
            assert_eq!(cell, expected, "{row}: {event}");
        }
    }
}

#[test]
fn who_stands_at_a_step_is_let_on_in_the_order_of_coming() {
    let mut bed = Bed::new();
    assert_eq!(bed.ask(B, pass("s")), "(waits)");
    assert_eq!(bed.ask(C, pass("s")), "(waits)");
    assert_eq!(bed.ask(A, let_on("s", Some(1))), "1; B: done");
    assert_eq!(bed.ask(A, let_on("s", None)), "1; C: done");
    assert_eq!(bed.ask(A, let_on("s", None)), "0");
}

/// Nothing is forgotten of what waits, and nothing is kept of what does not.
#[test]
fn a_link_that_is_closed_leaves_nothing_parked() {
    for row in ROWS {
        let mut bed = before(row);
        bed.ask(B, wanted(row));
        bed.close(B);
        assert_eq!(bed.store.parked.count(), 0, "{row}");
        assert_eq!(bed.ask(B, get("n")), "no: nobody has opened this link");
    }
}

#[test]
fn a_closed_queue_lets_all_go() {
    let mut bed = Bed::new();
    bed.ask(B, pop());
    bed.ask(C, pop());
    assert_eq!(bed.ask(A, queue(QueueAct::Close)), "done; B: closed by a; C: closed by a");
}
