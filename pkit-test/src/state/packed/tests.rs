//! Values of Rust as JSON, JSON as values of Rust, and what is neither.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{from_json, is_at_least, is_same, shown, to_json};
use crate::function::codec;

fn packed<T: Serialize>(value: T) -> Vec<u8> {
    rmp_serde::to_vec_named(&value).expect("it can be written")
}

#[track_caller]
fn check<T: Serialize>(value: T, json: &str) {
    assert_eq!(to_json(&packed(value)), json);
}

/// To the bytes that `rmp_serde` writes, and back to the same text.
#[track_caller]
fn check_both<T: Serialize>(value: T, json: &str) {
    let bytes = packed(value);
    assert_eq!(from_json(json).as_ref(), Ok(&bytes), "{json}");
    assert_eq!(to_json(&bytes), json);
}

#[derive(Serialize)]
struct Job {
    name: &'static str,
    tries: Option<u8>,
    kind: Kind,
}

#[derive(Serialize)]
enum Kind {
    Plain,
    Sized(u64),
}

#[test]
fn numbers_are_exact_in_all_widths() {
    for power in 0..64 {
        for number in [(1_u64 << power) - 1, 1 << power, (1 << power) + 1, u64::MAX - (1 << power)] {
            check_both(number, &number.to_string());
            let number = -1 - i64::try_from(number >> 1).expect("63 bits");
            check_both(number, &number.to_string());
        }
    }
    check_both(i64::MIN, "-9223372036854775808");
    check_both(u64::MAX, "18446744073709551615");
    check_both(0.1, "0.1");
    check_both(-0.0, "-0.0");
    check_both(5e-324, "5e-324");
    check_both(1e300, "1e300");
    check_both(3.0, "3.0");
    check(0.1_f32, "0.1");
    check([f64::NAN, f64::INFINITY], "[null,null]");
    assert_eq!(from_json("-0"), Ok(packed(-0.0)));
    assert_eq!(from_json("1E2"), Ok(packed(100.0)));
}

#[test]
fn strings_keep_all_characters() {
    for length in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
        let text = "x".repeat(length);
        check_both(&text, &format!("\"{text}\""));
    }
    check_both("a\"b\\c/d\n\r\t", r#""a\"b\\c/d\n\r\t""#);
    check_both("\u{8}\u{c}\0\u{7f}\u{9b}\u{2028}", r#""\u0008\u000c\u0000\u007f\u009b\u2028""#);
    check_both("größe 😀", "\"größe 😀\"");
    assert_eq!(from_json(r#""\ud83d\uDE00\/\b\f\u00e9""#), Ok(packed("😀/\u{8}\u{c}é")));
}

#[test]
fn what_is_nested_keeps_its_order() {
    for length in [0_usize, 1, 15, 16, 65_535, 65_536] {
        let json = format!("[{}]", vec!["7"; length].join(","));
        check_both(vec![7; length], &json);
    }
    check_both((1, "a", true, (), [false]), r#"[1,"a",true,null,[false]]"#);
    let map: BTreeMap<_, _> = (0..300).map(|number| (format!("{number:03}"), [number])).collect();
    let pairs: Vec<_> = map.iter().map(|(key, value)| format!("\"{key}\":{value:?}")).collect();
    check_both(&map, &format!("{{{}}}", pairs.join(",")));
    let job = |kind| Job { name: "a", tries: None, kind };
    check_both(job(Kind::Plain), r#"{"name":"a","tries":null,"kind":"Plain"}"#);
    check_both(job(Kind::Sized(7)), r#"{"name":"a","tries":null,"kind":{"Sized":7}}"#);
    assert_eq!(from_json(" { \"a\" :\t[ 1 ,\r2 ] ,\n\"b\" : { } } "), from_json(r#"{"a":[1,2],"b":{}}"#));
}

#[test]
fn what_json_lacks_is_what_is_nearest() {
    check(BTreeMap::from([(-1, 'a'), (2, 'b')]), r#"{"-1":"a","2":"b"}"#);
    check(BTreeMap::from([(true, 1)]), r#"{"true":1}"#);
    check(BTreeMap::from([(("a", 1), 2)]), r#"{"[\"a\",1]":2}"#);
    check(BTreeMap::from([(BTreeMap::from([("a", 1)]), 2)]), r#"{"{\"a\":1}":2}"#);
    assert_eq!(to_json(&[0xc4, 3, 0, 7, 255]), "[0,7,255]");
    assert_eq!(to_json(&[0xd6, 0xff, 1, 2, 3, 4]), "[-1,[1,2,3,4]]");
    assert_eq!(to_json(&[0xa2, b'a', 0xff]), "\"a\u{fffd}\"");
}

#[test]
fn bytes_that_are_cut_are_what_is_there() {
    for (bytes, json) in [
        (&[][..], "null"),
        (&[0xc1], "null"),
        (&[0xdd, 0xff, 0xff, 0xff, 0xff], "[]"),
        (&[0xdf, 0xff, 0xff, 0xff, 0xff, 1], r#"{"1":null}"#),
        (&[0x93, 1, 0x92, 2], "[1,[2]]"),
        (&[0x82, 0xa1, b'a', 1, 0xa1], r#"{"a":1}"#),
        (&[0x81, 0x92, 1], r#"{"[1]":null}"#),
        (&[0xa3, b'a'], "null"),
    ] {
        assert_eq!(to_json(bytes), json, "{bytes:?}");
    }
    let deep = to_json(&vec![0x91; 100_000]);
    assert_eq!(deep.len(), 2 * super::DEPTH);
}

#[test]
fn people_see_so_many_characters() {
    let list = packed((1, "größe", vec![0.5; 100]));
    for (most, expected) in [(0, ""), (1, "…"), (2, "[…"), (11, "[1,\"größe\"…"), (14, "[1,\"größe\",[0…")]
    {
        assert_eq!(shown(&list, most), expected);
    }
    assert_eq!(shown(&packed("abc"), 5), "\"abc\"");
    assert_eq!(shown(&packed("abc"), 4), "\"ab…");
    assert_eq!(shown(&[0x93, 1, 2], 80), "[1,2…");
    assert_eq!(shown(&[], 80), "…");
    assert_eq!(shown(&packed("a\n\u{1b}[31m"), 80), r#""a\n\u001b[31m""#);
    // Neither is walked through: of the first one there is nothing but its announcement.
    assert_eq!(shown(&[0xdd, 0xff, 0xff, 0xff, 0xff], 80), "[…");
    assert_eq!(shown(&packed(vec![(); 10_000_000]), 7), "[null,…");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (json, wrong) in [
        ("", "a value is missing at character 1"),
        ("  ", "a value is missing at character 3"),
        ("[1,", "a value is missing at character 4"),
        ("[1 2]", "`,` or `]` is missing at character 4"),
        ("[1,]", "there is no value at character 4"),
        (r#"{"a" 1}"#, "`:` is missing at character 6"),
        (r#"{"a":1 "b":2}"#, "`,` or `}` is missing at character 8"),
        (r#"{"a":1,}"#, "a key is missing, in quotation marks at character 8"),
        ("{a:1}", "a key is missing, in quotation marks at character 2"),
        ("\"größ\u{1}\"", "a control character is not escaped at character 6"),
        (r#"["abc]"#, "the string has no end at character 2"),
        (r#""\x41""#, "there is no such escape at character 2"),
        (r#""\u12""#, "`\\u` needs four hexadecimal digits at character 2"),
        (r#""\u+123""#, "`\\u` needs four hexadecimal digits at character 2"),
        (r#""a\ud83d""#, "half a character is escaped at character 3"),
        (r#""\ud83d\u0041""#, "half a character is escaped at character 2"),
        (r#""\udc00""#, "half a character is escaped at character 2"),
        ("01", "this is no number of JSON at character 1"),
        ("1.", "this is no number of JSON at character 1"),
        ("+1", "there is no value at character 1"),
        ("- 1", "this is no number of JSON at character 1"),
        ("1e", "this is no number of JSON at character 1"),
        ("NaN", "there is no value at character 1"),
        ("18446744073709551616", "the number needs more than 64 bits at character 1"),
        ("-9223372036854775809", "the number needs more than 64 bits at character 1"),
        ("[1e999]", "the number is too large for a float at character 2"),
        ("1 1", "there is something behind the value at character 3"),
        ("nul", "there is no value at character 1"),
    ] {
        assert_eq!(from_json(json), Err(wrong.to_owned()), "{json}");
    }
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(to_json(&from_json(&nested(1000)).unwrap()), nested(1000));
    assert_eq!(from_json(&nested(1001)), Err("it is nested deeper than 1000 at character 1001".to_owned()));
}

#[test]
fn the_same_value_is_known_in_all_forms() {
    let same = |json: &str, bytes: &[u8]| is_same(&from_json(json).expect("it is JSON"), bytes);
    assert!(same("5", &packed(5_i64)) && same("5.0", &packed(5)) && same("0.1", &packed(0.1_f32)));
    assert!(!same(r#"{"b":1,"a":[2]}"#, &packed(BTreeMap::from([("a", vec![2]), ("b", vec![])]))));
    assert!(same(r#"{"b":1,"a":2}"#, &packed(BTreeMap::from([("a", 2), ("b", 1)]))));
    assert!(same(r#"{"-1":1}"#, &packed(BTreeMap::from([(-1, 1)]))));
    assert!(same("[1,2]", &[0xc4, 2, 1, 2]));
    assert!(same("-0", &packed(0)) && same("1e300", &packed(1e300)));
    assert!(!same("5", &packed("5")) && !same("[]", &from_json("{}").unwrap()) && !same("null", &[]));
    assert!(!same("18446744073709551615", &packed(-1)));
}

#[test]
fn numbers_are_compared_and_nothing_else_is() {
    let is_at_least = |json: &str, least| is_at_least(&from_json(json).expect("it is JSON"), least);
    assert!(is_at_least("5", 5) && is_at_least("-5", -5) && is_at_least("5.5", 5) && !is_at_least("4.5", 5));
    assert!(is_at_least("18446744073709551615", i64::MAX) && !is_at_least("-6", -5) && !is_at_least("4", 5));
    assert!(!is_at_least("null", i64::MIN) && !is_at_least("\"9\"", 5) && !is_at_least("[9]", 5));
}

#[test]
fn what_a_program_says_a_type_understands() {
    let read = codec::read::<BTreeMap<String, Option<f32>>>(&from_json(r#"{"a":1.5,"b":null,"c":2}"#).unwrap());
    assert_eq!(read, Ok(BTreeMap::from([("a".into(), Some(1.5)), ("b".into(), None), ("c".into(), Some(2.0))])));
}
