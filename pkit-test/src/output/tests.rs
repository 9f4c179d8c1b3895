//! Writing and reading against each other, with a bound that is small enough to be reached all the time.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use super::follow::{Follower, Piece, end_of};
use super::record::Recorder;
use super::tail::{last_words, tail, tail_since};
use super::{LogFiles, Stream};

/// A log in a place of its own, and what a service would write to.
struct Service {
    path: PathBuf,
    recorder: Recorder,
    out: File,
    err: File,
}

impl Service {
    fn new(bound: u64) -> Service {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pkit-output-{}-{number}", std::process::id()));
        let (recorder, out, err) = Recorder::create(&path, bound).expect("pipes can be made");
        Service { path, recorder, out: out.into(), err: err.into() }
    }

    fn write(&mut self, stream: Stream, text: &str) {
        let mut end = match stream {
            Stream::Out => &self.out,
            Stream::Err => &self.err,
        };
        end.write_all(text.as_bytes()).expect("a pipe has room for a line");
        while self.recorder.move_some() {}
    }

    fn follow(&self, offset: u64) -> Follower {
        Follower::new(&self.path, offset)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        LogFiles::at(&self.path).remove();
    }
}

fn all(follower: &mut Follower) -> Vec<Piece> {
    let mut pieces = Vec::new();
    follower.each_until(u64::MAX, |piece| pieces.push(piece)).expect("the log can be read");
    pieces
}

fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| String::from_utf8_lossy(&piece.bytes)).collect()
}

#[test]
fn the_newest_half_is_always_there() {
    let mut service = Service::new(100);
    let mut written = String::new();
    for number in 0..200 {
        let line = format!("line {number}\n");
        service.write(Stream::Out, &line);
        written += &line;
        let kept = text(&all(&mut service.follow(0)));
        assert!(written.ends_with(&kept), "{kept:?} is not the end of it");
        assert!(kept.len() >= written.len().min(50) && kept.len() <= 100, "{} bytes are kept", kept.len());
    }
    assert!(tail(&service.path, 2, 1000).expect("it can be read").is_cut);
}

#[test]
fn who_keeps_up_misses_nothing_when_the_log_is_begun_again() {
    let mut service = Service::new(64);
    let mut follower = service.follow(0);
    let (mut written, mut seen) = (String::new(), String::new());
    for number in 0..300 {
        let line = format!("{number:06}\n");
        service.write(Stream::Out, &line);
        written += &line;
        seen += &text(&all(&mut follower));
    }
    assert_eq!(seen, written);
}

#[test]
fn a_stretch_knows_its_stream_across_the_turn() {
    let mut service = Service::new(90);
    let mut written = [String::new(), String::new()];
    for number in 0..100 {
        let stream = if number % 3 == 0 { Stream::Err } else { Stream::Out };
        let word = format!("{}{number} ", stream.name());
        service.write(stream, &word);
        written[stream as usize] += &word;
    }
    let (err, out): (Vec<_>, Vec<_>) =
        all(&mut service.follow(0)).into_iter().partition(|piece| piece.stream == Stream::Err);
    assert!(out.len() > 2 && written[0].ends_with(&text(&out)), "{}", text(&out));
    assert!(err.len() > 2 && written[1].ends_with(&text(&err)), "{}", text(&err));
}

#[test]
fn a_place_that_was_thrown_away_is_the_oldest_that_is_left() {
    let mut service = Service::new(100);
    (0..50).for_each(|number| service.write(Stream::Out, &format!("{number}\n")));
    let pieces = all(&mut service.follow(3));
    assert!(pieces[0].start > 3 && text(&pieces).ends_with("48\n49\n"));
}

#[test]
fn a_service_that_says_nothing_has_no_files() {
    let mut service = Service::new(100);
    assert!(!service.recorder.move_some());
    assert!(!LogFiles::at(&service.path).data().exists());
    assert!(all(&mut service.follow(0)).is_empty());
}

#[test]
fn a_log_that_cannot_be_written_costs_output_and_not_the_service() {
    let mut service = Service::new(100);
    // A file stands where a directory would have to be.
    let file = service.path.clone();
    fs::write(&file, "").expect("the directory is there");
    let (recorder, out, err) = Recorder::create(&file.join("log"), 100).expect("pipes can be made");
    (service.recorder, service.out, service.err) = (recorder, out.into(), err.into());
    (0..1000).for_each(|_| service.write(Stream::Err, &"x".repeat(1000)));
    assert_eq!(service.recorder.end(), 0);
    fs::remove_file(file).expect("it is ours");
}

#[test]
fn who_reads_to_a_place_follows_no_flood() {
    let mut service = Service::new(1_000_000);
    service.write(Stream::Out, "before\n");
    let (path, end) = (service.path.clone(), end_of(&service.path));
    let mut read = Vec::new();
    let flooded = Follower::new(&path, 3).each_until(end, |piece| {
        read.push(text(&[piece]));
        service.write(Stream::Out, "meanwhile\n");
    });
    flooded.expect("the log is there");
    assert_eq!(read, ["ore\n"]);
    service.write(Stream::Err, "beyond");
    let mut read = Vec::new();
    Follower::new(&path, 0).each_until(end - 2, |piece| read.push(text(&[piece]))).expect("the log is there");
    assert_eq!(read, ["befor"]);
}

#[test]
fn a_reader_beside_the_writer_never_mixes_two_generations() {
    const LINES: u64 = 30_000;
    let mut service = Service::new(400);
    let (path, is_done) = (service.path.clone(), AtomicBool::new(false));
    // Every byte is given by its place.
    let expected = |place: u64| format!("{:08}\n", place / 9).into_bytes()[(place % 9) as usize];
    thread::scope(|threads| {
        threads.spawn(|| {
            let mut follower = Follower::new(&path, 0);
            while !is_done.load(Ordering::Relaxed) {
                for piece in all(&mut follower) {
                    let places = piece.start..;
                    assert!(piece.bytes.iter().zip(places).all(|(byte, place)| *byte == expected(place)), "{piece:?}");
                }
            }
        });
        (0..LINES).for_each(|number| service.write(Stream::Out, &format!("{number:08}\n")));
        is_done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_was_written_before_is_left_out_also_when_the_log_was_begun_again() {
    let mut service = Service::new(200);
    let lines = |tail: super::tail::Tail| (tail.lines.join(" "), tail.is_cut);
    service.write(Stream::Err, "others\n");
    let since = end_of(&service.path);
    assert_eq!(lines(tail_since(&service.path, since, 9, 999)), (String::new(), false));
    assert!(last_words(&service.path, since, 9, 999).is_none());
    service.write(Stream::Out, "own\n");
    assert_eq!(lines(tail_since(&service.path, since, 9, 999)), ("own".to_owned(), false));
    let (stream, words) = last_words(&service.path, since, 9, 999).expect("it wrote something");
    assert_eq!((stream, lines(words)), (Stream::Out, ("own".to_owned(), false)));

    // Two generations later the first of its lines are gone, and so is the place.
    (0..60).for_each(|number| service.write(Stream::Out, &format!("{number:05}\n")));
    assert!(LogFiles::at(&service.path).old_data().exists());
    let (text, is_cut) = lines(tail_since(&service.path, since, 2, 999));
    assert_eq!((text.as_str(), is_cut), ("00058 00059", true));
    let late = end_of(&service.path);
    service.write(Stream::Err, "late\n");
    assert_eq!(lines(tail_since(&service.path, late, 9, 999)), ("late".to_owned(), false));
}
