//! Meaning to plain calls of `::pkit_test::__private`.
//!
//! The body runs in a closure, so that `return` and `?` mean what they mean in a function. Our own locals have the
//! hygiene of the macro, so that neither a body nor an executor can see them, and two attributes on one function do not
//! meet; and their place is the attribute, where a failure is shown. Lints do not look into tokens of that kind, but
//! they see the user's tokens as if nothing were around them.

use proc_macro2::{Group, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Error, Ident, ReturnType, Token, Type, TypeReference};

use crate::model::{self, Model, Parameter, Process, Refusal, mentions_impl, reference};
use crate::parse::{self, Function, with_stream};

/// The whole way from the attribute and its item to the expansion.
pub(crate) fn with_processes(attribute: &TokenStream, item: &TokenStream) -> TokenStream {
    let function = match parse::function(item.clone()) {
        Ok(function) => function,
        Err(error) => return not_a_function(attribute, &error, item),
    };
    match model::check(attribute, function) {
        Ok(model) => instrumented(&model),
        Err(refusal) => survivor(&refusal),
    }
}

fn not_a_function(attribute: &TokenStream, error: &Error, item: &TokenStream) -> TokenStream {
    let mut breaches = Vec::new();
    model::processes(attribute, &mut breaches);
    breaches.push(Error::new(error.span(), format!("`#[with_processes]` goes on a function: {error}")));
    let errors = breaches.iter().map(Error::to_compile_error);
    quote!(#(#errors)* #item)
}

/// The function under its own name and signature. The body cannot stay: it would miss its parameters, once for each
/// use.
fn survivor(Refusal { breaches, function }: &Refusal) -> TokenStream {
    let errors = breaches.iter().map(Error::to_compile_error);
    let function = with_body(function, &quote_spanned!(ours()=> ::core::unreachable!()));
    quote!(#(#errors)* #function)
}

fn instrumented(model: &Model) -> TokenStream {
    let (stage, adds, run) = (local("stage"), model.processes.iter().map(add), run(model));
    let name = model.function.sig.ident.unraw().to_string();
    let statements = quote_spanned! {ours()=>
        let mut #stage = ::pkit_test::__private::Stage::new(::core::concat!(::core::module_path!(), "::", #name));
        #(#adds)*
        #run
    };
    with_body(&model.function, &statements)
}

/// The new body has the place of the old one, so that the function as a whole is still the user's.
fn with_body(function: &Function, statements: &TokenStream) -> TokenStream {
    let Function { attrs, vis, sig, body } = function;
    let inner_attrs = &body.inner_attrs;
    let block = with_stream(&body.block, quote!(#(#inner_attrs)* #statements));
    quote!(#(#attrs)* #vis #sig #block)
}

fn add(process: &Process) -> TokenStream {
    let (stage, slot, executor) = (local("stage"), slot(process), &process.executor);
    let name = process.name.to_string();
    let add = quote_spanned!(at(&process.name)=> #stage.add(#name, #executor));
    let slot = if process.parameter.is_some() { slot.to_token_stream() } else { quote_spanned!(ours()=> _) };
    quote_spanned!(ours()=> let #slot = #add;)
}

fn run(model: &Model) -> TokenStream {
    let (stage, run) = (local("stage"), run_method(model));
    let failed = (!model.should_panic).then(|| failed(&model.function.sig.output));
    if model.function.sig.asyncness.is_none() {
        let body = body(model);
        return quote_spanned!(ours()=> #stage.#run(#body, #failed));
    }
    let (future, body, up, give) = (future(model), local("body"), local("up"), local("give"));
    let closure = match has_parameters(model) {
        true => quote_spanned!(ours()=> |#up| { #give(#up); #body }),
        false => quote_spanned!(ours()=> |_| #body),
    };
    let run = quote_spanned!(ours()=> #stage.#run(#closure, #failed).await);
    match model.should_panic {
        true => quote_spanned!(ours()=> #future #run),
        false => quote_spanned!(ours()=> #future ::pkit_test::__private::value(#run)),
    }
}

fn run_method(model: &Model) -> Ident {
    let name = match (&model.function.sig.asyncness, model.should_panic) {
        (None, false) => "run",
        (None, true) => "run_should_panic",
        (Some(_), false) => "run_async",
        (Some(_), true) => "run_async_should_panic",
    };
    Ident::new(name, ours())
}

/// Asks the value of the body whether it means failure; `Outcome` answers by its type. Where there is never a value its
/// type is not known either.
fn failed(output: &ReturnType) -> TokenStream {
    if matches!(output, ReturnType::Type(_, ty) if is_never(ty)) {
        return quote_spanned!(ours()=> |_| false);
    }
    let outcome = local("outcome");
    quote_spanned!(ours()=> |#outcome| ::pkit_test::__private::Outcome(#outcome).failed())
}

/// Behind the bindings lies what marks the end of the block: the parameters are dropped after it. The closure is not
/// `move`: parameters that are not ours, such as a directory from a fixture, outlive the processes.
fn body(model: &Model) -> TokenStream {
    let (up, ending, block) = (local("up"), local("ending"), block(&model.function.body.block));
    let takes = model.processes.iter().filter_map(take);
    let binds = model.processes.iter().filter_map(bind);
    let marks = has_parameters(model).then(|| quote_spanned!(ours()=> let #ending = #up.ending();));
    let place = at(&model.function.sig.ident);
    let returns = returns(&model.function.sig.output, place);
    let closure = quote_spanned!(place=> |#up: &mut ::pkit_test::__private::Up|);
    quote_spanned!(ours()=> #closure #returns { #(#takes)* #(#binds)* #marks #block })
}

/// The same as a future, which is written before the closure that returns it, so that it does not have to take along what it
/// uses. Its handles come by way of a place that lies still.
fn future(model: &Model) -> TokenStream {
    let (body, block) = (local("body"), block(&model.function.body.block));
    let returns = async_returns(&model.function.sig.output);
    if !has_parameters(model) {
        return quote_spanned!(ours()=> let #body = async { #returns #block };);
    }
    let (up, ending, handover, give) = (local("up"), local("ending"), local("handover"), local("give"));
    let bound = || model.processes.iter().filter(|process| process.parameter.is_some());
    let (slots, handles) = (bound().map(slot), bound().map(mutable_handle));
    let binds = bound().filter_map(bind);
    quote_spanned! {ours()=>
        let #handover = ::pkit_test::__private::Handover::new();
        let #give = |#up: &mut ::pkit_test::__private::Up| #handover.put((#(#up.take(#slots),)* #up.ending()));
        let #body = async {
            #returns
            let (#(#handles,)* #ending) = #handover.take();
            #(#binds)*
            let #ending = #ending;
            #block
        };
    }
}

fn has_parameters(model: &Model) -> bool {
    model.processes.iter().any(|process| process.parameter.is_some())
}

/// A statement of its own: a parameter that is a reference needs something that lies still, and of a wrong type the compiler
/// then says the type of the handle and not that of the slot.
fn take(process: &Process) -> Option<TokenStream> {
    process.parameter.as_ref()?;
    let (up, slot, handle) = (local("up"), slot(process), mutable_handle(process));
    Some(quote_spanned!(ours()=> let #handle = #up.take(#slot);))
}

/// The pattern of a handle.
fn mutable_handle(process: &Process) -> TokenStream {
    let ty = process.parameter.as_ref().map(|parameter| &parameter.ty);
    let (mutable, handle) = (ty.and_then(reference).and_then(mutability), handle(process));
    quote_spanned!(ours()=> #mutable #handle)
}

fn bind(process: &Process) -> Option<TokenStream> {
    let Parameter { attrs, mutability: mutable, ident, ty } = process.parameter.as_ref()?;
    let handle = handle(process);
    let value = match reference(ty) {
        Some(reference) => {
            let mutable = mutability(reference);
            quote_spanned!(at(&process.name)=> &#mutable #handle)
        }
        None => handle.to_token_stream(),
    };
    let value = if ident.to_string().starts_with('_') { with_effect(process, &value) } else { value };
    Some(quote_spanned!(ours()=> #(#attrs)* let #mutable #ident: #ty = #value;))
}

/// Clippy takes `let _db = handle;` for a statement that does nothing, but not where a function is called.
fn with_effect(process: &Process, value: &TokenStream) -> TokenStream {
    quote_spanned!(at(&process.name)=> ::core::convert::identity(#value))
}

fn mutability(reference: &TypeReference) -> Option<Token![mut]> {
    reference.mutability.as_ref().map(|_| Token![mut](ours()))
}

/// The body as a block in a block, where `unused_braces` would have the user remove the braces of a short function.
/// An empty statement makes it think again. Why the bindings do not stand there: clippy would have the user's `use` at
/// the start of a body before them.
fn block(body: &Group) -> Group {
    let statements = body.stream();
    with_stream(body, quote_spanned!(ours()=> ; #statements))
}

fn returns(output: &ReturnType, nothing_at: Span) -> TokenStream {
    match output {
        ReturnType::Default => quote_spanned!(nothing_at=> -> ()),
        ReturnType::Type(_, ty) if mentions_impl(ty.to_token_stream()) => TokenStream::new(),
        ReturnType::Type(..) => output.to_token_stream(),
    }
}

/// An `async` block cannot say what it returns, which `?` has to know. It learns it from a `return` that never
/// happens.
fn async_returns(output: &ReturnType) -> TokenStream {
    let (ty, place) = match output {
        ReturnType::Default => (quote_spanned!(ours()=> ()), ours()),
        ReturnType::Type(_, ty) if is_never(ty) || mentions_impl(ty.to_token_stream()) => return TokenStream::new(),
        ReturnType::Type(_, ty) => (ty.to_token_stream(), at(ty)),
    };
    let value = Ident::new("__pkit_value", place);
    quote_spanned! {place=>
        if let ::core::option::Option::Some(#value) = ::core::option::Option::None::<#ty> {
            return #value;
        }
    }
}

fn is_never(ty: &Type) -> bool {
    matches!(ty, Type::Never(_))
}

fn slot(process: &Process) -> Ident {
    format_ident!("__pkit_slot_{}", process.name, span = ours())
}

fn handle(process: &Process) -> Ident {
    format_ident!("__pkit_handle_{}", process.name, span = at(&process.name))
}

fn local(name: &str) -> Ident {
    format_ident!("__pkit_{}", name, span = ours())
}

/// A token that is only ours, at the place of the attribute.
fn ours() -> Span {
    Span::mixed_site()
}

/// A token that is only ours, at the place of a token of the user's, so that errors show that one.
fn at(place: &impl Spanned) -> Span {
    ours().located_at(place.span())
}

#[cfg(test)]
mod tests;
