//! `cargo xtask fuzz`: what reads foreign text and bytes, under libFuzzer, each target for its share of the time.
//!
//! The instrumentation is the compiler's own, which the stable one has as well, and libFuzzer is compiled from a crate, so
//! that a C++ compiler is all that is needed. New inputs go to the target directory; `--keep` takes those that reach
//! something new into the repository, where plain tests replay them.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::gauntlet::{Counts, Evidence, Verdict};
use crate::run::{cargo, check};
use crate::{install, outside, root, target_directory};

/// What is on the command line.
#[derive(Debug, PartialEq)]
pub(crate) struct Wish {
    /// For all targets together.
    pub(crate) total: Duration,
    /// Whether new inputs are taken into the repository.
    pub(crate) keeps: bool,
    /// None is all.
    pub(crate) targets: Vec<String>,
}

/// An input that takes longer is a finding. The slowest of the corpora takes a thousandth of it.
const INPUT_LIMIT_SECONDS: u32 = 10;

/// Beyond this it is a finding too.
const MEMORY_MB: u32 = 1024;

/// How much of what the fuzzer says is shown of a target that failed.
const SHOWN_LINES: usize = 60;

/// As `cargo fuzz` sets them, but for the sanitizers, which are nightly's: there is no unsafe code in what is fuzzed.
const INSTRUMENTED: [&str; 6] = [
    "--cfg=pkit_fuzz",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

impl Wish {
    /// What `cargo xtask ci` wishes: all targets, for a minute or for what `PKIT_FUZZ_SECONDS` says.
    pub(crate) fn of_environment() -> Result<Wish, String> {
        let seconds = env::var("PKIT_FUZZ_SECONDS").unwrap_or_else(|_| "60".into());
        Ok(Wish { total: seconds_of(&seconds)?, keeps: false, targets: Vec::new() })
    }

    /// The same, changed by the words behind `cargo xtask fuzz`.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Wish, String> {
        let (mut wish, mut words) = (Wish::of_environment()?, words.into_iter());
        while let Some(word) = words.next() {
            match word.as_str() {
                "--seconds" => wish.total = seconds_of(&words.next().unwrap_or_default())?,
                "--keep" => wish.keeps = true,
                option if option.starts_with('-') => return Err(format!("unknown option {option}")),
                _ => wish.targets.push(word),
            }
        }
        Ok(wish)
    }
}

fn seconds_of(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| format!("`{text}` is no number of seconds"))
}

/// Builds the fuzzer and runs what is wished.
pub(crate) fn run(wish: &Wish) -> Verdict {
    if let Err(why) = install::program("c++", "g++") {
        return Verdict::Skipped(format!("libFuzzer is C++: {why}"));
    }
    let Some(host) = host() else { return Verdict::of(Err("`rustc -vV` does not name the host".into())) };
    let targets = match targets(&wish.targets) {
        Ok(targets) => targets,
        Err(why) => return Verdict::of(Err(why)),
    };
    match build(&host) {
        Verdict::Passed(_) => run_all(&directory().join(&host).join("release/pkit-test-fuzz"), &targets, wish),
        other => other,
    }
}

fn build(host: &str) -> Verdict {
    let (manifest, directory) = (root().join("fuzz/Cargo.toml"), directory());
    let mut command = cargo(&["build", "--release", "--target", host, "--manifest-path"]);
    command.arg(manifest).arg("--target-dir").arg(directory);
    // With a target named, build scripts and the proc macro are not instrumented: they would not link.
    command.env("RUSTFLAGS", INSTRUMENTED.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    check(command)
}

fn host() -> Option<String> {
    let version = outside::output("rustc", &["-vV"])?;
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// The targets are the directories of the corpora: a test of the library compares the two.
fn targets(wished: &[String]) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(corpora()).map_err(|error| format!("{}: {error}", corpora().display()))?;
    let mut all: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    all.sort();
    match wished.iter().find(|name| !all.contains(name)) {
        Some(unknown) => Err(format!("no target `{unknown}`, but {}", all.join(", "))),
        None if wished.is_empty() => Ok(all),
        None => Ok(wished.to_vec()),
    }
}

/// On all processors, each of which takes the next target when it has done one.
fn run_all(program: &Path, targets: &[String], wish: &Wish) -> Verdict {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(targets.len());
    let rounds = targets.len().div_ceil(workers);
    let each = wish.total / u32::try_from(rounds).expect("there are few targets");
    let (queue, failures) = (Mutex::new(targets.iter()), Mutex::new(Vec::new()));
    let next = || queue.lock().expect("nobody panics with it").next();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(target) = next() {
                    if let Err(why) = run_one(program, target, each, wish.keeps) {
                        failures.lock().expect("nobody panics with it").push(why);
                    }
                }
            });
        }
    });
    verdict(targets.len(), &failures.into_inner().expect("nobody panics with it"))
}

fn verdict(targets: usize, failures: &[String]) -> Verdict {
    let count = |number: usize| u32::try_from(number).expect("there are few targets");
    let counts = Counts { passed: count(targets - failures.len()), failed: count(failures.len()), skipped: 0 };
    if failures.is_empty() {
        Verdict::Passed(counts)
    } else {
        Verdict::Failed(counts, failures.join("; "), Evidence::new())
    }
}

/// The new inputs go to the first directory that is named.
fn run_one(program: &Path, target: &str, time: Duration, keeps: bool) -> Result<(), String> {
    let (own, kept, found) =
        (directory().join("corpus").join(target), corpora().join(target), directory().join("found"));
    for directory in [&own, &found] {
        fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    let options = [
        format!("-max_total_time={}", time.as_secs().max(1)),
        format!("-timeout={INPUT_LIMIT_SECONDS}"),
        format!("-rss_limit_mb={MEMORY_MB}"),
        format!("-artifact_prefix={}/{target}-", found.display()),
        "-use_value_profile=1".into(),
        "-print_final_stats=1".into(),
    ];
    fuzzer(program, target, &options, [&own, &kept])?;
    if keeps {
        fuzzer(program, target, &["-merge=1".into(), "-set_cover_merge=1".into()], [&kept, &own])?;
    }
    Ok(())
}

fn fuzzer(program: &Path, target: &str, options: &[String], directories: [&PathBuf; 2]) -> Result<(), String> {
    let log = directory().join(format!("{target}.log"));
    let output = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut command = Command::new(program);
    // All targets are one program, which reads its target from the environment.
    command.args(options).args(directories).env("PKIT_FUZZ_TARGET", target).stdout(output.try_clone().expect("a file"));
    let status = command.stderr(output).current_dir(root()).status().map_err(|error| format!("{target}: {error}"))?;
    let said = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
    let inputs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")).unwrap_or("");
    eprintln!("{target}: {status}, {} inputs", inputs.trim());
    if status.success() {
        return Ok(());
    }
    let lines: Vec<&str> = said.lines().collect();
    eprintln!("{}", lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"));
    Err(format!("{target}: {status}, see {}", log.display()))
}

fn corpora() -> PathBuf {
    root().join("fuzz/corpus")
}

fn directory() -> PathBuf {
    target_directory().join("fuzz")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Wish, String> {
        Wish::parse(words.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn wishes_are_understood_or_refused() {
        let wish = parsed(&["--seconds", "7", "url", "--keep", "words"]).expect("a wish");
        let targets = vec!["url".to_owned(), "words".to_owned()];
        assert_eq!(wish, Wish { total: Duration::from_secs(7), keeps: true, targets });
        assert_eq!(parsed(&["--seconds", "x"]), Err("`x` is no number of seconds".into()));
        assert_eq!(parsed(&["--second"]), Err("unknown option --second".into()));
        assert!(targets_of("no_such_target").is_err_and(|why| why.contains("url")));
        assert_eq!(targets_of("url"), Ok(vec!["url".to_owned()]));
    }

    fn targets_of(name: &str) -> Result<Vec<String>, String> {
        targets(&[name.to_owned()])
    }
}
