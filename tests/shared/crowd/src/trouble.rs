//! What is to go wrong, as the driver has said by `CROWD_TROUBLE`: a word, and perhaps `:` and a number.
//!
//! - `tenth:SEED`: one test of ten is killed, at a moment between its beginning and its end;
//! - `starter`: whoever starts the fragile server is killed while he does, once;
//! - `attempt`: one test of five is killed at its first attempt, and not again;
//! - `gate:NUMBER`: tests from that number on wait at their beginning until a gate is open. So there are some that come after
//!   what was done in the middle of a run, however long that took.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::process;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use pkit_test_tests::child::wait_us;
use pkit_test_tests::nested::until;

use crate::ledger::{self, note};

/// A test is between its first and its last line within that, mostly.
const LONGEST_TEST_US: u64 = 60_000;

/// Only catches a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Held by who writes down that a test is killed until it is, or by a test that has come to its end: nobody dies of both.
static FATE: Mutex<()> = Mutex::new(());

/// Whatever is in store for a test.
#[derive(Debug)]
pub struct Trouble;

impl Trouble {
    /// Sees to what is to become of this test.
    pub fn begins(who: &str, test: u32) {
        match Trouble::said() {
            Some(("gate", first)) if u64::from(test) >= first => wait_at_gate(),
            Some(("tenth", seed)) if chance((seed, who)) % 10 == 0 => {
                dies_after(who, chance((who, seed)) % LONGEST_TEST_US)
            }
            Some(("attempt", _)) if is_first_attempt() && chance(who) % 5 == 0 => die(who),
            _ => {}
        }
    }

    /// It has done all that it is there for: from here on nobody kills it.
    pub fn ends() {
        if matches!(Trouble::said(), Some(("tenth", _))) {
            std::mem::forget(FATE.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn said() -> Option<(&'static str, u64)> {
        static SAID: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        let text = SAID.get_or_init(|| env::var("CROWD_TROUBLE").unwrap_or_default());
        let (word, number) = text.split_once(':').unwrap_or((text, "0"));
        (!word.is_empty()).then(|| (word, number.parse().expect("the driver writes numbers")))
    }
}

/// In the middle of a start, and only where the driver has put a file for it: whoever removes that is it.
pub(crate) fn kills_the_starter() {
    let is_meant = matches!(Trouble::said(), Some(("starter", _)));
    if is_meant && fs::remove_file(ledger::beside("one-starter")).is_ok() {
        die("the-starter");
    }
}

/// Lets those go on who wait for it.
pub(crate) fn open_gate() {
    fs::write(ledger::beside("gate"), "").expect("it lies beside the ledger");
}

fn wait_at_gate() {
    let gate = ledger::beside("gate");
    until(PATIENCE, || gate.exists().then_some(())).expect("somebody opens it");
}

fn is_first_attempt() -> bool {
    env::var("NEXTEST_ATTEMPT").is_ok_and(|number| number == "1")
}

fn dies_after(who: &str, us: u64) {
    let who = who.to_owned();
    thread::spawn(move || {
        wait_us(us);
        die(&who);
    });
}

/// Killed, as by somebody else: nothing of this process runs any more.
pub(crate) fn die(who: &str) -> ! {
    let _fate = FATE.lock().unwrap_or_else(PoisonError::into_inner);
    note("killed", who, "-");
    let _ = raise(Signal::SIGKILL);
    process::abort() // Nobody comes here.
}

/// The same for the same words in all processes.
fn chance(words: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}
