//! A test that is run by a test, in a process of its own: to see what it says when it fails, or to kill what others
//! would miss.
//!
//! Such tests are in `victims`. They are in this very binary, and do nothing unless they are asked for by a variable.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, SystemTime};

use expect_test::Expect;
use pkit_test::Spec;
use pkit_test_tests::private::{Private, wait_gone};
use regex_lite::Regex;

use crate::child::{Child, HANG, child};
use crate::race::RACE_SECONDS;
use crate::text::normalised;

/// Makes the library do as if the system lacked some of its means.
pub(crate) const WITHOUT: &str = "PKIT_WITHOUT";

/// Set for a process that is to run one victim.
pub(crate) const CHOSEN: &str = "PKIT_TEST_VICTIM";

/// Before the name of a child in capitals: where the copy of it is that belongs to this run.
pub(crate) const CHILD: &str = "PKIT_TEST_CHILD_";

/// A user and a group without rights.
pub(crate) const NOBODY: u32 = 65_534;

/// A victim, and how it is run.
#[derive(Debug)]
pub(crate) struct Victim {
    name: &'static str,
    binary: Private,
    children: BTreeMap<&'static str, Child>,
    env: BTreeMap<String, String>,
}

/// A victim by its path below `victims`.
pub(crate) fn victim(name: &'static str) -> Victim {
    // Its guardian and its shims execute the copy as well, so that they can be counted.
    let binary = Private::copy_of_file(&env::current_exe().expect("procfs is mounted"));
    let victim = Victim { name, binary, children: BTreeMap::new(), env: BTreeMap::new() };
    let directory = victim.directory();
    let victim = victim.env(CHOSEN, name).env("PKIT_DIR", &directory.display().to_string());
    // The settings that are for the tests themselves.
    [RACE_SECONDS, WITHOUT].into_iter().fold(victim, |victim, name| match env::var(name) {
        Ok(value) => victim.env(name, &value),
        Err(_) => victim,
    })
}

impl Victim {
    /// Gives it a child of its own.
    pub(crate) fn with(mut self, name: &'static str) -> Victim {
        let child = child(name);
        let path = child.path().display().to_string();
        self.children.insert(name, child);
        self.env(&format!("{CHILD}{name}"), &path)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Victim {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Where its logs are.
    pub(crate) fn directory(&self) -> PathBuf {
        self.file("pkit")
    }

    /// A file beside it, which is gone with it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.binary.path().with_file_name(name)
    }

    /// How many processes run one of its children.
    pub(crate) fn count(&self, child: &str) -> usize {
        self.children[child].count()
    }

    /// Tells it that its children are elsewhere.
    pub(crate) fn show_children(&self, command: &mut Command, shown: &dyn Fn(&Path) -> String) {
        for (name, child) in &self.children {
            command.env(format!("{CHILD}{name}"), shown(&child.path()));
        }
    }

    /// Runs it under libtest, which keeps the output of a test for its end.
    pub(crate) fn run(&self) -> Ended {
        self.ended(self.command().arg("--exact").arg(self.path()))
    }

    /// Runs it in a run of its own, whose runner has nothing else to do: what is shared in it ends soon after it.
    pub(crate) fn run_in_a_run(&self) -> Ended {
        let mut runner = self.clean("/bin/sh");
        runner.args(["-c", r#"PKIT_RUN_ID=own "$0" "$@"; exit $?"#]).arg(self.binary());
        self.ended(runner.arg("--exact").arg(self.path()))
    }

    /// Runs it as nextest would.
    pub(crate) fn run_uncaptured(&self) -> Ended {
        self.ended(self.command().arg("--exact").arg(self.path()).arg("--nocapture"))
    }

    /// The same as a process of a test, as if it were any other service.
    pub(crate) fn spec(&self) -> Spec {
        let arguments = ["--exact", &self.path(), "--nocapture"];
        Spec::program(self.binary()).args(arguments).envs(self.env.clone())
    }

    /// It passes, and nothing of it is left.
    #[track_caller]
    pub(crate) fn passes(&self) -> Ended {
        let ended = self.run();
        assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
        self.is_gone(&ended);
        ended
    }

    /// The same for one that kills its guardian: a shim that it has never heard of ends by itself, a moment later.
    #[track_caller]
    pub(crate) fn passes_and_will_be_gone(&self) {
        let ended = self.run();
        assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
        self.will_be_gone(&ended);
    }

    /// It fails, with this text, and nothing of it is left.
    #[track_caller]
    pub(crate) fn fails(&self, expected: Expect) -> Ended {
        let ended = self.run();
        assert!(!ended.status.success(), "{}{}", ended.stdout, ended.stderr);
        expected.assert_eq(&ended.report());
        self.is_gone(&ended);
        ended
    }

    /// Nothing runs any more, no child, no guardian, no shim; and there are no private directories.
    #[track_caller]
    pub(crate) fn is_gone(&self, ended: &Ended) {
        assert_eq!(ended.directories(), Vec::<PathBuf>::new());
        assert_eq!(self.binary.survivors(), Vec::<u32>::new(), "the victim, its guardian or a shim");
        for (name, child) in &self.children {
            assert_eq!(child.count(), 0, "{name}");
        }
    }

    /// Nothing runs any more, whatever it was that was run.
    #[track_caller]
    pub(crate) fn is_gone_by_name(&self) {
        assert_eq!(self.binary.survivors(), Vec::<u32>::new(), "a victim, a guardian, a shim or a broker");
        for (name, child) in &self.children {
            assert_eq!(child.count(), 0, "{name}");
        }
    }

    /// The same for one that was killed: its guardian needs a moment.
    #[track_caller]
    pub(crate) fn will_be_gone(&self, ended: &Ended) {
        let _ = wait_gone(self.binary.path(), HANG);
        self.is_gone(ended);
    }

    /// Runs it until it writes a line that ends with this, and no further: it is to be killed.
    pub(crate) fn spawned_until(&self, line: &str) -> (Process, BufReader<ChildStdout>) {
        let mut command = self.command();
        command.arg("--exact").arg(self.path()).arg("--nocapture").stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can be run");
        let mut output = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let mut read = String::new();
        while !read.ends_with(&format!("{line}\n")) {
            assert_ne!(output.read_line(&mut read).expect("it is text"), 0, "it has ended: {read}");
        }
        (process, output)
    }

    /// Lets other users run it, and write where it writes.
    pub(crate) fn open_to_all(&self) {
        use std::os::unix::fs::PermissionsExt as _;
        let files = self.children.values().map(Child::path).chain([self.binary().to_owned()]);
        let directories = self.binary().parent().map(Path::to_owned).into_iter();
        for path in files.chain(directories) {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("they are ours");
        }
    }

    /// One of its children.
    pub(crate) fn child(&self, name: &str) -> &Child {
        &self.children[name]
    }

    /// The path of the test in its binary.
    pub(crate) fn path(&self) -> String {
        format!("victims::{}", self.name)
    }

    pub(crate) fn binary(&self) -> &Path {
        self.binary.path()
    }

    /// The binary, in an environment that has nothing of ours but what was asked for.
    pub(crate) fn command(&self) -> Command {
        self.clean(self.binary.path())
    }

    /// Runs it as a user without rights.
    pub(crate) fn run_as_nobody(&self) -> Ended {
        let directory = self.directory();
        fs::create_dir_all(&directory).expect("it can be made");
        chown(&directory, Some(NOBODY), Some(NOBODY)).expect("we are root");
        self.ended(self.command().uid(NOBODY).gid(NOBODY).args(["--exact", &self.path(), "--nocapture"]))
    }

    /// A program in such an environment.
    pub(crate) fn clean(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let ours = env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("PKIT_"));
        ours.for_each(|name| _ = command.env_remove(name));
        command.env("RUST_BACKTRACE", "0").env_remove("RUST_TEST_NOCAPTURE").envs(&self.env);
        command
    }

    pub(crate) fn ended(&self, command: &mut Command) -> Ended {
        let began = SystemTime::now();
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let process = process.expect("it can be run");
        let pid = process.id();
        // Until the end of both pipes: who holds one longer than the test lives is a leak.
        let Output { status, stdout, stderr } = process.wait_with_output().expect("it was started");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let files = fs::read_dir(self.directory()).into_iter().flatten().flatten();
        let logs = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|ending| ending == "log"));
        Ended { began, pid, status, stdout: text(stdout), stderr: text(stderr), logs: logs.collect() }
    }
}

/// A file system takes its times from a clock that is a few milliseconds behind.
const CLOCK_LAG: Duration = Duration::from_millis(50);

/// What became of a victim.
#[derive(Debug)]
pub(crate) struct Ended {
    began: SystemTime,
    pid: u32,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The logs that it left.
    pub(crate) logs: Vec<PathBuf>,
}

impl Ended {
    /// All that it wrote.
    pub(crate) fn text(&self) -> String {
        normalised(&format!("{}{}", self.stdout, self.stderr))
    }

    /// The private directories of its processes. One that was there before it began is that of another process, whose id it
    /// has got: some tests leave such, and ids come again soon.
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        let start = format!("pkit-{}-", self.pid);
        let all = fs::read_dir(env::temp_dir()).into_iter().flatten().flatten();
        let is_its = |entry: &fs::DirEntry| {
            // Not every libc tells when a file was made.
            let made = entry.metadata().and_then(|it| it.created().or_else(|_| it.modified()));
            made.map_or(true, |at| at >= self.began - CLOCK_LAG)
        };
        all.filter(is_its)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&start))
            .map(|entry| entry.path())
            .collect()
    }

    /// What libtest shows of the test itself, without what differs from run to run.
    pub(crate) fn report(&self) -> String {
        let own = Regex::new(r"(?s)\n---- \S+ stdout ----\n(.*?)\n\n(failures:|successes:|test result:)")
            .expect("a sound pattern");
        let shown = own.captures(&self.stdout).and_then(|parts| parts.get(1)).map_or("", |part| part.as_str());
        let lines =
            shown.lines().filter(|line| !line.is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE"));
        normalised(&lines.collect::<Vec<_>>().join("\n"))
    }
}
