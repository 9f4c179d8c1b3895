//! Is a web server, and not a good one.
//!
//! `http_vice VICE PORT [--host HOST] [--file FILE] [--count N]`: listens on `PORT` of `HOST` (default 127.0.0.1), and treats
//! every connection as its vice says:
//!
//! | vice | what it does |
//! |---|---|
//! | `mute` | says nothing |
//! | `closes` `resets` | reads the request and ends the connection, with a reset |
//! | `busy` | answers 503, and 200 after `N` of them |
//! | `redirects` | answers 302 |
//! | `text` `binary` | answers what is no HTTP |
//! | `endless_status` `endless_headers` `endless_body` `endless_chunks` | goes on for ever with that |
//! | `dribbles` `drips` | answers seven bytes a millisecond, or one, and the latter never comes to the end of a line |
//! | `cut` `short` | says that its body is longer, or shorter, than it is |
//! | `early` | answers before it is asked |
//! | `dies` | answers 200, and exits with 3 |
//! | `full` | accepts nobody, and prints `full` when it has no room left for those who wait |
//! | `group` | answers 200, and lets others listen beside it |
//! | `records` | answers 204, and appends what it was asked to `FILE` |
//! | `v6` | answers 200 on all addresses of IPv6, and of no other family |

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::iter::repeat;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::libc;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt};
use pkit_test_tests::child::{self, Args, fail, listen, pause, wait_ms};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nready\n";

/// What the options say.
#[derive(Clone)]
struct Told {
    vice: String,
    file: String,
    count: u32,
}

fn main() {
    let mut args = Args::of_process();
    let host = args.option("--host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let file = args.option("--file").unwrap_or_default();
    let count = args.option("--count").unwrap_or(0);
    let told = Told { vice: args.word("VICE"), file, count };
    let port = args.word("PORT");
    args.end();
    let listener = match told.vice.as_str() {
        "group" => made(&host, port, |socket| setsockopt(socket, sockopt::ReusePort, &true)),
        "v6" => made("::", port, |socket| setsockopt(socket, sockopt::Ipv6V6Only, &true)),
        _ => listen(&host, port),
    };
    if told.vice == "full" {
        fill(&listener);
    }
    for stream in listener.incoming().flatten() {
        let told = told.clone();
        // A client that went away is no news.
        thread::spawn(move || treat(stream, &told).is_ok());
    }
}

/// A listener that is told something before it is bound.
fn made(host: &str, port: u16, tell: impl Fn(&std::os::fd::OwnedFd) -> nix::Result<()>) -> TcpListener {
    let addr = SocketAddr::new(host.parse().expect("an address"), port);
    let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let open = || {
        let socket = socket::socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        tell(&socket)?;
        socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(addr))?;
        socket::listen(&socket, Backlog::new(16)?)?;
        nix::Result::Ok(TcpListener::from(socket))
    };
    open().unwrap_or_else(|error| fail(format_args!("listen {addr}: {error}")))
}

/// Takes up all the room that there is for those who wait to be accepted: where that is none, one of them has it all.
fn fill(listener: &TcpListener) -> ! {
    socket::listen(listener, Backlog::new(0).expect("it may be 0")).expect("it listens already");
    let addr = listener.local_addr().expect("it is bound");
    let _waiting = TcpStream::connect(addr);
    child::say("full");
    pause()
}

fn treat(mut stream: TcpStream, told: &Told) -> io::Result<()> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    if told.vice == "early" {
        return say(&mut stream, OK);
    }
    let request = read_request(&stream)?;
    let asked = ASKED.fetch_add(1, Ordering::SeqCst);
    match told.vice.as_str() {
        "mute" => drop(stream.read(&mut [0; 100])?),
        "closes" => {}
        "resets" => reset(stream),
        "busy" if asked < told.count => say(&mut stream, b"HTTP/1.1 503 Service Unavailable\r\n\r\nnot yet\n")?,
        "redirects" => say(&mut stream, b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /login?to=%2F\r\n\r\n")?,
        "text" => say(&mut stream, b"SSH-2.0-OpenSSH_9.2p1\r\n")?,
        "binary" => say(&mut stream, &(0..=255).rev().collect::<Vec<u8>>())?,
        "endless_status" => say_for_ever(&mut stream, b"HTTP/1.1 200 ", b"O")?,
        "endless_headers" => say_for_ever(&mut stream, b"HTTP/1.1 200 OK\r\n", b"X-More: to come\r\n")?,
        "endless_body" => say_for_ever(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n", b"more ")?,
        "endless_chunks" => {
            let chunk = format!("3e8\r\n{}\r\n", "more ".repeat(200));
            say_for_ever(&mut stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk.as_bytes())?;
        }
        "dribbles" => dribble(&mut stream, OK.chunks(7))?,
        "drips" => dribble(&mut stream, b"HTTP/1.1 200 ".chunks(1).chain(repeat(&b"O"[..])))?,
        "cut" => say(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nready")?,
        "short" => say(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nready")?,
        "dies" => {
            stream.write_all(OK)?;
            process::exit(3)
        }
        "records" => {
            OpenOptions::new().create(true).append(true).open(&told.file)?.write_all(&request)?;
            say(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n")?;
        }
        "busy" | "group" | "v6" => say(&mut stream, OK)?,
        vice => fail(format_args!("`{vice}` is not one of my vices")),
    }
    Ok(())
}

/// All of it, head and body.
fn read_request(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (Vec::new(), 0);
    while !request.ends_with(b"\r\n\r\n") {
        let begin = request.len();
        if reader.read_until(b'\n', &mut request)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&request[begin..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let begin = request.len();
    request.resize(begin + length, 0);
    reader.read_exact(&mut request[begin..])?;
    Ok(request)
}

/// Ends well: a close with something unread would be a reset.
fn say(stream: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer)?;
    stream.shutdown(Shutdown::Write)?;
    io::copy(stream, &mut io::sink()).map(drop)
}

fn say_for_ever(stream: &mut TcpStream, begin: &[u8], more: &[u8]) -> io::Result<()> {
    stream.write_all(begin)?;
    let more = more.repeat(10_000 / more.len() + 1);
    loop {
        stream.write_all(&more)?;
    }
}

/// A few bytes at a time, each time after a while, which is longer where many want to run.
fn dribble<'a>(stream: &mut TcpStream, portions: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for portion in portions {
        stream.write_all(portion)?;
        wait_ms(1);
    }
    Ok(())
}

fn reset(stream: TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &linger).expect("a socket");
}
