//! Takes its time to boot, then is a web server.
//!
//! `slow MS PORT [--host HOST] [--ok PATH] [--else STATUS] [--warm MS] [--stamp FILE]`: waits `MS` (0: not at all),
//! listens on `PORT`, answers 200 at `PATH` (default `/`) and `STATUS` (default 404) elsewhere. With `--warm` also
//! `PATH` is a 503 for so long after it listens. With `--stamp` it writes the nanoseconds of `CLOCK_MONOTONIC` at
//! which `listen` returned into `FILE`, as a line: lag is then measured against the server's own word.

use std::fs::File;
use std::io::Write as _;

use pkit_test_tests::child::{Args, Request, fail, listen, monotonic_ns, serve_http, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let host = args.option("--host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let ok = args.option("--ok").unwrap_or_else(|| "/".to_owned());
    let other = args.option("--else").unwrap_or(404);
    let warm_ms: u32 = args.option("--warm").unwrap_or(0);
    let stamp = args.option::<String>("--stamp").map(|path| opened(&path));
    let boot_ms = args.word("MS");
    let port = args.word("PORT");
    args.end();

    wait_ms(boot_ms);
    let listener = listen(&host, port);
    let listening_ns = monotonic_ns();
    write_stamp(stamp, listening_ns);

    let warm_ns = listening_ns + i128::from(warm_ms) * 1_000_000;
    serve_http(&listener, move |request: &Request| match request.path == ok {
        true if monotonic_ns() >= warm_ns => (200, "ok\n".into()),
        true => (503, "warming up\n".into()),
        false => (other, "elsewhere\n".into()),
    })
}

/// Before it listens, so that creating a file is no part of what is measured.
fn opened(path: &str) -> File {
    File::create(path).unwrap_or_else(|error| fail(format_args!("{path}: {error}")))
}

fn write_stamp(file: Option<File>, listening_ns: i128) {
    if let Some(mut file) = file {
        file.write_all(format!("{listening_ns}\n").as_bytes()).expect("the file is open");
    }
}
