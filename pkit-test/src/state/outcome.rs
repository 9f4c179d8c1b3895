//! What the closure of an update may return.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::error;

/// An error of any kind, as closures of transactions return it.
type BoxError = Box<dyn error::Error + Send + Sync>;

/// What the closure of [`State::update`](crate::State::update) may return: nothing or a plain value, which the update returns then,
/// or a `Result`, whose error makes that nothing is changed.
///
/// It is for types of the standard library, so that it is plain which of the two something is: another type is returned in an
/// `Ok`.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// #[derive(Debug, PartialEq)]
/// struct Seat(usize);
///
/// let state = pkit_test::State::new()?;
/// state.set("seats", &Vec::<String>::new())?;
/// let seat = state.update("seats", |seats: &mut Vec<String>| {
///     seats.push("me".to_owned());
///     Ok::<_, String>(Seat(seats.len()))
/// })?;
/// assert_eq!(seat, Seat(1));
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "a closure of `update` cannot return `{Self}` as it is",
    label = "neither a plain value nor a `Result`",
    note = "return it in a `Result`: `Ok::<_, std::convert::Infallible>(value)`; an `Err` makes that nothing is changed"
)]
pub trait Outcome: sealed::Sealed {
    /// What the update returns.
    type Value;

    /// That, or why nothing is to be changed.
    #[doc(hidden)]
    fn settled(self) -> Result<Self::Value, BoxError>;
}

mod sealed {
    pub trait Sealed {}
}

impl<V, E: Into<BoxError>> sealed::Sealed for Result<V, E> {}

impl<V, E: Into<BoxError>> Outcome for Result<V, E> {
    type Value = V;

    fn settled(self) -> Result<V, BoxError> {
        self.map_err(Into::into)
    }
}

macro_rules! plain {
    ($([$($of:tt)*] $plain:ty;)*) => {$(
        impl<$($of)*> sealed::Sealed for $plain {}

        impl<$($of)*> Outcome for $plain {
            type Value = $plain;

            fn settled(self) -> Result<$plain, BoxError> {
                Ok(self)
            }
        }
    )*};
}

plain! {
    [] (); [] bool; [] char; [] String; [] std::time::Duration; ['a] &'a str;
    [] u8; [] u16; [] u32; [] u64; [] u128; [] usize;
    [] i8; [] i16; [] i32; [] i64; [] i128; [] isize;
    [] f32; [] f64;
    [V] Option<V>; [V] Box<V>; [V] Vec<V>; [V] VecDeque<V>; [V, const N: usize] [V; N];
    [V] BTreeSet<V>; [V, S] HashSet<V, S>; [K, V] BTreeMap<K, V>; [K, V, S] HashMap<K, V, S>;
    [A] (A,); [A, B] (A, B); [A, B, C] (A, B, C); [A, B, C, D] (A, B, C, D); [A, B, C, D, E] (A, B, C, D, E);
    [A, B, C, D, E, F] (A, B, C, D, E, F);
}
