//! `workers`: several processes of one function.

use std::time::{Duration, Instant};

use pkit_test::ready::Said;
use pkit_test::{Worker, current, orchestra, simple, with_processes, workers};
use pkit_test_tests::child::pause;

use crate::child::HANG;

fn square(n: usize) -> usize {
    n * n
}

fn name_and_rank(_: usize) -> (String, String) {
    (current().name().to_owned(), std::env::var("RANK").unwrap_or_default())
}

/// The one says nothing for ever, all others are over at once.
fn mute_or_gone(n: usize) {
    if n == 0 { pause() } else { std::process::exit(3) }
}

#[test]
fn each_has_its_arguments_and_its_name() {
    let all = workers(3, square, |i| i + 2).start().unwrap();
    let names: Vec<&str> = all.iter().map(|worker| worker.name()).collect();
    assert_eq!(names, ["square.0", "square.1", "square.2"]);
    let results: Vec<usize> = all.iter().map(|worker| worker.join().unwrap()).collect();
    assert_eq!(results, [4, 9, 16]);
}

#[test]
fn something_is_said_of_all_and_of_each() {
    let specs = workers(2, name_and_rank, |i| i).each(|spec| spec.port("api"));
    let all = specs.with(|i, spec| spec.env("RANK", format!("{i} at {{port.api}}"))).start().unwrap();
    for (index, worker) in all.iter().enumerate() {
        let told = (format!("name_and_rank.{index}"), format!("{index} at {}", worker.port_of("api")));
        assert_eq!(worker.join().unwrap(), told);
    }
}

#[test]
fn none_is_a_number_as_well() {
    assert!(workers(0, square, |i| i).start().unwrap().is_empty());
}

#[test]
fn many_are_up_at_once() {
    let all = workers(40, |_: usize| pause_a_value(), |i| i).start().unwrap();
    assert!(all.iter().all(|worker: &Worker<()>| worker.is_alive()));
}

fn pause_a_value() {
    pause()
}

#[with_processes(ws = workers(3, square, |i| i))]
#[test]
fn they_are_a_parameter(ws: Vec<Worker<usize>>) {
    assert_eq!(ws[2].name(), "ws.2");
    assert_eq!(ws[2].join().unwrap(), 4);
}

#[test]
fn others_know_them_by_their_numbers() {
    let nodes = workers(2, |_: usize| pause_a_value(), |i| i).each(|spec| spec.port("api"));
    let stack = orchestra()
        .with("client", simple("echo {node.1.port.api} {node.0.port.api}").may_exit())
        .with("node", nodes)
        .start()
        .unwrap();
    let all: &Vec<Worker<()>> = stack.get("node");
    stack["client"].wait().unwrap();
    assert_eq!(stack["client"].stdout(), format!("{} {}\n", all[1].port_of("api"), all[0].port_of("api")));
}

/// Each knows where the others are, without an order.
#[test]
fn they_know_each_other() {
    let addresses = |_: usize| std::env::var("PEERS").unwrap();
    let nodes = workers(2, addresses, |i| i).each(|spec| spec.port("api"));
    let nodes = nodes.each(|spec| spec.env("PEERS", "{&node.0.addr.api} {&node.1.addr.api}"));
    let stack = orchestra().with("node", nodes).start().unwrap();
    let all: &Vec<Worker<String>> = stack.get("node");
    let expected = format!("127.0.0.1:{} 127.0.0.1:{}", all[0].port_of("api"), all[1].port_of("api"));
    assert!(all.iter().all(|worker| worker.join().unwrap() == expected));
}

#[test]
fn the_first_that_fails_takes_the_others_down_at_once() {
    let began = Instant::now();
    let specs = workers(4, mute_or_gone, |i| i).each(|spec| spec.ready(Said::ready()).start_timeout(HANG * 5));
    let error = specs.start().unwrap_err();
    assert!(error.is_exit(), "{error}");
    assert!(error.to_string().contains("mute_or_gone."), "{error}");
    assert!(began.elapsed() < HANG, "the one that says nothing was waited for");
}

#[test]
fn a_mistake_of_one_starts_none() {
    let specs =
        workers(2, square, |i| i).with(|i, spec| if i == 1 { spec.start_timeout(Duration::ZERO) } else { spec });
    assert!(specs.start().unwrap_err().is_spec());
}
