//! Probes of one's own: closures that say what they like, when they like, or nothing at all.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use expect_test::{Expect, expect};
use pkit_test::ready::{self, Output, Poll, Tcp, View};
use pkit_test::{Restart, Spec, orchestra, sh, simple, tcp};

use crate::child::{ENOUGH, HANG, child, too_late, wait_until, writes};
use crate::text::normalised;

/// A counter for a closure and for the test.
fn counter() -> (Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    (Arc::clone(&count), count)
}

/// A probe that says when it is asked, and then nothing before its other end is dropped.
fn blocks() -> (Poll, Receiver<()>, Sender<()>) {
    let (tell, entered) = channel();
    let (release, wait) = channel();
    let wait = Mutex::new(wait);
    let probe = ready::poll(move |_| {
        let _ = tell.send(()); // The test may be over.
        wait.lock().unwrap().recv().is_ok()
    });
    (probe.named("a wall"), entered, release)
}

#[track_caller]
fn fails(spec: Spec, expected: Expect) -> pkit_test::Error {
    let error = spec.start().unwrap_err();
    expected.assert_eq(&normalised(&error.to_string()));
    error
}

#[test]
fn one_that_holds_at_once_is_asked_once() {
    let sleeper = child("sleeper");
    let (count, asked) = counter();
    let once = ready::poll(move |_| count.fetch_add(1, Ordering::Relaxed) < usize::MAX);
    assert!(simple(sleeper.with("")).ready(once).start().unwrap().is_alive());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn one_is_asked_until_it_holds() {
    let sleeper = child("sleeper");
    let (count, asked) = counter();
    let sixth = ready::poll(move |_| count.fetch_add(1, Ordering::Relaxed) == 5);
    simple(sleeper.with("")).ready(sixth).start().unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 6);
}

#[test]
fn what_one_saw_last_is_told() {
    let sleeper = child("sleeper");
    let (count, asked) = counter();
    let never = ready::poll(move |_| Err::<(), _>(format!("no {}", count.fetch_add(1, Ordering::Relaxed) + 1)));
    let spec = simple(sleeper.with("")).ready(never.named("a refusal")).start_timeout(ENOUGH);
    let error = spec.start().unwrap_err();
    let last = asked.load(Ordering::Relaxed);
    let told = |count: usize| {
        let tries = if count == 1 { "try" } else { "tries" };
        error.to_string().contains(&format!("\n  probe:  a refusal: no {count}, {count} {tries}\n"))
    };
    assert!(error.is_timeout());
    // The very last answer may have come when nobody waited for it any more.
    assert!(told(last) || told(last - 1), "{last}: {error}");
}

#[test]
fn one_without_a_name_is_told_by_its_place() {
    let sleeper = child("sleeper");
    fails(
        simple(sleeper.with("")).ready(ready::poll(|_| false)).start_timeout(ENOUGH),
        expect![[r#"
            `sleeper` was not ready after 1.5 s
              spec:   simple("'CHILDREN/sleeper'")   tests/it/poll.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              probe:  poll at tests/it/poll.rs: not yet, N tries
              stdout: sleeper"#]],
    );
}

#[test]
fn one_that_panics_is_an_error_and_leaves_nothing() {
    let sleeper = child("sleeper");
    let (count, asked) = counter();
    let late = ready::poll(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => false,
        1 => panic!("out of cheese"),
        _ => true,
    });
    let spec = simple(sleeper.with("")).ready(Output::any("sleeper")).ready(late);
    fails(
        spec.clone(),
        expect![[r#"
            `sleeper` was stopped: its probe panicked: out of cheese
              spec:   simple("'CHILDREN/sleeper'")   tests/it/poll.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              stdout: sleeper"#]],
    );
    assert_eq!((asked.load(Ordering::Relaxed), sleeper.count()), (2, 0));
    assert!(spec.start().unwrap().is_alive(), "the next start is another one");
}

#[test]
fn one_that_throws_no_text_is_an_error_too() {
    let sleeper = child("sleeper");
    let spec = simple(sleeper.with("")).ready(ready::poll(|_| -> bool { std::panic::panic_any(5) }));
    let error = spec.start().unwrap_err().to_string();
    assert!(error.starts_with("`sleeper` was stopped: its probe panicked: a value that is no text\n"), "{error}");
}

#[test]
fn one_that_asks_for_a_port_that_is_not_there_is_told_so() {
    let sleeper = child("sleeper");
    let errors = [
        simple(sleeper.with("")).ready(ready::poll(|view| view.port() > 0)),
        simple(sleeper.with("")).env("PORT", "{port}").ready(ready::poll(|view| view.port_of("peer") > 0)),
    ]
    .map(|spec| spec.start().unwrap_err().to_string());
    expect!["`sleeper` was stopped: its probe panicked: `sleeper` has no port: nothing in its spec asks for one"]
        .assert_eq(errors[0].lines().next().unwrap());
    expect![[
        r#"`sleeper` was stopped: its probe panicked: `sleeper` has no port `peer`: `.port("peer")` declares one"#
    ]]
    .assert_eq(errors[1].lines().next().unwrap());
}

#[test]
fn one_that_blocks_hides_no_exit() {
    let (probe, entered, _release) = blocks();
    let process = simple(sh("read line; exit 3")).ready(probe).start_timeout(HANG * 60).spawn().unwrap();
    let error = thread::scope(|threads| {
        let waits = threads.spawn(|| process.wait_ready());
        entered.recv_timeout(HANG).unwrap();
        process.write_stdin("go on\n").unwrap();
        waits.join().unwrap().unwrap_err()
    });
    expect![[r#"
        `sh` exited before it was ready
          spec:   simple("sh -c 'read line; exit 3'")   tests/it/poll.rs
          ran:    /bin/sh -c 'read line; exit 3' sh   pid N, in N ms
          exit:   exit code 3
          probe:  a wall: the closure has not returned
          output: none"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn one_that_blocks_hides_no_deadline() {
    let sleeper = child("sleeper");
    let (probe, entered, _release) = blocks();
    let spec = simple(sleeper.with("")).ready(Output::any("sleeper")).ready(probe);
    let error = too_late(spec, writes("sleeper"));
    expect![[r#"
        `sleeper` was not ready after 1.5 s
          spec:   simple("'CHILDREN/sleeper'")   tests/it/poll.rs
          ran:    CHILDREN/sleeper   pid N, in N ms
          probe:  a wall: the closure has not returned
          stdout: sleeper"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!((entered.try_iter().count(), sleeper.count()), (1, 0));
}

#[test]
fn one_that_blocks_hides_no_failure_of_the_stack() {
    let sleeper = child("sleeper");
    let (probe, entered, _release) = blocks();
    let entered = Mutex::new(entered);
    // It fails only when the other one is blocked.
    let broken = ready::poll(move |_| -> bool {
        entered.lock().unwrap().recv_timeout(HANG).unwrap();
        panic!("on purpose")
    });
    let stack = orchestra()
        .with("patient", simple(sleeper.with("")).ready(probe).start_timeout(HANG * 60))
        .with("broken", simple(sleeper.with("")).ready(broken).start_timeout(HANG * 60));
    let error = stack.start().unwrap_err().to_string();
    assert!(error.starts_with("`broken` was stopped: its probe panicked: on purpose\n"), "{error}");
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn one_that_was_left_behind_can_look_no_more_and_hurts_nobody() {
    let sleeper = child("sleeper");
    let (tell, told) = channel();
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let late = ready::poll(move |view: &View| {
        let _ = wait.lock().unwrap().recv();
        let _ = tell.send((view.fill("{dir}").map_err(|error| error.to_string()), view.pid(), view.stdout()));
        true
    });
    let error = simple(sleeper.with("")).ready(late).start_timeout(ENOUGH).start().unwrap_err();
    drop(error);
    drop(release);
    let (filled, pid, _) = told.recv_timeout(HANG).unwrap();
    expect!["the start of `sleeper` is over, and its probe was left behind"].assert_eq(&filled.unwrap_err());
    assert_eq!(pid, None);
}

#[test]
fn what_it_saw_before_the_end_is_told() {
    let (count, seen) = counter();
    let smoke = ready::poll(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Err::<(), _>("smoke")
    });
    let process = simple("sh -c 'read line; exit 3'").ready(smoke.named("a look")).spawn().unwrap();
    let error = thread::scope(|threads| {
        let waits = threads.spawn(|| process.wait_ready());
        // The second question comes after the first answer.
        wait_until(|| seen.load(Ordering::Relaxed) > 1);
        process.write_stdin("go on\n").unwrap();
        waits.join().unwrap().unwrap_err().to_string()
    });
    assert!(error.contains("\n  probe:  a look: smoke, "), "{error}");
}

#[test]
fn what_it_said_before_is_told_where_the_deadline_cuts_the_last_answer_short() {
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let smoke = ready::poll(move |view| {
        // Asked shortly before the deadline it is as slow as on a busy machine.
        let _ = (view.patience() < Duration::from_millis(300)).then(|| wait.lock().unwrap().recv());
        Err::<(), _>("smoke")
    });
    let error = simple("sleep 60").ready(smoke.named("a look")).start_timeout(ENOUGH).start().unwrap_err().to_string();
    assert!(error.contains("\n  probe:  a look: smoke, "), "{error}");
    drop(release);
}

#[test]
fn one_that_panics_over_the_end_of_its_process_does_not_hide_that() {
    let looks = ready::poll(|view| -> bool {
        // As a client that unwraps what it reads from a server that has just died.
        wait_until(|| view.pid().is_none());
        panic!("broken pipe")
    });
    let error = simple("sh -c 'exit 3'").ready(looks.named("a client")).start().unwrap_err();
    assert_eq!((error.is_exit(), error.exit().and_then(|exit| exit.code())), (true, Some(3)), "{error}");
}

#[test]
fn what_may_end_is_asked_after_its_end() {
    let wrote = || ready::poll(|view| view.stdout() == "one\ntwo\n");
    for _ in 0..20 {
        let process = simple("printf 'one\ntwo\n'").ready(wrote()).may_exit().start().unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(0));
    }
    assert!(simple("echo one").ready(wrote()).may_exit().start().unwrap_err().is_exit());
}

#[test]
fn a_stranger_at_its_port_is_not_asked() {
    let sleeper = child("sleeper");
    let (count, asked) = counter();
    let talks = ready::poll(move |_| count.fetch_add(1, Ordering::Relaxed) < usize::MAX);
    let spec = Spec::new(sleeper.with("")).env("PORT", "{port}").ready(talks).start_timeout(ENOUGH);
    let process = spec.clone().spawn().unwrap();
    let stranger = TcpListener::bind(process.addr()).unwrap();
    let error = process.wait_ready().unwrap_err();
    assert!(error.is_port_taken(), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    drop((process, stranger));
    let process = spec.any_owner().start_timeout(HANG).spawn().unwrap();
    let _proxy = TcpListener::bind(process.addr()).unwrap();
    process.wait_ready().unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_stranger_who_came_during_the_answer_is_not_believed() {
    let sleeper = child("sleeper");
    let held = Arc::new(Mutex::new(None));
    let stranger = Arc::clone(&held);
    let spec =
        Spec::new(sleeper.with("")).env("PORT", "{port}").start_timeout(ENOUGH).ready(ready::poll(move |view| {
            stranger.lock().unwrap().get_or_insert_with(|| TcpListener::bind(view.addr()).unwrap());
        }));
    let error = spec.start().unwrap_err();
    assert!(error.is_port_taken(), "{error}");
    drop(held);
}

#[test]
fn it_is_asked_when_the_probes_before_it_hold() {
    let slow = child("slow");
    let accepts = ready::poll(|view| std::net::TcpStream::connect(view.addr()).map(drop).unwrap());
    let spec = Spec::new(slow.with("20 {port}")).ready(Tcp::any()).ready(accepts);
    assert!(spec.start().unwrap().is_alive());
}

#[test]
fn it_sees_what_the_handle_sees() {
    let sleeper = child("sleeper");
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let look = ready::poll(move |view| {
        let (own, other) = (view.fill("{addr.peer}").unwrap(), view.fill("{db.addr}").unwrap());
        let place = (view.name().to_owned(), view.host(), view.port(), view.port_of("peer"), view.addr());
        *noted.lock().unwrap() = Some((place, view.url("a"), view.dir(), view.pid(), view.stdout(), own, other));
        assert!(!view.patience().is_zero() && view.stderr().is_empty() && view.output() == view.stdout());
        assert!(!view.owns(view.addr()), "it never listens");
    });
    let spec = Spec::new(sleeper.with("")).env("PORT", "{port}").port("peer").after("db");
    let stack = orchestra()
        .with("app", spec.ready(Output::any("sleeper")).ready(look))
        .with("db", simple(sleeper.with("")).env("PORT", "{port}"))
        .start()
        .unwrap();
    let app = &stack["app"];
    let (place, url, dir, pid, stdout, own, other) = seen.lock().unwrap().take().unwrap();
    assert_eq!(place, ("app".to_owned(), app.host(), app.port(), app.port_of("peer"), app.addr()));
    assert_eq!((url, dir.as_path(), pid, stdout), (app.url("/a"), app.dir(), app.pid(), app.stdout()));
    assert_eq!((own, other), (format!("{}:{}", app.host(), app.port_of("peer")), stack["db"].addr().to_string()));
}

#[test]
fn it_knows_a_listener_of_its_own_from_that_of_another() {
    let slow = child("slow");
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = stranger.local_addr().unwrap();
    let owns = ready::poll(move |view| {
        assert!(!view.owns(other));
        view.owns(view.addr())
    });
    assert!(Spec::new(slow.with("20 {port}")).ready(owns).start().unwrap().is_alive());
}

#[test]
fn each_start_asks_anew() {
    let sleeper = child("sleeper");
    let (tell, pids) = channel();
    let tells = ready::poll(move |view| tell.send(view.pid()).is_ok());
    let process = simple(sleeper.with("")).ready(tells).start().unwrap();
    let mut seen = vec![process.pid()];
    for how in [Restart::Graceful, Restart::Forced] {
        process.restart(how).unwrap();
        seen.push(process.pid());
    }
    assert_eq!(pids.try_iter().collect::<Vec<_>>(), seen);
}

#[test]
fn one_probe_serves_many_starts_at_once() {
    let sleeper = child("sleeper");
    let (count, asked) = counter();
    let spec = simple(sleeper.with("")).ready(ready::poll(move |view| {
        count.fetch_add(1, Ordering::Relaxed);
        view.stdout().contains("sleeper")
    }));
    let members: Vec<_> = (0..16).map(|number| (format!("s{number}"), spec.clone())).collect();
    let stack = pkit_test::orchestrate(members).start().unwrap();
    assert!(asked.load(Ordering::Relaxed) >= 16 && stack.names().all(|name| stack[name].is_alive()));
}

#[test]
fn the_closure_is_gone_with_its_specs() {
    let sleeper = child("sleeper");
    let token = Arc::new(());
    let held = Arc::clone(&token);
    let spec = simple(sleeper.with("")).ready(ready::poll(move |_| Arc::strong_count(&held) > 1));
    drop(spec.start().unwrap());
    wait_until(|| Arc::strong_count(&token) == 1);
}

#[test]
fn a_slow_server_is_heard_out() {
    let slow = child("slow");
    let warm = ready::poll(|view| {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(view.addr())?;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(std::io::Error::other(answer)) }
    });
    assert!(tcp(slow.with("5 {port} --warm 60"), 0).ready(warm).start().unwrap().is_alive());
}
