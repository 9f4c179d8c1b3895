//! A test that wants the ports of another one.

use std::env;
use std::time::Instant;

use pkit_test::tcp;

use super::chosen::{command, is_chosen};
use crate::contested::stacks;
use crate::race;

#[test]
fn takes_both() {
    if !is_chosen() {
        return;
    }
    let end = race::end();
    let port = |name: &str| env::var(name).unwrap().parse().unwrap();
    let order = [port("FIRST"), port("SECOND")];
    while Instant::now() < end {
        for stack in stacks(|port| tcp(command("slow", "0 {port}"), port), order) {
            drop(stack.start().unwrap());
        }
    }
}
