//! Does the process answer a request as it should?
//!
//! The port is asked for first, as by [`Tcp`](super::Tcp): an answer of somebody else proves nothing.

mod answers;
mod body;
mod statuses;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use super::http_exchange::{Request, Url, header_fault, method_fault};
use super::tcp::Listening;
use super::{Fill, Site, Unprepared};
use crate::sys::socket;
use crate::template::{Hole, Template};
use answers::{Answers, Before, Door, Judge};
pub use body::Body;
use body::Content;
pub use statuses::Statuses;

/// Ready when a request is answered with a status of 200 to 299, or one that was asked for.
///
/// One request has 2 s; what takes longer counts as no answer. The request is then made again, until the time for the start
/// is over, whatever went wrong. Of an answer no more is read than is needed: the status, and of a body that has to
/// [contain](Http::body_contains) something the first MiB. A redirect is not followed: it is "not yet", and the error at
/// the end says where it leads. Answers that only announce one, `100 Continue` and their like, are passed over.
///
/// ```
/// use pkit_test::{Spec, ready::Http};
/// # fn main() -> pkit_test::Result<()> {
/// let server = Spec::new("python3 -m http.server --bind {host} {port}").ready(Http::get("/")).start()?;
/// assert!(server.stderr().contains(r#""GET / HTTP/1.1" 200"#));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a probe does nothing until it is part of a spec"]
pub struct Http {
    method: String,
    target: Template,
    port: Option<String>,
    headers: Vec<(String, Template)>,
    body: Option<Body>,
    statuses: Statuses,
    contents: Vec<Content>,
}

impl Http {
    /// A GET of a path on its own port, or of a full `http://` URL. Holes are filled.
    ///
    /// Of `http://localhost` both addresses are asked, 127.0.0.1 and `[::1]`. An IPv6 address stands in brackets. There is
    /// no `https`: [`Exec`](super::Exec) with `curl`, or [`poll`](super::poll) with a client of your own, can ask that.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port.admin}")
    ///     .port("admin")
    ///     .ready(Http::get("http://{addr.admin}/"))
    ///     .start()?;
    /// assert!(std::net::TcpStream::connect((server.host(), server.port_of("admin"))).is_ok());
    /// assert!(Spec::new("cat").ready(Http::get("https://localhost/")).start().unwrap_err().is_spec());
    /// # Ok(()) }
    /// ```
    pub fn get(target: impl Into<String>) -> Http {
        Http::request("GET", target)
    }

    /// A HEAD of the same targets: an answer without its body.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}").ready(Http::head("/")).start()?;
    /// assert!(server.stderr().contains(r#""HEAD / HTTP/1.1" 200"#));
    /// # Ok(()) }
    /// ```
    pub fn head(target: impl Into<String>) -> Http {
        Http::request("HEAD", target)
    }

    /// A POST to the same targets, with or without a [`body`](Http::body).
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}").ready(Http::post("/").status(501)).start()?;
    /// assert!(server.stderr().contains("Unsupported method ('POST')"));
    /// # Ok(()) }
    /// ```
    pub fn post(target: impl Into<String>) -> Http {
        Http::request("POST", target)
    }

    /// A PUT to the same targets.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}").ready(Http::put("/").status(501)).start()?;
    /// assert!(server.stderr().contains("Unsupported method ('PUT')"));
    /// # Ok(()) }
    /// ```
    pub fn put(target: impl Into<String>) -> Http {
        Http::request("PUT", target)
    }

    /// A DELETE of the same targets.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}").ready(Http::delete("/").status(501)).start()?;
    /// assert!(server.stderr().contains("Unsupported method ('DELETE')"));
    /// # Ok(()) }
    /// ```
    pub fn delete(target: impl Into<String>) -> Http {
        Http::request("DELETE", target)
    }

    /// An OPTIONS of the same targets.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}").ready(Http::options("/").status(501)).start()?;
    /// assert!(server.stderr().contains("Unsupported method ('OPTIONS')"));
    /// # Ok(()) }
    /// ```
    pub fn options(target: impl Into<String>) -> Http {
        Http::request("OPTIONS", target)
    }

    /// A request by any other method. One that cannot be the name of a method is an error of the start.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let spec = Spec::new("python3 -m http.server --bind {host} {port}");
    /// let server = spec.clone().ready(Http::request("REPORT", "/").status(501)).start()?;
    /// assert!(server.stderr().contains("Unsupported method ('REPORT')"));
    /// assert!(spec.ready(Http::request("RE PORT", "/")).start().unwrap_err().is_spec());
    /// # Ok(()) }
    /// ```
    pub fn request(method: impl Into<String>, target: impl Into<String>) -> Http {
        Http {
            method: method.into(),
            target: Template::parse(&target.into()),
            port: None,
            headers: Vec::new(),
            body: None,
            statuses: Statuses::default(),
            contents: Vec::new(),
        }
    }

    /// Asks at the port that was declared with [`Spec::port`](crate::Spec::port); one that was not is an error of the start.
    /// It goes with a path: a full URL has its own port.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port.admin}").ready(Http::get("/").port("admin"));
    /// assert!(server.clone().start().unwrap_err().is_spec());
    /// assert!(server.port("admin").start()?.stderr().contains(r#""GET / HTTP/1.1" 200"#));
    /// # Ok(()) }
    /// ```
    pub fn port(mut self, name: impl Into<String>) -> Http {
        self.port = Some(name.into());
        self
    }

    /// Accepts this status, and no other one that was not named as well.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}")
    ///     .ready(Http::get("/nothing-here").status(401).status(404))
    ///     .start()?;
    /// assert!(server.stderr().contains(r#""GET /nothing-here HTTP/1.1" 404"#));
    /// # Ok(()) }
    /// ```
    pub fn status(self, status: u16) -> Http {
        self.statuses(status)
    }

    /// Accepts these statuses: a range, an array, one. Those that were named before still count.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}")
    ///     .ready(Http::get("/nothing-here").statuses(200..=299).statuses([401, 404]))
    ///     .start()?;
    /// assert!(server.stderr().contains(r#""GET /nothing-here HTTP/1.1" 404"#));
    /// # Ok(()) }
    /// ```
    pub fn statuses(mut self, statuses: impl Into<Statuses>) -> Http {
        self.statuses.add(statuses.into());
        self
    }

    /// Sends a header. Holes in the value are filled. One that is sent anyway, like `Host`, is replaced.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let script = r#"
    /// import http.server as h
    /// class Guarded(h.BaseHTTPRequestHandler):
    ///     def do_GET(self):
    ///         self.send_response(204 if self.headers["Authorization"] == "Bearer 42" else 401)
    ///         self.end_headers()
    /// h.HTTPServer(("{host}", {port}), Guarded).serve_forever()
    /// "#;
    /// let probe = Http::get("/").header("Authorization", "Bearer 42");
    /// let server = Spec::new(["python3", "-c", script]).ready(probe).start()?;
    /// assert!(server.stderr().contains(r#""GET / HTTP/1.1" 204"#));
    /// # Ok(()) }
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Http {
        self.headers.push((name.into(), Template::parse(&value.into())));
        self
    }

    /// Sends a body: a text, whose holes are filled, or bytes. Its length goes with it; its type is a
    /// [`header`](Http::header) of yours.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let script = r#"
    /// import http.server as h
    /// class Setup(h.BaseHTTPRequestHandler):
    ///     def do_POST(self):
    ///         self.rfile.read(int(self.headers["Content-Length"]))
    ///         self.send_response(201)
    ///         self.end_headers()
    /// h.HTTPServer(("{host}", {port}), Setup).serve_forever()
    /// "#;
    /// let probe = Http::post("/").header("Content-Type", "application/json").body(r#"{"port": {port}}"#);
    /// let server = Spec::new(["python3", "-c", script]).ready(probe).start()?;
    /// assert!(server.stderr().contains(r#""POST / HTTP/1.1" 201"#));
    /// # Ok(()) }
    /// ```
    pub fn body(mut self, body: impl Into<Body>) -> Http {
        self.body = Some(body.into());
        self
    }

    /// Asks for a text in the body of the answer as well. Holes in it are filled. It counts as soon as it is there, also in a
    /// body that goes on for ever; of one that is longer than 1 MiB the rest is not looked at.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}");
    /// let server = server.ready(Http::get("/").body_contains("Directory listing for /")).start()?;
    /// assert!(server.is_alive());
    /// # Ok(()) }
    /// ```
    pub fn body_contains(mut self, text: impl Into<String>) -> Http {
        self.contents.push(Content::Text(Template::parse(&text.into())));
        self
    }

    /// Asks that the body of the answer, of which 1 MiB is read, matches a regex somewhere as well. The body has to have
    /// come to its end.
    ///
    /// The syntax is that of the `regex-lite` crate; an invalid one is an error of the start. In it only names that are known
    /// are holes, and their values are inserted escaped.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Http};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}").cwd("/etc");
    /// let server = server.ready(Http::get("/hostname").body_matches(r"^\S+\s*$")).start()?;
    /// assert!(server.stderr().contains(r#""GET /hostname HTTP/1.1" 200"#));
    /// # Ok(()) }
    /// ```
    pub fn body_matches(mut self, regex: impl Into<String>) -> Http {
        self.contents.push(Content::Regex(regex.into()));
        self
    }

    pub(super) fn templates(&self) -> Vec<&Template> {
        let headers = self.headers.iter().map(|(_, value)| value);
        let body = self.body.iter().filter_map(Body::template);
        let contents = self.contents.iter().filter_map(Content::template);
        std::iter::once(&self.target).chain(headers).chain(body).chain(contents).collect()
    }

    pub(super) fn regex_holes(&self) -> Vec<Hole> {
        self.contents.iter().flat_map(Content::regex_holes).collect()
    }

    /// The port of the process itself, where it is asked and not some URL.
    pub(super) fn own_port(&self) -> Option<&str> {
        self.asks_a_path().then(|| self.port.as_deref().unwrap_or_default())
    }

    fn asks_a_path(&self) -> bool {
        self.target.source().starts_with('/')
    }

    pub(super) fn mistake(&self) -> Option<String> {
        let sent = method_fault(&self.method)
            .or_else(|| self.headers.iter().find_map(|(name, _)| header_fault(name, "")))
            .map(|why| format!("the probe cannot be sent: {why}"));
        let received = || self.statuses.mistake().map(|why| format!("the probe can never hold: {why}"));
        let contents = || self.contents.iter().find_map(Content::mistake);
        sent.or_else(received).or_else(contents).or_else(|| self.bodiless()).or_else(|| self.target_mistake())
    }

    fn bodiless(&self) -> Option<String> {
        let is_bodiless = self.method == "HEAD" && !self.contents.is_empty();
        is_bodiless.then(|| "the probe can never hold: the answer to a HEAD has no body".to_owned())
    }

    fn target_mistake(&self) -> Option<String> {
        let source = self.target.source();
        if let Some(port) = self.port.as_ref().filter(|_| !self.asks_a_path()) {
            return Some(format!("the probe asks at the port `{port}`, and {source:?} has a port of its own"));
        }
        // A hole may stand for any part of a URL; it is looked at again when it is filled.
        if self.asks_a_path() || source.contains('{') {
            return None;
        }
        Url::parse(source).err().map(|why| format!("{source:?} cannot be asked: {why}"))
    }

    pub(super) fn prepare<E>(&self, site: &Site, fill: &mut Fill<'_, E>) -> Result<Answers, Unprepared<E>> {
        let target = self.target.render(fill.lookup).map_err(Unprepared::Hole)?;
        let headers = self.headers.iter().map(|(name, value)| Ok((name.clone(), value.render(fill.lookup)?)));
        let headers: Vec<(String, String)> = headers.collect::<Result<_, E>>().map_err(Unprepared::Hole)?;
        let body = self.body.as_ref().map(|body| body.render(fill)).transpose().map_err(Unprepared::Hole)?;
        let contents = self.contents.iter().map(|content| content.prepare(fill)).collect::<Result<_, _>>()?;
        let Found { addresses, host, path } = self.find(&target, site).map_err(Unprepared::Mistake)?;
        let request = Request { method: self.method.clone(), host, path, headers, body };
        if let Some(fault) = request.fault() {
            return Err(Unprepared::Mistake(format!("the probe cannot be sent: {fault}")));
        }
        Ok(Answers {
            doors: addresses.into_iter().map(|address| door(address, site)).collect(),
            shown: format!("{} http://{}{}", request.method, request.host, request.path),
            request,
            judge: Judge { statuses: self.statuses.clone(), contents },
            before: Before::default(),
        })
    }

    fn find(&self, target: &str, site: &Site) -> Result<Found, String> {
        if !target.starts_with('/') {
            return find_url(target);
        }
        let port = self.port.as_deref().unwrap_or_default();
        let address = site.address(port).ok_or_else(|| match port {
            "" => "the probe asks its own port, and it has none".to_owned(),
            port => format!("the probe asks at the port `{port}`, which nobody declared; `.port({port:?})` does it"),
        })?;
        Ok(Found { addresses: vec![address], host: address.to_string(), path: target.to_owned() })
    }
}

fn door(address: SocketAddr, site: &Site) -> Door {
    let ip = address.ip();
    let is_local = ip.is_loopback() || ip.is_unspecified() || ip == site.host;
    // Where anybody will do, what comes to an address of this machine may be led on to where nobody listens here, as by a
    // container engine.
    let is_local = is_local || !site.any_owner && socket::is_own(ip);
    Door { address, listening: is_local.then(|| Listening::new(address, site)) }
}

/// Whom to ask for what.
struct Found {
    addresses: Vec<SocketAddr>,
    /// As the server is to hear it.
    host: String,
    path: String,
}

fn find_url(target: &str) -> Result<Found, String> {
    let url = Url::parse(target).map_err(|why| format!("{target:?} cannot be asked: {why}"))?;
    let addresses = resolve(&url.host, url.port)?;
    Ok(Found { addresses, host: url.authority(), path: url.path })
}

/// Names are looked up once, before anything runs: a probe is about the process, not about a name server.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    // It means both, whatever a name server says: https://www.rfc-editor.org/rfc/rfc6761#section-6.3.
    if host.eq_ignore_ascii_case("localhost") {
        let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        return Ok(both.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    let found = (host, port).to_socket_addrs().map_err(|error| format!("the host `{host}` is unknown: {error}"))?;
    let found: Vec<SocketAddr> = found.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.map(|first| vec![*first]).ok_or_else(|| format!("the host `{host}` has no address"))
}
