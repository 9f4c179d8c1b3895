//! `cargo xtask starve`: a command on a machine that gives its processors to somebody else now and then.
//!
//! Again and again one process of the command, or all of them, stand still for a moment, as under a hypervisor that has
//! too many guests. Nothing is used up by that, so the others on the machine do not notice. Whatever fails only here would
//! fail on somebody's busy server once in a thousand runs: a time that was too short, an order that nobody enforced.
//!
//! It is done with a group of cgroup v2, which the processes of the command are born into, and with a second one in it, in
//! which one of them is frozen. A shell takes both down when we are gone, however: nobody stays frozen.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{fs, process, thread};

/// What is on the command line.
#[derive(Debug, PartialEq)]
pub(crate) struct Wish {
    /// From one moment to the next, about.
    every: Duration,
    /// The longest moment.
    hold: Duration,
    /// In how many of a hundred moments all of them stand still.
    all: u64,
    command: Vec<String>,
}

impl Wish {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Wish, String> {
        let mut words = words.into_iter();
        let (mut every, mut hold, mut all) = (30, 400, 10);
        loop {
            let word = words.next().ok_or("which command? It stands behind `--`")?;
            let place = match word.as_str() {
                "--" => break,
                "--every" => &mut every,
                "--hold" => &mut hold,
                "--all" => &mut all,
                other => return Err(format!("what is `{other}`? The command stands behind `--`")),
            };
            let number = words.next().and_then(|number| number.parse::<u64>().ok());
            *place = number.filter(|number| *number > 0).ok_or_else(|| format!("`{word}` takes a number above 0"))?;
        }
        let command: Vec<String> = words.collect();
        match command.is_empty() {
            true => Err("there is no command behind `--`".into()),
            false => Ok(Wish { every: Duration::from_millis(every), hold: Duration::from_millis(hold), all, command }),
        }
    }
}

/// Runs it, and ends with its code.
pub(crate) fn run(wish: &Wish) -> ExitCode {
    match Group::new().and_then(|group| group.run(wish)) {
        Ok((status, moments)) => {
            eprintln!("starved {moments} times, for {} ms at the most: {status}", wish.hold.as_millis());
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("nobody can be made to stand still here: {error}; it takes root, and cgroup v2");
            ExitCode::FAILURE
        }
    }
}

/// The processes of the command.
struct Group {
    directory: PathBuf,
    /// Ends when we do, and then takes it down.
    undertaker: Child,
}

/// `$0` is the group, `$1` the one above it.
const TAKES_DOWN: &str = "trap '' INT TERM HUP; read _
for group in \"$0/still\" \"$0\"; do
    echo 0 > \"$group/cgroup.freeze\"
    while read pid; do echo \"$pid\" > \"$1/cgroup.procs\"; done < \"$group/cgroup.procs\"
    rmdir \"$group\"
done 2>/dev/null";

/// It is in the group before it is the command: nobody is born outside.
const ENTERS: &str = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";

impl Group {
    fn new() -> io::Result<Group> {
        let above = mount_point(&fs::read_to_string("/proc/self/mountinfo")?)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "cgroup v2 is not mounted"))?;
        let directory = above.join(format!("pkit-starve-{}", process::id()));
        fs::create_dir_all(directory.join("still"))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", directory.display())))?;
        let mut undertaker = Command::new("sh");
        // In a process group of its own: whoever ends us with all of ours does not mean it.
        undertaker.args(["-c", TAKES_DOWN]).args([&directory, &above]).stdin(Stdio::piped()).process_group(0);
        Ok(Group { undertaker: undertaker.spawn()?, directory })
    }

    /// How it ended, and how many moments there were.
    fn run(&self, wish: &Wish) -> io::Result<(ExitStatus, u32)> {
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", ENTERS]).arg(&self.directory).args(&wish.command).spawn()?;
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait()));
        let mut moments = 0;
        loop {
            // The shorter ones are the more frequent.
            let pause = wish.every.mul_f64(-(1.0 - share()).ln());
            match ended.recv_timeout(pause) {
                Ok(status) => return Ok((status?, moments)),
                Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("it is not known how it ended")),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let still = self.stop_some(wish.all)?;
            let status = ended.recv_timeout(wish.hold.mul_f64(share()));
            self.go_on(&still)?;
            moments += 1;
            if let Ok(status) = status {
                return Ok((status?, moments));
            }
        }
    }

    /// Which group stands still now.
    fn stop_some(&self, all: u64) -> io::Result<PathBuf> {
        let members: Vec<String> = members(&self.directory).collect();
        let still = match random() % 100 < all || members.is_empty() {
            true => self.directory.clone(),
            false => {
                let still = self.directory.join("still");
                let index = usize::try_from(random()).unwrap_or_default() % members.len();
                // It may have ended since.
                let _ = fs::write(still.join("cgroup.procs"), &members[index]);
                still
            }
        };
        fs::write(still.join("cgroup.freeze"), "1")?;
        Ok(still)
    }

    fn go_on(&self, still: &Path) -> io::Result<()> {
        fs::write(still.join("cgroup.freeze"), "0")?;
        // With what it has forked in its last moment before.
        for pid in members(&self.directory.join("still")) {
            let _ = fs::write(self.directory.join("cgroup.procs"), pid);
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.undertaker.stdin.take());
        let _ = self.undertaker.wait(); // Whatever it could not do, nobody else could.
    }
}

fn members(group: &Path) -> impl Iterator<Item = String> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Lines of `/proc/self/mountinfo`: the fifth word is the place, the first behind a dash the kind.
fn mount_point(mounts: &str) -> Option<PathBuf> {
    let groups =
        mounts.lines().find(|line| line.split(" - ").nth(1).is_some_and(|rest| rest.starts_with("cgroup2 ")))?;
    groups.split(' ').nth(4).map(PathBuf::from)
}

/// The keys of the maps of the standard library are what it has that nobody can foretell.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// From 0 up to 1, and never 1.
fn share() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or_default()) / 2_f64.powi(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn wish(words: &str) -> Result<Wish, String> {
        Wish::parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_stand_before_the_command() {
        let [every, hold] = [5, 900].map(Duration::from_millis);
        let command = vec!["cargo".to_owned(), "--every".to_owned()];
        assert_eq!(wish("--every 5 --hold 900 --all 50 -- cargo --every"), Ok(Wish { every, hold, all: 50, command }));
        for wrong in ["", "cargo", "--", "--every -- cargo", "--hold 0 -- cargo", "--every 5"] {
            assert!(wish(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_groups_are_where_they_are_mounted() {
        let mounts = "36 25 0:31 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
                      42 25 0:37 / /sys/fs/cgroup/unified rw,relatime shared:15 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(mounts), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mount_point(""), None);
    }

    /// Where it may be done: what stands still is as it was, and nothing is left of the groups.
    #[test]
    fn whoever_has_stood_still_goes_on_and_ends_as_ever() {
        let Ok(group) = Group::new() else { return eprintln!("left out: it takes root, and cgroup v2") };
        let starving = wish("--every 5 --hold 20 --all 50 -- sh -c").unwrap();
        let script = "for turn in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done; exit 7";
        let command = starving.command.iter().cloned().chain([script.to_owned()]).collect();
        let (status, moments) = group.run(&Wish { command, ..starving }).unwrap();
        assert_eq!((status.code(), moments > 0), (Some(7), true));
        let directory = group.directory.clone();
        drop(group);
        assert!(!directory.exists());
    }
}
