//! Which statuses are the right ones.

use std::ops::{Range, RangeInclusive};

/// The statuses that an [`Http`](super::Http) probe accepts: one, several, or a range.
///
/// ```
/// use pkit_test::{Spec, ready::{Http, Statuses}};
/// # fn main() -> pkit_test::Result<()> {
/// let any_answer: Statuses = (200..500).into();
/// let server = Spec::new("python3 -m http.server --bind {host} {port}");
/// let server = server.ready(Http::get("/nothing-here").statuses(any_answer)).start()?;
/// assert!(server.stderr().contains(r#""GET /nothing-here HTTP/1.1" 404"#));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statuses {
    ranges: Vec<RangeInclusive<u16>>,
}

/// What an answer can have: three digits, and those below 200 are only on the way to one, but for the last answer of a
/// connection that goes on in another protocol.
const POSSIBLE: RangeInclusive<u16> = 200..=999;
pub(super) const SWITCHING: u16 = 101;

impl Statuses {
    pub(super) fn add(&mut self, others: Statuses) {
        self.ranges.extend(others.ranges);
    }

    /// Where nothing was said it is 200 to 299.
    pub(super) fn accept(&self, status: u16) -> bool {
        if self.ranges.is_empty() {
            return (200..300).contains(&status);
        }
        self.ranges.iter().any(|range| range.contains(&status))
    }

    /// What was named, in words that follow the status of an answer.
    pub(super) fn wanted(&self) -> String {
        let named = self.ranges.iter().map(|range| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first} to {last}"),
        });
        let named = named.collect::<Vec<_>>().join(" or ");
        if named.is_empty() { named } else { format!(" instead of {named}") }
    }

    /// Why it accepts nothing, where it was meant to accept something.
    pub(super) fn mistake(&self) -> Option<String> {
        let impossible = self.ranges.iter().find(|range| !can_be_met(range))?;
        let (first, last) = (impossible.start(), impossible.end());
        Some(match () {
            () if first > last && *last == 0 => "it accepts no status at all".to_owned(),
            () if first > last => format!("no status lies in {first}..={last}"),
            () if first == last && (100..200).contains(first) => {
                format!("the status {first} comes before an answer and is never one")
            }
            () if first == last => format!("no answer can have the status {first}"),
            () => format!("no answer can have a status of {first} to {last}"),
        })
    }
}

fn can_be_met(range: &RangeInclusive<u16>) -> bool {
    range.contains(&SWITCHING) || (*range.start()).max(*POSSIBLE.start()) <= (*range.end()).min(*POSSIBLE.end())
}

/// This one.
impl From<u16> for Statuses {
    fn from(status: u16) -> Statuses {
        (status..=status).into()
    }
}

/// All of them, the last one included.
impl From<RangeInclusive<u16>> for Statuses {
    fn from(range: RangeInclusive<u16>) -> Statuses {
        Statuses { ranges: vec![range] }
    }
}

/// All of them but for the last one.
impl From<Range<u16>> for Statuses {
    #[expect(clippy::reversed_empty_ranges, reason = "a range without a last status is as empty as this one")]
    fn from(range: Range<u16>) -> Statuses {
        range.end.checked_sub(1).map_or(1..=0, |last| range.start..=last).into()
    }
}

/// Each of them.
impl<const N: usize> From<[u16; N]> for Statuses {
    fn from(statuses: [u16; N]) -> Statuses {
        statuses.as_slice().into()
    }
}

/// Each of them.
impl From<&[u16]> for Statuses {
    fn from(statuses: &[u16]) -> Statuses {
        if statuses.is_empty() {
            // What accepts nothing is a mistake, and not what was never said, which accepts 200 to 299.
            return (0..0).into();
        }
        Statuses { ranges: statuses.iter().map(|status| *status..=*status).collect() }
    }
}

/// Each of them.
impl From<Vec<u16>> for Statuses {
    fn from(statuses: Vec<u16>) -> Statuses {
        statuses.as_slice().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_what_was_named() {
        let mut named = Statuses::default();
        assert!(named.accept(200) && named.accept(299) && !named.accept(300) && !named.accept(199));
        named.add(404.into());
        named.add((500..=503).into());
        named.add((600..602).into());
        named.add([700, 702].into());
        named.add(vec![800].into());
        let all: Vec<u16> = (0..1000).filter(|status| named.accept(*status)).collect();
        assert_eq!(all, [404, 500, 501, 502, 503, 600, 601, 700, 702, 800]);
        assert_eq!(named.mistake(), None);
        assert_eq!(named.wanted(), " instead of 404 or 500 to 503 or 600 to 601 or 700 or 702 or 800");
        assert_eq!(Statuses::default().wanted(), "");
    }

    #[test]
    fn what_can_never_be_is_a_mistake() {
        let of = |statuses: Statuses| statuses.mistake().unwrap_or_default();
        assert_eq!(of(42.into()), "no answer can have the status 42");
        assert_eq!(of(1000.into()), "no answer can have the status 1000");
        assert_eq!(of([200, 103].into()), "the status 103 comes before an answer and is never one");
        assert_eq!(of((0..=199).into()), "");
        assert_eq!(of((102..200).into()), "no answer can have a status of 102 to 199");
        assert_eq!(of((300..300).into()), "no status lies in 300..=299");
        assert_eq!(of((0..0).into()), "it accepts no status at all");
        assert_eq!(of([].into()), "it accepts no status at all");
        assert_eq!(of(Vec::new().into()), "it accepts no status at all");
        assert_eq!(of(101.into()), "");
        assert_eq!(of((100..=200).into()), "");
    }
}
