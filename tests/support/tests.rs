//! The tests' own ground: that survivors are seen and counted, and that each child has the vice it is named by.
//!
//! A count of zero proves something only if the same count is not zero while something is there.

mod launchers;
mod survivors;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test_tests::child::wait_ms;
use pkit_test_tests::private::{Private, executable};
use pkit_test_tests::process::{children, fds, has_child, parent, pids, pss_kb, signal_process, stat, threads};

/// Only catches a hang.
const HANG: Duration = Duration::from_secs(20);

/// A started child: its process, and its stdout by the line.
struct Run {
    executable: Private,
    process: Child,
    stdout: BufReader<ChildStdout>,
}

impl Run {
    fn start(name: &str, arguments: &[&str]) -> Run {
        let executable = Private::copy_of(name);
        let mut command = Command::new(executable.path());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the child is there");
        let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        Run { executable, process, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it writes text");
        line.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it is not reaped");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().expect("a pid is positive"))
    }

    /// Kills the process alone, and tells how many others were left.
    fn kill_leader(mut self) -> usize {
        self.process.kill().expect("it is not reaped");
        self.process.wait().expect("it is ours");
        self.executable.survivors().len()
    }

    fn exit_code(mut self) -> Option<i32> {
        self.process.wait().expect("it is ours").code()
    }

    /// All that it writes until it exits.
    fn output(mut self) -> (String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).expect("it writes text");
        self.process.stderr.take().expect("it is piped").read_to_string(&mut err).expect("it writes text");
        self.process.wait().expect("it is ours");
        (out, err)
    }
}

/// What a `Run` leaves running is ended by its `Private`; the leader is ours to reap.
impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago: good enough here, where nothing else asks for one.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("there are free ports").port()
}

fn connect(port: u16) -> TcpStream {
    until(|| TcpStream::connect(("127.0.0.1", port)).ok())
}

fn until<T>(mut seen: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + HANG;
    loop {
        if let Some(value) = seen() {
            return value;
        }
        assert!(Instant::now() < deadline, "not seen in {HANG:?}");
        wait_ms(1);
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = connect(port);
    write!(stream, "GET {path} HTTP/1.1\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers text");
    text.split_whitespace().nth(1).expect("a status line").to_owned()
}

mod counters {
    use super::*;

    #[test]
    fn read_a_process() {
        let own = std::process::id();
        let (mut plain, mut run) = (Run::start("sleeper", &[]), Run::start("forks", &["3"]));
        assert_eq!((plain.line(), run.line()), ("sleeper".into(), "forked 3".into()));
        let pid = run.process.id();
        assert_eq!(parent(pid), Some(own));
        assert_eq!(children(pid).len(), 3);
        assert!(has_child(pid) && !has_child(children(pid)[0]));
        assert_eq!(threads(pid), Some(1));
        // Whatever they inherited from whoever runs us, this one has the two ends of its pipe beside it.
        assert_eq!(fds(pid), fds(plain.process.id()).map(|count| count + 2));
        assert!(pss_kb(pid).is_some_and(|kb| kb > 0));
    }

    #[test]
    fn say_nothing_of_nobody() {
        // Above the highest pid that a kernel gives.
        let nobody = 1 << 23;
        assert!(stat(nobody).is_none() && fds(nobody).is_none() && threads(nobody).is_none());
        assert!(pss_kb(nobody).is_none() && children(nobody).is_empty());
    }
}

mod left_out {
    use super::*;
    use pkit_test_tests::left_out::server;
    use pkit_test_tests::servers::{LEFT_OUT_VARIABLE, SERVERS_VARIABLE};

    #[test]
    fn needs_redis() {
        let Some(redis) = server("redis") else { return };
        assert!(redis.is_file());
    }

    #[test]
    fn is_said_and_listed() {
        let directory = Private::copy_of("sleeper");
        let list = directory.path().with_file_name("list");
        let mut command = Command::new(std::env::current_exe().expect("procfs is mounted"));
        command.args(["--exact", "left_out::needs_redis"]).env(SERVERS_VARIABLE, "nginx,python");
        let output = command.env(LEFT_OUT_VARIABLE, &list).output().expect("it is this very binary");
        let line = "left out: left_out::needs_redis: redis-server is not installed (Debian: redis-server)\n";
        assert_eq!(std::fs::read_to_string(list).expect("it was written"), line);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains(line));
    }
}

mod child {
    use super::*;

    #[test]
    fn slow_serves_and_stamps() {
        let port = free_port();
        let directory = Private::copy_of("sleeper");
        let stamp = directory.path().with_file_name("stamp").display().to_string();
        let _run = Run::start("slow", &["20", &port.to_string(), "--else", "503", "--stamp", &stamp]);
        assert_eq!(get(port, "/"), "200");
        assert_eq!(get(port, "/elsewhere"), "503");
        let text = std::fs::read_to_string(&stamp).expect("it was written before the first answer");
        let listening_ns: i128 = text.trim().parse().expect("a number");
        assert!(listening_ns > 0 && listening_ns < pkit_test_tests::child::monotonic_ns());
    }

    #[test]
    fn deaf_ignores_what_asks() {
        let mut run = Run::start("deaf", &[]);
        assert_eq!(run.line(), "deaf");
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
            run.signal(signal);
        }
        assert_eq!(run.process.try_wait().expect("it is ours"), None);
    }

    #[test]
    fn polite_says_goodbye() {
        let mut run = Run::start("polite", &["0"]);
        assert_eq!(run.line(), "ready");
        run.signal(Signal::SIGTERM);
        assert_eq!(run.line(), "bye");
        assert_eq!(run.exit_code(), Some(0));
    }

    #[test]
    fn daemons_outlive_their_leader() {
        for name in ["daemon", "daemon_bare"] {
            let mut run = Run::start(name, &[]);
            let line = run.line();
            let pid: u32 = line.trim_start_matches("daemon ").parse().expect("it says the pid");
            assert_eq!(stat(pid).map(|stat| stat.session != run.process.id()), Some(true), "{name}");
            until(|| (fds(pid) == Some(0)).then_some(()));
            let environment = std::fs::read(format!("/proc/{pid}/environ")).expect("it lives");
            assert_eq!(environment.is_empty(), name == "daemon_bare");
            assert_eq!(run.kill_leader(), 1, "{name}");
        }
    }

    #[test]
    fn daemonizer_exits_and_serves() {
        let port = free_port();
        let mut run = Run::start("daemonizer", &[&port.to_string()]);
        assert_eq!(run.process.wait().expect("it is ours").code(), Some(0));
        assert_eq!(get(port, "/"), "200");
        assert_eq!(run.executable.survivors().len(), 1);
    }

    #[test]
    fn forks_leaves_all_behind() {
        let mut run = Run::start("forks", &["5", "--setsid"]);
        assert_eq!(run.line(), "forked 5");
        assert_eq!(run.kill_leader(), 5);
    }

    #[test]
    fn flood_writes_all_and_its_marker() {
        let (out, _) = Run::start("flood", &["300000", "--marker", "end of flood"]).output();
        assert_eq!(out.len(), 300_000 + "end of flood\n".len());
        assert!(out.ends_with("end of flood\n"));
        let (out, err) = Run::start("flood", &["80000", "--both"]).output();
        assert_eq!((out.len(), err.len()), (40_960, 39_040));
    }

    #[test]
    fn banner_has_no_newline() {
        let mut run = Run::start("banner", &["ready", "--halves", "5", "--dots", "3"]);
        let mut text = [0; 8];
        run.stdout.read_exact(&mut text).expect("it writes that much");
        assert_eq!(&text, b"...ready");
    }

    #[test]
    fn exits_as_it_is_told() {
        assert_eq!(Run::start("exits", &["12"]).exit_code(), Some(12));
        assert_eq!(Run::start("exits", &["--signal", "SIGSEGV"]).exit_code(), None);
        let (_, err) = Run::start("exits", &["1", "--say", "no database"]).output();
        assert_eq!(err, "no database\n");
    }

    #[test]
    fn wrong_port_listens_elsewhere() {
        let port = free_port();
        let mut run = Run::start("wrong_port", &[&port.to_string()]);
        assert!(run.line().starts_with("listening on 127.0.0.1:"));
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        let mut run = Run::start("wrong_port", &[&port.to_string(), "--v6"]);
        assert_eq!(run.line(), format!("listening on [::1]:{port}"));
    }

    #[test]
    fn closes_all_has_no_descriptor() {
        let mut run = Run::start("closes_all", &[]);
        assert_eq!((run.line().as_str(), run.line().as_str()), ("closing", ""));
        until(|| (fds(run.process.id()) == Some(0)).then_some(()));
    }

    #[test]
    fn nameless_has_neither_environment_nor_command_line() {
        let mut run = Run::start("nameless", &["lost"]);
        assert_eq!(run.line(), "nameless");
        let read =
            |entry: &str| std::fs::read_to_string(format!("/proc/{}/{entry}", run.process.id())).expect("it lives");
        assert_eq!((read("environ").as_str(), read("cmdline").as_str(), read("comm").as_str()), ("", "\0", "-\n"));
        assert_eq!(run.executable.survivors(), [run.process.id()]);
    }

    #[test]
    fn unleashed_and_other_user_leave_one_behind() {
        for (name, line) in [("unleashed", "unleashed"), ("other_user", "other user")] {
            let mut run = Run::start(name, &[]);
            assert_eq!(run.line(), line);
            until(|| (run.executable.survivors().len() == 2).then_some(()));
            assert_eq!(run.kill_leader(), 1, "{name}");
        }
    }

    #[test]
    fn hydra_has_more_heads_after_each_blow() {
        let mut run = Run::start("hydra", &["--heads", "3"]);
        assert_eq!(run.line(), "hydra");
        for blow in 0..3 {
            let heads = until(|| Some(run.executable.survivors()).filter(|heads| heads.len() == 1 << blow));
            heads.into_iter().for_each(|head| signal_process(head, Signal::SIGTERM).expect("it lives"));
        }
        until(|| (run.executable.survivors().len() == 8).then_some(()));
        assert_eq!(run.kill_leader(), 7);
    }

    #[test]
    fn tracer_stands_between_its_child_and_a_signal() {
        let mut run = Run::start("tracer", &[]);
        assert_eq!(run.line(), "tracing");
        let traced = children(run.process.id());
        signal_process(traced[0], Signal::SIGTERM).expect("it lives");
        until(|| stat(traced[0]).filter(|stat| stat.state == 't'));
        run.signal(Signal::SIGKILL);
        assert!(run.executable.wait_gone(HANG).is_empty(), "it gets the signal when nobody traces it any more");
    }

    #[test]
    fn hoarder_keeps_the_dead_and_the_living() {
        let mut run = Run::start("hoarder", &["4"]);
        assert_eq!(run.line(), "hoarding");
        let pid = run.process.id();
        assert_eq!(children(pid).len(), 4, "they lost their parents, and came to it");
        let dead = pids().into_iter().filter_map(stat).filter(|stat| stat.ppid == pid && stat.state == 'Z').count();
        assert_eq!(dead, 12, "the four and the eight in between");
        assert_eq!(run.kill_leader(), 4);
    }

    #[test]
    fn stops_itself_and_can_be_continued() {
        let mut run = Run::start("stops_itself", &[]);
        assert_eq!(run.line(), "stopping");
        until(|| stat(run.process.id()).filter(|stat| stat.state == 'T'));
        run.signal(Signal::SIGCONT);
        assert_eq!(run.line(), "continued");
    }

    #[test]
    fn crash_later_crashes_on_a_byte() {
        let mut run = Run::start("crash_later", &["0", "--code", "3"]);
        assert_eq!(run.line(), "up");
        run.process.stdin.as_mut().expect("it is piped").write_all(b"!").expect("it reads");
        assert_eq!(run.exit_code(), Some(3));
    }

    #[test]
    fn moody_is_in_another_mood_each_time() {
        let place = Private::copy_of("sleeper");
        let file = place.path().with_file_name("moods");
        let path = file.to_str().expect("it is our own");
        let start = || Run::start("moody", &[path, "uxm"]);
        let mut first = start();
        assert_eq!(first.line(), "up 1");
        first.process.stdin.as_mut().expect("it is piped").write_all(b"!").expect("it reads");
        assert_eq!((first.exit_code(), start().exit_code()), (Some(1), Some(1)));
        let mute = start();
        mute.signal(Signal::SIGTERM);
        assert_eq!(mute.output().0, "");
    }

    #[test]
    fn echo_stdin_ends_with_its_input() {
        let mut run = Run::start("echo_stdin", &[]);
        run.process.stdin.take().expect("it is piped").write_all(b"one\ntwo\n").expect("it reads");
        assert_eq!(run.output().0, "one\ntwo\n");
    }

    #[test]
    fn env_dump_tells_all() {
        let (out, _) = Run::start("env_dump", &["--", "an argument"]).output();
        for wanted in ["cwd: /", "arg: an argument\n", "env: PATH=", "fd: 0 -> pipe:", "SigBlk: ", "sid: ", "nofile: "]
        {
            assert!(out.contains(wanted), "no `{wanted}` in:\n{out}");
        }
        assert!(out.ends_with("end: of env_dump\n"));
    }

    #[test]
    fn one_shot_server_serves_once() {
        let port = free_port();
        let run = Run::start("one_shot_server", &[&port.to_string(), "hi"]);
        let mut text = String::new();
        connect(port).read_to_string(&mut text).expect("it answers text");
        assert_eq!(text, "hi\n");
        assert_eq!(run.exit_code(), Some(0));
    }

    #[test]
    fn order_leaves_its_name() {
        let directory = Private::copy_of("sleeper");
        let file = directory.path().with_file_name("order");
        let mut run = Run::start("order", &["first", &file.display().to_string()]);
        assert_eq!(run.line(), "ready first");
        run.signal(Signal::SIGTERM);
        assert_eq!(run.exit_code(), Some(0));
        assert_eq!(std::fs::read_to_string(file).expect("it was written"), "first\n");
    }

    #[test]
    fn serve_state_asks_its_peer() {
        let (below, above) = (free_port(), free_port());
        let _store = Run::start("serve_state", &[&below.to_string()]);
        write!(connect(below), "PUT /k HTTP/1.1\r\nContent-Length: 5\r\n\r\nvalue").expect("it reads");
        until(|| (get(below, "/k") == "200").then_some(()));
        let peer = format!("127.0.0.1:{below}");
        let _api = Run::start("serve_state", &[&above.to_string(), "--peer", &peer]);
        assert_eq!((get(above, "/k").as_str(), get(above, "/other").as_str()), ("200", "404"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert_eq!(Run::start("sleeper", &["--lazy"]).exit_code(), Some(64));
        assert_eq!(Run::start("slow", &["soon", "80"]).exit_code(), Some(64));
        assert_eq!(Run::start("slow", &["1"]).exit_code(), Some(64));
    }

    #[test]
    fn each_has_a_header_and_a_target() {
        let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/children");
        for entry in std::fs::read_dir(sources).expect("it is there").flatten() {
            let path = entry.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
            let text = std::fs::read_to_string(&path).expect("it is text");
            assert!(
                text.starts_with("//! ") && text.contains(&format!("//! `{name}")),
                "{name} does not say how it is called"
            );
            assert!(executable(name).exists(), "{name} has no target in Cargo.toml");
        }
    }
}
