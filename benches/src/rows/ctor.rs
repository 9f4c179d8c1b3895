//! What the constructor costs each start of a program that names pkit-test.

use crate::bench::Bench;
use crate::outcome::Outcome;
use crate::table::Table;

#[expect(clippy::unnecessary_wraps, reason = "a row of the list like the others")]
pub(super) fn measure(_bench: &Bench) -> Outcome<Vec<Table>> {
    let note = "not measured: a few microseconds, which vanish in the spread of the exec before them";
    Ok(vec![Table::new("ctor: the constructor at the start of a program").note(note)])
}
