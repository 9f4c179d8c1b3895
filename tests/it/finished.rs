//! Steps: what is ready when it has ended as it should.

use std::fs;

use expect_test::expect;
use pkit_test::ready::{Finished, Output};
use pkit_test::{Process, finished, orchestra, orchestrated, output, simple, with_processes};

use crate::child::{ENOUGH, HANG, child};
use crate::text::normalised;

#[test]
fn a_step_is_over_when_it_is_ready() {
    let exits = child("exits");
    let step = finished(exits.with("--ms 20")).start().unwrap();
    assert_eq!((step.exit().unwrap().code(), step.is_alive(), exits.count()), (Some(0), false, 0));
}

#[test]
fn what_waits_for_a_step_starts_behind_it() {
    let sleeper = child("sleeper");
    let stack = || {
        orchestra()
            .with("app", simple("cat {db.dir}/schema").after("migration").expect_exit(0))
            .with("migration", finished("sh -c 'echo done > {db.dir}/schema'"))
            .with("db", output(sleeper.with(""), "sleeper"))
    };
    let wrote = orchestrated(stack(), |stack| stack["app"].wait().map(|_| stack["app"].stdout())).unwrap().unwrap();
    assert_eq!(wrote, "done\n");
}

#[with_processes(
    app = simple("cat {migration.dir}/schema").may_exit(),
    migration = finished("sh -c 'echo done > {dir}/schema'"),
)]
#[test]
fn a_step_is_a_member_of_an_attribute(app: Process, migration: &Process) -> pkit_test::Result<()> {
    app.wait()?;
    assert_eq!((app.stdout().as_str(), migration.pid()), ("done\n", None));
    Ok(())
}

#[test]
fn one_that_fails_is_an_error_with_its_last_words() {
    let (exits, sleeper) = (child("exits"), child("sleeper"));
    let stack = orchestra()
        .with("app", simple(sleeper.with("")).after("migration").on_start(|_| panic!("it was started")))
        .with("migration", finished(exits.with("3 --say 'no such table'")).after("db"))
        .with("db", simple(sleeper.with("")));
    let error = stack.start().unwrap_err();
    expect![[r#"
        `migration` did not finish with exit code 0
          spec:   finished("'CHILDREN/exits' 3 --say 'no such table'")   tests/it/finished.rs
          ran:    CHILDREN/exits 3 --say 'no such table'   pid N, in N ms
          exit:   exit code 3
          probe:  ends with exit code 0: exit code 3, N tries
          needs:  db (ready in N ms)
          stderr: no such table"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!((error.is_exit(), sleeper.count()), (true, 0));
}

#[test]
fn one_that_is_killed_has_not_finished() {
    let exits = child("exits");
    let error = finished(exits.with("--signal SIGKILL")).start().unwrap_err();
    assert_eq!((error.is_exit(), error.exit().and_then(|exit| exit.signal())), (true, Some(9)), "{error}");
}

#[test]
fn one_that_does_not_end_is_stopped_at_its_deadline() {
    let sleeper = child("sleeper");
    let error = finished(sleeper.with("")).start_timeout(ENOUGH).start().unwrap_err();
    expect![[r#"
        `sleeper` was not ready after 1.5 s
          spec:   finished("'CHILDREN/sleeper'")   tests/it/finished.rs
          ran:    CHILDREN/sleeper   pid N, in N ms
          probe:  ends with exit code 0: it still runs, N tries
          stdout: sleeper"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!((error.is_timeout(), sleeper.count()), (true, 0));
}

#[test]
fn one_that_leaves_something_in_the_background_has_not_finished() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let leaves = |code: i32| format!("sh -c \"{} & exit {code}\"", sleeper.with(""));
    let error = finished(leaves(0)).start_timeout(ENOUGH).start().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("what it left in the background still runs"), "{error}");
    assert_eq!(sleeper.count(), 0);
    // What a leader leaves that ends otherwise is stopped, and not there any more when it is ready.
    let spec = simple(leaves(3)).ready(Finished::code(3)).start().unwrap();
    assert_eq!((spec.exit().unwrap().code(), sleeper.count()), (Some(3), 0));
    let waits = format!("sh -c \"{} --ms 30 & exit 0\"", exits.with(""));
    assert_eq!((finished(waits).start().unwrap().is_alive(), exits.count()), (false, 0));
}

#[test]
fn the_exit_is_no_surprise_and_another_one_is_refused() {
    orchestrated([("step", simple("sh -c 'exit 3'").ready(Finished::code(3)))], |_| ()).unwrap();
    orchestrated([("step", finished("true").may_exit())], |_| ()).unwrap();
    assert!(finished("false").may_exit().start().unwrap_err().is_exit());
    let error = finished("true").expect_exit(3).start().unwrap_err();
    expect![[r#"
        `true` was not started: it would be ready at exit code 0, and exit code 3 is expected
          spec:   finished("true")   tests/it/finished.rs"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn other_probes_have_to_hold_as_well() {
    let says = |text: &str| finished(format!("echo {text}")).ready(Output::stdout("^applied$"));
    for _ in 0..20 {
        assert_eq!(says("applied").start().unwrap().stdout(), "applied\n");
    }
    assert!(says("nothing").start().unwrap_err().is_exit());
}

#[test]
fn a_step_can_be_done_again() {
    let step = finished("sh -c 'echo once more >> {dir}/done'").start().unwrap();
    step.start().unwrap();
    assert_eq!(fs::read_to_string(step.dir().join("done")).unwrap(), "once more\nonce more\n");
    assert_eq!((step.restarts(), step.wait_timeout(HANG).unwrap().map(|exit| exit.success())), (1, Some(true)));
}
