//! One piece of MessagePack after the other.

/// A scalar, or the beginning of what has others in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::state) enum Token<'b> {
    Null,
    Bool(bool),
    Unsigned(u64),
    /// Below 0.
    Signed(i64),
    Single(f32),
    Double(f64),
    /// Not necessarily UTF-8, and cut where the bytes are.
    Text(&'b [u8]),
    Bytes(&'b [u8]),
    /// So many values follow.
    Array(u32),
    /// So many keys follow, each with its value.
    Map(u32),
    /// What has a meaning of its own: which one, and its bytes.
    Extension(i8, &'b [u8]),
}

/// The next one; `None` where there is none or only a part of one.
pub(in crate::state) fn token<'b>(rest: &mut &'b [u8]) -> Option<Token<'b>> {
    let head = take::<1>(rest)?[0];
    Some(match head {
        0x00..=0x7f => Token::Unsigned(head.into()),
        0x80..=0x8f => Token::Map((head & 0x0f).into()),
        0x90..=0x9f => Token::Array((head & 0x0f).into()),
        0xa0..=0xbf => Token::Text(bytes(rest, (head & 0x1f).into())?),
        0xc0 => Token::Null,
        0xc1 => return None,
        0xc2 | 0xc3 => Token::Bool(head == 0xc3),
        0xc4..=0xc6 => Token::Bytes(counted(rest, head - 0xc4)?),
        0xc7..=0xc9 => extension(rest, head - 0xc7)?,
        0xca => Token::Single(f32::from_be_bytes(take(rest)?)),
        0xcb => Token::Double(f64::from_be_bytes(take(rest)?)),
        0xcc..=0xcf => Token::Unsigned(unsigned(rest, head - 0xcc)?),
        0xd0..=0xd3 => signed(rest, head - 0xd0)?,
        0xd4..=0xd8 => {
            let kind = i8::from_be_bytes(take(rest)?);
            Token::Extension(kind, bytes(rest, 1 << (head - 0xd4))?)
        }
        0xd9..=0xdb => Token::Text(counted(rest, head - 0xd9)?),
        0xdc | 0xdd => Token::Array(count(rest, head - 0xdc)?),
        0xde | 0xdf => Token::Map(count(rest, head - 0xde)?),
        0xe0..=0xff => Token::Signed(i8::from_be_bytes([head]).into()),
    })
}

/// What is behind the first value, if that is whole.
pub(crate) fn after_value(mut bytes: &[u8]) -> Option<&[u8]> {
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        left += match token(&mut bytes)? {
            Token::Array(count) => count.into(),
            Token::Map(count) => 2 * u64::from(count),
            _ => 0,
        };
    }
    Some(bytes)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn bytes<'b>(rest: &mut &'b [u8], length: u64) -> Option<&'b [u8]> {
    let (head, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(head)
}

/// A number of one, two, four or eight bytes.
fn unsigned(rest: &mut &[u8], width: u8) -> Option<u64> {
    Some(match width {
        0 => u8::from_be_bytes(take(rest)?).into(),
        1 => u16::from_be_bytes(take(rest)?).into(),
        2 => u32::from_be_bytes(take(rest)?).into(),
        _ => u64::from_be_bytes(take(rest)?),
    })
}

/// As [`unsigned`]. There is one form of a number that is not below 0, whatever it was written as.
fn signed<'b>(rest: &mut &[u8], width: u8) -> Option<Token<'b>> {
    let number = match width {
        0 => i8::from_be_bytes(take(rest)?).into(),
        1 => i16::from_be_bytes(take(rest)?).into(),
        2 => i32::from_be_bytes(take(rest)?).into(),
        _ => i64::from_be_bytes(take(rest)?),
    };
    Some(u64::try_from(number).map_or(Token::Signed(number), Token::Unsigned))
}

/// A number of two or four bytes.
fn count(rest: &mut &[u8], width: u8) -> Option<u32> {
    unsigned(rest, width + 1).and_then(|count| u32::try_from(count).ok())
}

/// Bytes behind their number, which has one, two or four.
fn counted<'b>(rest: &mut &'b [u8], width: u8) -> Option<&'b [u8]> {
    let length = unsigned(rest, width)?;
    bytes(rest, length)
}

fn extension<'b>(rest: &mut &'b [u8], width: u8) -> Option<Token<'b>> {
    let length = unsigned(rest, width)?;
    let kind = i8::from_be_bytes(take(rest)?);
    Some(Token::Extension(kind, bytes(rest, length)?))
}
