//! Answers of servers: any bytes, in any portions.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::input::Input;
use crate::ready::http_exchange::{self, Extent, Limits, Reader, Request, StatusLine, Trouble, Watch};

/// Only catches a hang.
const LIMIT: Duration = Duration::from_secs(20);

/// What has been decided by the first bytes of an answer is not changed by those that follow.
pub(super) fn status(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (mut head, mut decided) = (Vec::new(), None);
    for portion in input.portions() {
        head.extend_from_slice(portion);
        let verdict = verdict(http_exchange::status_line(&head));
        assert!(decided.is_none() || decided == verdict, "{decided:?} became {verdict:?}");
        decided = verdict;
    }
}

/// A probe says of an answer the same in however many portions it comes, and has said it before its deadline.
pub(super) fn exchange(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let portions: Vec<Vec<u8>> = input.portions().into_iter().map(<[u8]>::to_vec).collect();
    let in_one = ask(vec![portions.concat()]);
    assert_eq!(ask(portions), in_one);
}

/// None while nothing is decided yet.
fn verdict(result: Result<Option<StatusLine>, Trouble>) -> Option<Result<u16, &'static str>> {
    match result {
        Ok(line) => line.map(|line| Ok(line.status)),
        Err(trouble) => {
            let _ = trouble.to_string();
            Some(Err("garbage"))
        }
    }
}

/// Wants all of an answer.
struct Whole;

impl Reader for Whole {
    fn extent(&self, _status: u16) -> Extent {
        Extent::Body
    }

    fn watch(&self) -> Watch<'_> {
        Box::new(|_| false)
    }
}

fn ask(answer: Vec<Vec<u8>>) -> Result<(u16, Vec<u8>), String> {
    static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| Mutex::new(Server::start())).lock().expect("nobody panics with it");
    server.answers.send(answer).expect("the server lives as long as we do");
    let request = Request { method: "GET".into(), host: "h".into(), path: "/".into(), headers: Vec::new(), body: None };
    let limits = Limits::until(Instant::now() + LIMIT, &|| false);
    let answer = http_exchange::exchange(server.addr, &request, &Whole, &limits);
    answer.map(|answer| (answer.status, answer.body)).map_err(|trouble| match trouble {
        // What is quoted of a strange answer, and what it is taken for, hangs on how much had arrived.
        Trouble::Garbage(_) | Trouble::Tls | Trouble::Http2 => "garbage".to_owned(),
        other => other.to_string(),
    })
}

/// A server that gives each client the next answer, in the portions that it was given.
struct Server {
    addr: SocketAddr,
    answers: SyncSender<Vec<Vec<u8>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("it is bound");
        let (answers, given) = mpsc::sync_channel(1);
        thread::spawn(move || serve(&listener, &given));
        Server { addr, answers }
    }
}

fn serve(listener: &TcpListener, answers: &Receiver<Vec<Vec<u8>>>) {
    for answer in answers {
        let (mut client, _) = listener.accept().expect("a client");
        read_request(&mut client);
        client.set_nodelay(true).expect("a socket of TCP");
        for portion in answer {
            // The client leaves as soon as it knows.
            if client.write_all(&portion).is_err() {
                break;
            }
        }
    }
}

/// What is not read would be answered by a reset.
fn read_request(client: &mut TcpStream) {
    let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"\r\n\r\n") {
        match client.read(&mut buffer) {
            Ok(got) if got > 0 => request.extend_from_slice(&buffer[..got]),
            _ => return,
        }
    }
}
