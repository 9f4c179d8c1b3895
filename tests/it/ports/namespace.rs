//! Networks whose ports are set in another way than ours.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use pkit_test::tcp;
use pkit_test_tests::left_out;
use pkit_test_tests::namespace::in_own_network;

use crate::child::child;
use crate::nested::{Ended, Victim, victim};

/// Runs a victim in a network of its own, or says that this cannot be done here.
fn run(victim: &Victim, settings: &[(&str, &str)], as_nobody: bool) -> Option<Ended> {
    let run = || if as_nobody { victim.run_as_nobody() } else { victim.run_uncaptured() };
    match in_own_network(settings, run) {
        Ok(ended) => {
            assert!(ended.status.success(), "{settings:?}\n{}{}", ended.stdout, ended.stderr);
            victim.is_gone(&ended);
            Some(ended)
        }
        Err(error) => {
            left_out::because(format_args!("no network of its own: {error}"));
            None
        }
    }
}

/// The ports that servers got there, all of which worked.
fn ports(settings: &[(&str, &str)]) -> Option<BTreeSet<u16>> {
    let victim = victim("ports::starts_servers").with("slow");
    let ended = run(&victim, settings, false)?;
    let lines = ended.stdout.lines().filter_map(|line| line.split_once("port "));
    let ports: BTreeSet<u16> = lines.filter_map(|(_, port)| port.parse().ok()).collect();
    assert!(ports.len() > 3, "{}", ended.stdout);
    Some(ports)
}

fn check(settings: &[(&str, &str)], allowed: &[RangeInclusive<u16>]) {
    let Some(ports) = ports(settings) else { return };
    let is_allowed = |port: &u16| allowed.iter().any(|range| range.contains(port));
    assert!(ports.iter().all(is_allowed), "{settings:?}: {ports:?}");
}

#[test]
fn the_kernel_may_have_all_ports() {
    check(&[("ip_local_port_range", "1024 65535")], &[1_024..=65_535]);
}

#[test]
fn there_may_be_room_above_only() {
    check(&[("ip_local_port_range", "1024 60999")], &[61_000..=65_535]);
}

#[test]
fn the_kernel_may_have_one_port() {
    check(&[("ip_local_port_range", "40000 40000")], &[10_240..=39_999]);
}

#[test]
fn ports_that_are_set_aside_are_left_alone() {
    let reserved = [("ip_local_reserved_ports", "10240-20000,20002-32767")];
    // One port is not enough for all of them: then there is no other way.
    check(&reserved, &[10_240..=32_767]);
    check(&[("ip_local_reserved_ports", "10240-20000,25000")], &[20_001..=24_999, 25_001..=32_767]);
}

#[test]
fn the_first_port_that_needs_no_rights_may_be_any() {
    check(&[("ip_unprivileged_port_start", "20000")], &[20_000..=32_767]);
    check(&[("ip_unprivileged_port_start", "0")], &[10_240..=32_767]);
    // It cannot be one that the kernel may give away: the room below that begins where no rights are needed.
    check(&[("ip_unprivileged_port_start", "32000")], &[61_000..=65_535]);
}

#[test]
fn one_that_meets_itself_is_nobody() {
    let victim = victim("ports::meets_nobody").with("sleeper").env("ONLY", "40000");
    run(&victim, &[("ip_local_port_range", "40000 40000")], false);
}

#[test]
fn networks_may_have_the_same_port() {
    let slow = child("slow");
    let ours = tcp(slow.with("0 {port}"), 0).start().unwrap();
    let number = ours.port().to_string();
    let victim = victim("ports::takes").with("slow").env("HELD", &number);
    let Some(ended) = run(&victim, &[], false) else { return };
    assert!(
        ended.stdout.contains(&format!("port {number} is held by another test of this process")),
        "{}",
        ended.stdout
    );
    assert!(ours.is_alive());
}

#[test]
fn a_user_without_rights_gets_ports_there_too() {
    let victim = victim("ports::starts_servers").with("slow");
    run(&victim, &[("ip_local_port_range", "1024 65535")], true);
}
