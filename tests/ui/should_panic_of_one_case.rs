use pkit_test::{Process, simple, with_processes};
use rstest::rstest;

#[with_processes(db = simple("a"))]
#[rstest]
#[case::works(1)]
#[case::breaks(2)]
#[should_panic]
fn one_of_two(#[case] number: u8, db: Process) {
    assert_eq!(number, 1, "{}", db.name());
}

#[with_processes(db = simple("a"))]
#[rstest]
#[should_panic]
#[case(1)]
#[case(2)]
fn all(#[case] number: u8, db: Process) {
    assert_eq!(number, 3, "{}", db.name());
}

fn main() {}
