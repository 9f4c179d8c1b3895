//! All that can be shared, and all ways to ask for it.

use pkit_test::ready::{Said, Tcp};
use std::fs;

use pkit_test::{
    Attaching, Executor, Ground, Identity, Process, Publication, Result, Shareable, Shared, Spec, Stack, State, Worker,
    bin, current, finished, fixture, function, orchestra, orchestrated, output, simple, state, with_processes,
};
use rstest::rstest;

fn sleeper(of: &str) -> Spec {
    output(bin!("sleeper"), "sleeper").env("FOR", of)
}

fn add(a: u32, b: u32) -> u32 {
    println!("in {}", std::process::id());
    a + b
}

/// A result is there for all, and the function has run once.
#[test]
fn a_function_is_joined_by_all() {
    let start = || function(add, (20, 22)).shared().start().unwrap();
    let (one, other): (Worker<u32>, Worker<u32>) = (start(), start());
    assert_eq!([one.join().unwrap(), other.join().unwrap()], [42, 42]);
    let third = start();
    assert_eq!(third.join().unwrap(), 42);
    assert_eq!(third.stdout(), one.stdout());
}

/// It is taken once in a run.
#[test]
fn a_step_has_finished_for_all() {
    let step = || finished("sh -c 'echo $$ >>{dir}/steps'").env("FOR", "a step").shared().start().unwrap();
    let (one, other) = (step(), step());
    assert_eq!(fs::read_to_string(one.dir().join("steps")).unwrap().lines().count(), 1);
    assert_eq!(one.dir(), other.dir());
    assert!([one.exit(), other.exit()].iter().all(|exit| exit.is_some_and(|exit| exit.success())));
}

fn serve() -> u32 {
    let listener = std::net::TcpListener::bind(current().addr()).unwrap();
    current().ready();
    listener.incoming().take(2).flatten().count().try_into().unwrap()
}

#[test]
fn a_function_serves_all() {
    let start = || function(serve, ()).ready(Said::ready()).ready(Tcp::any()).shared().start().unwrap();
    let (one, other) = (start(), start());
    assert_eq!(one.addr(), other.addr());
    let streams = [&one, &other].map(|server| std::net::TcpStream::connect(server.addr()).unwrap());
    assert_eq!([one.join().unwrap(), other.join().unwrap()], [2, 2]);
    drop(streams);
}

#[test]
fn a_state_is_one_for_all() {
    let start = || state().shared_as("a_state_is_one_for_all").start().unwrap();
    let (one, other) = (start(), start());
    one.set("n", &1).unwrap();
    assert_eq!(
        other
            .update("n", |n: &mut u32| {
                *n += 1;
                *n
            })
            .unwrap(),
        2
    );
    drop(other);
    assert_eq!(one.get::<u32>("n").unwrap(), Some(2), "who lets go ends nothing");
    // A function of the test is handed it like any other.
    let worker = function(|state: State| state.get::<u32>("n").unwrap(), one.clone()).start().unwrap();
    assert_eq!(worker.join().unwrap(), Some(2));
}

#[test]
fn an_orchestra_is_shared_with_all_that_is_in_it() {
    let start = || {
        let inner = orchestra().with("db", sleeper("inner").port("peer")).with("sum", function(add, (1, 1)));
        let app = output("sh -c 'echo {storage.db.port.peer} {shop.path}; exec sleep 60'", "^[0-9]+ ").after("storage");
        let stack = orchestra().with("app", app).with("storage", inner).with("shop", state());
        stack.shared().start().unwrap()
    };
    let (one, other) = (start(), start());
    assert_eq!(one.names().collect::<Vec<_>>(), ["app", "storage", "shop"]);
    for stack in [&one, &other] {
        let (storage, shop): (&Stack, &State) = (stack.get("storage"), stack.get("shop"));
        assert_eq!(storage.get::<Worker<u32>>("sum").join().unwrap(), 2);
        let said = format!("{} {}\n", storage["db"].port_of("peer"), shop.path().display());
        assert_eq!(stack["app"].stdout(), said);
        assert_eq!(storage["db"].name(), "stack.storage.db");
    }
    assert_eq!(one["app"].pid(), other["app"].pid());
    one.get::<State>("shop").set("n", &1).unwrap();
    assert_eq!(other.get::<State>("shop").get::<u32>("n").unwrap(), Some(1));
    drop(one);
    assert!(other["app"].is_alive());
}

/// What others need of it is there: also where it is a part of a part.
#[test]
fn holes_go_through_it() {
    let storage = orchestra().with("db", sleeper("holes").port("peer")).shared();
    let app = simple("echo {storage.db.port.peer} {storage.db.slot}").may_exit();
    let stack = orchestra().with("app", app).with("storage", storage).start().unwrap();
    stack["app"].wait().unwrap();
    let port = stack.get::<Stack>("storage")["db"].port_of("peer");
    assert_eq!(stack["app"].stdout(), format!("{port} 0\n"));
}

fn one() -> Shared<Spec> {
    sleeper("attribute").shared()
}

#[with_processes(db = one(), same = one(), client = output("sh -c 'echo {db.pid}; exec sleep 60'", r"^\d+$"))]
#[test]
fn an_attribute_has_it(db: Process, same: &Process, client: &Process) {
    assert_eq!(db.pid(), same.pid());
    assert_eq!((db.name(), same.name()), ("db", "same"));
    assert_eq!(client.stdout(), format!("{}\n", db.pid().unwrap()));
    let pid = db.pid();
    drop(db);
    assert_eq!((same.pid(), same.is_alive()), (pid, true));
}

#[with_processes(db = one(), other = one())]
#[tokio::test]
async fn an_async_test_has_it(db: Process, other: &Process) {
    tokio::task::yield_now().await;
    assert_eq!(db.pid(), other.pid());
}

#[with_processes(db = one())]
#[rstest]
#[case(1)]
#[case(2)]
fn each_case_has_it(db: &Process, #[case] _number: u32) {
    assert_eq!(db.pid(), one().start().unwrap().pid());
}

fixture!(shared_sleeper: Process = one());

#[rstest]
fn a_fixture_has_it(shared_sleeper: Process, #[from(shared_sleeper)] other: Process) {
    assert_eq!(shared_sleeper.pid(), other.pid());
    assert_eq!(shared_sleeper.name(), "shared_sleeper");
}

#[test]
fn a_scope_has_it() {
    let pids = orchestrated([("one", one()), ("other", one())], |stack| ["one", "other"].map(|name| stack[name].pid()));
    let pids = pids.unwrap();
    assert!(pids[0].is_some() && pids[0] == pids[1]);
    assert_eq!(one().start().unwrap().pid(), pids[0], "its end is not the end of a scope");
}

/// A value, and no process.
#[derive(Clone)]
struct Value;

impl Executor for Value {
    type Handle = String;

    fn start_on(self, _: &Ground) -> Result<String> {
        Ok("value".to_owned())
    }
}

impl Shareable for Value {
    fn identify(&self, _: &mut Identity) {}

    fn publish(value: &String, publication: &mut Publication) {
        publication.value("value", value);
    }

    fn attach(self, published: &mut Attaching<'_>) -> Result<String> {
        published.value("value")
    }
}

#[test]
fn what_has_no_process_is_not_shared() {
    let error = Value.shared().start().unwrap_err().to_string();
    assert!(error.starts_with("`value` cannot be shared: it publishes no process\n"), "{error}");
}

/// Reads what was not written.
#[derive(Clone)]
struct Confused;

impl Executor for Confused {
    type Handle = (Process, String);

    fn start_on(self, ground: &Ground) -> Result<(Process, String)> {
        Ok((ground.start(sleeper("confused"))?, "value".to_owned()))
    }
}

impl Shareable for Confused {
    fn identify(&self, identity: &mut Identity) {
        identity.text("confused");
    }

    fn publish((process, value): &(Process, String), publication: &mut Publication) {
        publication.value("value", value);
        publication.process(process);
    }

    fn attach(self, published: &mut Attaching<'_>) -> Result<(Process, String)> {
        Ok((published.process(sleeper("confused"))?, published.value("value")?))
    }
}

#[test]
fn what_is_attached_in_another_order_is_an_error() {
    let error = Confused.shared().start().unwrap_err().to_string();
    assert!(error.starts_with("`confused` is shared, and "), "{error}");
}

#[test]
fn a_name_is_for_one_kind_of_handle() {
    let process = sleeper("kinds").shared_as("of two kinds").start().unwrap();
    let error = function(add, (1, 2)).shared_as("of two kinds").start().unwrap_err();
    assert!(error.is_spec());
    let text = error.to_string();
    assert!(text.starts_with("`of two kinds` cannot be shared: under this name is something else\n"), "{text}");
    assert!(text.contains("\n  why:    its handle is a `Process`, and not a `Worker<u32>`\n"), "{text}");
    assert!(process.is_alive());
}
