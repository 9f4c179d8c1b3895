//! Whether the answer is the one that was asked for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::body::Wanted;
use super::statuses::Statuses;
use crate::ready::http_exchange::{Answer, Extent, Limits, Reader, Request, Trouble, Watch, exchange, shown};
use crate::ready::tcp::Listening;
use crate::ready::{Look, Probe, Sight, says_less, time_of_try};

/// One question for one start, at one address or, of `localhost`, at two.
#[derive(Debug)]
pub(in crate::ready) struct Answers {
    pub(super) doors: Vec<Door>,
    pub(super) request: Request,
    pub(super) shown: String,
    pub(super) judge: Judge,
    pub(super) before: Before,
}

/// What was seen at the tries before.
#[derive(Debug, Default)]
pub(super) struct Before {
    last: Option<String>,
    /// How long the longest took that came to an end by itself.
    longest: Duration,
}

/// One address that is asked.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    /// Where it is an address of this machine, whose listeners the kernel tells of.
    pub(super) listening: Option<Listening>,
}

/// What makes an answer the right one.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) statuses: Statuses,
    pub(super) contents: Vec<Wanted>,
}

/// What one address gave.
struct Seen {
    address: SocketAddr,
    look: Look,
    came: Came,
}

/// What came of asking. Of several the last one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// The process does not listen, or somebody else does.
    Nobody,
    Answer,
    /// It had no time to answer, or too little.
    Late,
}

impl Probe for Answers {
    fn look(&mut self, sight: &Sight<'_>) -> Look {
        let began = Instant::now();
        let share = sight.patience / u32::try_from(self.doors.len()).unwrap_or(1).max(1);
        let mut all = Vec::with_capacity(self.doors.len());
        for door in &mut self.doors {
            let seen = door.look(&self.request, &self.judge, share, sight);
            if seen.look == Look::Ready {
                return Look::Ready;
            }
            all.push(seen);
        }
        let came = all.iter().map(|seen| seen.came).max().unwrap_or(Came::Nobody);
        self.before.with(together(&all), came, time_of_try(began, Instant::now(), sight.deadline))
    }

    fn question(&self) -> String {
        self.shown.clone()
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().map(|door| door.address).collect()
    }

    fn local_addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().filter_map(|door| door.listening.as_ref()).flat_map(Listening::local_addresses).collect()
    }

    fn can_lapse(&self) -> bool {
        true
    }

    /// Of several addresses one that is still served will do: it may be the one that has answered.
    fn look_again(&mut self, sight: &Sight<'_>) -> Look {
        let looks = self.doors.iter_mut().map(|door| door.who_listens(sight));
        looks.reduce(|one, other| if one == Look::Ready { one } else { other }).unwrap_or(Look::Ready)
    }
}

impl Before {
    /// The last try before a deadline may have less time than an answer takes: then what was seen before says more.
    fn with(&mut self, look: Look, came: Came, took: Duration) -> Look {
        match (look, &self.last) {
            (Look::NotYet(_), Some(last)) if came == Came::Late && says_less(took, self.longest) => {
                Look::NotYet(last.clone())
            }
            (Look::NotYet(why), _) => {
                self.longest = if came == Came::Answer { self.longest.max(took) } else { self.longest };
                // One that does not listen says nothing of how it answers once it does.
                self.last = (came != Came::Nobody).then(|| why.clone());
                Look::NotYet(why)
            }
            (look, _) => look,
        }
    }
}

/// A stranger at one address is not the news where the process itself was asked at the other one.
fn together(all: &[Seen]) -> Look {
    let is_foreign = all.iter().any(|seen| matches!(seen.look, Look::Foreign(_)));
    let why = match all {
        [first, rest @ ..] if rest.iter().all(|seen| text(seen) == text(first)) => text(first).to_owned(),
        all => all.iter().map(|seen| format!("{}: {}", seen.address, text(seen))).collect::<Vec<_>>().join("; "),
    };
    if is_foreign && all.iter().all(|seen| seen.came == Came::Nobody) { Look::Foreign(why) } else { Look::NotYet(why) }
}

fn text(seen: &Seen) -> &str {
    match &seen.look {
        Look::Foreign(why) | Look::NotYet(why) => why,
        _ => "",
    }
}

impl Door {
    fn look(&mut self, request: &Request, judge: &Judge, patience: Duration, sight: &Sight<'_>) -> Seen {
        let address = self.address;
        let before = self.who_listens(sight);
        if before != Look::Ready {
            return Seen { address, look: before, came: Came::Nobody };
        }
        let limits = Limits::until(Instant::now() + patience, sight.is_over);
        let answer = exchange(address, request, judge, &limits);
        let trouble = answer.as_ref().err();
        let is_late = trouble.is_some_and(Trouble::is_late);
        let is_nobody = trouble.is_some_and(Trouble::is_nobody);
        let look = match answer {
            // Whoever has begun to listen since then may have given the answer.
            Ok(answer) => judge.verdict(&answer).map_or_else(|| self.who_listens(sight), Look::NotYet),
            Err(trouble) => Look::NotYet(trouble.to_string()),
        };
        let came = match look {
            Look::Foreign(_) => Came::Nobody,
            _ if is_nobody => Came::Nobody,
            _ if is_late => Came::Late,
            _ => Came::Answer,
        };
        Seen { address, look, came }
    }

    /// Who is there: of an address elsewhere nothing can be known.
    fn who_listens(&mut self, sight: &Sight<'_>) -> Look {
        self.listening.as_mut().map_or(Look::Ready, |listening| listening.look(sight))
    }
}

impl Judge {
    /// What is wrong with an answer, if anything is.
    fn verdict(&self, answer: &Answer) -> Option<String> {
        if !self.statuses.accept(answer.status) {
            let to = answer.location.as_ref().map(|to| format!(" to {to}, which is not followed"));
            let (title, wanted) = (answer.title(), self.statuses.wanted());
            return Some(format!("{title}{wanted}{}", to.unwrap_or_default()));
        }
        let missing = self.contents.iter().find_map(|wanted| wanted.missing(&answer.body))?;
        let cut = if answer.is_cut { "; no more of it was read" } else { "" };
        Some(format!("{}, but {missing}: {}{cut}", answer.title(), shown(&answer.body)))
    }
}

impl Reader for Judge {
    fn extent(&self, status: u16) -> Extent {
        match self.statuses.accept(status) {
            true if self.contents.is_empty() => Extent::Status,
            true => Extent::Body,
            // Where it leads is worth reading.
            false if (300..400).contains(&status) => Extent::Headers,
            false => Extent::Status,
        }
    }

    fn watch(&self) -> Watch<'_> {
        let mut open: Vec<&Wanted> = self.contents.iter().collect();
        let mut seen = 0;
        Box::new(move |body| {
            open.retain(|wanted| !wanted.has_come(body, seen));
            seen = body.len();
            open.is_empty()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_that_had_too_little_time_says_less_than_those_before() {
        let mut before = Before::default();
        let ms = Duration::from_millis;
        let mut said = |why: &str, came, took| before.with(Look::NotYet(why.to_owned()), came, took);
        let is = |why: &str| Look::NotYet(why.to_owned());
        assert_eq!(said("no answer", Came::Late, ms(100)), is("no answer"));
        assert_eq!(said("503", Came::Answer, ms(300)), is("503"));
        assert_eq!(said("no answer", Came::Late, ms(100)), is("503"));
        assert_eq!(said("no answer", Came::Late, ms(2000)), is("no answer"));
        assert_eq!(said("no answer at all", Came::Late, ms(999)), is("no answer"));
        assert_eq!(said("502", Came::Answer, ms(800)), is("502"));
        assert_eq!(said("no answer", Came::Late, ms(1500)), is("502"));
        assert_eq!(said("404", Came::Answer, ms(1)), is("404"));
        assert_eq!(said("refused", Came::Nobody, ms(1)), is("refused"));
        assert_eq!(said("no answer", Came::Late, ms(100)), is("no answer"));
    }
}
