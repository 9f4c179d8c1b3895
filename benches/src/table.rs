//! What is printed: ours, the peer beside it, how they compare, the budget, and whether it is met.

use std::fmt;

use crate::stats::Samples;

/// Some lines about one thing.
#[derive(Debug, Default)]
pub(crate) struct Table {
    title: String,
    lines: Vec<Line>,
    notes: Vec<String>,
}

/// One thing that was measured.
#[derive(Debug)]
pub(crate) struct Line {
    what: String,
    ours: Samples,
    beside: Vec<Beside>,
    budget: Option<Budget>,
}

#[derive(Debug)]
struct Beside {
    what: String,
    its: Samples,
    compare: Compare,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Difference,
    Ratio,
}

/// What a figure may be at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Budget {
    /// Ours itself.
    Ours(f64),
    /// Ours minus the first one beside it.
    Difference(f64),
    /// Ours as a multiple of the first one beside it.
    Ratio(f64),
}

/// How a figure and its budget stand.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Met,
    /// It is so many times the budget.
    Missed(f64),
}

impl Verdict {
    fn of(figure: f64, at_most: f64) -> Verdict {
        if figure <= at_most { Verdict::Met } else { Verdict::Missed(figure / at_most) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Met => f.write_str("met"),
            Verdict::Missed(times) => write!(f, "NOT MET: x {}", number(*times)),
        }
    }
}

impl Table {
    pub(crate) fn new(title: impl Into<String>) -> Table {
        Table { title: title.into(), ..Table::default() }
    }

    #[must_use]
    pub(crate) fn line(mut self, line: Line) -> Table {
        self.lines.push(line);
        self
    }

    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Table {
        self.notes.push(note.into());
        self
    }
}

impl Line {
    pub(crate) fn new(what: impl Into<String>, ours: Samples) -> Line {
        Line { what: what.into(), ours, beside: Vec::new(), budget: None }
    }

    /// A peer that is to be compared by how much more ours takes.
    #[must_use]
    pub(crate) fn minus(self, what: impl Into<String>, its: Samples) -> Line {
        self.beside(what, its, Compare::Difference)
    }

    /// A peer that is to be compared by how many times as much ours takes.
    #[must_use]
    pub(crate) fn over(self, what: impl Into<String>, its: Samples) -> Line {
        self.beside(what, its, Compare::Ratio)
    }

    #[must_use]
    pub(crate) fn budget(mut self, budget: Budget) -> Line {
        self.budget = Some(budget);
        self
    }

    fn beside(mut self, what: impl Into<String>, its: Samples, compare: Compare) -> Line {
        self.beside.push(Beside { what: what.into(), its, compare });
        self
    }

    fn verdict(&self) -> Option<Verdict> {
        let first = self.beside.first();
        let compared = |compare| first.map_or(f64::NAN, |beside| self.compared(&beside.its, compare));
        Some(match self.budget? {
            Budget::Ours(at_most) => Verdict::of(self.ours.median(), at_most),
            Budget::Difference(at_most) => Verdict::of(compared(Compare::Difference), at_most),
            Budget::Ratio(at_most) => Verdict::of(compared(Compare::Ratio), at_most),
        })
    }

    fn compared(&self, its: &Samples, compare: Compare) -> f64 {
        match compare {
            Compare::Difference => self.ours.paired(its, |ours, its| ours - its).median(),
            Compare::Ratio => self.ours.paired(its, |ours, its| ours / its).median(),
        }
    }

    /// One row of cells for each peer; the first has the rest, too.
    fn cells(&self) -> Vec<Vec<String>> {
        let mut rows = vec![vec![self.what.clone(), spread(&self.ours)]];
        for (index, beside) in self.beside.iter().enumerate() {
            if index > 0 {
                rows.push(vec![String::new(); 2]);
            }
            let compared = self.compared(&beside.its, beside.compare);
            let compared = match beside.compare {
                Compare::Difference => signed(compared),
                Compare::Ratio => format!("x {}", number(compared)),
            };
            rows[index].extend([beside.what.clone(), spread(&beside.its), compared]);
        }
        rows[0].resize(COLUMNS - 2, String::new());
        rows[0].push(self.budget.map_or(String::new(), |budget| budget.to_string()));
        rows[0].push(self.verdict().map_or(String::new(), |verdict| verdict.to_string()));
        rows
    }
}

const COLUMNS: usize = 7;
const HEADS: [&str; COLUMNS] = ["", "ours (p10 to p90)", "beside it", "its (p10 to p90)", "compared", "budget", ""];

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}{}", self.title, self.counts())?;
        let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
        rows.extend(self.lines.iter().flat_map(Line::cells));
        let widths = widths(&rows);
        for row in rows.iter().filter(|_| !self.lines.is_empty()) {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width));
            writeln!(f, "  {}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

impl Table {
    fn counts(&self) -> String {
        let counts = self.lines.iter().map(|line| line.ours.count());
        match (counts.clone().min(), counts.max()) {
            (Some(least), Some(most)) if least == most => format!(" (n = {least})"),
            (Some(least), Some(most)) => format!(" (n = {least} to {most})"),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Budget::Ours(at_most) => write!(f, "<= {at_most}"),
            Budget::Difference(at_most) => write!(f, "difference <= {at_most}"),
            Budget::Ratio(at_most) => write!(f, "<= x {at_most}"),
        }
    }
}

/// How many budgets are met.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    met: usize,
    missed: Vec<String>,
}

impl Verdicts {
    pub(crate) fn count(&mut self, table: &Table) {
        for line in &table.lines {
            match line.verdict() {
                None => {}
                Some(Verdict::Met) => self.met += 1,
                Some(missed) => self.missed.push(format!("{}, {}: {missed}", table.title, line.what)),
            }
        }
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} budgets met", self.met, self.met + self.missed.len())?;
        self.missed.iter().try_for_each(|missed| write!(f, "\n  {missed}"))
    }
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    (0..COLUMNS).map(|column| width(column).unwrap_or(0)).collect()
}

fn spread(samples: &Samples) -> String {
    format!("{} ({} to {})", number(samples.median()), number(samples.p10()), number(samples.p90()))
}

fn signed(value: f64) -> String {
    if value < 0.0 { format!("- {}", number(-value)) } else { format!("+ {}", number(value)) }
}

/// Three figures, as far as there are any.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        values.iter().copied().collect()
    }

    #[test]
    fn a_budget_is_about_ours_or_about_the_pairs() {
        let line = || Line::new("it", samples(&[3.0])).minus("raw", samples(&[1.0]));
        let verdict = |budget| line().budget(budget).verdict();
        assert_eq!(verdict(Budget::Ours(3.0)), Some(Verdict::Met));
        assert_eq!(verdict(Budget::Difference(1.0)), Some(Verdict::Missed(2.0)));
        assert_eq!(verdict(Budget::Ratio(6.0)), Some(Verdict::Met));
        assert_eq!(line().verdict(), None);
        assert_eq!(Line::new("none", samples(&[0.0])).budget(Budget::Ours(0.0)).verdict(), Some(Verdict::Met));
    }

    #[test]
    fn a_table_is_what_people_read() {
        let line = Line::new("up", samples(&[0.25])).minus("raw", samples(&[0.05])).over("loop", samples(&[100.0]));
        let table = Table::new("start").line(line.budget(Budget::Difference(0.1))).note("a note");
        assert_eq!(
            table.to_string(),
            "start (n = 1)\n      ours (p10 to p90)       beside it  its (p10 to p90)        compared  budget\n  \
             up  0.250 (0.250 to 0.250)  raw        0.050 (0.050 to 0.050)  + 0.200   difference <= 0.1  NOT MET: x 2.00\n                              \
             loop       100 (100 to 100)        x 0.003\n  a note\n"
        );
        let mut verdicts = Verdicts::default();
        verdicts.count(&table);
        assert_eq!(verdicts.to_string(), "0 of 1 budgets met\n  start, up: NOT MET: x 2.00");
    }
}
