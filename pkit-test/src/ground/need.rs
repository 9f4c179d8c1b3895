//! What one executor says of the others.

use crate::template::Hole;

/// Another process that an executor names.
///
/// ```
/// use pkit_test::{Executor, tcp};
/// let needs = tcp("api --db {db.addr} --peer {&other.addr}", 0).needs();
/// assert_eq!(needs.len(), 2);
/// assert_eq!((needs[0].name(), needs[0].is_ordered()), ("db", true));
/// assert_eq!((needs[1].name(), needs[1].is_ordered()), ("other", false));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    name: String,
    is_ordered: bool,
    /// As it was written, for errors.
    pub(crate) text: String,
    /// A name in a regex means a process only where there is one.
    pub(crate) is_optional: bool,
    /// What says so, for errors; empty where nobody knows.
    pub(crate) spec: String,
}

impl Need {
    /// It has to be ready first.
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Need, Result, orchestra};
    ///
    /// struct Migration;
    ///
    /// impl Executor for Migration {
    ///     type Handle = ();
    ///     fn needs(&self) -> Vec<Need> { vec![Need::first("db")] }
    ///     fn start_on(self, _: &Ground) -> Result<()> { Ok(()) }
    /// }
    ///
    /// let error = orchestra().with("migration", Migration).start().unwrap_err();
    /// assert!(error.to_string().contains("there is no process `db`"));
    /// ```
    #[must_use]
    pub fn first(name: impl Into<String>) -> Need {
        let name = name.into();
        Need { text: format!("after({name:?})"), name, is_ordered: true, is_optional: false, spec: String::new() }
    }

    pub(crate) fn of_hole(hole: &Hole) -> Option<Need> {
        if hole.is_own() {
            return None;
        }
        Some(Need {
            name: hole.name().to_owned(),
            is_ordered: !hole.unordered,
            text: hole.text.clone(),
            is_optional: false,
            spec: String::new(),
        })
    }

    /// The same, with what says so.
    pub(crate) fn of(self, spec: &str) -> Need {
        Need { spec: spec.to_owned(), ..self }
    }

    /// The same, where it may be no process at all.
    pub(crate) fn optional(self) -> Need {
        Need { is_optional: true, ..self }
    }

    /// The name of the other process: its first part where it is one of a stack in the stack.
    ///
    /// ```
    /// use pkit_test::{Executor, simple};
    /// let needs = simple("app --db {db.addr} --cache {inner.cache.port}").needs();
    /// assert_eq!(needs.iter().map(|need| need.name()).collect::<Vec<_>>(), ["db", "inner"]);
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has to be ready first: `{db.addr}` and `after("db")` say so, `{&db.addr}` does not.
    ///
    /// ```
    /// use pkit_test::{Executor, simple};
    /// let needs = simple("node --join {&seed.addr}").after("registry").needs();
    /// assert_eq!(needs.iter().map(|need| need.is_ordered()).collect::<Vec<_>>(), [false, true]);
    /// ```
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.is_ordered
    }
}
