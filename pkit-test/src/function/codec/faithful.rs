//! Refuses what would be read as something else.
//!
//! `Some` leaves no trace in the bytes, so that `Some` of what is written as nil would come back as `None`. That depends on the
//! value, not on its type: so each value is counted as it is written, and after each `Some` it is known whether all of it
//! was one nil.

use std::cell::Cell;

use serde::ser::{Error, Serialize, Serializer};

use super::parts::Parts;

/// What was written so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    values: Cell<u64>,
    /// The number of the last one that was nil.
    last_nil: Cell<u64>,
}

impl Tally {
    fn count(&self) {
        self.values.set(self.values.get() + 1);
    }

    fn count_nil(&self) {
        self.count();
        self.last_nil.set(self.values.get());
    }
}

/// A serializer that looks on.
#[derive(Debug)]
pub(super) struct Faithful<'a, S> {
    inner: S,
    tally: &'a Tally,
}

impl<'a, S> Faithful<'a, S> {
    pub(super) fn new(inner: S, tally: &'a Tally) -> Faithful<'a, S> {
        Faithful { inner, tally }
    }
}

/// A value, to be written by a serializer that is looked on at.
#[derive(Debug)]
pub(super) struct Watched<'a, T: ?Sized> {
    value: &'a T,
    tally: &'a Tally,
}

impl<'a, T: ?Sized> Watched<'a, T> {
    pub(super) fn new(value: &'a T, tally: &'a Tally) -> Watched<'a, T> {
        Watched { value, tally }
    }
}

impl<T: ?Sized + Serialize> Serialize for Watched<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Faithful::new(serializer, self.tally))
    }
}

/// What is one value, and passed on.
macro_rules! plain {
    ($($method:ident($of:ty))*) => {
        $(fn $method(self, value: $of) -> Result<S::Ok, S::Error> {
            self.tally.count();
            self.inner.$method(value)
        })*
    };
}

/// What has parts, each of which is looked at.
macro_rules! with_parts {
    ($($method:ident($($name:ident: $of:ty),*) -> $kind:ident)*) => {
        $(fn $method(self, $($name: $of),*) -> Result<Parts<'a, S::$kind>, S::Error> {
            self.tally.count();
            Ok(Parts::new(self.inner.$method($($name),*)?, self.tally))
        })*
    };
}

impl<'a, S: Serializer> Serializer for Faithful<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<'a, S::SerializeSeq>;
    type SerializeTuple = Parts<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'a, S::SerializeTupleVariant>;
    type SerializeMap = Parts<'a, S::SerializeMap>;
    type SerializeStruct = Parts<'a, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'a, S::SerializeStructVariant>;

    plain! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64) serialize_unit_struct(&'static str)
    }

    with_parts! {
        serialize_seq(length: Option<usize>) -> SerializeSeq
        serialize_tuple(length: usize) -> SerializeTuple
        serialize_tuple_struct(name: &'static str, length: usize) -> SerializeTupleStruct
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, length: usize) -> SerializeTupleVariant
        serialize_map(length: Option<usize>) -> SerializeMap
        serialize_struct(name: &'static str, length: usize) -> SerializeStruct
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, length: usize) -> SerializeStructVariant
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.tally.count_nil();
        self.inner.serialize_none()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.tally.count_nil();
        self.inner.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<S::Ok, S::Error> {
        let (tally, before) = (self.tally, self.tally.values.get());
        let written = self.inner.serialize_some(&Watched::new(value, tally))?;
        let was_nil = tally.values.get() == before + 1 && tally.last_nil.get() == before + 1;
        if was_nil { Err(S::Error::custom(SOME_NOTHING)) } else { Ok(written) }
    }

    /// It is written as what is in it.
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Watched::new(value, self.tally))
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.tally.count();
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.tally.count();
        self.inner.serialize_newtype_variant(name, index, variant, &Watched::new(value, self.tally))
    }

    fn collect_str<T: ?Sized + std::fmt::Display>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.tally.count();
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

const SOME_NOTHING: &str = "`Some(())` and `Some(None)` cannot be told from `None` on the way";
