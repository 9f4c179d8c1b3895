//! How a process is to live: after whom, when it is ready, how long it may take, how it may end, and who is told.

use std::sync::Arc;
use std::time::Duration;

use super::{Expected, Spec};
use crate::exit::Exit;
use crate::handle::Process;
use crate::ready::Ready;
use crate::signal::Signal;
use crate::supervise::{Policy, Supervision};

impl<H> Spec<H> {
    /// Starts it only when that process of the same stack is ready.
    ///
    /// A hole of the other process says the same; this is for dependencies that no hole shows. A name that no process
    /// of the stack has is an error of the start.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let (tell, order) = std::sync::mpsc::channel();
    /// let sleeper = simple("sleep 60").on_start(move |sleeper| tell.send(sleeper.name().to_owned()).unwrap());
    /// let stack = orchestrate([("app", sleeper.clone().after("db")), ("db", sleeper)]).start()?;
    /// assert_eq!(order.try_iter().collect::<Vec<_>>(), ["db", "app"]);
    /// # Ok(()) }
    /// ```
    pub fn after(mut self, name: impl Into<String>) -> Spec<H> {
        self.after.push(name.into());
        self
    }

    /// Adds a probe: with several, all of them must hold. They are asked one after the other, in this order, each until
    /// it holds; and when the last one does, those before it are asked again.
    ///
    /// ```
    /// use pkit_test::{ready, tcp};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -u -m http.server --bind {host} {port}", 0)
    ///     .ready(ready::Output::stdout("^Serving HTTP on"))
    ///     .start()?;
    /// assert!(server.stdout().starts_with("Serving HTTP on 127.0.0.1 port"));
    /// # Ok(()) }
    /// ```
    pub fn ready(mut self, probe: impl Into<Ready>) -> Spec<H> {
        let probe = probe.into();
        // An exit that makes it ready is one that is expected.
        if let (Expected::Nothing | Expected::Return, Some(code)) = (self.expects, probe.exit_code()) {
            self.expects = Expected::Code(code);
        }
        self.ready.push(probe);
        self
    }

    /// Sets how long it may take until it is ready; 30 s if nothing is said.
    ///
    /// `PKIT_TIMEOUT_SCALE` multiplies it. Zero is an error of the start.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let mute = pkit_test::output("sleep 60", "^ready$").start_timeout(Duration::from_millis(50));
    /// let error = mute.start().unwrap_err();
    /// assert!(error.is_timeout());
    /// assert!(error.to_string().starts_with("`sleep` was not ready after "));
    /// # Ok(()) }
    /// ```
    pub fn start_timeout(mut self, timeout: Duration) -> Spec<H> {
        self.start_timeout = timeout;
        self
    }

    /// Sets how long it may take to end after its stop signal, before SIGKILL; 5 s if nothing is said.
    ///
    /// `PKIT_TIMEOUT_SCALE` multiplies it. Zero is an error of the start.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let deaf = pkit_test::output(r#"sh -c 'trap "" TERM; echo deaf; exec sleep 60'"#, "^deaf$")
    ///     .stop_timeout(Duration::from_millis(50))
    ///     .start()?;
    /// deaf.stop()?;
    /// assert_eq!(deaf.exit().and_then(|exit| exit.signal()), Some(9));
    /// # Ok(()) }
    /// ```
    pub fn stop_timeout(mut self, timeout: Duration) -> Spec<H> {
        self.stop_timeout = timeout;
        self
    }

    /// Sets the signal that asks it to end; SIGTERM if nothing is said.
    ///
    /// It is the first one after a crash of the test, too.
    ///
    /// ```
    /// use pkit_test::{Signal, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").stop_signal(Signal::Int).start()?;
    /// sleeper.stop()?;
    /// assert_eq!(sleeper.exit().unwrap().to_string(), "signal 2 (SIGINT)");
    /// # Ok(()) }
    /// ```
    pub fn stop_signal(mut self, signal: Signal) -> Spec<H> {
        self.stop_signal = signal;
        self
    }

    /// Expects it to end by itself with this code: anything else, and still running at the end, is a failure.
    ///
    /// The end of the test waits for it as long as a stop may take. The failure is one of the attribute or of
    /// [`orchestrated`](crate::orchestrated); a handle by itself fails nothing. A step whose end others wait for is
    /// [`finished`](crate::finished).
    ///
    /// ```
    /// use pkit_test::{orchestrated, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// orchestrated([("job", simple("sh -c 'exit 3'").expect_exit(3))], |_| ())?;
    /// let error = orchestrated([("job", simple("sh -c 'exit 4'").expect_exit(3))], |_| ()).unwrap_err();
    /// assert_eq!(error.exit().and_then(|exit| exit.code()), Some(4));
    /// # Ok(()) }
    /// ```
    pub fn expect_exit(mut self, code: i32) -> Spec<H> {
        self.expects = Expected::Code(code);
        self
    }

    /// Lets it end by itself, in any way and at any time, without failing the test.
    ///
    /// It has to become ready first: an exit before that is an error of the start all the same.
    ///
    /// ```
    /// use pkit_test::{orchestrated, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let exit = orchestrated([("job", simple("false").may_exit())], |stack| stack["job"].wait())??;
    /// assert_eq!(exit.code(), Some(1));
    /// # Ok(()) }
    /// ```
    pub fn may_exit(mut self) -> Spec<H> {
        self.expects = Expected::MayExit;
        self
    }

    /// Lets it be started again when it has ended, as its [`Supervision`] says.
    ///
    /// It keeps its ports, its directory and its handle; [`restarts`](crate::Process::restarts) counts,
    /// [`pid`](crate::Process::pid) is the new one, callbacks are called for each run, and the output is that of the
    /// current run. Exits after which it is started again do not fail the test. A restart that does not become ready is
    /// a crash like any other.
    ///
    /// What the test [stops](crate::Process::stop), [kills](crate::Process::kill) or
    /// [terminates](crate::Process::terminate) stays down until the test starts it. A
    /// [`signal`](crate::Process::signal) is how a test causes the crash: after that it is started again.
    ///
    /// With [`expect_exit`](Spec::expect_exit) the code is the success of a
    /// [`transient`](Supervision::transient) process. To say that a process may end and that it is wanted back is a
    /// mistake of the spec: `permanent` with `expect_exit`, and either of the two with [`may_exit`](Spec::may_exit).
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Signal, Supervision, orchestrated, tcp};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port}", 0).supervise(Supervision::permanent());
    /// orchestrated([("server", server)], |stack| {
    ///     let addr = stack["server"].addr();
    ///     stack["server"].signal(Signal::Kill)?;
    ///     stack["server"].wait_restart(0, Duration::from_secs(10))?;
    ///     assert!(std::net::TcpStream::connect(addr).is_ok());
    ///     Ok::<_, pkit_test::Error>(())
    /// })??;
    /// # Ok(()) }
    /// ```
    pub fn supervise(mut self, supervision: Supervision) -> Spec<H> {
        self.supervision = supervision;
        self
    }

    /// Makes needing SIGKILL a failure of the test, and an error of [`Process::stop`](crate::Process::stop).
    ///
    /// Without it a test that fails for another reason notes it, and no other does.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let deaf = pkit_test::output(r#"sh -c 'trap "" TERM; echo deaf; exec sleep 60'"#, "^deaf$")
    ///     .stop_timeout(Duration::from_millis(50))
    ///     .must_stop_gracefully()
    ///     .start()?;
    /// assert!(deaf.stop().unwrap_err().to_string().starts_with("`sh` had to be killed"));
    /// # Ok(()) }
    /// ```
    pub fn must_stop_gracefully(mut self) -> Spec<H> {
        self.must_stop_gracefully = true;
        self
    }

    /// Believes a listener whoever owns it: for proxies and for `docker run -p`, which never own theirs.
    ///
    /// Not needed for a server that runs as another user, or whose descriptors cannot be seen: that is believed where nobody
    /// listened before it was started.
    ///
    /// ```
    /// use std::net::TcpListener;
    /// # fn main() -> pkit_test::Result<()> {
    /// // The process itself never listens; somebody does it for it.
    /// let container = pkit_test::tcp("sleep 60", 0).any_owner().spawn()?;
    /// let _proxy = TcpListener::bind(container.addr()).unwrap();
    /// container.wait_ready()?;
    /// assert!(container.is_alive());
    /// # Ok(()) }
    /// ```
    pub fn any_owner(mut self) -> Spec<H> {
        self.any_owner = true;
        self
    }

    /// Calls this when it became ready, each time.
    ///
    /// The start returns when its callbacks have returned, but waits for them no longer than 10 s. Callbacks run on one
    /// thread of ours, may call any method, and a panic in one fails the test: it is an error of the stop.
    ///
    /// ```
    /// use pkit_test::{Restart, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let (tell, pids) = std::sync::mpsc::channel();
    /// let sleeper = simple("sleep 60").on_start(move |sleeper| tell.send(sleeper.pid()).unwrap()).start()?;
    /// assert_eq!(pids.recv(), Ok(sleeper.pid()));
    /// sleeper.restart(Restart::Forced)?;
    /// assert_eq!(pids.recv(), Ok(sleeper.pid()));
    /// # Ok(()) }
    /// ```
    pub fn on_start(mut self, callback: impl Fn(&Process) + Send + Sync + 'static) -> Spec<H> {
        self.on_start.push(Arc::new(callback));
        self
    }

    /// Calls this when nothing of it is left, once per exit and in the order of the exits.
    ///
    /// On the same thread as [`on_start`](Spec::on_start), and with the same rules.
    /// [`Process::stop`](crate::Process::stop) returns when it has run, [`Process::wait`](crate::Process::wait) may
    /// return before.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let (tell, codes) = std::sync::mpsc::channel();
    /// let job = pkit_test::simple("sh -c 'exit 3'").on_exit(move |_, exit| tell.send(exit.code()).unwrap());
    /// let _job = job.start()?;
    /// assert_eq!(codes.recv(), Ok(Some(3)));
    /// # Ok(()) }
    /// ```
    pub fn on_exit(mut self, callback: impl Fn(&Process, Exit) + Send + Sync + 'static) -> Spec<H> {
        self.on_exit.push(Arc::new(callback));
        self
    }

    /// How it is to live, for its supervisor.
    pub(crate) fn policy(&self) -> Policy {
        let success = match self.expects {
            Expected::Code(code) => code,
            Expected::Nothing | Expected::Return | Expected::MayExit => 0,
        };
        Policy { supervision: self.supervision, success }
    }

    /// What is said about its exits and cannot all be true.
    pub(super) fn supervision_mistake(&self) -> Option<String> {
        let contradiction = match self.expects {
            _ if !self.supervision.is_some() => None,
            Expected::MayExit => Some("may_exit"),
            Expected::Code(_) if self.supervision.is_permanent() => {
                let is_step = self.ready.iter().any(|ready| ready.exit_code().is_some());
                Some(if is_step { "finished" } else { "expect_exit" })
            }
            Expected::Nothing | Expected::Return | Expected::Code(_) => None,
        };
        let contradiction = contradiction.map(|which| {
            format!("`{which}` says that it may end, and `supervise` that it is started again when it does")
        });
        contradiction.or_else(|| self.supervision.mistake())
    }
}
