use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::*;

mod bodies;

/// Only catches a hang.
const HANG: Duration = Duration::from_secs(30);

/// A server for one connection, and what it returns when it is done.
struct Server<T> {
    addr: SocketAddr,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Server<T> {
    fn new(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> Server<T> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let thread = thread::spawn(move || serve(listener.accept().unwrap().0));
        Server { addr, thread }
    }

    fn ask(self, limit_ms: u64) -> (Result<u16, Trouble>, T) {
        let answer = get(self.addr, limit_ms);
        (answer, self.thread.join().unwrap())
    }
}

/// A connection over which its server has said something already, and what goes on there.
fn spoken_to<T: Send + 'static>(
    said: &[u8],
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (TcpStream, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut server = listener.accept().unwrap().0;
    server.write_all(said).unwrap();
    let mut seen = vec![0; said.len()];
    while !said.is_empty() && client.peek(&mut seen).unwrap() < said.len() {}
    client.set_nonblocking(true).unwrap();
    (client, thread::spawn(move || serve(server)))
}

/// Asks over it, and is told nothing in that time.
fn ask_over(stream: TcpStream, limit_ms: u64) -> Trouble {
    let began = Instant::now();
    let limit = Duration::from_millis(limit_ms);
    let limits = Limits { began, ..Limits::until(began + limit, &|| false) };
    let trouble = exchange_over(stream, &request().bytes().unwrap(), false, &STATUS, &limits).unwrap_err();
    assert!(began.elapsed() >= limit);
    trouble
}

fn request() -> Request {
    Request { method: "GET".into(), host: "h".into(), path: "/".into(), headers: Vec::new(), body: None }
}

/// Wants as much of every answer, and the body until a text has come.
struct Wants(Extent, &'static str);

impl Reader for Wants {
    fn extent(&self, _: u16) -> Extent {
        self.0
    }

    fn watch(&self) -> Watch<'_> {
        Box::new(|body| !self.1.is_empty() && String::from_utf8_lossy(body).contains(self.1))
    }
}

const STATUS: Wants = Wants(Extent::Status, "");

fn get(addr: SocketAddr, limit_ms: u64) -> Result<u16, Trouble> {
    ask(addr, &request(), limit_ms)
}

fn ask(addr: SocketAddr, request: &Request, limit_ms: u64) -> Result<u16, Trouble> {
    let limits = Limits::until(Instant::now() + Duration::from_millis(limit_ms), &|| false);
    exchange(addr, request, &STATUS, &limits).map(|answer| answer.status)
}

/// Reads the request, answers, and waits until the client has left. Returns how it left.
fn answering(answer: &[u8]) -> Server<String> {
    let answer = answer.to_owned();
    Server::new(move |mut stream| {
        read_request(&mut stream);
        let written = stream.write_all(&answer);
        let _ = stream.shutdown(Shutdown::Write);
        format!(
            "{}{}",
            written.map_or_else(|error| format!("{}, ", error.kind()), |()| String::new()),
            rest(&mut stream)
        )
    })
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        read.extend(byte);
    }
    String::from_utf8(read).unwrap()
}

fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(0) => "end".to_owned(),
        Ok(more) => format!("{more} bytes, then end"),
        Err(error) => error.kind().to_string(),
    }
}

fn says(answer: &[u8]) -> String {
    let server = answering(answer);
    // A server that stands still in the middle of it would be left for that.
    let limits = Limits { farewell: HANG, ..Limits::until(Instant::now() + HANG, &|| false) };
    let answer = exchange(server.addr, &request(), &STATUS, &limits).map(|answer| answer.status);
    let left = server.thread.join().unwrap();
    assert_eq!(left, "end", "a probe is not to reset a connection");
    answer.map_or_else(|trouble| trouble.to_string(), |status| status.to_string())
}

#[test]
fn the_status_is_read_from_many_kinds_of_answer() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200"),
        ("HTTP/1.0 404 Not Found\r\n\r\n", "404"),
        ("HTTP/1.1 204\r\n\r\n", "204"),
        ("HTTP/1.1 200 \r\n\r\n", "200"),
        ("HTTP/1.1 200 OK\n\n", "200"),
        ("HTTP/1.1  503  Busy\r\n", "503"),
        ("HTTP/2 200\r\n\r\n", "200"),
        ("HTTP/1.1 999 What\r\n", "999"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "101"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n\r\n", "201"),
        ("HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 P\n\nHTTP/1.1 500 E\r\n\r\n", "500"),
    ] {
        assert_eq!(says(answer.as_bytes()), expected, "{answer:?}");
    }
}

#[test]
fn what_is_no_answer_has_its_words() {
    let long = ["HTTP/1.1 200 ".to_owned(), "x".repeat(10_000)].concat();
    let hints = "HTTP/1.1 103 Hints\r\n\r\n".repeat(500);
    for (answer, expected) in [
        ("", "closed the connection without an answer"),
        ("HTTP/1.", "closed the connection within the answer: \"HTTP/1.\""),
        ("HTTP/1.1 200 OK", "closed the connection within the answer: \"HTTP/1.1 200 OK\""),
        ("HTTP/1.1 103 Hints\r\nLi", "closed the connection within the answer: \"HTTP/1.1 103 Hints\\r\\nLi\""),
        ("SSH-2.0-OpenSSH_9.2\r\n", "answered garbage: \"SSH-2.0-OpenSSH_9.2\\r\\n\""),
        ("H\n", "answered garbage: \"H\\n\""),
        ("HTTP/1.1 abc OK\r\n", "answered garbage: \"HTTP/1.1 abc OK\\r\\n\""),
        ("HTTP/1.1 099 OK\r\n", "answered garbage: \"HTTP/1.1 099 OK\\r\\n\""),
        ("HTTP/1.1 2000 OK\r\n", "answered garbage: \"HTTP/1.1 2000 OK\\r\\n\""),
        ("HTTP/1.1\r\n", "answered garbage: \"HTTP/1.1\\r\\n\""),
        ("HTTP/ \r\n", "answered garbage: \"HTTP/ \\r\\n\""),
        ("HTTP/x 200 OK\r\n", "answered garbage: \"HTTP/x 200 OK\\r\\n\""),
        ("-ERR unknown command 'GET'\r\n", "answered garbage: \"-ERR unknown command \\'GET\\'\\r\\n\""),
        ("\u{15}\u{3}\u{1}\0\u{2}\u{2}F", "answered in TLS, but it was asked in plain http"),
        ("\0\0\u{6}\u{4}\0\0\0\0\0\0\u{3}\0\0\0d", "answered in HTTP/2, as gRPC does, but it was asked in HTTP/1.1"),
        ("\0\0\u{6}\u{4}\0\0\0\0\u{1}", r#"answered garbage: "\x00\x00\x06\x04\x00\x00\x00\x00\x01""#),
        (&long, "no status in the first 8 KiB of the answer"),
        (&hints, "no status in the first 8 KiB of the answer"),
    ] {
        assert_eq!(says(answer.as_bytes()), expected, "{answer:?}");
    }
    assert_eq!(says(&[0xff; 100]), format!("answered garbage: \"{}…\"", "\\xff".repeat(60)));
}

#[test]
fn a_status_that_comes_in_drops_is_read() {
    let server = Server::new(|mut stream| {
        stream.set_nodelay(true).unwrap();
        read_request(&mut stream);
        for byte in b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" {
            stream.write_all(&[*byte]).unwrap();
        }
    });
    assert_eq!(server.ask(10_000).0.unwrap(), 200);
}

#[test]
fn a_body_of_any_ordinary_size_is_left_with_an_end() {
    for length in [0, 1, 100_000, 1_000_000] {
        let answer = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![b'x'; length]].concat();
        assert_eq!(says(&answer), "200", "{length}");
    }
}

#[test]
fn a_body_without_end_is_left_all_the_same() {
    let server = Server::new(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 10_000]).is_ok() {}
    });
    assert_eq!(server.ask(10_000).0.unwrap(), 200);
}

#[test]
fn a_server_that_keeps_the_connection_sees_its_end() {
    let server = Server::new(|mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        rest(&mut stream)
    });
    let began = Instant::now();
    let (answer, left) = server.ask(2 * HANG.as_millis() as u64);
    assert_eq!((answer.unwrap(), left.as_str()), (200, "end"));
    assert!(began.elapsed() < HANG);
}

#[test]
fn nobody_there_is_refused() {
    let addr = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let deadline = Instant::now() + 3 * HANG;
    let mut answer = get(addr, 10_000);
    // A child that another test is just starting has our descriptors until its exec.
    while !matches!(answer, Err(Trouble::Refused)) && Instant::now() < deadline {
        answer = get(addr, 10);
    }
    assert_eq!(answer.unwrap_err().to_string(), "connection refused");
}

#[test]
fn an_address_that_cannot_be_reached_says_why() {
    // A broadcast address refuses connections in the system call itself.
    let trouble = get("255.255.255.255:80".parse().unwrap(), 10_000).unwrap_err().to_string();
    assert!(trouble.starts_with("not connected: "), "{trouble}");
    assert!(!trouble.contains("os error"), "{trouble}");
}

#[test]
fn silence_ends_at_the_deadline() {
    for (said, expected) in [
        ("", "no answer within 60 ms"),
        ("HTTP/1.1 2", "no whole status line within 60 ms: \"HTTP/1.1 2\""),
        ("HTTP/1.1 100 Continue\r\n", "no whole status line within 60 ms: \"HTTP/1.1 100 Continue\\r\\n\""),
    ] {
        let (stream, server) = spoken_to(said.as_bytes(), |mut stream| {
            read_request(&mut stream);
            rest(&mut stream)
        });
        assert_eq!(ask_over(stream, 60).to_string(), expected);
        assert_eq!(server.join().unwrap(), "end");
    }
}

#[test]
fn a_server_that_drips_for_ever_does_not_move_the_deadline() {
    let (stream, server) = spoken_to(b"HTTP/1.1 200 ", |mut stream| {
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        while stream.write_all(b"x").is_ok() {
            // A pause that ends at once when the client leaves.
            if matches!(stream.read(&mut [0; 1000]), Ok(0)) {
                return;
            }
        }
    });
    let began = Instant::now();
    let trouble = ask_over(stream, 100);
    assert!(matches!(trouble, Trouble::PartOfAnswer { .. }), "{trouble}");
    assert!(began.elapsed() < HANG);
    server.join().unwrap();
}

#[test]
fn a_deadline_in_the_past_is_an_error_and_no_panic() {
    let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    let limits = Limits::until(past, &|| false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let answer = exchange(listener.local_addr().unwrap(), &request(), &STATUS, &limits);
    // A busy kernel may come to the connection only later.
    let is_late = matches!(answer, Err(Trouble::NoAnswer(Duration::ZERO) | Trouble::NotAccepted(Duration::ZERO)));
    assert!(is_late, "{answer:?}");
}

#[test]
fn a_full_queue_is_not_called_silence() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    // Whoever comes first fills the queue; nobody accepts.
    let waiting: Vec<_> = (0..3).map(|_| socket::begin_connect(addr).unwrap()).collect();
    let trouble = get(addr, 50).unwrap_err();
    assert!(matches!(trouble, Trouble::NotAccepted(_)), "{trouble}");
    assert!(trouble.to_string().starts_with("connection not accepted within "), "{trouble}");
    drop(waiting);
}

#[test]
fn a_reset_is_a_reset() {
    let (answer, ()) = Server::new(|mut stream| {
        read_request(&mut stream);
        socket::abort(stream);
    })
    .ask(10_000);
    assert_eq!(answer.unwrap_err().to_string(), "reset the connection");
}

#[test]
fn a_cancellation_is_noticed_soon() {
    let (began_to_wait, waits) = mpsc::channel();
    let server = Server::new(move |mut stream| {
        read_request(&mut stream);
        began_to_wait.send(()).unwrap();
        rest(&mut stream)
    });
    let cancelled = &AtomicBool::new(false);
    let began = Instant::now();
    let answer = thread::scope(|scope| {
        scope.spawn(move || {
            waits.recv().unwrap();
            cancelled.store(true, Ordering::Relaxed);
        });
        let deadline = Instant::now() + 2 * HANG;
        let is_cancelled = || cancelled.load(Ordering::Relaxed);
        exchange(server.addr, &request(), &STATUS, &Limits::until(deadline, &is_cancelled))
    });
    assert!(matches!(answer, Err(Trouble::Cancelled)));
    assert!(began.elapsed() < HANG);
    assert_eq!(server.thread.join().unwrap(), "end");
}

#[test]
fn a_connection_to_itself_is_nobody() {
    let own = socket::bind_shared("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = TcpStream::from(own.try_clone().unwrap()).local_addr().unwrap();
    let itself = nix::sys::socket::SockaddrStorage::from(addr);
    nix::sys::socket::connect(std::os::fd::AsRawFd::as_raw_fd(&own), &itself).unwrap();
    let trouble = not_to_itself(TcpStream::from(own)).unwrap_err();
    assert_eq!(trouble.to_string(), "connection refused (it met itself, as nobody listens)");
}

#[test]
fn an_answer_before_the_request_is_read_counts() {
    let server = Server::new(|mut stream| {
        stream.write_all(b"HTTP/1.1 413 Too Large\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        drop(stream);
    });
    let large = Request { body: Some(vec![b'x'; 20_000_000]), ..request() };
    let answer = ask(server.addr, &large, 10_000);
    assert!(matches!(answer, Ok(413) | Err(Trouble::Reset)), "{answer:?}");
    server.thread.join().unwrap();
}

#[test]
fn a_server_that_does_not_read_does_not_block_us() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let large = Request { body: Some(vec![b'x'; 20_000_000]), ..request() };
    let answer = ask(listener.local_addr().unwrap(), &large, 500);
    assert!(matches!(answer, Err(Trouble::NoAnswer(_))), "{answer:?}");
}

fn sent(request: Request) -> String {
    request.bytes().map_or_else(|trouble| trouble.to_string(), |bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn a_request_is_what_a_server_expects() {
    let ours = "User-Agent: pkit-test\r\nAccept: */*\r\nConnection: close\r\n";
    assert_eq!(sent(request()), format!("GET / HTTP/1.1\r\nHost: h\r\n{ours}\r\n"));
    let headers = vec![("host".into(), "other".into()), ("X-A".into(), "é b".into())];
    assert_eq!(
        sent(Request { headers, ..request() }),
        format!("GET / HTTP/1.1\r\n{ours}host: other\r\nX-A: é b\r\n\r\n")
    );
    let post = Request { method: "POST".into(), body: Some(b"a=b".to_vec()), ..request() };
    assert_eq!(sent(post), format!("POST / HTTP/1.1\r\nHost: h\r\n{ours}Content-Length: 3\r\n\r\na=b"));
}

#[test]
fn a_path_cannot_end_the_line() {
    for (path, expected) in [
        ("", "/"),
        ("x", "/x"),
        ("/a b", "/a%20b"),
        ("/a\r\nX: y", "/a%0D%0AX:%20y"),
        ("/é?q=%20&r={}", "/%C3%A9?q=%20&r={}"),
        ("//h/x", "//h/x"),
    ] {
        let sent = sent(Request { path: path.into(), ..request() });
        assert!(sent.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{sent}");
    }
}

#[test]
fn a_request_that_would_be_two_is_not_sent() {
    let with = |name: &str, value: &str| sent(Request { headers: vec![(name.into(), value.into())], ..request() });
    let broken = "the header `X` holds a line break or another control character";
    assert_eq!(with("X", "a\r\nY: b"), format!("cannot be asked: {broken}"));
    assert_eq!(with("X", "a\0"), format!("cannot be asked: {broken}"));
    assert_eq!(with("X Y", "a"), "cannot be asked: `X Y` is no name of a header");
    assert_eq!(with("", "a"), "cannot be asked: `` is no name of a header");
    assert_eq!(with("X\n", "a"), "cannot be asked: `X\\n` is no name of a header");
    assert_eq!(sent(Request { method: "GE T".into(), ..request() }), "cannot be asked: `GE T` is no method");
    let host = Request { host: "h\r\nX: y".into(), ..request() };
    assert!(sent(host).starts_with("cannot be asked: the header `Host`"));
}

#[test]
fn limits_are_said_in_the_unit_of_their_size() {
    for (limit_ms, expected) in [(0, "0 ms"), (60, "60 ms"), (999, "999 ms"), (1500, "1.5 s"), (30_040, "30 s")] {
        let text = Trouble::NoAnswer(Duration::from_millis(limit_ms)).to_string();
        assert_eq!(text, format!("no answer within {expected}"));
    }
}

/// Not a limit, but a number to look at.
#[test]
fn what_an_exchange_costs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for _ in 0..100 {
            let mut stream = listener.accept().unwrap().0;
            read_request(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        }
    });
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(get(addr, 10_000).unwrap(), 200);
    }
    println!("an exchange: {:?}", began.elapsed() / 100);
    server.join().unwrap();
}
