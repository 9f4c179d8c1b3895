//! Everything that is refused, and that nothing comes of it.

use super::super::super::protocol::*;
use super::super::Store;
use super::{
    A, A2, B, Bed, arrive, barrier, get, int, key, latch, lease, next, phase, push, queue, raw, semaphore, set,
};
use super::{acquire, commit, pass};
use crate::limits::{STATE_NAME_BYTES, TYPE_NAME_BYTES, VALUE_BYTES};

fn check(asked: impl IntoIterator<Item = Request>, refused: &str) {
    let mut bed = Bed::new();
    let mut said = String::new();
    for request in asked {
        said = bed.ask(A, request);
    }
    assert_eq!(said, refused);
    assert_eq!(bed.store.parked.count(), 0);
}

#[test]
fn what_is_not_to_be_asked_here() {
    check([Request::Hello { protocol: 1, nonce: 1, name: "x".to_owned() }], "no: who is there was said before");
    check([next()], "no: nothing is watched on this link");
    let mut bed = Bed::new();
    assert_eq!(bed.ask(77, get("n")), "no: nobody has opened this link");
    // The link of somebody who is not there.
    bed.store.open(78, 79);
    assert_eq!(bed.ask(78, get("n")), "no: nobody has opened this link");
    bed.close(78);
    bed.leave(79);
}

#[test]
fn one_request_at_a_time() {
    let mut bed = Bed::new();
    bed.ask(B, pass("s"));
    assert_eq!(bed.ask(B, set("n", 1)), "no: the request before has not been answered yet");
    assert_eq!(bed.ask(A, get("n")), "none");
    assert_eq!(bed.store.parked.count(), 1);
}

#[test]
fn what_nobody_has_made() {
    check([arrive()], "no: nobody has made the barrier `bar`");
    check([barrier(BarrierAct::Waiting)], "no: nobody has made the barrier `bar`");
    check([latch(LatchAct::Count)], "no: nobody has made the latch `lat`");
    check([acquire()], "no: nobody has made the semaphore `sem`");
    let named = Request::Latch { name: "space\0lat".into(), act: LatchAct::Count };
    check([named], "no: nobody has made the latch `space/lat`");
}

#[test]
fn what_was_made_for_another_number() {
    let open = |parties| barrier(BarrierAct::Open { parties });
    check([open(2), open(3)], "made for 2 by a, not for 3");
    check([open(0)], "no: the barrier `bar` is for nobody");
    let open = |count| latch(LatchAct::Open { count });
    check([open(2), latch(LatchAct::CountDown { by: 1 }), open(1)], "made for 2 by a, not for 1");
    let open = |permits| semaphore(SemaphoreAct::Open { permits });
    check([open(2), open(1)], "made for 2 by a, not for 1");
    check([open(0)], "no: the semaphore `sem` has no permits");
}

#[test]
fn names_that_are_too_long() {
    let long: std::sync::Arc<str> = "x".repeat(STATE_NAME_BYTES + 1).into();
    let refused = format!("no: a name has {} bytes, and may have {STATE_NAME_BYTES}", STATE_NAME_BYTES + 1);
    let longer = Key { space: "".into(), name: long.clone() };
    let in_long = Key { space: long.clone(), name: "n".into() };
    let write = |key: Key| Request::Commit(Commit { writes: vec![(key, None)], ..Commit::default() });
    let read = |key: Key| Request::Commit(Commit { reads: vec![(key, 0)], ..Commit::default() });
    for request in [
        Request::Get { key: longer.clone(), since: None },
        Request::Get { key: in_long.clone(), since: None },
        Request::Set { key: longer.clone(), value: int(1), only: Only::Always },
        Request::Replace { key: in_long, value: int(1), only: Only::Always },
        Request::Remove { key: longer.clone() },
        Request::Increment { key: longer.clone(), by: 1 },
        Request::Wait { key: longer.clone(), until: Until::Absent, timeout: super::SECOND },
        Request::Keys { space: long.clone(), since: None },
        Request::Snapshot { space: long.clone(), since: None },
        Request::Len { space: long.clone() },
        Request::Clear { space: long.clone() },
        Request::Watch { space: "".into(), keys: vec![long.clone()], is_live: false, with_first: false },
        Request::Watch { space: long.clone(), keys: Vec::new(), is_live: false, with_first: false },
        Request::Commit(Commit { lists: vec![(long.clone(), 0)], ..Commit::default() }),
        read(longer.clone()),
        write(longer),
        phase(PhaseAct::Standing { step: long.clone() }),
        phase(PhaseAct::Open { step: long }),
    ] {
        check([request], &refused);
    }
    let longest = STATE_NAME_BYTES * 2 + 1;
    let name: std::sync::Arc<str> = "x".repeat(longest + 1).into();
    let refused = format!("no: a name has {} bytes, and may have {longest}", longest + 1);
    check([Request::Barrier { name: name.clone(), act: BarrierAct::Leave }], &refused);
    check([Request::Latch { name: name.clone(), act: LatchAct::Count }], &refused);
    check([Request::Semaphore { name: name.clone(), act: SemaphoreAct::Free }], &refused);
    check([Request::Queue { name: name.clone(), act: QueueAct::Len }], &refused);
    check([Request::Phase { name, act: PhaseAct::Standing { step: "s".into() } }], &refused);
}

#[test]
fn types_whose_names_are_too_long() {
    let value = raw(&"x".repeat(TYPE_NAME_BYTES + 1), &[1]);
    let many = TYPE_NAME_BYTES + 1;
    let refused = format!("no: the name of a type has {many} bytes, and may have {TYPE_NAME_BYTES}");
    check([Request::Set { key: key("n"), value: value.clone(), only: Only::Always }], &refused);
    check([queue(QueueAct::Push { value: value.clone() })], &refused);
    check([Request::Commit(Commit { writes: vec![(key("n"), Some(value))], ..Commit::default() })], &refused);
}

#[test]
fn values_that_are_too_large() {
    let value = raw("bytes", &vec![0; VALUE_BYTES as usize + 1]);
    let refused = format!("too large: {} of {VALUE_BYTES}", VALUE_BYTES + 1);
    check([queue(QueueAct::Push { value: value.clone() })], &refused);
    let writes = vec![(key("m"), Some(int(1))), (key("n"), Some(value))];
    let mut bed = Bed::new();
    assert_eq!(bed.ask(A, Request::Commit(Commit { writes, ..Commit::default() })), refused);
    assert_eq!(bed.ask(A, get("m")), "none", "nothing of it was done");
    assert_eq!(bed.store.version, 0);
}

#[test]
fn what_is_somebody_elses() {
    let mut bed = Bed::new();
    bed.ask(A, semaphore(SemaphoreAct::Open { permits: 1 }));
    bed.ask(A, acquire());
    let release = || semaphore(SemaphoreAct::Release { permit: 1 });
    assert_eq!(bed.ask(B, release()), "no: permit 1 of `sem` is somebody else's");
    assert_eq!(bed.ask(A2, release()), "done", "another link of its process");
    assert_eq!(bed.ask(B, release()), "done", "it is nobody's");
    bed.ask(A, push(1));
    bed.ask(A, lease());
    let settle = || queue(QueueAct::Settle { lease: 1, is_done: true });
    assert_eq!(bed.ask(B, settle()), "no: lease 1 of `que` is somebody else's");
    assert_eq!(bed.ask(A2, settle()), "done");
    assert_eq!(bed.ask(B, settle()), "done");
}

#[test]
fn a_push_to_what_is_closed() {
    let mut bed = Bed::new().given(B, queue(QueueAct::Close)).given(A, queue(QueueAct::Close));
    assert_eq!(bed.ask(A, push(1)), "closed by b", "who was first has closed it");
}

/// Whatever is refused in a turn leaves the turn, unless it was the commit.
#[test]
fn a_refused_commit_is_the_end_of_a_turn() {
    let mut bed = Bed::new().given(A, super::turn());
    let too_large =
        Commit { writes: vec![(key("n"), Some(raw("b", &vec![0; VALUE_BYTES as usize + 1])))], ..Commit::default() };
    bed.ask(A, super::increment("n", i64::MAX));
    assert_eq!(bed.ask(A, super::increment("n", 1)), format!("out of range: {} + 1", i64::MAX));
    assert_eq!(bed.ask(B, commit(&[], &[("n", Some(1))])), "(waits)");
    let said = bed.ask(A, Request::Commit(too_large));
    assert!(said.starts_with("too large") && said.ends_with("; B: done"), "{said}");
}

/// A clock that begins later than what it is asked for, and a time beyond all clocks.
#[test]
fn times_that_cannot_be() {
    let mut bed = Bed::new();
    assert_eq!(bed.ask(B, phase(PhaseAct::Pass { step: "s".into(), timeout: std::time::Duration::MAX })), "(waits)");
    assert_eq!(bed.store.deadline(), None);
    let later = Store::new(bed.now + super::SECOND);
    bed.store = later;
    bed.store.enter(1, super::who("a", 1));
    bed.store.open(A, 1);
    assert_eq!(bed.ask(A, set("n", 1)), "done");
    assert_eq!(bed.store.history(), ["+0.0 ms  a (pid 1)  set n = 1"]);
}
