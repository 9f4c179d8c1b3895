use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use super::Watch;
use crate::sys::fd::is_readable_until;

/// A directory for one test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("pkit-watch-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

use std::os::fd::AsFd;

fn has_event(watch: &Watch) -> bool {
    is_readable_until(watch.as_fd(), Instant::now())
}

#[test]
fn what_is_made_and_what_is_moved_there_is_told() {
    let scratch = Scratch::new("made");
    let path = scratch.0.join("file");
    let mut watch = Watch::open().unwrap();
    watch.follow(&path).unwrap();
    assert!(!has_event(&watch));
    fs::write(&path, "").unwrap();
    assert!(has_event(&watch));
    watch.drain();
    fs::remove_file(&path).unwrap();
    fs::write(scratch.0.join("other"), "").unwrap();
    watch.drain();
    fs::rename(scratch.0.join("other"), &path).unwrap();
    assert!(has_event(&watch));
}

#[test]
fn one_that_was_used_before_tells_nothing_of_that() {
    let scratch = Scratch::new("again");
    let (old, new) = (scratch.0.join("old"), scratch.0.join("new"));
    fs::create_dir(&old).unwrap();
    fs::create_dir(&new).unwrap();
    for _ in 0..20 {
        let mut watch = Watch::open().unwrap();
        watch.follow(&old.join("file")).unwrap();
        fs::write(old.join("file"), "").unwrap();
        watch.follow_file(&old.join("file")).unwrap();
        drop(watch);
        let mut watch = Watch::open().unwrap();
        watch.follow(&new.join("file")).unwrap();
        fs::write(old.join("file"), "text").unwrap();
        fs::remove_file(old.join("file")).unwrap();
        assert!(!has_event(&watch));
        assert!(!watch.drain());
        fs::write(new.join("file"), "").unwrap();
        assert!(has_event(&watch));
        fs::remove_file(new.join("file")).unwrap();
    }
}

#[test]
fn directories_that_are_missing_are_followed_as_they_come_and_go() {
    let scratch = Scratch::new("deep");
    let path = scratch.0.join("a/b/file");
    let mut watch = Watch::open().unwrap();
    for _ in 0..3 {
        for made in [scratch.0.join("a"), scratch.0.join("a/b")] {
            watch.follow(&path).unwrap();
            watch.drain();
            fs::create_dir(&made).unwrap();
            assert!(has_event(&watch), "{made:?}");
        }
        watch.follow(&path).unwrap();
        watch.drain();
        fs::write(&path, "").unwrap();
        assert!(has_event(&watch));
        fs::remove_dir_all(scratch.0.join("a")).unwrap();
    }
}

#[test]
fn what_is_written_is_told_of_the_file_alone_and_through_a_link() {
    let scratch = Scratch::new("written");
    let (path, target) = (scratch.0.join("link"), scratch.0.join("target"));
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    fs::write(scratch.0.join("neighbour"), "").unwrap();
    let mut watch = Watch::open().unwrap();
    watch.follow(&path).unwrap();
    watch.follow_file(&path).unwrap();
    fs::write(scratch.0.join("neighbour"), "text").unwrap();
    // An event there may be: what another test has forked has closed the file that was written to before.
    assert!(!watch.drain());
    fs::write(&target, "text").unwrap();
    assert!(watch.drain() && !watch.drain());
}
