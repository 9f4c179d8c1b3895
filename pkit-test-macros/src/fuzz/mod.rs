//! The attribute as a function of any text: what holds for every attribute and every item.
//!
//! The fuzzer in `fuzz/` calls it in a build of its own (`--cfg pkit_fuzz`), and the tests of this crate call it with what
//! is kept in `fuzz/corpus/attribute`.

use proc_macro2::{TokenStream, TokenTree};
use syn::Token;
use syn::parse::{ParseStream, Parser as _};

use crate::expand::with_processes;
use crate::parse::{self, Function};

#[cfg(test)]
mod replay;

/// Between the attribute and the item.
const SEPARATOR: &str = "\n===\n";

/// What is deeper ends the stack of the compiler's own parser first.
const MOST_DEPTH: usize = 32;

/// Expands what lexes, and panics where something that must hold does not.
pub fn attribute(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    let (attribute, item) = source.split_once(SEPARATOR).unwrap_or((&source, "fn f() {}"));
    if let (Ok(attribute), Ok(item)) = (attribute.parse(), item.parse()) {
        check(&attribute, &item);
    }
    // Outside of the compiler every text that was lexed is remembered for its places.
    proc_macro2::extra::invalidate_current_thread_spans();
}

fn check(attribute: &TokenStream, item: &TokenStream) {
    if depth(attribute).max(depth(item)) > MOST_DEPTH {
        return;
    }
    let expansion = with_processes(attribute, item);
    match parse::function(item.clone()) {
        Ok(function) => check_function(&function, expansion.clone()),
        Err(_) => assert!(expansion.to_string().ends_with(&item.to_string()), "`{item}` was changed: {expansion}"),
    }
    // A body is not read, and of an executor only where it ends: where they are of Rust the whole is Rust.
    if syn::parse2::<syn::ItemFn>(item.clone()).is_ok() && executors_are_rust(attribute) {
        let file = syn::parse2::<syn::File>(expansion.clone());
        assert!(file.is_ok(), "`{attribute}` on `{item}` is no Rust: {expansion}");
    }
}

/// To the last token inside its brackets, which a parser that looks for the end does not see.
fn executors_are_rust(attribute: &TokenStream) -> bool {
    let executors = parse::entries(attribute.clone()).into_iter().filter_map(|entry| entry.executor.ok());
    executors.map(syn::parse2::<syn::Expr>).all(|parsed| parsed.is_ok())
}

/// The function stays what it is for its callers: with its own body, or with errors before it.
fn check_function(function: &Function, expansion: TokenStream) {
    let shown = expansion.to_string();
    let (errors, expanded) = errors_and_function.parse2(expansion).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(expanded.sig.ident, function.sig.ident, "{shown}");
    assert_eq!(text(&expanded.vis), text(&function.vis), "{shown}");
    assert_eq!(text(&expanded.sig.generics), text(&function.sig.generics), "{shown}");
    assert_eq!(text(&expanded.sig.output), text(&function.sig.output), "{shown}");
    assert_eq!(expanded.attrs.len(), function.attrs.len(), "{shown}");
    assert!(expanded.sig.inputs.len() <= function.sig.inputs.len(), "{shown}");
    let body = function.body.block.stream().to_string();
    assert!(errors > 0 || shown.contains(&body), "the body is not in it: {shown}");
}

fn text(tokens: &impl quote::ToTokens) -> String {
    tokens.to_token_stream().to_string()
}

fn errors_and_function(input: ParseStream<'_>) -> syn::Result<(usize, Function)> {
    let mut errors = 0;
    while input.peek(Token![::]) {
        input.parse::<syn::Macro>()?;
        errors += 1;
    }
    Ok((errors, input.parse()?))
}

fn depth(tokens: &TokenStream) -> usize {
    let inner = |tree: TokenTree| match tree {
        TokenTree::Group(group) => 1 + depth(&group.stream()),
        _ => 0,
    };
    tokens.clone().into_iter().map(inner).max().unwrap_or(0)
}
