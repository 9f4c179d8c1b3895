//! What is left when test, guardian and shims are killed at one moment, or by a reboot: the next start clears it, and nothing else.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, Uid, chown, mkfifo};
use pkit_test_tests::process::{pids, stat};

use crate::child::{Child, child, wait_until};
use crate::nested::{Ended, Victim, victim};
use crate::race;

/// A temporary directory of one test, short enough for ours to be in it.
struct Base(PathBuf);

impl Base {
    fn new() -> Base {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = format!("/tmp/pj-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(&path).unwrap();
        Base(path.into())
    }

    fn victim(&self, name: &'static str) -> Victim {
        victim(name).env("TMPDIR", self.0.to_str().unwrap())
    }

    /// One that was killed with its guardian and its shims, and the processes that it has left.
    fn killed(&self, forks: &str) -> (Victim, Ended) {
        let victim = self.victim("janitor::is_killed_with_all_of_us").with("forks").env("FORKS", forks);
        let ended = victim.run_uncaptured();
        assert_eq!(ended.status.signal(), Some(9), "{}", ended.text());
        // As long as one of them lives its directory is left alone.
        let _ = pkit_test_tests::private::wait_gone(victim.binary(), crate::child::HANG);
        (victim, ended)
    }

    /// Another test, which ends when that is gone: then its janitor has looked at everything.
    fn clears(&self, gone: &Path) -> Ended {
        self.cleaner(gone).passes()
    }

    fn cleaner(&self, gone: &Path) -> Victim {
        let victim = self.victim("janitor::lives_until_something_is_gone").with("sleeper");
        // What a janitor has no time for is for the next one, and here is only one: on a busy machine it needs more than a second.
        victim.env("FILE", gone.to_str().unwrap()).env("PKIT_LOG", "1").env("PKIT_TIMEOUT_SCALE", "30")
    }

    /// The same where nothing else is there to be waited for.
    fn clears_all_it_may(&self) -> Ended {
        self.clears(&self.run("pkit-99999-0dead0", &header(&boot())))
    }

    /// A run directory with that registry, which nobody has locked.
    fn run(&self, name: &str, registry: &str) -> PathBuf {
        let path = self.directory(name);
        fs::write(path.join("run"), registry).unwrap();
        path
    }

    fn directory(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o711)).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

fn namespace() -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self/ns/pid").unwrap().ino()
}

fn header(boot: &str) -> String {
    format!("pkit 1\nboot {boot}\nnamespace {}\n", namespace())
}

/// When it was started, as the kernel counts.
fn started(pid: u32) -> u64 {
    stat(pid).unwrap().started
}

/// A process of nobody's, for a registry to name.
struct StandIn {
    _child: Child,
    process: process::Child,
}

impl StandIn {
    fn new() -> StandIn {
        let child = child("sleeper");
        let process = Command::new(child.path()).stdout(process::Stdio::null()).spawn().unwrap();
        StandIn { _child: child, process }
    }

    fn is_alive(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.process.kill(); // It may have been ended.
        self.process.wait().unwrap();
    }
}

/// What a registry says of a service: nobody has the id of its shim.
fn service(pid: u32, started: u64) -> String {
    let shim = (2..).find(|pid| !pids().contains(pid)).unwrap();
    format!("service {shim} 1 {pid} {started} \n")
}

fn kill_survivors(of: &Path) {
    for pid in pkit_test_tests::private::survivors(of) {
        kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    }
    let _ = pkit_test_tests::private::wait_gone(of, crate::child::HANG);
}

#[test]
fn what_a_triple_kill_leaves_is_cleared_by_the_next_start() {
    for forks in ["5", "5 --setsid"] {
        let base = Base::new();
        let (killed, _) = base.killed(forks);
        assert!(killed.count("forks") > 0 && base.names().len() == 1, "otherwise there is nothing to be seen");
        let left = base.0.join(&base.names()[0]);
        let trial = killed.directory().join(format!("{}.trial", base.names()[0].split('-').nth(1).unwrap()));
        fs::create_dir(&trial).unwrap();
        let cleaner = base.cleaner(&left);
        let ended = cleaner.run_uncaptured();
        assert!(ended.status.success(), "{}", ended.text());
        assert_eq!((killed.count("forks"), base.names()), (0, Vec::new()), "{}", ended.text());
        assert!(!trial.exists());
        let said = format!("ms] cleared what process {}", left.to_str().unwrap().split('-').nth(3).unwrap());
        assert!(ended.stderr.contains(&said) && ended.stderr.contains(", and the processes "), "{}", ended.stderr);
        cleaner.is_gone(&ended);
    }
}

#[test]
fn after_a_reboot_ids_mean_nothing() {
    let base = Base::new();
    let (killed, _) = base.killed("5");
    let left = base.0.join(&base.names()[0]);
    let registry = fs::read_to_string(left.join("run")).unwrap();
    assert!(registry.contains(&boot()));
    // The leader dies with its shim.
    wait_until(|| killed.count("forks") == 5);
    fs::write(left.join("run"), registry.replace(&boot(), "00000000-0000-0000-0000-000000000000")).unwrap();
    base.clears(&left);
    assert_eq!((killed.count("forks"), base.names()), (5, Vec::new()));
    kill_survivors(&killed.child("forks").path());
}

#[test]
fn an_id_that_is_somebody_elses_by_now_is_not_signalled() {
    let base = Base::new();
    let (mut same, mut other, mut elsewhere) = (StandIn::new(), StandIn::new(), StandIn::new());
    let of = |stand_in: &StandIn| (stand_in.process.id(), started(stand_in.process.id()));
    let (pid, since) = of(&same);
    let named = base.run("pkit-4-00000a", &(header(&boot()) + &service(pid, since)));
    let (pid, since) = of(&other);
    base.run("pkit-4-00000b", &(header(&boot()) + &service(pid, since - 1)));
    let (pid, since) = of(&elsewhere);
    let header = header(&boot()).replace(&namespace().to_string(), "1");
    base.run("pkit-4-00000c", &(header + &service(pid, since)));
    base.clears(&named);
    assert_eq!(base.names(), Vec::<String>::new());
    // That one shows that the others could have been hit.
    assert_eq!(same.process.wait().unwrap().signal(), Some(9));
    assert!(!same.is_alive() && other.is_alive() && elsewhere.is_alive());
}

#[test]
fn what_still_has_somebody_is_left_alone() {
    let base = Base::new();
    let (mut shim, mut leader) = (StandIn::new(), StandIn::new());
    let of = |stand_in: &StandIn| format!("{} {}", stand_in.process.id(), started(stand_in.process.id()));
    let locked = base.run("pkit-5-00000a", &header(&boot()));
    let lock = Flock::lock(File::open(&locked).unwrap(), FlockArg::LockExclusiveNonblock).unwrap();
    base.run("pkit-5-00000b", &format!("{}service {} {} \n", header(&boot()), of(&shim), of(&leader)));
    base.run("pkit-5-00000c", &format!("{}guardian {}\n", header(&boot()), of(&leader)));
    base.run("pkit-5-00000d", &format!("{}kept-until 99999999999\n", header(&boot())));
    base.clears_all_it_may();
    assert_eq!(base.names(), ["pkit-5-00000a", "pkit-5-00000b", "pkit-5-00000c", "pkit-5-00000d"]);
    assert!(shim.is_alive() && leader.is_alive());
    // And when nobody is there any more, it is cleared.
    drop((lock, shim, leader));
    base.clears(&locked);
    assert_eq!(base.names(), ["pkit-5-00000d"]);
    let kept = base.0.join("pkit-5-00000d");
    fs::write(kept.join("run"), header(&boot()) + "kept-until 1\n").unwrap();
    base.clears(&kept);
}

#[test]
fn one_that_was_killed_before_it_had_written_anything_is_cleared() {
    let base = Base::new();
    let unborn = base.run("pkit-6-00000a", "");
    base.clears(&unborn);
    assert_eq!(base.names(), Vec::<String>::new());
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let base = Base::new();
    let outside = base.directory("outside");
    fs::write(outside.join("run"), header(&boot())).unwrap();
    symlink(&outside, base.0.join("pkit-1-00000a")).unwrap();
    fs::write(base.0.join("pkit-1-00000b"), "").unwrap();
    mkfifo(&base.0.join("pkit-1-00000c"), Mode::S_IRWXU).unwrap();
    base.run("pkit-1-00000d", "pkit 2\n");
    base.run("pkit-1-00000e", "\0\u{ff}garbage\n");
    let open = base.run("pkit-1-00000f", &header(&boot()));
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let huge = base.run("pkit-1-000010", &header(&boot()));
    OpenOptions::new().write(true).open(huge.join("run")).unwrap().set_len(1 << 40).unwrap();
    mkfifo(&base.directory("pkit-1-000011").join("run"), Mode::S_IRWXU).unwrap();
    symlink(outside.join("run"), base.directory("pkit-1-000012").join("run")).unwrap();
    // Not a registry yet, but not empty.
    fs::write(base.directory("pkit-1-000013").join("file"), "").unwrap();
    fs::write(base.run("pkit-1-000015", "").join("file"), "").unwrap();
    for name in ["pkit-", "pkit-1", "pkit-1-00000", "pkit-x-000000", "pkit-1-00000g"] {
        base.run(name, &header(&boot()));
    }
    if Uid::effective().is_root() {
        let others = base.run("pkit-1-000014", &header(&boot()));
        chown(&others, Some(Uid::from_raw(65534)), None).unwrap();
    }
    let before = base.names();
    base.clears_all_it_may();
    assert_eq!(base.names(), before);
    assert_eq!(fs::read_to_string(outside.join("run")).unwrap(), header(&boot()));
}

#[test]
fn nothing_outside_is_removed_and_nothing_inside_stays() {
    let base = Base::new();
    let outside = base.directory("outside");
    fs::write(outside.join("file"), "").unwrap();
    let hostile = base.run("pkit-2-00000a", &header("another"));
    symlink(&outside, hostile.join("link")).unwrap();
    symlink(outside.join("file"), hostile.join("link to a file")).unwrap();
    fs::hard_link(outside.join("file"), hostile.join("hard link")).unwrap();
    mkfifo(&hostile.join("pipe"), Mode::S_IRWXU).unwrap();
    let closed = hostile.join("closed/inner/innermost");
    fs::create_dir_all(&closed).unwrap();
    symlink(&outside, closed.join("link")).unwrap();
    for name in ["closed/inner", "closed"] {
        fs::set_permissions(hostile.join(name), Permissions::from_mode(0o0)).unwrap();
    }
    // The names that it uses itself.
    for name in [".pkit-0", ".pkit-1/x", ".pkit-2/run", "run.next/y", "a/run"] {
        fs::create_dir_all(hostile.join(name)).unwrap();
    }
    fs::write(hostile.join(".pkit-3"), "").unwrap();
    deep(&hostile.join("deep"), 60);
    base.clears(&hostile);
    assert_eq!(base.names(), ["outside"]);
    assert!(outside.join("file").exists());
}

/// A tree that no path reaches the end of. It grows at its root, so that no long path is needed to make it.
fn deep(at: &Path, levels: u32) {
    let next = at.with_file_name("next");
    fs::create_dir(at).unwrap();
    fs::write(at.join("file"), "").unwrap();
    for _ in 0..levels {
        fs::create_dir(&next).unwrap();
        fs::rename(at, next.join("d".repeat(200))).unwrap();
        fs::rename(&next, at).unwrap();
    }
}

#[test]
fn what_guardians_before_it_have_left_a_guardian_ends() {
    let base = Base::new();
    base.victim("janitor::loses_its_guardian_and_the_shim").with("forks").with("sleeper").passes_and_will_be_gone();
    assert_eq!(base.names(), Vec::<String>::new());
}

#[test]
fn what_is_kept_ends_when_its_time_is_over() {
    let base = Base::new();
    // Long enough to be seen, also by who stands still for a while.
    let victim = base.victim("janitor::stays_up").with("sleeper").env("PKIT_KEEP", "always").env("PKIT_KEEP_FOR", "4s");
    let ended = victim.run_uncaptured();
    assert!(ended.stderr.contains("--- kept until 2"), "{}", ended.stderr);
    assert_eq!(victim.count("sleeper"), 1, "{}", ended.text());
    victim.will_be_gone(&ended);
    assert_eq!(base.names(), Vec::<String>::new());
}

#[test]
fn what_was_kept_is_looked_after_until_its_time_is_over() {
    let base = Base::new();
    let victim = base.victim("janitor::stays_up").with("sleeper").env("PKIT_KEEP", "always");
    let ended = victim.run_uncaptured();
    let kept = base.0.join(&base.names()[0]);
    base.clears_all_it_may();
    assert_eq!((victim.count("sleeper"), kept.exists()), (1, true));
    let (_, rest) = ended.stderr.split_once("`kill ").unwrap();
    let guardian = Pid::from_raw(rest.split_once('`').unwrap().0.parse().unwrap());
    kill(guardian, Signal::SIGKILL).unwrap();
    let _ = pkit_test_tests::private::wait_gone(victim.binary(), crate::child::HANG);
    assert_eq!(victim.count("sleeper"), 0, "its shim has ended it");
    base.clears_all_it_may();
    assert!(kept.exists(), "somebody may want to look at it");
    let registry = fs::read_to_string(kept.join("run")).unwrap();
    let (before, _) = registry.split_once("kept-until ").unwrap();
    fs::write(kept.join("run"), format!("{before}kept-until 1\n")).unwrap();
    base.clears(&kept);
}

#[test]
fn old_logs_are_removed_and_nothing_else() {
    let base = Base::new();
    let gone = base.0.join("logs/7.1-redis.1-00000a.log");
    let victim = base.cleaner(&gone);
    let logs = base.0.join("logs");
    fs::create_dir(&logs).unwrap();
    let old = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    let make = |name: &str, modified: SystemTime| {
        let file = File::create(logs.join(name)).unwrap();
        file.set_modified(modified).unwrap();
    };
    for ending in ["log", "idx", "log.1", "idx.1"] {
        make(&format!("7.1-redis.1-00000a.{ending}"), old);
    }
    let stay = ["notes.log", "7.1-redis.1-00000a.txt", "7.1-redis.1-xyz.log", "x.1-redis.1-00000a.log", "7.trial"];
    stay.iter().for_each(|name| make(name, old));
    make("8.1-redis.1-00000a.log", SystemTime::now() - Duration::from_secs(6 * 24 * 3600));
    // Its run goes on.
    make("9.1-redis.1-00000a.log", old);
    let _lock = Flock::lock(File::open(base.run("pkit-9-00000a", "")).unwrap(), FlockArg::LockExclusive).unwrap();
    fs::create_dir(logs.join("6.trial")).unwrap();
    File::open(logs.join("6.trial")).unwrap().set_modified(old).unwrap();
    make(".swept", SystemTime::now() - Duration::from_secs(3 * 3600));
    victim.env("PKIT_DIR", logs.to_str().unwrap()).passes();
    let mut names: Vec<String> =
        fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut expected: Vec<&str> = stay.to_vec();
    expected.extend([".swept", "8.1-redis.1-00000a.log", "9.1-redis.1-00000a.log"]);
    expected.sort_unstable();
    assert_eq!(names, expected);
    let age = SystemTime::now().duration_since(fs::metadata(logs.join(".swept")).unwrap().modified().unwrap());
    assert!(age.is_ok_and(|age| age < Duration::from_secs(3600)), "they are not looked at again that soon");
}

#[test]
fn runs_that_go_on_are_never_touched_while_others_are_cleared() {
    let base = Base::new();
    let may_die = base.0.join("may die");
    fs::write(&may_die, "").unwrap();
    let victims: Vec<Victim> = (0..4)
        .map(|number| {
            let victim = base.victim("janitor::has_a_directory_among_many").with("sleeper");
            // Of half of them everybody may be killed at any time.
            let file = if number % 2 == 0 { may_die.clone() } else { base.0.join("nothing") };
            victim.env("FILE", file.to_str().unwrap())
        })
        .collect();
    let end = race::end();
    thread::scope(|scope| {
        for victim in &victims {
            scope.spawn(move || {
                while std::time::Instant::now() < end {
                    let ended = victim.run_uncaptured();
                    let as_expected = ended.status.success() || ended.status.signal() == Some(9);
                    assert!(as_expected, "{}", ended.text());
                }
            });
        }
    });
    fs::remove_file(&may_die).unwrap();
    // A shim that is about to die is taken for one that lives.
    for victim in &victims {
        let _ = pkit_test_tests::private::wait_gone(victim.binary(), crate::child::HANG);
    }
    base.clears_all_it_may();
    assert_eq!(base.names(), Vec::<String>::new());
    victims.iter().for_each(|victim| assert_eq!(victim.count("sleeper"), 0));
}
