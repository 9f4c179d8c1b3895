//! Let it crash: real processes that do, and what their supervisors make of it.

mod lone;
mod given_up;
mod strategy;
mod ends;
mod race;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use pkit_test::{Spec, Supervision, output};

use crate::child::{Child, child};

const MS: Duration = Duration::from_millis(1);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// As often as it likes, and with hardly a pause.
fn tireless(supervision: Supervision) -> Supervision {
    supervision.intensity(1000, LONG).backoff(MS, MS)
}

/// A child that is in another mood in each run.
struct Moody {
    child: Child,
    file: PathBuf,
}

fn moody() -> Moody {
    let child = child("moody");
    let file = child.file("moods");
    Moody { child, file }
}

impl Moody {
    fn with(&self, moods: &str) -> Spec {
        output(self.child.with(&format!("'{}' {moods}", self.file.display())), "^up")
    }

    /// How often it ran.
    fn runs(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |file| file.len())
    }
}
