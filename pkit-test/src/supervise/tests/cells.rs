//! Every cell of both tables: that of the machine and that of the desk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::desk::{Desk, Mail};
use super::super::machine::{End, Limits, Machine, News, Todo};
use super::super::policy::{Strategy, Supervision};
use super::{MS, SECOND, all_for, end, machine, policy};

// --- The machine -----------------------------------------------------------------------------------------------------

/// `b`, in its first run or on the way to its second, where a crash of it takes nobody along.
const STATES: [&str; 5] = ["Up", "Waiting", "Starting", "Stopping", "Down"];

const EVENTS: [&str; 12] = [
    "crashed",
    "ended",
    "stopped by us",
    "an earlier run",
    "the next run",
    "StopAsked",
    "asked before",
    "Started",
    "Started, ended",
    "StartFailed",
    "Stopped",
    "time",
];

/// Transient, with a pause of 10 ms, and in its first run but for Starting, which waits for the second.
fn in_state(state: &str) -> Machine {
    let supervision = Supervision::transient().backoff(MS * 10, MS * 10);
    let strategy = if state == "Stopping" { Strategy::OneForAll } else { Strategy::OneForOne };
    let mut machine = machine(all_for(strategy), supervision);
    let crash = |machine: &mut Machine, id| machine.hear(id, News::Exited { run: 1, end: end(1) }, Duration::ZERO);
    match state {
        "Up" => {}
        "Waiting" => crash(&mut machine, 1),
        "Starting" => {
            crash(&mut machine, 1);
            assert_eq!(machine.next(MS * 10), Todo::Start { id: 1 });
        }
        "Stopping" => {
            crash(&mut machine, 0);
            // Only `b` is left to be stopped.
            assert_eq!(machine.next(Duration::ZERO), Todo::Stop { id: 2, run: 1 });
            machine.hear(2, News::StopAsked { run: 1 }, Duration::ZERO);
            machine.hear(0, News::StopAsked { run: 1 }, Duration::ZERO);
        }
        "Down" => machine.hear(1, News::StopAsked { run: 1 }, Duration::ZERO),
        _ => unreachable!("{state} is no state"),
    }
    assert_eq!(machine.state_of(1), state);
    machine
}

/// What becomes of `b`, and what is to be done next.
fn cell(state: &str, event: &str) -> String {
    let mut machine = in_state(state);
    let now = MS * 10;
    let supervision = policy(Supervision::transient().backoff(MS * 10, MS * 10));
    let mut hear = |news| machine.hear(1, news, now);
    match event {
        "crashed" => hear(News::Exited { run: 1, end: end(1) }),
        "ended" => hear(News::Exited { run: 1, end: end(0) }),
        "stopped by us" => hear(News::Exited { run: 1, end: End { was_asked: true, ..end(1) } }),
        "an earlier run" => hear(News::Exited { run: 0, end: end(1) }),
        "the next run" => hear(News::Exited { run: 2, end: end(1) }),
        "StopAsked" => hear(News::StopAsked { run: 1 }),
        "asked before" => hear(News::StopAsked { run: 0 }),
        "Started" => hear(News::Started { run: 2, policy: supervision }),
        "Started, ended" => {
            hear(News::Exited { run: 2, end: end(1) });
            hear(News::Started { run: 2, policy: supervision });
        }
        "StartFailed" => hear(News::StartFailed { why: "no luck".to_owned() }),
        "Stopped" => hear(News::Stopped),
        "time" => {}
        _ => unreachable!("{event} is no event"),
    }
    let todo = match machine.next(now) {
        Todo::Sleep { until: None } => String::new(),
        Todo::Sleep { until: Some(until) } => format!(", due at {}", until.as_millis()),
        Todo::Stop { run, .. } => format!(", stop run {run}"),
        Todo::Start { .. } => ", start".to_owned(),
        Todo::GiveUp { .. } => ", give up".to_owned(),
    };
    format!("{}{todo}", machine.state_of(1))
}

/// The table above the machine, with what `next` says after each.
const TABLE: &str = "\
Up       crashed        Waiting, due at 20
Up       ended          Down
Up       stopped by us  Down
Up       an earlier run Up
Up       the next run   Up
Up       StopAsked      Down
Up       asked before   Up
Up       Started        Up
Up       Started, ended Waiting, due at 20
Up       StartFailed    Up
Up       Stopped        Up
Up       time           Up
Waiting  crashed        Starting, start
Waiting  ended          Starting, start
Waiting  stopped by us  Starting, start
Waiting  an earlier run Starting, start
Waiting  the next run   Starting, start
Waiting  StopAsked      Down
Waiting  asked before   Starting, start
Waiting  Started        Up
Waiting  Started, ended Waiting, due at 20
Waiting  StartFailed    Starting, start
Waiting  Stopped        Starting, start
Waiting  time           Starting, start
Starting crashed        Starting
Starting ended          Starting
Starting stopped by us  Starting
Starting an earlier run Starting
Starting the next run   Starting
Starting StopAsked      Down
Starting asked before   Starting
Starting Started        Up
Starting Started, ended Waiting, due at 20
Starting StartFailed    Waiting, due at 20
Starting Stopped        Starting
Starting time           Starting
Stopping crashed        Stopping, stop run 1
Stopping ended          Stopping, stop run 1
Stopping stopped by us  Stopping, stop run 1
Stopping an earlier run Stopping, stop run 1
Stopping the next run   Stopping, stop run 1
Stopping StopAsked      Down
Stopping asked before   Stopping, stop run 1
Stopping Started        Stopping, stop run 2
Stopping Started, ended Stopping, stop run 2
Stopping StartFailed    Stopping, stop run 1
Stopping Stopped        Starting, start
Stopping time           Stopping, stop run 1
Down     crashed        Down
Down     ended          Down
Down     stopped by us  Down
Down     an earlier run Down
Down     the next run   Down
Down     StopAsked      Down
Down     asked before   Down
Down     Started        Up
Down     Started, ended Waiting, due at 20
Down     StartFailed    Down
Down     Stopped        Down
Down     time           Down
";

#[test]
fn every_cell_of_the_table_is_as_it_is_drawn() {
    let cells =
        STATES.iter().flat_map(|state| EVENTS.map(|event| format!("{state:8} {event:14} {}\n", cell(state, event))));
    let drawn: String = cells.collect();
    assert_eq!(drawn, TABLE, "\n{drawn}");
}

#[test]
fn nothing_is_heard_after_it_has_given_up() {
    for event in EVENTS {
        let mut machine = machine(Limits::default(), Supervision::permanent().intensity(0, SECOND));
        machine.hear(1, News::Exited { run: 1, end: end(1) }, Duration::ZERO);
        assert_eq!(machine.next(Duration::ZERO), Todo::GiveUp { id: 1 });
        let supervision = policy(Supervision::permanent());
        for id in 0..3 {
            match event {
                "StopAsked" => machine.hear(id, News::StopAsked { run: 1 }, MS),
                "Started" => machine.hear(id, News::Started { run: 2, policy: supervision }, MS),
                "Stopped" => machine.hear(id, News::Stopped, MS),
                "StartFailed" => machine.hear(id, News::StartFailed { why: String::new() }, MS),
                _ => machine.hear(id, News::Exited { run: 1, end: end(1) }, MS),
            }
            assert_eq!(machine.next(SECOND * 100), Todo::Sleep { until: None }, "{event}");
        }
    }
}

#[test]
fn a_run_that_two_have_started_ends_once() {
    let mut machine = machine(Limits::default(), Supervision::permanent().intensity(1, SECOND));
    let started = News::Started { run: 1, policy: policy(Supervision::permanent().intensity(1, SECOND)) };
    machine.hear(1, News::Exited { run: 1, end: end(1) }, Duration::ZERO);
    machine.hear(1, started, Duration::ZERO);
    assert_eq!((machine.state_of(1), machine.next(Duration::ZERO)), ("Waiting", Todo::Start { id: 1 }));
}

// --- The desk --------------------------------------------------------------------------------------------------------

/// What is in the box after that, and whether it is open or its time is over.
fn desk(phase: &str, event: &str) -> String {
    let desk = Desk::new(None);
    if phase != "Unused" {
        assert!(desk.open());
    }
    if matches!(phase, "Closing" | "Closed") {
        desk.close();
    }
    if phase == "Closed" {
        desk.done();
    }
    let opened = match event {
        "post" => {
            desk.post(1, News::Stopped);
            false
        }
        "open" => desk.open(),
        "close" => {
            desk.close();
            false
        }
        _ => {
            desk.done();
            false
        }
    };
    let over = if desk.is_closing() { "over" } else { "" };
    let mail = match desk.take(Some(Instant::now())) {
        Mail::News(..) => "news",
        Mail::Nothing => "nothing",
        Mail::Closing => "closed",
    };
    format!("{phase:7} {event:5} {mail:7} {} {over}", if opened { "opened" } else { "" }).trim_end().to_owned()
}

#[test]
fn every_cell_of_the_desk_is_as_it_is_drawn() {
    let phases = ["Unused", "Open", "Closing", "Closed"];
    let cells = phases.map(|phase| ["post", "open", "close", "done"].map(|event| desk(phase, event)).join("\n"));
    let drawn = cells.join("\n");
    let expected = "\
Unused  post  closed
Unused  open  nothing opened
Unused  close closed
Unused  done  closed
Open    post  news
Open    open  nothing
Open    close closed   over
Open    done  closed   over
Closing post  closed   over
Closing open  closed   over
Closing close closed   over
Closing done  closed   over
Closed  post  closed   over
Closed  open  closed   over
Closed  close closed   over
Closed  done  closed   over";
    assert_eq!(drawn, expected, "\n{drawn}");
}

#[test]
fn those_further_out_hear_of_it_as_of_somebody_elses() {
    let outer = Desk::new(None);
    let inner = Desk::new(Some(Arc::clone(&outer)));
    assert!(outer.open() && inner.open());
    inner.post(7, News::Started { run: 2, policy: policy(Supervision::permanent()) });
    let now = Some(Instant::now());
    let heard = |supervision| Mail::News(7, News::Started { run: 2, policy: policy(supervision) });
    assert_eq!((inner.take(now), outer.take(now)), (heard(Supervision::permanent()), heard(Supervision::temporary())));
    outer.close();
    assert_eq!((inner.take(now), outer.take(now), inner.is_closing()), (Mail::Closing, Mail::Closing, true));
}

/// The supervisor looks around when it comes to run, and hears after that what was said before.
#[test]
fn what_was_said_before_it_looked_around_is_stale() {
    let supervision = policy(Supervision::permanent());
    let mut machine = Machine::new(Limits::default());
    machine.join(1, "a", supervision);
    machine.hear(1, News::Started { run: 2, policy: supervision }, Duration::ZERO);
    machine.hear(1, News::Exited { run: 2, end: end(1) }, Duration::ZERO);
    for news in [
        News::Started { run: 1, policy: supervision },
        News::StopAsked { run: 1 },
        News::Exited { run: 1, end: End { was_asked: true, ..end(1) } },
        News::Started { run: 2, policy: supervision },
        News::Exited { run: 2, end: end(1) },
    ] {
        machine.hear(1, news, Duration::ZERO);
        assert_eq!(machine.state_of(0), "Waiting");
    }
    assert_eq!(machine.next(Duration::ZERO), Todo::Start { id: 1 });
}
