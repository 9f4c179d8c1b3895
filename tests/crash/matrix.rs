//! All cells of some ends: run beside each other, shown as a table, and all of them zero.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;
use std::{env, thread};

use crate::cell::{CHILDREN, Child, End, run};
use crate::project::{Project, project};

/// More than there are processors: most cells wait for a grace period to pass.
const WORKERS: usize = 6;

const NAME_WIDTH: usize = 52;
const CELL_WIDTH: usize = 13;

/// What became of one cell: how many loops went wrong, and how.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    pub(crate) loops: u32,
    pub(crate) failures: Vec<String>,
}

/// Runs all cells of these ends; fails unless nothing is left in any.
pub(crate) fn check(ends: &[End]) {
    let project = project();
    let cells: Vec<(End, Child)> =
        ends.iter().flat_map(|&end| CHILDREN.iter().map(move |&child| (end, child))).collect();
    let outcomes = in_parallel(&cells, |(end, child)| repeated(project, *end, child));
    let names: Vec<&str> = ends.iter().map(|end| end.test).collect();
    show(&names, CHILDREN, &outcomes);
}

/// How often each cell is run.
pub(crate) fn loops() -> u32 {
    let variable = env::var("PKIT_CRASH_LOOPS").ok();
    variable.map_or(3, |text| text.parse().expect("PKIT_CRASH_LOOPS is a number"))
}

/// The table, in which each cell is `failures/loops`; and the failures themselves, if there are any.
pub(crate) fn show(rows: &[&str], columns: &[Child], outcomes: &[Outcome]) {
    let mut table = format!("\n{:NAME_WIDTH$}", "failures/loops");
    for child in columns {
        let _ = write!(table, "{:>CELL_WIDTH$}", child.name);
    }
    let mut report = String::new();
    for (row, cells) in rows.iter().zip(outcomes.chunks(columns.len())) {
        let _ = write!(table, "\n{row:NAME_WIDTH$}");
        for (child, cell) in columns.iter().zip(cells) {
            let _ = write!(table, "{:>CELL_WIDTH$}", format!("{}/{}", cell.failures.len(), cell.loops));
            cell.failures.iter().for_each(|failure| {
                let _ = writeln!(report, "{row} × {}: {failure}", child.name);
            });
        }
    }
    // Straight to the stream: the table is to be seen also when all is well, and the harness keeps what is printed. What
    // went wrong as well, for a run of many loops may be broken off before the harness says it.
    let _ = writeln!(std::io::stderr(), "{table}\n{report}");
    assert!(report.is_empty(), "\n{report}");
}

fn repeated(project: &Project, end: End, child: &Child) -> Outcome {
    let loops = loops();
    let failures = (0..loops).filter_map(|_| run(project, end, child).err()).collect();
    Outcome { loops, failures }
}

/// What `act` makes of each item, in the order of the items.
fn in_parallel<T: Sync>(items: &[T], act: impl Fn(&T) -> Outcome + Sync) -> Vec<Outcome> {
    let outcomes = Mutex::new(vec![Outcome::default(); items.len()]);
    let next = Mutex::new(0..items.len());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
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
