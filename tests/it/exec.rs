//! A command says whether a process is ready.

use std::fs;
use std::future::Future as _;
use std::path::Path;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use pkit_test::ready::{Exec, Tcp};
use pkit_test::{Process, Restart, Spec, orchestra, sh, simple, tcp, with_processes};
use pkit_test_tests::left_out;

use crate::child::{ENOUGH, HANG, child, wait_until};
use crate::nested::{Victim, victim};
use crate::race;
use crate::text::normalised;

#[track_caller]
fn fails(spec: Spec, expected: Expect) {
    let error = spec.start().map(|process| panic!("{process:?} was started")).unwrap_err();
    expected.assert_eq(&normalised(&error.to_string()));
}

#[test]
fn it_is_ready_when_the_command_ends_with_0() {
    let slow = child("slow");
    let check = Exec::new(sh("echo asked >> {dir}/asked; test -e {dir}/up"));
    let service =
        sh(format!("{} & until test -s {{dir}}/asked; do :; done; touch {{dir}}/up; wait", slow.with("0 {port}")));
    let process = simple(service).ready(check).start().unwrap();
    let asked = fs::read_to_string(process.dir().join("asked")).unwrap();
    assert!(asked.starts_with("asked\n"), "{asked:?}");
    process.kill().unwrap();
}

#[test]
fn it_runs_where_the_process_does() {
    let check = r#"test "$PWD" = {dir} && test "$A $B $PORT" = "spec check {port}" && test -z "$(cat)""#;
    let spec = simple("sleep 60").cwd("{dir}").env("A", "spec").env("B", "spec").env("PORT", "{port}");
    spec.ready(Exec::new(sh(check)).env("B", "check")).start().unwrap();
    let clear = simple("/bin/sleep 60").env_clear().env("A", "only");
    clear.ready(Exec::new(sh(r#"test "$A$HOME$USER" = only"#))).start().unwrap();
}

#[test]
fn it_runs_as_the_user_of_the_process() {
    if !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can run something as another user");
    }
    let check = "test $(id -un) = nobody && test $PWD = {dir} && touch {dir}/mine";
    let process = simple("sleep 60").user("nobody").ready(Exec::new(sh(check))).start().unwrap();
    assert!(process.dir().join("mine").exists());
}

#[test]
fn holes_of_another_process_are_the_dependency() {
    let slow = child("slow");
    let stack = orchestra()
        .with("app", simple("sleep 60").ready(Exec::new(sh("test {db.port} = $DB")).env("DB", "{db.port}")))
        .with("db", tcp(slow.with("5 {port}"), 0))
        .start()
        .unwrap();
    assert!(stack["db"].is_alive());
}

fn service() -> Spec {
    simple("sleep 60").start_timeout(ENOUGH)
}

#[test]
fn its_exit_code_and_its_last_line_are_told() {
    fails(
        service().ready(Exec::new("sh -c 'echo checking; echo not  yet >&2; echo; exit 2'")),
        expect![[r#"
            `sleep` was not ready after 1.5 s
              spec:   simple("sleep 60")   tests/it/exec.rs
              ran:    /usr/bin/sleep 60   pid N, in N ms
              probe:  exec sh -c 'echo checking; echo not  yet >&2; echo; exit 2': exit code 2: not yet, N tries
              output: none"#]],
    );
}

#[test]
fn it_is_not_asked_before_the_probes_that_stand_before_it() {
    fails(
        service().ready(Tcp::any()).ready(Exec::new("true")),
        expect![[r#"
            `sleep` was not ready after 1.5 s
              spec:   simple("sleep 60")   tests/it/exec.rs
              ran:    /usr/bin/sleep 60   pid N, in N ms
              probe:  tcp 127.0.0.1:PORT: connection refused, N tries
              hint:   nothing in the command uses {port}: how would it know?
              output: none"#]],
    );
}

#[test]
fn a_signal_that_ended_it_is_told() {
    fails(
        service().ready(Exec::new("true")).ready(Exec::new(sh("kill -SEGV $$"))),
        expect![[r#"
            `sleep` was not ready after 1.5 s
              spec:   simple("sleep 60")   tests/it/exec.rs
              ran:    /usr/bin/sleep 60   pid N, in N ms
              probe:  exec /bin/sh -c 'kill -SEGV $$' sh: signal 11 (SIGSEGV), N tries
              output: none"#]],
    );
}

#[test]
fn a_long_line_is_cut() {
    fails(
        service().ready(Exec::new(sh(r"printf '%0300d' 7; exit 1"))),
        expect![[r#"
            `sleep` was not ready after 1.5 s
              spec:   simple("sleep 60")   tests/it/exec.rs
              ran:    /usr/bin/sleep 60   pid N, in N ms
              probe:  exec /bin/sh -c 'printf '\''%0300d'\'' 7; exit 1' sh: exit code 1: 00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000…, N tries
              output: none"#]],
    );
}

#[test]
fn a_line_that_is_no_text_is_made_one() {
    fails(
        service().ready(Exec::new(sh(r"printf '\033[31m\377\n'; exit 1"))),
        expect![[r#"
            `sleep` was not ready after 1.5 s
              spec:   simple("sleep 60")   tests/it/exec.rs
              ran:    /usr/bin/sleep 60   pid N, in N ms
              probe:  exec /bin/sh -c 'printf '\''\033[31m\377\n'\''; exit 1' sh: exit code 1: \u{1b}[31m�, N tries
              output: none"#]],
    );
}

#[test]
fn what_cannot_be_run_is_no_not_yet() {
    let directory = child("sleeper");
    let script = directory.file("script");
    let asked_by = |check: &str| simple("sleep 60").ready(Exec::new(check));
    fails(
        asked_by("slepe 1"),
        expect![[r#"
        `sleep` was not started: program `slepe` is in no directory of PATH
          spec:   simple("sleep 60")   tests/it/exec.rs
          PATH:   …
          meant:  `sleep`?
          probe:  exec slepe 1"#]],
    );
    fails(
        asked_by("/no/such/check --now"),
        expect![[r#"
        `sleep` was not started: program `/no/such/check` does not exist
          spec:   simple("sleep 60")   tests/it/exec.rs
          hint:   the directory `/no` does not exist
          probe:  exec /no/such/check --now"#]],
    );
    fails(
        asked_by("sh -c 'echo"),
        expect![[r#"
        `sleep` was not started: its probe cannot be run: the quote that opens at column 7 of `sh -c 'echo` is never closed: `'echo`
          spec:   simple("sleep 60")   tests/it/exec.rs"#]],
    );
    fails(
        asked_by("echo {nobody.port}"),
        expect![[r#"
            `sleep` was not started: {nobody.port} means nothing here
              why:    there is no process `nobody`: `sleep` is started without others
              hint:   write {{nobody.port}} where the text {nobody.port} is meant
              spec:   simple("sleep 60")   tests/it/exec.rs"#]],
    );
    fails(
        simple("sleep 60").ready(Exec::new("true").env("A=B", "")),
        expect![[r#"
        `sleep` was not started: `A=B` cannot be the name of an environment variable
          spec:   simple("sleep 60")   tests/it/exec.rs"#]],
    );
    fails(
        simple("sleep 60").ready(Exec::new("true").try_timeout(Duration::ZERO)),
        expect![[r#"
        `sleep` was not started: a try_timeout of zero leaves no time at all
          spec:   simple("sleep 60")   tests/it/exec.rs"#]],
    );
    executable(&script, "neither a program nor a script");
    fails(
        asked_by(&format!("'{}'", script.display())),
        expect![[r#"
        `sleep` was stopped: its probe `exec CHILDREN/script` cannot be run: it is no program for this system, and has no `#!` line
          spec:   simple("sleep 60")   tests/it/exec.rs
          ran:    /usr/bin/sleep 60   pid N, in N ms
          output: none"#]],
    );
    fs::write(&script, "").unwrap();
}

fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn one_that_hangs_is_killed_and_asked_again() {
    let deaf = child("deaf");
    let once = "test -e {dir}/asked && exit; touch {dir}/asked; ";
    let check = |limit| Exec::new(sh(format!("{once} {}", deaf.with("")))).try_timeout(limit);
    let process = simple("sleep 60").ready(check(Duration::from_millis(50))).start().unwrap();
    assert_eq!((process.is_alive(), deaf.count()), (true, 0));
    fails(
        service().ready(Exec::new(deaf.with(""))),
        expect![[r#"
            `sleep` was not ready after 1.5 s
              spec:   simple("sleep 60")   tests/it/exec.rs
              ran:    /usr/bin/sleep 60   pid N, in N ms
              probe:  exec CHILDREN/deaf: still running after N ms: deaf, N tries
              output: none"#]],
    );
    assert_eq!(deaf.count(), 0);
    // How far it comes in so little time nobody knows.
    let quiet = format!("exec {} > /dev/null", deaf.with(""));
    fails(
        service().ready(Exec::new(sh(quiet)).try_timeout(Duration::from_millis(70))),
        expect![[r#"
            `sleep` was not ready after 1.5 s
              spec:   simple("sleep 60")   tests/it/exec.rs
              ran:    /usr/bin/sleep 60   pid N, in N ms
              probe:  exec /bin/sh -c 'exec '\''CHILDREN/deaf'\''  > /dev/null' sh: still running after N ms, N tries
              output: none"#]],
    );
    assert_eq!(deaf.count(), 0);
}

#[test]
fn what_it_leaves_in_the_background_is_killed() {
    let (daemonizer, forks) = (child("daemonizer"), child("forks"));
    let check = Exec::new(daemonizer.with("{port.daemon}"));
    let process = simple("sleep 60").port("daemon").ready(check).start().unwrap();
    assert_eq!((process.is_alive(), daemonizer.count()), (true, 0));
    let all_there = "until grep -q forked {dir}/out; do :; done";
    let check = |code| format!("{} > {{dir}}/out & {all_there}; exit {code}", forks.with("20 --setsid"));
    let process = simple("sleep 60").ready(Exec::new(sh(check(0)))).start().unwrap();
    assert_eq!((process.is_alive(), forks.count()), (true, 0));
    assert!(service().ready(Exec::new(sh(check(1)))).start().unwrap_err().is_timeout());
    assert_eq!(forks.count(), 0);
}

#[test]
fn one_that_floods_is_bounded_and_leaves_no_log() {
    let flood = child("flood");
    let check = Exec::new(flood.with("0 --both")).try_timeout(ENOUGH);
    let process = simple("sleep 60").ready(check).start_timeout(HANG * 10).spawn().unwrap();
    let (log, beside) = (process.log_path(), || {
        let files = fs::read_dir(process.log_path().parent().unwrap()).unwrap().flatten();
        let own = process.log_path().file_stem().unwrap().to_string_lossy().into_owned();
        let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with(&format!("{own}.check-")));
        logs.filter_map(|file| file.metadata().ok()).map(|file| file.len()).collect::<Vec<u64>>()
    });
    thread::scope(|scope| {
        let waiting = scope.spawn(|| process.wait_ready());
        let mut most = 0;
        wait_until(|| {
            most = most.max(beside().iter().sum());
            most > 300_000
        });
        for _ in 0..50 {
            most = most.max(beside().iter().sum());
        }
        assert!(most <= 4 * 1024 * 1024, "{most} bytes of log");
        process.kill().unwrap();
        assert!(waiting.join().unwrap().unwrap_err().is_exit());
    });
    assert_eq!((flood.count(), beside().len(), log.exists()), (0, 0, true));
}

#[test]
fn the_end_of_the_process_ends_a_try() {
    let (deaf, exits) = (child("deaf"), child("exits"));
    let asked = exits.file("asked").display().to_string();
    let script = format!("until test -e '{asked}'; do :; done; exec {}", exits.with("3 --say over"));
    let check = Exec::new(sh(format!("touch '{asked}'; exec {}", deaf.with("")))).try_timeout(HANG * 10);
    fails(
        simple(sh(script)).ready(check).start_timeout(HANG * 10),
        expect![[r#"
        `sh` exited before it was ready
          spec:   simple("sh -c 'until test -e '\''CHILDREN/asked'\''; do :; done; exec '\''CHILDREN/exits'\'' 3 --say over'")   tests/it/exec.rs
          ran:    /bin/sh -c 'until test -e '\''CHILDREN/asked'\''; do :; done; exec '\''CHILDREN/exits'\'' 3 --say over' sh   pid N, in N ms
          exit:   exit code 3
          probe:  exec /bin/sh -c 'touch '\''CHILDREN/asked'\''; exec '\''CHILDREN/deaf'\'' ' sh: it was still running
          stderr: over"#]],
    );
    assert_eq!(deaf.count(), 0);
}

#[test]
fn a_start_that_is_given_up_ends_a_try() {
    let deaf = child("deaf");
    let asked = deaf.file("asked");
    let check = Exec::new(sh(format!("touch '{}'; exec {}", asked.display(), deaf.with("")))).try_timeout(HANG * 10);
    let fails = format!("until test -e '{}'; do :; done; exit 5", asked.display());
    let stack = orchestra()
        .with("patient", simple("sleep 60").ready(check).start_timeout(HANG * 10))
        .with("broken", tcp(sh(fails), 0));
    let error = stack.start().unwrap_err();
    assert!(error.to_string().starts_with("`broken` exited before it was ready"), "{error}");
    assert_eq!(deaf.count(), 0);
}

#[test]
fn every_start_is_asked_about_anew() {
    let process = simple(sh("echo >> {dir}/runs; exec sleep 60"));
    let process = process.ready(Exec::new(sh("echo >> {dir}/asked; test -e {dir}/runs"))).start().unwrap();
    let lines = |name: &str| fs::read_to_string(process.dir().join(name)).unwrap().len();
    let before = lines("asked");
    process.restart(Restart::Forced).unwrap();
    // It need not have got that far to be found ready by what the first run has left.
    wait_until(|| lines("runs") == 2);
    assert!(lines("asked") > before);
}

#[test]
fn two_may_wait_for_one_process() {
    let spec = simple("sleep 60").ready(Exec::new(sh("test -e {dir}/up")));
    let process = &spec.spawn().unwrap();
    thread::scope(|scope| {
        let (said, heard) = channel();
        let waiting = [(); 3].map(|()| {
            let said = said.clone();
            scope.spawn(move || {
                said.send(()).unwrap();
                process.wait_ready()
            })
        });
        waiting.iter().for_each(|_| heard.recv().unwrap());
        fs::write(process.dir().join("up"), "").unwrap();
        waiting.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
    });
}

fn dying(name: &'static str) -> Victim {
    let victim = victim(name).with("sleeper").with("deaf");
    let file = victim.file("asked").display().to_string();
    victim.env("FILE", &file)
}

fn logs_of_tries(victim: &Victim) -> usize {
    let files = fs::read_dir(victim.directory()).unwrap().flatten();
    files.filter(|file| file.file_name().to_string_lossy().contains("check")).count()
}

#[test]
fn a_test_that_is_killed_in_a_try_leaves_nothing() {
    let victim = dying("exec::is_killed_in_a_try");
    let ended = victim.run();
    victim.will_be_gone(&ended);
    assert!(ended.stderr.contains("`sleeper`: the test died"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("(check)"), "{}", ended.stderr);
    assert_eq!(logs_of_tries(&victim), 0);
}

#[test]
fn a_test_that_exits_in_a_try_leaves_nothing() {
    let victim = dying("exec::exits_in_a_try");
    let ended = victim.run();
    victim.will_be_gone(&ended);
    assert_eq!(logs_of_tries(&victim), 0);
}

#[test]
fn a_try_is_never_kept() {
    let victim = dying("exec::is_killed_in_a_try").env("PKIT_KEEP", "always");
    let ended = victim.run();
    wait_until(|| victim.count("deaf") == 0);
    assert_eq!(victim.count("sleeper"), 1);
    let guardian = ended.stderr.split("`kill ").nth(1).and_then(|rest| rest.split('`').next());
    let guardian = guardian.unwrap_or_else(|| panic!("{}", ended.stderr)).parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guardian), nix::sys::signal::Signal::SIGTERM).unwrap();
    victim.will_be_gone(&ended);
}

#[test]
fn a_guardian_that_is_killed_in_a_try_takes_it_along() {
    dying("exec::loses_its_guardian_in_a_try").passes_and_will_be_gone();
}

#[test]
fn a_try_that_loses_its_shim_is_made_again() {
    let deaf = child("deaf");
    let once = "test -e {dir}/asked && exit; touch {dir}/asked; ";
    let check = format!("{once} {} & kill -KILL $PPID; exec {}", deaf.with(""), deaf.with(""));
    let process = simple("sleep 60").ready(Exec::new(sh(check))).start().unwrap();
    assert_eq!((process.is_alive(), deaf.count()), (true, 0));
}

#[test]
fn a_future_that_is_dropped_ends_a_try() {
    let deaf = child("deaf");
    let asked = deaf.file("asked");
    let check = Exec::new(sh(format!("touch '{}'; exec {}", asked.display(), deaf.with("")))).try_timeout(HANG * 10);
    let spec = simple("sleep 60").ready(check).start_timeout(HANG * 10);
    let mut future = Box::pin(stage(spec));
    let mut context = Context::from_waker(Waker::noop());
    wait_until(|| future.as_mut().poll(&mut context).is_ready() || asked.exists());
    drop(future);
    assert_eq!(deaf.count(), 0);
}

#[with_processes(patient = spec)]
async fn stage(spec: Spec, patient: Process) {
    unreachable!("{patient:?} never starts")
}

#[test]
fn whatever_ends_the_wait_nothing_of_a_try_is_left() {
    let (sleeper, deaf, end) = (child("sleeper"), child("deaf"), race::end());
    let some_ms = || race::random_part(Duration::from_millis(15)) + Duration::from_millis(1);
    while Instant::now() < end {
        let check = Exec::new(deaf.with("")).try_timeout(some_ms());
        let Ok(process) = simple(sleeper.with("")).ready(check).start_timeout(some_ms()).spawn() else { continue };
        thread::scope(|scope| {
            let waiting = scope.spawn(|| process.wait_ready());
            let until = Instant::now() + race::random_part(Duration::from_millis(15));
            wait_until(|| Instant::now() >= until);
            match race::random(3) {
                0 => process.kill().unwrap(),
                1 => process.stop().unwrap(),
                _ => {}
            }
            assert!(waiting.join().unwrap().is_err());
        });
        assert_eq!((deaf.count(), sleeper.count()), (0, 0));
    }
}
