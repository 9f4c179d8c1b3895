//! Finds out whether "ready" is ever a lie, and whether it is ever missed.
//!
//! Servers that boot as long as they like, listen where they should not, close, fork, daemonize, execute and die, and
//! strangers who take their port before, meanwhile and between two runs. Who listened when is known from the listeners
//! themselves (`children/liar.rs`), not from the library, and compared with what the library said.
//!
//! `PKIT_LIES` is the number of starts, `PKIT_LIES_SEED` the seed of the first; the next one has the next number. So a start
//! that went wrong comes again alone with its own seed and `PKIT_LIES=1`.

mod attempt;
mod detector;
mod scenario;
mod truth;

use detector::Detector;
use scenario::Scenario;

/// A few seconds' worth.
const STARTS: u64 = 300;

#[test]
fn no_ready_is_a_lie_and_none_is_missed() {
    let found = Detector::of_settings(STARTS).run(Scenario::any);
    assert!(found.lies.is_empty() && found.missed.is_empty(), "{found}");
    println!("{found}");
}

/// Who believes everybody is told lies: else there would be nothing to be found above.
#[test]
fn whoever_believes_anybody_is_lied_to() {
    let found = Detector::of_settings(60).limited(60).believing_anybody().run(Scenario::beset);
    assert!(found.lies.len() > 5, "{found}");
}
