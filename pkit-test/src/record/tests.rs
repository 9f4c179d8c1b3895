//! What is told of histories that are made up: rendering knows no clock.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::history::{Noted, Record, RunEnd, Story};
use super::report::render;
use super::values::{ProcessRecord, ProcessState, RunRecord};
use crate::exit::Exit;
use crate::limits::{RECORDED_PROCESSES, RECORDED_RUNS, REPORTED_PROCESSES};
use crate::sys::child::End;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn code(code: i32) -> Option<Exit> {
    Some(Exit::from(End::Code(code)))
}

fn signal(number: i32) -> Option<Exit> {
    Some(Exit::from(End::Signal { number, core_dumped: false }))
}

/// Started, and ready after some time.
fn up(started: u64, ready: u64) -> RunRecord {
    RunRecord { pid: Some(4711), started: ms(started), ready: Some(ms(ready)), ..RunRecord::default() }
}

/// Stopped by the test.
fn stopped(run: RunRecord, stopping: u64, ended: u64) -> RunRecord {
    let (stopping, ended) = (Some(ms(stopping)), Some(ms(ended)));
    RunRecord { stopping, ended, exit: signal(15), was_asked: true, ..run }
}

fn died(run: RunRecord, ended: u64, exit: Option<Exit>) -> RunRecord {
    RunRecord { ended: Some(ms(ended)), exit, ..run }
}

fn process(name: &str, runs: impl Into<Vec<RunRecord>>) -> ProcessRecord {
    let (name, runs) = (name.to_owned(), runs.into());
    ProcessRecord { name, addr: None, is_shared: false, spec: String::new(), restarts: 0, forgotten: 0, runs }
}

/// Told at that time, from the beginning on.
fn told(processes: impl Into<Vec<ProcessRecord>>, to: Duration) -> String {
    let processes = processes.into();
    render(&Story { processes, forgotten: 0, from: Duration::ZERO, to, is_news: true })
}

#[track_caller]
fn check(processes: impl Into<Vec<ProcessRecord>>, to: u64, expected: Expect) {
    let text = told(processes, ms(to));
    assert!(text.lines().all(|line| line.chars().count() <= 100 && line.trim_end() == line), "{text}");
    expected.assert_eq(&text);
}

/// The one of the front page, which is to be true.
#[test]
fn what_depends_on_another_starts_behind_it() {
    let cache = process("cache", [stopped(up(2, 40), 400, 411)]);
    let again = RunRecord { pid: Some(4715), ..stopped(up(250, 332), 395, 400) };
    let first = RunRecord { pid: Some(4712), ..died(up(40, 120), 220, code(3)) };
    let api = process("api", [first, again]);
    check(
        [cache.clone(), api.clone()],
        412,
        expect![[r#"
        --- 2 processes in 412 ms
        name   run  state   pid  started  ready after   ended  exit
        cache    1  ended  4711     2 ms        38 ms  411 ms  signal 15 (SIGTERM)
        api      1  died   4712    40 ms        80 ms  220 ms  exit code 3
                 2  ended  4715   250 ms        82 ms  400 ms  signal 15 (SIGTERM)
               |0 ms                               |206 ms                       412 ms|
        cache  S=====R--------------------------------------------------------------T.x
        api          S=============R-----------------X    S==============R----------Tx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
    "#]],
    );
    let shown = told([cache, api], ms(412)).lines().fold(String::new(), |text, line| format!("{text}/// {line}\n"));
    let docs = include_str!("whose.rs");
    assert!(docs.contains(&format!("/// ```text\n{shown}/// ```\n")), "not with `processes`:\n{shown}");
}

#[test]
fn each_run_has_a_row_and_all_have_one_line() {
    let worker = process("worker", [died(up(0, 50), 120, code(3)), died(up(150, 170), 260, signal(11)), up(300, 320)]);
    let other = process("a_sleeper", [stopped(up(0, 1), 399, 400)]);
    check(
        [worker, other],
        400,
        expect![[r#"
        --- 2 processes in 400 ms
        name       run  state   pid  started  ready after   ended  exit
        worker       1  died   4711     0 ms        50 ms  120 ms  exit code 3
                     2  died   4711   150 ms        20 ms  260 ms  signal 11 (SIGSEGV)
                     3  ready  4711   300 ms        20 ms       -  -
        a_sleeper    1  ended  4711     0 ms         1 ms  400 ms  signal 15 (SIGTERM)
                   |0 ms                             |200 ms                     400 ms|
        worker     S=======R-----------X    S==R---------------X     S===R------------->
        a_sleeper  SR-----------------------------------------------------------------Tx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
    "#]],
    );
}

#[test]
fn a_start_that_failed_says_how() {
    let starting = |started| RunRecord { ready: None, ..up(started, 0) };
    let early = RunRecord { failed: Some(ms(900)), ..died(starting(10), 900, code(1)) };
    let late = RunRecord { failed: Some(ms(5010)), ..stopped(starting(10), 5010, 5300) };
    let late = RunRecord { stopping: None, was_late: true, ..late };
    let absent = RunRecord { pid: None, failed: Some(ms(11)), ended: Some(ms(11)), ..starting(10) };
    let given_up = stopped(starting(10), 5020, 5030);
    let processes = [("early", early), ("late", late), ("absent", absent), ("given_up", given_up)];
    check(
        processes.map(|(name, run)| process(name, [run])),
        6000,
        expect![[r#"
        --- 4 processes in 6000 ms
        name      state    pid  started  ready after    ended  exit
        early     failed  4711    10 ms            -   900 ms  exit code 1
        late      failed  4711    10 ms            -  5300 ms  signal 15 (SIGTERM)
        absent    failed     -    10 ms            -    11 ms  -
        given_up  ended   4711    10 ms            -  5030 ms  signal 15 (SIGTERM)
                  |0 ms                             |3000 ms                    6000 ms|
        early     S=========F
        late      S========================================================F..x
        absent    SF
        given_up  S========================================================Tx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
    "#]],
    );
}

#[test]
fn what_is_still_up_has_no_end() {
    let stopping = RunRecord { stopping: Some(ms(11_000)), ..up(500, 600) };
    let starting = RunRecord { ready: None, ..up(11_900, 0) };
    check(
        [process("up", [up(0, 3000)]), process("stopping", [stopping]), process("starting", [starting])],
        12_345,
        expect![[r#"
            --- 3 processes in 12.3 s
            name      state      pid  started  ready after  ended  exit
            up        ready     4711    0.0 s        3.0 s      -  -
            stopping  stopping  4711    0.5 s        0.1 s      -  -
            starting  starting  4711   11.9 s            -      -  -
                      |0.0 s                            |6.2 s                       12.3 s|
            up        S===============R---------------------------------------------------->
            stopping    SR---------------------------------------------------------T.......>
            starting                                                                    S==>
            S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        "#]],
    );
}

#[test]
fn what_is_too_short_for_a_cell_is_seen_in_its_order() {
    let us = |micros| Duration::from_micros(micros);
    let quick = |at: u64| RunRecord {
        pid: Some(7),
        started: us(at),
        ready: Some(us(at + 10)),
        stopping: Some(us(at + 20)),
        ended: Some(us(at + 30)),
        exit: code(0),
        was_asked: true,
        ..RunRecord::default()
    };
    let runs = [quick(0), quick(40), quick(80)];
    check(
        [process("first", runs), process("last", [quick(9_960)])],
        10,
        expect![[r#"
        --- 2 processes in 10 ms
        name   run  state  pid  started  ready after  ended  exit
        first    1  ended    7     0 ms         0 ms   0 ms  exit code 0
                 2  ended    7     0 ms         0 ms   0 ms  exit code 0
                 3  ended    7     0 ms         0 ms   0 ms  exit code 0
        last     1  ended    7    10 ms         0 ms  10 ms  exit code 0
               |0 ms                               |5 ms                          10 ms|
        first  SRTxSRTxSRTx
        last                                                                        SRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
    "#]],
    );
    let all_at_once = process("at_once", [quick(0), quick(0)]);
    expect![[r#"
        --- 1 process in 0.00 ms
        name     run  state  pid  started  ready after    ended  exit
        at_once    1  ended    7  0.00 ms      0.01 ms  0.03 ms  exit code 0
                   2  ended    7  0.00 ms      0.01 ms  0.03 ms  exit code 0
                 |0.00 ms|0.00 ms                                               0.00 ms|
        at_once  SRTxSRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
    "#]]
    .assert_eq(&told([all_at_once], Duration::ZERO));
}

#[test]
fn a_loop_of_crashes_stays_bounded() {
    let runs: Vec<RunRecord> = (0..RECORDED_RUNS as u64)
        .map(|index| died(up(index * 10 + 5, index * 10 + 6), index * 10 + 9, code(1)))
        .collect();
    let worker = ProcessRecord { forgotten: 68, restarts: 99, ..process("worker", runs) };
    check(
        [worker],
        330,
        expect![[r#"
        --- 1 process in 330 ms
        name    run  state   pid  started  ready after   ended  exit
        worker   95  died   4711   265 ms         1 ms  269 ms  exit code 1
                 96  died   4711   275 ms         1 ms  279 ms  exit code 1
                 97  died   4711   285 ms         1 ms  289 ms  exit code 1
                 98  died   4711   295 ms         1 ms  299 ms  exit code 1
                 99  died   4711   305 ms         1 ms  309 ms  exit code 1
                100  died   4711   315 ms         1 ms  319 ms  exit code 1
                |0 ms                              |165 ms                       330 ms|
        worker  <RXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRXSRX
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
    "#]],
    );
}

#[test]
fn of_very_many_the_last_ones_are_told_and_those_that_went_wrong() {
    let mut all: Vec<ProcessRecord> =
        (0..REPORTED_PROCESSES + 3).map(|index| process(&format!("p{index}"), [up(index as u64, 50)])).collect();
    all[1] = process("p1", [died(up(1, 50), 55, code(1))]);
    let text = render(&Story { processes: all, forgotten: 100, from: ms(20), to: ms(60), is_news: true });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4 + 2 * REPORTED_PROCESSES);
    expect!["--- 24 of 127 processes in 60 ms"].assert_eq(lines[0]);
    expect![[r#"
        p1    died   4711     1 ms        49 ms  55 ms  exit code 1
        p26   ready  4711    26 ms        24 ms      -  -
             |20 ms                               |40 ms                          60 ms|
        p1   <S=====================================================R--------X
        p4   <S=====================================================R------------------>
        p26             S===========================================R------------------>"#]]
    .assert_eq(&[lines[2], lines[25], lines[26], lines[27], lines[28], lines[50]].join("\n"));
}

#[test]
fn a_name_takes_up_no_more_than_its_column() {
    let names = ["a-program-with-a-very-long-name", "exactly-twenty-chars", "tab\there"];
    check(
        names.map(|name| process(name, [up(1, 20)])),
        40,
        expect![[r#"
        --- 3 processes in 40 ms
        name                  state   pid  started  ready after  ended  exit
        a-program-with-a-ve~  ready  4711     1 ms        19 ms      -  -
        exactly-twenty-chars  ready  4711     1 ms        19 ms      -  -
        tab?here              ready  4711     1 ms        19 ms      -  -
                              |0 ms                       |20 ms                  40 ms|
        a-program-with-a-ve~   S==========================R---------------------------->
        exactly-twenty-chars   S==========================R---------------------------->
        tab?here               S==========================R---------------------------->
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
    "#]],
    );
}

/// What can happen to a run, as in the table above the code.
const EVENTS: [fn(&Noted); 7] = [
    |noted| noted.is_ready(),
    |noted| noted.is_to_stop(),
    |noted| noted.has_ended(end(true)),
    |noted| noted.has_ended(end(false)),
    |noted| noted.was_not_run(),
    |noted| noted.ended_early(),
    |noted| noted.is_late(),
];

fn end(was_asked: bool) -> RunEnd {
    RunEnd { pid: Some(1), exit: code(0), was_asked, was_allowed: false }
}

fn started(record: &Record, name: &str) -> Noted {
    let noted = record.process(name, 0, None);
    noted.begins(String::new());
    noted
}

/// What follows in a state that these events lead to.
fn row(before: &[usize]) -> Vec<ProcessState> {
    let after = |event: &fn(&Noted)| {
        let record = Record::new();
        let noted = started(&record, "a");
        before.iter().for_each(|index| EVENTS[*index](&noted));
        event(&noted);
        record.processes()[0].state()
    };
    EVENTS.iter().map(after).collect()
}

/// Also to those that cannot come: what is noted twice is noted the second time.
#[test]
fn every_state_has_an_answer_to_every_event() {
    use ProcessState::{Died, Ended, Failed, Ready, Starting, Stopping};
    assert_eq!(row(&[]), [Ready, Stopping, Ended, Died, Failed, Failed, Failed], "{Starting}");
    assert_eq!(row(&[0]), [Ready, Stopping, Ended, Died, Failed, Failed, Failed], "{Ready}");
    assert_eq!(row(&[1]), [Stopping, Stopping, Ended, Died, Failed, Failed, Failed], "{Stopping}");
    assert_eq!(row(&[2]), [Ended, Ended, Ended, Died, Failed, Failed, Failed], "{Ended}");
    assert_eq!(row(&[3]), [Died, Died, Ended, Died, Failed, Failed, Failed], "{Died}");
    assert_eq!(row(&[5]), [Failed; 7], "{Failed}");
}

#[test]
fn what_comes_late_is_noted_at_its_place() {
    let record = Record::new();
    let noted = started(&record, "quick");
    noted.has_ended(end(false));
    noted.is_ready();
    noted.is_to_stop();
    let run = record.processes().remove(0).runs.remove(0);
    assert_eq!((run.ready, run.stopping, run.pid), (run.ended, None, Some(1)));
}

#[test]
fn a_record_is_bounded_and_keeps_what_is_up() {
    let record = Record::new();
    let server = started(&record, "server");
    for index in 0..10_000 {
        started(&record, &index.to_string()).has_ended(end(true));
    }
    let names: Vec<String> = record.processes().iter().map(|process| process.name.clone()).collect();
    let story = record.story();
    assert_eq!((names.len(), story.forgotten), (RECORDED_PROCESSES, 10_001 - RECORDED_PROCESSES));
    assert_eq!((names[0].as_str(), names[RECORDED_PROCESSES - 1].as_str()), ("server", "9999"));
    for _ in 0..1000 {
        server.begins(String::new());
        server.ordered();
    }
    let server = record.processes().remove(0);
    assert_eq!((server.runs.len(), server.forgotten, server.restarts()), (RECORDED_RUNS, 1001 - RECORDED_RUNS, 999));
}

#[test]
fn where_all_are_up_the_oldest_is_forgotten() {
    let record = Record::new();
    for index in 0..=RECORDED_PROCESSES {
        started(&record, &index.to_string());
    }
    let records = record.processes();
    assert_eq!((records.len(), records[0].name()), (RECORDED_PROCESSES, "1"));
}

#[test]
fn a_report_goes_on_where_the_last_one_ended() {
    let record = Record::new();
    let (over, up) = (started(&record, "over"), started(&record, "up"));
    over.has_ended(end(true));
    record.told(ms(5));
    let names = || record.story().processes.iter().map(|process| process.name.clone()).collect::<Vec<_>>();
    assert_eq!((names(), record.story().is_news, record.story().from), (vec!["up".to_owned()], false, ms(5)));
    up.has_ended(end(true));
    assert!(!record.story().is_news, "its end alone is none");
    over.begins(String::new());
    assert_eq!((names().len(), record.story().is_news), (2, true));
}

#[test]
fn a_report_tells_in_the_order_in_which_it_was_written() {
    let record = Record::new();
    for (name, number) in [("third", 3), ("first", 1), ("second", 2)] {
        record.process(name, number, None).begins(String::new());
    }
    let names = |processes: Vec<ProcessRecord>| processes.into_iter().map(|process| process.name).collect::<Vec<_>>();
    assert_eq!(names(record.story().processes), ["first", "second", "third"]);
    assert_eq!(names(record.processes()), ["third", "first", "second"]);
}
