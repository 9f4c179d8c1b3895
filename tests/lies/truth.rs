//! What was true, by the word of those who listened, and what the library said.
//!
//! Each change has two times: the one from which on it was possible, and the one from which on it was certain. Ours are
//! taken for listening as soon as it is possible, strangers only where it is certain: what is called a lie then is one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) type Ns = i128;

const NEVER: Ns = Ns::MAX;

/// For how long it has to have been ready before a failure is called a miss: who listens may stand still for a while on a busy
/// machine, and answer nobody.
pub(crate) const LONG_NS: Ns = 1_500_000_000;

/// A time during which somebody listened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) addr: SocketAddr,
    pub(crate) possible: (Ns, Ns),
    pub(crate) certain: (Ns, Ns),
}

/// What one record says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) spans: Vec<Span>,
    /// When it may have said its word for the first time.
    pub(crate) word: Option<Ns>,
}

impl Record {
    /// Reads the lines of a `liar`.
    pub(crate) fn read(text: &str) -> Record {
        let mut record = Record::default();
        let mut open = BTreeMap::<(&str, &str), usize>::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let at: Ns = words.last().and_then(|word| word.parse().ok()).expect("a time at the end of each line");
            match words[..] {
                [pid, "listen", number, addr, _] => {
                    open.insert((pid, number), record.spans.len());
                    let addr = addr.parse().expect("an address");
                    record.spans.push(Span { addr, possible: (at, NEVER), certain: (NEVER, NEVER) });
                }
                [pid, "listening", number, _] => record.spans[open[&(pid, number)]].certain.0 = at,
                [pid, "closing", number, _] => record.spans[open[&(pid, number)]].certain.1 = at,
                [pid, "closed", number, _] => record.spans[open[&(pid, number)]].possible.1 = at,
                [_, "say", _] => record.word = record.word.or(Some(at)),
                _ => panic!("{line:?} is no line of a record"),
            }
        }
        record
    }
}

/// What was asked, and what was said.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// Where it was to listen.
    pub(crate) asked: Vec<SocketAddr>,
    pub(crate) wants_word: bool,
    pub(crate) began: Ns,
    pub(crate) returned: Ns,
    /// Whether it was said to be ready.
    pub(crate) is_ready: bool,
}

/// Whether it may have been ready, and nobody else there, at some moment before it was said.
pub(crate) fn may_be_true(claim: &Claim, ours: &Record, strangers: &Record) -> bool {
    // A time in which all that is needed holds begins with one of these.
    let begins = ours.spans.iter().map(|span| span.possible.0).chain(ours.word);
    let frees = strangers.spans.iter().map(|span| span.certain.1);
    let mut moments = begins.chain(frees).chain([claim.began]).filter(|at| (claim.began..=claim.returned).contains(at));
    moments.any(|at| {
        let has_word = !claim.wants_word || ours.word.is_some_and(|word| word <= at);
        let ours_at = |asked| is_there(ours, asked, at, |span| span.possible);
        let strange_at = |asked| is_there(strangers, asked, at, |span| span.certain);
        has_word && claim.asked.iter().all(|asked| ours_at(*asked) && !strange_at(*asked))
    })
}

/// Whether it was certainly ready, with nobody else there, and for long, when it was said that it is not.
pub(crate) fn is_missed(claim: &Claim, ours: &Record, strangers: &Record) -> bool {
    let (from, to) = (claim.returned - LONG_NS, claim.returned);
    let has_word = !claim.wants_word || ours.word.is_some_and(|word| word <= from);
    let held = |asked: SocketAddr| {
        ours.spans.iter().any(|span| covers(span.addr, asked) && span.certain.0 <= from && span.certain.1 > to)
    };
    let disturbed = |asked: SocketAddr| {
        strangers.spans.iter().any(|span| covers(span.addr, asked) && span.possible.0 <= to && span.possible.1 >= from)
    };
    !claim.is_ready && has_word && claim.asked.iter().all(|asked| held(*asked) && !disturbed(*asked))
}

fn is_there(record: &Record, asked: SocketAddr, at: Ns, time: impl Fn(&Span) -> (Ns, Ns)) -> bool {
    record.spans.iter().any(|span| {
        let (from, to) = time(span);
        covers(span.addr, asked) && from <= at && at < to
    })
}

/// Whether a client of `asked` may end up at a listener of `bound`. One of `[::]` is for both families here.
fn covers(bound: SocketAddr, asked: SocketAddr) -> bool {
    let ip = bound.ip() == asked.ip()
        || bound.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        || bound.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED) && asked.is_ipv4();
    ip && bound.port() == asked.port()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(returned: Ns, is_ready: bool) -> Claim {
        let asked = vec!["127.0.0.1:80".parse().unwrap()];
        Claim { asked, wants_word: false, began: 0, returned, is_ready }
    }

    fn record(lines: &[&str]) -> Record {
        Record::read(&lines.join("\n"))
    }

    #[test]
    fn a_ready_before_the_listener_is_a_lie() {
        let ours = record(&["1 listen 0 127.0.0.1:80 50", "1 listening 0 60"]);
        for (returned, is_true) in [(49, false), (50, true), (1000, true)] {
            assert_eq!(may_be_true(&claim(returned, true), &ours, &Record::default()), is_true, "{returned}");
        }
    }

    #[test]
    fn a_ready_of_another_address_is_a_lie() {
        for (addr, is_true) in [
            ("127.0.0.1:81", false),
            ("[::1]:80", false),
            ("127.0.0.2:80", false),
            ("0.0.0.0:80", true),
            ("[::]:80", true),
        ] {
            let ours = record(&[&format!("1 listen 0 {addr} 1"), "1 listening 0 2"]);
            assert_eq!(may_be_true(&claim(9, true), &ours, &Record::default()), is_true, "{addr}");
        }
    }

    #[test]
    fn a_ready_beside_a_stranger_is_a_lie() {
        let ours = record(&["1 listen 0 127.0.0.1:80 50", "1 listening 0 60"]);
        let stays = record(&["2 listen 0 127.0.0.1:80 10", "2 listening 0 20"]);
        assert!(!may_be_true(&claim(100, true), &ours, &stays));
        let leaves = record(&["2 listen 0 127.0.0.1:80 10", "2 listening 0 20", "2 closing 0 70", "2 closed 0 80"]);
        assert!(!may_be_true(&claim(69, true), &ours, &leaves));
        assert!(may_be_true(&claim(70, true), &ours, &leaves));
        let joins = record(&["2 listen 0 127.0.0.1:80 51", "2 listening 0 52"]);
        assert!(may_be_true(&claim(100, true), &ours, &joins));
    }

    #[test]
    fn a_word_after_the_listener_was_closed_is_a_lie() {
        let closes = ["1 listen 0 127.0.0.1:80 10", "1 listening 0 11", "1 closing 0 20", "1 closed 0 21", "1 say 30"];
        let claim = Claim { wants_word: true, ..claim(40, true) };
        assert!(!may_be_true(&claim, &record(&closes), &Record::default()));
        let again = [&closes[..], &["1 listen 1 127.0.0.1:80 35"]].concat();
        assert!(may_be_true(&claim, &record(&again), &Record::default()));
    }

    #[test]
    fn a_failure_of_one_that_was_long_ready_is_a_miss() {
        let ours = record(&["1 listen 0 127.0.0.1:80 50", "1 listening 0 60"]);
        assert!(is_missed(&claim(2 * LONG_NS, false), &ours, &Record::default()));
        assert!(!is_missed(&claim(2 * LONG_NS, true), &ours, &Record::default()));
        assert!(!is_missed(&claim(LONG_NS / 5, false), &ours, &Record::default()));
        let stranger = record(&["2 listen 0 127.0.0.1:80 10"]);
        assert!(!is_missed(&claim(2 * LONG_NS, false), &ours, &stranger));
    }
}
