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
    pub(crate) fn fault(&self) -> Option<String> {
        self.head().err()
    }

    /// Whether an answer ends with its headers, whatever they say of its length.
    pub(crate) fn has_no_answer_body(&self) -> bool {
        self.method == "HEAD"
    }

    /// The request as it is sent.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Trouble> {
        let head = self.head().map_err(Trouble::Unsendable)?;
        Ok([head.as_bytes(), self.body.as_deref().unwrap_or_default()].concat())
    }

    fn head(&self) -> Result<String, String> {
        if let Some(fault) = method_fault(&self.method) {
            return Err(fault);
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, encoded(&self.path));
        let length = self.length().map(|length| length.to_string());
        let length = length.iter().map(|length| ("Content-Length", length.as_str()));
        let ours =
            [("Host", self.host.as_str()), ("User-Agent", "pkit-test"), ("Accept", "*/*"), ("Connection", "close")];
        let ours = ours.into_iter().chain(length).filter(|(name, _)| !self.sets(name));
        let theirs = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in ours.chain(theirs) {
            header_fault(name, value).map_or(Ok(()), Err)?;
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        Ok(head)
    }

    /// Some methods are expected to have a body, and a server may wait for one that is not said to be empty. A request
    /// with both ways to say where it ends is taken for an attack.
    fn length(&self) -> Option<usize> {
        let expects_body = matches!(self.method.as_str(), "POST" | "PUT" | "PATCH");
        let length = self.body.as_ref().map(Vec::len).or_else(|| expects_body.then_some(0));
        length.filter(|_| !self.sets("Transfer-Encoding"))
    }

    fn sets(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }
}

/// Why a request by this method cannot be sent, if it cannot.
pub(crate) fn method_fault(method: &str) -> Option<String> {
    if method == "CONNECT" {
        return Some("`CONNECT` asks for a tunnel and not for an answer".to_owned());
    }
    (!is_token(method)).then(|| format!("`{}` is no method", method.escape_debug()))
}

/// Why this header cannot be sent, if it cannot.
pub(crate) fn header_fault(name: &str, value: &str) -> Option<String> {
    if !is_token(name) {
        return Some(format!("`{}` is no name of a header", name.escape_debug()));
    }
    let is_broken = value.chars().any(|c| c.is_control() && c != '\t');
    is_broken.then(|| format!("the header `{name}` holds a line break or another control character"))
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
