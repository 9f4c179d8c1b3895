//! Does a command say that the process is ready?
//!
//! Many servers come with a client that asks them in their own words: `pg_isready`, `redis-cli ping`. What happens at one
//! try is on a higher floor, where processes are started; here is what a spec says of it.

use std::time::Duration;

use crate::command::Command;
use crate::limits::EXEC_TRY;
use crate::template::{Hole, Template};

/// Ready when a command ends with exit code 0.
///
/// The command runs beside the process: as its user, in its working directory, with its environment, and with an empty
/// standard input. Holes in it are filled as in the spec. Any other exit means "not yet", and the error at the end shows the
/// last one with the last line that the command wrote. A program that does not exist is an error of the start.
///
/// A try is a process of its own and never outlives the wait: what takes longer than its [time](Exec::try_timeout), what it
/// leaves in the background and what is still running when the service ends or the start is over is killed.
///
/// Of several probes it is asked again when the last of them holds: what was so for a server that only sets itself up may not be
/// so any more.
///
/// A try costs a process, so there is a rest between two: four times as long as the try took, and at least an eighteenth of
/// the time waited so far, up to half a second. So no more than a fifth of one processor goes into asking, and a server that
/// takes its time is asked less often.
///
/// ```
/// use pkit_test::{Spec, ready::Exec, sh};
/// # fn main() -> pkit_test::Result<()> {
/// let server = Spec::new(sh("echo up > {dir}/state; exec sleep 60")).ready(Exec::new("grep -q up {dir}/state")).start()?;
/// assert_eq!(std::fs::read_to_string(server.dir().join("state")).unwrap(), "up\n");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a probe does nothing until it is part of a spec"]
pub struct Exec {
    pub(crate) command: Command,
    pub(crate) env: Vec<(String, Template)>,
    pub(crate) try_timeout: Duration,
}

impl Exec {
    /// A command, as a spec has one: a text that is split into words, a list of words, or a script by [`sh`](crate::sh).
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Exec, sh};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port}");
    /// let error = server.ready(Exec::new("crul {addr}")).start().unwrap_err();
    /// assert!(error.is_not_found());
    ///
    /// let queue = Spec::new(sh("mkdir {dir}/in; exec sleep 60")).ready(Exec::new(sh("ls {dir} | grep -x in"))).start()?;
    /// assert!(queue.dir().join("in").is_dir());
    /// # Ok(()) }
    /// ```
    pub fn new(command: impl Into<Command>) -> Exec {
        Exec { command: command.into(), env: Vec::new(), try_timeout: EXEC_TRY }
    }

    /// Sets an environment variable for the command alone. Holes in the value are filled.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Exec, sh};
    /// # fn main() -> pkit_test::Result<()> {
    /// let check = Exec::new(sh(r#"test "$WHO $FROM" = "check spec""#)).env("WHO", "check");
    /// let sleeper = Spec::new("sleep 60").env("WHO", "service").env("FROM", "spec").ready(check).start()?;
    /// assert!(sleeper.is_alive());
    /// # Ok(()) }
    /// ```
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Exec {
        self.env.push((name.into(), Template::parse(&value.into())));
        self
    }

    /// How long one try may take, 10 s if nothing is said. One that takes longer is killed, and counts as "not yet".
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Spec, ready::Exec};
    /// # fn main() -> pkit_test::Result<()> {
    /// let hangs = Exec::new("sleep 60").try_timeout(Duration::from_millis(20));
    /// let error = Spec::new("cat").ready(hangs).start_timeout(Duration::from_millis(1500)).start().unwrap_err();
    /// assert!(error.to_string().contains("still running after 20 ms"));
    /// # Ok(()) }
    /// ```
    pub fn try_timeout(mut self, limit: Duration) -> Exec {
        self.try_timeout = limit;
        self
    }

    pub(super) fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.command.holes().chain(self.env.iter().flat_map(|(_, value)| value.holes()))
    }

    pub(super) fn mistake(&self) -> Option<String> {
        let is_odd = |(name, _): &&(String, Template)| name.is_empty() || name.contains(['=', '\0']);
        if let Some(fault) = self.command.fault() {
            return Some(format!("its probe cannot be run: {fault}"));
        }
        if let Some((name, _)) = self.env.iter().find(is_odd) {
            return Some(format!("`{}` cannot be the name of an environment variable", name.escape_debug()));
        }
        self.try_timeout.is_zero().then(|| "a try_timeout of zero leaves no time at all".to_owned())
    }
}
