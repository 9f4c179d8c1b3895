//! JSON as MessagePack.
//!
//! An array says before its items how many they are, and the text says it behind them. So heads are noted while the text is read,
//! and put in their places at the end, all in one pass: each has the shortest form.

mod pack;

use super::DEPTH;
use crate::limits::VALUE_BYTES;

/// One JSON value as the shortest MessagePack that means the same. Whole numbers stay whole and exact; what is larger than 64 bits
/// is refused, for a float would be another number.
///
/// # Errors
///
/// What is wrong, and at which character, the first of which is 1.
pub(crate) fn from_json(json: &str) -> Result<Vec<u8>, String> {
    let mut parser = Parser { json, at: 0, depth: 0, packed: Vec::new(), heads: Vec::new() };
    let parsed = parser.whole();
    parsed.map_err(|wrong| {
        let place = json[..wrong.at].chars().count() + 1;
        format!("{} at character {place}", wrong.what)
    })?;
    Ok(parser.with_heads())
}

struct Parser<'j> {
    json: &'j str,
    at: usize,
    depth: usize,
    /// All but the heads.
    packed: Vec<u8>,
    /// In the order of their places.
    heads: Vec<Head>,
}

/// Where a head belongs in what is packed, and how many values or pairs follow it.
#[derive(Debug, Clone, Copy)]
struct Head {
    place: usize,
    count: u32,
    is_map: bool,
}

struct Wrong {
    what: String,
    at: usize,
}

type Parsed<T = ()> = Result<T, Wrong>;

impl<'j> Parser<'j> {
    fn whole(&mut self) -> Parsed {
        self.value()?;
        match self.next() {
            None => Ok(()),
            Some(_) => self.wrong("there is something behind the value"),
        }
    }

    fn value(&mut self) -> Parsed {
        match self.next() {
            None => self.wrong("a value is missing"),
            Some('{') => self.nested(Parser::map),
            Some('[') => self.nested(Parser::array),
            Some('"') => self.text(),
            Some('-' | '0'..='9') => self.number(),
            Some(_) => self.word(),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Parsed) -> Parsed {
        if self.depth == DEPTH {
            return self.wrong(&format!("it is nested deeper than {DEPTH}"));
        }
        self.depth += 1;
        self.at += 1;
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Parsed {
        let head = self.head(false);
        if self.skip(']') {
            return Ok(());
        }
        loop {
            self.value()?;
            self.heads[head].count += 1;
            if self.skip(']') {
                return Ok(());
            }
            self.expect(',', "`,` or `]` is missing")?;
        }
    }

    fn map(&mut self) -> Parsed {
        let head = self.head(true);
        if self.skip('}') {
            return Ok(());
        }
        loop {
            if self.next() != Some('"') {
                return self.wrong("a key is missing, in quotation marks");
            }
            self.text()?;
            self.expect(':', "`:` is missing")?;
            self.value()?;
            self.heads[head].count += 1;
            if self.skip('}') {
                return Ok(());
            }
            self.expect(',', "`,` or `}` is missing")?;
        }
    }

    /// Which one it is among the heads.
    fn head(&mut self, is_map: bool) -> usize {
        self.heads.push(Head { place: self.packed.len(), count: 0, is_map });
        self.heads.len() - 1
    }

    fn word(&mut self) -> Parsed {
        let words = [("null", 0xc0), ("false", 0xc2), ("true", 0xc3)];
        let word = words.iter().find(|(word, _)| self.rest().starts_with(word));
        let Some((word, packed)) = word else { return self.wrong("there is no value") };
        self.at += word.len();
        self.put(&[*packed])
    }

    fn text(&mut self) -> Parsed {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            let rest = self.rest();
            let plain = rest.find(|c| c == '"' || c == '\\' || c < ' ');
            let Some(plain) = plain else {
                self.at = start;
                return self.wrong("the string has no end");
            };
            text.push_str(&rest[..plain]);
            self.at += plain;
            match rest.as_bytes()[plain] {
                b'"' => break,
                b'\\' => text.push(self.escape()?),
                _ => return self.wrong("a control character is not escaped"),
            }
        }
        self.at += 1;
        self.put_text(&text)
    }

    /// What an escape means.
    fn escape(&mut self) -> Parsed<char> {
        let escaped = self.rest().chars().nth(1);
        let plain = match escaped {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(same @ ('"' | '\\' | '/')) => same,
            Some('u') => return self.unicode(),
            _ => return self.wrong("there is no such escape"),
        };
        self.at += 2;
        Ok(plain)
    }

    /// `\u` with four digits, or two of them, which are one character beyond 16 bits.
    fn unicode(&mut self) -> Parsed<char> {
        let Some(first) = unit(self.rest()) else { return self.wrong("`\\u` needs four hexadecimal digits") };
        let second = if (0xd800..0xdc00).contains(&first) { self.rest().get(6..).and_then(unit) } else { None };
        let units = [first, second.unwrap_or_default()];
        let units = &units[..if second.is_some() { 2 } else { 1 }];
        let mut decoded = char::decode_utf16(units.iter().copied());
        let Some(Ok(character)) = decoded.next() else { return self.wrong("half a character is escaped") };
        self.at += 6 * units.len();
        Ok(character)
    }

    fn number(&mut self) -> Parsed {
        let rest = self.rest();
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let number = &rest[..end];
        if !is_number(number) {
            return self.wrong("this is no number of JSON");
        }
        let is_whole = !number.contains(['.', 'e', 'E']);
        match (number.parse::<u64>(), number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(whole), ..) if is_whole => self.put_unsigned(whole)?,
            // -0 is a float, for there is no such integer.
            (_, Ok(whole), _) if is_whole && whole != 0 => self.put_signed(whole)?,
            (.., Ok(float)) if float.is_finite() && (!is_whole || float == 0.0) => self.put_float(float)?,
            _ if is_whole => return self.wrong("the number needs more than 64 bits"),
            _ => return self.wrong("the number is too large for a float"),
        }
        self.at += end;
        Ok(())
    }

    fn rest(&self) -> &'j str {
        &self.json[self.at..]
    }

    /// The next character that is no blank, which is not taken.
    fn next(&mut self) -> Option<char> {
        let rest = self.rest();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.at += blanks;
        self.rest().chars().next()
    }

    fn skip(&mut self, wanted: char) -> bool {
        let is_there = self.next() == Some(wanted);
        self.at += if is_there { wanted.len_utf8() } else { 0 };
        is_there
    }

    fn expect(&mut self, wanted: char, missing: &str) -> Parsed {
        if self.skip(wanted) { Ok(()) } else { self.wrong(missing) }
    }

    fn wrong<T>(&self, what: &str) -> Parsed<T> {
        Err(Wrong { what: what.to_owned(), at: self.at })
    }
}

/// The sixteen bits of `\u1234`.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| are_digits)
}

/// Whether it is one as JSON writes it, which is less than what Rust reads.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (text, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(text, exponent)| (text, Some(exponent)));
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
