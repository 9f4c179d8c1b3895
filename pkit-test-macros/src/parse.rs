//! Tokens to syntax: the entries of the attribute, and the function below it.
//!
//! An executor is parsed only to find where it ends: a comma may stand in a turbofish or between the parameters of a
//! closure. What is kept are the user's own tokens, because their spans are the places that errors and
//! `#[track_caller]` show. The body of the function is one token that nobody opens.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, Error, Expr, Ident, Result, Signature, Token, Visibility};

/// One `name = executor`. The name is any token: what it has to be is a rule, and rules are in `model`.
pub(crate) struct Entry {
    pub(crate) name: TokenTree,
    pub(crate) executor: Result<TokenStream>,
}

/// A function, its body unread.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Body,
}

/// The braces of a function. Inner attributes are split off, since they are only allowed at the very start.
pub(crate) struct Body {
    pub(crate) inner_attrs: Vec<Attribute>,
    pub(crate) block: Group,
}

/// Reads what stands between the parentheses of the attribute, to its end, whatever is wrong on the way.
pub(crate) fn entries(attribute: TokenStream) -> Vec<Entry> {
    let all = |input: ParseStream<'_>| {
        let mut entries = Vec::new();
        while !input.is_empty() {
            entries.push(entry(input)?);
        }
        Ok(entries)
    };
    all.parse2(attribute).expect("a parser that stops at the end of its input and takes any token does not fail")
}

/// Reads the item below the attribute.
pub(crate) fn function(item: TokenStream) -> Result<Function> {
    syn::parse2(item)
}

fn entry(input: ParseStream<'_>) -> Result<Entry> {
    let name: TokenTree = input.parse()?;
    let executor = executor(input, &name);
    if executor.is_err() {
        skip_to_next_entry(input)?;
    }
    Ok(Entry { name, executor })
}

fn executor(input: ParseStream<'_>, name: &TokenTree) -> Result<TokenStream> {
    if is_comma(name) {
        return Err(Error::new(name.span(), "expected `name = executor` before this comma"));
    }
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(name.span(), format!("`{name}` has no executor: write `{name} = executor`")));
    }
    if !input.peek(Token![=]) || input.peek(Token![==]) || input.peek(Token![=>]) {
        return Err(input.error(format!("expected `=` after `{name}`")));
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(equals.span, format!("expected an executor after `{name} =`")));
    }
    let executor = expression(input)?;
    comma_or_end(input, name)?;
    Ok(executor)
}

/// The tokens of the expression that comes next.
fn expression(input: ParseStream<'_>) -> Result<TokenStream> {
    let ahead = input.fork();
    ahead.parse::<Expr>()?;
    let mut tokens = TokenStream::new();
    while input.cursor() < ahead.cursor() {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(tokens)
}

fn comma_or_end(input: ParseStream<'_>, name: &TokenTree) -> Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    if !input.peek(Token![,]) {
        return Err(input.error(format!("expected `,` after the executor of `{name}`")));
    }
    input.parse::<Token![,]>()?;
    Ok(())
}

/// After a mistake: goes on behind the next comma, or at once where only the comma was missing.
fn skip_to_next_entry(input: ParseStream<'_>) -> Result<()> {
    let starts_entry =
        |input: ParseStream<'_>| input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]);
    while !input.is_empty() && !starts_entry(input) {
        if is_comma(&input.parse()?) {
            break;
        }
    }
    Ok(())
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(Function {
            attrs: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            sig: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl Parse for Body {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let error = input.error("expected the body of the function");
        let braces = input.parse().ok().and_then(braces).ok_or(error)?;
        let (inner_attrs, rest) = split_inner_attrs.parse2(braces.stream())?;
        Ok(Body { block: if inner_attrs.is_empty() { braces } else { with_stream(&braces, rest) }, inner_attrs })
    }
}

/// The group in braces; a `$body:block` of a `macro_rules!` wraps it into one that cannot be seen.
fn braces(token: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => braces(group.stream().into_iter().next()?),
        Delimiter::Parenthesis | Delimiter::Bracket => None,
    }
}

/// Other tokens in the place of the group.
pub(crate) fn with_stream(group: &Group, stream: TokenStream) -> Group {
    let mut changed = Group::new(group.delimiter(), stream);
    changed.set_span(group.span());
    changed
}

fn split_inner_attrs(input: ParseStream<'_>) -> Result<(Vec<Attribute>, TokenStream)> {
    Ok((input.call(Attribute::parse_inner)?, input.parse()?))
}
