//! What still runs though all tests have ended: whatever executes a file that we built.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::gauntlet::Verdict;
use crate::target_directory;

/// What tests have shared ends when their runner is gone, each in its own way, and that was a moment ago.
const LAST_MOMENTS: Duration = Duration::from_secs(10);

/// None must be left. This program itself lies there too, and is no survivor.
pub(crate) fn none() -> Verdict {
    let deadline = Instant::now() + LAST_MOMENTS;
    let mut left = below(&target_directory());
    let mut is_late = false;
    while !left.is_empty() && !is_late {
        // Before the look: it may be us who stand still until then.
        is_late = Instant::now() >= deadline;
        look_away();
        left = below(&target_directory());
    }
    let list = left.iter().map(|(pid, program)| format!("{pid} {program}")).collect::<Vec<_>>().join(", ");
    Verdict::of(if left.is_empty() { Ok(()) } else { Err(format!("still running: {list}")) })
}

#[expect(clippy::disallowed_methods, reason = "they are nobody's children here, whose end would be told")]
fn look_away() {
    thread::sleep(Duration::from_millis(20));
}

fn below(directory: &Path) -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let executed = pids.filter_map(|pid| Some((pid, fs::read_link(format!("/proc/{pid}/exe")).ok()?)));
    let own = fs::read_link("/proc/self/exe").unwrap_or_default();
    let ours = executed.filter(|(_, path)| path.starts_with(directory) && without_mark(path) != without_mark(&own));
    ours.map(|(pid, path)| (pid, path.display().to_string())).collect()
}

/// This program may have been rebuilt while it ran, and is then the executable of a deleted file.
fn without_mark(path: &Path) -> String {
    let text = path.display().to_string();
    text.strip_suffix(" (deleted)").map_or_else(|| text.clone(), str::to_owned)
}
