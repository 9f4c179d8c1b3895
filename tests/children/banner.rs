//! Says that it is up in a way that a reader of lines may miss: without a newline, in halves, after a long prefix.
//!
//! `banner TEXT [--halves MS] [--dots N] [--stderr] [--ms MS] [--newline]`: waits `MS`, writes `N` dots, then `TEXT`,
//! with `--halves` its second half only after a pause; no newline but with `--newline`. Then it pauses.

use std::io::{self, Write};

use pkit_test_tests::child::{Args, fail, pause, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let between_ms = args.option("--halves");
    let dots = args.option("--dots").unwrap_or(0);
    let to_stderr = args.flag("--stderr");
    let boot_ms = args.option("--ms").unwrap_or(0);
    let end = if args.flag("--newline") { "\n" } else { "" };
    let text: String = args.word("TEXT");
    args.end();

    let mut stream: Box<dyn Write> = if to_stderr { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
    let middle = if between_ms.is_some() { text.len() / 2 } else { text.len() };
    wait_ms(boot_ms);
    write(&mut stream, &".".repeat(dots));
    write(&mut stream, &text[..middle]);
    wait_ms(between_ms.unwrap_or(0));
    write(&mut stream, &text[middle..]);
    write(&mut stream, end);
    pause()
}

fn write(stream: &mut dyn Write, text: &str) {
    let written = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    written.unwrap_or_else(|error| fail(format_args!("banner: {error}")));
}
