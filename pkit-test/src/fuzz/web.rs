//! Addresses of the web, and requests that are made of what users give.

use super::input::{Input, text};
use crate::ready::http_exchange::{Request, Url};

/// What can be asked is written and read again as the same; what cannot has a reason.
pub(super) fn url(bytes: &[u8]) {
    let source = text(bytes);
    match Url::parse(&source) {
        Ok(url) => {
            assert!(url.path.starts_with('/') && !url.host.is_empty() && url.port != 0, "{url:?}");
            let again = format!("http://{}{}", url.authority(), url.path);
            assert_eq!(Url::parse(&again), Ok(url), "{again}");
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}

/// A request is one, whatever its parts are: nothing in them ends a line or adds one.
pub(super) fn request(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let [method, path, name, value] = std::array::from_fn(|_| input.line().into_owned());
    let body = input.all().to_vec();
    let request = Request { method, host: "h:1".into(), path, headers: vec![(name, value)], body: Some(body.clone()) };
    let Ok(sent) = request.bytes() else { return assert!(request.fault().is_some()) };
    let end = sent.windows(4).position(|four| four == b"\r\n\r\n").expect("the head ends");
    assert_eq!(sent[end + 4..], body);
    let head = std::str::from_utf8(&sent[..end]).expect("a head is text");
    let lines: Vec<&str> = head.split("\r\n").collect();
    assert!(lines.iter().all(|line| !line.contains(|c: char| c.is_control() && c != '\t')), "{head:?}");
    assert_eq!(lines[0].split(' ').count(), 3, "{head:?}");
    assert!(lines[1..].iter().all(|line| line.contains(": ")), "{head:?}");
}
