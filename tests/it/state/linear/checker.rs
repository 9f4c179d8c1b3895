//! Whether a history is linearizable: is there an order of its calls in which each takes effect at one moment between its call and
//! its return, and is told what it must be told then?
//!
//! The search of Wing and Gong with the memory of Lowe: whoever was called before the first return among those that are left can be
//! next, and what has been tried from the same calls done and the same values is not tried again. A call that never returned may
//! have taken effect at any later moment, or not at all. What is said of keys that no call binds together is searched apart.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::call::{Call, Cells, KEYS, NAMES};

/// How many calls are shown of a long order.
const SHOWN: usize = 30;

/// There is no such order.
#[derive(Debug)]
pub(super) struct Unexplained {
    calls: Vec<Call>,
    /// As far as any order came.
    longest: Vec<usize>,
}

/// # Errors
///
/// With what cannot be explained.
pub(super) fn check(calls: &[Call]) -> Result<(), Unexplained> {
    parts(calls).into_iter().try_for_each(check_part)
}

fn check_part(mut calls: Vec<Call>) -> Result<(), Unexplained> {
    calls.sort_by_key(|call| call.called_ns);
    let mut search = Search { done: vec![false; calls.len()], calls: &calls, ..Search::default() };
    if search.succeeds(Cells::default()) {
        return Ok(());
    }
    let longest = search.longest;
    Err(Unexplained { calls, longest })
}

/// The calls by the keys that hang together.
fn parts(calls: &[Call]) -> Vec<Vec<Call>> {
    let mut part_of: [usize; KEYS] = std::array::from_fn(|key| key);
    for call in calls {
        let parts: Vec<usize> = call.op.keys().iter().map(|key| part_of[*key]).collect();
        let first = parts[0];
        part_of.iter_mut().filter(|part| parts.contains(part)).for_each(|part| *part = first);
    }
    let of = |part: usize| calls.iter().filter(|call| part_of[call.op.keys()[0]] == part).cloned().collect();
    (0..KEYS).map(of).collect()
}

#[derive(Debug, Default)]
struct Search<'c> {
    calls: &'c [Call],
    done: Vec<bool>,
    order: Vec<usize>,
    longest: Vec<usize>,
    tried: HashSet<(Vec<bool>, Cells)>,
}

impl Search<'_> {
    /// Whether the rest can be explained from here.
    fn succeeds(&mut self, cells: Cells) -> bool {
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        let Some(next) = self.next() else { return true };
        self.tried.insert((self.done.clone(), cells)) && next.into_iter().any(|at| self.succeeds_with(at, cells))
    }

    fn succeeds_with(&mut self, at: usize, mut cells: Cells) -> bool {
        let call = &self.calls[at];
        let answer = call.op.apply(&mut cells);
        if call.returned.as_ref().is_some_and(|(_, told)| *told != answer) {
            return false;
        }
        self.done[at] = true;
        self.order.push(at);
        let succeeds = self.succeeds(cells);
        self.order.pop();
        self.done[at] = false;
        succeeds
    }

    /// Who can be next; `None` when all that have returned are done.
    fn next(&self) -> Option<Vec<usize>> {
        let (mut first_return, mut next) = (u64::MAX, Vec::new());
        for (at, call) in self.calls.iter().enumerate().filter(|(at, _)| !self.done[*at]) {
            if call.called_ns > first_return {
                break;
            }
            first_return = call.returned.as_ref().map_or(first_return, |(ns, _)| first_return.min(*ns));
            next.push(at);
        }
        (first_return < u64::MAX).then_some(next)
    }
}

impl Unexplained {
    /// For people: the order as far as it goes, the values then, and who could be next.
    pub(super) fn report(&self) -> String {
        let (mut cells, mut done) = (Cells::default(), vec![false; self.calls.len()]);
        for at in &self.longest {
            self.calls[*at].op.apply(&mut cells);
            done[*at] = true;
        }
        let stuck = Search { calls: &self.calls, done, ..Search::default() };
        let skipped = self.longest.len().saturating_sub(SHOWN);
        let mut text = format!("{} of {} calls fit in this order", self.longest.len(), self.calls.len());
        let _ = match skipped {
            0 => writeln!(text, ": client, called and returned (us), what was done"),
            _ => writeln!(text, ", of which these are the last: client, called and returned (us), what was done"),
        };
        text += &self.lines(&self.longest[skipped..]);
        let _ = writeln!(text, "and then, with {}, none of these can be next:", values(&cells));
        text + &self.lines(&stuck.next().unwrap_or_default())
    }

    fn lines(&self, chosen: &[usize]) -> String {
        let began_ns = self.calls.first().map_or(0, |call| call.called_ns);
        chosen.iter().map(|at| format!("{}\n", self.calls[*at].line(began_ns))).collect()
    }
}

fn values(cells: &Cells) -> String {
    let known = NAMES.iter().zip(cells).filter_map(|(name, cell)| cell.map(|number| format!("{name} = {number}")));
    let known: Vec<String> = known.collect();
    if known.is_empty() { "nothing at all".to_owned() } else { known.join(", ") }
}
