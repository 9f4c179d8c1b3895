//! What a test may do with what others have as well.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use expect_test::expect;
use pkit_test::{Restart, Shared, Signal, Spec, Stack, bin, function, orchestrate, output, simple};

use super::run::{run, said};
use crate::text::normalised;

fn sleeping(of: &str) -> Spec {
    output(bin!("sleeper"), "sleeper").env("FOR", of)
}

fn sleeper(of: &str) -> Shared<Spec> {
    sleeping(of).shared()
}

#[test]
fn what_others_would_feel_is_refused() {
    let shared = sleeper("refused").start().unwrap();
    let pid = shared.pid();
    expect![[r#"
        cannot stop it: `sleeper` is shared with other tests of this run, which would feel it
          spec:   output("sleeper", "sleeper")   tests/it/shared/manners.rs
          hint:   `.shared().exclusive()` waits until no other test has it, and keeps them out meanwhile"#]]
    .assert_eq(&normalised(&shared.stop().unwrap_err().to_string()));
    let refused = [
        shared.terminate(),
        shared.kill(),
        shared.restart(Restart::Forced),
        shared.start(),
        shared.replace(simple("sleep 60")),
        shared.signal(Signal::Hup),
        shared.pause(),
        shared.resume(),
        shared.write_stdin("x"),
    ];
    for (number, result) in refused.into_iter().enumerate() {
        assert!(result.as_ref().unwrap_err().is_shared(), "{number}: {result:?}");
    }
    assert_eq!((shared.pid(), shared.is_alive()), (pid, true));
}

/// It waits for those who have it, and keeps those out who come later.
#[test]
fn whoever_has_it_alone_waits_and_is_waited_for() {
    let holder = sleeper("alone").start().unwrap();
    let before = holder.pid();
    let (tell, order) = mpsc::channel();
    thread::scope(|threads| {
        let (told, tell) = (tell.clone(), tell);
        let alone = threads.spawn(move || {
            let alone = sleeper("alone").exclusive().start().unwrap();
            told.send("alone").unwrap();
            alone.restart(Restart::Forced).unwrap();
            let pid = alone.pid();
            told.send("lets go").unwrap();
            pid
        });
        assert!(order.recv_timeout(Duration::from_millis(100)).is_err(), "somebody has it");
        tell.send("holder lets go").unwrap();
        drop(holder);
        let pid = alone.join().unwrap();
        let next = sleeper("alone").start().unwrap();
        assert_eq!(next.pid(), pid, "others have what it has made of it");
        assert_ne!(pid, before);
        assert_eq!(next.restarts(), 1);
    });
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["holder lets go", "alone", "lets go"]);
}

/// As many as there are.
#[test]
fn a_stack_is_refused_to_all_and_left_to_one() {
    let stack = || orchestrate([("a", sleeping("stack a")), ("b", sleeping("stack b").after("a"))]).shared();
    let pids = |stack: &Stack| ["a", "b"].map(|name| stack[name].pid());
    let shared = stack().start().unwrap();
    let before = pids(&shared);
    assert!(shared.stop().unwrap_err().is_shared());
    assert!(shared.restart(Restart::Forced).unwrap_err().is_shared());
    assert!(shared.member("a").stop().unwrap_err().is_shared());
    assert_eq!(pids(&shared), before);
    drop(shared);
    let alone = stack().exclusive().start().unwrap();
    alone.member("a").restart(Restart::Forced).unwrap();
    let after = pids(&alone);
    assert!(before.iter().all(|pid| pid.is_some() && !after.contains(pid)), "{before:?} {after:?}");
    drop(alone);
    assert_eq!(pids(&stack().start().unwrap()), after);
}

#[test]
fn a_function_is_called_again_by_whoever_has_it_alone() {
    let double = || function(|n: u32| n * 2, 21);
    let shared = double().shared().start().unwrap();
    assert_eq!(shared.join().unwrap(), 42);
    assert!(shared.start_with(1).unwrap_err().is_shared());
    assert_eq!(shared.join().unwrap(), 42);
    drop(shared);
    let alone = double().shared().exclusive().start();
    // Of another place in this file it is another closure.
    assert_eq!(alone.unwrap().call(4).unwrap(), 8);
}

/// Whoever has it and wants it alone would wait for itself.
#[test]
fn who_waits_for_itself_is_told_so() {
    let _shared = sleeper("itself").start().unwrap();
    let error = sleeper("itself").exclusive().start().unwrap_err();
    expect![[r#"
        `sleeper` is shared, and was not to be had: `shared::manners::who_waits_for_itself_is_told_so (process N)` has it already, and would wait for itself: it has to drop that first
          spec:   output("sleeper", "sleeper")   tests/it/shared/manners.rs"#]].assert_eq(&normalised(&error.to_string()));
}

/// The next one gets a new one.
#[test]
fn what_was_left_stopped_is_started_anew() {
    let alone = sleeper("left stopped").exclusive().start().unwrap();
    alone.stop().unwrap();
    assert!(!alone.is_alive());
    drop(alone);
    let next = sleeper("left stopped").start().unwrap();
    assert!(next.is_alive());
    assert_eq!(next.restarts(), 0);
}

#[test]
fn who_waits_for_too_long_is_told_for_whom() {
    let run = run();
    // Of 330 s that is enough to be told by the broker for whom it waits, also on a busy machine.
    let victim = run.victim("shared::waits_for_another").with("sleeper").env("PKIT_TIMEOUT_SCALE", "0.005");
    let victim = victim.env("PKIT_LOG", "1");
    let ended = victim.run_uncaptured();
    let log = normalised(&ended.stderr);
    let told = "shared sleeper is waited for: `victims::shared::waits_for_another (process N)` has it for itself";
    assert!(log.contains(told), "{log}");
    let waited = regex_lite::Regex::new(r"waited: [\d.]+ m?s").expect("sound");
    let error = normalised(&waited.replace_all(&said(&ended, "error").join("\n"), "waited: N ms"));
    expect![[r#"
        `sleeper` is shared, and was not to be had in time
          spec:   output("'CHILDREN/sleeper'", "sleeper")   tests/it/victims/shared.rs
          waited: N ms
          why:    `victims::shared::waits_for_another (process N)` has it for itself
          hint:   `PKIT_TIMEOUT_SCALE` makes all waits longer"#]]
    .assert_eq(&error);
    run.leaves_nothing_of(&victim, &[ended]);
}
