//! Does the process answer a request as it should?
//!
//! The port is asked for first, as by [`Tcp`](super::Tcp): an answer of somebody else proves nothing.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Instant;

use super::http_exchange::{Request, Trouble, Url, exchange};
use super::tcp::Listening;
use super::{Fill, Look, Probe, Sight, Site, Unprepared};
use crate::template::Template;

/// Ready when a request is answered with a status of 200 to 299, or one that was asked for.
///
/// A redirect is not followed. An answer that takes longer than 2 s counts as none, and the request is made again,
/// until the time for the start is over.
///
/// ```
/// use pkit_test::{Spec, ready::Http};
/// # fn main() -> pkit_test::Result<()> {
/// let server = Spec::new("python3 -m http.server --bind {host} {port}").ready(Http::get("/")).start()?;
/// assert!(server.stderr().contains(r#""GET / HTTP/1.1" 200"#));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Http {
    method: &'static str,
    target: Template,
    headers: Vec<(String, Template)>,
    statuses: Vec<u16>,
}

impl Http {
    /// A GET of a path on its own port, or of a full `http://` URL. Holes are filled.
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
    #[must_use]
    pub fn get(target: impl Into<String>) -> Http {
        Http { method: "GET", target: Template::parse(&target.into()), headers: Vec::new(), statuses: Vec::new() }
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
    #[must_use]
    pub fn status(mut self, status: u16) -> Http {
        self.statuses.push(status);
        self
    }

    /// Sends a header. Holes in the value are filled.
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
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Http {
        self.headers.push((name.into(), Template::parse(&value.into())));
        self
    }

    pub(super) fn templates(&self) -> Vec<&Template> {
        std::iter::once(&self.target).chain(self.headers.iter().map(|(_, value)| value)).collect()
    }

    /// The port of the process itself, where it is asked and not some URL.
    pub(super) fn own_port(&self) -> Option<&str> {
        self.target.source().starts_with('/').then_some("")
    }

    pub(super) fn mistake(&self) -> Option<String> {
        let source = self.target.source();
        // A hole may stand for any part of a URL; it is looked at again when it is filled.
        if source.starts_with('/') || source.contains('{') {
            return None;
        }
        Url::parse(source).err().map(|why| format!("{source:?} cannot be asked: {why}"))
    }

    pub(super) fn prepare<E>(&self, site: &Site, fill: &mut Fill<'_, E>) -> Result<Answers, Unprepared<E>> {
        let target = self.target.render(fill.lookup).map_err(Unprepared::Hole)?;
        let headers = self.headers.iter().map(|(name, value)| Ok((name.clone(), value.render(fill.lookup)?)));
        let headers: Vec<(String, String)> = headers.collect::<Result<_, E>>().map_err(Unprepared::Hole)?;
        let (address, host, path) = find(&target, site).map_err(Unprepared::Mistake)?;
        let is_local = address.ip().is_loopback() || address.ip().is_unspecified() || address.ip() == site.host;
        let request = Request { method: self.method.to_owned(), host, path, headers, body: None };
        if let Some(fault) = request.fault() {
            return Err(Unprepared::Mistake(format!("the probe cannot be sent: {fault}")));
        }
        Ok(Answers {
            listening: is_local.then(|| Listening::new(address, site)),
            address,
            shown: format!("{} http://{}{}", self.method, request.host, request.path),
            request,
            statuses: self.statuses.clone(),
        })
    }
}

fn find(target: &str, site: &Site) -> Result<(SocketAddr, String, String), String> {
    if target.starts_with('/') {
        let address = site.address("").ok_or("the probe asks its own port, and it has none")?;
        return Ok((address, address.to_string(), target.to_owned()));
    }
    let url = Url::parse(target).map_err(|why| format!("{target:?} cannot be asked: {why}"))?;
    let address = resolve(&url.host, url.port)?;
    Ok((address, url.authority(), url.path))
}

/// Names are looked up once, before anything runs: a probe is about the process, not about a name server.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let found = (host, port).to_socket_addrs().map_err(|error| format!("the host `{host}` is unknown: {error}"))?;
    let found: Vec<SocketAddr> = found.collect();
    // Of `localhost` the older family first: that is where most servers listen.
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| format!("the host `{host}` has no address"))
}

/// Whether the answer is the one that was asked for.
#[derive(Debug)]
pub(super) struct Answers {
    listening: Option<Listening>,
    address: SocketAddr,
    request: Request,
    shown: String,
    statuses: Vec<u16>,
}

impl Answers {
    fn accepts(&self, status: u16) -> bool {
        if self.statuses.is_empty() { (200..300).contains(&status) } else { self.statuses.contains(&status) }
    }

    /// Who is there: of an address elsewhere nothing can be known.
    fn who_listens(&mut self, sight: &Sight<'_>) -> Look {
        self.listening.as_mut().map_or(Look::Ready, |listening| listening.look(sight))
    }
}

impl Probe for Answers {
    fn look(&mut self, sight: &Sight<'_>) -> Look {
        let before = self.who_listens(sight);
        if before != Look::Ready {
            return before;
        }
        match exchange(self.address, &self.request, Instant::now() + sight.patience, sight.is_over) {
            // Whoever has begun to listen since then may have given the answer.
            Ok(status) if self.accepts(status) => self.who_listens(sight),
            Ok(status) => Look::NotYet(format!("status {status}")),
            Err(trouble) => Look::NotYet(said(&trouble)),
        }
    }

    fn question(&self) -> String {
        self.shown.clone()
    }

    fn local_addresses(&self) -> Vec<SocketAddr> {
        self.listening.iter().flat_map(Listening::local_addresses).collect()
    }

    fn can_lapse(&self) -> bool {
        true
    }

    fn look_again(&mut self, sight: &Sight<'_>) -> Look {
        self.who_listens(sight)
    }
}

fn said(trouble: &Trouble) -> String {
    trouble.to_string()
}
