use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::sys::random::random;

/// A place of its own, which has to be empty at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        let place = std::env::temp_dir().join(format!("pkit-directory-{:x}", random()));
        fs::create_dir(&place).unwrap();
        Place(place)
    }

    fn lock(&self, key: &str) -> (RunDirectory, Lock) {
        let deadline = Instant::now() + Duration::from_secs(60);
        RunDirectory::lock(&base(&self.0), &name(key), deadline).unwrap().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Not with what is in it.
        assert!(fs::remove_dir(&self.0).is_ok() || thread::panicking());
    }
}

fn listen(directory: &RunDirectory) -> (UnixListener, OwnedFd) {
    let alive = directory.wait_for_end(Instant::now() + Duration::from_secs(60)).unwrap().unwrap();
    let shared = alive.share().unwrap();
    alive.leave();
    (directory.listen().unwrap(), shared)
}

#[test]
fn a_broker_leaves_nothing_of_its_run_and_of_others_what_is_theirs() {
    let place = Place::new();
    let [(one, start_one), (other, start_other)] = ["one", "other"].map(|key| place.lock(key));
    let [one, other] = [one, other].map(|directory| {
        let (listener, alive) = listen(&directory);
        (RunDirectory::of_listener(&listener).unwrap(), alive)
    });
    drop((start_one, start_other));
    one.0.remove(one.1);
    assert_eq!(fs::read_dir(base(&place.0)).unwrap().count(), 1);
    other.0.remove(other.1);
}

#[test]
fn what_somebody_is_about_to_start_is_left_to_them() {
    let place = Place::new();
    let (directory, start) = place.lock("run");
    let (listener, alive) = listen(&directory);
    let of_broker = RunDirectory::of_listener(&listener).unwrap();
    assert!(directory.wait_for_end(Instant::now()).unwrap().is_none());
    of_broker.remove(alive);
    // The lock is free, and the socket of the one that is gone is in nobody's way.
    let (_listener, alive) = listen(&directory);
    drop(start);
    directory.remove(alive);
}

#[test]
fn one_that_is_removed_while_its_lock_is_waited_for_is_made_again() {
    let place = Place::new();
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        // Each start leaves a directory with free locks, which others take for nobody's.
        let sweep = || {
            let (directory, _start) = place.lock("sweeper");
            while !is_over.load(Ordering::Relaxed) {
                directory.remove_others();
            }
        };
        threads.spawn(sweep);
        let use_it = || {
            for _ in 0..200 {
                let (directory, start) = place.lock("used");
                let (listener, alive) = listen(&directory);
                drop(start);
                assert!(directory::is_at(&directory.directory, &directory.path), "it is used");
                drop(listener);
                directory.remove(alive);
            }
        };
        let users: Vec<_> = (0..3).map(|_| threads.spawn(use_it)).collect();
        let ended: Vec<_> = users.into_iter().map(|user| user.join().is_ok()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(ended, [true; 3]);
    });
    let (sweeper, start) = place.lock("sweeper");
    let (_listener, alive) = listen(&sweeper);
    drop(start);
    sweeper.remove(alive);
}

#[test]
fn a_name_says_nothing_but_which_key_it_was() {
    assert_eq!(name(""), "cbf29ce484222325");
    assert_eq!(name("a"), "af63dc4c8601ec8c");
    assert_ne!(name("runner 1 23"), name("runner 12 3"));
    let own = base(Path::new("/p")).join(name("k")).join(SOCKET);
    assert!(own.as_os_str().len() <= "/p".len() + PATH_BYTES && socket(&base(Path::new("/p")), &name("k")) == own);
}

#[test]
fn what_is_in_the_place_of_a_directory_is_told() {
    let place = Place::new();
    File::create(base(&place.0)).unwrap();
    let error = RunDirectory::lock(&base(&place.0), "0", Instant::now()).unwrap_err();
    assert_eq!(error.to_string(), "it is no directory");
    assert_eq!(objection(&base(&place.0)), Some("it is no directory"));
    fs::remove_file(base(&place.0)).unwrap();
    assert_eq!(objection(&base(&place.0)), None);
}
