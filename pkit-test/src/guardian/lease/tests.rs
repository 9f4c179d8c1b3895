//! Conversations with a broker that says what it is told to.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;
use crate::config::deadline_in;
use crate::guardian::broker::protocol::Undone;
use crate::guardian::client::Luggage;
use crate::guardian::protocol::tests::plain;
use crate::guardian::protocol::{Event, Order, SPAWN};
use crate::guardian::run::Phase;
use crate::guardian::wire::Frame;
use crate::sys::child::End;
use crate::sys::directory;

/// The other end of a connection.
struct Broker {
    socket: UnixStream,
    inbox: Inbox,
}

/// At once: a fork of this process, of another test, may have the socket as well.
impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Broker {
    fn says(&self, word: &Word) {
        self.passes_on(&word.to_frame(), None);
    }

    fn tells(&self, id: u32, event: &Event) {
        self.passes_on(&event.to_frame(id), None);
    }

    fn passes_on(&self, frame: &Frame, attached: Option<OwnedFd>) {
        wire::send(&self.socket, frame, attached).expect("the test listens");
    }

    fn grants(&self, parts: Vec<Vec<u8>>) {
        self.says(&Word::Granted(Granted { parts, slot: 2, number: 7, next_id: 40, starts: 1 }));
    }

    /// The next frame, and what came with it; `None` at the end.
    fn hears(&mut self) -> Option<(Frame, Option<OwnedFd>)> {
        loop {
            if let Some(frame) = self.inbox.take().expect("a sound stream") {
                let attached = self.inbox.attached();
                return Some((frame, attached));
            }
            if matches!(self.inbox.fill(&self.socket), Ok(Got::End) | Err(_)) {
                return None;
            }
        }
    }

    fn asked(&mut self) -> Option<Ask> {
        self.hears().map(|(frame, _)| Ask::from_frame(&frame).expect("a word for a broker"))
    }

    /// All that is still to come.
    fn rest(mut self) -> Vec<Ask> {
        std::iter::from_fn(|| self.asked()).collect()
    }
}

fn wanted(is_exclusive: bool) -> Want {
    let [key, name, shown, who] = ["k", "db", "tcp(\"db\", 0)", "a::b (process 4)"].map(str::to_owned);
    Want { key, name, shown, test: who.clone(), who, is_exclusive, tries_again: false }
}

/// What somebody gets who wants it, from a broker that does this once it has heard of that.
fn talk<R: Send + 'static>(
    wanted: &Want,
    deadline: Instant,
    broker: impl FnOnce(Broker) -> R + Send + 'static,
) -> (Result<Answer>, Receiver<R>) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let (sender, receiver) = channel();
    let said = wanted.clone();
    thread::spawn(move || {
        let mut other = Broker { socket: theirs, inbox: Inbox::default() };
        assert_eq!(other.asked(), Some(Ask::Want(said)));
        // Nobody may want to know.
        let _ = sender.send(broker(other));
    });
    (want(ours, wanted, deadline, &|| false), receiver)
}

fn soon() -> Instant {
    Instant::now() + REPLY_LIMIT
}

/// A lease, with what was said of runs before it, and the broker that has given it.
fn leased(want: &Want, before: impl FnOnce(&Broker) + Send + 'static) -> (Attached, Broker) {
    let (answer, broker) = talk(want, soon(), move |broker| {
        before(&broker);
        broker.grants(vec![b"part".to_vec()]);
        broker
    });
    let Ok(Answer::Granted(attached)) = answer else { panic!("granted, and not {answer:?}") };
    (attached, broker.recv().expect("it lives"))
}

fn joined(attached: &Attached, id: u32) -> (Joined, Receiver<Phase>) {
    let (sender, ended) = channel();
    let past = Past { log: "/nowhere".into(), bytes: 0, age: Duration::ZERO };
    let on_end = Box::new(move |state: &State| sender.send(state.phase).expect("the test looks"));
    (attached.run(id, past, on_end), ended)
}

fn started(pid: i32) -> Event {
    Event::Started { pid, shim: pid + 1 }
}

fn gone(code: i32, was_asked: bool) -> Event {
    Event::Gone { exit: End::Code(code).into(), was_asked, killed: false }
}

#[test]
fn what_has_happened_before_is_known_and_what_happens_then_is_told() {
    let (attached, broker) = leased(&wanted(false), |broker| {
        broker.says(&Word::Wait("`x` starts it".to_owned()));
        [(1, started(11)), (2, started(22)), (2, gone(3, false))]
            .iter()
            .for_each(|(id, event)| broker.tells(*id, event));
    });
    assert_eq!((attached.part(0), attached.part(1)), (Some(&b"part"[..]), None));
    let lease = attached.lease();
    assert_eq!((lease.slot(), lease.number(), lease.starts(), lease.is_exclusive()), (2, 7, 1, false));

    let (up, up_ended) = joined(&attached, 1);
    assert_eq!((up.run.phase(), up.run.pid(), up.was_over), (Phase::Running, Some(11), false));
    let (over, over_ended) = joined(&attached, 2);
    assert!(over.was_over && over.run.phase().exit().is_some_and(|exit| exit.code() == Some(3)));
    assert!(over_ended.recv().is_err(), "what was over before is told to nobody");

    broker.tells(1, &gone(0, false));
    let phase = up_ended.recv().expect("its end is told");
    assert!(phase.exit().is_some_and(|exit| exit.success()));
}

#[test]
fn what_happens_before_somebody_attaches_is_kept_for_that() {
    let (attached, broker) = leased(&wanted(false), |broker| broker.tells(1, &started(11)));
    broker.tells(1, &gone(9, false));
    broker.tells(2, &started(22));
    // Behind it in the stream, so that all before it was heard.
    broker.says(&Word::Released(Undone::Lost));
    assert!(attached.lease().guardian().line().next(soon()).is_some());
    let (joined, ended) = joined(&attached, 1);
    assert!(!joined.was_over && joined.run.phase().is_over(), "it ended during the lease");
    assert!(ended.recv().is_ok());
}

#[test]
fn the_same_said_twice_is_the_same() {
    let (attached, broker) = leased(&wanted(false), |broker| {
        let twice = [started(11), gone(3, true), started(11), gone(4, false)];
        twice.iter().for_each(|event| broker.tells(1, event));
    });
    let (joined, _) = joined(&attached, 1);
    assert_eq!(joined.run.phase().exit().and_then(|exit| exit.code()), Some(3));
    assert!(joined.run.look(|state| state.is_asked_to_end));
    drop(broker);
}

#[test]
fn a_slate_comes_with_its_run() {
    let (attached, _broker) = leased(&wanted(false), |broker| {
        let null = std::fs::File::open("/dev/null").expect("null");
        broker.passes_on(&Word::Slate(1).to_frame(), Some(null.into()));
    });
    assert!(attached.slate(1).is_some() && attached.slate(1).is_none() && attached.slate(2).is_none());
}

#[test]
fn a_start_that_failed_is_an_answer_and_so_is_a_refusal() {
    let (failed, _) = talk(&wanted(false), soon(), |broker| broker.says(&Word::Failed(b"why".to_vec())));
    assert!(matches!(failed, Ok(Answer::Failed(why)) if why == b"why"));
    let (refused, _) = talk(&wanted(false), soon(), |broker| broker.says(&Word::Refused("the run is over".to_owned())));
    assert!(matches!(refused, Ok(Answer::Refused(why)) if why == "the run is over"));
}

#[test]
fn an_end_without_an_answer_is_that_of_the_broker() {
    let (answer, _) = talk(&wanted(false), soon(), drop);
    assert!(matches!(answer, Ok(Answer::Nobody)));
    let waited = |broker: Broker| broker.says(&Word::Wait("x".to_owned()));
    let (answer, _) = talk(&wanted(false), soon(), waited);
    assert!(matches!(answer, Ok(Answer::Nobody)));
    let scribbled = |broker: Broker| _ = fd::send(&broker.socket, &[0xff; 100]).expect("sent");
    let (answer, _) = talk(&wanted(false), soon(), scribbled);
    assert!(matches!(answer, Ok(Answer::Nobody)));
}

/// What a broker has said by the deadline, which is now, and what comes of it. It hears of the want when it has spoken.
fn at_the_deadline(said: &[Word]) -> (Result<Answer>, Vec<Ask>) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let mut broker = Broker { socket: theirs, inbox: Inbox::default() };
    said.iter().for_each(|word| broker.says(word));
    let answer = want(ours, &wanted(false), Instant::now(), &|| false);
    assert_eq!(broker.asked(), Some(Ask::Want(wanted(false))));
    let rest = if answer.is_err() { broker.rest() } else { Vec::new() };
    (answer, rest)
}

fn waits_for_another() -> Word {
    Word::Wait("`c::d (process 9)` starts it".to_owned())
}

#[test]
fn a_wait_that_is_too_long_says_for_whom() {
    let (answer, rest) = at_the_deadline(&[waits_for_another()]);
    let error = answer.expect_err("nobody has answered");
    assert!(error.is_timeout());
    let text = error.to_string();
    let (head, tail) = text.split_once("waited:").expect("it says how long");
    assert_eq!(head, "`db` is shared, and was not to be had in time\n  spec:   tcp(\"db\", 0)\n  ");
    let (_, why) = tail.split_once('\n').expect("it says for whom");
    assert!(why.starts_with("  why:    `c::d (process 9)` starts it\n  hint:   `PKIT_TIMEOUT_SCALE`"), "{tail}");
    assert_eq!(rest, [], "the end of the connection says it");
}

/// Whoever stands still until the deadline has what has come meanwhile.
#[test]
fn an_answer_that_has_come_by_the_deadline_is_one() {
    let (answer, _) = at_the_deadline(&[waits_for_another(), Word::Failed(b"why".to_vec())]);
    assert!(matches!(answer, Ok(Answer::Failed(why)) if why == b"why"));
}

#[test]
fn a_broker_that_says_nothing_is_told_of() {
    let deadline = Instant::now() + Duration::from_millis(20);
    let (answer, _broker) = talk(&wanted(false), deadline, Broker::rest);
    let text = answer.expect_err("nobody has answered").to_string();
    assert!(text.contains("\n  why:    the broker of the run does not answer\n"), "{text}");
}

#[test]
fn what_nobody_wants_any_more_is_not_waited_for() {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let _of_a_fork = ours.try_clone().expect("one more");
    let error = want(ours, &wanted(false), deadline_in(Duration::MAX), &|| true).expect_err("given up");
    assert_eq!(error.kind(), Kind::Cancelled);
    let limit = Some(Duration::from_secs(10));
    theirs.set_read_timeout(limit).expect("a time");
    io::copy(&mut theirs, &mut io::sink()).expect("it ends, whoever has a copy of it");
}

#[test]
fn a_start_has_a_guardian_and_then_a_lease_like_others() {
    let (answer, broker) = talk(&wanted(false), soon(), |mut broker| {
        broker.says(&Word::Start { next_id: 5 });
        let (begin, binary) = broker.hears().expect("it begins");
        assert_eq!(Ask::from_frame(&begin), Some(Ask::Begin));
        assert!(binary.is_some(), "a guardian is to be executed");
        let (hello, directory) = broker.hears().expect("it says hello");
        let Some(Order::Hello(hello)) = Order::from_frame(&hello) else { panic!("a hello") };
        assert!(hello.has_directory && directory.is_some() && hello.directory.is_dir());
        let (spawn, _) = broker.hears().expect("it orders");
        assert!((spawn.id, matches!(Order::from_frame(&spawn), Some(Order::Spawn(_)))) == (5, true));
        broker.tells(5, &started(11));
        assert_eq!(broker.asked(), Some(Ask::Ready { parts: vec![b"it".to_vec()], vital: vec![5] }));
        broker.tells(5, &started(11));
        broker.grants(vec![b"it".to_vec()]);
        (hello.directory, broker)
    });
    let Ok(Answer::Start(starting)) = answer else { panic!("to be started, and not {answer:?}") };
    let heard = starting.guardian().launch(plain(), Luggage::default(), Box::new(|_| ()));
    let run = heard.expect("it can be ordered").expect("somebody takes orders");
    assert!(run.wait_until(Some(soon()), |state| state.pid.filter(|pid| *pid == 11)).is_some());
    assert!(!starting.guardian().has_successor());

    let attached = starting.ready(vec![b"it".to_vec()], vec![5]).expect("it is granted");
    let (directory, broker) = broker.recv().expect("it lives");
    let (joined, _) = joined(&attached, 5);
    assert_eq!(joined.run.pid(), Some(11));
    drop((joined, run, attached));
    assert_eq!(broker.rest(), [Ask::Release { failed: false, changed: Vec::new(), vital: None }]);
    directory::remove_all(&directory).expect("it is ours");
}

/// What the broker hears of a start that goes this way, behind its beginning.
fn start(go_on: impl FnOnce(Starting), word: Option<Word>) -> Vec<Ask> {
    let (answer, broker) = talk(&wanted(false), soon(), move |mut broker| {
        broker.says(&Word::Start { next_id: 1 });
        broker.hears();
        let (hello, _) = broker.hears().expect("it says hello");
        let Some(Order::Hello(hello)) = Order::from_frame(&hello) else { panic!("a hello") };
        directory::remove_all(&hello.directory).expect("it is ours");
        word.iter().for_each(|word| broker.says(word));
        broker.rest()
    });
    let Ok(Answer::Start(starting)) = answer else { panic!("to be started, and not {answer:?}") };
    go_on(starting);
    broker.recv().expect("it lives")
}

#[test]
fn a_start_that_fails_is_said_and_one_that_is_dropped_ends() {
    assert_eq!(start(|starting| starting.not_started(b"why".to_vec()), None), [Ask::NotStarted(b"why".to_vec())]);
    assert_eq!(start(drop, None), []);
}

#[test]
fn what_has_ended_meanwhile_is_not_granted() {
    let refused = Some(Word::Refused("it has ended".to_owned()));
    let said = start(
        |starting| {
            let error = starting.ready(Vec::new(), vec![1]).expect_err("there is nothing");
            assert!(error.is_guardian_lost());
            let text = "`db` was started, and is not there any more\n  spec:   tcp(\"db\", 0)\n  why:    it has ended";
            assert_eq!(error.to_string(), text);
        },
        refused,
    );
    assert_eq!(said, [Ask::Ready { parts: Vec::new(), vital: vec![1] }]);
}

#[test]
fn a_lease_ends_with_the_last_of_its_handles() {
    let (attached, broker) = leased(&wanted(false), |_| ());
    let lease = Arc::clone(attached.lease());
    (0..2).for_each(|_| lease.use_it());
    lease.leave_it();
    assert!(!lease.is_over());
    lease.note_failure();
    lease.leave_it();
    assert!(lease.is_over());
    assert_eq!(broker.rest(), [Ask::Release { failed: true, changed: Vec::new(), vital: None }]);
    assert_eq!(lease.release().expect("it is over"), Undone::Nothing);
}

#[test]
fn what_is_to_be_undone_is_waited_for_once() {
    let (attached, mut broker) = leased(&wanted(false), |_| ());
    let lease = attached.lease();
    let null = || Some(std::fs::File::open("/dev/null").expect("null").into());
    lease.undo(&plain(), Duration::from_millis(9), null(), null()).expect("it is passed on");
    let (binary, with) = broker.hears().expect("first the binary");
    assert!(with.is_some() && Ask::from_frame(&binary) == Some(Ask::Binary));
    let (undo, slate) = broker.hears().expect("then the order");
    let Some(Ask::Undo { launch: order, limit_ms: 9 }) = Ask::from_frame(&undo) else { panic!("an undo") };
    let order = Order::from_frame(&Frame { id: 1, kind: SPAWN, payload: order });
    assert!(slate.is_some() && order == Some(Order::Spawn(Box::new(plain()))));

    let undone = Undone::Ended { exit: End::Code(0).into(), was_late: false, log: "/log".into() };
    broker.says(&Word::Released(undone.clone()));
    assert_eq!(lease.release().expect("it is said"), undone);
    assert_eq!(lease.release().expect("it was said"), undone);
    assert_eq!(broker.rest().len(), 1);
}

#[test]
fn what_was_to_be_undone_is_lost_with_the_broker() {
    let (attached, broker) = leased(&wanted(false), |_| ());
    let (joined, _) = joined(&attached, 1);
    attached.lease().undo(&plain(), Duration::from_secs(1), None, None).expect("it is passed on");
    drop(broker);
    assert_eq!(attached.lease().release().expect("it is known"), Undone::Lost);
    let lost = joined.run.wait_over(Some(soon()));
    assert_eq!(lost, Some(Phase::Lost { with_guardian: true }));
}

#[test]
fn a_run_that_was_let_go_is_not_lost() {
    let (attached, broker) = leased(&wanted(false), |broker| broker.tells(1, &started(11)));
    let (joined, _) = joined(&attached, 1);
    assert_eq!(attached.lease().release().expect("there is nothing to be undone"), Undone::Nothing);
    assert_eq!(broker.rest().len(), 1);
    let line = attached.lease().guardian().line();
    assert!(line.wait_for_end(soon()), "the thread has seen the end");
    assert_eq!(joined.run.phase(), Phase::Running);
    let began = Instant::now();
    assert!(joined.run.request(|token| Order::Sync { token }).is_err());
    assert!(began.elapsed() < REPLY_LIMIT / 2, "nobody is there to answer");
}

#[test]
fn whoever_has_it_alone_says_what_it_has_changed() {
    let (attached, broker) = leased(&wanted(true), |_| ());
    let lease = attached.lease();
    [(1, 10), (2, 11)].iter().for_each(|(part, id)| lease.note_vital(*part, *id));
    lease.note_change(1, 40, b"old".to_vec());
    lease.note_change(1, 41, b"new".to_vec());
    lease.note_change(3, 42, b"job".to_vec());
    drop(attached);
    let changed = vec![(1, b"new".to_vec()), (3, b"job".to_vec())];
    assert_eq!(broker.rest(), [Ask::Release { failed: false, changed, vital: Some(vec![41, 11]) }]);
}

#[test]
fn whoever_has_put_something_else_in_its_place_says_that_it_is_over() {
    let (attached, broker) = leased(&wanted(true), |_| ());
    let lease = attached.lease();
    lease.note_vital(1, 10);
    lease.note_change(1, 40, b"again".to_vec());
    lease.spoil(1, 40);
    lease.note_change(1, 41, b"another".to_vec());
    drop(attached);
    assert_eq!(broker.rest(), [Ask::Release { failed: false, changed: Vec::new(), vital: Some(vec![40]) }]);
}

#[test]
fn nothing_of_a_lease_is_left_when_it_is_over() {
    use std::os::unix::fs::MetadataExt as _;
    let (attached, broker) = leased(&wanted(false), |_| ());
    let socket = std::fs::File::from(attached.lease().guardian().socket.as_fd().try_clone_to_owned().expect("a copy"));
    let name = format!("socket:[{}]", socket.metadata().expect("it is open").ino());
    drop(socket);
    assert_eq!(open(&name), 2, "one of the lease and one of the thread that reads");
    let line = Arc::downgrade(attached.lease().guardian());
    drop(attached);
    assert_eq!(broker.rest().len(), 1);
    let deadline = soon();
    while open(&name) > 0 && Instant::now() < deadline {
        thread::yield_now();
    }
    assert_eq!((open(&name), line.strong_count()), (0, 0));
}

/// How many descriptors of this process are that.
fn open(name: &str) -> usize {
    let fds = std::fs::read_dir("/proc/self/fd").expect("there is a /proc");
    fds.flatten().filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == name)).count()
}
