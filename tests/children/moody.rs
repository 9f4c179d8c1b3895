//! Is well in one run and not in the next.
//!
//! `moody FILE MOODS [PORT]`: adds a byte to `FILE` and does what the letter of this run says; the last letter is that of
//! all later runs. `u`: is up: listens on `PORT` (0 or none: does not), prints `up N` for its run `N`, and upon a byte on
//! stdin exits with 1, at its end with 0. `x`: exits with 1 at once. `m`: is mute, and pauses.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::process;

use pkit_test_tests::child::{Args, fail, listen, pause, say};

fn main() {
    let mut args = Args::of_process();
    let file: String = args.word("FILE");
    let moods: String = args.word("MOODS");
    let port = args.word_if_any("PORT").unwrap_or(0);
    args.end();
    let run = count(&file).unwrap_or_else(|error| fail(format_args!("{file}: {error}")));
    let mood = moods.chars().nth(run - 1).or(moods.chars().last());
    match mood {
        Some('u') => {
            let _listener = (port != 0).then(|| listen("127.0.0.1", port));
            say(format_args!("up {run}"));
            let was_told = matches!(io::stdin().read(&mut [0]), Ok(1));
            process::exit(was_told.into())
        }
        Some('x') => fail(format_args!("no luck in run {run}")),
        Some('m') => pause(),
        _ => fail("there is no such mood"),
    }
}

/// The number of this run.
fn count(file: &str) -> io::Result<usize> {
    let mut opened = OpenOptions::new().create(true).append(true).open(file)?;
    opened.write_all(b".")?;
    Ok(opened.metadata()?.len() as usize)
}
