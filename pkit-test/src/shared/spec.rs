//! What makes two specs the same.

use super::executor::Shared;
use super::shareable::Shareable;
use crate::callee::Callee;
use crate::command::Command;
use crate::error::Result;
use crate::ground::{Attaching, Identity, Publication, Refusal};
use crate::handle::Started;
use crate::isolation::Isolation;
use crate::quote::without_crates;
use crate::spec::{Body, Spec};

impl<H: Started> Spec<H> {
    /// One for all tests of the run that share the same: whoever needs it first starts it, all others find it, and it goes when
    /// the run ends.
    ///
    /// The same is what has the same command before its holes are filled, the same environment of its own, probes, ports, user
    /// and working directory; a function the same arguments. Timeouts, and which exits are expected, do not count. It inherits
    /// the environment of the runner, and not that of one test.
    ///
    /// The handle is that of the spec, but what would hurt other tests is refused: to stop it, to kill it, to start it again.
    /// [`exclusive`](Shared::exclusive) is how a test has it alone.
    ///
    /// ```
    /// use pkit_test::tcp;
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = || tcp("python3 -m http.server --bind {host} {port}", 0);
    /// let (one, other) = (server().shared().start()?, server().shared().start()?);
    /// assert_eq!((one.pid(), one.addr()), (other.pid(), other.addr()));
    /// assert!(one.stop().unwrap_err().is_shared());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn shared(self) -> Shared<Spec<H>> {
        Shared::of(self, Clone::clone)
    }

    /// The same under a name, which alone says what is the same: for a spec with closures, which cannot be compared, and to have
    /// two where one would do.
    ///
    /// ```
    /// use pkit_test::simple;
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = || simple("sleep 60").on_exit(|_, _| ());
    /// let (one, other) = (sleeper().shared_as("hen").start()?, sleeper().shared_as("egg").start()?);
    /// assert_ne!(one.pid(), other.pid());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn shared_as(self, name: impl Into<String>) -> Shared<Spec<H>> {
        Shared::of(self, Clone::clone).named(name)
    }
}

impl<H: Started> Shareable for Spec<H> {
    fn identify(&self, identity: &mut Identity) {
        refuse(self, identity);
        match &self.body {
            Body::Program(command) => identify_command(command, identity),
            Body::Function(callee) => identify_function(callee, self.place, identity),
        }
        identity.text(format!("{:?}", self.env));
        identity.text(format!("{:?}", (self.clears_env, self.any_owner, self.isolations)));
        identity.text(format!("{:?}", (&self.cwd, &self.user, &self.host, &self.ports)));
        identity.text(if self.runs_where_the_test_does() { working_directory() } else { String::new() });
        identity.text(format!("{:?}", self.stdin));
        for probe in &self.ready {
            match probe.identity() {
                Some(text) => identity.text(text),
                None => identity.closure("a probe by `poll`"),
            }
        }
        let callbacks = [("on_start", self.on_start.len()), ("on_exit", self.on_exit.len())];
        callbacks.iter().filter(|(_, count)| *count > 0).for_each(|(name, _)| identity.closure(format!("`{name}`")));
        identity.patience = identity.patience.saturating_add(crate::config::scaled(self.start_timeout));
    }

    fn publish(handle: &H, publication: &mut Publication) {
        publication.process(handle.process());
    }

    fn attach(self, published: &mut Attaching<'_>) -> Result<H> {
        published.process(self)
    }

    fn known_as(&self) -> (String, String) {
        (self.own_name(), self.shown())
    }
}

impl<H> Spec<H> {
    /// Whether it makes a difference to it where the test runs.
    fn runs_where_the_test_does(&self) -> bool {
        let is_relative = |path: &str| !path.starts_with(['/', '{']);
        let runs_there = match &self.cwd {
            Some(template) => is_relative(template.source()),
            None => self.user.is_none(),
        };
        runs_there || matches!(&self.body, Body::Program(command) if command.is_meant_from_here())
    }
}

fn working_directory() -> String {
    std::env::current_dir().unwrap_or_default().display().to_string()
}

fn identify_command(command: &Command, identity: &mut Identity) {
    identity.text("program");
    identity.text(command.identity());
}

/// By its path, and where it was made a spec: what two binaries include from one file is one thing, and what has the same name by
/// chance is not. Of all closures of a function the path is the same.
fn identify_function(callee: &Callee, place: &std::panic::Location<'_>, identity: &mut Identity) {
    let path = without_crates(callee.kind);
    identity.text("function");
    identity.text(&path);
    identity.text(place.file());
    if path.contains("{{closure}}") {
        identity.text(format!("{}:{}", place.line(), place.column()));
    }
    if callee.pointer.is_some() {
        identity.closure("a pointer to a function");
    }
    identity.text(callee.arguments.as_deref().unwrap_or(&[]));
}

/// What would make no sense for others.
fn refuse<H>(spec: &Spec<H>, identity: &mut Identity) {
    let mut refuse = |what: &str, why: &str, hint: &str| {
        let [what, why, hint] = [what, why, hint].map(str::to_owned);
        identity.refuse(Refusal { what, why, hint, spec: spec.shown() });
    };
    if spec.supervision.is_some() {
        let hint = "what has died is started again for the next test that needs it, without that";
        refuse("it is supervised", "its supervisor is in one test, and ends with it", hint);
    }
    if spec.isolations.has(Isolation::Net) {
        refuse("it is to have a network of its own", "no other test could reach it there", "");
    }
    let regex_holes = spec.regex_holes();
    if spec.holes().chain(&regex_holes).any(|hole| hole.name() == "slot") {
        let why = "it is a number that each test has, and this is one for all of them";
        refuse("`{slot}` stands in its own spec", why, "`{name.slot}` is for what a test starts beside it");
    }
}
