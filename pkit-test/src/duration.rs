//! How long something took, or may take, in the one form in which people read it.
//!
//! Errors put what was allowed beside what was measured: "after 1.5 s" and "in 1.51 s" can be compared at a glance, "1.5s" and
//! "1510 ms" cannot. Tables have columns to keep, and so units of their own (`record`).

use std::time::Duration;

/// `250 ms`, `1.5 s`, `30 s`: as many digits as matter, rounded down, so that nothing seems to have taken its whole limit that
/// ended before it.
pub(crate) fn in_words(duration: Duration) -> String {
    let (micros, ms) = (duration.as_micros(), duration.as_millis());
    match (micros, ms) {
        (1..1000, _) => format!("{micros} µs"),
        (_, ..1000) => format!("{ms} ms"),
        (_, ..10_000) => seconds(ms / 10, 2),
        _ => seconds(ms / 100, 1),
    }
}

/// From a number of tenths or hundredths, without zeros that say nothing.
fn seconds(parts: u128, digits: usize) -> String {
    let unit = 10_u128.pow(u32::try_from(digits).unwrap_or(0));
    let (whole, part) = (parts / unit, parts % unit);
    let part = format!("{part:0digits$}");
    let part = part.trim_end_matches('0');
    if part.is_empty() { format!("{whole} s") } else { format!("{whole}.{part} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_one_form_of_which_no_zero_is_idle() {
        for (micros, expected) in [
            (0, "0 ms"),
            (1, "1 µs"),
            (999, "999 µs"),
            (1_000, "1 ms"),
            (1_999, "1 ms"),
            (300_000, "300 ms"),
            (999_999, "999 ms"),
            (1_000_000, "1 s"),
            (1_500_000, "1.5 s"),
            (1_250_000, "1.25 s"),
            (1_009_999, "1 s"),
            (1_050_000, "1.05 s"),
            (9_999_999, "9.99 s"),
            (10_000_000, "10 s"),
            (30_027_000, "30 s"),
            (30_900_000, "30.9 s"),
            (3_600_000_000, "3600 s"),
        ] {
            assert_eq!(in_words(Duration::from_micros(micros)), expected);
        }
        assert_eq!(in_words(Duration::from_nanos(999)), "0 ms");
        assert_eq!(in_words(Duration::MAX), "18446744073709551615.9 s");
    }
}
