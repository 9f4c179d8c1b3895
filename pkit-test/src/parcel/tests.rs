use std::path::PathBuf;

use super::*;

fn surroundings() -> Surroundings {
    let db = PeerAddress {
        name: "db".to_owned(),
        host: "::1".parse().unwrap(),
        ports: vec![(String::new(), 5432), ("peer".to_owned(), 1)],
        dir: PathBuf::from("/tmp/a b"),
    };
    let own = PeerAddress::named("wörk");
    Surroundings { pointer: Some(u64::MAX - 4), waits_for_ready: true, own, peers: vec![db, PeerAddress::named("")] }
}

fn note(message: &str) -> PanicNote {
    let place = Place { file: "src/lib.rs".to_owned(), line: 7, column: 9 };
    PanicNote {
        message: message.to_owned(),
        place: Some(place),
        thread: "main".to_owned(),
        backtrace: Some("0: here".to_owned()),
        is_fatal: true,
    }
}

/// Both sides. The one of the process has closed its descriptor.
fn parcel(arguments: &[u8]) -> (Parcel, Unpacked) {
    let parcel = Parcel::pack(arguments, &surroundings()).unwrap();
    let unpacked = Unpacked::open(&parcel.descriptor().unwrap()).unwrap();
    (parcel, unpacked)
}

#[test]
fn what_is_packed_is_found() {
    for length in [0, 1, PAGE_BYTES as usize, 3_000_000] {
        let arguments: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let (parcel, unpacked) = parcel(&arguments);
        assert!(unpacked.arguments() == arguments);
        assert_eq!(*unpacked.surroundings(), surroundings());
        assert_eq!((parcel.stage(), parcel.outcome(), parcel.panic()), (Stage::Packed, Outcome::Nothing, None));
    }
}

#[test]
fn stages_go_forward_only() {
    let (parcel, unpacked) = parcel(b"");
    for (set, seen) in
        [(Stage::Begun, Stage::Begun), (Stage::SaidReady, Stage::SaidReady), (Stage::Begun, Stage::SaidReady)]
    {
        unpacked.set_stage(set);
        assert_eq!(parcel.stage(), seen);
    }
}

#[test]
fn every_ending_arrives_also_after_the_end_of_the_process() {
    for (ending, outcome) in [
        (Ending::Returned(5), Outcome::Returned(b"bytes".to_vec())),
        (Ending::NotSerialized("no"), Outcome::NotSerialized("no".to_owned())),
        (Ending::TooLarge { limit: 9 }, Outcome::TooLarge { limit: 9 }),
        (Ending::NotUnderstood(""), Outcome::NotUnderstood(String::new())),
        (Ending::Panicked, Outcome::Panicked),
    ] {
        let (parcel, unpacked) = parcel(b"x");
        let mut writer = unpacked.result_writer();
        writer.write_all(b"byt").unwrap();
        writer.write_all(b"es").unwrap();
        assert_eq!((writer.written(), parcel.outcome()), (5, Outcome::Nothing));
        unpacked.finish(ending);
        drop(unpacked);
        assert_eq!(parcel.outcome(), outcome);
    }
}

#[test]
fn a_result_that_is_too_large_is_no_result() {
    let (_parcel, unpacked) = parcel(b"");
    let mut writer = ResultWriter { limit: 10, ..unpacked.result_writer() };
    writer.write_all(b"12345678").unwrap();
    assert!(!writer.is_full());
    writer.write_all(b"90a").unwrap_err();
    assert!(writer.is_full());
    assert_eq!((writer.written(), unpacked.result_writer().limit()), (8, RESULT_BYTES));
}

#[test]
fn the_last_panic_stands_and_the_one_before_it_until_then() {
    let (parcel, unpacked) = parcel(b"");
    for message in ["one", "two", "three", "four"] {
        unpacked.note_panic(&note(message));
        assert_eq!(parcel.panic(), Some(note(message)));
    }
    let nowhere = PanicNote { place: None, backtrace: None, is_fatal: false, ..note("") };
    unpacked.note_panic(&nowhere);
    assert_eq!(parcel.panic(), Some(nowhere));
}

#[test]
fn texts_without_end_are_cut_between_characters() {
    let (parcel, unpacked) = parcel(b"");
    let endless = "ä".repeat(1_000_000);
    let place = Some(Place { file: endless.clone(), line: u32::MAX, column: 0 });
    let long = PanicNote { place, thread: endless.clone(), backtrace: Some(endless.clone()), ..note(&endless) };
    unpacked.note_panic(&long);
    let read = parcel.panic().unwrap();
    assert!(read.message.chars().all(|c| c == 'ä') && read.message.len() > 10_000);
    assert_eq!(read.place.unwrap().line, u32::MAX);
    unpacked.finish(Ending::NotSerialized(&endless));
    let Outcome::NotSerialized(text) = parcel.outcome() else { panic!("{:?}", parcel.outcome()) };
    assert!(text.chars().all(|c| c == 'ä') && text.len() > 10_000);
}

#[test]
fn nonsense_on_the_slate_is_nothing() {
    let (parcel, unpacked) = parcel(b"");
    for kind in 0..9 {
        unpacked.mapped.store(OUTCOME, kind);
        unpacked.mapped.store(OUTCOME_NUMBER, u64::MAX);
        unpacked.mapped.store(WHICH_NOTE, kind);
        NOTE_LENGTHS.iter().for_each(|at| unpacked.mapped.store(*at, u64::MAX));
        unpacked.mapped.store(STAGE, u64::MAX);
        assert!(!matches!(parcel.outcome(), Outcome::Returned(_)));
        assert_eq!((parcel.panic(), parcel.stage()), (None, Stage::SaidReady));
    }
}

#[test]
fn what_is_no_parcel_is_refused() {
    let slate = Slate::new(0, 3 * PAGE_BYTES).unwrap();
    Unpacked::open(&slate.descriptor().unwrap()).unwrap_err();
    slate.write_at(0, &[0xff; 16]).unwrap();
    Unpacked::open(&slate.descriptor().unwrap()).unwrap_err();
    let bytes = surroundings().to_bytes();
    for end in 0..bytes.len() {
        assert_eq!(Surroundings::from_bytes(&bytes[..end]), None);
    }
}
