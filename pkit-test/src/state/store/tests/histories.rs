//! What people are shown of it.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;

use super::super::super::protocol::*;
use super::{A, B, Bed, C, SECOND, acquire, arrive, barrier, commit, increment, int, key, lease, let_on, pass, phase};
use super::{push, raw, remove, semaphore, set, turn};
use crate::limits::{HISTORY_CHANGES, TURN_LIMIT};

#[test]
fn says_who_did_what_and_when() {
    let mut bed = Bed::new();
    let other = Key { space: "other".into(), name: "n".into() };
    bed.store.enter(4, Who { name: "python".into(), pid: 0 });
    bed.store.open(40, 4);
    for (link, request) in [
        (A, set("n", 5)),
        (B, increment("n", -7)),
        (C, commit(&[], &[("n", Some(1)), ("m", None), ("x", Some(2))])),
        (A, remove("x")),
        (A, Request::Set { key: other, value: raw("b", &[0; 5000]), only: Only::Always }),
        (40, semaphore(SemaphoreAct::Open { permits: 1 })),
        (40, acquire()),
        (A, push(1)),
        (B, lease()),
        (B, barrier(BarrierAct::Open { parties: 2 })),
        (A, barrier(BarrierAct::Open { parties: 2 })),
        (A, arrive()),
    ] {
        bed.pass(Duration::from_micros(12_345));
        bed.ask(link, request);
    }
    bed.leave(2);
    bed.leave(4);
    bed.ask(A, pass("read"));
    bed.ask(C, let_on("read", None));
    bed.ask(A, pass("read"));
    bed.ask(C, phase(PhaseAct::Open { step: "read".into() }));
    bed.ask(A, pass("write"));
    bed.leave(1);
    bed.ask(C, turn());
    bed.pass(TURN_LIMIT);
    expect![[r#"
          +12.3 ms  a (pid 1)  set n = 5
          +24.6 ms  b (pid 2)  increment n by -7, to -2
          +37.0 ms  c (pid 3)  set n = 1  (one of 2 at once)
          +37.0 ms  c (pid 3)  set x = 2  (one of 2 at once)
          +49.3 ms  a (pid 1)  remove x
          +61.7 ms  a (pid 1)  set other/n = (5000 bytes)
          +86.4 ms  python     acquire sem
         +148.1 ms  b (pid 2)  broke bar: died
         +148.1 ms  b (pid 2)  died with an item of que
         +148.1 ms  python     died with a permit of sem
         +148.1 ms  a (pid 1)  came to read of pha
         +148.1 ms  c (pid 3)  let 1 on at read of pha
         +148.1 ms  a (pid 1)  came to read of pha
         +148.1 ms  c (pid 3)  opened read of pha
         +148.1 ms  a (pid 1)  came to write of pha
         +148.1 ms  a (pid 1)  was lost at write of pha
        +1148.1 ms  c (pid 3)  took too long for a turn, and lost it"#]]
    .assert_eq(&bed.store.history().join("\n"));
    assert_eq!(bed.ask(C, Request::History), format!("[{}]", bed.store.history().join(", ")));
}

#[test]
fn is_about_the_last_changes_alone() {
    let mut bed = Bed::new();
    for number in 0..HISTORY_CHANGES as i64 + 10 {
        bed.ask(A, set("n", number));
    }
    let history = bed.store.history();
    assert_eq!(history.len(), HISTORY_CHANGES);
    assert_eq!(history[0], "+0.0 ms  a (pid 1)  set n = 10");
}

#[test]
fn keeps_no_large_value_alive() {
    let large: Arc<[u8]> = vec![0; 1 << 20].into();
    let value = Value { type_name: "bytes".into(), bytes: large.clone() };
    let mut bed = Bed::new();
    bed.ask(A, Request::Set { key: key("n"), value, only: Only::Always });
    bed.ask(A, Request::Set { key: key("n"), value: int(1), only: Only::Always });
    assert_eq!(Arc::strong_count(&large), 1);
    assert_eq!(bed.store.history()[0], "+0.0 ms  a (pid 1)  set n = (1 MiB)");
    bed.pass(SECOND);
}
