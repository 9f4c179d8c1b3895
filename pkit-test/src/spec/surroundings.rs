//! What a process finds when it starts: arguments, environment, input, user, ports.

use super::Spec;
use crate::command::IntoArgs;
use crate::isolation::Isolation;
use crate::template::Template;

impl Spec {
    /// Adds one argument, which is not split. Holes in it are filled.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let echo = pkit_test::simple("echo").arg("two  words").arg("at {host}").start()?;
    /// echo.wait()?;
    /// assert_eq!(echo.stdout(), "two  words at 127.0.0.1\n");
    /// # Ok(()) }
    /// ```
    pub fn arg(self, argument: impl Into<String>) -> Spec {
        self.map_command(|command| command.arg(argument))
    }

    /// Adds arguments: a text is split as a shell splits words, a list is taken as it is.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let echo = pkit_test::simple("echo").args("a 'b c'").args(["d e"]).start()?;
    /// echo.wait()?;
    /// assert_eq!(echo.stdout(), "a b c d e\n");
    /// # Ok(()) }
    /// ```
    pub fn args(self, arguments: impl IntoArgs) -> Spec {
        self.map_command(|command| command.args(arguments))
    }
}

impl<H> Spec<H> {
    /// Sets an environment variable. Holes in the value are filled.
    ///
    /// It inherits the environment of the test; this adds to it or replaces. Of a name that is set twice the last value
    /// counts. A name that is empty or has a `=` in it is an error of the start.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sh = pkit_test::simple("sh -c 'echo $LISTEN'").env("LISTEN", "{addr}").start()?;
    /// sh.wait()?;
    /// assert_eq!(sh.stdout(), format!("{}\n", sh.addr()));
    /// # Ok(()) }
    /// ```
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Spec<H> {
        self.env.push((name.into(), Template::parse(&value.into())));
        self
    }

    /// Sets several environment variables, each as [`env`](Spec::env) does: pairs of a name and a value.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let variables = [("MODE", "dry"), ("HOST", "{host}")];
    /// let sh = pkit_test::simple("sh -c 'echo $MODE on $HOST'").envs(variables).start()?;
    /// sh.wait()?;
    /// assert_eq!(sh.stdout(), "dry on 127.0.0.1\n");
    /// # Ok(()) }
    /// ```
    pub fn envs<N: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (N, V)>) -> Spec<H> {
        variables.into_iter().fold(self, |spec, (name, value)| spec.env(name, value))
    }

    /// Lets it inherit nothing: the environment is only what [`env`](Spec::env) sets, before or after this, and the
    /// three variables of [`user`](Spec::user).
    ///
    /// A program without a slash is then looked up in `/bin` and `/usr/bin`, unless `env` sets a `PATH`.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let env = pkit_test::simple("env").env("MODE", "dry").env_clear().start()?;
    /// env.wait()?;
    /// assert_eq!(env.stdout(), "MODE=dry\n");
    /// # Ok(()) }
    /// ```
    pub fn env_clear(mut self) -> Spec<H> {
        self.clears_env = true;
        self
    }

    /// Sets its working directory. Holes are filled; a relative one is relative to that of the test.
    ///
    /// The default is the working directory of the test, or with [`user`](Spec::user) the process's own `{dir}`. One
    /// that does not exist is an error of the start: it is not made.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sh = pkit_test::simple("sh -c 'echo hello > greeting'").cwd("{dir}").start()?;
    /// sh.wait()?;
    /// assert_eq!(std::fs::read_to_string(sh.dir().join("greeting")).unwrap(), "hello\n");
    /// # Ok(()) }
    /// ```
    pub fn cwd(mut self, directory: impl Into<std::path::PathBuf>) -> Spec<H> {
        self.cwd = Some(Template::parse(&directory.into().to_string_lossy()));
        self
    }

    /// Lets it read this text and then the end of its standard input.
    ///
    /// Without this its standard input is a pipe that stays open, for
    /// [`write_stdin`](crate::Process::write_stdin); `stdin("")` is an empty one.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let sort = pkit_test::simple("sort").stdin("b\na\n").start()?;
    /// assert!(sort.wait()?.success());
    /// assert_eq!(sort.stdout(), "a\nb\n");
    /// # Ok(()) }
    /// ```
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Spec<H> {
        self.stdin = Some(text.into());
        self
    }

    /// Runs it as another user, with that user's groups, `HOME`, `USER` and `LOGNAME`, and `{dir}` theirs.
    ///
    /// Its working directory is then its `{dir}`, unless [`cwd`](Spec::cwd) says another. Only root can do that.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// match pkit_test::simple("sh -c 'id -un; touch {dir}/mine'").user("nobody").start() {
    ///     Ok(id) => assert!(id.wait()?.success() && id.stdout() == "nobody\n"),
    ///     Err(error) => assert!(error.to_string().contains("as `nobody`"), "only root may: {error}"),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn user(mut self, name: impl Into<String>) -> Spec<H> {
        self.user = Some(name.into());
        self
    }

    /// Reserves another free port: `{port.peer}` and `{addr.peer}` in the spec, `{db.port.peer}` in that of another
    /// process, and [`Process::port_of`](crate::Process::port_of) in the test.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let node = pkit_test::simple("echo clients {port}, peers {port.peer}").port("peer").start()?;
    /// node.wait()?;
    /// assert_eq!(node.stdout(), format!("clients {}, peers {}\n", node.port(), node.port_of("peer")));
    /// # Ok(()) }
    /// ```
    pub fn port(mut self, name: impl Into<String>) -> Spec<H> {
        self.ports.push((name.into(), 0));
        self
    }

    /// Gives it something of its own, by a namespace of the kernel: process ids, a network. May be said once for each.
    ///
    /// What that is, what it takes, and what a process sees of it is with [`Isolation`]. Where the system refuses it, it is an
    /// error of the start that says what was refused and what would allow it, and never a weaker promise in silence.
    ///
    /// ```
    /// use pkit_test::{Isolation, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// match simple("sh -c 'echo child of $PPID'").isolate(Isolation::Pid).start() {
    ///     Ok(sh) => {
    ///         sh.wait()?;
    ///         assert_eq!(sh.stdout(), "child of 1\n");
    ///     }
    ///     Err(error) => assert!(error.to_string().contains("denied:"), "this system does not allow it: {error}"),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn isolate(mut self, isolation: Isolation) -> Spec<H> {
        self.isolations = self.isolations.with(isolation);
        self
    }

    /// Sets the IP address of `{host}` and `{addr}`, on which probes expect it; 127.0.0.1 if nothing is said.
    ///
    /// A name is an error of the start, but for `localhost`, which is 127.0.0.1.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = pkit_test::tcp("python3 -m http.server --bind {host} {port}", 0).host("127.0.0.2").start()?;
    /// assert_eq!(server.addr().ip().to_string(), "127.0.0.2");
    /// assert!(std::net::TcpStream::connect(server.addr()).is_ok());
    /// # Ok(()) }
    /// ```
    pub fn host(mut self, address: impl Into<String>) -> Spec<H> {
        self.host = Some(address.into());
        self
    }
}
