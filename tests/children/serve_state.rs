//! A tiny key-value server, which may need another one: the smallest stack with a dependency.
//!
//! `serve_state PORT [--peer ADDRESS] [--ms MS]`: waits `MS`, then connects to its peer, if it has one, and exits 1 when
//! that does not answer; then listens. `PUT /key` stores the body, `GET /key` is 200 or 404, `GET /` lists the keys.
//! What it does not have it asks its peer for.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use pkit_test_tests::child::{Args, Request, fail, listen, serve_http, wait_ms};

type Store = Arc<Mutex<BTreeMap<String, String>>>;

fn main() {
    let mut args = Args::of_process();
    let peer = args.option::<String>("--peer");
    let boot_ms = args.option("--ms").unwrap_or(0);
    let port = args.word("PORT");
    args.end();
    wait_ms(boot_ms);
    if let Some(address) = &peer {
        get(address, "/").unwrap_or_else(|error| fail(format_args!("peer {address}: {error}")));
    }
    let store = Store::default();
    serve_http(&listen("127.0.0.1", port), move |request| answer(&store, peer.as_deref(), request))
}

fn answer(store: &Store, peer: Option<&str>, request: &Request) -> (u16, String) {
    let mut entries = store.lock().expect("no handler panics");
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => (200, entries.keys().fold(String::new(), |list, key| list + key + "\n")),
        ("GET", key) => found(entries.get(key).cloned(), peer, key),
        ("PUT", key) => {
            entries.insert(key.to_owned(), request.body.clone());
            (204, String::new())
        }
        _ => (405, "GET or PUT\n".into()),
    }
}

fn found(own: Option<String>, peer: Option<&str>, key: &str) -> (u16, String) {
    match own.map(Ok).or_else(|| peer.map(|address| get(address, key))) {
        Some(Ok(value)) if !value.is_empty() => (200, value),
        Some(Err(error)) => (502, format!("peer: {error}\n")),
        _ => (404, String::new()),
    }
}

/// The body of an answer, empty when the peer does not have it.
fn get(address: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    Ok(if head.starts_with("HTTP/1.1 200") { body.to_owned() } else { String::new() })
}
