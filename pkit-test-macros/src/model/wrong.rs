//! The wrong orders: what another attribute, written above ours, has made of the function before we were shown it.
//!
//! Each leaves a trace in what we are shown. The trace alone proves nothing, since anybody may write the same, so it is
//! the reason to look into the source (`order.rs`), and what is written there decides.

use proc_macro2::{TokenStream, TokenTree};

use super::{Process, REFUSED_NAMES};
use crate::attrs::{Kind, is_inert, is_test};
use crate::order::{self, Above};
use crate::parse::Function;

/// What each attribute writes into the body of a function.
const TRACES: [(&str, Kind); 5] = [
    ("googletest::internal::", Kind::Googletest),
    ("__test_context_wrapped_", Kind::Context),
    ("::sqlx::testing::TestFn", Kind::Sqlx),
    ("serial_test::local_", Kind::Turn),
    ("serial_test::fs_", Kind::Turn),
];

/// What is wrong with the order, and which one is right.
pub(super) fn order(attribute: &TokenStream, function: &Function, processes: &[Process]) -> Option<String> {
    let name = Some(&function.sig.ident);
    if may_have_been_test(function, processes) {
        let above = order::above(attribute, Kind::Test, name)?;
        return Some(format!("`#[with_processes]` goes above `#[{}]`, which refuses parameters", above.path));
    }
    let body = text(&function.body.block.stream());
    if let Some(reason) = changed_by_rstest(&body, function, processes) {
        let above = order::above(attribute, Kind::Rstest, None)?;
        return Some(format!("`#[with_processes]` goes above `#[{}]`{reason}", above.path));
    }
    let (_, kind) = TRACES.iter().find(|(trace, _)| body.contains(trace))?;
    changed_by(*kind, &order::above(attribute, *kind, name)?, processes)
}

/// What `#[test]` leaves of a function with parameters: the function. It is the same as a helper function.
fn may_have_been_test(function: &Function, processes: &[Process]) -> bool {
    let has_parameter = processes.iter().any(|process| process.parameter.is_some());
    has_parameter && function.attrs.iter().all(is_inert) && !function.attrs.iter().any(is_test)
}

/// What `#[rstest]` leaves of a parameter `db` that it does not know: the body begins with `db::default()`. Of one that it
/// knows it leaves a `let`, which an executor does not see.
fn changed_by_rstest(body: &str, function: &Function, processes: &[Process]) -> Option<String> {
    let mut unbound = processes.iter().filter(|process| process.parameter.is_none());
    if let Some(process) = unbound.find(|process| body.contains(&format!("={}::default()", process.name))) {
        return Some(format!(", which takes `{}` for a fixture", process.name));
    }
    if !function.sig.inputs.is_empty() {
        return None;
    }
    let unseen = |process: &Process| Some((process.name.clone(), mentioned_and_bound(process.executor.clone(), body)?));
    let (process, argument) = processes.iter().find_map(unseen)?;
    Some(format!(": below it the executor of `{process}` does not see `{argument}`"))
}

/// A name in the executor that the body gives a value to.
fn mentioned_and_bound(executor: TokenStream, body: &str) -> Option<String> {
    executor.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) => Some(ident.to_string()).filter(|name| body.contains(&format!("let{name}="))),
        TokenTree::Group(group) => mentioned_and_bound(group.stream(), body),
        TokenTree::Punct(_) => None,
        TokenTree::Literal(text) => {
            let text = text.to_string();
            in_braces(&text).find(|name| body.contains(&format!("let{name}="))).map(str::to_owned)
        }
    })
}

/// The names in a format string. Those that are holes of every spec mean nothing of the test's.
fn in_braces(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split('{').skip(1).filter_map(|piece| piece.split(['}', ':']).next());
    names.filter(|name| !name.is_empty() && !REFUSED_NAMES.contains(name))
}

fn changed_by(kind: Kind, above: &Above, processes: &[Process]) -> Option<String> {
    let path = &above.path;
    let goes_above = format!("`#[with_processes]` goes above `#[{path}]`");
    if kind == Kind::Turn {
        return Some(format!("{goes_above}: below it processes start before it is the turn of the test"));
    }
    let parameter = processes.iter().find_map(|process| parameter_of(process, above))?;
    Some(match kind {
        Kind::Context => format!("{goes_above}, which fills in the context but not `{parameter}`"),
        Kind::Sqlx => format!(
            "`{parameter}` is no parameter below `#[{path}]`, which fills in all of them: leave it out, or, where the \
             database is not one of these processes, put `#[with_processes]` above"
        ),
        _ => format!("{goes_above}, which takes `{parameter}` for a fixture"),
    })
}

/// The parameter that the function is written with for a process.
fn parameter_of(process: &Process, above: &Above) -> Option<String> {
    let name = process.name.to_string();
    let is_process =
        |parameter: &str| [name.clone(), format!("_{name}"), format!("mut{name}")].contains(&parameter.into());
    above.parameters.iter().any(|parameter| is_process(parameter)).then_some(name)
}

/// The tokens without spaces.
fn text(tokens: &TokenStream) -> String {
    tokens.to_string().split_whitespace().collect()
}
