//! Every limit and every default duration, in one place.
//!
//! A limit is here so that nothing of ours can wait, grow or retry without a bound. Units are part of the name.

use std::time::Duration;

/// How long a start may take until it is an error, unless the spec says otherwise.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a process has between its stop signal and SIGKILL, unless the spec says otherwise.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long all processes together have to stop after their owner died, before SIGKILL.
pub(crate) const CRASH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long SIGKILL may take to empty a process tree before the survivors are reported.
///
/// Only a process in an uninterruptible system call, or one that we may not signal, takes longer than milliseconds.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How much longer than its plan a shim may take before the guardian stops to believe in it.
pub(crate) const SHIM_MARGIN: Duration = Duration::from_secs(2);

/// How long a guardian is waited for that is asked whether it still serves. One that says nothing is not on its way to its end, but
/// stands still.
pub(crate) const ATTEND_LIMIT: Duration = Duration::from_secs(5);

/// How long a request to a shim may stay unanswered before it is an error instead of a hang.
pub(crate) const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// How often whoever waits for something shared looks whether it is still wanted.
pub(crate) const LEASE_LOOK: Duration = Duration::from_millis(50);

/// How long the end of a test waits until all shims know that it has begun.
pub(crate) const PARDON_LIMIT: Duration = Duration::from_secs(2);

/// How long the end of a test waits for callbacks that are still running.
pub(crate) const CALLBACK_LIMIT: Duration = Duration::from_secs(10);

/// How long the exit of a test binary waits for its guardian to stop everything, before the guardian is killed and its
/// shims stop their services by themselves.
pub(crate) const GOODBYE_LIMIT: Duration = Duration::from_secs(60);

/// The shortest and the longest pause between two questions of a probe that has no event to wait for.
///
/// Between them the pause grows with the time already waited ([`POLL_SHARE`]): it trades lag for CPU.
pub(crate) const POLL_MIN: Duration = Duration::from_micros(200);
pub(crate) const POLL_MAX: Duration = Duration::from_millis(12);

/// The pause between two questions is the time waited so far, divided by this.
pub(crate) const POLL_SHARE: u32 = 18;

/// How long a probe that waits for an event does not look, where the event may fail to come: not every file system tells
/// of what happens in it.
pub(crate) const EVENTS_MISSED: Duration = Duration::from_millis(100);

/// How much of a file is looked at for what makes it ready.
pub(crate) const FILE_BYTES: u64 = 1024 * 1024;

/// How many messages of a process are read at a time that may send more than anybody can read.
pub(crate) const NOTIFY_MESSAGES: usize = 64;

/// How many starts of one stack are under way at a time.
pub(crate) const PARALLEL_STARTS: usize = 64;

/// How long one HTTP exchange may take before it counts as "no answer".
pub(crate) const HTTP_TRY: Duration = Duration::from_secs(2);

/// How long it has at least, also right before the deadline: a server that answers is to be heard.
pub(crate) const HTTP_LAST_TRY: Duration = Duration::from_millis(100);

/// A try that the deadline has cut short after less than this does not replace what an earlier one has seen.
pub(crate) const TRY_THAT_TELLS: Duration = Duration::from_secs(1);

/// How much of the body of an answer is read.
pub(crate) const HTTP_BODY_BYTES: usize = 1024 * 1024;

/// How long one try of a command may take that is asked whether a process is ready, unless it says otherwise.
pub(crate) const EXEC_TRY: Duration = Duration::from_secs(10);

/// After a try it rests so many times as long as the try took: asking takes a fifth of one processor at most.
pub(crate) const EXEC_REST: u32 = 4;

/// No rest is longer, and none is longer than the second because of the time waited.
pub(crate) const EXEC_REST_MAX: Duration = Duration::from_secs(10);
pub(crate) const EXEC_REST_LEAST_MAX: Duration = Duration::from_millis(500);

/// How much output of one try is kept on disk.
pub(crate) const EXEC_OUTPUT_BYTES: u64 = 1024 * 1024;

/// How often a fixed port that another test of ours holds is asked for again.
pub(crate) const PORT_RETRY: Duration = Duration::from_millis(10);

/// How long the ports of a guardian that was killed are waited for: the kernel is about to let them go, and another test that
/// was quicker will do so, too.
pub(crate) const MOVE_LIMIT: Duration = START_TIMEOUT;

/// The largest frame on the control socket; an environment and its arguments are bounded by the kernel below it.
pub(crate) const FRAME_BYTES: usize = 16 * 1024 * 1024;

/// How much output of one run is kept on disk: two files of half of it, for both streams together.
pub(crate) const OUTPUT_BYTES: u64 = 512 * 1024 * 1024;

/// How much is moved from a pipe to the log at a time.
pub(crate) const MOVE_BYTES: usize = 256 * 1024;

/// How much unread standard input is kept for a process that does not read it.
pub(crate) const STDIN_BYTES: usize = 1024 * 1024;

/// How much of a text is given to a standard input at a time: so much is held at most for a reader that is slow.
pub(crate) const STDIN_PART_BYTES: usize = 64 * 1024;

/// How long a process may read nothing of a full standard input before whoever writes to it is told. A program that loads for
/// some seconds is not yet one that never reads.
pub(crate) const STDIN_PATIENCE: Duration = Duration::from_secs(5);

/// A line longer than this is looked at in pieces.
pub(crate) const LINE_BYTES: usize = 64 * 1024;

/// How much of a log is read back for the report of a failed test, and how many lines of it are shown.
pub(crate) const TAIL_BYTES: u64 = 16 * 1024;
pub(crate) const TAIL_LINES: usize = 40;

/// How many of the last words of a process are part of an error.
pub(crate) const LAST_WORDS_LINES: usize = 10;

/// How many processes a record keeps, and how many runs of each, with their logs: of a test that starts many the last ones.
pub(crate) const RECORDED_PROCESSES: usize = 128;
pub(crate) const RECORDED_RUNS: usize = 32;

/// How many of them are shown at the end of a test that failed.
pub(crate) const REPORTED_PROCESSES: usize = 24;
pub(crate) const REPORTED_RUNS: usize = 6;

/// How long the last report of a dead test may take before it is given up: on a busy machine it takes a while until it begins.
pub(crate) const LAST_REPORT: Duration = Duration::from_secs(2);

/// How often a supervised process may be started again, and in which time, unless its spec says otherwise.
///
/// Erlang/OTP allows one in 5 s, for systems that are to run for years. A test crashes its processes on purpose, and
/// more than once.
pub(crate) const RESTARTS: u32 = 3;
pub(crate) const RESTARTS_PERIOD: Duration = Duration::from_secs(5);

/// The pauses before the restarts after the first one, unless the spec says otherwise: they double.
pub(crate) const BACKOFF_FIRST: Duration = Duration::from_millis(50);
pub(crate) const BACKOFF_MOST: Duration = Duration::from_secs(5);

/// The shortest pause of a back-off: a crash loop must not keep a processor busy, whatever a spec says.
pub(crate) const BACKOFF_LEAST: Duration = Duration::from_millis(1);

/// How much of what happened under supervision is remembered.
pub(crate) const HISTORY_LINES: usize = 100;

/// How long what `PKIT_KEEP` leaves up stays so, unless `PKIT_KEEP_FOR` says otherwise: a working day, and the night after it.
pub(crate) const KEEP_FOR: Duration = Duration::from_secs(12 * 3600);

/// How long a run directory may be locked by a janitor that looks at it, before its test gives up. That is a moment, but on a busy
/// machine a janitor may stand still in it, until its guardian ends it.
pub(crate) const LOCK_LIMIT: Duration = Duration::from_secs(30);

/// The largest registry of a run that is read, and how much in one may be about what is gone before it is written anew.
pub(crate) const REGISTRY_BYTES: u64 = 4 * 1024 * 1024;
pub(crate) const REGISTRY_WASTE_BYTES: u64 = 64 * 1024;

/// How long a janitor may take (times `PKIT_TIMEOUT_SCALE`), and how many files it may touch. What is left over is for the next one.
pub(crate) const JANITOR_LIMIT: Duration = Duration::from_secs(1);
pub(crate) const JANITOR_ENTRIES: usize = 200_000;

/// How many names of the temporary directory a guardian reads itself; in a fuller one it has a janitor look.
pub(crate) const JANITOR_NAMES: usize = 512;

/// How old a log of a test that failed or was killed may become, and how often they are looked at.
pub(crate) const LOG_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
pub(crate) const LOG_LOOK: Duration = Duration::from_secs(3600);

/// The largest result of a function process, and the largest arguments: memory of the test as much as of the process.
pub(crate) const RESULT_BYTES: u64 = 1024 * 1024 * 1024;
pub(crate) const ARGUMENT_BYTES: u64 = RESULT_BYTES;

/// How long a worker of a pool, or the server of a state, may take to be gone when its connection is, by itself: after that it is
/// helped, or its end is not known. As long as anybody has to end, since on a busy machine the news of it may stand still on the way.
pub(crate) const LAST_BREATH: Duration = STOP_TIMEOUT;

/// How many workers in a row may be gone before an item was wholly sent to them, until the item is taken for the reason.
pub(crate) const IDLE_DEATHS: u32 = 3;

/// How many crashes a pool remembers.
pub(crate) const POOL_CRASHES: usize = 1000;

/// How much is kept of a text that says why there is no result.
pub(crate) const RESULT_TEXT_BYTES: u64 = 64 * 1024;

/// How much is kept of a panic, and of its parts: a backtrace has a few hundred lines, and names have no reason to be longer.
pub(crate) const NOTE_BYTES: u64 = 512 * 1024;
pub(crate) const NOTE_MESSAGE_BYTES: usize = 128 * 1024;
pub(crate) const NOTE_BACKTRACE_BYTES: usize = 256 * 1024;
pub(crate) const NOTE_NAME_BYTES: usize = 8 * 1024;

/// How long the server of a state may take to answer what it can answer at once, before it is an error instead of a hang.
pub(crate) const STATE_ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How many links to a state a process keeps that nobody uses.
pub(crate) const STATE_IDLE_LINKS: usize = 64;

/// How long one process may keep the changes of all others waiting for its own.
pub(crate) const TURN_LIMIT: Duration = Duration::from_secs(1);

/// How many changes, and how many bytes of them, are kept for a watch that nobody asks.
pub(crate) const WATCHED_CHANGES: usize = 65_536;
pub(crate) const WATCHED_BYTES: usize = 16 * 1024 * 1024;

/// How many bytes of changes one answer has, unless the first of them has more by itself: others want answers, too.
pub(crate) const ANSWERED_BYTES: usize = 1024 * 1024;

/// How long a name in a state may be, of a key, a namespace or a step; and that of a type, which grows with its parameters.
pub(crate) const STATE_NAME_BYTES: usize = 4096;
pub(crate) const TYPE_NAME_BYTES: usize = 64 * 1024;

/// How large one value of a state may be, and all of them together.
pub(crate) const VALUE_BYTES: u64 = 64 * 1024 * 1024;
pub(crate) const STATE_BYTES: u64 = 1024 * 1024 * 1024;

/// How many of the last changes of a state are kept for people, and how many characters of each value.
pub(crate) const HISTORY_CHANGES: usize = 64;
pub(crate) const HISTORY_CHARS: usize = 80;

/// How often a change is tried that others may overtake, before it asks for its turn; and how many turns it gets.
pub(crate) const STATE_TRIES: u32 = 4;
pub(crate) const STATE_TURNS: u32 = 3;

/// How long a turn is waited for, and the end of others' turns: ten before it may need theirs whole.
pub(crate) const TURN_PATIENCE: Duration = Duration::from_secs(10);

/// How many keys a process remembers that it has changed last, and how large a value of one may be.
pub(crate) const REMEMBERED_KEYS: usize = 64;
pub(crate) const REMEMBERED_BYTES: usize = 64 * 1024;

/// How many characters of a value are shown in an error.
pub(crate) const SHOWN_CHARS: usize = 240;

/// How many requests of one test to what is shared may be unanswered: it waits for each before the next, in each of its threads.
pub(crate) const PENDING_REQUESTS: usize = 4096;

/// How many runs of what is shared are remembered that have ended, so that who comes later can be told of them.
pub(crate) const REMEMBERED_RUNS: usize = 1024;

/// How many unsent bytes of what is shared are kept for a test that does not read, beside one frame of any size: it is cut off then.
pub(crate) const SHARED_BACKLOG_BYTES: usize = FRAME_BYTES + 4 * 1024 * 1024;

/// How many unsent bytes a guardian of the broker may have until those who talk to it have to wait.
pub(crate) const GUARDIAN_BACKLOG_BYTES: usize = 1024 * 1024;

/// How many connections a broker has at a time: more than a machine runs tests beside each other.
pub(crate) const SHARED_CLIENTS: usize = 8192;

/// How often a broker looks at processes that it cannot wait for, and whether there is room again for one more connection.
pub(crate) const BROKER_LOOK: Duration = Duration::from_millis(100);

/// How long a test waits for what is shared, beyond the time of its start: others may each have it for themselves before. Long
/// enough for a queue of slow tests, and short enough that somebody reads of it.
pub(crate) const LEASE_WAIT: Duration = Duration::from_secs(300);

/// How often a broker is asked that ends instead of an answer. Each is a new one; who kills that many kills all.
pub(crate) const BROKER_TRIES: usize = 5;

/// How long the broker of a run may take to be there: one that has been told to end first ends all that is shared.
pub(crate) const BROKER_LIMIT: Duration = GOODBYE_LIMIT;

/// How many brokers of a run in a row may be killed before anybody has come to them.
pub(crate) const BROKER_STARTS: u32 = 3;

/// How often the directory of a run is made that others remove in the same moment, as it seems to be nobody's.
pub(crate) const RUN_DIRECTORY_TRIES: u32 = 100;
