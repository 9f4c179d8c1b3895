//! The tests of the worker, which has no port: all that it does is to read and to write.

use std::time::Duration;

use pkit_test::{Process, Result, Spec, bin, output, simple, with_processes};

const SECONDS: Duration = Duration::from_secs(10);

/// Ready when a line matches, on whichever stream.
fn worker() -> Spec {
    output(bin!("worker"), "ready for jobs$")
}

#[with_processes(worker = worker())]
#[test]
fn does_what_it_is_told(worker: Process) -> Result<()> {
    worker.write_stdin("sum 1 2 3\n")?;
    let done = worker.wait_for_output(r"^done: sum 1 2 3 = (-?\d+)$", SECONDS)?;
    assert_eq!(done.group(1), Some("6"));
    Ok(())
}

// A match is also a place in the output: the next search can begin behind it.
#[with_processes(worker = worker())]
#[test]
fn does_one_job_after_the_other(worker: Process) -> Result<()> {
    worker.write_stdin("sum 1 1\nsum 2 2\n")?;
    let first = worker.wait_for_output("^done: .*", SECONDS)?;
    let second = worker.wait_for_output_after(&first, "^done: .*", SECONDS)?;
    assert_eq!(first.line(), "done: sum 1 1 = 2");
    assert_eq!(second.line(), "done: sum 2 2 = 4");
    Ok(())
}

// An exit that nobody asked for fails a test, also one with code 0. Here the test is about the exit, and says so.
#[with_processes(worker = worker().expect_exit(0))]
#[test]
fn comes_to_an_end_with_its_input(worker: Process) -> Result<()> {
    worker.write_stdin("sum 1 2\n")?;
    worker.close_stdin()?;
    assert!(worker.wait()?.success());
    assert!(worker.stdout().ends_with("worker: 1 jobs done\n"), "{}", worker.stdout());
    assert_eq!(worker.stderr(), "");
    Ok(())
}

#[with_processes(worker = worker().expect_exit(3))]
#[test]
fn refuses_a_job_that_makes_no_sense(worker: Process) -> Result<()> {
    worker.write_stdin("sum 1 potato\n")?;
    assert_eq!(worker.wait()?.code(), Some(3));
    assert!(worker.stderr().starts_with("worker: `sum 1 potato` cannot be done: `potato`"), "{}", worker.stderr());
    Ok(())
}

// With its whole input given beforehand it is a program that runs to its end, and needs no probe.
#[test]
fn does_a_list_of_jobs() -> Result<()> {
    let worker = simple(bin!("worker").args("--name list")).stdin("sum 1 2\nsum 3 4\n").start()?;
    assert!(worker.wait()?.success());
    assert_eq!(
        worker.stdout(),
        "list: reading the configuration\nlist: ready for jobs\ndone: sum 1 2 = 3\ndone: sum 3 4 = 7\nlist: 2 jobs done\n",
    );
    Ok(())
}

// What a test waits for in vain is an error with all that there was to see.
#[with_processes(worker = worker().expect_exit(0))]
#[test]
fn says_nothing_that_it_was_not_asked(worker: Process) -> Result<()> {
    worker.close_stdin()?;
    let error = worker.wait_for_output("^done", SECONDS).unwrap_err();
    assert!(!error.is_timeout(), "the end of the worker is an answer: nobody waits for the ten seconds");
    assert!(error.to_string().starts_with("`worker` has ended and never wrote `^done`"), "{error}");
    Ok(())
}
