//! What was run, as a table: to the stream at once, and with `PKIT_CRASH_TABLE=FILE` as Markdown.
//!
//! A run of everything is many processes under nextest, so that the cells are gathered in a file beside that one, a line each,
//! and the table is written anew from all lines each time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::cell::Cell;
use crate::children::CHILDREN;
use crate::ends::GROUPS;
use crate::matrix::Outcome;
use crate::promise::Rule;
use crate::surrounding::{PLAIN, SURROUNDINGS};

/// One cell, by its names.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) surrounding: String,
    pub(crate) end: String,
    pub(crate) child: String,
    pub(crate) outcome: Outcome,
}

/// Runs, what they left, and what of that is against a promise.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    runs: u32,
    left: u32,
    broken: u32,
}

/// How the surroundings with isolation are called.
pub(crate) const ISOLATED: &str = "isolated";

impl Row {
    pub(crate) fn of(cell: &Cell, outcome: &Outcome) -> Row {
        let surrounding = if cell.is_isolated { ISOLATED } else { cell.surrounding.name };
        Row {
            surrounding: surrounding.into(),
            end: cell.end.name.into(),
            child: cell.child.name.into(),
            outcome: outcome.clone(),
        }
    }
}

/// Shows the cells and fails with what went wrong, if anything did.
pub(crate) fn show(title: &str, rows: &[Row]) {
    let report: String = rows.iter().flat_map(failures).collect();
    // Straight to the stream: the table is to be seen also when all is well, and the harness keeps what is printed. What
    // went wrong as well, for a run of many loops may be broken off before the harness says it.
    let _ = writeln!(std::io::stderr(), "{}{report}", text(title, rows));
    if let Some(path) = std::env::var_os("PKIT_CRASH_TABLE") {
        gather(PathBuf::from(path), rows);
    }
    assert!(report.is_empty(), "\n{report}");
}

fn failures(row: &Row) -> impl Iterator<Item = String> {
    let name = format!("{} × {} ({})", row.end, row.child, row.surrounding);
    row.outcome.failures.iter().map(move |failure| format!("{name}: {failure}\n"))
}

/// One line an end: what was run with which children, and which of them left something.
fn text(title: &str, rows: &[Row]) -> String {
    let mut table = format!("\n{title}: runs, and what they left\n");
    for (end, sum) in sums(rows, |row| &row.end) {
        let of_end = rows.iter().filter(|row| row.end == end && sum_of(row).left > 0);
        let left: Vec<String> = of_end.map(|row| format!("{} {}", row.child, cell_text(sum_of(row)))).collect();
        let _ = writeln!(table, "  {end:52}{:>12}  {}", cell_text(sum), left.join(", "));
    }
    table
}

fn sum_of(row: &Row) -> Sum {
    let broken = u32::try_from(row.outcome.failures.len()).unwrap_or(u32::MAX);
    Sum { runs: row.outcome.runs, left: row.outcome.left + broken, broken }
}

/// In the order in which the keys come first.
fn sums<'a>(rows: &'a [Row], key: impl Fn(&'a Row) -> &'a str) -> Vec<(&'a str, Sum)> {
    let mut sums: Vec<(&str, Sum)> = Vec::new();
    for row in rows {
        let at = sums.iter().position(|(known, _)| *known == key(row)).unwrap_or_else(|| {
            sums.push((key(row), Sum::default()));
            sums.len() - 1
        });
        sums[at].1.add(sum_of(row));
    }
    sums
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.runs += other.runs;
        self.left += other.left;
        self.broken += other.broken;
    }
}

fn cell_text(sum: Sum) -> String {
    match sum {
        Sum { runs: 0, .. } => "–".into(),
        Sum { runs, left: 0, .. } => format!("{runs}/0"),
        Sum { runs, left, broken: 0 } => format!("{runs}/{left}*"),
        Sum { runs, left, .. } => format!("{runs}/{left}!"),
    }
}

fn gather(path: PathBuf, rows: &[Row]) {
    static GATHERING: Mutex<()> = Mutex::new(());
    let _gathering = GATHERING.lock().expect("nothing panics while it holds it");
    let cells = path.with_extension("cells");
    let mut file = OpenOptions::new().append(true).create(true).open(&cells).expect("the table can be written");
    let lines: String = rows.iter().map(line).collect();
    file.write_all(lines.as_bytes()).expect("the table can be written");
    let all: Vec<Row> = fs::read_to_string(&cells).expect("it was just written").lines().filter_map(parsed).collect();
    fs::write(&path, markdown(&all)).expect("the table can be written");
}

fn line(row: &Row) -> String {
    let Sum { runs, left, broken } = sum_of(row);
    format!("{}\t{}\t{}\t{runs}\t{left}\t{broken}\n", row.surrounding, row.end, row.child)
}

fn parsed(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [surrounding, end, child, runs, left, broken] = fields[..] else { return None };
    let broken: usize = broken.parse().ok()?;
    let left: u32 = left.parse().ok()?;
    Some(Row {
        surrounding: surrounding.into(),
        end: end.into(),
        child: child.into(),
        outcome: Outcome {
            runs: runs.parse().ok()?,
            left: left - u32::try_from(broken).ok()?,
            failures: vec![String::new(); broken],
        },
    })
}

fn markdown(rows: &[Row]) -> String {
    let columns: Vec<&str> = [PLAIN.name, ISOLATED]
        .into_iter()
        .chain(SURROUNDINGS.iter().map(|surrounding| surrounding.name))
        .chain(["process limit", "nextest"])
        .filter(|column| rows.iter().any(|row| row.surrounding == *column))
        .collect();
    let mut text = head();
    let ends = GROUPS.iter().copied().flatten().map(|end| end.name);
    let other = rows.iter().map(|row| row.end.as_str()).filter(|name| ends.clone().all(|end| end != *name));
    let mut others: Vec<&str> = other.collect();
    others.dedup();
    let mut names: Vec<&str> = ends.clone().collect();
    names.extend(sums(rows, |row| &row.end).into_iter().map(|(end, _)| end).filter(|end| others.contains(end)));
    text += &crossed("End", &names, &columns, rows, |row| &row.end);
    text += "\n## By child\n\n";
    let children: Vec<&str> = CHILDREN.iter().map(|child| child.name).collect();
    text += &crossed("Child", &children, &columns, rows, |row| &row.child);
    text += "\n## What was left\n\n";
    text += &left(rows);
    text
}

fn head() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim().to_owned()
    };
    let set = |name: &str| std::env::var(name).map_or(String::new(), |value| format!("{name}={value} "));
    format!(
        "\
# The crash matrix

{date}, {system}, {processors} processors, by
`{loops}{surroundings}PKIT_CRASH_TABLE=crash/MATRIX.md cargo test -p pkit-test-tests --test crash`.

A cell is *runs/how many of them left something*: `*` where nothing is promised, `!` where it is. `–` is not run: an end that
needs what is not there.

## By end

",
        date = said("date", &["-u", "+%Y-%m-%d"]),
        system = said("uname", &["-srm"]),
        processors = std::thread::available_parallelism().map_or(0, usize::from),
        loops = set("PKIT_CRASH_LOOPS"),
        surroundings = set("PKIT_CRASH_SURROUNDINGS"),
    )
}

fn crossed(what: &str, names: &[&str], columns: &[&str], rows: &[Row], key: impl Fn(&Row) -> &String) -> String {
    let mut sums: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    for row in rows {
        sums.entry((key(row), &row.surrounding)).or_default().add(sum_of(row));
    }
    let mut text = format!("| {what} | {} |\n|---|{}\n", columns.join(" | "), "--:|".repeat(columns.len()));
    for name in names {
        let cells: Vec<Sum> =
            columns.iter().map(|column| sums.get(&(*name, *column)).copied().unwrap_or_default()).collect();
        if cells.iter().any(|cell| cell.runs > 0) {
            let cells: Vec<String> = cells.into_iter().map(cell_text).collect();
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
    }
    text
}

fn left(rows: &[Row]) -> String {
    let mut sums: BTreeMap<(&str, &str, &str), Sum> = BTreeMap::new();
    for row in rows {
        sums.entry((&row.surrounding, &row.end, &row.child)).or_default().add(sum_of(row));
    }
    sums.retain(|_, sum| sum.left > 0);
    let mut text = String::from("| Surroundings | End | Child | runs/left |\n|---|---|---|--:|\n");
    for ((surrounding, end, child), sum) in sums {
        let _ = writeln!(text, "| {surrounding} | {end} | {child} | {} |", cell_text(sum));
    }
    text
}

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../GOTCHAS.md");

/// Where the table of weak cells begins in them.
const DOCS_HEAD: &str = "| where | end | child | why |\n|---|---|---|---|\n";

/// The table of the documentation is the list of what is not promised: nothing else is weak.
pub(crate) fn check_docs(rules: &[&Rule]) {
    let page = fs::read_to_string(DOCS).expect("it is there");
    let (before, rest) = page.split_once(DOCS_HEAD).expect("it has the table");
    let end = rest.find("\n\n").expect("something follows the table") + 1;
    let row = |rule: &&Rule| {
        let Rule { surroundings, ends, children, why } = rule;
        format!("| {surroundings} | {ends} | {children} | {why} |\n")
    };
    let table: String = rules.iter().map(row).collect();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        return fs::write(DOCS, format!("{before}{DOCS_HEAD}{table}{}", &rest[end..])).expect("it can be written");
    }
    assert_eq!(&rest[..end], table, "UPDATE_EXPECT=1 writes it");
}
