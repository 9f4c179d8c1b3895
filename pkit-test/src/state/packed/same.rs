//! Whether two values are the same one in JSON, whoever has written them.
//!
//! Not the bytes: a map has no order, a number may be written in several widths, 5.0 is 5, and bytes are an array.

use super::write::Writer;
use super::{DEPTH, Token, after_value, token};

/// A value in the one form that all have that are the same.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Plain {
    Null,
    Bool(bool),
    Whole(i128),
    /// Its bits. Only of what is not whole.
    Float(u64),
    Text(String),
    List(Vec<Plain>),
    /// Sorted.
    Map(Vec<(String, Plain)>),
}

/// Bytes that are no value are the same as none but themselves.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one == other || plain(&mut &*one, DEPTH).is_some_and(|one| plain(&mut &*other, DEPTH) == Some(one))
}

/// Whether it is a number, and not below that one.
pub(crate) fn is_at_least(bytes: &[u8], least: i64) -> bool {
    match token(&mut &*bytes) {
        Some(Token::Unsigned(number)) => i128::from(number) >= least.into(),
        Some(Token::Signed(number)) => number >= least,
        #[expect(clippy::cast_precision_loss, reason = "the other one is not exact either")]
        Some(Token::Double(number)) => number >= least as f64,
        #[expect(clippy::cast_precision_loss, reason = "the other one is not exact either")]
        Some(Token::Single(number)) => f64::from(number) >= least as f64,
        _ => false,
    }
}

fn plain(rest: &mut &[u8], depth: usize) -> Option<Plain> {
    let below = depth.checked_sub(1)?;
    Some(match token(rest)? {
        Token::Null => Plain::Null,
        Token::Bool(value) => Plain::Bool(value),
        Token::Unsigned(number) => Plain::Whole(number.into()),
        Token::Signed(number) => Plain::Whole(number.into()),
        // By its own digits, as in JSON.
        Token::Single(number) => number.to_string().parse().map_or(Plain::Null, float),
        Token::Double(number) => float(number),
        Token::Text(text) => Plain::Text(String::from_utf8_lossy(text).into_owned()),
        Token::Bytes(bytes) => list(bytes),
        Token::Extension(kind, bytes) => Plain::List(vec![Plain::Whole(kind.into()), list(bytes)]),
        Token::Array(count) => Plain::List((0..count).map(|_| plain(rest, below)).collect::<Option<_>>()?),
        Token::Map(count) => {
            let pairs = (0..count).map(|_| Some((key(rest)?, plain(rest, below)?)));
            let mut pairs: Vec<_> = pairs.collect::<Option<_>>()?;
            pairs.sort();
            Plain::Map(pairs)
        }
    })
}

fn float(number: f64) -> Plain {
    const EXACT: f64 = 1e30;
    match number {
        _ if !number.is_finite() => Plain::Null,
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
        _ if number.fract() == 0.0 && number.abs() < EXACT => Plain::Whole(number as i128),
        _ => Plain::Float(number.to_bits()),
    }
}

fn list(bytes: &[u8]) -> Plain {
    Plain::List(bytes.iter().map(|byte| Plain::Whole((*byte).into())).collect())
}

/// A key as the string that it is in JSON.
fn key(rest: &mut &[u8]) -> Option<String> {
    let whole = *rest;
    *rest = after_value(whole)?;
    let own = &whole[..whole.len() - rest.len()];
    match token(&mut &*own)? {
        Token::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => Some(Writer::new(own, usize::MAX).key()),
    }
}
