use super::portable::file_without_name as temporary_file;
use super::*;

const SIZE: u64 = 4 * PAGE_BYTES;

fn slates() -> [Slate; 2] {
    let file = File::from(temporary_file().unwrap());
    file.set_len(SIZE).unwrap();
    [Slate::new(SIZE, SIZE).unwrap(), Slate { file }]
}

#[test]
fn what_one_side_writes_the_other_reads() {
    for slate in slates() {
        slate.write_at(3, b"arguments").unwrap();
        let other = slate.descriptor().unwrap();
        let given = Given::map(&other, PAGE_BYTES).unwrap();
        let mapped = Mapped::map(&other, PAGE_BYTES, PAGE_BYTES).unwrap();
        drop(other);
        assert_eq!(&given.bytes()[..13], b"\0\0\0arguments\0");
        assert!(mapped.write_at(8, b"result"));
        mapped.store(0, 6);
        assert_eq!((mapped.load(0), slate.number_at(PAGE_BYTES).unwrap()), (6, 6));
        drop((given, mapped));
        let mut result = [0; 6];
        slate.read_at(PAGE_BYTES + 8, &mut result).unwrap();
        assert_eq!(&result, b"result");
    }
}

#[test]
fn nothing_is_written_beyond_the_end() {
    for slate in slates() {
        let mapped = Mapped::map(&slate.descriptor().unwrap(), PAGE_BYTES, 1).unwrap();
        let end = mapped.length();
        assert_eq!(end, 3 * PAGE_BYTES);
        assert!(mapped.write_at(end - 2, b"ab") && mapped.write_at(end, b""));
        assert!(!mapped.write_at(end - 1, b"ab") && !mapped.write_at(end, b"a") && !mapped.write_at(u64::MAX, b"ab"));
    }
}

#[test]
fn a_slate_that_does_not_exist_yet_takes_no_memory() {
    use std::os::unix::fs::MetadataExt;
    let slate = Slate::new(1, 1 << 40).unwrap();
    assert_eq!(slate.file.metadata().unwrap().blocks(), 0);
}

#[test]
fn where_there_are_few_addresses_as_much_is_mapped_as_there_is_room_for() {
    let slate = Slate::new(1, 1 << 60).unwrap();
    let mapped = Mapped::map(&slate.descriptor().unwrap(), 0, PAGE_BYTES).unwrap();
    assert!(mapped.length() < 1 << 48, "{}", mapped.length());
    assert!(mapped.write_at(mapped.length() - 1, b"x"));
}
