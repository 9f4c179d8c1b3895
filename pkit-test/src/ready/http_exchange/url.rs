//! Addresses of the web as far as a probe needs them: `http://host:port/path?query`.

use std::fmt;
use std::net::Ipv6Addr;

const DEFAULT_PORT: u16 = 80;

/// An address of the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// A name or an address, without the brackets of an IPv6 one.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What is asked for, with the query, at least `/`.
    pub(crate) path: String,
}

/// Why a text is no address that a probe can ask, in words that follow the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UrlFault {
    NoScheme,
    Https,
    Scheme(String),
    User,
    NoHost,
    Host(String),
    Port(String),
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Url, UrlFault> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlFault::NoScheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(UrlFault::Https),
            _ => return Err(UrlFault::Scheme(scheme.to_owned())),
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = parse_authority(authority)?;
        Ok(Url { host, port, path: parse_path(path) })
    }

    /// The host and the port as a `Host` header has them.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == DEFAULT_PORT { host } else { format!("{host}:{}", self.port) }
    }
}

fn parse_authority(authority: &str) -> Result<(String, u16), UrlFault> {
    if authority.contains('@') {
        return Err(UrlFault::User);
    }
    let (host, port) = host_and_port(authority);
    if host.is_empty() {
        return Err(UrlFault::NoHost);
    }
    let host = parse_host(host).ok_or_else(|| UrlFault::Host(host.to_owned()))?;
    let port = parse_port(port).ok_or_else(|| UrlFault::Port(port.unwrap_or("").to_owned()))?;
    Ok((host, port))
}

/// Cuts before the last colon outside of brackets.
fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    let host_end = authority.rfind(']').unwrap_or(0);
    match authority[host_end..].rfind(':') {
        Some(colon) => (&authority[..host_end + colon], Some(&authority[host_end + colon + 1..])),
        None => (authority, None),
    }
}

fn parse_host(host: &str) -> Option<String> {
    if let Some(inside) = host.strip_prefix('[') {
        let inside = inside.strip_suffix(']')?;
        return inside.parse::<Ipv6Addr>().is_ok().then(|| inside.to_owned());
    }
    let is_plain = |c: char| c.is_alphanumeric() || "-._".contains(c);
    host.chars().all(is_plain).then(|| host.to_owned())
}

/// A missing port is the default, and so is an empty one (`http://host:/`); 0 is none.
fn parse_port(port: Option<&str>) -> Option<u16> {
    match port.unwrap_or("") {
        "" => Some(DEFAULT_PORT),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok().filter(|port| *port != 0),
        _ => None,
    }
}

/// A fragment is the browser's business and never sent.
fn parse_path(path: &str) -> String {
    let path = path.split('#').next().unwrap_or("");
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlFault::NoScheme => write!(f, "it begins neither with `/` nor with `http://`"),
            UrlFault::Https => {
                let why = "https is not supported, since this crate has no TLS";
                write!(f, "{why}: `ready::Exec` with curl or `ready::poll` with a client of yours can ask")
            }
            UrlFault::Scheme(scheme) => write!(f, "`{scheme}` is not http"),
            UrlFault::User => write!(f, "a user in it is not supported, only an Authorization header"),
            UrlFault::NoHost => write!(f, "it has no host"),
            UrlFault::Host(host) => write!(f, "`{host}` is no host"),
            UrlFault::Port(port) => write!(f, "`{port}` is no port"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Url::parse(text) {
            Ok(Url { host, port, path }) => format!("{host} {port} {path}"),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn an_address_has_host_port_and_path() {
        for (text, expected) in [
            ("http://localhost:8080/health", "localhost 8080 /health"),
            ("http://127.0.0.1", "127.0.0.1 80 /"),
            ("http://h/", "h 80 /"),
            ("http://h:/x", "h 80 /x"),
            ("HTTP://h:1/x", "h 1 /x"),
            ("http://[::1]:80/x", "::1 80 /x"),
            ("http://[::1]", "::1 80 /"),
            ("http://h?a=b", "h 80 /?a=b"),
            ("http://h:81?a=b:c@d#e", "h 81 /?a=b:c@d"),
            ("http://h#x", "h 80 /"),
            ("http://h/a/../b?x=http://y:z/#w", "h 80 /a/../b?x=http://y:z/"),
            ("http://my_host.example-1.org:65535/é", "my_host.example-1.org 65535 /é"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn each_fault_has_its_words() {
        for (text, expected) in [
            ("", "it begins neither with `/` nor with `http://`"),
            ("health", "it begins neither with `/` nor with `http://`"),
            ("localhost:80/x", "it begins neither with `/` nor with `http://`"),
            (
                "https://h/x",
                "https is not supported, since this crate has no TLS: `ready::Exec` with curl or `ready::poll` with a client \
                 of yours can ask",
            ),
            ("ftp://h", "`ftp` is not http"),
            ("http://", "it has no host"),
            ("http:///x", "it has no host"),
            ("http://:80/", "it has no host"),
            ("http://u:p@h/", "a user in it is not supported, only an Authorization header"),
            ("http://h:x/", "`x` is no port"),
            ("http://h:0/", "`0` is no port"),
            ("http://h:65536/", "`65536` is no port"),
            ("http://h:+80/", "`+80` is no port"),
            ("http://h:-1/", "`-1` is no port"),
            ("http://a b/", "`a b` is no host"),
            ("http://::1/", "`:` is no host"),
            ("http://[::1/", "`[:` is no host"),
            ("http://[x]/", "`[x]` is no host"),
            ("http://[::1]x:80/", "`[::1]x` is no host"),
            ("http://{host}:80/", "`{host}` is no host"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn the_host_header_has_the_port_unless_it_is_the_default() {
        for (text, expected) in [("http://h/", "h"), ("http://h:81/", "h:81"), ("http://[::1]:8080/", "[::1]:8080")] {
            assert_eq!(Url::parse(text).unwrap().authority(), expected);
        }
        assert_eq!(Url::parse("http://[::1]:80").unwrap().authority(), "[::1]");
    }
}
