//! Fixed ports that several tests want at the same time: they share them out, and never wait for each other.

use std::thread;
use std::time::{Duration, Instant};

use pkit_test::{Executor, Ground, Need, Orchestra, Process, Result, Spec, Stack, orchestra, simple, tcp};

use crate::child::{Child, child};
use crate::nested::victim;
use crate::race;

/// Two who wait for each other do so until then.
const PATIENCE: Duration = Duration::from_secs(20);

/// An executor that is more than a spec, as far as anybody can see.
struct Wrapped(Spec);

impl Executor for Wrapped {
    type Handle = Process;

    fn needs(&self) -> Vec<Need> {
        self.0.needs()
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.0.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<Process> {
        self.0.start_on(ground)
    }

    fn process(handle: &Process) -> Option<&Process> {
        Some(handle)
    }
}

/// Stacks of each kind that have these ports, taken in this order.
pub(crate) fn stacks(spec: impl Fn(u16) -> Spec, [first, second]: [u16; 2]) -> Vec<Orchestra> {
    let spec = |port| spec(port).start_timeout(PATIENCE);
    let inner = |port| orchestra().with("in_it", spec(port));
    vec![
        orchestra().with("one", spec(first)).with("two", spec(second)),
        orchestra().with("one", spec(first)).with("two", Wrapped(spec(second))),
        orchestra().with("one", inner(first)).with("two", spec(second)),
        orchestra().with("one", Wrapped(spec(first))).with("two", inner(second)),
    ]
}

fn server(slow: &Child, port: u16) -> Spec {
    tcp(slow.with("0 {port}"), port)
}

/// Two ports that were free a moment ago.
fn two_ports(slow: &Child) -> [u16; 2] {
    let held = [server(slow, 0).start().unwrap(), server(slow, 0).start().unwrap()];
    [held[0].port(), held[1].port()]
}

#[test]
fn two_stacks_that_want_the_same_ports_in_another_order_both_get_them() {
    let (slow, end) = (child("slow"), race::end());
    let [one, other] = two_ports(&slow);
    thread::scope(|scope| {
        for order in [[one, other], [other, one]] {
            let slow = &slow;
            scope.spawn(move || {
                while Instant::now() < end {
                    for stack in stacks(|port| server(slow, port), order) {
                        drop(stack.start().unwrap());
                    }
                }
            });
        }
    });
    assert_eq!(slow.count(), 0);
}

#[test]
fn so_do_two_processes() {
    let slow = child("slow");
    let [one, other] = two_ports(&slow);
    thread::scope(|scope| {
        for [first, second] in [[one, other], [other, one]] {
            scope.spawn(move || {
                let victim = victim("contested::takes_both").with("slow");
                victim.env("FIRST", &first.to_string()).env("SECOND", &second.to_string()).passes();
            });
        }
    });
}

#[test]
fn the_ports_of_a_stack_in_a_stack_are_free_after_its_end() {
    let slow = child("slow");
    let [port, _] = two_ports(&slow);
    for _ in 0..2 {
        let inner = orchestra().with("in_it", server(&slow, port));
        let stack = orchestra().with("inner", inner).start().unwrap();
        let directory = stack.get::<Stack>("inner")["in_it"].dir().to_owned();
        drop(stack);
        assert!(!directory.exists());
        drop(server(&slow, port).start().unwrap());
        let broken = orchestra().with("inner", orchestra().with("in_it", server(&slow, port)));
        let broken = broken.with("broken", simple("no-such-program")).start();
        assert!(broken.unwrap_err().is_not_found());
    }
}
