//! A test that starts two things wherever it is put.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use pkit_test::{orchestrate, output, tcp};

use super::chosen::{command, is_chosen};

#[test]
fn starts_two() {
    if !is_chosen() {
        return;
    }
    let binary = || env::current_exe().unwrap();
    if env::var_os("DELETES").is_some() {
        fs::remove_file(binary()).unwrap();
    }
    if env::var_os("FORBIDS").is_some() {
        fs::set_permissions(binary(), Permissions::from_mode(0o600)).unwrap();
    }
    let sleeper = output(command("sleeper", ""), "sleeper").env("PLACE", "{dir}");
    let stack = orchestrate([("sleeper", sleeper), ("slow", tcp(command("slow", "0 {port}"), 0))]).start().unwrap();
    assert!(stack["sleeper"].dir().is_dir());
    assert!(stack["slow"].is_alive() && stack["sleeper"].stop().is_ok());
}
