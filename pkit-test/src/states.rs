//! Shared state.
//!
//! A [`State`](crate::State) is what several processes share: the test, its functions, and programs in any language. It keeps
//! values, which they change atomically, wait for and watch, and it has points where they meet. So a test need not hope that one
//! process is quicker than another: it says in which order things happen. It need not sleep: it waits until something is so.
//!
//! Here is a bug that shows itself once in a thousand runs, made to show itself in each: two tellers read the same account before
//! one of them has written it.
//!
//! ```
//! use std::time::Duration;
//! use pkit_test::{State, function};
//!
//! const SECONDS: Duration = Duration::from_secs(10);
//!
//! fn pay_in(state: State, amount: u32) {
//!     let balance: u32 = state.require("balance").unwrap();
//!     state.barrier("both have read", 2).unwrap().wait(SECONDS).unwrap();
//!     state.set("balance", &(balance + amount)).unwrap();
//! }
//!
//! # fn main() -> pkit_test::Result<()> {
//! let state = State::new()?;
//! state.set("balance", &100)?;
//! let tellers = [function(pay_in, (state.clone(), 1)).start()?, function(pay_in, (state.clone(), 1)).start()?];
//! for teller in &tellers {
//!     teller.join()?;
//! }
//! assert_eq!(state.require::<u32>("balance")?, 101);           // and 102 is right
//! # Ok(()) }
//! ```
//!
//! # Who has it
//!
//! [`State::new`](crate::State::new) starts a server for it, a process like all others here: it is gone when the test is, and whoever
//! asks it then is told so. [`state`](crate::state()) is the same for the attribute, a stack or a scope. Cloned it is the same
//! state; passed to a function it is, too. The server ends with the last handle of the process that has started it: so a function
//! gets a clone, for one that is given away is none of the test's any more. A program finds it by a path, which is a value of the handle and of its hole:
//!
//! ```
//! use std::time::Duration;
//! use pkit_test::{Process, State, sh, simple, state, with_processes};
//!
//! #[with_processes(
//!     shared = state(),
//!     child = simple(sh("test -S $PKIT_STATE && exec sleep 60")).env(State::ENV, "{shared.path}"),
//! )]
//! fn a_child_knows_where_it_is(shared: State, child: Process) {
//!     assert!(shared.path().exists() && child.is_alive());
//!     assert_eq!(State::at(shared.path()).unwrap().len().unwrap(), 0);
//! }
//! # a_child_knows_where_it_is();
//! ```
//!
//! A Rust program that is started so has it by [`State::from_env`](crate::State::from_env); [other languages](#other-languages) speak
//! lines of JSON to it. So does a function that stands in the same attribute or stack: when its spec is written there is no state
//! yet that it could get as an argument.
//!
//! ```
//! use std::time::Duration;
//! use pkit_test::{State, function, state, with_processes};
//!
//! fn work() {
//!     State::from_env().unwrap().set("result", &"done").unwrap();
//! }
//!
//! #[with_processes(
//!     state = state(),
//!     worker = function(work, ()).env(State::ENV, "{state.path}"),
//! )]
//! fn a_worker_finds_the_state(state: State) {
//!     state.wait_equal("result", "done", Duration::from_secs(10)).unwrap();
//! }
//! # a_worker_finds_the_state();
//! ```
//!
//! Two states never see each other, and [`namespace`](crate::State::namespace) makes parts of one that do not.
//!
//! # Values
//!
//! A value is of any type that serde knows. Each key is on its own: a read of one costs the same beside ten thousand others.
//!
//! ```
//! # fn main() -> pkit_test::Result<()> {
//! let state = pkit_test::State::new()?;
//! state.set("names", &["a", "b"])?;
//! assert_eq!(state.get::<Vec<String>>("names")?.unwrap().len(), 2);
//! assert_eq!(state.get::<u32>("nothing")?, None);
//! assert_eq!(state.get_or("nothing", 7)?, 7);
//! assert!(state.require::<u32>("nothing").unwrap_err().is_absent());
//!
//! let error = state.get::<u32>("names").unwrap_err();           // it says both types, who wrote it, and what
//! assert!(error.is_wrong_type());
//! assert_eq!(state.keys()?, ["names"]);
//! assert!(state.remove("names")? && state.is_empty()?);
//! # Ok(()) }
//! ```
//!
//! It is stored with the names of its fields, so that two programs need not have the same type, but types that fit: an `u8` is read as
//! an `i64`, a struct as a map. [`snapshot`](crate::State::snapshot) has all values of one moment.
//!
//! # Atomic changes
//!
//! [`update`](crate::State::update) changes one value; [`transaction`](crate::State::transaction) changes several, or none.
//!
//! ```
//! # fn main() -> pkit_test::Result<()> {
//! let state = pkit_test::State::new()?;
//! state.set("left", &10)?;
//! state.set("right", &0)?;
//! let move_over = |amount: i32| {
//!     state.transaction(|tx| {
//!         let (left, right): (i32, i32) = (tx.require("left")?, tx.require("right")?);
//!         tx.set("left", &(left - amount))?;
//!         tx.set("right", &(right + amount))?;
//!         if left < amount { Err("not enough")? }
//!         Ok(left - amount)
//!     })
//! };
//! assert_eq!(move_over(4)?, 6);
//! assert!(move_over(7).unwrap_err().is_rolled_back());
//! assert_eq!(state.require::<i32>("right")?, 4);
//!
//! state.update("left", |left: &mut i32| *left *= 2)?;
//! assert_eq!(state.increment("left", 1)?, 13);
//! assert!(state.compare_and_set("left", Some(&13), Some(&0))?);
//! # Ok(()) }
//! ```
//!
//! The closure runs where it is written, and the server has no code of anybody. It sees one moment, and what it writes is done at one
//! moment, if nothing that it has read has changed meanwhile; else it is called again. So it is best without effects elsewhere. An
//! error, a panic and the death of the process leave no trace. Who has lost a few times asks for a turn: the changes of all others
//! wait until it is done, or its second is over. Turns are given in the order of asking, so that nobody is overtaken for ever; who
//! still has none in the end gets an error that [says so](crate::Error::is_contended).
//!
//! # Waiting
//!
//! ```
//! use std::time::Duration;
//! use pkit_test::{State, function};
//!
//! const SECONDS: Duration = Duration::from_secs(10);
//!
//! fn work(state: State) {
//!     for step in 1..=100 {
//!         state.set("step", &step).unwrap();
//!     }
//!     state.set("result", &"done").unwrap();
//! }
//!
//! # fn main() -> pkit_test::Result<()> {
//! let state = State::new()?;
//! let steps = state.watch(&["step"])?;
//! let _worker = function(work, state.clone()).start()?;
//! state.wait_until("step", |step: &u32| *step >= 50, SECONDS)?;
//! assert_eq!(state.wait_present::<String>("result", SECONDS)?, "done");
//! assert_eq!(steps.take(100).filter(|change| change.is_ok()).count(), 100);    // none was missed
//!
//! let error = state.wait_equal("step", &101, Duration::from_millis(1)).unwrap_err();
//! assert!(error.is_timeout() && error.to_string().contains("100"));            // what it was last
//! # Ok(()) }
//! ```
//!
//! Nobody polls, and no wake-up is lost: who waits sees what is there when it begins, and each value that comes after it, also one
//! that is there for a moment only. [`watch`](crate::State::watch) keeps what has changed until it is asked for, within bounds, beyond
//! which it says so; `.live()` has only what is newest. A state whose server is gone wakes all with an error.
//!
//! # Meeting points
//!
//! | | |
//! |---|---|
//! | [`barrier(name, n)`](crate::State::barrier) | all wait until the last one is there, again and again |
//! | [`latch(name, n)`](crate::State::latch) | some wait until it was counted down by others |
//! | [`semaphore(name, n)`](crate::State::semaphore) | so many are in it at a time |
//! | [`counter(name)`](crate::State::counter) | goes up and down; one waits for a number |
//! | [`queue::<T>(name)`](crate::State::queue) | items in the order of coming, each for one; leased, it comes back if its holder dies |
//! | [`phase(name)`](crate::State::phase) | the test walks processes step by step |
//!
//! A phase is for the order of things: each process stops at its steps, and the test lets it on.
//!
//! ```
//! use std::time::Duration;
//! use pkit_test::{State, function};
//!
//! const SECONDS: Duration = Duration::from_secs(10);
//!
//! fn write(state: State, name: String) {
//!     let desk = state.phase("desk");
//!     desk.pass(&name, SECONDS).unwrap();
//!     state.update("order", |order: &mut Vec<String>| order.push(name.clone())).unwrap();
//! }
//!
//! # fn main() -> pkit_test::Result<()> {
//! let state = State::new()?;
//! state.set("order", &Vec::<String>::new())?;
//! let _first = function(write, (state.clone(), "a".to_owned())).start()?;
//! let _second = function(write, (state.clone(), "b".to_owned())).start()?;
//! for name in ["b", "a"] {
//!     state.phase("desk").wait_for(name, 1, SECONDS)?;
//!     state.phase("desk").let_on(name)?;
//!     state.wait_until("order", |order: &Vec<String>| order.iter().any(|other| other == name), SECONDS)?;
//! }
//! assert_eq!(state.require::<Vec<String>>("order")?, ["b", "a"]);
//! # Ok(()) }
//! ```
//!
//! # When someone dies
//!
//! A process that ends, in whatever way, is known to be gone at once. Its permits are free, its leased items are at the front of the
//! queue, its turn is over, and it stands at no step; whoever gets what was its own can see that it was so, and whose it was. A
//! barrier that it belongs to is broken, which is an error for those who wait there. What it has written stays, and what it has
//! not committed never was. Values have no owner.
//!
//! When the server itself is gone, everything that is asked of the state is an error, at once and without a hang; with the attribute
//! its end fails the test as that of any process does.
//!
//! # When a test fails
//!
//! The last changes are in its output, with who made them and when, as the last words of the state's process. Of a test that
//! passes nothing is printed. A test that returns an `Err` has failed to the attribute, too; but nobody else hears of that before
//! the state is gone, so that a [`State::new`](crate::State::new) in such a test shows them only where it panics.
//!
//! # Limits
//!
//! A value has 64 MiB at most, all values together 1 GiB, and a watch keeps 65 536 changes or 16 MiB of them. What is larger is an
//! error, which changes nothing. A state lives in memory, as long as its server. It is for tests: there are no rights in it, and
//! whoever knows its path may change it.
//!
//! # Other languages
//!
//! A state listens at a unix socket, whose path is in [`State::ENV`](crate::State::ENV) where the test has put it. A request is a JSON
//! object in a line, and its answer another one. An answer has `ok`, which is what was asked for, or `error`, which is a word for the
//! program, beside a `message` for people. Each connection is answered in the order of asking, and a request that waits for something
//! is answered when it is over; who wants to wait for two things makes two connections. A connection is a process to the state:
//! what it holds is let go when it ends.
//!
//! In Python, without anything to install:
//!
//! ```python
//! import json, os, socket
//!
//! class State:
//!     def __init__(self, path=None, name="python"):
//!         link = socket.socket(socket.AF_UNIX)
//!         link.connect(path or os.environ["PKIT_STATE"])
//!         self.lines = link.makefile("rw", encoding="utf-8", newline="\n")
//!         self.ask("hello", name=name)
//!
//!     def ask(self, op, **fields):
//!         print(json.dumps({"op": op, **fields}), file=self.lines, flush=True)
//!         answer = json.loads(self.lines.readline() or '{"error": "gone", "message": "the state is gone"}')
//!         if "error" in answer:
//!             raise LookupError(answer["error"], answer["message"])
//!         return answer["ok"]
//! ```
//!
//! With that, `State().ask("wait", key="n", equals=5, timeout=2.5)` waits for a five. In a shell a line is enough, with the `perl`
//! that nearly every system has, or with `socat - "UNIX:$PKIT_STATE"`:
//!
//! ```sh
//! perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ENV{PKIT_STATE}); print $s "@ARGV\n"; print scalar <$s>' '{"op":"get","key":"n"}'
//! ```
//!
//! Every request has the field `op`, and those of values and meeting points may have `space`, which is the namespace: `a/b` is `b` in
//! `a`, and the counters of a namespace are the numbers in the one with a `/` behind it: `{"op":"increment","key":"done","space":"/"}`
//! adds to what Rust calls `counter("done")`. A `timeout` is in seconds. `null` is as good as leaving out a field that may be left out.
//!
//! | request | answer | says |
//! |---|---|---|
//! | `{"op":"hello","name":"probe"}` | `{"ok":…` | how the process is called, where it is spoken of; the first request, if at all |
//! | `{"op":"set","key":"n","value":1}` | `{"ok":true,"version":1}` | whether it was written; with `"only":"absent"`, `"only":"present"` or `"version":7` only where it is so, else `false` and what is there |
//! | `{"op":"get","key":"n"}` | `{"ok":1,"version":1,"by":{"name":"probe","pid":…` | the value, its version and who has written it; else the error `absent` |
//! | `{"op":"replace","key":"n","value":2}` | `{"ok":1,"version":1,…` | what was there, or `null` |
//! | `{"op":"increment","key":"n","by":5}` | `{"ok":7}` | the new number; an absent one counts as 0, and `by` is 1 where it is left out |
//! | `{"op":"keys"}` | `{"ok":["n"],"version":3}` | all keys of the namespace, in alphabetical order |
//! | `{"op":"len"}` | `{"ok":1}` | how many they are |
//! | `{"op":"snapshot"}` | `{"ok":{"n":7},"versions":{"n":3},"version":3}` | all values, of one moment |
//! | `{"op":"wait","key":"n","equals":7,"timeout":2.5}` | `{"ok":7,"version":3,…` | the value, when it is equal; or with `"at_least":5`, `"present":true`, `"present":false`, or `"after":3`, which is another one than that version; else the error `late` |
//! | `{"op":"watch","keys":["n"],"first":true}` | `{"ok":true,"version":…` | from now on, keys or all that there are; with `first` what is there, with `"live":true` only what is newest |
//! | `{"op":"next","timeout":2.5}` | `{"ok":[{"key":"n","value":7,"version":3,"by":{"name":"probe",…` | what has changed since the last time, at least one change: `value`, or `"removed":true`; without a timeout as long as it takes |
//! | `{"op":"commit","reads":{"n":3},"set":{"m":[true]},"remove":["n"]}` | `{"ok":true,"version":…` | all of it at one moment, or nothing: `false`, if a version that was read is not so any more; with `list` no key may have come or gone since that version |
//! | `{"op":"remove","key":"m"}` | `{"ok":[true],…` | what was there, or `null` |
//! | `{"op":"clear"}` | `{"ok":0}` | how many keys are gone |
//! | `{"op":"turn","timeout":1}` | `{"ok":true,…` | the changes of all others wait, until a commit, an end, or a second later |
//! | `{"op":"end_turn"}` | `{"ok":true,…` | |
//! | `{"op":"barrier.open","name":"b","parties":1}` | `{"ok":true,…` | takes part; made by the first one |
//! | `{"op":"barrier.arrive","name":"b","timeout":2.5}` | `{"ok":0}` | when all are there: how many came before |
//! | `{"op":"barrier.waiting","name":"b"}` | `{"ok":0}` | how many wait |
//! | `{"op":"barrier.leave","name":"b"}` | `{"ok":…` | takes part no more |
//! | `{"op":"latch.open","name":"l","count":2}` | `{"ok":true,…` | |
//! | `{"op":"latch.count_down","name":"l","by":2}` | `{"ok":0}` | what is left; `by` is 1 where it is left out |
//! | `{"op":"latch.count","name":"l"}` | `{"ok":0}` | what is left |
//! | `{"op":"latch.wait","name":"l","timeout":2.5}` | `{"ok":true,…` | when nothing is left |
//! | `{"op":"semaphore.open","name":"s","permits":1}` | `{"ok":true,…` | |
//! | `{"op":"semaphore.acquire","name":"s","timeout":2.5}` | `{"ok":1}` | the number of a permit, and in `after` who has died with it; without a timeout now or never |
//! | `{"op":"semaphore.free","name":"s"}` | `{"ok":0}` | how many are free |
//! | `{"op":"semaphore.release","name":"s","permit":1}` | `{"ok":true,…` | |
//! | `{"op":"queue.push","name":"q","value":{"a":1}}` | `{"ok":1}` | how many items there are |
//! | `{"op":"queue.len","name":"q"}` | `{"ok":1}` | how many items nobody has taken |
//! | `{"op":"queue.lease","name":"q","timeout":2.5}` | `{"ok":{"a":1},"lease":1}` | the first item, which comes back if the connection ends before it is settled; without a timeout now or never |
//! | `{"op":"queue.settle","name":"q","lease":1,"done":false}` | `{"ok":true,…` | it is done, unless it is said not to be, and is back at the front then |
//! | `{"op":"queue.pop","name":"q"}` | `{"ok":{"a":1}}` | the first item, for good |
//! | `{"op":"queue.close","name":"q"}` | `{"ok":true,…` | nobody can push; what is there can be taken, and then the error is `closed` |
//! | `{"op":"phase.open","name":"p","step":"read"}` | `{"ok":0}` | nobody stops there any more; how many stood there |
//! | `{"op":"phase.pass","name":"p","step":"read","timeout":2.5}` | `{"ok":true,…` | when it is let on, or the step is open |
//! | `{"op":"phase.wait_for","name":"p","step":"write","count":2,"timeout":0}` | `{"error":"late",…` | who stands there, when they are so many: 1 where it is left out |
//! | `{"op":"phase.standing","name":"p","step":"write"}` | `{"ok":[]}` | who stands there |
//! | `{"op":"phase.let_on","name":"p","step":"write","count":1}` | `{"ok":0}` | how many were let on: so many, or all |
//! | `{"op":"history"}` | `{"ok":[…` | the last changes, a line each, for people |
//!
//! Reads may have `since`, a version; what has changed after it is the error `moved`: so a transaction sees one moment, that of its
//! first read. The errors are `absent`, `late`, `moved`, `malformed`, `not_a_number`, `out_of_range`, `too_large`, `differs` (a meeting
//! point was opened for another number), `broken`, `closed` and `overflow`.
//!
//! What Rust has written is JSON as `serde_json` would have it: an enum is its name, or an object with it; bytes are an array of numbers;
//! keys that are no strings become strings; a float that is no number is `null`. What is written in JSON can be read by Rust as
//! any type that fits. Whole numbers keep all their digits up to 64 bits.
