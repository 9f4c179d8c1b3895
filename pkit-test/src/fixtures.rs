//! Ready-made fixtures for [rstest](https://docs.rs/rstest), with the feature `rstest`.
//!
//! A fixture is a function that returns a handle, and rstest needs nothing of ours for that. Here is what takes more than
//! a line to write: [`fixture!`](crate::fixture), which gives the process the fixture's name, and [`dir`], a directory that
//! also goes away when the test is killed. [`attributes`](crate::attributes) says how long a fixture lives.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use rstest::fixture;

use crate::ground::{Executor, Ground};
use crate::place::{Place, Wish};

/// An empty directory, gone when the value is dropped or its test has died in any way.
///
/// ```
/// use pkit_test::fixtures::dir;
///
/// let place = dir();
/// std::fs::write(place.join("notes"), "text").unwrap();
/// let path = place.to_path_buf();
/// drop(place);
/// assert!(!path.exists());
/// ```
pub struct Dir {
    path: PathBuf,
    /// Removes it.
    _place: Place,
}

/// The fixture of a [`Dir`]: each use of it is a new one.
///
/// ```
/// use pkit_test::fixtures::{Dir, dir};
/// use rstest::rstest;
///
/// #[rstest]
/// fn is_empty(dir: Dir) {
///     assert_eq!(dir.read_dir().unwrap().count(), 0);
/// }
/// # is_empty_of(dir());
/// # fn is_empty_of(dir: Dir) { assert_eq!(dir.read_dir().unwrap().count(), 0); }
/// ```
///
/// # Panics
///
/// When it cannot be made.
#[fixture]
pub fn dir() -> Dir {
    let place = Place::reserve("dir", &Wish::default()).unwrap_or_else(|error| panic!("{error}"));
    let path = place.directory().unwrap_or_else(|error| panic!("{error}"));
    Dir { path, _place: place }
}

impl Deref for Dir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for Dir {
    fn as_ref(&self) -> &Path {
        self
    }
}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dir").field(&self.path).finish()
    }
}

/// A fixture of rstest that starts something and returns its handle, with the feature `rstest`.
///
/// The process has the name of the fixture, in errors as in the names of logs. An executor of any kind will do; what needs
/// something else to be up belongs into one `Stack` with it. Beside `use rstest::fixture`, which is of the same name, write
/// `pkit_test::fixture!`. (For two globs, `use pkit_test::*` and `use rstest::*`, the name is ambiguous; an explicit
/// `use rstest::fixture` beside them decides.)
///
/// ```
/// use pkit_test::{Process, Stack, fixture, orchestra, simple, tcp};
///
/// fixture!(cache: Process = tcp("python3 -m http.server --bind {host} {port}", 0));
/// fixture!(
///     /// Both for every test that asks.
///     pub stack: Stack = orchestra().with("one", simple("sleep 60")).with("two", simple("sleep 60").after("one"))
/// );
/// fixture!(#[once] common: Process = simple("sleep 60"));
///
/// #[rstest::rstest]
/// fn finds_them(cache: Process, stack: Stack, common: &Process) {
///     assert!(cache.is_alive() && stack["two"].is_alive() && common.is_alive());
/// }
/// # assert_eq!(cache().name(), "cache");
/// # assert!(stack()["two"].is_alive() && common::default().is_alive());
/// ```
///
/// # Panics
///
/// The fixture does, with the whole error, when something does not start.
#[macro_export]
macro_rules! fixture {
    ($(#[$attribute:meta])* $visibility:vis $name:ident: $handle:ty = $executor:expr $(,)?) => {
        #[$crate::__private::fixture]
        $(#[$attribute])*
        $visibility fn $name() -> $handle {
            $crate::fixtures::start(::core::stringify!($name), $executor)
        }
    };
}

/// What [`fixture!`](crate::fixture) expands to.
#[doc(hidden)]
#[track_caller]
pub fn start<E: Executor>(name: &str, executor: E) -> E::Handle {
    let ground = Ground::alone(name.to_owned(), &executor);
    let handle = ground.and_then(|ground| ground.start(executor));
    handle.unwrap_or_else(|error| panic!("{error}"))
}
