//! Programs in other languages at a state, by the words of its documentation: what stands there is run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use pkit_test::{Process, Spec, State, finished, function, simple};

use crate::child::HANG;

/// The page of the documentation.
const PAGE: &str = include_str!("../../../pkit-test/src/states.rs");

/// Somebody who speaks lines.
struct Speaker(BufReader<UnixStream>);

impl Speaker {
    fn new(path: &Path) -> Speaker {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        Speaker(BufReader::new(stream))
    }

    fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.pop();
        line
    }

    fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }
}

/// The first block of the page in that language.
fn block(language: &str) -> String {
    let lines = PAGE.lines().skip_while(|line| *line != format!("//! ```{language}")).skip(1);
    let lines: Vec<_> = lines.take_while(|line| *line != "//! ```").collect();
    assert!(!lines.is_empty(), "no block in {language}");
    lines
        .iter()
        .map(|line| line.strip_prefix("//!").unwrap().strip_prefix(' ').unwrap_or("").to_owned() + "\n")
        .collect()
}

/// A program in Python that has the client of the page, and what it is told to do.
fn python(state: &State, does: &str) -> Spec {
    let program = format!("{}\nstate = State()\n{does}\n", block("python"));
    Spec::program("python3").args(["-c", &program]).env(State::ENV, state.path().display().to_string())
}

#[track_caller]
fn says(spec: Spec, expected: &str) {
    let process: Process = spec.ready(pkit_test::ready::Finished::success()).start().unwrap();
    assert_eq!(process.stdout(), expected);
}

#[test]
fn every_row_of_the_table_is_answered_as_it_says() {
    let state = State::new().unwrap();
    let mut speaker = Speaker::new(state.path());
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("//! | `{\"op\""));
    let mut count = 0;
    for row in rows {
        let (request, rest) = row.split_once("` | `").unwrap();
        let answer = rest.split_once("` |").unwrap().0;
        let said = speaker.ask(&format!("{{\"op\"{request}"));
        match answer.strip_suffix('…') {
            Some(begin) => assert!(said.starts_with(begin), "{request}: {said}, and not {answer}"),
            None => assert_eq!(said, answer, "{request}"),
        }
        count += 1;
    }
    assert!(count > 30, "{count}");
}

#[test]
fn the_client_in_python_takes_part() {
    assert!(block("python").lines().count() <= 20);
    let state = State::new().unwrap();
    state.set("n", &4_u8).unwrap();
    let five = python(&state, "print(state.ask('wait', key='n', equals=5, timeout=60))").start().unwrap();
    assert_eq!(state.increment("n", 1).unwrap(), 5);
    assert!(five.wait().unwrap().success(), "{}", five.stderr());
    assert_eq!(five.stdout(), "5\n");

    let values = r#"
state.ask("set", key="größe \U0001f600", value={"a": [1, -2.5, None, True, 2**64 - 1], "b": "x\n\x00\u2028"})
print(state.ask("get", key="größe \U0001f600")["a"])
try:
    state.ask("get", key="nothing")
except LookupError as error:
    print(error.args)
"#;
    says(
        python(&state, values).arg("x"),
        "[1, -2.5, None, True, 18446744073709551615]\n('absent', 'there is no `nothing`')\n",
    );
    let (list, text): ((u8, f64, Option<u8>, bool, u64), String) = {
        #[derive(serde::Deserialize)]
        struct Read {
            a: (u8, f64, Option<u8>, bool, u64),
            b: String,
        }
        let read: Read = state.require("größe 😀").unwrap();
        (read.a, read.b)
    };
    assert_eq!((list, text.as_str()), ((1, -2.5, None, true, u64::MAX), "x\n\0\u{2028}"));
}

#[test]
fn the_line_for_a_shell_is_answered() {
    let state = State::new().unwrap();
    state.set("n", &[1, 2]).unwrap();
    // Not as a process of ours: what stands in braces there is for perl.
    let mut shell = Command::new("sh");
    let output = shell.arg("-c").arg(block("sh")).env(State::ENV, state.path()).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.starts_with("{\"ok\":[1,2],\"version\":1,") && line.ends_with("}\n"), "{line:?}");
}

#[test]
fn a_mistake_is_answered_and_the_next_line_as_well() {
    let state = State::new().unwrap();
    let mut speaker = Speaker::new(state.path());
    for (line, message) in [
        ("{", r#"this is no JSON: a key is missing, in quotation marks at character 2"#),
        (r#"{"op":"gte","key":"n"}"#, "there is no op `gte`; `get` was probably meant"),
        (r#"{"op":"get"}"#, "`get` needs the field `key`"),
    ] {
        assert_eq!(speaker.ask(line), format!("{{\"error\":\"malformed\",\"message\":\"{message}\"}}"));
    }
    assert_eq!(speaker.ask(r#"{"op":"len"}"#), r#"{"ok":0}"#);
}

#[test]
fn a_process_that_waits_is_woken_by_another_language() {
    let state = State::new().unwrap();
    let worker = function(waits, state.clone()).start().unwrap();
    let mut speaker = Speaker::new(state.path());
    assert_eq!(
        speaker.ask(r#"{"op":"barrier.open","name":"both","parties":2}"#).split(',').next(),
        Some("{\"ok\":true")
    );
    let arrived = speaker.ask(r#"{"op":"barrier.arrive","name":"both","timeout":60}"#);
    assert!(["{\"ok\":0}", "{\"ok\":1}"].contains(&&*arrived), "{arrived}");
    speaker.ask(r#"{"op":"set","key":"go","value":"now"}"#);
    assert_eq!(worker.join().unwrap(), "now");
}

fn waits(state: State) -> String {
    state.barrier("both", 2).unwrap().wait(HANG).unwrap();
    state.wait_present("go", HANG).unwrap()
}

#[test]
fn what_a_program_held_is_free_when_it_is_gone() {
    let state = State::new().unwrap();
    let holder = python(
        &state,
        "state.ask('semaphore.open', name='one', permits=1); state.ask('semaphore.acquire', name='one'); \
         state.ask('set', key='held', value=True); state.ask('wait', key='never', timeout=600)",
    );
    let holder = holder.start().unwrap();
    state.wait_equal("held", &true, HANG).unwrap();
    let semaphore = state.semaphore("one", 1).unwrap();
    assert!(semaphore.try_acquire().unwrap().is_none());
    holder.kill().unwrap();
    let permit = semaphore.acquire(HANG).unwrap();
    assert!(permit.after_death().unwrap().to_string().contains("python"));
}

#[test]
fn namespaces_are_the_same_in_all_languages() {
    let state = State::new().unwrap();
    let inner = state.namespace("a").namespace("b");
    inner.set("n", &1).unwrap();
    inner.latch("l", 1).unwrap();
    let mut speaker = Speaker::new(state.path());
    assert!(speaker.ask(r#"{"op":"get","space":"a/b","key":"n"}"#).starts_with("{\"ok\":1,"));
    assert_eq!(speaker.ask(r#"{"op":"latch.count_down","space":"a/b","name":"l"}"#), "{\"ok\":0}");
    assert_eq!(inner.latch("l", 1).unwrap().count().unwrap(), 0);
    assert_eq!(speaker.ask(r#"{"op":"increment","space":"a/b/","key":"done","by":3}"#), "{\"ok\":3}");
    assert_eq!(inner.counter("done").get().unwrap(), 3);
    let wait = speaker.ask(r#"{"op":"wait","space":"a/b/","key":"done","at_least":3,"timeout":0}"#);
    assert!(wait.starts_with("{\"ok\":3,"), "{wait}");
    assert!(speaker.ask(r#"{"op":"get","key":"n"}"#).starts_with("{\"error\":\"absent\""));
}

#[test]
fn a_path_in_a_hole_reaches_a_child() {
    let check = finished("sh -c 'test -S \"$PKIT_STATE\"'").env(State::ENV, "{state.path}");
    let stack = pkit_test::orchestra().with("state", pkit_test::state()).with("child", check);
    stack.start().unwrap();
    let lost = simple("true").env(State::ENV, "{state.path}").start().unwrap_err().to_string();
    assert!(lost.contains("state.path"), "{lost}");
}
