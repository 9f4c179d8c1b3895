use super::with_processes;

/// Checks an expansion, laid out by prettyplease.
fn check(attribute: &str, item: &str, expected: &str) {
    let expansion = with_processes(&attribute.parse().expect("tokens"), &item.parse().expect("tokens"));
    let file = syn::parse2(expansion).expect("an expansion is a list of items");
    assert_eq!(prettyplease::unparse(&file).trim(), expected.trim(), "{attribute} {item}");
}

#[test]
fn parameters_become_locals() {
    check(
        r#"cache = tcp("redis", 0), db = postgres(), log = simple("log"), n = one(),"#,
        "/// Doc.
        #[test] #[ignore]
        pub(crate) fn serves(cache: Process, mut db: &mut Postgres, _n: &u8) { #![allow(x)] use a; a(cache) }",
        r#"
/// Doc.
#[test]
#[ignore]
pub(crate) fn serves() {
    #![allow(x)]
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "serves"),
    );
    let __pkit_slot_cache = __pkit_stage.add("cache", tcp("redis", 0));
    let __pkit_slot_db = __pkit_stage.add("db", postgres());
    let _ = __pkit_stage.add("log", simple("log"));
    let __pkit_slot_n = __pkit_stage.add("n", one());
    __pkit_stage
        .run(
            |__pkit_up: &mut ::pkit_test::__private::Up| -> () {
                let __pkit_handle_cache = __pkit_up.take(__pkit_slot_cache);
                let mut __pkit_handle_db = __pkit_up.take(__pkit_slot_db);
                let __pkit_handle_n = __pkit_up.take(__pkit_slot_n);
                let cache: Process = __pkit_handle_cache;
                let mut db: &mut Postgres = &mut __pkit_handle_db;
                let _n: &u8 = ::core::convert::identity(&__pkit_handle_n);
                let __pkit_ending = __pkit_up.ending();
                {
                    use a;
                    a(cache)
                }
            },
            |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
        )
}
"#,
    );
}

#[test]
fn other_parameters_and_the_return_type_stay() {
    check(
        "db = a()",
        "unsafe fn f<T>(&self, db: Process, x: T) -> Result<T, E> where T: Clone { Ok(x) }",
        r#"
unsafe fn f<T>(&self, x: T) -> Result<T, E>
where
    T: Clone,
{
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "f"),
    );
    let __pkit_slot_db = __pkit_stage.add("db", a());
    __pkit_stage
        .run(
            |__pkit_up: &mut ::pkit_test::__private::Up| -> Result<T, E> {
                let __pkit_handle_db = __pkit_up.take(__pkit_slot_db);
                let db: Process = __pkit_handle_db;
                let __pkit_ending = __pkit_up.ending();
                {
                    Ok(x)
                }
            },
            |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
        )
}
"#,
    );
}

#[test]
fn a_closure_cannot_return_impl_trait() {
    check(
        "db = a()",
        "fn f() -> Box<impl Trait> { x }",
        r#"
fn f() -> Box<impl Trait> {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "f"),
    );
    let _ = __pkit_stage.add("db", a());
    __pkit_stage
        .run(
            |__pkit_up: &mut ::pkit_test::__private::Up| {
                {
                    x
                }
            },
            |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
        )
}
"#,
    );
}

#[test]
fn what_never_returns_has_no_outcome() {
    check(
        "db = a()",
        "fn f() -> ! { x }",
        r#"
fn f() -> ! {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "f"),
    );
    let _ = __pkit_stage.add("db", a());
    __pkit_stage
        .run(
            |__pkit_up: &mut ::pkit_test::__private::Up| -> ! {
                {
                    x
                }
            },
            |_| false,
        )
}
"#,
    );
}

#[test]
fn a_test_that_should_panic_has_a_form_of_its_own() {
    check(
        "db = a()",
        r#"#[should_panic(expected = "x")] #[test] fn r#match() { panic!("x") }"#,
        r#"
#[should_panic(expected = "x")]
#[test]
fn r#match() {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "match"),
    );
    let _ = __pkit_stage.add("db", a());
    __pkit_stage
        .run_should_panic(|__pkit_up: &mut ::pkit_test::__private::Up| -> () {
            {
                panic!("x")
            }
        })
}
"#,
    );
}

#[test]
fn a_future_takes_its_handles_along() {
    let item = "#[tokio::test] async fn f(db: Process, _c: &mut T) -> Result<(), E> { x.await }";
    check(
        "db = a(), c = b().await?",
        item,
        r#"
#[tokio::test]
async fn f() -> Result<(), E> {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "f"),
    );
    let __pkit_slot_db = __pkit_stage.add("db", a());
    let __pkit_slot_c = __pkit_stage.add("c", b().await?);
    let __pkit_handover = ::pkit_test::__private::Handover::new();
    let __pkit_give = |__pkit_up: &mut ::pkit_test::__private::Up| {
        __pkit_handover
            .put((
                __pkit_up.take(__pkit_slot_db),
                __pkit_up.take(__pkit_slot_c),
                __pkit_up.ending(),
            ))
    };
    let __pkit_body = async {
        if let ::core::option::Option::Some(__pkit_value) = ::core::option::Option::None::<
            Result<(), E>,
        > {
            return __pkit_value;
        }
        let (__pkit_handle_db, mut __pkit_handle_c, __pkit_ending) = __pkit_handover
            .take();
        let db: Process = __pkit_handle_db;
        let _c: &mut T = ::core::convert::identity(&mut __pkit_handle_c);
        let __pkit_ending = __pkit_ending;
        {
            x.await
        }
    };
    ::pkit_test::__private::value(
        __pkit_stage
            .run_async(
                |__pkit_up| {
                    __pkit_give(__pkit_up);
                    __pkit_body
                },
                |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
            )
            .await,
    )
}
"#,
    );
}

#[test]
fn a_future_that_should_panic() {
    check(
        "db = a()",
        "#[should_panic] async fn f() {}",
        r#"
#[should_panic]
async fn f() {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "f"),
    );
    let _ = __pkit_stage.add("db", a());
    let __pkit_body = async {
        if let ::core::option::Option::Some(__pkit_value) = ::core::option::Option::None::<
            (),
        > {
            return __pkit_value;
        }
        { }
    };
    __pkit_stage.run_async_should_panic(|_| __pkit_body).await
}
"#,
    );
}

#[test]
fn a_future_of_impl_trait_cannot_say_its_value() {
    check(
        "db = a()",
        "pub async fn f(db: &Process) -> impl Trait { db.await }",
        r#"
pub async fn f() -> impl Trait {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "f"),
    );
    let __pkit_slot_db = __pkit_stage.add("db", a());
    let __pkit_handover = ::pkit_test::__private::Handover::new();
    let __pkit_give = |__pkit_up: &mut ::pkit_test::__private::Up| {
        __pkit_handover.put((__pkit_up.take(__pkit_slot_db), __pkit_up.ending()))
    };
    let __pkit_body = async {
        let (__pkit_handle_db, __pkit_ending) = __pkit_handover.take();
        let db: &Process = &__pkit_handle_db;
        let __pkit_ending = __pkit_ending;
        {
            db.await
        }
    };
    ::pkit_test::__private::value(
        __pkit_stage
            .run_async(
                |__pkit_up| {
                    __pkit_give(__pkit_up);
                    __pkit_body
                },
                |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
            )
            .await,
    )
}
"#,
    );
}

#[test]
fn cases_keep_their_parameters_and_their_attributes() {
    check(
        "db = a(n)",
        "#[rstest] #[case(1)] #[timeout(T)] fn f(#[case] n: u8, mut db: Process, #[values(2)] m: u8) { x }",
        r#"
#[rstest]
#[case(1)]
#[timeout(T)]
fn f(#[case] n: u8, #[values(2)] m: u8) {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "f"),
    );
    let __pkit_slot_db = __pkit_stage.add("db", a(n));
    __pkit_stage
        .run(
            |__pkit_up: &mut ::pkit_test::__private::Up| -> () {
                let __pkit_handle_db = __pkit_up.take(__pkit_slot_db);
                let mut db: Process = __pkit_handle_db;
                let __pkit_ending = __pkit_up.ending();
                {
                    x
                }
            },
            |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
        )
}
"#,
    );
}

#[test]
fn a_refused_function_keeps_its_signature() {
    check(
        "db, port = a()",
        "#[test] pub fn f<T>(db: Process, x: T) -> u8 where T: Clone { body }",
        r#"
::core::compile_error! {
    "`db` has no executor: write `db = executor`"
}
::core::compile_error! {
    "`port` cannot name a process: every spec has a hole of that name for itself"
}
::core::compile_error! {
    "`x` is no process of this attribute (`db`, `port`), and nothing else fills it in"
}
#[test]
pub fn f<T>() -> u8
where
    T: Clone,
{
    ::core::unreachable!()
}
"#,
    );
}

#[test]
fn another_item_stays_as_it_is() {
    check(
        "db = a()",
        "#[derive(Debug)] struct S;",
        r#"
::core::compile_error! {
    "`#[with_processes]` goes on a function: expected `fn`"
}
#[derive(Debug)]
struct S;
"#,
    );
}

#[test]
fn attributes_above_one_another_nest() {
    check(
        "db = a()",
        "#[with_processes(api = b(&db))] #[test] fn f(db: Process, api: Process) -> R { db.ok(api) }",
        r#"
#[with_processes(api = b(&db))]
#[test]
fn f(api: Process) -> R {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "f"),
    );
    let __pkit_slot_db = __pkit_stage.add("db", a());
    __pkit_stage
        .run(
            |__pkit_up: &mut ::pkit_test::__private::Up| -> R {
                let __pkit_handle_db = __pkit_up.take(__pkit_slot_db);
                let db: Process = __pkit_handle_db;
                let __pkit_ending = __pkit_up.ending();
                {
                    db.ok(api)
                }
            },
            |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
        )
}
"#,
    );
}

#[test]
fn main_is_a_function_like_others() {
    check(
        "db = a()",
        "#[tokio::main] async fn main() { run().await }",
        r#"
#[tokio::main]
async fn main() {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "main"),
    );
    let _ = __pkit_stage.add("db", a());
    let __pkit_body = async {
        if let ::core::option::Option::Some(__pkit_value) = ::core::option::Option::None::<
            (),
        > {
            return __pkit_value;
        }
        {
            run().await
        }
    };
    ::pkit_test::__private::value(
        __pkit_stage
            .run_async(
                |_| __pkit_body,
                |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
            )
            .await,
    )
}
"#,
    );
    check(
        "db = a()",
        "fn main() -> std::process::ExitCode { run() }",
        r#"
fn main() -> std::process::ExitCode {
    let mut __pkit_stage = ::pkit_test::__private::Stage::new(
        ::core::concat!(::core::module_path!(), "::", "main"),
    );
    let _ = __pkit_stage.add("db", a());
    __pkit_stage
        .run(
            |__pkit_up: &mut ::pkit_test::__private::Up| -> std::process::ExitCode {
                {
                    run()
                }
            },
            |__pkit_outcome| ::pkit_test::__private::Outcome(__pkit_outcome).failed(),
        )
}
"#,
    );
}
