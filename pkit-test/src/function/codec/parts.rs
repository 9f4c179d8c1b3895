//! The parts of lists, maps and structures, each of which is looked at.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::faithful::{Tally, Watched};

#[derive(Debug)]
pub(super) struct Parts<'a, P> {
    inner: P,
    tally: &'a Tally,
}

impl<'a, P> Parts<'a, P> {
    pub(super) fn new(inner: P, tally: &'a Tally) -> Parts<'a, P> {
        Parts { inner, tally }
    }
}

macro_rules! parts {
    ($($kind:ident: $($method:ident($($key:ident)?))+;)*) => {
        $(impl<P: $kind> $kind for Parts<'_, P> {
            type Ok = P::Ok;
            type Error = P::Error;

            $(fn $method<T: ?Sized + Serialize>(&mut self, $($key: &'static str,)? value: &T) -> Result<(), P::Error> {
                self.inner.$method($($key,)? &Watched::new(value, self.tally))
            })+

            fn end(self) -> Result<P::Ok, P::Error> {
                self.inner.end()
            }
        })*
    };
}

parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeMap: serialize_key() serialize_value();
    SerializeStruct: serialize_field(key);
    SerializeStructVariant: serialize_field(key);
}
