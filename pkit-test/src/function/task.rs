//! The overriding form: a value that knows what to do.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::callee::Callee;

use super::callable::{callee, name_of};

/// A value that runs in a process of its own: its fields are what it works with.
///
/// ```
/// use pkit_test::Task;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Import {
///     path: String,
///     limit: usize,
/// }
///
/// impl Task for Import {
///     type Output = usize;
///
///     fn run(self) -> usize {
///         std::fs::read_to_string(self.path).map_or(0, |text| text.lines().take(self.limit).count())
///     }
/// }
///
/// assert_eq!(Import { path: "/proc/self/status".to_owned(), limit: 3 }.run(), 3);
/// ```
pub trait Task: Serialize + DeserializeOwned + 'static {
    /// What it comes to.
    type Output: Serialize + DeserializeOwned + 'static;

    /// What is done in the process. It is over when this returns.
    fn run(self) -> Self::Output;
}

/// What a spec holds of a task.
pub(crate) fn callee_of_task<T: Task>(task: &T) -> Callee {
    let kind = std::any::type_name::<T>();
    Callee { name: name_of(kind), kind, ..callee(T::run, task) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_a_function_of_itself() {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Count {
            of: Vec<u8>,
        }
        impl Task for Count {
            type Output = usize;
            fn run(self) -> usize {
                self.of.len()
            }
        }
        let callee = callee_of_task(&Count { of: vec![1, 2] });
        assert_eq!((callee.name.as_str(), callee.pointer), ("Count", None));
        assert!(callee.takes.ends_with("Count") && callee.arguments.is_ok());
    }
}
