use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::process::{ChildStdout, Command, Stdio};
use std::{env, thread, time::Duration};

use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::*;
use crate::sys::{held::Identity, lock::Lock, procfs, random::random, wait::eventually};

/// What a process that runs [`client`] does, and where.
const TASK: &str = "PKIT_TEST_UNIT_DOOR";
const RUNNER: &str = "PKIT_TEST_UNIT_RUNNER";
const PLACE: &str = "PKIT_TEST_UNIT_PLACE";

/// A run that ends when this is dropped, with a place of its own.
struct Fixture {
    runner: Child,
    place: PathBuf,
}

impl Fixture {
    fn new() -> Fixture {
        let place = PathBuf::from("/tmp").join(format!("pkit-door-{:x}", random()));
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o700)).unwrap();
        Fixture { runner: Command::new("cat").stdin(Stdio::piped()).spawn().unwrap(), place }
    }

    fn run(&self) -> TestRun {
        run_at(self.runner.id() as i32, &self.place)
    }

    fn ways(&self) -> Vec<Way> {
        let mut ways = Way::all(&self.run());
        ways.truncate(1);
        ways
    }

    /// The directory of the run.
    fn directory(&self) -> PathBuf {
        let way = &self.ways()[0];
        way.base.join(&way.name)
    }

    /// Only here, so that what is wrong with it is told.
    fn start_here(&self, limit: Duration) -> Result<UnixStream> {
        start_somewhere(&self.run(), &self.ways(), Instant::now() + limit)
    }

    /// So many, now or soon: at first one is a fork of its test, and not to be told from others.
    fn has(&self, count: usize) {
        eventually(|| self.brokers().len() == count);
    }

    /// One after another is dead. Who is let in by that, for a fork of other tests has had its socket for a moment, comes again.
    fn has_after_another(&self) -> Vec<i32> {
        eventually(|| connect(&self.run()).is_ok() && self.brokers().len() == 1);
        self.brokers()
    }

    /// All brokers of this place.
    fn brokers(&self) -> Vec<i32> {
        procfs::processes().filter(|pid| *pid != own_pid() && holds(*pid, &self.place)).collect()
    }

    fn client(&self, task: &str) -> Command {
        let mut client = Command::new(env::current_exe().unwrap());
        client.args(["--exact", "shared::door::tests::client", "--nocapture", "--quiet"]);
        client.env(TASK, task).env(RUNNER, self.runner.id().to_string()).env(PLACE, &self.place);
        client.stdin(Stdio::piped()).stdout(Stdio::piped());
        client
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.runner.kill();
        let _ = self.runner.wait();
        if !thread::panicking() {
            eventually(|| self.brokers().is_empty());
        }
        fs::remove_dir_all(&self.place).unwrap();
    }
}

fn run_at(runner: i32, place: &Path) -> TestRun {
    TestRun::of(runner, vec![("XDG_RUNTIME_DIR".into(), place.into())])
}

/// Whether a process that is a broker has one of the locks open.
fn holds(pid: i32, place: &Path) -> bool {
    let is_open = || {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        fds.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|file| file.starts_with(place))
    };
    procfs::is_alive(pid) && procfs::command_line(pid).is_some_and(|line| line.starts_with("pkit-broker")) && is_open()
}

/// What a client of another process has said.
struct Client {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Client {
    fn of(mut command: Command) -> Client {
        let mut process = command.spawn().unwrap();
        Client { said: BufReader::new(process.stdout.take().unwrap()), process }
    }

    fn line(&mut self) -> String {
        let said = |line: String| line.split_once("said: ").map(|(_, said)| said.to_owned());
        self.said.by_ref().lines().map_while(io::Result::ok).find_map(said).expect("it says something")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The process that a client is.
#[test]
fn client() {
    let Ok(task) = env::var(TASK) else { return };
    let runner = env::var(RUNNER).unwrap().parse().unwrap();
    let run = run_at(runner, Path::new(&env::var_os(PLACE).unwrap()));
    if task == "listen as nobody" {
        return listen_as_nobody(&run);
    }
    if task == "at once" {
        println!("said: here");
        // All of them see its end in one moment.
        let _ = io::stdin().read(&mut [0]);
    }
    let began = Instant::now();
    let connected = match task.as_str() {
        "as it is" => run::of_this_process().and_then(connect),
        _ => connect(&run),
    };
    let took = began.elapsed().as_micros();
    match connected {
        Ok(_) => println!("said: {} in {took}", if lock(&STARTED).is_empty() { "found" } else { "started" }),
        Err(error) => println!("said: {}", error.to_string().replace('\n', " |")),
    }
}

/// Stops a client there, until it is killed.
pub(super) fn reached(step: Step) {
    if env::var(TASK).is_ok_and(|task| task == format!("stop at {step:?}")) {
        raise(Signal::SIGSTOP).unwrap();
    }
}

#[test]
fn many_that_come_at_once_start_one() {
    let seconds = env::var("PKIT_RACE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let fixture = Fixture::new();
        let (gun, wall) = platform::pipe().unwrap();
        let start = || {
            Client::of({
                let mut client = fixture.client("at once");
                client.stdin(gun.try_clone().unwrap());
                client
            })
        };
        let mut clients: Vec<Client> = (0..50).map(|_| start()).collect();
        clients.iter_mut().for_each(|client| assert_eq!(client.line(), "here"));
        drop(wall);
        let said: Vec<String> = clients.iter_mut().map(Client::line).collect();
        let count = |what: &str| said.iter().filter(|said| said.starts_with(what)).count();
        assert_eq!((count("started"), count("found")), (1, 49), "{said:?}");
        fixture.has(1);
    }
}

#[test]
fn one_that_was_killed_is_followed_by_another() {
    let fixture = Fixture::new();
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let brokers = fixture.has_after_another();
        assert!(brokers.len() == 1 && seen.insert(brokers[0]), "{brokers:?} {seen:?}");
        assert!(fixture.directory().join("sock").exists());
        kill(Pid::from_raw(brokers[0]), Signal::SIGKILL).unwrap();
        eventually(|| fixture.brokers().is_empty());
    }
}

#[test]
fn whoever_dies_while_it_starts_one_leaves_that_to_the_next() {
    for step in [Step::Locked, Step::Listening, Step::Spawned] {
        let fixture = Fixture::new();
        let starter = Client::of(fixture.client(&format!("stop at {step:?}")));
        let stopped = waitpid(Pid::from_raw(starter.process.id() as i32), Some(WaitPidFlag::WUNTRACED));
        assert!(matches!(stopped, Ok(WaitStatus::Stopped(..))), "{step:?}");
        fixture.has(usize::from(step == Step::Spawned));
        let run = fixture.run();
        let waiting = thread::spawn(move || connect(&run).map(drop));
        // Where somebody listens already it is connected to.
        assert!(step != Step::Locked || !waiting.is_finished());
        drop(starter);
        waiting.join().unwrap().unwrap();
        fixture.has_after_another();
    }
}

#[test]
fn one_that_is_about_to_end_is_waited_for() {
    let soon = Duration::from_millis(20);
    let long = Duration::from_secs(60);
    // That of a start, and that of one that does not listen any more.
    let locks = |fixture: &Fixture| {
        let way = &fixture.ways()[0];
        let (directory, start) = RunDirectory::lock(&way.base, &way.name, Instant::now()).unwrap().unwrap();
        (start, directory.wait_for_end(Instant::now()).unwrap().unwrap())
    };
    let fixture = Fixture::new();
    let _locks = locks(&fixture);
    let error = fixture.start_here(soon).unwrap_err().to_string();
    assert!(error.starts_with("the broker of the run was not started in 60 s\n  run:    cargo (process "), "{error}");
    assert!(error.ends_with("\n  why:    another test is about to start it"), "{error}");
    // In another one, for whoever has waited in vain has the lock for a moment when it is free.
    let fixture = Fixture::new();
    let (start, ending) = locks(&fixture);
    drop(start);
    let error = fixture.start_here(soon).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().ends_with("\n  why:    the one before it is about to end, and does not"), "{error}");
    thread::scope(|threads| {
        let waiting = threads.spawn(|| fixture.start_here(long).map(drop));
        assert!(fixture.brokers().is_empty());
        drop(ending);
        waiting.join().unwrap().unwrap();
    });
    fixture.has(1);
}

#[test]
fn two_runs_share_nothing() {
    let (one, other) = (Fixture::new(), Fixture::new());
    let at_one_place = run_at(other.runner.id() as i32, &one.place);
    connect(&one.run()).unwrap();
    connect(&at_one_place).unwrap();
    one.has(2);
    assert_eq!(other.brokers(), []);
    connect(&at_one_place).unwrap();
    one.has(2);
    drop(other);
    one.has(1);
}

#[test]
fn nothing_is_started_for_a_run_that_is_over() {
    let mut fixture = Fixture::new();
    let run = fixture.run();
    fixture.runner.kill().unwrap();
    fixture.runner.wait().unwrap();
    let error = connect(&run).unwrap_err();
    assert!(error.is_state());
    assert!(
        error.to_string().starts_with("the broker of the run was not started: the run is over\n  run: "),
        "{error}"
    );
    assert!(Identity::of(run.runner).is_none());
}

#[test]
fn a_place_that_is_not_ours_alone_is_refused() {
    let error = |spoil: &dyn Fn(&Path)| {
        let fixture = Fixture::new();
        let base = fixture.ways()[0].base.clone();
        spoil(&base);
        let error = fixture.start_here(Duration::from_secs(60)).unwrap_err().to_string();
        assert!(
            error.starts_with("the broker of the run was not started: there is no place for its socket\n"),
            "{error}"
        );
        let tried = error.lines().find_map(|line| line.trim().strip_prefix("tried:").map(str::trim)).unwrap();
        // For the tests there are other places.
        assert!(connect(&fixture.run()).is_ok());
        assert_eq!(fixture.brokers(), []);
        tried.strip_prefix(&format!("{}: ", base.display())).unwrap().to_owned()
    };
    let elsewhere = Fixture::new();
    let link = |base: &Path| symlink(&elsewhere.place, base).unwrap();
    let open = |base: &Path| {
        fs::create_dir(base).unwrap();
        fs::set_permissions(base, Permissions::from_mode(0o777)).unwrap();
    };
    assert_eq!(error(&link), "it is a link, which may lead anywhere");
    assert_eq!(error(&open), "others may write to it");
    assert_eq!(error(&|base| drop(File::create(base).unwrap())), "it is no directory");
    if user::may_change_user() {
        let foreign = |base: &Path| {
            fs::create_dir(base).unwrap();
            std::os::unix::fs::chown(base, Some(65_534), None).unwrap();
        };
        assert_eq!(error(&foreign), "it is another user's");
    }
    assert_eq!(fs::read_dir(&elsewhere.place).unwrap().count(), 0);
}

#[test]
fn a_runtime_directory_counts_where_it_is_as_it_is_meant_to_be() {
    let fixture = Fixture::new();
    let first = |value: &Path, tmp: Option<&Path>| {
        let mut environment = vec![("XDG_RUNTIME_DIR".into(), value.into())];
        environment.extend(tmp.map(|tmp| ("TMPDIR".into(), tmp.into())));
        let ways = Way::all(&TestRun::of(own_pid(), environment));
        ways.into_iter().map(|way| way.place).next().unwrap()
    };
    assert_eq!(first(&fixture.place, None), fixture.place);
    assert_eq!(first(Path::new("relative"), None), Path::new("/tmp"));
    assert_eq!(first(Path::new(""), None), Path::new("/tmp"));
    assert_eq!(first(&fixture.place.join("missing"), Some(&fixture.place)), fixture.place);
    assert_eq!(first(Path::new("/nowhere"), Some(Path::new("relative"))), Path::new("/tmp"));
    fs::set_permissions(&fixture.place, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(first(&fixture.place, None), Path::new("/tmp"));
    if user::may_change_user() {
        fs::set_permissions(&fixture.place, Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(&fixture.place, Some(65_534), None).unwrap();
        assert_eq!(first(&fixture.place, None), Path::new("/tmp"));
    }
}

#[test]
fn the_path_of_a_socket_always_fits() {
    let fixture = Fixture::new();
    let room = socket::PATH_BYTES - directory::PATH_BYTES - fixture.place.as_os_str().len() - 1;
    for (length, fits) in [(room, true), (room + 1, false)] {
        let place = fixture.place.join("x".repeat(length));
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o700)).unwrap();
        let run = run_at(fixture.runner.id() as i32, &place);
        let way = Way::all(&run).remove(0);
        assert_eq!(way.place == place, fits);
        // As long as it may be with the user of the highest number.
        let base = place.join("pkit-run-4294967295");
        fs::create_dir(&base).unwrap();
        fs::create_dir(base.join(&way.name)).unwrap();
        assert_eq!(UnixListener::bind(directory::socket(&base, &way.name)).is_ok(), fits);
    }
}

#[test]
fn a_file_system_that_is_full_or_read_only_is_passed_over() {
    if !user::may_change_user() {
        return eprintln!("left out: it takes root to mount something");
    }
    for options in ["ro", "size=4k,nr_inodes=2"] {
        let fixture = Fixture::new();
        let place = fixture.place.display();
        let client = fixture.client("");
        let script = format!("mount -t tmpfs -o mode=700,{options} tmpfs {place} && exec \"$@\"");
        let mut isolated = Command::new("unshare");
        isolated.args(["--mount", "sh", "-c", &script, "sh"]).arg(client.get_program()).args(client.get_args());
        client.get_envs().for_each(|(name, value)| _ = isolated.env(name, value.unwrap()));
        let mut client = Client::of({
            isolated.stdout(Stdio::piped());
            isolated
        });
        assert!(client.line().starts_with("started in "), "{options}");
        assert_eq!(fixture.brokers(), [], "it is elsewhere");
    }
}

#[test]
fn another_user_of_the_same_run_has_one_of_its_own() {
    if !user::may_change_user() {
        return eprintln!("left out: it takes root to be another user");
    }
    use std::os::unix::process::CommandExt as _;
    let fixture = Fixture::new();
    connect(&fixture.run()).unwrap();
    // It cannot use the directory, so that its own is elsewhere.
    let mut client = fixture.client("");
    client.uid(65_534).gid(65_534);
    assert!(Client::of(client).line().starts_with("started in "));
    fixture.has(1);
    let base = directory::base(Path::new("/tmp")).with_file_name("pkit-run-65534");
    assert_eq!(fs::metadata(base).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn what_runs_left_is_removed_by_the_next_and_what_is_used_stays() {
    let fixture = Fixture::new();
    let base = fixture.ways()[0].base.clone();
    let name = |digit: &str| base.join(digit.repeat(16));
    let [left, starts, lives, strange] = [name("1"), name("2"), name("3"), base.join("notes")];
    [&left, &starts, &lives, &strange].into_iter().for_each(|path| fs::create_dir_all(path).unwrap());
    drop(UnixListener::bind(left.join("sock")).unwrap());
    let held = |path: &Path, file: &std::ffi::CStr| {
        let directory = crate::sys::directory::open_at(path).unwrap();
        Lock::try_take(&directory, file).unwrap().unwrap()
    };
    let _locks = [held(&starts, c"start.lock"), held(&lives, c"alive.lock")];
    connect(&fixture.run()).unwrap();
    assert!(!left.exists());
    assert!(starts.exists() && lives.exists() && strange.exists() && fixture.directory().exists());
}

#[test]
fn a_stranger_at_the_socket_is_not_talked_to() {
    if !user::may_change_user() {
        return eprintln!("left out: it takes root to be another user");
    }
    let fixture = Fixture::new();
    let way = &fixture.ways()[0];
    fs::create_dir_all(fixture.directory()).unwrap();
    for path in [&way.base, &fixture.directory()] {
        fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    }
    let mut stranger = Client::of(fixture.client("listen as nobody"));
    assert_eq!(stranger.line(), "listening");
    assert!(matches!(way.try_connect(), Err(Obstacle::Place(why)) if why == "another user listens there"));
    assert!(connect(&fixture.run()).is_ok());
    assert_eq!(fixture.brokers(), []);
}

/// Who is at the other end is whoever has begun to listen last.
fn listen_as_nobody(run: &TestRun) {
    let way = &Way::all(run)[0];
    let listener = UnixListener::bind(directory::socket(&way.base, &way.name)).unwrap();
    nix::unistd::setresuid(65_534.into(), 65_534.into(), 65_534.into()).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::MAXCONN).unwrap();
    println!("said: listening");
    // Until its end.
    let _ = io::stdin().read(&mut [0]);
}

/// A client that finds its own run, below a shell of that name, and what the shell says.
fn client_below(fixture: &Fixture, shell: &str, script: &str) -> Command {
    let name = fixture.place.with_extension("bin").join(shell);
    let client = fixture.client("as it is");
    let mut command = Command::new(&name);
    command.arg("-c").arg(script).arg(client.get_program()).args(client.get_args());
    client.get_envs().for_each(|(name, value)| _ = command.env(name, value.unwrap()));
    command.env("XDG_RUNTIME_DIR", &fixture.place).env_remove("NEXTEST_RUN_ID").env_remove(run::PKIT_RUN_ID);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

#[test]
fn of_a_process_that_is_a_run_nothing_is_left_when_it_has_ended() {
    let fixture = Fixture::new();
    let shell = Shell::new(&fixture, "itself");
    let mut process = Client::of(client_below(&fixture, "itself", "PKIT_RUN_ID=x@$$ exec \"$0\" \"$@\""));
    assert!(process.line().starts_with("started in "));
    assert!(process.process.wait().unwrap().success());
    assert_eq!(fixture.brokers(), []);
    assert_eq!(fs::read_dir(&fixture.place).unwrap().count(), 0);
    drop(shell);
}

#[test]
fn the_broker_of_cargo_ends_when_that_does() {
    let fixture = Fixture::new();
    let shell = Shell::new(&fixture, "cargo");
    let script = "\"$0\" \"$@\"; \"$0\" \"$@\"; read line";
    let mut command = client_below(&fixture, "cargo", script);
    command.args(["--test-threads=1"]);
    let mut cargo = Client::of(command);
    assert!(cargo.line().starts_with("started in "));
    // Its starter has ended, and another binary finds it.
    assert!(cargo.line().starts_with("found in "));
    fixture.has(1);
    drop(cargo);
    eventually(|| fixture.brokers().is_empty());
    eventually(|| fs::read_dir(&fixture.place).unwrap().count() == 0);
    drop(shell);
}

/// A shell of another name.
struct Shell(PathBuf);

impl Shell {
    fn new(fixture: &Fixture, name: &str) -> Shell {
        let directory = fixture.place.with_extension("bin");
        fs::create_dir(&directory).unwrap();
        symlink("/bin/sh", directory.join(name)).unwrap();
        Shell(directory)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
