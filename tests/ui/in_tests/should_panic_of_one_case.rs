use pkit_test::{Process, simple, with_processes};
use rstest::rstest;

#[with_processes(db = simple("a"))]
#[rstest]
#[case::works(1)]
#[should_panic]
#[case::breaks(2)]
fn one_of_two(#[case] number: u8, db: Process) {
    assert_eq!(number, 1, "{}", db.name());
}

#[with_processes(db = simple("a"))]
#[rstest]
#[case(1)]
#[case(2)]
#[should_panic]
fn all(#[case] number: u8, db: Process) {
    assert_eq!(number, 3, "{}", db.name());
}

fn main() {}
