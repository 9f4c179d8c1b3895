//! What makes two executors the same, for tests that do not know of each other.
//!
//! They are in processes and binaries of their own, so that it has to be said in bytes. It is a hash in the end: what is compared
//! goes over a socket, and an argument may be a megabyte.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

/// What makes two executors the same: two of which all is equal that they say here are one for a whole run.
///
/// [`Shareable::identify`](crate::Shareable::identify) says it. What it says it says in the same order each time.
///
/// ```
/// use pkit_test::{Identity, tcp};
///
/// let server = || tcp("python3 -m http.server --bind {host} {port}", 0);
/// assert_eq!(Identity::of(&server()), Identity::of(&server()));
/// assert_ne!(Identity::of(&server()), Identity::of(&server().env("PYTHONUNBUFFERED", "1")));
/// ```
#[derive(Clone, Default)]
pub struct Identity {
    /// Each text behind its length.
    said: Vec<u8>,
    /// What cannot be compared.
    pub(crate) closures: Vec<String>,
    pub(crate) refusals: Vec<Refusal>,
    /// How long all of it may take to start.
    pub(crate) patience: Duration,
}

/// Why something cannot be shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusal {
    /// Behind "`db` cannot be shared: ".
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) hint: String,
    pub(crate) spec: String,
}

impl Identity {
    /// Something that makes a difference: two that do not say the same are two.
    ///
    /// ```
    /// use pkit_test::Identity;
    ///
    /// let said = |texts: &[&str]| {
    ///     let mut identity = Identity::default();
    ///     texts.iter().for_each(|text| identity.text(text));
    ///     identity
    /// };
    /// assert_eq!(said(&["a", "b"]), said(&["a", "b"]));
    /// assert_ne!(said(&["a", "b"]), said(&["ab"]));
    /// ```
    pub fn text(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        self.said.extend_from_slice(&text.len().to_ne_bytes());
        self.said.extend_from_slice(text);
    }

    /// It has a closure, which cannot be compared with another one. Whoever shares it has to give it a name, by
    /// [`shared_as`](crate::Shareable::shared_as); without one it is not started.
    ///
    /// ```
    /// use pkit_test::{Identity, simple};
    ///
    /// let error = simple("sleep 60").on_start(|_| ()).shared().start().unwrap_err();
    /// assert!(error.is_spec());
    /// assert!(error.to_string().starts_with("`sleep` cannot be shared without a name: it has a closure"));
    /// # let _ = Identity::default().closure("setup");
    /// ```
    pub fn closure(&mut self, what: impl Into<String>) {
        self.closures.push(what.into());
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// All of it in a word. Two halves, for one would not do for a large suite.
    pub(crate) fn hash(&self) -> String {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            hasher.write(&self.said);
            hasher.finish()
        };
        format!("{:016x}{:016x}", half(0), half(1))
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Identity) -> bool {
        self.said == other.said && self.closures.is_empty() && other.closures.is_empty()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.hash()).finish()
    }
}
