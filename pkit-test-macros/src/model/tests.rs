use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::Error;

use super::check;
use crate::parse;

/// Checks which rules are broken, and where: each line is a token and what is said of it.
fn breaches(attribute: &str, item: &str, expected: &[&str]) {
    let found = match check(&tokens(attribute), parse::function(tokens(item)).expect("a function")) {
        Ok(_) => Vec::new(),
        Err(refusal) => refusal.breaches.iter().map(line).collect(),
    };
    assert_eq!(found, expected, "{attribute} {item}");
}

/// Checks which parameters are bound to which processes, and which are left.
fn bindings(attribute: &str, item: &str, bound: &[(&str, &str)], left: &str) {
    let model = check(&tokens(attribute), parse::function(tokens(item)).expect("a function"));
    let model = model.unwrap_or_else(|refusal| panic!("{:?}", refusal.breaches));
    let found: Vec<(String, String)> = model
        .processes
        .iter()
        .map(|process| {
            let parameter =
                process.parameter.as_ref().map_or_else(String::new, |parameter| parameter.ident.to_string());
            (process.name.to_string(), parameter)
        })
        .collect();
    let bound: Vec<(String, String)> =
        bound.iter().map(|(name, parameter)| ((*name).to_owned(), (*parameter).to_owned())).collect();
    assert_eq!(found, bound, "{attribute} {item}");
    assert_eq!(model.function.sig.inputs.to_token_stream().to_string(), left, "{attribute} {item}");
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

fn line(error: &Error) -> String {
    format!("{}: {error}", error.span().source_text().unwrap_or_default())
}

#[test]
fn parameters_go_to_the_process_of_their_name() {
    bindings("db = a()", "fn f(db: T) {}", &[("db", "db")], "");
    bindings("db = a(),", "fn f(_db: &T) {}", &[("db", "_db")], "");
    bindings("db = a(), _db = b()", "fn f(_db: T, mut db: T) {}", &[("db", "db"), ("_db", "_db")], "");
    bindings("a = x(), b = y(), c = z()", "fn f(c: &mut T, a: T) {}", &[("a", "a"), ("b", ""), ("c", "c")], "");
}

#[test]
fn parameters_of_others_stay() {
    bindings("db = a()", "fn f(x: u8, db: T, y: u8) {}", &[("db", "db")], "x : u8 , y : u8");
    bindings("db = a()", "fn f(&self, db: T) {}", &[("db", "db")], "& self ,");
    bindings("db = a()", "#[rstest] #[case(1)] fn f(#[case] x: u8, db: T) {}", &[("db", "db")], "# [case] x : u8 ,");
    bindings("db = a()", "#[test] #[sqlx::test] fn f(pool: Pool) {}", &[("db", "")], "pool : Pool");
    bindings("db = a()", "fn f(ref db: T, (a, b): (u8, u8)) {}", &[("db", "")], "ref db : T , (a , b) : (u8 , u8)");
    bindings("db = a()", "fn main(&self, x: u8) {}", &[("db", "")], "& self , x : u8");
}

#[test]
fn an_executor_ends_where_its_expression_ends() {
    for executor in
        ["a::<B, C>(d, e)", "|a, b| a + b", "S { a, b: c }", "if a { b } else { c }", "x as Y<A, B>", "m![a, b]"]
    {
        let model = check(
            &tokens(&format!("first = {executor}, second = f()")),
            parse::function(tokens("fn f() {}")).expect("a function"),
        );
        let Ok(model) = model else { panic!("{executor} is refused") };
        assert_eq!(model.processes[0].executor.to_string(), tokens(executor).to_string());
        assert_eq!(model.processes[1].executor.to_string(), "f ()");
    }
}

#[test]
fn mistakes_of_form_are_found_to_the_end() {
    breaches("", "fn f() {}", &[": expected at least one process: `#[with_processes(name = executor, …)]`"]);
    breaches(
        "a, b =, c: d(), = e(), f = g() h = i() j",
        "fn f(a: T, b: T, c: T, h: T) {}",
        &[
            "a: `a` has no executor: write `a = executor`",
            "=: expected an executor after `b =`",
            ":: expected `=` after `c`",
            "=: expected the name of a process, found `=`",
            "h: expected `,` after the executor of `f`",
            "j: expected `,` after the executor of `h`",
        ],
    );
}

#[test]
fn names_are_what_a_hole_can_say() {
    for name in super::REFUSED_NAMES {
        let said = format!("{name}: `{name}` cannot name a process: every spec has a hole of that name for itself");
        breaches(&format!("{name} = a()"), &format!("#[test] fn f({name}: T) {{}}"), &[&said]);
    }
    breaches(
        "match = a(), r#match = b(), été = c(), a\u{331} = d(), 'c' = e()",
        "fn f() {}",
        &[
            "match: `match` cannot name a process: it is a word of the language",
            "r#match: `r#match` cannot name a process: it is a word of the language",
            "a\u{331}: `a\u{331}` cannot name a process: a hole has only letters, digits and `_`",
            "'c': expected the name of a process, found `'c'`",
        ],
    );
    breaches("a = x(), b = y(), a = z()", "fn f(a: T) {}", &["a: `a` names two processes"]);
}

#[test]
fn a_parameter_of_nobody_is_refused_only_where_nobody_can_want_it() {
    let said = ["dv: `dv` is no process of this attribute (`db`): did you mean `db`?"];
    for item in [
        "#[test] fn f(dv: T) {}",
        "#[::core::prelude::v1::test] #[ignore] fn f(dv: T) {}",
        "#[doc = \"x\"] #[test] #[expect(unused)] #[should_panic] #[clippy::msrv = \"1\"] fn f(dv: T) {}",
        "#[tokio::test(flavor = \"multi_thread\")] #[serial_test::serial] async fn f(dv: T) {}",
        "#[serial] #[test] fn f(dv: T) {}",
        "#[test_log::test] fn f(dv: T) {}",
        "#[tokio::main] async fn main(dv: T) {}",
        "fn main(dv: T) {}",
    ] {
        breaches("db = a()", item, &said);
    }
    for item in [
        "fn f(dv: T) {}",
        "#[rstest] fn f(dv: T) {}",
        "#[test] #[fills] fn f(dv: T) {}",
        "#[test_log::test(fills)] fn f(dv: T) {}",
        "#[fills::main] fn main(dv: T) {}",
        "#[serial] fn f(dv: T) {}",
    ] {
        breaches("db = a()", item, &[]);
    }
}

#[test]
fn rules_of_parameters() {
    breaches("db = a()", "fn f(db: T, _db: &T) {}", &["_db: `db` and `_db` are both the process `db`"]);
    breaches("db = a()", "fn f<'a>(db: &'a mut T) {}", &["'a: `db` lives as long as the body: borrow it without `'a`"]);
    breaches("db = a()", "fn f(db: &'_ T) {}", &[]);
    breaches(
        "db = a()",
        "fn f(db: Vec<impl T>) {}",
        &["Vec<impl T>: the type of a process is the handle of its executor, not `impl Trait`"],
    );
    breaches(
        "db = a()",
        "fn f(#[allow(unused)] #[from(x)] db: T) {}",
        &["#[from(x)]: `db` is a process, so nothing else can fill it in"],
    );
}

#[test]
fn rules_of_functions() {
    breaches("db = a()", "pub const unsafe fn f(db: T) {}", &["const: a `const fn` cannot start processes"]);
    breaches("db = a()", "#[should_panic] fn f() -> u8 {}", &["u8: a function with `#[should_panic]` returns `()`"]);
    breaches("db = a()", "#[should_panic = \"x\"] fn f() -> () {}", &[]);
    let wrong = ["#[should_panic]: `#[should_panic]` goes below the last `#[case]`, and holds for all: \
                  `#[with_processes]` cannot tell cases apart"];
    for (item, said) in [
        ("#[rstest] #[should_panic] #[case(1)] fn f() {}", &[][..]),
        ("#[rstest] #[case(1)] #[case::x(2)] #[should_panic] fn f() {}", &[]),
        ("#[rstest] #[should_panic] #[case(1)] #[case(2)] fn f() {}", &wrong),
        ("#[rstest] #[case(1)] #[should_panic] #[case::x(2)] fn f() {}", &wrong),
    ] {
        breaches("db = a()", item, said);
    }
}
