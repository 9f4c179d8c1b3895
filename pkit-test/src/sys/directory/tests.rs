use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::sys::child::own_pid;
use crate::sys::wait::eventually;

/// A directory of one test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("pdir-{}-{name}", own_pid()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn inner(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn budget(entries: usize) -> Budget {
    Budget { deadline: Instant::now() + Duration::from_secs(60), entries }
}

fn names_of(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn whatever_is_in_it_is_removed_and_nothing_outside() {
    let scratch = Scratch::new("hostile");
    let (outside, top) = (scratch.inner("outside"), scratch.inner("top"));
    File::create(outside.join("file")).unwrap();
    symlink(&outside, top.join("link")).unwrap();
    symlink(&outside, scratch.inner("top/a/b").join("link")).unwrap();
    for name in [".pkit-0", ".pkit-1/x", ".pkit-2/kept", "kept.next/y", "a/kept", "z/kept/z"] {
        scratch.inner(&format!("top/{name}"));
    }
    File::create(top.join(".pkit-3")).unwrap();
    fs::set_permissions(top.join("a/b"), Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(top.join("a"), Permissions::from_mode(0o0)).unwrap();
    File::create(top.join("kept")).unwrap();
    empty(&open(&top).unwrap(), c"kept", &mut budget(1000)).unwrap();
    assert_eq!((names_of(&top), names_of(&outside)), (vec!["kept".to_owned()], vec!["file".to_owned()]));
}

#[test]
fn a_tree_deeper_than_any_path_is_removed() {
    let scratch = Scratch::new("deep");
    let (top, next) = (scratch.inner("top"), scratch.0.join("next"));
    let deep = scratch.inner("top/deep");
    File::create(deep.join("file")).unwrap();
    for _ in 0..60 {
        fs::create_dir(&next).unwrap();
        fs::rename(&deep, next.join("d".repeat(200))).unwrap();
        fs::rename(&next, &deep).unwrap();
    }
    empty(&open(&top).unwrap(), c"kept", &mut budget(100_000)).unwrap();
    assert_eq!(names_of(&top), Vec::<String>::new());
}

#[test]
fn it_goes_as_far_as_its_budget() {
    let scratch = Scratch::new("budget");
    (0..100).for_each(|number| drop(File::create(scratch.0.join(number.to_string())).unwrap()));
    let directory = open(&scratch.0).unwrap();
    empty(&directory, c"kept", &mut budget(40)).unwrap_err();
    assert_eq!(names_of(&scratch.0).len(), 60);
    let late = Budget { deadline: Instant::now(), entries: 1000 };
    empty(&directory, c"kept", &mut { late }).unwrap_err();
    assert_eq!(names_of(&scratch.0).len(), 60);
    empty(&directory, c"kept", &mut budget(60)).unwrap();
}

#[test]
fn a_lock_is_one_opening_and_goes_with_its_last_descriptor() {
    let scratch = Scratch::new("lock");
    let [first, other] = [(); 2].map(|()| open_at(&scratch.0).unwrap());
    assert!(try_lock(&first).unwrap() && try_lock(&first).unwrap());
    let copy = first.try_clone().unwrap();
    drop(first);
    assert!(!try_lock(&other).unwrap());
    drop(copy);
    // What another test has just forked has a descriptor of it, too, until it executes something.
    eventually(|| try_lock(&other).unwrap());
}

#[test]
fn a_link_is_no_directory_and_a_pipe_no_file() {
    let scratch = Scratch::new("kinds");
    let (there, link) = (scratch.inner("there"), scratch.0.join("link"));
    symlink(&there, &link).unwrap();
    nix::unistd::mkfifo(&scratch.0.join("pipe"), Mode::S_IRWXU).unwrap();
    symlink("nowhere", scratch.0.join("file")).unwrap();
    let directory = open(&scratch.0).unwrap();
    open_at(&link).unwrap_err();
    open_in(&directory, c"link").unwrap_err();
    for how in [How::Read, How::Append, How::Replace] {
        open_file(&directory, c"pipe", how).unwrap_err();
        open_file(&directory, c"file", how).unwrap_err();
    }
    let there_open = open_in(&directory, c"there").unwrap();
    assert!(is_at(&there_open, &there) && !is_at(&there_open, &link) && !is_in(&there_open, &directory, c"link"));
    fs::rename(&there, scratch.0.join("moved")).unwrap();
    assert!(!is_at(&there_open, &there) && is_in(&there_open, &directory, c"moved"));
}

#[test]
fn what_others_may_write_to_is_not_private() {
    let scratch = Scratch::new("private");
    for (mode, expected) in [(0o700, true), (0o711, true), (0o755, true), (0o770, false), (0o702, false)] {
        fs::set_permissions(&scratch.0, Permissions::from_mode(mode)).unwrap();
        assert_eq!(is_private(&open(&scratch.0).unwrap()), expected, "{mode:o}");
    }
    if nix::unistd::Uid::effective().is_root() {
        fs::set_permissions(&scratch.0, Permissions::from_mode(0o700)).unwrap();
        nix::unistd::chown(&scratch.0, Some(nix::unistd::Uid::from_raw(65534)), None).unwrap();
        assert!(!is_private(&open(&scratch.0).unwrap()));
    }
}
