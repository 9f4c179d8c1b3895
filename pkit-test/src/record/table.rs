//! A row a run: when it started, how long it took, how it ended.

use super::report::{Unit, name};
use super::values::{ProcessRecord, RunRecord};
use crate::limits::REPORTED_RUNS;

/// A column: its title, and on which side its cells stand.
const COLUMNS: [(&str, Side); 8] = [
    ("name", Side::Left),
    ("run", Side::Right),
    ("state", Side::Left),
    ("pid", Side::Right),
    ("started", Side::Right),
    ("ready after", Side::Right),
    ("ended", Side::Right),
    ("exit", Side::Left),
];

/// The number of a run says something only where there are several.
const RUN: usize = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

type Row = [String; COLUMNS.len()];

/// The table, no wider than its cells. Of a process that was started often the last runs are in it.
pub(super) fn render(processes: &[ProcessRecord], unit: Unit) -> String {
    let titles = COLUMNS.map(|(title, _)| title.to_owned());
    let rows: Vec<Row> = [titles].into_iter().chain(processes.iter().flat_map(|process| rows(process, unit))).collect();
    let has_reruns = processes.iter().any(|process| process.runs.len() + process.forgotten > 1);
    let columns: Vec<usize> = (0..COLUMNS.len()).filter(|column| *column != RUN || has_reruns).collect();
    let widths = columns.iter().map(|&column| width(&rows, column));
    let columns: Vec<(usize, usize)> = columns.iter().copied().zip(widths).collect();
    rows.iter().map(|row| line(row, &columns)).collect()
}

fn rows(process: &ProcessRecord, unit: Unit) -> Vec<Row> {
    let skipped = process.runs.len().saturating_sub(REPORTED_RUNS);
    let runs = process.runs.iter().enumerate().skip(skipped);
    let rows = runs.enumerate().map(|(index, (at, run))| {
        let name = if index == 0 { name(process) } else { String::new() };
        let state = if process.is_shared { format!("{}, shared", run.state()) } else { run.state().to_string() };
        row(name, process.forgotten + at + 1, state, run, unit)
    });
    rows.collect()
}

fn row(name: String, number: usize, state: String, run: &RunRecord, unit: Unit) -> Row {
    let time = |time| or_none(time, |time| unit.text(time));
    [
        name,
        number.to_string(),
        state,
        or_none(run.pid, |pid| pid.to_string()),
        unit.text(run.started),
        time(run.ready.map(|ready| ready.saturating_sub(run.started))),
        time(run.ended),
        or_none(run.exit, |exit| exit.to_string()),
    ]
}

fn or_none<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

fn width(rows: &[Row], column: usize) -> usize {
    rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
}

fn line(row: &Row, columns: &[(usize, usize)]) -> String {
    let cells = columns.iter().map(|&(column, width)| match COLUMNS[column].1 {
        Side::Left => format!("{:<width$}", row[column]),
        Side::Right => format!("{:>width$}", row[column]),
    });
    format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
}
