//! The whole program: reads what is wanted, measures it row by row, and prints.

use std::env;
use std::process::ExitCode;

use crate::arguments::{self, Arguments, BENCH_FLAG};
use crate::bench::Bench;
use crate::roles;
use crate::rows::{self, Row};
use crate::table::Verdicts;

/// The whole program: measures, or plays one of its own children.
pub fn main() -> ExitCode {
    // What `procspawn` executes again ends in here.
    procspawn::init();
    let words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == roles::FLAG) {
        return roles::play(&words[1..]);
    }
    match Arguments::parse(&words) {
        Ok(arguments) => measure(&arguments),
        Err(why) => {
            eprintln!("{why}\n\n{}", arguments::usage());
            ExitCode::from(2)
        }
    }
}

/// The same as a bench of cargo, which is also run by `cargo test --all-targets` and listed by test runners. They get
/// nothing, at once: what takes minutes and cannot fail is no test.
pub fn bench_main() -> ExitCode {
    let is_meant = env::args().skip(1).any(|word| word == BENCH_FLAG || word == roles::FLAG);
    if is_meant { main() } else { ExitCode::SUCCESS }
}

fn measure(arguments: &Arguments) -> ExitCode {
    let bench = match Bench::new(arguments.is_quick) {
        Ok(bench) => bench,
        Err(error) => {
            eprintln!("nothing was measured: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", bench.machine());
    let mut verdicts = Verdicts::default();
    let chosen: Vec<&Row> = rows::ALL.iter().filter(|row| arguments.wants(row.name)).collect();
    let failures = chosen.iter().filter(|row| !is_measured(row, &bench, &mut verdicts)).count();
    println!("\n{verdicts}");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one row of the list, and says whether it could be measured.
fn is_measured(row: &Row, bench: &Bench, verdicts: &mut Verdicts) -> bool {
    match (row.measure)(bench) {
        Ok(tables) => {
            for table in tables {
                print!("\n{table}");
                verdicts.count(&table);
            }
            true
        }
        Err(error) => {
            println!("\n{}: could not be measured\n{error}", row.name);
            false
        }
    }
}
