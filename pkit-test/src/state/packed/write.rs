//! MessagePack as JSON, within so many characters.
//!
//! A key that is no string becomes one: its JSON in quotes. So while one is written, what is written is escaped once more. A key in
//! a key is not escaped twice, which would double its length with each level: it can be looked at, and the whole is JSON still.

use super::DEPTH;
use super::token::{Token, token};

/// What is between brackets.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// How many values are to come; of a map its keys are some of them.
    left: u64,
    is_map: bool,
    is_empty: bool,
    /// It is a key itself, of which the quotation mark is to come.
    is_key: bool,
}

pub(super) struct Writer<'b> {
    rest: &'b [u8],
    open: Vec<Open>,
    /// How many of those that are open are keys.
    keys: usize,
    json: String,
    room: usize,
    used: usize,
    /// What is in a key is not escaped for being in one.
    is_bare: bool,
    is_full: bool,
}

impl<'b> Writer<'b> {
    pub(super) fn new(bytes: &'b [u8], room: usize) -> Writer<'b> {
        Writer {
            rest: bytes,
            open: Vec::new(),
            keys: 0,
            json: String::new(),
            room,
            used: 0,
            is_bare: false,
            is_full: false,
        }
    }

    pub(super) fn of_text(text: &str) -> String {
        let mut writer = Writer::new(&[], usize::MAX);
        writer.text(text.as_bytes());
        writer.json
    }

    /// As the text of a key, without quotation marks around it.
    pub(super) fn key(mut self) -> String {
        self.is_bare = true;
        self.whole()
    }

    /// What there is room for. Where something is missing, there or here, an ellipsis is the last character.
    pub(super) fn shown(mut self) -> String {
        let room = self.room;
        if self.write() && !self.is_full {
            return self.json;
        }
        let mut json = self.json;
        json.truncate(json.char_indices().nth(room.saturating_sub(1)).map_or(json.len(), |(at, _)| at));
        json.extend((room > 0).then_some('…'));
        json
    }

    /// All of it. What is missing in an array or a map is left out, and else it is `null`.
    pub(super) fn whole(mut self) -> String {
        if !self.write() {
            match self.open.last() {
                None => self.put("null"),
                Some(open) if open.is_at_value() => self.put(":null"),
                Some(_) => {}
            }
            while let Some(open) = self.open.pop() {
                self.close(open);
                if open.is_key {
                    self.put(":null");
                }
            }
        }
        self.json
    }

    /// Whether all of a value was there, or at least enough to fill the room.
    fn write(&mut self) -> bool {
        loop {
            let Some(token) = token(&mut self.rest).filter(|_| self.open.len() < DEPTH) else { return false };
            let is_key = self.separate();
            self.token(token, is_key);
            while let Some(open) = self.open.last().copied().filter(|open| open.left == 0) {
                self.open.pop();
                self.close(open);
            }
            if self.open.is_empty() || self.is_full {
                return true;
            }
        }
    }

    /// What stands before a value. Whether that is a key.
    fn separate(&mut self) -> bool {
        let Some(open) = self.open.last_mut() else { return false };
        let (is_value, is_first) = (open.is_at_value(), open.is_empty);
        let is_key = open.is_map && !is_value;
        open.left -= 1;
        open.is_empty = false;
        match (is_value, is_first) {
            (true, _) => self.put(":"),
            (false, true) => {}
            (false, false) => self.put(","),
        }
        is_key
    }

    fn token(&mut self, token: Token<'_>, is_key: bool) {
        match token {
            Token::Text(text) => self.text(text),
            Token::Array(count) => self.begin(count.into(), false, is_key),
            Token::Map(count) => self.begin(2 * u64::from(count), true, is_key),
            _ if is_key => {
                self.put("\"");
                self.keys += 1;
                self.scalar(token);
                self.keys -= 1;
                self.put("\"");
            }
            _ => self.scalar(token),
        }
    }

    fn begin(&mut self, left: u64, is_map: bool, is_key: bool) {
        if is_key {
            self.put("\"");
            self.keys += 1;
        }
        self.put(if is_map { "{" } else { "[" });
        self.open.push(Open { left, is_map, is_empty: true, is_key });
    }

    fn close(&mut self, open: Open) {
        self.put(if open.is_map { "}" } else { "]" });
        if open.is_key {
            self.keys -= 1;
            self.put("\"");
        }
    }

    fn scalar(&mut self, token: Token<'_>) {
        match token {
            Token::Bool(value) => self.put(if value { "true" } else { "false" }),
            Token::Unsigned(number) => self.put(&number.to_string()),
            Token::Signed(number) => self.put(&number.to_string()),
            // Its own shortest digits, which are fewer than those of the same number as a double one.
            Token::Single(number) if number.is_finite() => self.put(&format!("{number:?}")),
            Token::Double(number) if number.is_finite() => self.put(&format!("{number:?}")),
            Token::Bytes(bytes) => self.bytes(bytes),
            Token::Extension(kind, bytes) => {
                self.put(&format!("[{kind},"));
                self.bytes(bytes);
                self.put("]");
            }
            _ => self.put("null"),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.put("[");
        for (index, byte) in bytes.iter().enumerate() {
            if self.is_full {
                return;
            }
            self.put(if index == 0 { "" } else { "," });
            self.put(&byte.to_string());
        }
        self.put("]");
    }

    fn text(&mut self, text: &[u8]) {
        self.put("\"");
        // A character has four bytes at most; what there is no room for need not be looked at.
        let most = text.len().min(self.room.saturating_mul(4));
        let text = String::from_utf8_lossy(&text[..most]);
        let mut rest = &*text;
        while let Some(character) = rest.chars().next() {
            let plain = self.plain(rest);
            match plain {
                0 => self.character(character),
                _ => self.put(&rest[..plain]),
            }
            if self.is_full {
                return;
            }
            rest = &rest[if plain == 0 { character.len_utf8() } else { plain }..];
        }
        self.put("\"");
    }

    /// How many characters from the first one on are as they are, up to the one that there is no room for: one by one a large text
    /// takes so long that others notice.
    fn plain(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let most = bytes.len().min(self.room.saturating_sub(self.used).saturating_add(1));
        let mut count = 0;
        while count < most && matches!(bytes[count], b' '..=b'!' | b'#'..=b'[' | b']'..=b'~') {
            count += 1;
        }
        count
    }

    fn character(&mut self, character: char) {
        match character {
            '"' => self.put("\\\""),
            '\\' => self.put("\\\\"),
            '\n' => self.put("\\n"),
            '\r' => self.put("\\r"),
            '\t' => self.put("\\t"),
            // Also those that JSON would leave as they are: they end lines, or change what a terminal does.
            _ if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') => {
                self.put(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => self.put(character.encode_utf8(&mut [0; 4])),
        }
    }

    fn put(&mut self, json: &str) {
        let start = self.json.len();
        if self.keys == 0 || self.is_bare {
            self.json.push_str(json);
        } else {
            self.json.push_str(&json.replace('\\', "\\\\").replace('"', "\\\""));
        }
        self.used += self.json[start..].chars().count();
        self.is_full = self.used > self.room;
    }
}

impl Open {
    /// It has a key, of which this is the value.
    fn is_at_value(&self) -> bool {
        self.is_map && self.left % 2 == 1
    }
}
