//! Every end that a test can come to while its processes are up: one test, one end.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use std::{env, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork};
use pkit_test::{Orchestra, Stack, Strategy, Supervision, orchestra, with_processes};
use pkit_test_tests::child::{pause, wait_us};
use rstest::{fixture, rstest};
use victim::{Held, busy_shim, die_of, guardian, murder, say_up, shims, spec, up, wait_until_all_are_gone};

#[with_processes(a = spec(), b = spec())]
#[test]
fn returns(a: Held, b: Held) {
    let _both = (a, b);
    say_up();
}

#[with_processes(a = spec(), b = spec())]
#[test]
fn returns_an_error(a: Held, b: Held) -> Result<(), String> {
    let _both = (a, b);
    say_up();
    Err("on purpose".to_owned())
}

#[with_processes(a = spec(), b = spec())]
#[test]
fn panics(a: Held, b: Held) {
    let _both = (a, b);
    say_up();
    panic!("on purpose")
}

#[test]
fn panics_with_handles_of_its_own() {
    let _both = up();
    panic!("on purpose")
}

#[test]
fn exits() {
    let _both = up();
    process::exit(3)
}

/// On another thread, at any moment of it.
#[test]
fn exits_while_it_starts() {
    thread::spawn(|| {
        wait_us(nanos() % 6_000);
        process::exit(3)
    });
    let _both = up();
    pause()
}

/// What it becomes has the same pid, and goes on when all must be gone.
#[test]
fn executes_another_program() {
    let _both = up();
    let own = env::current_exe().unwrap();
    let error = Command::new(own).args(["--ignored", "--exact", "waits_until_all_are_gone", "--nocapture"]).exec();
    panic!("{error}");
}

#[test]
#[ignore = "another test executes it"]
fn waits_until_all_are_gone() {
    wait_until_all_are_gone();
}

/// The child has all that its parent had: sockets, handles, and longer to live.
#[test]
fn forks_and_returns() {
    let _both = up();
    fork_who_outlives_us();
}

#[test]
fn forks_and_is_killed() {
    let _both = up();
    fork_who_outlives_us();
    die_of(Signal::SIGKILL)
}

#[test]
fn panics_while_it_panics() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("once more, on purpose");
        }
    }
    let _both = up();
    let _panics = Panics;
    panic!("on purpose")
}

#[test]
fn aborts() {
    let _both = up();
    die_of(Signal::SIGABRT)
}

#[test]
fn overflows_its_stack() {
    let _both = up();
    assert_eq!(deeper(0), 0);
}

#[test]
fn segfaults() {
    let _both = up();
    let nowhere = std::ptr::without_provenance_mut::<u8>(8);
    // SAFETY: it is not, and that is the point: nothing is mapped there, so the process dies.
    unsafe { nowhere.write_volatile(1) };
}

#[test]
fn kills_itself() {
    let _both = up();
    die_of(Signal::SIGKILL)
}

#[test]
fn terminates_itself() {
    let _both = up();
    die_of(Signal::SIGTERM)
}

#[test]
fn is_interrupted_with_its_group() {
    let _both = up();
    signal_group(Signal::SIGINT)
}

#[test]
fn is_killed_with_its_group() {
    let _both = up();
    signal_group(Signal::SIGKILL)
}

#[test]
fn hangs() {
    let _both = up();
    pause()
}

#[rstest]
#[timeout(Duration::from_secs(3))]
fn is_abandoned_by_its_timeout() {
    let _both = up();
    pause()
}

#[with_processes(a = spec(), b = spec())]
#[rstest]
#[timeout(Duration::from_secs(3))]
fn is_abandoned_with_its_parameters(a: Held, b: Held) {
    let _both = (a, b);
    say_up();
    pause()
}

#[with_processes(a = spec(), b = spec())]
#[rstest]
#[timeout(Duration::from_secs(3))]
#[tokio::test]
async fn is_dropped_by_its_timeout(a: &Held, b: Held) {
    say_up();
    std::future::pending::<()>().await;
    drop((a, b));
}

#[fixture]
#[once]
fn made_once() -> (Held, Held) {
    up()
}

#[rstest]
fn keeps_a_fixture_that_is_made_once(made_once: &(Held, Held)) {
    assert!(made_once.0.name() == made_once.1.name());
}

#[rstest]
fn is_killed_with_a_fixture_that_is_made_once(made_once: &(Held, Held)) {
    assert!(made_once.0.name() == made_once.1.name());
    die_of(Signal::SIGKILL)
}

#[with_processes(a = spec(), b = spec())]
#[tokio::test]
async fn returns_in_a_runtime(a: Held, b: &Held) {
    let _both = (a, b);
    say_up();
}

#[with_processes(a = spec(), b = spec())]
#[tokio::test]
async fn panics_in_a_runtime(a: Held, b: &Held) {
    let _both = (a, b);
    say_up();
    panic!("on purpose")
}

#[with_processes(a = spec(), b = spec())]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panics_in_a_task(a: Held, b: Held) {
    let task = tokio::spawn(async move {
        let _both = (a, b);
        say_up();
        panic!("on purpose")
    });
    task.await.expect("it does not end well")
}

#[with_processes(a = spec(), b = spec())]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaves_a_task_behind(a: Held, b: Held) {
    tokio::spawn(async move {
        let _both = (a, b);
        std::future::pending::<()>().await;
    });
    say_up();
}

#[with_processes(a = spec(), b = spec())]
#[tokio::test]
async fn exits_in_a_runtime(a: Held, b: Held) {
    let _both = (a, b);
    say_up();
    process::exit(3)
}

#[with_processes(a = spec(), b = spec())]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborts_in_a_runtime(a: Held, b: Held) {
    let _both = (a, b);
    say_up();
    die_of(Signal::SIGABRT)
}

#[with_processes(a = spec(), b = spec())]
#[tokio::test]
async fn is_killed_in_a_runtime(a: Held, b: Held) {
    let _both = (a, b);
    say_up();
    die_of(Signal::SIGKILL)
}

/// It starts nothing: its executors are not even asked for.
#[with_processes(a = spec())]
#[test]
#[ignore = "this is what it is there for"]
fn is_ignored(a: Held) {
    drop(a);
    say_up();
}

#[test]
fn keeps_handles_in_a_static() {
    static KEPT: OnceLock<(Held, Held)> = OnceLock::new();
    assert!(KEPT.set(up()).is_ok());
}

#[test]
fn forgets_handles() {
    std::mem::forget(up());
}

#[with_processes(a = spec(), b = spec())]
#[test]
fn forgets_parameters(a: Held, b: Held) {
    say_up();
    std::mem::forget((a, b));
}

#[test]
fn goes_on_without_its_guardian() {
    let (a, _b) = up();
    murder(guardian());
    assert!(a.stop().is_err(), "there is nobody who could stop it");
}

#[test]
fn dies_after_its_guardian() {
    let _both = up();
    murder(guardian());
    die_of(Signal::SIGKILL)
}

#[test]
fn goes_on_without_shims() {
    let _both = up();
    shims().into_iter().for_each(murder);
}

#[test]
fn dies_after_its_shims() {
    let _both = up();
    shims().into_iter().for_each(murder);
    die_of(Signal::SIGKILL)
}

#[test]
fn goes_on_without_one_shim() {
    let _both = up();
    murder(busy_shim());
}

#[test]
fn dies_after_one_shim() {
    let _both = up();
    murder(busy_shim());
    die_of(Signal::SIGKILL)
}

mod beside;
mod driven;
mod limited;

/// Each by its default, whatever Rust makes of it.
mod dies_of {
    use super::*;

    macro_rules! dies_of {
        ($($name:ident: $signal:ident,)*) => {$(
            #[test]
            fn $name() {
                let _both = up();
                die_of(Signal::$signal)
            }
        )*};
    }

    dies_of! {
        sighup: SIGHUP,
        sigquit: SIGQUIT,
        sigpipe: SIGPIPE,
        sigalrm: SIGALRM,
        sigusr1: SIGUSR1,
        sigxcpu: SIGXCPU,
        sigbus: SIGBUS,
    }
}

/// All of it in the scope of an orchestra, supervised, and taken along with each other.
mod orchestrated {
    use super::*;

    #[test]
    fn returns() {
        scope(|_| ()).unwrap();
    }

    #[test]
    fn returns_early() -> pkit_test::Result<()> {
        let body = |stack: &Stack| {
            stack["a"].wait_restart(0, Duration::ZERO)?;
            unreachable!("nothing was restarted")
        };
        scope(body)?
    }

    #[test]
    fn panics() {
        scope(|_| panic!("on purpose")).unwrap()
    }

    #[test]
    fn panics_while_a_member_is_down() {
        scope(|stack| stack.member("a").stopped(|| -> () { panic!("on purpose") }).unwrap()).unwrap();
    }

    #[test]
    fn exits() {
        scope(|_| process::exit(3)).unwrap()
    }

    #[test]
    fn kills_itself() {
        scope(|_| die_of(Signal::SIGKILL)).unwrap()
    }

    #[test]
    fn returns_while_all_are_restarted() {
        scope(crash).unwrap();
    }

    #[test]
    fn panics_while_all_are_restarted() {
        scope(|stack| {
            crash(stack);
            panic!("on purpose")
        })
        .unwrap()
    }

    #[test]
    fn kills_itself_while_all_are_restarted() {
        scope(|stack| {
            crash(stack);
            die_of(Signal::SIGKILL)
        })
        .unwrap()
    }

    #[test]
    fn comes_back_without_its_guardian() {
        scope(|stack| {
            murder(guardian());
            // Each is lost, and a reason for all. The inner one has no order with the outer.
            stack["b"].wait_restart(0, RESTART).map(drop).unwrap();
            stack.get::<Stack>("inner")["b"].wait_restart(0, RESTART).map(drop).unwrap();
        })
        .unwrap();
    }

    #[test]
    fn forgets_the_stack() {
        std::mem::forget(stack().start().unwrap());
        say_up();
    }

    /// Longer than any restart.
    const RESTART: Duration = Duration::from_secs(60);

    fn stack() -> Orchestra {
        let tireless = Supervision::permanent().intensity(100, RESTART);
        orchestra()
            .with("a", spec().supervise(tireless))
            .with("inner", orchestra().with("b", spec().supervise(tireless)))
            .with("b", spec().after("a").supervise(tireless))
            .strategy(Strategy::OneForAll)
    }

    fn scope<R>(body: impl FnOnce(&Stack) -> R) -> pkit_test::Result<R> {
        pkit_test::orchestrated(stack(), |stack| {
            say_up();
            body(stack)
        })
    }

    fn crash(stack: &Stack) {
        stack["a"].signal(pkit_test::Signal::Kill).unwrap();
    }
}

fn fork_who_outlives_us() {
    // SAFETY: the child calls nothing but system calls and what allocates; the allocator of glibc is sound after a fork.
    if matches!(unsafe { fork() }.unwrap(), ForkResult::Child) {
        // The runner is not to take it for a leak.
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let done = dup2_stdin(&null).and_then(|()| dup2_stdout(&null)).and_then(|()| dup2_stderr(&null));
        done.unwrap();
        wait_until_all_are_gone();
        // SAFETY: it only takes the process away.
        unsafe { nix::libc::_exit(0) };
    }
}

fn nanos() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into()
}

fn signal_group(signal: Signal) -> ! {
    kill(Pid::from_raw(0), signal).expect("we are in a group");
    pause()
}

/// Not infinite by its text, which the compiler would refuse; and not a loop by its code, which it would make of it.
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { deeper(depth + 1) + frame[0] }
}
