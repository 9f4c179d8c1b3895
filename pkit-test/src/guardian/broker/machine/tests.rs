//! Both tables, cell by cell, and what is longer than one step.
//!
//! Client 1 is the one that the tables are about, 9 is another one. What is done is said in short: `1 start` is a word, `end 1` an
//! order to the guardian of the first life.

use super::*;
use crate::exit::Exit;
use crate::sys::child::End as Code;

fn short(action: &Action) -> String {
    match action {
        Action::Say(client, word) => format!("{client} {}", said(word)),
        Action::Grant(client, grant) => format!("{client} has slot {} of {}", grant.slot, grant.starts),
        Action::Execute(life, client) => format!("execute {life} of {client}"),
        Action::End(life, Farewell::Ordinary) => format!("end {life}"),
        Action::End(life, Farewell::OfRun { failed }) => format!("end {life} with the run, failed {failed}"),
        Action::End(life, Farewell::Hurried) => format!("hurry {life}"),
        Action::Undo(client, life) => format!("undo {client} in {life}"),
        Action::Bury { life, keeps_logs } => format!("bury {life}{}", if *keeps_logs { ", keep its logs" } else { "" }),
        Action::CutOff(client) => format!("cut off {client}"),
    }
}

fn said(word: &Word) -> String {
    match word {
        Word::Wait(why) => format!("waits: {why}"),
        Word::Start { .. } => "start".to_owned(),
        Word::Failed(_) => "failed".to_owned(),
        Word::Refused(why) => format!("refused: {why}"),
        Word::Released(undone) => format!("released: {undone:?}"),
        other => format!("{other:?}"),
    }
}

/// A machine that is played with.
struct Game(Machine);

impl Game {
    fn new() -> Game {
        Game(Machine::new())
    }

    fn done(&mut self) -> String {
        self.0.take_actions().iter().map(short).collect::<Vec<_>>().join("; ")
    }

    fn want(who: &str, is_exclusive: bool, tries_again: bool) -> Ask {
        let [key, name, shown, who] = ["k", "db", "shown", who].map(str::to_owned);
        Ask::Want(Want { key, name, shown, test: who.clone(), who, is_exclusive, tries_again })
    }

    fn says(&mut self, client: Client, ask: Ask) -> String {
        self.0.hear(client, ask, |_| true);
        self.done()
    }

    fn wants(&mut self, client: Client) -> String {
        self.0.has_come(client);
        self.says(client, Game::want(&format!("t{client}"), false, false))
    }

    fn wants_alone(&mut self, client: Client) -> String {
        self.0.has_come(client);
        self.says(client, Game::want(&format!("t{client}"), true, false))
    }

    fn tries_again(&mut self, client: Client) -> String {
        self.0.has_come(client);
        self.says(client, Game::want(&format!("t{client}"), false, true))
    }

    fn goes(&mut self, client: Client) -> String {
        self.0.has_gone(client);
        self.done()
    }

    fn releases(&mut self, client: Client) -> String {
        self.says(client, release(false))
    }

    fn is_up(client: Client) -> Game {
        let mut game = Game::new();
        game.wants(client);
        game.says(client, Ask::Begin);
        game.says(client, ready());
        game
    }

    fn act(&mut self, act: impl FnOnce(&mut Machine)) -> String {
        act(&mut self.0);
        self.done()
    }
}

fn ready() -> Ask {
    Ask::Ready { parts: vec![b"part".to_vec()], vital: vec![5, 6 | crate::guardian::broker::protocol::MAY_RETURN] }
}

fn release(failed: bool) -> Ask {
    Ask::Release { failed, changed: Vec::new(), vital: None }
}

fn undo() -> Ask {
    Ask::Undo { launch: Vec::new(), limit_ms: 1 }
}

fn ended(code: i32) -> Undone {
    let exit: Exit = Code::Code(code).into();
    Undone::Ended { exit, was_late: false, log: "/log".into() }
}

/// Client 1 in that state.
fn client_in(state: State) -> Game {
    let mut game = if state == State::Waiting {
        let mut game = Game::new();
        game.wants(9);
        game
    } else {
        Game::new()
    };
    game.0.has_come(1);
    let steps: &[Ask] = match state {
        State::New => &[],
        State::Waiting | State::Called => &[Game::want("t1", false, false)],
        State::Starting => &[Game::want("t1", false, false), Ask::Begin],
        State::Holding => &[Game::want("t1", false, false), Ask::Begin, ready()],
        State::Undoing => &[Game::want("t1", false, false), Ask::Begin, ready(), undo(), release(false)],
        State::Done => &[Game::want("t1", false, false), Ask::Begin, ready(), release(false)],
    };
    steps.iter().for_each(|step| game.0.hear(1, step.clone(), |_| true));
    game.done();
    assert_eq!(game.0.clients[&1].state, state);
    game
}

const STATES: [State; 7] =
    [State::New, State::Waiting, State::Called, State::Starting, State::Holding, State::Undoing, State::Done];

/// What follows in each state, one after the other.
#[track_caller]
fn check_column(ask: &Ask, expected: [&str; 7]) {
    for (state, expected) in STATES.into_iter().zip(expected) {
        let mut game = client_in(state);
        let done = game.says(1, ask.clone());
        let after = game.0.clients.get(&1).map_or("gone".to_owned(), |known| format!("{:?}", known.state));
        assert_eq!(format!("{after}: {done}").trim_end(), expected, "{ask:?} when {state:?}");
    }
}

const CUT: &str = "gone: cut off 1";
/// Cut off, and the guardian that was there for it ends.
const CUT_STARTER: &str = "gone: cut off 1; end 1";

#[test]
fn a_want_comes_first_and_once() {
    let want = Game::want("t1", false, false);
    check_column(&want, ["Called: 1 start", CUT, CUT, CUT_STARTER, CUT_HOLDER, CUT, CUT]);
}

/// What it held is let go of.
const CUT_HOLDER: &str = "gone: cut off 1; 1 released: Nothing";

#[test]
fn only_who_is_called_begins() {
    check_column(&Ask::Begin, [CUT, CUT, "Starting: execute 1 of 1", CUT_STARTER, CUT_HOLDER, CUT, "Done:"]);
}

#[test]
fn only_who_has_begun_can_be_ready() {
    check_column(&ready(), [CUT, CUT, CUT, "Holding: 1 has slot 0 of 1", CUT_HOLDER, CUT, "Done:"]);
}

#[test]
fn who_was_called_may_have_failed() {
    let called = "Done: 1 failed";
    check_column(&Ask::NotStarted(Vec::new()), [CUT, CUT, called, "Done: 1 failed; end 1", CUT_HOLDER, CUT, "Done:"]);
}

#[test]
fn only_what_is_held_can_have_something_to_undo() {
    check_column(&undo(), [CUT, CUT, CUT, CUT_STARTER, "Holding:", "Undoing:", "Done:"]);
    check_column(&Ask::Binary, [CUT, CUT, CUT, CUT_STARTER, "Holding:", "Undoing:", "Done:"]);
}

#[test]
fn only_what_is_held_can_be_released() {
    let released = "Done: 1 released: Nothing";
    check_column(&release(true), [CUT, CUT, CUT, CUT_STARTER, released, "Undoing:", "Done:"]);
}

#[test]
fn the_end_of_a_connection_is_the_end_of_what_it_was() {
    let expected = ["", "", "", "end 1", "1 released: Nothing", "", ""];
    for (state, expected) in STATES.into_iter().zip(expected) {
        let mut game = client_in(state);
        assert_eq!(game.goes(1), expected, "{state:?}");
        assert!(!game.0.clients.contains_key(&1));
    }
    // What was being undone is undone all the same.
    let mut game = client_in(State::Undoing);
    game.goes(1);
    assert_eq!(game.act(|machine| machine.undone(1, ended(0))), "1 released: ".to_owned() + &format!("{:?}", ended(0)));
}

/// The instance in each of its phases, with client 1 in it.
#[derive(Debug, Clone, Copy)]
enum In {
    Down,
    Called,
    Starting,
    Up,
    /// Nobody has it.
    Idle,
    /// One has it for itself.
    Alone,
    Ending,
}

const PHASES: [In; 7] = [In::Down, In::Called, In::Starting, In::Up, In::Idle, In::Alone, In::Ending];

fn instance_in(phase: In) -> Game {
    let mut game = match phase {
        In::Down => {
            let mut game = client_in(State::Called);
            game.goes(1);
            game
        }
        In::Called => client_in(State::Called),
        In::Starting => client_in(State::Starting),
        In::Up | In::Idle | In::Ending => Game::is_up(1),
        In::Alone => {
            let mut game = Game::new();
            game.wants_alone(1);
            game.says(1, Ask::Begin);
            game.says(1, ready());
            game
        }
    };
    match phase {
        In::Idle => _ = game.releases(1),
        In::Ending => _ = game.act(|machine| machine.has_ended(1, 5, false)),
        _ => {}
    }
    game
}

#[track_caller]
fn check_row(act: impl Fn(&mut Game) -> String, expected: [&str; 7]) {
    for (phase, expected) in PHASES.into_iter().zip(expected) {
        assert_eq!(act(&mut instance_in(phase)), expected, "{phase:?}");
    }
}

const NOT_YET: &str = "9 waits: what there was of it has not ended yet";

#[test]
fn whoever_wants_it_starts_it_has_it_or_waits() {
    let starts = "9 waits: `t1` starts it";
    let own = "9 waits: `t1` has it for itself";
    let has = ["9 has slot 1 of 1", "9 has slot 0 of 1"];
    check_row(|game| game.wants(9), ["9 start", starts, starts, has[0], has[1], own, NOT_YET]);
    let uses = "9 waits: `t1` uses it";
    check_row(|game| game.wants_alone(9), ["9 start", starts, starts, uses, has[1], own, NOT_YET]);
}

#[test]
fn a_vital_run_that_ends_is_the_end_of_it() {
    let ends = |run, is_return| move |game: &mut Game| game.act(|machine| machine.has_ended(1, run, is_return));
    check_row(ends(5, false), ["", "", "", "end 1", "end 1", "", ""]);
    check_row(ends(5, true), ["", "", "", "end 1", "end 1", "", ""]);
    check_row(ends(6, false), ["", "", "", "end 1", "end 1", "", ""]);
    check_row(ends(6, true), [""; 7]);
    check_row(ends(7, false), [""; 7]);
}

#[test]
fn a_guardian_that_ends_is_the_end_of_it() {
    let ended = |game: &mut Game| game.act(|machine| machine.guardian_has_ended(1));
    check_row(ended, [""; 7]);
    // And when nothing is left of it the next one starts it.
    let then = |game: &mut Game| {
        ended(game);
        game.wants(9);
        game.act(|machine| machine.nothing_is_left(1))
    };
    let next = "bury 1, keep its logs; 9 start";
    check_row(then, ["", "", "", next, next, next, next]);
}

#[test]
fn nothing_is_left_of_one_whose_starter_has_not_spoken_yet() {
    let mut game = instance_in(In::Starting);
    game.act(|machine| machine.guardian_has_ended(1));
    game.act(|machine| machine.nothing_is_left(1));
    game.wants(9);
    assert_eq!(game.says(1, Ask::NotStarted(Vec::new())), "1 failed; bury 1, keep its logs; 9 failed");
    // One that says that it is ready has what there is: it finds out.
    let mut game = instance_in(In::Starting);
    game.act(|machine| machine.guardian_has_ended(1));
    game.act(|machine| machine.nothing_is_left(1));
    assert_eq!(game.says(1, ready()), "1 has slot 0 of 1; bury 1, keep its logs");
    assert_eq!(game.wants(9), "9 start");
}

#[test]
fn a_guardian_that_was_not_executed_was_none() {
    let mut game = instance_in(In::Starting);
    game.wants(9);
    let done = game.act(|machine| machine.not_executed(1, "no room".to_owned()));
    assert_eq!(done, "1 refused: no room; 9 start");
    assert_eq!(game.says(1, ready()), "", "it could not know");
}

#[test]
fn the_run_ends_when_nobody_has_it() {
    let over = |game: &mut Game| game.act(Machine::run_is_over);
    let done = "end 1 with the run, failed false";
    check_row(over, ["", "", "", "", done, "", ""]);
    let late = |game: &mut Game| {
        over(game);
        game.wants(9)
    };
    check_row(late, ["9 refused: the run is over: its runner has ended"; 7]);
    let then = |game: &mut Game| {
        over(game);
        game.goes(1)
    };
    let failed = "1 released: Nothing; end 1 with the run, failed true";
    let alone = "end 1; 1 released: Nothing";
    check_row(then, ["", "", "end 1", failed, "", alone, "1 released: Nothing"]);
}

#[test]
fn the_broker_is_done_when_everything_has_ended() {
    let done = |game: &mut Game| {
        game.act(Machine::run_is_over);
        let before = game.0.is_done();
        game.goes(1);
        game.act(|machine| machine.guardian_has_ended(1));
        let between = game.0.is_done();
        game.act(|machine| machine.nothing_is_left(1));
        format!("{before} {between} {}", game.0.is_done())
    };
    let life = "false false true";
    check_row(done, ["true true true", "false true true", life, life, life, life, life]);
    assert!(!Game::new().0.is_done(), "somebody may come");
}

#[test]
fn a_broker_that_is_asked_to_end_waits_for_nobody() {
    let refused = "1 refused: the broker of the run was asked to end";
    let starter = format!("{refused}; end 1; hurry 1");
    let now = "end 1; hurry 1";
    let asked = |game: &mut Game| game.act(Machine::is_asked_to_end);
    check_row(asked, ["", refused, &starter, now, now, now, "hurry 1"]);
    let done = |game: &mut Game| {
        asked(game);
        game.act(|machine| machine.guardian_has_ended(1));
        game.act(|machine| machine.nothing_is_left(1));
        game.0.is_done().to_string()
    };
    check_row(done, ["true"; 7]);
}

#[test]
fn an_exit_lets_go_of_what_was_forgotten() {
    let exits = |game: &mut Game| {
        game.act(Machine::run_is_over);
        game.act(|machine| machine.exits(1))
    };
    let done = "1 released: Nothing; end 1 with the run, failed false";
    check_row(exits, ["", "", "end 1", done, "", done, "1 released: Nothing"]);
}

#[test]
fn what_failed_fails_all_but_who_tries_again() {
    let mut game = instance_in(In::Starting);
    game.wants(2);
    game.tries_again(3);
    game.tries_again(4);
    assert_eq!(game.says(1, Ask::NotStarted(Vec::new())), format!("1 failed; end 1; 2 failed; {}", waits([3, 4])));
    assert_eq!(game.wants(5), "5 failed");
    game.act(|machine| machine.guardian_has_ended(1));
    let done = game.act(|machine| machine.nothing_is_left(1));
    assert_eq!(done, "bury 1, keep its logs; 3 start; 4 waits: `t3` starts it");
    assert_eq!(game.wants(6), "6 failed", "not yet known to be better");
    game.says(3, Ask::Begin);
    assert_eq!(game.says(3, ready()), "3 has slot 0 of 1; 4 has slot 1 of 1");
    assert_eq!(game.wants(7), "7 has slot 2 of 1");
}

fn waits(clients: [Client; 2]) -> String {
    clients.map(|client| format!("{client} waits: what there was of it has not ended yet")).join("; ")
}

#[test]
fn one_alone_has_it_in_its_turn() {
    let mut game = Game::is_up(1);
    assert_eq!(game.wants_alone(2), "2 waits: `t1` uses it");
    assert_eq!(game.wants(3), "3 waits: `t2` waits to have it for itself");
    assert_eq!(game.wants_alone(4), "4 waits: `t2` waits to have it for itself");
    let done = game.releases(1);
    let own = "waits: `t2` has it for itself";
    assert_eq!(done, format!("1 released: Nothing; 2 has slot 0 of 1; 3 {own}; 4 waits: `t2` has it for itself"));
    assert_eq!(game.releases(2), "2 released: Nothing; 3 has slot 0 of 1; 4 waits: `t3` uses it");
    assert_eq!(game.goes(3), "3 released: Nothing; 4 has slot 0 of 1");
    assert_eq!(game.goes(4), "end 1; 4 released: Nothing", "nobody knows what it has done");
}

#[test]
fn a_want_that_is_given_up_is_in_nobodys_way() {
    let mut game = Game::is_up(1);
    game.wants_alone(2);
    game.wants(3);
    assert_eq!(game.goes(2), "3 has slot 1 of 1");
}

#[test]
fn slots_are_small_and_nobody_gets_one_that_is_spoilt() {
    let mut game = Game::is_up(1);
    assert_eq!(game.wants(2), "2 has slot 1 of 1");
    game.says(1, undo());
    assert_eq!(game.goes(1), "undo 1 in 1");
    assert_eq!(game.wants(3), "3 has slot 2 of 1", "it is being undone");
    game.act(|machine| machine.undone(1, ended(1)));
    assert_eq!(game.wants(4), "4 has slot 3 of 1", "it was not undone");
    game.releases(2);
    assert_eq!(game.wants(5), "5 has slot 1 of 1");
    // A new life is tidy.
    for client in [3, 4, 5] {
        game.goes(client);
    }
    game.act(|machine| machine.has_ended(1, 5, false));
    game.act(|machine| machine.guardian_has_ended(1));
    game.wants(6);
    game.act(|machine| machine.nothing_is_left(1));
    game.says(6, Ask::Begin);
    assert_eq!(game.says(6, ready()), "6 has slot 0 of 2");
}

#[test]
fn who_has_an_old_one_stands_in_nobodys_way() {
    let mut game = Game::is_up(1);
    game.says(1, undo());
    game.act(|machine| machine.guardian_has_ended(1));
    game.act(|machine| machine.nothing_is_left(1));
    game.wants_alone(2);
    game.says(2, Ask::Begin);
    assert_eq!(game.says(2, ready()), "2 has slot 1 of 2");
    assert_eq!((game.0.reach(1), game.0.reach(2)), (Some(Reach::Look(1)), Some(Reach::Control(2))));
    assert_eq!((game.0.audience(1), game.0.audience(2)), (vec![], vec![2]));
    assert_eq!(game.releases(1), "1 released: Lost");
}
