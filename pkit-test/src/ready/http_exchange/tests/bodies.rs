//! What is read behind the status, and how little of it.

use super::*;

fn read(answer: &'static [u8], method: &str, reader: &Wants) -> Result<Answer, Trouble> {
    let server = answering(answer);
    let request = Request { method: method.into(), ..request() };
    let limits = Limits::until(Instant::now() + Duration::from_secs(10), &|| false);
    let answer = exchange(server.addr, &request, reader, &limits);
    server.thread.join().unwrap();
    answer
}

fn body_of(answer: &'static [u8], method: &str) -> String {
    match read(answer, method, &Wants(Extent::Body, "")) {
        Ok(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
        Err(trouble) => trouble.to_string(),
    }
}

#[test]
fn a_body_is_read_in_every_framing() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nreadyfoo", "ready"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\nContent-Length:5\r\n\r\nready", "ready"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 1\r\n\r\n2\r\nre\r\n3\r\nady\r\n0\r\n\r\n",
            "ready",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nready", "ready"),
        ("HTTP/1.1 103 Hints\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\nready", "ready"),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nready", ""),
        ("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nready",
            "closed the connection within the body, after 5 of 9 bytes",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nready", "answered garbage: a Content-Length of \"+5\""),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nready!",
            "answered garbage: a Content-Length of \"6\"",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "answered garbage: a Content-Length of \"99999999999999999999\"",
        ),
        ("HTTP/1.1 200 OK\r\nX: y\r\n", "closed the connection within the answer: \"HTTP/1.1 200 OK\\r\\nX: y\\r\\n\""),
    ] {
        assert_eq!(body_of(answer.as_bytes(), "GET"), expected, "{answer:?}");
    }
    assert_eq!(body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD"), "");
}

#[test]
fn a_body_without_end_is_cut_and_enough_of_one_is_enough() {
    let endless = |begin: &'static str, unit: &'static str| {
        Server::new(move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{begin}").as_bytes());
            while stream.write_all(unit.repeat(1000).as_bytes()).is_ok() {}
        })
    };
    for (begin, unit) in [("\r\n", "x"), ("Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n")] {
        let server = endless(begin, unit);
        let limits = Limits::until(Instant::now() + Duration::from_secs(30), &|| false);
        let answer = exchange(server.addr, &request(), &Wants(Extent::Body, "y"), &limits).unwrap();
        assert!(answer.is_cut && answer.body.len() <= crate::limits::HTTP_BODY_BYTES, "{}", answer.body.len());
        server.thread.join().unwrap();
    }
    let server = Server::new(|mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\ndata: ready\n\n").unwrap();
        rest(&mut stream)
    });
    let limits = Limits::until(Instant::now() + Duration::from_secs(30), &|| false);
    let answer = exchange(server.addr, &request(), &Wants(Extent::Body, "ready"), &limits).unwrap();
    assert_eq!(String::from_utf8(answer.body).unwrap(), "data: ready\n\n");
    assert_eq!(server.thread.join().unwrap(), "end");
}

/// Whether its end is read together with it is chance, so it is tried often.
#[test]
fn enough_of_a_body_is_enough_whatever_comes_behind_it() {
    let of_nine = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nready";
    let garbage = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nready\r\nno size\r\n";
    for answer in [of_nine.as_slice(), garbage] {
        for _ in 0..100 {
            let answer = read(answer, "GET", &Wants(Extent::Body, "ready")).unwrap();
            assert_eq!(answer.body, b"ready");
        }
    }
}

#[test]
fn headers_without_end_are_an_end() {
    let with_headers = |extent| {
        let server = Server::new(|mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n");
            while stream.write_all("X: y\r\n".repeat(100).as_bytes()).is_ok() {}
        });
        let limits = Limits::until(Instant::now() + Duration::from_secs(30), &|| false);
        let answer = exchange(server.addr, &request(), &Wants(extent, ""), &limits);
        server.thread.join().unwrap();
        answer.map_or_else(|trouble| trouble.to_string(), |answer| answer.title())
    };
    assert_eq!(with_headers(Extent::Status), "302 Found");
    assert_eq!(with_headers(Extent::Headers), "302 Found");
    assert_eq!(with_headers(Extent::Body), "no end of the headers in the first 64 KiB");
}

#[test]
fn a_status_is_shown_as_the_server_says_it() {
    let of = |answer| read(answer, "GET", &Wants(Extent::Headers, "")).unwrap();
    let found = of(b"HTTP/1.1 302  Found  it \r\nX: Location: no\r\nLOCATION:  /there \r\n\r\n");
    assert_eq!((found.title().as_str(), found.location.as_deref()), ("302 Found  it", Some("/there")));
    assert_eq!(of(b"HTTP/1.1 204\r\n\r\n").title(), "status 204");
    let odd = of(b"HTTP/1.1 500 \x1b[31m\xff!\r\nLocation:\r\n\r\n");
    assert_eq!((odd.title().as_str(), odd.location), ("500 \\u{1b}[31m\u{fffd}!", None));
    let long = Box::leak(format!("HTTP/1.1 500 {}\r\n\r\n", "é".repeat(100)).into_boxed_str());
    assert_eq!(of(long.as_bytes()).title(), format!("500 {}…", "é".repeat(60)));
}
