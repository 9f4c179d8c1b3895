use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::guardian::home;
use crate::sys::child::own_pid;
use crate::sys::wait::eventually;

/// Only catches a hang: a janitor may stand still for longer than its limit.
const HANG: Duration = Duration::from_secs(60);

#[test]
fn the_name_of_a_run_has_an_id_and_a_token() {
    assert_eq!(parse_run(b"pkit-4711-a1b2c3"), Some((4711, "a1b2c3")));
    for name in
        ["pkit-4711-a1b2c", "pkit-4711-a1b2cx", "pkit-x-a1b2c3", "pkit-4711", "kit-4711-a1b2c3", "pkit-1-2-a1b2c3"]
    {
        assert_eq!(parse_run(name.as_bytes()), None, "{name}");
    }
    assert_eq!(parse_run(b"pkit-4711-a1b2c\xff"), None);
}

/// Directories are made, used and removed as fast as can be, while janitors clear what they may: none that is used.
#[test]
fn what_is_being_made_is_never_taken_for_what_is_left() {
    let base = env::temp_dir().join(format!("pjanitor-{}", own_pid()));
    fs::create_dir(&base).unwrap();
    let seconds = env::var("PKIT_RACE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0.3);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let is_over = AtomicBool::new(false);
    let (mut made, mut cleared) = (0, 0);
    let duty = || Duty { base: base.clone(), logs: base.join("no logs"), own: None, limit: HANG };
    let (base, duty, is_over) = (&base, &duty, &is_over);
    thread::scope(|scope| {
        let janitors = [0, 1].map(|_| scope.spawn(move || clear_until(is_over, &duty())));
        let makers = [0, 1, 2].map(|number| scope.spawn(move || make_until(end, base, number)));
        // All of them first, so that the janitors end also where one of them has failed.
        let counts = makers.map(thread::ScopedJoinHandle::join);
        is_over.store(true, Ordering::Relaxed);
        made += counts.into_iter().map(Result::unwrap).sum::<u32>();
        cleared += janitors.into_iter().map(|janitor| janitor.join().unwrap()).sum::<u32>();
    });
    // What another test has just forked has the locks, too, until it executes something.
    eventually(|| duty().clear().is_empty() && fs::read_dir(base).unwrap().next().is_none());
    fs::remove_dir_all(base).unwrap();
    assert!(made > 0 && cleared > 0, "made {made}, cleared {cleared}");
}

/// The same name again and again, as a test does whose guardians end. The last one is left: else it may be that none ever was.
fn make_until(end: Instant, base: &Path, number: u32) -> u32 {
    let path = base.join(format!("{PREFIX}9-{number:0TOKEN_DIGITS$x}"));
    let mut count = 0;
    while Instant::now() < end || count == 0 || count % 2 == 1 {
        let lock = home::made(&path).unwrap();
        fs::write(path.join("file"), "").unwrap();
        thread::yield_now();
        assert!(directory::is_at(&lock, &path) && path.join("file").exists() && path.join("run").exists());
        if count % 2 == 0 {
            fs::remove_dir_all(&path).unwrap();
        } else {
            // Killed: but for the names of its processes, for we live.
            fs::write(path.join("run"), "pkit 1\n").unwrap();
        }
        drop(lock);
        count += 1;
    }
    count
}

fn clear_until(is_over: &AtomicBool, duty: &Duty) -> u32 {
    let mut count = 0;
    loop {
        let is_last = is_over.load(Ordering::Relaxed);
        count += duty.clear().len() as u32;
        if is_last {
            return count;
        }
    }
}
