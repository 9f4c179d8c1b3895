//! Syntax to meaning: every rule of the attribute, and nothing else.
//!
//! All rules are asked before anything is refused, so that one build shows every mistake. A refused function keeps its
//! name and signature, without the parameters that were ours or nobody's: whoever calls it sees no errors of their own.

use std::mem;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::punctuated::Pair;
use syn::{Attribute, Error, FnArg, Ident, Pat, PatType, ReturnType, Token, Type, TypeReference};

use crate::attrs::{is_case, is_for_let, is_inert, is_should_panic, is_test, is_test_without_parameters};
use crate::nearest::nearest;
use crate::parse::{self, Entry, Function};

mod wrong;

/// Holes that every spec has for itself, or may get.
const REFUSED_NAMES: [&str; 9] = ["port", "host", "addr", "dir", "env", "index", "slot", "peers", "link"];

/// A function that keeps every rule. Its process parameters have moved to their processes.
pub(crate) struct Model {
    pub(crate) processes: Vec<Process>,
    pub(crate) function: Function,
    pub(crate) should_panic: bool,
}

/// A function that breaks rules.
pub(crate) struct Refusal {
    pub(crate) breaches: Vec<Error>,
    pub(crate) function: Function,
}

/// A process, and the parameter that it fills.
pub(crate) struct Process {
    pub(crate) name: Ident,
    pub(crate) executor: TokenStream,
    pub(crate) parameter: Option<Parameter>,
}

/// The parameter of a process: `mut db: &Process`.
pub(crate) struct Parameter {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) mutability: Option<Token![mut]>,
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
}

/// Asks every rule.
pub(crate) fn check(attribute: &TokenStream, mut function: Function) -> Result<Model, Box<Refusal>> {
    let mut breaches = Vec::new();
    let mut processes = processes(attribute, &mut breaches);
    bind_parameters(&mut function, &mut processes, &mut breaches);
    breaches.extend(wrong_order(attribute, &function, &processes));
    breaches.extend(const_fn(&function));
    breaches.extend(should_panic_that_returns(&function));
    breaches.extend(should_panic_of_one_case(&function));
    if !breaches.is_empty() {
        return Err(Box::new(Refusal { breaches, function }));
    }
    Ok(Model { processes, should_panic: function.attrs.iter().any(is_should_panic), function })
}

// The names.

/// The processes that the attribute declares, as far as they have a name.
pub(crate) fn processes(attribute: &TokenStream, breaches: &mut Vec<Error>) -> Vec<Process> {
    let entries = parse::entries(attribute.clone());
    if entries.is_empty() {
        let form = "expected at least one process: `#[with_processes(name = executor, …)]`";
        breaches.push(Error::new(Span::call_site(), form));
    }
    let mut processes = Vec::new();
    for entry in entries {
        processes.extend(process(entry, &processes, breaches));
    }
    processes
}

fn process(entry: Entry, others: &[Process], breaches: &mut Vec<Error>) -> Option<Process> {
    let TokenTree::Ident(name) = entry.name else {
        breaches.push(Error::new(entry.name.span(), format!("expected the name of a process, found `{}`", entry.name)));
        return None;
    };
    breaches.extend(refused_name(&name));
    let executor = entry.executor.unwrap_or_else(|error| {
        breaches.push(error);
        TokenStream::new()
    });
    if others.iter().any(|other| other.name == name) {
        breaches.push(Error::new(name.span(), format!("`{name}` names two processes")));
        return None;
    }
    Some(Process { name, executor, parameter: None })
}

/// A name has to be one that a hole can say.
fn refused_name(name: &Ident) -> Option<Error> {
    let text = name.to_string();
    let reason = if REFUSED_NAMES.contains(&text.as_str()) {
        "every spec has a hole of that name for itself"
    } else if text.starts_with("r#") || syn::parse2::<Ident>(name.to_token_stream()).is_err() {
        "it is a word of the language"
    } else if !text.chars().all(|c| c.is_alphanumeric() || c == '_') {
        "a hole has only letters, digits and `_`"
    } else {
        return None;
    };
    Some(Error::new(name.span(), format!("`{text}` cannot name a process: {reason}")))
}

// The parameters.

/// Moves each parameter that is a process to its process. The others stay, unless nobody is left to fill them.
fn bind_parameters(function: &mut Function, processes: &mut [Process], breaches: &mut Vec<Error>) {
    let nobody_fills_others = nobody_fills_parameters(function);
    let mut unfilled = Vec::new();
    for pair in mem::take(&mut function.sig.inputs).into_pairs() {
        let process = parameter_name(pair.value()).and_then(|name| find(processes, name));
        match (process, pair.into_tuple()) {
            (Some(process), (FnArg::Typed(input), _)) => bind(process, input, breaches),
            (_, (FnArg::Typed(input), _)) if nobody_fills_others => unfilled.push(input),
            (_, (input, comma)) => function.sig.inputs.extend([Pair::new(input, comma)]),
        }
    }
    if !processes.is_empty() {
        breaches.extend(unfilled.iter().map(|input| unfilled_parameter(input, processes)));
    }
}

/// Whether only attributes of the compiler are left, and the function is not one that others call. A helper function
/// has its callers, and any other attribute may bring parameters of its own.
fn nobody_fills_parameters(function: &Function) -> bool {
    let is_main = function.sig.ident == "main" && function.sig.receiver().is_none();
    let is_test = |attr: &Attribute| is_test(attr) || is_test_without_parameters(attr);
    (is_main || function.attrs.iter().any(is_test)) && function.attrs.iter().all(is_inert)
}

fn parameter_name(input: &FnArg) -> Option<&Ident> {
    let FnArg::Typed(input) = input else { return None };
    match &*input.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(&pat.ident),
        _ => None,
    }
}

/// `db` and `_db` both mean the process `db`, but a process `_db` comes first.
fn find<'a>(processes: &'a mut [Process], parameter: &Ident) -> Option<&'a mut Process> {
    let parameter = parameter.to_string();
    let names = [Some(parameter.as_str()), parameter.strip_prefix('_')];
    let index =
        names.into_iter().flatten().find_map(|name| processes.iter().position(|process| process.name == name))?;
    Some(&mut processes[index])
}

fn bind(process: &mut Process, input: PatType, breaches: &mut Vec<Error>) {
    let Pat::Ident(pat) = *input.pat else { return };
    let parameter = Parameter { attrs: input.attrs, mutability: pat.mutability, ident: pat.ident, ty: *input.ty };
    breaches.extend(foreign_attributes(&parameter));
    breaches.extend(named_lifetime(&parameter));
    breaches.extend(impl_trait(&parameter));
    match &process.parameter {
        Some(first) => breaches.push(bound_twice(process, first, &parameter)),
        None => process.parameter = Some(parameter),
    }
}

/// An attribute such as `#[case]` would be gone with the parameter, and what it asks for silently with it.
fn foreign_attributes(parameter: &Parameter) -> impl Iterator<Item = Error> {
    let message = format!("`{}` is a process, so nothing else can fill it in", parameter.ident);
    let foreign = parameter.attrs.iter().filter(|attr| !is_for_let(attr));
    foreign.map(move |attr| Error::new_spanned(attr, &message))
}

fn named_lifetime(parameter: &Parameter) -> Option<Error> {
    let lifetime = reference(&parameter.ty)?.lifetime.as_ref().filter(|lifetime| lifetime.ident != "_")?;
    let message = format!("`{}` lives as long as the body: borrow it without `{lifetime}`", parameter.ident);
    Some(Error::new_spanned(lifetime, message))
}

fn impl_trait(parameter: &Parameter) -> Option<Error> {
    let message = "the type of a process is the handle of its executor, not `impl Trait`";
    mentions_impl(parameter.ty.to_token_stream()).then(|| Error::new_spanned(&parameter.ty, message))
}

fn bound_twice(process: &Process, first: &Parameter, second: &Parameter) -> Error {
    let (first, second, name) = (&first.ident, &second.ident, &process.name);
    Error::new(second.span(), format!("`{first}` and `{second}` are both the process `{name}`"))
}

fn unfilled_parameter(input: &PatType, processes: &[Process]) -> Error {
    let names: Vec<String> = processes.iter().map(|process| process.name.to_string()).collect();
    let free = processes.iter().zip(&names).filter(|(process, _)| process.parameter.is_none());
    let pattern = input.pat.to_token_stream().to_string();
    let here = format!("`{pattern}` is no process of this attribute (`{}`)", names.join("`, `"));
    let message = match nearest(&pattern, free.map(|(_, name)| name.as_str())) {
        Some(near) => format!("{here}: did you mean `{near}`?"),
        None => format!("{here}, and nothing else fills it in"),
    };
    Error::new_spanned(&input.pat, message)
}

// The function.

fn wrong_order(attribute: &TokenStream, function: &Function, processes: &[Process]) -> Option<Error> {
    let message = wrong::order(attribute, function, processes)?;
    Some(Error::new(Span::call_site(), message))
}

fn const_fn(function: &Function) -> Option<Error> {
    let constness = function.sig.constness.as_ref()?;
    Some(Error::new_spanned(constness, "a `const fn` cannot start processes"))
}

/// A value would have to come from somewhere when nothing could start.
fn should_panic_that_returns(function: &Function) -> Option<Error> {
    let ReturnType::Type(_, ty) = &function.sig.output else { return None };
    let returns_unit = matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty());
    let breach = !returns_unit && function.attrs.iter().any(is_should_panic);
    breach.then(|| Error::new_spanned(ty, "a function with `#[should_panic]` returns `()`"))
}

/// rstest gives what stands above a `#[case]` to that case alone, but our function is the same for all of them. When it
/// cannot start it has to panic for some and to return for others.
fn should_panic_of_one_case(function: &Function) -> Option<Error> {
    if function.attrs.iter().filter(|attr| is_case(attr)).count() < 2 {
        return None;
    }
    let below_last = function.attrs.iter().rposition(is_case)?;
    let attr = function.attrs[..below_last].iter().find(|attr| is_should_panic(attr))?;
    let message = "`#[should_panic]` goes below the last `#[case]`, and holds for all: \
                   `#[with_processes]` cannot tell cases apart";
    Some(Error::new_spanned(attr, message))
}

// Questions about types.

/// The `&` or `&mut` of a type, also of one in parentheses or from a `macro_rules!`.
pub(crate) fn reference(ty: &Type) -> Option<&TypeReference> {
    match ty {
        Type::Reference(reference) => Some(reference),
        Type::Group(group) => reference(&group.elem),
        Type::Paren(paren) => reference(&paren.elem),
        _ => None,
    }
}

/// Whether a type has an `impl Trait` anywhere, which neither a `let` nor a closure may say.
pub(crate) fn mentions_impl(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => mentions_impl(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests;
