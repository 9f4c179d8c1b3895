//! Serves exactly one client: whoever connects only to see whether it is there has had the one connection.
//!
//! `one_shot_server PORT [TEXT]`: listens, accepts one connection, writes `TEXT` (default `hello`) as a line, exits 0.

use std::io::Write as _;

use pkit_test_tests::child::{Args, fail, listen};

fn main() {
    let mut args = Args::of_process();
    let port = args.word("PORT");
    let text = args.word_if_any("TEXT").unwrap_or_else(|| "hello".to_owned());
    args.end();
    let answered = listen("127.0.0.1", port).accept().and_then(|(mut client, _)| writeln!(client, "{text}"));
    answered.unwrap_or_else(|error| fail(format_args!("one_shot_server: {error}")));
}
