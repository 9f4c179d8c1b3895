//! Functions in processes of their own: in the tests of a project, and in a program that is none.

use std::process::Command;

use pkit_test::{Worker, function, with_processes};

fn shout(text: String) -> String {
    text.to_uppercase()
}

#[with_processes(worker = function(shout, "hello".to_owned()))]
#[test]
fn a_function_is_a_process_of_a_test(worker: Worker<String>) {
    assert_eq!(worker.join().unwrap(), "HELLO");
    assert_eq!(worker.call("again".to_owned()).unwrap(), "AGAIN");
}

#[test]
fn a_program_has_such_processes_as_well() {
    // Cargo has built it, unless it was told to build this test alone.
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--offline", "--example", "functions"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "49\n64\nit is too large\n81\n");
}
