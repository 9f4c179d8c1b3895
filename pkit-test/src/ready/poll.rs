//! A probe of one's own: a closure that looks.
//!
//! It may block, and it may never come back; a start must not, for it knows when the process has ended, when the time is
//! over, and when nobody wants it any more. So the closure has a thread, which is left behind where it does not return.
//!
//! ```text
//!            answer       moot or deadline      panic
//! Idle       (never)      (not asked)           (never)
//! Asked      -> Idle      -> Asked, unanswered  -> Idle, and the start fails
//! ```
//! Moot is what the start says: the process has ended as it should not have, or the stack was given up. A question that is
//! still open when the next look comes is not asked twice.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::tcp::Listening;
use super::{Look, Probe, Sight, Site, View, end_of_try};
use crate::callbacks::text_of;
use crate::limits::TRY_THAT_TELLS;
use crate::sync::lock;

/// A probe of your own, as [`poll`] makes it.
///
/// ```
/// use pkit_test::{ready, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let greeted: ready::Poll = ready::poll(|view| view.stdout() == "hello\n").named("a greeting");
/// simple("sh -c 'echo hello; sleep 60'").ready(greeted).start()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a probe does nothing until it is part of a spec"]
pub struct Poll {
    ask: Ask,
    name: Option<Arc<str>>,
    place: &'static Location<'static>,
}

type Ask = Arc<dyn Fn(&View) -> Result<(), String> + Send + Sync>;

/// A probe of your own: the process is ready when the closure says so.
///
/// It is called again and again, with a pause between two calls that grows from 0.1 to 10 ms, and says "ready" or "not
/// yet" by any type that is an [`Answer`]: `bool`, `Option`, `Result`. An error is "not yet", with its text as what the
/// probe saw last; it never fails a start. A panic does. Of several probes one that was ready is asked again when the last
/// of them is: all are to be ready at one time.
///
/// It should come back within [`View::patience`]. It runs on a thread of its own, so that one that blocks delays nothing
/// that is known already: when the process has ended, when the time for the start is over or when the stack has failed,
/// the start returns, and the closure is left behind.
///
/// Before each call it is made sure that nobody else listens on a port of the process, so that the closure does not talk
/// to a stranger; with [`Spec::any_owner`](crate::Spec::any_owner) it is not. That the process listens at all is for the
/// closure to see, or for a [`Tcp`](super::Tcp) before it: probes are asked one after the other.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::{ready, simple};
/// # fn main() -> pkit_test::Result<()> {
/// // Ready when it has written the file, all of it.
/// let complete = ready::poll(|view| std::fs::read_to_string(view.dir().join("index")).map(|text| text.ends_with("END\n")));
/// let indexer = || simple("sh -c '(echo a; read line; echo END) > {dir}/index; sleep 60'").ready(complete.clone());
///
/// let indexer_with_input = indexer().stdin("go on\n").start()?;
/// assert!(indexer_with_input.is_alive());
///
/// let error = indexer().start_timeout(Duration::from_secs(2)).start().unwrap_err();
/// assert!(error.is_timeout());
/// assert!(error.to_string().contains(": not yet, "));
/// # Ok(()) }
/// ```
///
/// One that speaks a protocol: the server listens long before it can serve, and is asked in its own words.
///
/// ```
/// use std::io::{BufRead, BufReader, Error, Result, Write};
/// use std::net::TcpStream;
/// use pkit_test::ready::{self, View};
/// use pkit_test::tcp;
///
/// /// A server that listens long before it can serve.
/// const SERVER: &str = r#"
/// import socketserver, time
/// begin = time.monotonic()
/// class Lines(socketserver.StreamRequestHandler):
///     def handle(self):
///         word = self.rfile.readline()
///         warm = time.monotonic() - begin > 0.1
///         self.wfile.write(b"PONG\n" if word == b"PING\n" and warm else b"LOADING\n")
/// socketserver.ThreadingTCPServer(("{host}", {port}), Lines).serve_forever()
/// "#;
///
/// fn ping(view: &View) -> Result<()> {
///     let mut stream = TcpStream::connect_timeout(&view.addr(), view.patience())?;
///     stream.set_read_timeout(Some(view.patience()))?;
///     stream.write_all(b"PING\n")?;
///     let mut answer = String::new();
///     BufReader::new(&stream).read_line(&mut answer)?;
///     if answer == "PONG\n" { Ok(()) } else { Err(Error::other(format!("it says {answer:?}"))) }
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let spec = tcp(["python3", "-c", SERVER], 0).ready(ready::poll(ping).named("PING"));
/// let server = spec.start()?;
/// assert!(server.is_alive());
/// # Ok(()) }
/// ```
#[track_caller]
pub fn poll<A: Answer>(ask: impl Fn(&View) -> A + Send + Sync + 'static) -> Poll {
    Poll { ask: Arc::new(move |view| ask(view).answer()), name: None, place: Location::caller() }
}

impl Poll {
    /// Names the question, for errors: `probe: PING: it says "LOADING\n", 12 tries`. Without it they say where the closure
    /// is written.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{ready, simple};
    /// let never = ready::poll(|_| Err::<(), _>("no answer")).named("the oracle");
    /// let error = simple("sleep 60").ready(never).start_timeout(Duration::from_secs(1)).start().unwrap_err();
    /// assert!(error.to_string().contains("\n  probe:  the oracle: no answer, "));
    /// ```
    pub fn named(mut self, name: impl Into<String>) -> Poll {
        self.name = Some(name.into().into());
        self
    }

    fn question(&self) -> String {
        self.name.as_ref().map_or_else(|| format!("poll at {}", self.place), ToString::to_string)
    }

    pub(super) fn prepare(&self, site: &Site) -> Asking {
        let ports = site.ports.iter().filter_map(|(name, _)| site.address(name));
        Asking {
            question: self.question(),
            ask: Arc::clone(&self.ask),
            doors: ports.map(|address| Listening::new(address, site)).collect(),
            site: Arc::new(site.clone()),
            asker: None,
            asked: None,
            last: None,
        }
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Poll").field(&self.question()).finish()
    }
}

/// What the closure of [`poll`] may return: ready, or not yet and why.
///
/// ```
/// use pkit_test::ready::Answer;
/// assert_eq!(().answer(), Ok(()));
/// assert_eq!(true.answer(), Ok(()));
/// assert_eq!(Some(()).answer(), Ok(()));
/// assert_eq!(Ok::<(), &str>(()).answer(), Ok(()));
///
/// assert_eq!(false.answer(), Err("not yet".to_owned()));
/// assert_eq!(None::<()>.answer(), Err("nothing yet".to_owned()));
/// assert_eq!(Err::<bool, _>("connection refused").answer(), Err("connection refused".to_owned()));
/// assert_eq!(Ok::<_, &str>(Some(false)).answer(), Err("not yet".to_owned()));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` says neither \"ready\" nor \"not yet\"",
    label = "this is what the closure returns",
    note = "`()`, `bool`, `Option` and `Result` do; `.map(drop)` turns the value of an `Option` or a `Result` into `()`"
)]
pub trait Answer {
    /// Ready, or the reason why not yet.
    ///
    /// # Errors
    ///
    /// When it is not ready yet: with what was seen instead, for people.
    fn answer(self) -> Result<(), String>;
}

/// Ready.
impl Answer for () {
    fn answer(self) -> Result<(), String> {
        Ok(())
    }
}

/// `true` is ready.
impl Answer for bool {
    fn answer(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("not yet".to_owned()) }
    }
}

/// `None` is not yet.
impl<A: Answer> Answer for Option<A> {
    fn answer(self) -> Result<(), String> {
        self.map_or_else(|| Err("nothing yet".to_owned()), Answer::answer)
    }
}

/// An error is not yet.
impl<A: Answer, E: fmt::Display> Answer for Result<A, E> {
    fn answer(self) -> Result<(), String> {
        self.map_or_else(|error| Err(error.to_string()), Answer::answer)
    }
}

/// The closure at work, for one start.
pub(super) struct Asking {
    question: String,
    ask: Ask,
    /// Its own ports, on which nobody else may listen.
    doors: Vec<Listening>,
    site: Arc<Site>,
    /// Made with the first question.
    asker: Option<Asker>,
    /// When the question that is open was asked.
    asked: Option<Instant>,
    /// What the closure said last.
    last: Option<String>,
}

/// The thread that calls the closure. It ends when there are no more questions, or never.
struct Asker {
    questions: Sender<View>,
    answer: Arc<Mutex<Option<Heard>>>,
}

/// What there is to say of a closure that is still at it.
const OPEN: &str = "the closure has not returned";

/// What came of a call.
enum Heard {
    Said(Result<(), String>),
    Panicked(String),
}

impl Asking {
    fn ask(&mut self, sight: &Sight<'_>) -> io::Result<()> {
        if self.asked.is_none() {
            let asker = match &mut self.asker {
                Some(asker) => asker,
                none => none.insert(Asker::start(Arc::clone(&self.ask))?),
            };
            // It hears for as long as we have a question: a panic of the closure is caught.
            let _ = asker.questions.send(sight.view(&self.site));
            self.asked = Some(Instant::now());
        }
        Ok(())
    }

    /// Waits for the answer, and no longer than it matters.
    fn hear(&mut self, sight: &Sight<'_>) -> Option<Heard> {
        let (asker, asked) = (self.asker.as_ref()?, self.asked?);
        let until = end_of_try(asked, sight.deadline);
        let heard = sight.run.wait_until(Some(until), |state| {
            let heard = lock(&asker.answer).take().map(Some);
            heard.or_else(|| (sight.is_moot)(state.phase).then_some(None))
        });
        let heard = heard.flatten();
        self.asked = self.asked.filter(|_| heard.is_none());
        heard
    }

    fn unanswered(&self, why: &str) -> Look {
        Look::Unanswered(self.last.as_deref().unwrap_or(why).to_owned())
    }

    /// Who is at its ports: somebody else at one of them, which says all; or the process itself, or nobody.
    fn who_listens(&mut self, sight: &Sight<'_>) -> Look {
        self.doors.iter_mut().map(|door| door.look(sight)).max_by_key(badness).unwrap_or(Look::Ready)
    }
}

impl Probe for Asking {
    fn look(&mut self, sight: &Sight<'_>) -> Look {
        let before = self.who_listens(sight);
        if matches!(before, Look::Foreign(_)) {
            return before;
        }
        if self.asked.is_none() && (sight.is_moot)(sight.run.phase()) {
            return self.unanswered("it was not asked");
        }
        if let Err(error) = self.ask(sight) {
            return Look::Broken(format!("got no thread: {error}"));
        }
        match self.hear(sight) {
            // At the deadline it is what there is to say; at an end what was seen before says more.
            None if (sight.is_moot)(sight.run.phase()) => self.unanswered(OPEN),
            // One that had little time until the deadline says less than those before it.
            None if self.asked.is_some_and(|asked| sight.deadline < asked + TRY_THAT_TELLS) => self.unanswered(OPEN),
            None => Look::Unanswered(OPEN.to_owned()),
            Some(Heard::Panicked(text)) => {
                let why = format!("panicked: {text}");
                self.last = Some(why.clone());
                Look::Broken(why)
            }
            Some(Heard::Said(Err(why))) => {
                self.last = Some(why.clone());
                Look::NotYet(why)
            }
            Some(Heard::Said(Ok(()))) if before == Look::Ready => Look::Ready,
            // Whoever has begun to listen since then may have given the answer.
            Some(Heard::Said(Ok(()))) => match self.who_listens(sight) {
                stranger @ Look::Foreign(_) => stranger,
                _ => Look::Ready,
            },
        }
    }

    fn question(&self) -> String {
        self.question.clone()
    }

    fn can_lapse(&self) -> bool {
        true
    }

    fn look_again(&mut self, sight: &Sight<'_>) -> Look {
        self.look(sight)
    }

    fn local_addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().flat_map(Listening::local_addresses).collect()
    }
}

fn badness(look: &Look) -> u8 {
    match look {
        Look::Foreign(_) => 2,
        Look::Ready => 0,
        _ => 1,
    }
}

impl Asker {
    fn start(ask: Ask) -> io::Result<Asker> {
        let (questions, asked) = channel::<View>();
        let answer = Arc::new(Mutex::new(None));
        let told = Arc::clone(&answer);
        thread::Builder::new().name("pkit-probe".to_owned()).spawn(move || {
            for view in asked {
                *lock(&told) = Some(call(&ask, &view));
                view.run.wake();
            }
        })?;
        Ok(Asker { questions, answer })
    }
}

fn call(ask: &Ask, view: &View) -> Heard {
    match catch_unwind(AssertUnwindSafe(|| ask(view))) {
        Ok(answer) => Heard::Said(answer),
        Err(panic) => {
            let text = text_of(panic.as_ref());
            // What was thrown may panic again where it is dropped.
            std::mem::forget(panic);
            Heard::Panicked(text)
        }
    }
}
