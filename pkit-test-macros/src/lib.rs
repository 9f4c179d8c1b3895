//! The attribute macro of [pkit-test](https://docs.rs/pkit-test). Depend on `pkit-test`, which re-exports it; what an
//! expansion calls lives there.

// In reading order: what is written, what it means, what it becomes; then what they ask.
mod expand;
mod model;
mod parse;

mod attrs;
mod nearest;
mod order;

/// For the fuzzer, which builds this file as a library of the ordinary kind: one of macros can show nothing else.
#[cfg(any(test, pkit_fuzz))]
#[doc(hidden)]
#[path = "fuzz/mod.rs"]
pub mod __fuzz;

#[cfg(not(pkit_fuzz))]
use proc_macro::TokenStream;

/// Runs a function while the processes that it needs are up.
///
/// ```text
/// #[with_processes(
///     cache = tcp("redis-server --port {port} --save ''", 0),
///     api   = http(bin!("api").args("--listen {addr} --redis {cache.addr}"), "/health"),
/// )]
/// #[test]
/// fn serves_from_the_cache(cache: Process, api: Process) { /* both are up, and answer */ }
/// ```
///
/// Each `name = executor` is one process. The executor is any expression whose type implements `Executor`: a spec, an
/// orchestra, one of your own, or a call of a function that returns one. It may use parameters of the function, `?` and, in
/// an `async fn`, `.await`. Everything is ready when the body starts, and gone when it ends, whatever way it ends.
///
/// # Where it goes
///
/// On any function: a test, an async test, a case of rstest, `main`, a helper, a method. It goes *above* all other
/// attributes that do something, because `#[test]` refuses parameters and `#[rstest]` takes them for fixtures. The one
/// exception is an attribute that has to find our process up, such as a database test that connects by itself: it goes
/// above ours, and the function takes no process as a parameter. The attribute never adds `#[test]`.
///
/// The page `attributes` of pkit-test has a table of all orders. A wrong one is an error that names the right one.
///
/// Two of these attributes on one function nest: the lower one is up first, and the upper one may use its handles.
///
/// # Parameters
///
/// A process fills the parameter of its name, also with a `_` before it. The type is the handle of the executor, by
/// value, as `&T` or as `&mut T`. A process needs no parameter. Other parameters are the business of the attributes
/// below. Only where nobody is left who could fill one, on a plain `#[test]` and on `main`, it is an error. (If
/// `#[test]` is that of another crate in your file, and does fill parameters, write its path: `#[sqlx::test]`.)
///
/// # The body
///
/// It is not read: `return`, `?` and a panic mean what they mean without the attribute. A returned `Err` is a failure
/// of the test, and so is an `ExitCode` other than success.
///
/// Below `#[should_panic]` a process that does not start is printed and the function returns, so that a test which
/// could not start does not pass. In a table of rstest the `#[should_panic]` therefore holds for all cases, and goes
/// below the last of them.
///
/// # Errors
///
/// All mistakes in one attribute are reported at once, each at its place, and the function stays defined.
#[cfg(not(pkit_fuzz))]
#[proc_macro_attribute]
pub fn with_processes(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::with_processes(&attribute.into(), &item.into()).into()
}
