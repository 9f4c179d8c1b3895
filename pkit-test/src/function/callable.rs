//! What can be a process: functions, pointers to them, and closures that have captured nothing.

use std::any::{TypeId, type_name};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::callee::Callee;
use crate::sys::likeness;

use super::codec;
use super::enter::enter;

/// A function that can run in a process of its own, with arguments `A`.
///
/// It is any `fn` item, a pointer to one, or a closure that captures nothing, with up to eight parameters. Nobody implements
/// it, and nobody names `M`: it only says whether the arguments are one value or a tuple of them.
///
/// ```
/// use pkit_test::Callable;
///
/// fn area(width: u32, height: u32) -> u32 {
///     width * height
/// }
///
/// fn takes<F: Callable<A, M>, A, M>(_function: F, _arguments: A) {}
///
/// takes(area, (3, 4));
/// takes(area as fn(u32, u32) -> u32, (3, 4));
/// takes(|text: String| text.len(), "one value needs no tuple".to_owned());
/// takes(|| (), ());
/// ```
///
/// What a closure captures would stay in the process that it comes from:
///
/// ```compile_fail
/// # fn takes<F: pkit_test::Callable<A, M>, A, M>(_function: F, _arguments: A) {}
/// let name = String::from("db");
/// takes(|| println!("{name}"), ());
/// ```
#[diagnostic::on_unimplemented(
    message = "this cannot run in a process of its own with arguments `{A}`",
    label = "no function of these arguments that captures nothing",
    note = "a function process gets what it works with as arguments: `function(|name: String| …, name)` instead of a closure that \
            captures `name`; that of `undo` gets the `Seat`",
    note = "the arguments are one value, or a tuple of as many values as the function has parameters, which are eight at the \
            most; those of a closure need their types: `|name: String|`",
    note = "what is `unsafe`, `extern`, or takes references is called by a closure: `|name: String| length(&name)`"
)]
pub trait Callable<A, M>: Copy + 'static {
    /// What it returns.
    type Output: 'static;

    #[doc(hidden)]
    fn call_with(self, arguments: A) -> Self::Output;

    /// Whether it is a pointer to a function, which has to travel, and not a type of its own.
    #[doc(hidden)]
    fn is_pointer() -> bool;
}

/// The arguments are the one parameter.
#[doc(hidden)]
#[derive(Debug)]
pub struct Bare;

/// The arguments are a tuple of the parameters.
#[doc(hidden)]
#[derive(Debug)]
pub struct Spread;

// What is missing would be said to be `Copy` otherwise, of whatever was captured, which helps nobody.
#[diagnostic::do_not_recommend]
impl<F, A, R> Callable<A, (Bare, R)> for F
where
    F: Fn(A) -> R + Copy + 'static,
    A: 'static,
    R: 'static,
{
    type Output = R;

    fn call_with(self, argument: A) -> R {
        self(argument)
    }

    fn is_pointer() -> bool {
        TypeId::of::<F>() == TypeId::of::<fn(A) -> R>()
    }
}

macro_rules! callable {
    ($($parameter:ident $value:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<F, R, $($parameter),*> Callable<($($parameter,)*), (Spread, R)> for F
        where
            F: Fn($($parameter),*) -> R + Copy + 'static,
            R: 'static,
            $($parameter: 'static,)*
        {
            type Output = R;

            fn call_with(self, ($($value,)*): ($($parameter,)*)) -> R {
                self($($value),*)
            }

            fn is_pointer() -> bool {
                TypeId::of::<F>() == TypeId::of::<fn($($parameter),*) -> R>()
            }
        }
    };
}

callable!();
callable!(A a);
callable!(A a B b);
callable!(A a B b C c);
callable!(A a B b C c D d);
callable!(A a B b C c D d E e);
callable!(A a B b C c D d E e G g);
callable!(A a B b C c D d E e G g H h);
callable!(A a B b C c D d E e G g H h I i);

/// What a spec holds of a function and its arguments.
///
/// A capture that is `Copy` and was moved in is refused here, when the call is compiled; one that has the size of an address when
/// the spec is started.
pub(crate) fn callee<F, A, M>(function: F, arguments: &A) -> Callee
where
    F: Callable<A, M>,
    A: Serialize + DeserializeOwned + 'static,
    F::Output: Serialize + DeserializeOwned,
    M: 'static,
{
    let pointer = pointer_of::<F, A, M>(&function);
    let arguments = pointer.as_ref().map_err(String::clone).and_then(|_| encode(arguments));
    let pointer = pointer.unwrap_or_default();
    Callee {
        name: name_of(type_name::<F>()),
        kind: type_name::<F>(),
        takes: type_name::<A>(),
        reads: reads::<A>,
        entry: enter::<F, A, M>,
        pointer,
        arguments,
    }
}

/// Other arguments for the same callee.
pub(crate) fn encode<A: Serialize>(arguments: &A) -> Result<Arc<[u8]>, String> {
    codec::arguments(arguments).map(Arc::from)
}

fn reads<A: DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    codec::read::<A>(bytes).map(drop)
}

const CAPTURE: &str =
    "a closure that has captured something cannot run in a process of its own: pass it as an argument";

/// How a function travels beside its type: the distance of what a pointer points to.
pub(super) fn pointer_of<F: Callable<A, M>, A, M>(function: &F) -> Result<Option<u64>, String> {
    const {
        assert!(
            likeness::could_travel::<F>(),
            "a closure that has captured something cannot run in a process of its own: pass it as an argument",
        );
    }
    if size_of::<F>() == 0 {
        return Ok(None);
    }
    if !F::is_pointer() {
        return Err(CAPTURE.to_owned());
    }
    let distance = likeness::distance_of(function);
    distance.map(Some).ok_or_else(|| {
        "a function of a library that is loaded at run time cannot run in a process of its own".to_owned()
    })
}

/// What people call a function, from the name of its type: the last part of its path.
pub(crate) fn name_of(type_name: &str) -> String {
    let path = without_parameters(type_name);
    if path.contains("fn(") {
        // A pointer could point to any function.
        return "function".to_owned();
    }
    let is_closure = path.ends_with("{{closure}}");
    let name = path.split("::").filter(|part| !part.is_empty() && !part.starts_with('{')).last().unwrap_or("function");
    if is_closure { format!("{name}-closure") } else { name.to_owned() }
}

/// `a::B<c::D>::e<f>` is `a::B::e`.
fn without_parameters(path: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::new();
    let mut before = ' ';
    for c in path.chars() {
        match c {
            '<' => depth += 1,
            // An arrow closes nothing.
            '>' if before == '-' => {}
            '>' => depth = depth.saturating_sub(1),
            c if depth == 0 => kept.push(c),
            _ => {}
        }
        before = c;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(width: u32, height: u32) -> u32 {
        width * height
    }

    fn identity<T>(value: T) -> T {
        value
    }

    fn of<F, A, M>(function: F, arguments: A) -> (String, Callee)
    where
        F: Callable<A, M>,
        F::Output: Serialize + DeserializeOwned + std::fmt::Debug,
        A: Serialize + DeserializeOwned + 'static,
        M: 'static,
    {
        let callee = callee(function, &arguments);
        (format!("{:?}", function.call_with(arguments)), callee)
    }

    #[test]
    fn everything_that_is_called_alike_is_a_callable() {
        let eight = |a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8| a + b + c + d + e + f + g + h;
        let of_tuple = |pair: (u8, u8)| pair.0;
        for ((result, callee), name, shown) in [
            (of(area, (3, 4)), "area", "12"),
            (of(area as fn(u32, u32) -> u32, (3, 4)), "function", "12"),
            (of(identity::<String>, "a".to_owned()), "identity", "\"a\""),
            (of(identity::<Vec<Option<u8>>>, vec![None]), "identity", "[None]"),
            (of(|| (), ()), "everything_that_is_called_alike_is_a_callable-closure", "()"),
            (of(eight, (1, 2, 3, 4, 5, 6, 7, 8)), "everything_that_is_called_alike_is_a_callable-closure", "36"),
            (of(of_tuple, (5, 6)), "everything_that_is_called_alike_is_a_callable-closure", "5"),
            (of(identity::<()> as fn(()), ()), "function", "()"),
        ] {
            assert_eq!((result.as_str(), callee.name.as_str()), (shown, name));
            assert!(callee.arguments.is_ok() && callee.pointer.is_some() == (name == "function"), "{callee:?}");
        }
    }

    #[test]
    fn what_was_captured_is_refused_also_where_it_has_the_size_of_an_address() {
        let captured = std::hint::black_box(4_usize);
        let (_, callee) = of(move |added: usize| captured + added, 3);
        assert!(callee.arguments.unwrap_err().contains("pass it as an argument"));
    }

    #[test]
    fn names_are_the_last_part_of_a_path() {
        for (path, name) in [
            ("crate::tests::work", "work"),
            ("crate::work<alloc::string::String>", "work"),
            ("<crate::A<B> as crate::C>::method", "method"),
            ("crate::A<crate::B>::method<C>", "method"),
            ("crate::test::{{closure}}", "test-closure"),
            ("crate::test::{{closure}}::{{closure}}", "test-closure"),
            ("fn(alloc::string::String) -> u8", "function"),
            ("for<'a> fn(alloc::vec::Vec<&'a u8>)", "function"),
            ("crate::work<fn(u8) -> u8>", "work"),
            ("", "function"),
        ] {
            assert_eq!(name_of(path), name, "of {path}");
        }
    }
}
