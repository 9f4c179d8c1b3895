//! Settings from outside.
//!
//! All of them are variables of the environment of the test.
//!
//! | variable | values | meaning |
//! |---|---|---|
//! | `PKIT_TIMEOUT_SCALE` | a positive number, default 1 | multiplies the timeouts of start, stop and crash, of waiting for output and of clearing up after others |
//! | `PKIT_OUTPUT` | `failed` (default), `always`, `never` | when the output of processes is shown, and the table of them |
//! | `PKIT_KEEP` | `failed`, `always` | leaves up what is up at the end, and says how to reach it and how to end it |
//! | `PKIT_KEEP_FOR` | such as `90s`, `30m`, `12h` (default), `7d` | for how long; after that each is ended in its own way |
//! | `PKIT_DIR` | a directory, default `pkit` in the target directory; `pkit-of-UID` among temporary files where there is none | where the logs are; those of tests that failed go after a week |
//! | `PKIT_LOG` | `1` | says on stderr what we do, with times |
//! | `PKIT_RUN_ID` | a name, or such as `nightly@4711` | overrides in which run a test is, for what is shared for one: in that of all tests that say the same below the process that has set it, or for as long as the process lives whose id is said |
//! | `PKIT_USER_NAMESPACE` | `1` | lets a test binary begin in a user namespace, so that tests without root can have [a network of their own](crate::Isolation::Net) |
//! | `PKIT_UNTRIED` | `1` | starts processes also on systems other than Linux, where this crate was never run |
//!
//! `PKIT_KEEP` is for people who want to look, and changes nothing of what a test does: a parameter that the body drops before its
//! end is stopped there, also where the test fails later. A handle by itself (`spec.start()?`) does not know why it is dropped:
//! with `failed` it is kept where a panic drops it, with `always` wherever it is dropped.
