use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::*;

#[track_caller]
fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let bytes = arguments(&value).unwrap();
    assert_eq!(read::<T>(&bytes).unwrap(), value);
}

#[track_caller]
fn refused<T: Serialize>(value: T, why: &str) {
    let error = arguments(&value).unwrap_err();
    assert!(error.contains(why), "{error}");
}

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(u8),
    NewUnit(()),
    NewOption(Option<u8>),
    Tuple(u8, Option<()>),
    Fields { a: Option<u8>, b: (), shape: Option<Box<Shape>> },
}

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Marker;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(());

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    number: i64,
    maybe: Option<u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<u8>),
    Fields { a: u8 },
    Nothing,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value")]
enum Adjacent {
    Empty,
    Some(Option<u8>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internal {
    Empty,
    Fields { a: u8 },
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Skips {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    b: Option<u8>,
    #[serde(rename = "other name")]
    c: u8,
    #[serde(with = "bytes")]
    d: Vec<u8>,
}

/// Bytes as bytes, as `serde_bytes` does it.
mod bytes {
    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[test]
fn numbers_are_the_same_at_their_ends() {
    same((u8::MAX, i8::MIN, u16::MAX, i16::MIN, u32::MAX, i32::MIN, u64::MAX, i64::MIN));
    same((0_u128, u128::MAX, i128::MIN, i128::MAX, -1_i128, u128::from(u64::MAX) + 1));
    same((f64::MAX, f64::MIN_POSITIVE, f32::INFINITY, f64::NEG_INFINITY, f32::MIN, 0.1_f64, 0.1_f32));
    same((NonZeroU8::new(1), usize::MAX, isize::MIN, true, 'ß', '\0', '\u{10ffff}'));
}

#[test]
fn floats_keep_their_bits() {
    for bits in [f64::NAN.to_bits(), (-0.0_f64).to_bits(), 0x7ff8_0000_0000_0123, 1] {
        let read: f64 = read(&arguments(&f64::from_bits(bits)).unwrap()).unwrap();
        assert_eq!(read.to_bits(), bits);
    }
    let bits = 0x7fc0_0321;
    assert_eq!(read::<f32>(&arguments(&f32::from_bits(bits)).unwrap()).unwrap().to_bits(), bits);
}

#[test]
fn texts_and_lists_of_any_size() {
    same((String::new(), "ä\0\"".to_owned(), "x".repeat(3_000_000)));
    same((Vec::<u8>::new(), vec![255_u8; 100_000], vec![vec![Vec::<String>::new()]]));
    same(("borrowed".to_owned(), Cow::<'static, str>::Borrowed("cow"), Box::<str>::from("boxed")));
    same(([1_u8; 32], BTreeSet::from(["b", "a"].map(String::from)), (1_u8,)));
    assert_eq!(read::<String>(&arguments(&"borrowed").unwrap()).unwrap(), "borrowed");
}

#[test]
fn maps_with_any_keys() {
    same(BTreeMap::from([(Shape::Unit, 1), (Shape::Fields { a: None, b: (), shape: None }, 2)]));
    same(HashMap::from([((1_u8, "a".to_owned()), ()), ((2, String::new()), ())]));
    same(BTreeMap::from([(Some(1_u8), None), (None, Some(2_u8))]));
    same(BTreeMap::from([(-1_i8, 'x')]));
    same(BTreeMap::<String, u8>::new());
}

#[test]
fn enums_in_enums_and_structures_without_fields() {
    let inner = Shape::Tuple(3, None);
    same([Shape::Unit, Shape::New(7), Shape::NewUnit(()), Shape::NewOption(None), Shape::NewOption(Some(0))]);
    same(Shape::Fields { a: Some(1), b: (), shape: Some(Box::new(inner)) });
    same((Marker, Some(Marker), Wrapped(()), ()));
    same((Ok::<u8, String>(1), Err::<(), _>("no".to_owned()), Ok::<Option<u8>, ()>(None)));
}

#[test]
fn what_serde_can_be_told_about_fields() {
    let inner = Inner { number: -1, maybe: None };
    same(Flat { name: "a".to_owned(), inner, rest: BTreeMap::from([("x".to_owned(), 1)]) });
    same(vec![
        Untagged::Number(-5),
        Untagged::Text("t".to_owned()),
        Untagged::List(vec![1, 2]),
        Untagged::Fields { a: 1 },
    ]);
    same((Untagged::Nothing, Adjacent::Empty, Adjacent::Some(None), Adjacent::Some(Some(3))));
    same((Internal::Empty, Internal::Fields { a: 2 }));
    same(Skips { a: None, b: Some(1), c: 2, d: vec![0, 255] });
    same(Skips { a: Some(1), b: None, c: 2, d: Vec::new() });
}

#[test]
fn types_of_the_standard_library() {
    same((PathBuf::from("/a b/ü"), Duration::new(u64::MAX, 999_999_999), "::1".parse::<IpAddr>().unwrap()));
    same((SystemTime::UNIX_EPOCH, std::ops::Bound::Included(1), 1..2, std::num::Wrapping(3_u8), c"c".to_owned()));
}

#[test]
fn options_that_can_be_told_apart() {
    same((None::<u8>, Some(0_u8), None::<()>, None::<Option<u8>>, Some(Some(1_u8)), Some(vec![None::<u8>, Some(1)])));
    same((Some((None::<u8>,)), Some([(); 2]), Some(Shape::Unit), Some(Marker), Some(String::new())));
    same(Some(BTreeMap::from([("a".to_owned(), None::<u8>)])));
}

#[test]
fn options_that_cannot_are_refused_wherever_they_are() {
    const WHY: &str = "cannot be told from `None`";
    refused(Some(()), WHY);
    refused(Some(None::<u8>), WHY);
    refused(Some(Some(None::<u8>)), WHY);
    refused(Some(Wrapped(())), WHY);
    refused(Some(Box::new(())), WHY);
    refused(vec![None, Some(Some(1)), Some(None)], WHY);
    refused(("deep", [BTreeMap::from([("a", Some(()))])]), WHY);
    refused(Shape::Tuple(1, Some(())), WHY);
    refused(Some(Untagged::Nothing), WHY);
    refused(BTreeMap::from([(Some(()), 1)]), WHY);
}

#[test]
fn what_cannot_be_serialized_says_so_in_its_own_words() {
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(b"\xff"));
    refused(path, "path contains invalid UTF-8 characters");
}

#[test]
fn what_is_something_else_is_not_understood() {
    let bytes = arguments(&(1_u8, "a")).unwrap();
    assert!(read::<(u8, u8)>(&bytes).unwrap_err().contains("as `(u8, u8)`"));
    assert!(read::<u8>(&arguments(&256_u16).unwrap()).is_err());
    assert!(read::<(u8, String)>(&bytes[..2]).is_err());
    assert!(read::<()>(b"").is_err());
    let longer = [bytes, vec![0]].concat();
    assert_eq!(read::<(u8, String)>(&longer).unwrap_err().split(" ends ").last(), Some("after 4 of 5 bytes"));
}

#[test]
fn a_writer_that_is_full_stops_it() {
    let mut limited = Limited { bytes: &mut Vec::new(), limit: 10, is_full: false };
    write(&mut limited, &"0123456789").unwrap_err();
    assert!(limited.is_full);
    assert_eq!(
        (size(RESULT), size(1536), size(3 << 20), size(0)),
        ("1 GiB".into(), "1536 bytes".into(), "3 MiB".into(), "0 bytes".into())
    );
}

const RESULT: u64 = crate::limits::RESULT_BYTES;

#[test]
fn what_is_no_number_is_called_as_people_call_it() {
    fn said<T: Serialize>(value: &T) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes, value).unwrap();
        read::<u32>(&bytes).unwrap_err()
    }
    assert_eq!(said(&"a"), "invalid type: a string, as `u32`");
    assert_eq!(said(&"a".repeat(300)), "invalid type: a string, as `u32`");
    assert_eq!(said(&[1, 2]), "invalid type: a list, as `u32`");
    assert_eq!(said(&BTreeMap::from([(1, 2)])), "invalid type: a map, as `u32`");
    for text in [said(&()), said(&true), said(&1.5), said(&-1)] {
        assert!(!text.contains("marker"), "{text}");
    }
}
