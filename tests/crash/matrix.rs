//! Many cells: run beside each other, shown as a table, and nothing left where that is promised.

use std::sync::{Condvar, Mutex, PoisonError};
use std::{env, thread};

use crate::cell::{Cell, Shown, run};
use crate::children::{CHILDREN, Child};
use crate::ends::{End, GROUPS};
use crate::project::{Project, project};
use crate::surrounding::{PLAIN, Surrounding};
use crate::table;

/// How many runs are under way for each processor: most of them wait for a grace period to pass.
const RUNS_PER_PROCESSOR: usize = 3;

/// Of how many ends each surrounding sees one, unless all are asked for.
const TURNS: usize = 8;

/// What became of one cell.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    pub(crate) runs: u32,
    /// How many of them left something, promised or not.
    pub(crate) left: u32,
    /// What is against a promise, or was not as it should be.
    pub(crate) failures: Vec<String>,
}

/// Runs every second cell of these ends in the plain, or with `PKIT_CRASH_SURROUNDINGS=all` all of them; fails unless nothing
/// is left in any that is promised.
///
/// The cells are those of one colour of a chessboard, so that each end meets half of the children and each child half of the
/// ends; with an odd `PKIT_CRASH_TURN` they are the others.
pub(crate) fn check(title: &str, ends: &[End]) {
    let row = |(at, &end): (usize, &End)| -> Vec<Cell> {
        let cells = CHILDREN.iter().enumerate().filter(|(place, _)| is_all() || (at + place + turn()) % 2 == 0);
        cells.map(|(_, &child)| Cell::plain(end, child)).collect()
    };
    check_rows(title, ends.iter().enumerate().map(row).collect());
}

/// All cells, with a PID namespace for each process.
pub(crate) fn check_isolated(title: &str, ends: &[End]) {
    let row = |&end: &End| CHILDREN.iter().map(|&child| Cell::new(end, child, &PLAIN, true)).collect();
    check_rows(title, ends.iter().map(row).collect());
}

/// Runs a part of all cells in other surroundings, or with `PKIT_CRASH_SURROUNDINGS=all` all of them.
///
/// A part is each eighth end, with one child each; which ones is fixed, but another part for each of the surroundings, and with
/// `PKIT_CRASH_TURN=1` to `7` one more.
pub(crate) fn check_surrounding(surrounding: &'static Surrounding, number: usize) {
    let turn = turn() + number;
    let cells = |(at, end): (usize, &End)| -> Vec<Cell> {
        let here = |child: &&Child| surrounding.has(child);
        part_of_children(at / TURNS + turn)
            .filter(here)
            .map(|&child| Cell::new(*end, child, surrounding, false))
            .collect()
    };
    let ends = all_ends().filter(|(at, _)| is_all() || (at + turn) % TURNS == 0);
    check_rows(surrounding.name, ends.map(cells).filter(|row| !row.is_empty()).collect());
}

/// The same with a PID namespace for each process, and with each of the ends.
pub(crate) fn check_part_isolated(title: &str) {
    let cells = |(at, end): (usize, &End)| -> Vec<Cell> {
        part_of_children(at + turn()).map(|&child| Cell::new(*end, child, &PLAIN, true)).collect()
    };
    check_rows(title, all_ends().map(cells).collect());
}

fn all_ends() -> impl Iterator<Item = (usize, &'static End)> {
    GROUPS.iter().copied().flatten().enumerate()
}

/// One of them, or all.
fn part_of_children(chosen: usize) -> impl Iterator<Item = &'static Child> {
    let is_chosen = move |place: &usize| is_all() || *place == chosen % CHILDREN.len();
    CHILDREN.iter().enumerate().filter(move |(place, _)| is_chosen(place)).map(|(_, child)| child)
}

/// Starts until there is no room for one more. Not with each child: some of them are a hundred processes.
pub(crate) fn check_limit(surrounding: &'static Surrounding, ends: &[End], loops: u32) {
    let children = || CHILDREN.iter().filter(|child| FEW.contains(&child.name));
    let row = |&end: &End| -> Vec<Cell> {
        let cells = children().map(|&child| Cell::new(end, child, surrounding, false));
        cells.flat_map(|cell| vec![cell; loops as usize]).collect()
    };
    check_rows(surrounding.name, ends.iter().map(row).collect());
}

const FEW: &[&str] = &["sleeper", "daemon", "daemonizer", "unleashed"];

/// Each fourth child, or with `PKIT_CRASH_SURROUNDINGS=all` each of them.
pub(crate) fn some_children() -> Vec<Child> {
    let chosen = CHILDREN.iter().enumerate().filter(|(at, _)| is_all() || (at + turn()) % 4 == 0);
    chosen.map(|(_, &child)| child).collect()
}

fn is_all() -> bool {
    env::var("PKIT_CRASH_SURROUNDINGS").is_ok_and(|which| which == "all")
}

fn turn() -> usize {
    number_in("PKIT_CRASH_TURN").unwrap_or(0) as usize
}

/// How often each cell is run.
pub(crate) fn loops() -> u32 {
    number_in("PKIT_CRASH_LOOPS").unwrap_or(1)
}

fn number_in(variable: &str) -> Option<u32> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

fn check_rows(title: &str, rows: Vec<Vec<Cell>>) {
    let project = project();
    let cells: Vec<Cell> = rows.into_iter().flatten().filter(|cell| is_wanted(cell.end.name, &cell.child)).collect();
    let outcomes = in_parallel(&cells, |cell| repeated(project, cell));
    let results: Vec<table::Row> =
        cells.iter().zip(&outcomes).map(|(cell, outcome)| table::Row::of(cell, outcome)).collect();
    table::show(title, &results);
}

/// For somebody who looks for the cause of one: `PKIT_CRASH_ONLY="guardian stopped × deaf"`, or a part of it.
pub(crate) fn is_wanted(end: &str, child: &Child) -> bool {
    let name = format!("{end} × {}", child.name);
    env::var("PKIT_CRASH_ONLY").map_or(true, |part| name.contains(&part))
}

fn repeated(project: &Project, cell: &Cell) -> Outcome {
    let mut outcome = Outcome::default();
    for _ in 0..loops() {
        let _permit = Permit::taken();
        outcome.runs += 1;
        match run(project, cell) {
            Ok(Shown::Nothing) => {}
            Ok(Shown::Left) => outcome.left += 1,
            Err(failure) => outcome.failures.push(failure),
        }
    }
    outcome
}

/// What `act` makes of each item, in the order of the items.
fn in_parallel<T: Sync>(items: &[T], act: impl Fn(&T) -> Outcome + Sync) -> Vec<Outcome> {
    let outcomes = Mutex::new(vec![Outcome::default(); items.len()]);
    let next = Mutex::new(0..items.len());
    thread::scope(|scope| {
        for _ in 0..most_runs() {
            scope.spawn(|| {
                while let Some(at) = taken(&next) {
                    let outcome = act(&items[at]);
                    outcomes.lock().expect("nothing panics while it holds it")[at] = outcome;
                }
            });
        }
    });
    outcomes.into_inner().expect("nothing panics while it holds it")
}

/// On its own, so that the lock is not held while an item is worked on.
fn taken(next: &Mutex<std::ops::Range<usize>>) -> Option<usize> {
    next.lock().expect("nothing panics while it holds it").next()
}

fn most_runs() -> usize {
    thread::available_parallelism().map_or(2, usize::from) * RUNS_PER_PROCESSOR
}

/// One of the runs that may be under way at a time, in all tests of this process.
struct Permit;

static RUNNING: Mutex<usize> = Mutex::new(0);
static HAS_ENDED: Condvar = Condvar::new();

impl Permit {
    fn taken() -> Permit {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = HAS_ENDED.wait_while(running, |running| *running >= most_runs());
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        Permit
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        HAS_ENDED.notify_one();
    }
}

impl Child {
    /// For a row that is not about one of the ends.
    pub(crate) fn row(&self, end: &str, outcome: &Outcome) -> table::Row {
        table::Row { surrounding: "nextest".into(), end: end.into(), child: self.name.into(), outcome: outcome.clone() }
    }
}
