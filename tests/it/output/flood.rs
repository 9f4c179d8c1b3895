//! A service that writes more than anybody reads: it is never made to wait, and nothing is lost.

use pkit_test::{simple, tcp};

use crate::child::{HANG, child};

const BYTES: usize = 50_000_000;
const LINE: &str = "0123456789012345678901234567890123456789012345678901234567890123456789 flooding";

/// Whole lines, all the same: as many bytes as that.
fn is_flood(text: &str, bytes: usize) -> bool {
    let (whole, rest) = text.split_at(bytes / 80 * 80);
    text.len() == bytes && whole.lines().all(|line| line == LINE) && LINE.starts_with(rest)
}

#[test]
fn all_of_it_is_there() {
    let flood = child("flood");
    let process = simple(flood.with(&format!("{BYTES}"))).start().unwrap();
    assert!(process.wait().unwrap().success(), "nobody read it meanwhile");
    let text = process.stdout();
    assert!(is_flood(&text, BYTES), "{} bytes", text.len());
    assert_eq!(process.stderr(), "");
}

#[test]
fn both_streams_are_whole() {
    let flood = child("flood");
    let process = simple(flood.with(&format!("{BYTES} --both --marker end --stay"))).start().unwrap();
    process.wait_for_output("^end$", HANG).unwrap();
    let (out, err) = (process.stdout(), process.stderr());
    let out = out.strip_suffix("end\n").expect("the marker is the last line");
    assert_eq!(out.len() + err.len(), BYTES);
    assert!(is_flood(out, out.len()) && is_flood(&err, err.len()), "{} and {} bytes", out.len(), err.len());
}

#[test]
fn an_endless_one_is_stopped_like_any_other() {
    let flood = child("flood");
    let process = simple(flood.with("0")).start().unwrap();
    process.wait_for_output("flooding", HANG).unwrap();
    process.stop().unwrap();
    assert_eq!(process.exit().and_then(|exit| exit.signal()), Some(15));
}

#[test]
fn a_start_that_fails_shows_only_the_end_of_it() {
    let flood = child("flood");
    let error = tcp(flood.with("3000000 --stderr --marker last"), 0).start().unwrap_err();
    assert!(error.is_exit());
    assert!(error.to_string().len() < 5000, "{} bytes", error.to_string().len());
}
