//! What is written of a value: each in the shortest form, as `rmp_serde` writes it.

use super::{Head, Parsed, Parser, VALUE_BYTES, Wrong};

impl Parser<'_> {
    pub(super) fn put_text(&mut self, text: &str) -> Parsed {
        let length = text.len();
        match u8::try_from(length) {
            Ok(short @ 0..=31) => self.put(&[0xa0 | short])?,
            Ok(length) => self.put(&[0xd9, length])?,
            Err(_) => self.put_long(length)?,
        }
        self.put(text.as_bytes())
    }

    fn put_long(&mut self, length: usize) -> Parsed {
        match (u16::try_from(length), u32::try_from(length)) {
            (Ok(length), _) => self.put_wide(0xda, &length.to_be_bytes()),
            (_, Ok(length)) => self.put_wide(0xdb, &length.to_be_bytes()),
            _ => Err(self.too_large()),
        }
    }

    pub(super) fn put_unsigned(&mut self, number: u64) -> Parsed {
        match (u8::try_from(number), u16::try_from(number), u32::try_from(number)) {
            (Ok(number @ 0..=127), ..) => self.put(&[number]),
            (Ok(number), ..) => self.put(&[0xcc, number]),
            (_, Ok(number), _) => self.put_wide(0xcd, &number.to_be_bytes()),
            (.., Ok(number)) => self.put_wide(0xce, &number.to_be_bytes()),
            _ => self.put_wide(0xcf, &number.to_be_bytes()),
        }
    }

    /// Of a number below 0.
    pub(super) fn put_signed(&mut self, number: i64) -> Parsed {
        match (i8::try_from(number), i16::try_from(number), i32::try_from(number)) {
            (Ok(number @ -32..), ..) => self.put(&number.to_be_bytes()),
            (Ok(number), ..) => self.put_wide(0xd0, &number.to_be_bytes()),
            (_, Ok(number), _) => self.put_wide(0xd1, &number.to_be_bytes()),
            (.., Ok(number)) => self.put_wide(0xd2, &number.to_be_bytes()),
            _ => self.put_wide(0xd3, &number.to_be_bytes()),
        }
    }

    pub(super) fn put_float(&mut self, number: f64) -> Parsed {
        self.put_wide(0xcb, &number.to_be_bytes())
    }

    fn put_wide(&mut self, mark: u8, bytes: &[u8]) -> Parsed {
        self.put(&[mark])?;
        self.put(bytes)
    }

    /// A text of JSON may be shorter than what it means: `0e0` has nine bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Parsed {
        if (self.packed.len() + bytes.len()) as u64 > VALUE_BYTES {
            return Err(self.too_large());
        }
        self.packed.extend_from_slice(bytes);
        Ok(())
    }

    fn too_large(&self) -> Wrong {
        Wrong { what: format!("the value is larger than {VALUE_BYTES} bytes"), at: self.at }
    }

    /// All of it.
    pub(super) fn with_heads(&self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.packed.len() + self.heads.len());
        let mut done = 0;
        for head in &self.heads {
            whole.extend_from_slice(&self.packed[done..head.place]);
            done = head.place;
            head.write(&mut whole);
        }
        whole.extend_from_slice(&self.packed[done..]);
        whole
    }
}

impl Head {
    fn write(self, packed: &mut Vec<u8>) {
        let [short, medium, long] = if self.is_map { [0x80, 0xde, 0xdf] } else { [0x90, 0xdc, 0xdd] };
        match (u8::try_from(self.count), u16::try_from(self.count)) {
            (Ok(count @ 0..=15), _) => packed.push(short | count),
            (_, Ok(count)) => {
                packed.push(medium);
                packed.extend(count.to_be_bytes());
            }
            _ => {
                packed.push(long);
                packed.extend(self.count.to_be_bytes());
            }
        }
    }
}
