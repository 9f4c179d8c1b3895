//! Handles from fixtures of rstest.

use pkit_test::fixtures::{Dir, dir};
use pkit_test::{Orchestra, Process, Stack, orchestra, with_processes};
use rstest::{fixture, rstest};

use crate::children::{said, says, sleeper};

#[fixture]
fn worker() -> Process {
    sleeper().start().unwrap()
}

#[fixture]
fn stack() -> Stack {
    both().start().unwrap()
}

fn both() -> Orchestra {
    orchestra().with("one", sleeper()).with("two", says("{one.pid}"))
}

#[fixture]
#[once]
fn common() -> Process {
    sleeper().start().unwrap()
}

pkit_test::fixture!(ready_made: Process = sleeper());
pkit_test::fixture!(ready_made_stack: Stack = both());
pkit_test::fixture!(
    /// One for all.
    #[once]
    ready_made_once: Process = sleeper()
);

#[rstest]
fn a_fixture_is_a_handle(worker: Process) {
    assert!(worker.is_alive());
}

#[rstest]
fn each_use_of_a_fixture_is_a_process(worker: Process, #[from(worker)] other: Process) {
    assert_ne!(worker.pid(), other.pid());
}

#[rstest]
fn a_fixture_is_a_stack(stack: Stack) {
    assert_eq!(Some(said(&stack["two"])), stack["one"].pid().map(|pid| pid.to_string()));
}

/// A process may use a handle that is a fixture.
#[with_processes(a = says(worker.pid().unwrap()))]
#[rstest]
fn with_a_fixture_that_is_a_handle(worker: Process, a: Process) {
    assert_eq!(Some(said(&a)), worker.pid().map(|pid| pid.to_string()));
}

/// One process for all tests of the binary, which ends with it: `#[once]` never drops it, the guardian does.
#[with_processes(a = says(common.pid().unwrap()))]
#[rstest]
#[case(1)]
#[case(2)]
fn with_a_fixture_that_is_made_once(common: &Process, #[case] number: u8, a: Process) {
    assert!(number > 0 && common.is_alive());
    assert_eq!(Some(said(&a)), common.pid().map(|pid| pid.to_string()));
}

#[rstest]
fn a_fixture_that_is_made_once_is_one_process(common: &Process, #[from(common)] same: &Process) {
    assert_eq!(common.pid(), same.pid());
}

#[rstest]
fn a_ready_made_fixture_has_its_name(
    ready_made: Process,
    ready_made_stack: Stack,
    ready_made_once: &Process,
    #[from(ready_made_once)] same: &Process,
) {
    assert_eq!((ready_made.name(), ready_made.is_alive()), ("ready_made", true));
    assert!(ready_made_stack["one"].is_alive());
    assert_eq!(ready_made_once.pid(), same.pid());
}

#[rstest]
fn a_directory_is_private_and_goes_with_the_test(dir: Dir, #[from(dir)] other: Dir) {
    assert_ne!(dir.as_ref() as &std::path::Path, &*other);
    std::fs::write(dir.join("file"), "text").unwrap();
    let path = dir.to_path_buf();
    drop(dir);
    assert!(!path.exists() && other.exists());
}

/// A process may use what another fixture has made.
#[with_processes(a = says(dir.display()).cwd(dir.display().to_string()))]
#[rstest]
fn with_a_ready_made_directory(dir: Dir, a: Process) {
    assert_eq!(said(&a), dir.display().to_string());
}
