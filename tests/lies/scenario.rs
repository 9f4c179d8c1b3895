//! What a start is about: a server with its habits, its probes, a stranger, and what may come of it.

use pkit_test_tests::seed::Seed;

/// One start, or one start after another.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) kind: &'static str,
    pub(crate) host: &'static str,
    /// What the server does. Holes are filled.
    pub(crate) steps: Vec<String>,
    pub(crate) probes: Vec<Asks>,
    pub(crate) stranger: Option<Stranger>,
    pub(crate) expected: Expected,
}

/// The probes of a spec, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Tcp,
    Http,
    /// For a word of it, which stays said.
    Word,
    Admin,
}

/// Somebody who is not ours.
#[derive(Debug, Clone)]
pub(crate) struct Stranger {
    pub(crate) comes: Comes,
    pub(crate) steps: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    /// It listens before ours is started.
    First,
    /// It is started at the same time.
    Meanwhile,
    /// The same for the second start of ours.
    FirstAtRestart,
    MeanwhileAtRestart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Ready,
    Never,
    /// Whatever is true.
    Either,
}

/// What a kind of start is made from.
type Make = fn(&mut Seed) -> Scenario;

/// Starts without a stranger.
const ALONE: &[Make] = &[
    plain,
    elsewhere,
    other_family,
    late,
    flaps,
    forks,
    hands_on,
    daemonizes,
    executes,
    dies_before,
    dies_after,
    several_sockets,
    two_ports,
    word_after_close,
];

/// Starts with one.
const BESET: &[Make] =
    &[first, leaves, in_turns, joins_first, joins, joins_for_a_while, in_the_gap, into_the_gap, gone_before_restart];

impl Scenario {
    /// Any one.
    pub(crate) fn any(seed: &mut Seed) -> Scenario {
        let make = if seed.below(2) == 0 { seed.one_of(ALONE) } else { seed.one_of(BESET) };
        make(seed)
    }

    /// One with a stranger.
    pub(crate) fn beset(seed: &mut Seed) -> Scenario {
        seed.one_of(BESET)(seed)
    }

    pub(crate) fn asks(&self, what: Asks) -> bool {
        self.probes.contains(&what)
    }

    pub(crate) fn comes(&self, when: Comes) -> bool {
        self.stranger.as_ref().is_some_and(|stranger| stranger.comes == when)
    }

    /// Whether ours is started twice, and the second start is the one that counts.
    pub(crate) fn is_again(&self) -> bool {
        self.comes(Comes::FirstAtRestart) || self.comes(Comes::MeanwhileAtRestart)
    }
}

fn scenario(kind: &'static str, seed: &mut Seed, steps: Vec<String>) -> Scenario {
    use Asks::{Http, Tcp, Word};
    let probes = seed.one_of::<&[Asks]>(&[&[Tcp], &[Tcp], &[Http], &[Word, Tcp], &[Tcp, Word], &[Http, Word]]);
    // Some systems have no IPv6: what is about it is about 127.0.0.1 there.
    let host = if seed.below(4) == 0 && has_ipv6() { "::1" } else { "127.0.0.1" };
    Scenario { kind, host, steps, probes: probes.to_vec(), stranger: None, expected: Expected::Ready }
}

pub(crate) fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

/// Steps from a text in which each `~` is a moment of its own.
fn steps(seed: &mut Seed, text: &str) -> Vec<String> {
    let words = text.split_whitespace();
    words.map(|word| if word == "~" { format!("wait:{}", seed.moment_us()) } else { word.to_owned() }).collect()
}

/// Steps of one whom only root may look into, sometimes.
fn hidden(seed: &mut Seed, text: &str) -> Vec<String> {
    let hide = (seed.below(4) == 0).then(|| "hide".to_owned());
    hide.into_iter().chain(steps(seed, text)).collect()
}

fn alone(kind: &'static str, seed: &mut Seed, text: &str) -> Scenario {
    let steps = hidden(seed, text);
    scenario(kind, seed, steps)
}

fn beset(kind: &'static str, seed: &mut Seed, text: &str, comes: Comes, theirs: &str) -> Scenario {
    // Where neither can be looked into nobody can tell one from the other: so ours can.
    let (ours, theirs) = (steps(seed, text), hidden(seed, theirs));
    Scenario { stranger: Some(Stranger { comes, steps: theirs }), ..scenario(kind, seed, ours) }
}

/// Where ours listens so that its own address answers.
fn somewhere(seed: &mut Seed) -> &'static str {
    seed.one_of(&["{addr}", "{addr}", "{any}", both()])
}

/// The address that stands for all of both families.
fn both() -> &'static str {
    if has_ipv6() { "{both}" } else { "{any}" }
}

fn plain(seed: &mut Seed) -> Scenario {
    let place = somewhere(seed);
    alone("plain", seed, &format!("~ listen:{place} serve ~ say:up"))
}

fn elsewhere(seed: &mut Seed) -> Scenario {
    Scenario { expected: Expected::Never, ..alone("elsewhere", seed, "~ listen:127.0.0.1:0 serve say:up") }
}

fn other_family(seed: &mut Seed) -> Scenario {
    if !has_ipv6() {
        return elsewhere(seed);
    }
    Scenario { expected: Expected::Never, ..alone("other family", seed, "~ listen:{other} serve say:up") }
}

fn late(seed: &mut Seed) -> Scenario {
    alone("late", seed, "~ listen:127.0.0.1:0 serve say:up ~ ~ listen:{addr} serve")
}

fn flaps(seed: &mut Seed) -> Scenario {
    alone("flaps", seed, "~ listen:{addr} serve ~ close ~ listen:{addr} serve ~ close ~ listen:{addr} serve say:up")
}

fn forks(seed: &mut Seed) -> Scenario {
    alone("forks", seed, "~ fork ~ listen:{addr} serve say:up")
}

fn hands_on(seed: &mut Seed) -> Scenario {
    alone("hands on", seed, "~ listen:{addr} fork serve ~ say:up")
}

fn daemonizes(seed: &mut Seed) -> Scenario {
    alone("daemonizes", seed, "~ daemonize ~ listen:{addr} serve say:up")
}

fn executes(seed: &mut Seed) -> Scenario {
    alone("executes", seed, "~ listen:{addr} serve ~ exec ~ listen:{addr} serve say:up")
}

fn dies_before(seed: &mut Seed) -> Scenario {
    Scenario { expected: Expected::Never, ..alone("dies before", seed, "~ exit:3") }
}

fn dies_after(seed: &mut Seed) -> Scenario {
    let text = seed.one_of(&["~ listen:{addr} exit:3", "~ listen:{addr} serve say:up ~ exit:3"]);
    Scenario { expected: Expected::Either, ..alone("dies after", seed, text) }
}

fn several_sockets(seed: &mut Seed) -> Scenario {
    let text = seed.one_of(&[
        "~ group:{addr} group:{addr} ~ group:{addr} serve say:up",
        "~ group:{addr} fork group:{addr} serve ~ say:up",
    ]);
    alone("several sockets", seed, text)
}

fn two_ports(seed: &mut Seed) -> Scenario {
    let text = seed.one_of(&[
        "~ listen:{addr} serve ~ listen:{addr.admin} serve say:up",
        "~ listen:{addr.admin} serve say:up ~ listen:{addr} serve",
        "~ listen:{addr} serve ~ close ~ listen:{addr.admin} serve ~ listen:{addr} serve say:up",
    ]);
    let mut scenario = alone("two ports", seed, text);
    let at = seed.below(scenario.probes.len() as u64 + 1) as usize;
    scenario.probes.insert(at, Asks::Admin);
    scenario
}

fn word_after_close(seed: &mut Seed) -> Scenario {
    use Asks::{Http, Tcp, Word};
    let scenario = alone("word after close", seed, "~ listen:{addr} serve ~ close ~ say:up ~ listen:{addr} serve");
    let probes = seed.one_of::<&[Asks]>(&[&[Tcp, Word], &[Http, Word], &[Word, Tcp]]);
    Scenario { probes: probes.to_vec(), ..scenario }
}

const STAYS: &str = "listen:{addr} serve say:up";

fn first(seed: &mut Seed) -> Scenario {
    Scenario { expected: Expected::Never, ..beset("first", seed, "~ listen:{addr} serve say:up", Comes::First, STAYS) }
}

fn leaves(seed: &mut Seed) -> Scenario {
    beset("leaves", seed, "~ patient:{addr} serve ~ say:up", Comes::First, "listen:{addr} serve say:up ~ close")
}

fn in_turns(seed: &mut Seed) -> Scenario {
    let ours = "~ patient:{addr} serve ~ close ~ patient:{addr} serve say:up";
    beset("in turns", seed, ours, Comes::Meanwhile, "~ patient:{addr} serve ~ close ~ patient:{addr} serve ~ close")
}

fn joins_first(seed: &mut Seed) -> Scenario {
    let place = somewhere(seed);
    let theirs = format!("group:{place} serve say:up");
    let scenario = beset("joins first", seed, "~ group:{addr} serve say:up", Comes::First, &theirs);
    Scenario { expected: Expected::Never, ..scenario }
}

fn joins(seed: &mut Seed) -> Scenario {
    let scenario = beset("joins", seed, "~ group:{addr} serve say:up", Comes::Meanwhile, "~ group:{addr} serve");
    Scenario { expected: Expected::Either, ..scenario }
}

fn joins_for_a_while(seed: &mut Seed) -> Scenario {
    let theirs = "~ group:{addr} serve ~ close";
    beset("joins for a while", seed, "~ group:{addr} serve say:up", Comes::Meanwhile, theirs)
}

fn in_the_gap(seed: &mut Seed) -> Scenario {
    let scenario = beset("in the gap", seed, "~ listen:{addr} serve say:up", Comes::FirstAtRestart, STAYS);
    Scenario { expected: Expected::Never, ..scenario }
}

fn into_the_gap(seed: &mut Seed) -> Scenario {
    let theirs = "~ patient:{addr} serve ~ close";
    let scenario = beset("into the gap", seed, "~ patient:{addr} serve say:up", Comes::MeanwhileAtRestart, theirs);
    Scenario { expected: Expected::Either, ..scenario }
}

fn gone_before_restart(seed: &mut Seed) -> Scenario {
    let theirs = "listen:{addr} serve close say:up";
    beset("gone before restart", seed, "~ listen:{addr} serve say:up", Comes::FirstAtRestart, theirs)
}
