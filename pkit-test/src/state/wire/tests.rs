use super::*;

fn key() -> Key {
    Key { space: "a/b".into(), name: "schlüssel".into() }
}

fn value() -> Value {
    Value { type_name: "alloc::string::String".into(), bytes: b"\xa3one".as_slice().into() }
}

fn who() -> Who {
    Who { name: "somebody".into(), pid: 7 }
}

fn held() -> Held {
    Held { value: value(), version: 3, by: who() }
}

/// One of each kind, with each kind of what is in it.
fn requests() -> Vec<Request> {
    let (name, space, step): (Arc<str>, Arc<str>, Arc<str>) = ("n".into(), "s".into(), "step".into());
    let timeout = Duration::from_millis(1500);
    let queue = |act| Request::Queue { name: name.clone(), act };
    let phase = |act| Request::Phase { name: name.clone(), act };
    let commit = Commit {
        reads: vec![(key(), 4), (key(), 0)],
        lists: vec![(space.clone(), 9)],
        writes: vec![(key(), Some(value())), (key(), None)],
    };
    let mut all = vec![
        Request::Hello { protocol: 1, nonce: u64::MAX, name: "me".to_owned() },
        Request::Get { key: key(), since: Some(8) },
        Request::Keys { space: space.clone(), since: None },
        Request::Snapshot { space: space.clone(), since: None },
        Request::Len { space: space.clone() },
        Request::Replace { key: key(), value: value(), only: Only::Always },
        Request::Remove { key: key() },
        Request::Clear { space: space.clone() },
        Request::Increment { key: key(), by: i64::MIN },
        Request::Commit(commit),
        Request::Turn { timeout },
        Request::EndTurn,
        Request::Watch { space, keys: vec!["a".into(), "".into()], is_live: true, with_first: false },
        Request::Next { timeout: Some(timeout) },
        Request::Next { timeout: None },
        queue(QueueAct::Push { value: value() }),
        queue(QueueAct::Pop { timeout: None }),
        queue(QueueAct::Lease { timeout: Some(timeout) }),
        queue(QueueAct::Settle { lease: 5, is_done: true }),
        queue(QueueAct::Len),
        queue(QueueAct::Close),
        phase(PhaseAct::Pass { step: step.clone(), timeout }),
        phase(PhaseAct::WaitFor { step: step.clone(), count: 2, timeout }),
        phase(PhaseAct::LetOn { step: step.clone(), count: Some(1) }),
        phase(PhaseAct::Open { step: step.clone() }),
        phase(PhaseAct::Standing { step }),
        Request::History,
    ];
    let until = [Until::Present, Until::Absent, Until::Equal(value().bytes), Until::After(6)];
    all.extend(until.map(|until| Request::Wait { key: key(), until, timeout }));
    let only = [Only::Always, Only::IfAbsent, Only::IfPresent, Only::IfVersion(3)];
    all.extend(only.map(|only| Request::Set { key: key(), value: value(), only }));
    let barrier =
        [BarrierAct::Open { parties: 2 }, BarrierAct::Arrive { timeout }, BarrierAct::Leave, BarrierAct::Waiting];
    all.extend(barrier.map(|act| Request::Barrier { name: name.clone(), act }));
    let latch =
        [LatchAct::Open { count: 2 }, LatchAct::CountDown { by: 1 }, LatchAct::Wait { timeout }, LatchAct::Count];
    all.extend(latch.map(|act| Request::Latch { name: name.clone(), act }));
    let semaphore = [
        SemaphoreAct::Open { permits: 1 },
        SemaphoreAct::Acquire { timeout: None },
        SemaphoreAct::Release { permit: 4 },
        SemaphoreAct::Free,
    ];
    all.extend(semaphore.map(|act| Request::Semaphore { name: name.clone(), act }));
    all
}

fn replies() -> Vec<Reply> {
    let change = Change { key: key(), value: Some(value()), version: 9, by: who(), is_first: true };
    let refusals = [
        Refusal::Malformed("why".to_owned()),
        Refusal::OtherProtocol(2),
        Refusal::NotANumber { held: held() },
        Refusal::OutOfRange { held: -1, by: i64::MIN },
        Refusal::TooLarge { bytes: 9, limit: 8 },
        Refusal::Differs { made: 1, asked: 2, by: who() },
        Refusal::Broken { by: who(), why: "died".to_owned() },
        Refusal::Closed { by: who() },
        Refusal::Overflow { missed: 3 },
    ];
    let mut all = vec![
        Reply::Welcome { server: 1 },
        Reply::Value { held: Some(held()), now: 4 },
        Reply::Value { held: None, now: 0 },
        Reply::Names { names: vec!["a".to_owned(), String::new()], now: 4 },
        Reply::Entries { entries: vec![("a".to_owned(), held())], now: 4 },
        Reply::Number(-3),
        Reply::Done { version: 4 },
        Reply::NotDone { held: Some(held()) },
        Reply::Moved,
        Reply::Changes(vec![change.clone(), Change { value: None, ..change }]),
        Reply::Granted { permit: 4, after: Some(who()) },
        Reply::Item { value: value(), lease: Some(4), after: None },
        Reply::Standing(vec![who()]),
        Reply::Late { facts: vec![("count".to_owned(), "1 of 2".to_owned())] },
    ];
    all.extend(refusals.map(Reply::Refused));
    all
}

fn framed<T: Wire>(what: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(&mut bytes, what).unwrap();
    bytes
}

/// It is read as what was written, and nothing else is: neither a part of it nor more.
#[track_caller]
fn check<T: Wire + PartialEq + std::fmt::Debug>(what: &T) {
    let bytes = framed(what);
    assert_eq!(frame_length(&bytes), Ok(Some(bytes.len())));
    let body = &bytes[HEAD_BYTES..];
    assert_eq!(read::<T>(body).as_ref(), Some(what));
    for count in 0..body.len() {
        assert_eq!(read::<T>(&body[..count]), None, "{count} bytes of {what:?}");
    }
    assert_eq!(read::<T>(&[body, &[0]].concat()), None, "more than {what:?}");
}

#[test]
fn all_words_are_read_as_they_were_written() {
    requests().iter().for_each(check);
    replies().iter().for_each(check);
}

/// Whatever is done to a frame, reading it comes to an end without taking more room than it has bytes.
#[test]
fn a_frame_that_was_changed_is_read_or_refused() {
    for bytes in requests().iter().map(framed).chain(replies().iter().map(framed)) {
        for at in HEAD_BYTES..bytes.len() {
            for changed in [0, 1, 0x7f, 0xff, bytes[at] ^ 0x10] {
                let mut body = bytes[HEAD_BYTES..].to_vec();
                body[at - HEAD_BYTES] = changed;
                if let Some(request) = read::<Request>(&body) {
                    assert_eq!(framed(&request)[HEAD_BYTES..], body);
                }
                if let Some(reply) = read::<Reply>(&body) {
                    assert_eq!(framed(&reply)[HEAD_BYTES..], body);
                }
            }
        }
    }
}

#[test]
fn no_length_is_taken_for_json() {
    let longest = (FRAME_BYTES as u32).to_be_bytes()[0];
    assert!(b" \t\r\n{".iter().all(|first| *first > longest));
    assert_eq!(frame_length(&[0xff; 8]), Err(u32::MAX.into()));
    assert_eq!(frame_length(&[0; 3]), Ok(None));
}

#[test]
fn what_is_too_long_leaves_nothing() {
    let bytes = vec![0; FRAME_BYTES].into();
    let key = key();
    let value = Value { type_name: "".into(), bytes };
    let mut to = b"before".to_vec();
    assert!(append(&mut to, &Request::Set { key, value, only: Only::Always }).is_err());
    assert_eq!(to, b"before");
}

#[test]
fn a_greeting_tells_its_version_whatever_it_is() {
    assert_eq!(version(&framed(&requests()[0])[HEAD_BYTES..]), Some(1));
    assert_eq!(version(&[0, 0, 0, 0, 9, 1, 2, 3]), Some(9));
    assert_eq!(version(&[1, 0, 0, 0, 9]), None);
    assert_eq!(version(&[]), None);
}
