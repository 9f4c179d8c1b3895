//! A worker: `worker [--name NAME]`. It reads jobs from its standard input, one a line, and writes what came of them.
//!
//! The only job is `sum NUMBER…`. A job that makes no sense ends the worker: whoever gave it is to know. At the end of
//! its input it says how much it has done.

use std::io::{self, BufRead};
use std::process::ExitCode;

fn main() -> ExitCode {
    let name = pkit_test_examples::option("--name").unwrap_or_else(|_| "worker".to_owned());
    println!("{name}: reading the configuration");
    println!("{name}: ready for jobs");
    let mut count = 0;
    for job in io::stdin().lock().lines().map_while(Result::ok) {
        match sum(&job) {
            Ok(sum) => println!("done: {job} = {sum}"),
            Err(why) => {
                eprintln!("{name}: `{job}` cannot be done: {why}");
                return ExitCode::from(3);
            }
        }
        count += 1;
    }
    println!("{name}: {count} jobs done");
    ExitCode::SUCCESS
}

fn sum(job: &str) -> Result<i64, String> {
    let numbers = job.strip_prefix("sum ").ok_or("nobody has taught me that")?;
    let parsed = numbers.split(' ').map(|word| word.parse::<i64>().map_err(|error| format!("`{word}`: {error}")));
    parsed.sum()
}
