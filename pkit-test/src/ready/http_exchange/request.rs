//! What a probe asks.

use super::Trouble;

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The `Host` header: the server as the client knows it, `127.0.0.1:8080`.
    pub(crate) host: String,
    /// The path with the query. What cannot stand in a request as it is, like a blank, is encoded.
    pub(crate) path: String,
    /// Further headers. One that we would set ourselves replaces ours.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    /// Why it can never be sent, if it cannot.
    pub(crate) fn fault(&self) -> Option<Trouble> {
        self.bytes().err()
    }

    /// The request as it is sent.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Trouble> {
        if !is_token(&self.method) {
            return Err(Trouble::Unsendable(format!("`{}` is no method", self.method.escape_debug())));
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, encoded(&self.path));
        let length = self.body.as_ref().map(|body| body.len().to_string());
        let length = length.iter().map(|length| ("Content-Length", length.as_str()));
        let ours =
            [("Host", self.host.as_str()), ("User-Agent", "pkit-test"), ("Accept", "*/*"), ("Connection", "close")];
        let ours = ours.into_iter().chain(length).filter(|(name, _)| !self.sets(name));
        let theirs = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in ours.chain(theirs) {
            check_header(name, value)?;
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        Ok([head.as_bytes(), self.body.as_deref().unwrap_or_default()].concat())
    }

    fn sets(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }
}

fn check_header(name: &str, value: &str) -> Result<(), Trouble> {
    if !is_token(name) {
        return Err(Trouble::Unsendable(format!("`{}` is no name of a header", name.escape_debug())));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Trouble::Unsendable(format!(
            "the header `{name}` holds a line break or another control character"
        )));
    }
    Ok(())
}

fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// The path, with a slash before it and nothing in it that would end it.
fn encoded(path: &str) -> String {
    let mut encoded = String::from(if path.starts_with('/') { "" } else { "/" });
    for byte in path.bytes() {
        if byte.is_ascii_graphic() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
