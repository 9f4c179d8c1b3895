//! The handle of an orchestra.

use std::fmt;
use std::ops::Index;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::engine::Handles;
use super::entry::Held;
use super::scope;
use crate::config::{Show, config};
use crate::ground::Scope;
use crate::handle::Process;
use crate::network::Stay;
use crate::quote::without_modules;

/// The handles of an orchestra that is up. Dropping it stops all, in reverse order of start.
///
/// `stack["name"]` is the process of that name, and panics where there is none; [`get`](Stack::get) is the handle,
/// whatever its type.
///
/// ```
/// use pkit_test::{Process, orchestra, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let stack = orchestra().with("sleeper", simple("sleep 60")).start()?;
/// assert!(stack["sleeper"].is_alive());
/// let same: &Process = stack.get("sleeper");
/// assert_eq!(same.pid(), stack["sleeper"].pid());
/// assert_eq!(stack.names().collect::<Vec<_>>(), ["sleeper"]);
/// # Ok(()) }
/// ```
pub struct Stack {
    scope: Arc<Scope>,
    handles: Handles,
    /// Part of a larger stack, which speaks for it at the end.
    is_inner: bool,
    /// Somebody else conducts its end.
    is_taken: bool,
    /// Last of all: where the thread is that has started it.
    stay: Option<Stay>,
}

impl Stack {
    pub(super) fn new(scope: Arc<Scope>, handles: Handles, is_inner: bool) -> Stack {
        Stack { scope, handles, is_inner, is_taken: false, stay: None }
    }

    pub(super) fn staying(self, stay: Option<Stay>) -> Stack {
        let mut stack = self;
        stack.stay = stay;
        stack
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// The handle under a name, whatever its type: a [`Process`] of a spec, a [`Stack`] of an orchestra.
    ///
    /// ```
    /// use pkit_test::{Process, Stack, orchestra, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let inner = orchestra().with("db", simple("sleep 60"));
    /// let stack = orchestra().with("storage", inner).with("app", simple("sleep 60")).start()?;
    /// let app: &Process = stack.get("app");
    /// assert!(app.is_alive() && stack.get::<Stack>("storage")["db"].is_alive());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When there is none, or it is of another type.
    #[must_use]
    #[track_caller]
    pub fn get<H: 'static>(&self, name: &str) -> &H {
        match self.handles.find(name).map(|handle| handle.as_any().downcast_ref()) {
            Some(Some(handle)) => handle,
            Some(None) => panic!("the handle of `{name}` is not a `{}`", without_modules(std::any::type_name::<H>())),
            None => panic!("{}", self.nobody(name)),
        }
    }

    /// The names, in the order in which they were given.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = orchestrate([("b", simple("echo {a.port}").may_exit()), ("a", simple("sleep 60 {port}"))]).start()?;
    /// assert_eq!(stack.names().collect::<Vec<_>>(), ["b", "a"]);
    /// # Ok(()) }
    /// ```
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.handles.all.iter().map(|named| named.name.as_str())
    }

    /// The handles, in the order of the names.
    pub(super) fn handles(&self) -> impl Iterator<Item = &dyn Held> {
        self.handles.all.iter().map(|named| named.handle.as_ref())
    }

    pub(super) fn nobody(&self, name: &str) -> String {
        let names: Vec<String> = self.names().map(|name| format!("`{name}`")).collect();
        match names.as_slice() {
            [] => format!("there is no `{name}` in the stack: it is empty"),
            names => format!("there is no `{name}` in the stack, but {}", names.join(", ")),
        }
    }

    /// For whoever conducts its end.
    pub(super) fn take_apart(mut self) -> (Arc<Scope>, Handles) {
        self.is_taken = true;
        (Arc::clone(&self.scope), std::mem::take(&mut self.handles))
    }
}

impl Index<&str> for Stack {
    type Output = Process;

    #[track_caller]
    fn index(&self, name: &str) -> &Process {
        match self.handles.find(name).map(Held::process) {
            Some(Some(process)) => process,
            Some(None) => panic!("`{name}` is not one process; `get` returns its handle"),
            None => panic!("{}", self.nobody(name)),
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.is_taken {
            return;
        }
        let has_failed = std::thread::panicking();
        self.scope.close_desk();
        // Of a stack in a stack only the end of the outer scope knows whether the test has failed, and says what stays;
        // one that the test drops before is stopped.
        let is_kept = match self.is_inner {
            true => self.scope.is_end_near() || config().keep != Show::Never && (has_failed || self.scope.is_done()),
            false => scope::keep_where_wanted(&self.scope, has_failed),
        };
        // Nobody asks any more whether an exit comes that was expected.
        self.scope.cancel();
        self.scope.note_ending();
        let handles = std::mem::take(&mut self.handles);
        // A handle that is not ours may panic: nothing may be left because of it.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(handles)));
        // Of a stack in a stack the outer one knows what comes last.
        scope::end_lasts(&self.scope, is_kept, has_failed).iter().for_each(scope::say_error);
        self.scope.desk.wait_closed();
        match self.is_inner {
            true => self.scope.forget_cores(),
            false => scope::clear(&self.scope, has_failed || dropped.is_err()),
        }
        dropped.unwrap_or_else(|panic| scope::go_on(panic, has_failed));
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
