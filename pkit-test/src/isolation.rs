//! What a process can have of its own besides its ports and its directory: process ids, a network.

/// What a process has of its own, by a namespace of the kernel. For [`Spec::isolate`](crate::Spec::isolate).
///
/// | | [`Pid`](Isolation::Pid) | [`Net`](Isolation::Net) |
/// |---|---|---|
/// | gives | nothing is left of the process, also where the test, its guardian and all shims get SIGKILL at one moment | fixed ports that never collide: each test has its own 80, 5432 and 6379 |
/// | of whom | this process and its descendants | the whole test: its thread, its processes, its callbacks |
/// | needs | root, or a system that gives everybody user namespaces | root; or user namespaces, and nextest or `PKIT_USER_NAMESPACE=1` |
/// | costs (`BENCHMARKS.md`, of a start of 0.8 ms) | 0.8 ms a start, as no shim waits for it, and 0.1 ms a stop | 1.2 ms a start, the network of the test included |
///
/// Linux only. Where it is refused (by the seccomp filter of Docker, by `user.max_user_namespaces=0`, by AppArmor) the start is
/// an error that says which step was refused, and what would allow it.
///
/// # Process ids of its own
///
/// The process sees other ids than the test: it has a small one, its parent is 1, and its `/proc` shows nobody but itself and
/// what it has started. So it cannot signal anybody outside by an id that it was given, nor look at them; nor can what runs
/// beside it be found by the ids in its own files: the number in a pid file is not that of [`Process::pid`](crate::Process::pid),
/// which is the one that `ps` shows. Its mounts are its own as well: what it mounts nobody else sees, and what is mounted later
/// by others it does not see. Where the right comes from a user namespace, it is the same user there, and nobody else is
/// anybody: files of others seem to be those of `nobody`, and `sudo` does not work. With [`user`](crate::Spec::user) it takes
/// root anyway.
///
/// ```
/// use pkit_test::{Isolation, simple};
/// # fn main() -> pkit_test::Result<()> {
/// match simple("sh -c 'echo $PPID; ls -d /proc/[0-9]* | wc -l'").isolate(Isolation::Pid).start() {
///     Ok(sh) => {
///         sh.wait()?;
///         assert!(sh.stdout().starts_with("1\n"));
///     }
///     Err(error) => assert!(error.to_string().contains("denied:"), "this system does not allow it: {error}"),
/// }
/// # Ok(()) }
/// ```
///
/// # A network of its own
///
/// There is nothing in it but a loopback, 127.0.0.1 and `::1`, and every port is free and may be bound by anybody. It belongs to
/// the outermost of what starts the process (the attribute, [`orchestrated`](crate::orchestrated), a stack that is started, a
/// process that is started by itself) and all that is started in there is in it, whether it asks or not: the test has to reach all of it.
/// The thread of the test is in it from before the first start until the end, and so are all threads that it makes meanwhile, callbacks
/// and restarts.
///
/// ```
/// use pkit_test::{Isolation, orchestrated, tcp};
/// # fn main() -> pkit_test::Result<()> {
/// let server = || tcp("python3 -m http.server --bind {host} {port}", 80).isolate(Isolation::Net);
/// std::thread::scope(|tests| {
///     for _ in 0..2 {
///         tests.spawn(|| {
///             let done = orchestrated([("server", server())], |stack| {
///                 assert_eq!(stack["server"].addr().to_string(), "127.0.0.1:80");
///                 assert!(std::net::TcpStream::connect("127.0.0.1:80").is_ok());
///             });
///             assert!(done.is_ok() || done.unwrap_err().to_string().contains("denied:"));
///         });
///     }
/// });
/// # Ok(()) }
/// ```
///
/// What it cannot do:
///
/// - Reach anything outside: the internet, a name server, a server that another test or another stack has started.
/// - Take along threads that were there before. In an `async` test the body is in it, on whichever runtime; so is what it spawns
///   on a `current_thread` runtime, the default of `#[tokio::test]`. A task on a worker thread of a `multi_thread` runtime is not,
///   and its connections are refused.
/// - Come back from it without root. Then the thread of the test stays in its last network, which is the end of that thread
///   under libtest and nextest; in other programs let a thread of its own run what is isolated.
///
/// Without root the test binary has to enter a user namespace before `main`, as the kernel wants it, and does so where
/// `PKIT_USER_NAMESPACE=1` is set. Everything in the binary is then in it: the same user, and nobody else is anybody. In
/// a process that runs one test, as under nextest, nobody need set anything: the first test that wants a network, and may not have
/// one, executes its own binary again in the same process, with the variable set. What the test has done before that it does twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isolation {
    /// Its own process ids: when its shim is killed the kernel kills all of it, whoever else is killed with that.
    ///
    /// ```
    /// use pkit_test::{Executor, Isolation, simple};
    /// assert!(simple("sleep 60").isolate(Isolation::Pid).isolates(Isolation::Pid));
    /// ```
    Pid,
    /// Its own network, with nothing but a loopback in it, for the whole test.
    ///
    /// ```
    /// use pkit_test::{Executor, Isolation, orchestra, simple};
    /// let inner = orchestra().with("db", simple("sleep 60").isolate(Isolation::Net));
    /// assert!(orchestra().with("inner", inner).isolates(Isolation::Net));
    /// ```
    Net,
}

/// Which of them a spec asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Isolations {
    pub(crate) pid: bool,
    pub(crate) net: bool,
}

impl Isolations {
    pub(crate) fn with(self, isolation: Isolation) -> Isolations {
        match isolation {
            Isolation::Pid => Isolations { pid: true, ..self },
            Isolation::Net => Isolations { net: true, ..self },
        }
    }

    pub(crate) fn has(self, isolation: Isolation) -> bool {
        match isolation {
            Isolation::Pid => self.pid,
            Isolation::Net => self.net,
        }
    }
}
