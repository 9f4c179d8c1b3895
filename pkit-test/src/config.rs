//! The settings that come from outside, read once.
//!
//! | variable | values | meaning |
//! |---|---|---|
//! | `PKIT_TIMEOUT_SCALE` | a positive number, default 1 | multiplies the timeouts of start, stop and crash, of waiting for output and of clearing up after others |
//! | `PKIT_OUTPUT` | `failed` (default), `always`, `never` | when the output of processes is shown, and the table of them |
//! | `PKIT_KEEP` | unset (default), `failed`, `always` | leaves up what is up at the end of the test, and says how to end it |
//! | `PKIT_KEEP_FOR` | such as `90s`, `30m`, `12h` (default), `7d` | for how long; then it is ended, each in its own way |
//! | `PKIT_DIR` | a directory, default `pkit` in the target directory of the test binary | logs and reports |
//! | `PKIT_LOG` | `1` | says on stderr what we do, with times |
//! | `PKIT_RUN_ID` | a name, or a name, `@` and a process id | read in `shared/run.rs`: overrides which run a test is in |
//! | `PKIT_USER_NAMESPACE` | `1` | read before `main`, in `sys/namespace`: the test binary begins in a user namespace |
//! | `PKIT_UNTRIED` | `1` | starts processes also on systems other than Linux, where this crate was never run |

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::limits::KEEP_FOR;
use crate::sys::{room, user, without};

/// All settings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) timeout_scale: f64,
    pub(crate) output: Show,
    pub(crate) keep: Show,
    pub(crate) keep_for: Duration,
    pub(crate) directory: PathBuf,
    pub(crate) logs: bool,
    pub(crate) untried: bool,
    /// Not understood here: it is about processes.
    pub(crate) run_id: Option<String>,
    /// What was set and could not be understood.
    pub(crate) mistakes: Vec<String>,
}

/// When something is shown or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    Failed,
    Always,
    Never,
}

impl Show {
    /// Whether it applies to a test that ended so.
    pub(crate) fn applies(self, has_failed: bool) -> bool {
        self == Show::Always || (self == Show::Failed && has_failed)
    }
}

/// The settings of this process.
pub(crate) fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| read(&|name| env::var(name).ok().filter(|value| !value.is_empty())))
}

/// A timeout, scaled as the settings say.
pub(crate) fn scaled(timeout: Duration) -> Duration {
    let scaled = timeout.as_secs_f64() * config().timeout_scale;
    Duration::try_from_secs_f64(scaled).unwrap_or(Duration::MAX)
}

/// The moment that lies so far ahead; a timeout without end lies a century ahead.
pub(crate) fn deadline_in(timeout: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + timeout.min(CENTURY)
}

/// Shows something to people, in the words of the calling thread: a test's own thread is captured by its harness.
///
/// A stderr that nobody reads any more makes the standard macros panic, and we may be called while unwinding.
pub(crate) fn say(text: &str) {
    let _ = std::panic::catch_unwind(|| eprint!("{text}"));
}

/// Says what we do, where `PKIT_LOG` asks for it.
pub(crate) fn log(text: impl FnOnce() -> String) {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    if config().logs {
        let ms = BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64() * 1000.0;
        say(&format!("[pkit {ms:9.3} ms] {}\n", text()));
    }
}

pub(crate) fn read(get: &dyn Fn(&str) -> Option<String>) -> Config {
    let mut mistakes = Vec::new();
    let mut one_of = |name: &str, default: Show, allowed: &[(&str, Show)]| {
        let Some(value) = get(name) else { return default };
        let found = allowed.iter().find(|(word, _)| *word == value).map(|(_, show)| *show);
        found.unwrap_or_else(|| {
            let words: Vec<&str> = allowed.iter().map(|(word, _)| *word).collect();
            mistakes.push(format!("{name}={value}: not one of {}", words.join(", ")));
            default
        })
    };
    let when = [("failed", Show::Failed), ("always", Show::Always), ("never", Show::Never)];
    let output = one_of("PKIT_OUTPUT", Show::Failed, &when);
    let keep = one_of("PKIT_KEEP", Show::Never, &when);
    let timeout_scale = scale(get("PKIT_TIMEOUT_SCALE"), &mut mistakes);
    let keep_for = span("PKIT_KEEP_FOR", get("PKIT_KEEP_FOR"), KEEP_FOR, &mut mistakes);
    let directory = get("PKIT_DIR").map_or_else(default_directory, PathBuf::from);
    let directory = std::path::absolute(&directory).unwrap_or(directory);
    let logs = get("PKIT_LOG").is_some_and(|value| value != "0");
    let untried = get("PKIT_UNTRIED").is_some_and(|value| value != "0");
    let run_id = get("PKIT_RUN_ID");
    mistakes.extend(get(without::VARIABLE).and_then(|_| without_mistake()));
    Config { timeout_scale, output, keep, keep_for, directory, logs, untried, run_id, mistakes }
}

fn scale(value: Option<String>, mistakes: &mut Vec<String>) -> f64 {
    let Some(value) = value else { return 1.0 };
    match value.parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale > 0.0 => scale,
        _ => {
            mistakes.push(format!("PKIT_TIMEOUT_SCALE={value}: not a positive number"));
            1.0
        }
    }
}

/// A number and its unit.
fn span(name: &str, value: Option<String>, default: Duration, mistakes: &mut Vec<String>) -> Duration {
    let Some(value) = value else { return default };
    let seconds = [('s', 1), ('m', 60), ('h', 3600), ('d', 24 * 3600)];
    let found = seconds.iter().find_map(|(unit, seconds)| Some((value.strip_suffix(*unit)?, *seconds)));
    let number = found.and_then(|(number, seconds)| number.parse::<u64>().ok()?.checked_mul(seconds));
    number.map_or_else(
        || {
            mistakes.push(format!("{name}={value}: not a time such as 90s, 30m, 12h or 7d"));
            default
        },
        Duration::from_secs,
    )
}

fn without_mistake() -> Option<String> {
    let unknown = without::unknown();
    let words: Vec<&str> = without::words().collect();
    (!unknown.is_empty()).then(|| format!("{}={}: not of {}", without::VARIABLE, unknown.join(","), words.join(", ")))
}

fn default_directory() -> PathBuf {
    let binary = env::current_exe().unwrap_or_default();
    let target = target_directory(&binary).filter(|target| room::has_room(target));
    target.map_or_else(|| away_from_target(user::own_uid()), |target| target.join("pkit"))
}

/// For a binary that was copied elsewhere. Everybody has the same directory for such things, so each user gets one in it: what
/// the first of them has made the others cannot write to.
fn away_from_target(uid: u32) -> PathBuf {
    room::temporary(usize::MAX).join(format!("pkit-of-{uid}"))
}

/// The target directory that a test binary lies in. Cargo marks one that it makes with a tag for backup programs; one that
/// was there before, as a volume of a container or a cache of CI, has only what cargo remembers of the compiler.
fn target_directory(binary: &Path) -> Option<PathBuf> {
    const MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];
    let is_target = |directory: &&Path| MARKS.iter().any(|mark| directory.join(mark).exists());
    binary.ancestors().skip(1).find(is_target).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(set: &[(&str, &str)]) -> Config {
        read(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn defaults_hold_where_nothing_is_set() {
        let config = config(&[]);
        assert_eq!((config.timeout_scale, config.output, config.keep), (1.0, Show::Failed, Show::Never));
        assert_eq!(config.keep_for, KEEP_FOR);
        assert!(config.mistakes.is_empty() && !config.logs);
        assert!(config.directory.ends_with("pkit"));
    }

    #[test]
    fn users_do_not_share_a_directory_away_from_the_target_directory() {
        assert_ne!(away_from_target(0), away_from_target(65_534));
        assert_eq!(target_directory(Path::new("/tests/of/nobody")), None);
    }

    #[test]
    fn a_target_directory_is_known_by_either_mark() {
        for mark in ["CACHEDIR.TAG", ".rustc_info.json"] {
            let target = env::temp_dir().join(format!("pkit-target-{}-{mark}", std::process::id()));
            std::fs::create_dir_all(target.join("debug/deps")).unwrap();
            std::fs::write(target.join(mark), "").unwrap();
            let found = target_directory(&target.join("debug/deps/test"));
            std::fs::remove_dir_all(&target).unwrap();
            assert_eq!(found, Some(target));
        }
    }

    #[test]
    fn a_time_has_a_unit() {
        let keep_for = |text| config(&[("PKIT_KEEP_FOR", text)]);
        for (text, seconds) in [("0s", 0), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(keep_for(text).keep_for, Duration::from_secs(seconds), "{text}");
        }
        for text in ["90", "h", "-1h", "1.5h", "1 h", "1w", "99999999999999999999s", "9999999999999999d", "12hé"] {
            let config = keep_for(text);
            assert_eq!(config.keep_for, KEEP_FOR);
            assert_eq!(config.mistakes, [format!("PKIT_KEEP_FOR={text}: not a time such as 90s, 30m, 12h or 7d")]);
        }
    }

    #[test]
    fn what_cannot_be_understood_is_remembered() {
        let config = config(&[("PKIT_OUTPUT", "sometimes"), ("PKIT_TIMEOUT_SCALE", "-1"), ("PKIT_KEEP", "always")]);
        assert_eq!((config.output, config.keep, config.timeout_scale), (Show::Failed, Show::Always, 1.0));
        assert_eq!(
            config.mistakes,
            ["PKIT_OUTPUT=sometimes: not one of failed, always, never", "PKIT_TIMEOUT_SCALE=-1: not a positive number",],
        );
    }
}
