use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread;

use super::*;
use crate::state::client::Client;
use crate::state::protocol::{Key, Only, Value};

/// What a server does that nobody has started.
type Server = fn(UnixStream);

fn socket(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pkit-socket-{}-{name}", crate::sys::child::own_pid()));
    let _ = std::fs::remove_file(&path);
    path
}

/// What one who asks is told, by servers that come one after the other.
fn told(name: &str, servers: &[Server], request: &Request) -> Result<Reply> {
    let path = socket(name);
    let listener = UnixListener::bind(&path).unwrap();
    let client = Client::new(Box::new(Socket::new(path.clone(), None)));
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            for server in servers {
                server(listener.accept().unwrap().0);
            }
            drop(listener);
            std::fs::remove_file(&path).unwrap();
        });
        client.reach().and_then(|()| client.ask(request, Duration::ZERO))
    });
    let _ = std::fs::remove_file(&path);
    result
}

fn hear(stream: &mut UnixStream) -> Request {
    let mut head = [0; HEAD_BYTES];
    stream.read_exact(&mut head).unwrap();
    let mut body = vec![0; wire::frame_length(&head).unwrap().unwrap() - HEAD_BYTES];
    stream.read_exact(&mut body).unwrap();
    wire::read(&body).unwrap()
}

fn say(stream: &mut UnixStream, reply: &Reply) {
    let mut bytes = Vec::new();
    wire::append(&mut bytes, reply).unwrap();
    // In drops, as it may come.
    bytes.iter().for_each(|byte| stream.write_all(&[*byte]).unwrap());
}

fn greet(stream: &mut UnixStream) {
    assert!(matches!(hear(stream), Request::Hello { protocol: PROTOCOL, .. }));
    say(stream, &Reply::Welcome { server: 1 });
}

fn set() -> Request {
    let key = Key { space: "".into(), name: "n".into() };
    Request::Set { key, value: Value { type_name: "u8".into(), bytes: [1].as_slice().into() }, only: Only::Always }
}

fn answers(mut stream: UnixStream) {
    greet(&mut stream);
    hear(&mut stream);
    say(&mut stream, &Reply::Done { version: 7 });
}

fn greets(mut stream: UnixStream) {
    greet(&mut stream);
    // Not before: a reset would be another thing.
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn dies_at_it(mut stream: UnixStream) {
    greet(&mut stream);
    hear(&mut stream);
}

#[test]
fn an_answer_may_come_in_drops() {
    assert_eq!(told("drops", &[answers], &set()).unwrap(), Reply::Done { version: 7 });
}

#[test]
fn a_change_that_was_sent_may_have_been_done() {
    let error = told("change", &[dies_at_it], &set()).unwrap_err();
    assert!(error.to_string().contains("change: it may or may not have been done"), "{error}");
    let error = told("read", &[dies_at_it], &Request::History).unwrap_err();
    assert!(error.kind() == Kind::StateGone && !error.to_string().contains("change:"), "{error}");
}

#[test]
fn what_did_not_reach_it_is_asked_again_elsewhere() {
    let path = socket("again");
    let listener = UnixListener::bind(&path).unwrap();
    let client = Arc::new(Client::new(Box::new(Socket::new(path.clone(), None))));
    thread::scope(|scope| {
        let first = scope.spawn(|| greets(listener.accept().unwrap().0));
        client.reach().unwrap();
        first.join().unwrap();
        scope.spawn(|| answers(listener.accept().unwrap().0));
        assert_eq!(client.ask(&set(), Duration::ZERO).unwrap(), Reply::Done { version: 7 });
    });
    std::fs::remove_file(path).unwrap();
}

#[test]
fn whoever_speaks_another_version_is_named_with_ours() {
    let other: Server = |mut stream| {
        hear(&mut stream);
        say(&mut stream, &Reply::Refused(Refusal::OtherProtocol(77)));
    };
    let error = told("version", &[other], &set()).unwrap_err().to_string();
    let expected = format!("it speaks version 77 of the protocol, and this program version {PROTOCOL}");
    assert!(error.contains("cannot be used") && error.contains(&expected), "{error}");
}

#[test]
fn what_is_no_answer_is_no_state() {
    for noise in [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[0, 0, 0, 1, 99], &[0, 0, 0, 0], &[0, 0, 0, 9, 0]] {
        let path = socket("noise");
        let listener = UnixListener::bind(&path).unwrap();
        let error = thread::scope(|scope| {
            scope.spawn(move || {
                let mut stream = listener.accept().unwrap().0;
                // Whoever is cut off asks once more.
                drop(listener);
                hear(&mut stream);
                stream.write_all(noise).unwrap();
            });
            Client::new(Box::new(Socket::new(path.clone(), None))).reach().unwrap_err()
        });
        std::fs::remove_file(&path).unwrap();
        assert_eq!(error.kind(), Kind::StateGone, "{error}");
    }
}

#[test]
fn a_value_that_no_frame_holds_is_refused_before_it_is_sent() {
    let Request::Set { key, only, .. } = set() else { unreachable!() };
    let value = Value { type_name: "u8".into(), bytes: vec![0; FRAME_BYTES].into() };
    let reply = told("large", &[greets], &Request::Set { key, value, only }).unwrap();
    assert!(matches!(reply, Reply::Refused(Refusal::TooLarge { .. })), "{reply:?}");
}

#[test]
fn a_silent_one_is_late_and_time_is_given_whole_again() {
    // A whole number of ticks of any kernel.
    const SHORT: Duration = Duration::from_millis(40);
    const LONG: Duration = Duration::from_secs(60);
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut wire = Wire::new(ours, SHORT).unwrap();
    assert_eq!(wire.ask(&Request::History, SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
    // One that is answered in time only because it may wait longer: first as the socket does, then for what is left.
    wire.usual = LONG;
    thread::scope(|scope| {
        scope.spawn(|| {
            hear(&mut theirs);
            hear(&mut theirs);
            let _ = crate::sys::fd::is_readable_until(std::os::fd::AsFd::as_fd(&theirs), Instant::now() + SHORT * 2);
            say(&mut theirs, &Reply::Moved);
        });
        assert_eq!(wire.ask(&Request::History, LONG / 2).unwrap(), Reply::Moved);
    });
    assert_eq!(wire.stream.read_timeout().unwrap(), Some(LONG));
}
