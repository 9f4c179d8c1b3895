//! An HTTP service that counts hits: `api --listen 127.0.0.1:8080 --store 127.0.0.1:7000 [--patience-ms 10000]`.
//!
//! `POST /hits/PAGE` adds one, `GET /hits/PAGE` says how many there were, and `GET /health` is for whoever started it.
//! The counts are in a store, to which every request has a connection of its own: so the store may come and go.

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use pkit_test_examples::http::{Answer, Request};
use pkit_test_examples::option;
use pkit_test_examples::store::{PATIENCE, Store};

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("api: {why}");
            ExitCode::from(2)
        }
    }
}

fn serve() -> Result<(), String> {
    let (addr, store) = (option("--listen")?, option("--store")?);
    let patience = option("--patience-ms").ok().and_then(|ms| ms.parse().ok()).map_or(PATIENCE, Duration::from_millis);
    let listener = TcpListener::bind(&addr).map_err(|error| format!("{addr}: {error}"))?;
    for client in listener.incoming().flatten() {
        let store = store.clone();
        thread::spawn(move || {
            let Ok(request) = Request::read(&client) else { return };
            let answer = Store::connect(&store, patience).and_then(|mut store| answer(&request, &mut store));
            let answer = answer.unwrap_or_else(|error| excuse(&error));
            eprintln!("api: {} {}: {}", request.method, request.path, answer.status);
            // A client that has gone away is not our trouble.
            let _ = answer.send(&client);
        });
    }
    Ok(())
}

fn answer(request: &Request, store: &mut Store) -> io::Result<Answer> {
    let page = request.path.strip_prefix("/hits/");
    Ok(match (request.method.as_str(), request.path.as_str(), page) {
        ("GET", "/health", _) => store.ping().map(|()| Answer::new(200, "well"))?,
        ("GET", _, Some(page)) => Answer::new(200, store.get(page)?.unwrap_or_else(|| "0".to_owned())),
        ("POST", _, Some(page)) => Answer::new(200, store.incr(page)?.to_string()),
        _ => Answer::new(404, "no such page"),
    })
}

/// What a client is told when the store does not do what it should.
fn excuse(error: &io::Error) -> Answer {
    match error.kind() {
        // What a read says whose time is over.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Answer::new(504, "the store does not answer"),
        _ => Answer::new(503, format!("the store cannot be used: {error}")),
    }
}
