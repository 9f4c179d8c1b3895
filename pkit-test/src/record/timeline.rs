//! A line a process: where the time went.
//!
//! The axis is as long as the test. What is too short for a cell of its own has one all the same, beside the others and in their
//! order: a mark that cannot be seen did not happen.

use std::time::Duration;

use super::report::{Unit, WIDTH, name};
use super::values::{ProcessRecord, ProcessState, RunRecord};

const LEGEND: &str = "S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more";

/// There is more at the front than there is room for.
const CUT: char = '<';

/// Something that happened: its sign, and what fills the time from it to the next.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Duration,
    sign: char,
    then: char,
}

impl Mark {
    fn new(at: Duration, [sign, then]: [char; 2]) -> Mark {
        Mark { at, sign, then }
    }
}

/// The axis from one moment to another, the lines, and what their signs mean.
pub(super) fn render(processes: &[ProcessRecord], from: Duration, to: Duration, unit: Unit) -> String {
    let names: Vec<String> = processes.iter().map(name).collect();
    let margin = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let axis = Axis { from, to, cells: WIDTH - margin - 2 };
    let lines = names
        .iter()
        .zip(processes)
        .map(|(name, process)| (name.as_str(), axis.line(&marks(process, to), process.forgotten > 0)));
    let all = [("", axis.labels(unit))].into_iter().chain(lines);
    let lines: String =
        all.map(|(name, line)| format!("{}\n", format!("{name:<margin$}  {line}").trim_end())).collect();
    format!("{lines}{LEGEND}\n")
}

fn marks(process: &ProcessRecord, now: Duration) -> Vec<Mark> {
    process.runs.iter().flat_map(|run| run_marks(run, now)).collect()
}

/// What happened in a run, in its order.
fn run_marks(run: &RunRecord, now: Duration) -> Vec<Mark> {
    let end = match run.state() {
        ProcessState::Died => 'X',
        // By its end, which has one sign: it would be by chance what came between the two.
        ProcessState::Failed if !run.was_late => 'F',
        _ => 'x',
    };
    let marks = [
        Some(Mark::new(run.started, ['S', '='])),
        run.ready.map(|at| Mark::new(at, ['R', '-'])),
        run.stopping.map(|at| Mark::new(at, ['T', '.'])),
        run.failed.filter(|_| run.was_late).map(|at| Mark::new(at, ['F', '.'])),
        Some(run.ended.map_or(Mark::new(now, ['>', ' ']), |at| Mark::new(at, [end, ' ']))),
    ];
    marks.into_iter().flatten().collect()
}

#[derive(Debug, Clone, Copy)]
struct Axis {
    from: Duration,
    to: Duration,
    cells: usize,
}

impl Axis {
    /// Its ends and its middle, each with a bar on its cell.
    fn labels(self, unit: Unit) -> String {
        let middle = self.from + (self.to - self.from) / 2;
        let last = format!("{}|", unit.text(self.to));
        let first = format!(
            "{:<width$}|{}",
            format!("|{}", unit.text(self.from)),
            unit.text(middle),
            width = self.cell(middle)
        );
        format!("{first}{last:>width$}", width = self.cells - first.chars().count())
    }

    /// What comes before the axis stands at its beginning.
    fn cell(self, at: Duration) -> usize {
        let (at, whole) = (at.saturating_sub(self.from).as_secs_f64(), (self.to - self.from).as_secs_f64());
        let share = if whole > 0.0 { (at / whole).min(1.0) } else { 0.0 };
        (share * (self.cells - 1) as f64) as usize
    }

    fn line(self, marks: &[Mark], is_cut: bool) -> String {
        let room = self.cells - 1;
        let is_cut = is_cut || marks.len() > room || marks.iter().any(|mark| mark.at < self.from);
        let marks = &marks[marks.len().saturating_sub(room)..];
        let places = self.places(marks, usize::from(is_cut));
        let mut line = vec![' '; self.cells];
        for (index, (mark, &place)) in marks.iter().zip(&places).enumerate() {
            line[place] = mark.sign;
            let next = places.get(index + 1).copied().unwrap_or(self.cells);
            line[place + 1..next].fill(mark.then);
        }
        if is_cut {
            line[0] = CUT;
        }
        line.into_iter().collect()
    }

    /// A cell for each: where it belongs, or beside it.
    fn places(self, marks: &[Mark], first: usize) -> Vec<usize> {
        let mut places = Vec::with_capacity(marks.len());
        for mark in marks {
            let free = places.last().map_or(first, |last| last + 1);
            places.push(self.cell(mark.at).max(free));
        }
        // Those that were pushed over the end push back.
        let mut end = self.cells;
        for place in places.iter_mut().rev() {
            *place = (*place).min(end - 1);
            end = *place;
        }
        places
    }
}
