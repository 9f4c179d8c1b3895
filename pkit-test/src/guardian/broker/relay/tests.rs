//! Frames in, frames out.

use super::*;
use crate::exit::Exit;
use crate::guardian::protocol::tests::plain;
use crate::guardian::protocol::{Launch, StopPlan};
use crate::sys::child::End;

fn null() -> OwnedFd {
    crate::sys::fd::null().unwrap()
}

fn launch(is_errand: bool) -> Order {
    Order::Spawn(Box::new(Launch { is_errand, ..plain() }))
}

fn exit(code: i32) -> Exit {
    End::Code(code).into()
}

/// What goes where, in short.
fn short(post: &Post) -> String {
    match post {
        Post::Guardian(frame, fd) => {
            let order = Order::from_frame(frame).map(|order| name_of(&order));
            format!("guardian {} {}{}", frame.id, order.unwrap_or_default(), if fd.is_some() { " +fd" } else { "" })
        }
        Post::Client(client, frame) => format!("{client}: {} {:?}", frame.id, Event::from_frame(frame).unwrap()),
        Post::All(frame) => format!("all: {} {:?}", frame.id, Event::from_frame(frame).unwrap()),
    }
}

fn name_of(order: &Order) -> String {
    match order {
        Order::Spawn(_) => "Spawn".to_owned(),
        Order::Hello(hello) => format!("Hello, keep {:?}", hello.keep),
        other => format!("{other:?}"),
    }
}

fn orders(relay: &mut Relay, client: Client, has_control: bool, id: u32, order: &Order) -> String {
    let posts = relay.order(client, has_control, order.to_frame(id), None).unwrap();
    posts.iter().map(short).collect::<Vec<_>>().join("; ")
}

fn happens(relay: &mut Relay, id: u32, event: &Event) -> (String, Option<News>) {
    let (posts, news) = relay.event(event.to_frame(id));
    (posts.iter().map(short).collect::<Vec<_>>().join("; "), news)
}

fn replayed(relay: &Relay) -> Vec<String> {
    let shown = |frame: &Frame| match Event::from_frame(frame) {
        Some(event) => format!("{} {event:?}", frame.id),
        None => format!("{:?}", Word::from_frame(frame).unwrap()),
    };
    relay.replay().iter().map(|(frame, fd)| shown(frame) + if fd.is_some() { " +fd" } else { "" }).collect()
}

/// With one run that has begun.
fn begun() -> Relay {
    let mut relay = Relay::new();
    orders(&mut relay, 1, true, 1, &launch(false));
    happens(&mut relay, 1, &Event::Started { pid: 10, shim: 9 });
    relay
}

#[test]
fn who_has_control_may_do_everything_but_end_the_guardian() {
    let mut relay = Relay::new();
    let mut say = |id, order: &Order| orders(&mut relay, 1, true, id, order);
    assert_eq!(say(0, &Order::Hold(7)), "guardian 0 Hold(7)");
    assert_eq!(say(0, &Order::Release(7)), "guardian 0 Release(7)");
    assert_eq!(say(0, &Order::Goodbye { failed: false }), "");
    assert_eq!(say(1, &Order::Network), "guardian 1 Network");
    assert_eq!(say(1, &launch(false)), "guardian 1 Spawn");
    assert_eq!(say(1, &Order::Signal { token: 5, number: 9 }), "guardian 1 Signal { token: 1, number: 9 }");
    assert_eq!(say(1, &Order::Pardon { token: 5 }), "guardian 1 Pardon { token: 2 }");
    let stop = StopPlan { signal: 15, grace_ms: 1, then_kill: true };
    assert!(say(1, &Order::Stop(stop)).starts_with("guardian 1 Stop"));
    assert_eq!(say(2, &Order::Sync { token: 5 }), "", "nobody knows it");
}

#[test]
fn all_others_may_only_look() {
    let mut relay = begun();
    let mut say = |id, order: &Order| orders(&mut relay, 2, false, id, order);
    let forbidden = |token| format!("2: 1 Answer {{ token: {token}, errno: 1, pid: 0 }}");
    assert_eq!(say(1, &Order::Signal { token: 5, number: 9 }), forbidden(5));
    assert_eq!(say(1, &Order::Write { token: 6, bytes: Vec::new() }), forbidden(6));
    assert_eq!(say(1, &Order::Pardon { token: 7 }), forbidden(7));
    let stop = StopPlan { signal: 15, grace_ms: 1, then_kill: true };
    assert_eq!(say(1, &Order::Stop(stop)), "");
    assert_eq!(say(0, &Order::Hold(7)), "");
    assert_eq!(say(0, &Order::Goodbye { failed: false }), "");
    assert_eq!(say(2, &launch(false)), "2: 2 Declined");
    assert_eq!(say(1, &Order::Sync { token: 5 }), "guardian 1 Sync { token: 1 }");
    assert_eq!(say(1, &Order::Watch { seen: 5 }), "guardian 1 Watch { seen: 5 }");
}

#[test]
fn answers_find_their_way_back_and_those_of_the_guardian_to_nobody() {
    let mut relay = begun();
    for client in [2, 3] {
        orders(&mut relay, client, false, 1, &Order::Sync { token: 77 });
    }
    let answer = |token| Event::Answer { token, errno: 0, pid: 10 };
    assert_eq!(happens(&mut relay, 1, &answer(2)).0, "3: 1 Answer { token: 77, errno: 0, pid: 10 }");
    assert_eq!(happens(&mut relay, 1, &answer(2)).0, "", "once");
    assert_eq!(happens(&mut relay, 1, &answer(0)).0, "", "the guardian has asked by itself");
    relay.leave(2);
    assert_eq!(happens(&mut relay, 1, &answer(1)).0, "", "it has gone");
}

#[test]
fn nobody_asks_without_a_bound() {
    let mut relay = begun();
    let mut ask = |client| relay.order(client, false, Order::Sync { token: 1 }.to_frame(1), None).is_ok();
    assert!((0..PENDING_REQUESTS).all(|_| ask(2)));
    assert!(!ask(2) && ask(3));
}

#[test]
fn the_smallest_watch_is_the_one_that_is_asked_for() {
    let mut relay = begun();
    let mut watch = |client, seen| orders(&mut relay, client, false, 1, &Order::Watch { seen });
    assert_eq!(watch(2, 50), "guardian 1 Watch { seen: 50 }");
    assert_eq!(watch(3, 80), "", "it is told before");
    assert_eq!(watch(4, 20), "guardian 1 Watch { seen: 20 }");
    let told = happens(&mut relay, 1, &Event::Output { end: 60 }).0;
    assert_eq!(told, "2: 1 Output { end: 60 }; 4: 1 Output { end: 60 }; guardian 1 Watch { seen: 80 }");
    assert_eq!(orders(&mut relay, 5, false, 1, &Order::Watch { seen: 59 }), "5: 1 Output { end: 60 }", "it is known");
    relay.leave(3);
    assert_eq!(happens(&mut relay, 1, &Event::Output { end: 90 }).0, "", "nobody watches any more");
}

#[test]
fn what_has_happened_is_told_to_who_comes_later() {
    let mut relay = Relay::new();
    relay.order(1, true, Order::Slate.to_frame(1), Some(null())).unwrap();
    orders(&mut relay, 1, true, 1, &launch(false));
    orders(&mut relay, 1, true, 2, &launch(true));
    orders(&mut relay, 1, true, 3, &launch(false));
    let started = Event::Started { pid: 10, shim: 9 };
    assert_eq!(happens(&mut relay, 1, &started), (format!("all: 1 {started:?}"), None));
    happens(&mut relay, 1, &Event::NoBell);
    happens(&mut relay, 2, &started);
    happens(&mut relay, 3, &started);
    happens(&mut relay, 1, &Event::Stuck(vec![1]));
    happens(&mut relay, 1, &Event::Stuck(vec![2]));
    happens(&mut relay, 3, &Event::Output { end: 5 });
    let gone = Event::Gone { exit: exit(0), was_asked: true, killed: false };
    assert_eq!(happens(&mut relay, 3, &gone).1, None, "somebody had asked");
    let expected = [
        "Slate(1) +fd".to_owned(),
        format!("1 {started:?}"),
        "1 NoBell".to_owned(),
        "1 Stuck([2])".to_owned(),
        format!("3 {started:?}"),
        format!("3 {gone:?}"),
    ];
    assert_eq!(replayed(&relay), expected);
    assert_eq!(relay.next_run(), 4);
}

#[test]
fn an_end_that_nobody_asked_for_is_news() {
    let exited = |code, was_asked| Event::Exited { exit: exit(code), was_asked };
    let gone = |code| Event::Gone { exit: exit(code), was_asked: false, killed: false };
    let news = |event: &Event| happens(&mut begun(), 1, event).1;
    let ended = |is_return| Some(News::Ended { run: 1, is_return });
    assert_eq!(news(&exited(3, false)), ended(false));
    assert_eq!(news(&exited(3, true)), None);
    assert_eq!(news(&exited(0, false)), None, "it may be a daemonizer");
    assert_eq!(news(&gone(0)), ended(true));
    assert_eq!(news(&gone(3)), ended(false));
    assert_eq!(news(&Event::Lost), ended(false));
    assert_eq!(news(&Event::Output { end: 1 }), None);
}

#[test]
fn what_lives_is_known_and_what_may_return() {
    let mut relay = begun();
    assert!(relay.live(&[1]) && !relay.live(&[1, 2]), "nobody knows the other");
    happens(&mut relay, 1, &Event::Exited { exit: exit(0), was_asked: false });
    assert!(relay.live(&[1]), "what it has left runs on");
    happens(&mut relay, 1, &Event::Gone { exit: exit(0), was_asked: false, killed: false });
    assert!(!relay.live(&[1]) && relay.live(&[1 | MAY_RETURN]));
    let mut relay = begun();
    happens(&mut relay, 1, &Event::Exited { exit: exit(1), was_asked: false });
    assert!(!relay.live(&[1]) && !relay.live(&[1 | MAY_RETURN]));
}

#[test]
fn errands_have_ids_of_their_own_and_are_nobody_elses_business() {
    let mut relay = begun();
    let payload = launch(false).to_frame(0).payload;
    let ahead = [(Order::Binary, Some(null())), (Order::Slate, None)];
    let (run, posts) = relay.errand(payload, ahead);
    assert_eq!(posts.iter().map(short).collect::<Vec<_>>(), ["guardian 2 Binary +fd", "guardian 2 Spawn"]);
    let gone = Event::Gone { exit: exit(0), was_asked: false, killed: false };
    assert_eq!(happens(&mut relay, run, &gone), (String::new(), Some(News::Errand(2, gone))));
    relay.forget_errand(run);
    assert_eq!((relay.next_run(), replayed(&relay).len()), (3, 1));
    // Whoever orders one beyond has the numbers after it.
    orders(&mut relay, 1, true, 40, &launch(false));
    assert_eq!(relay.errand(Vec::new(), [(Order::Binary, None), (Order::Slate, None)]).0, 41);
}

#[test]
fn a_guardian_that_is_gone_has_lost_what_lived() {
    let mut relay = begun();
    orders(&mut relay, 1, true, 2, &launch(false));
    happens(&mut relay, 2, &Event::Gone { exit: exit(0), was_asked: true, killed: false });
    let lost: Vec<String> = relay.lose_all().iter().map(short).collect();
    assert_eq!(lost, ["all: 1 Lost"]);
    assert_eq!(orders(&mut relay, 1, true, 3, &launch(false)), "1: 3 Declined");
    assert_eq!(orders(&mut relay, 1, true, 1, &Order::Sync { token: 1 }), "");
    assert!(!relay.live(&[1]));
}

#[test]
fn nothing_is_kept_up_before_the_end_of_the_run() {
    let mut relay = Relay::new();
    let hello = Hello {
        directory: "/d".into(),
        crash_ms: 1,
        reports: true,
        keep: Keep::Always,
        keep_ms: 1,
        janitor_ms: 1,
        logs: "/l".into(),
        has_directory: true,
        tells: false,
    };
    let posts = relay.order(1, true, Order::Hello(hello.clone()).to_frame(0), Some(null())).unwrap();
    assert_eq!(posts.iter().map(short).collect::<Vec<_>>(), ["guardian 0 Hello, keep Never +fd"]);
    assert_eq!(orders(&mut relay, 1, true, 0, &Order::Hello(hello)), "", "once");
    let later = Order::from_frame(&relay.hello_to_keep().unwrap());
    assert!(matches!(later, Some(Order::Hello(Hello { keep: Keep::Always, has_directory: false, .. }))));
}

#[test]
fn of_many_runs_the_first_and_the_last_are_remembered() {
    let mut relay = begun();
    relay.is_up();
    let gone = Event::Gone { exit: exit(0), was_asked: true, killed: false };
    happens(&mut relay, 1, &gone);
    for run in 2..REMEMBERED_RUNS as u32 + 10 {
        orders(&mut relay, 1, true, run, &launch(false));
        happens(&mut relay, run, &gone);
    }
    assert!(relay.runs.len() <= REMEMBERED_RUNS + 2 && relay.runs.contains_key(&1));
    assert_eq!(relay.logs().len(), REMEMBERED_RUNS + 9, "all of them are removed in the end");
    // What was there for a moment is not remembered at all.
    orders(&mut relay, 1, true, 9000, &launch(true));
    happens(&mut relay, 9000, &gone);
    assert!(!relay.runs.contains_key(&9000));
}
