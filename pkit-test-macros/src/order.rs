//! What is written above the attribute.
//!
//! An attribute macro is shown what stands below it. What stands above has run already: a `#[test]` has refused the
//! parameters in words that do not help, and has left no trace; an `#[rstest]` has called fixtures that nobody wrote.
//! So where something looks wrong already, and only there, we read the source file and look. The file is lexed, not
//! searched, so that a comment cannot deceive us, and where it cannot be read nothing is said. The story ends on the
//! day that a macro may ask the compiler for its neighbours.

use std::fs;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::parse::Parser as _;
use syn::{Attribute, FnArg, Ident, Meta, Signature};

use crate::attrs::{self, Kind};

/// An attribute above ours.
#[derive(Debug)]
pub(crate) struct Above {
    /// Its path, as it is written.
    pub(crate) path: String,
    /// The patterns of the parameters that the function is written with.
    pub(crate) parameters: Vec<String>,
}

/// One place in a file where the attribute is written as it is here.
struct Place {
    above: Vec<Attribute>,
    function: String,
    parameters: Vec<String>,
}

/// The attribute of that kind that is written above ours, on the function of that name if one is given. None before
/// Rust 1.88, which does not tell a macro its file.
pub(crate) fn above(ours: &TokenStream, kind: Kind, function: Option<&Ident>) -> Option<Above> {
    let source = Span::call_site().local_file().and_then(|path| fs::read_to_string(path).ok())?;
    let places = places_in(&source, ours).into_iter();
    let mut here = places.filter(|place| function.is_none_or(|name| *name == place.function));
    here.find_map(|place| {
        let attr = place.above.iter().find(|attr| attrs::kind(attr) == Some(kind))?;
        Some(Above { path: text(&attr.path().to_token_stream()), parameters: place.parameters })
    })
}

fn places_in(source: &str, attribute: &TokenStream) -> Vec<Place> {
    let mut places = Vec::new();
    if let Ok(tokens) = source.parse() {
        search(tokens, &text(attribute), &mut places);
    }
    places
}

fn search(tokens: TokenStream, wanted: &str, places: &mut Vec<Place>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = &trees[..];
    while let Some((first, behind)) = rest.split_first() {
        if let TokenTree::Group(group) = first {
            search(group.stream(), wanted, places);
        }
        let attributes = leading_attributes(rest);
        rest = rest.get(attributes.len()..).filter(|_| !attributes.is_empty()).unwrap_or(behind);
        places.extend(place(attributes, rest, wanted));
    }
}

/// As many `#` `[..]` as stand in a row.
fn leading_attributes(trees: &[TokenTree]) -> &[TokenTree] {
    let pairs = trees.chunks_exact(2).take_while(|pair| is_attribute(pair)).count();
    &trees[..2 * pairs]
}

fn is_attribute(pair: &[TokenTree]) -> bool {
    matches!(pair, [TokenTree::Punct(hash), TokenTree::Group(group)]
        if hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket)
}

fn place(attributes: &[TokenTree], item: &[TokenTree], wanted: &str) -> Option<Place> {
    let mut above = Attribute::parse_outer.parse2(attributes.iter().cloned().collect()).ok()?;
    let ours = above.iter().position(|attr| matches!(&attr.meta, Meta::List(list) if text(&list.tokens) == wanted))?;
    above.truncate(ours);
    let keyword = item.iter().position(|tree| matches!(tree, TokenTree::Ident(ident) if ident == "fn"))?;
    let function = item.get(keyword + 1)?.to_string();
    Some(Place { above, function, parameters: parameters(&item[keyword..]) })
}

/// None where the signature cannot be read, which the compiler will say.
fn parameters(function: &[TokenTree]) -> Vec<String> {
    let is_body = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let signature = function.iter().take_while(|tree| !is_body(tree)).cloned().collect();
    let inputs = syn::parse2::<Signature>(signature).map(|signature| signature.inputs).unwrap_or_default();
    let patterns = inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(text(&input.pat.to_token_stream())),
        FnArg::Receiver(_) => None,
    });
    patterns.collect()
}

/// The tokens without spaces, which differ between what we are given and what we read.
fn text(tokens: &TokenStream) -> String {
    tokens.to_string().split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;

    use super::{parameters, places_in, text};

    fn check(source: &str, expected: &[(&str, &str)]) {
        let attribute = "db = tcp(\"x\", 0), api = Vec::<u8>::new()".parse().expect("tokens");
        let places = places_in(source, &attribute);
        let found = places.iter().map(|place| {
            let above: String =
                place.above.iter().map(|attr| text(&attr.meta.path().to_token_stream()) + " ").collect();
            (above, place.function.clone())
        });
        let expected = expected.iter().map(|(above, function)| ((*above).to_owned(), (*function).to_owned()));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_above_is_found_in_any_depth_and_layout() {
        let source = r#"
            mod tests { fn x() { let a = b!['#']; }
                /// Documented.
                #[test] // comment
                #[ pkit_test::with_processes (db=tcp("x",0),
                    api = Vec :: < u8 > :: new()) ]
                #[ignore] pub(crate) async fn inner(db: Process) {}
            }"#;
        check(source, &[("doc test ", "inner")]);
    }

    #[test]
    fn what_is_below_or_in_a_comment_is_not_above() {
        let source = r#"
            #![allow(test)]
            // #[test]
            #[with_processes(db = tcp("x", 0), api = Vec::<u8>::new())]
            #[test]
            fn right() {}
            #[test] fn other() {}
            #[with_processes(db = tcp("x", 0), api = Vec::<u8>::new())] fn helper() {}"#;
        check(source, &[("", "right"), ("", "helper")]);
    }

    #[test]
    fn parameters_are_read_as_they_are_written() {
        let read = |text: &str| {
            let trees: Vec<_> = text.parse::<proc_macro2::TokenStream>().expect("tokens").into_iter().collect();
            parameters(&trees)
        };
        assert_eq!(
            read("fn f<F: Fn(u8) -> u8>(&self, mut db: T, #[case] _n: u8) -> R where T: C { x }"),
            ["mutdb", "_n"]
        );
        assert_eq!(read("fn f()"), [""; 0]);
        assert_eq!(read("fn f"), [""; 0]);
    }

    #[test]
    fn other_attributes_and_broken_files_are_no_place() {
        check("#[test] #[with_processes(db = tcp(\"y\", 0))] fn t() {}", &[]);
        check("fn t() { (", &[]);
    }
}
