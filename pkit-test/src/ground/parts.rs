//! What an executor of one's own is built from: others, started on the same ground or on a part of it, and places.

use std::path::PathBuf;
use std::sync::Arc;

use super::scope::part;
use super::{Executor, Ground};
use crate::error::Result;
use crate::handle::Process;
use crate::place::{Place, Wish};
use crate::sync::lock;
use crate::template::{REFUSED_NAMES, is_name};

impl Ground {
    /// Brings another executor up, here: under this name, in this place.
    ///
    /// Returns when it is ready, and others know it from then on. What it returns is part of this executor: if a later step
    /// fails, returning the error drops it, and so takes it down.
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Need, Process, Result, Spec, simple};
    ///
    /// /// A process that has been told something before anybody else meets it.
    /// struct Told(Spec, &'static str);
    ///
    /// impl Executor for Told {
    ///     type Handle = Process;
    ///     fn needs(&self) -> Vec<Need> { self.0.needs() }
    ///     fn place(&mut self, ground: &Ground) -> Result<()> { self.0.place(ground) }
    ///     fn start_on(self, ground: &Ground) -> Result<Process> {
    ///         let process = ground.start(self.0)?;
    ///         process.write_stdin(self.1)?;
    ///         Ok(process)
    ///     }
    ///     fn process(handle: &Process) -> Option<&Process> { Some(handle) }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let told = Told(simple("sh -c 'read line; echo $line'"), "hello\n").start()?;
    /// told.wait()?;
    /// assert_eq!(told.stdout(), "hello\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it did not become ready. Nothing of it is left then.
    pub fn start<E: Executor>(&self, mut executor: E) -> Result<E::Handle> {
        if !self.is_settled() {
            executor.place(self)?;
        }
        let handle = executor.start_on(self)?;
        self.publish::<E>(&handle);
        Ok(handle)
    }

    /// The ground of a part of this executor: for a second process, a step, a server beside the first.
    ///
    /// The part has a place of its own, and the name of the whole before its own in errors and in holes:
    /// `{cluster.replica.addr}`. Parts of the same executor know each other by their short names.
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Process, Result, orchestra, simple, tcp};
    ///
    /// struct Cluster;
    ///
    /// struct Nodes { primary: Process, replica: Process }
    ///
    /// impl Executor for Cluster {
    ///     type Handle = Nodes;
    ///     fn start_on(self, ground: &Ground) -> Result<Nodes> {
    ///         let node = tcp("python3 -m http.server --bind {host} {port}", 0);
    ///         let primary = ground.child("primary").start(node.clone())?;
    ///         let replica = ground.child("replica").start(node.env("PRIMARY", "{primary.addr}"))?;
    ///         Ok(Nodes { primary, replica })
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let client = simple("echo {cluster.replica.port}").may_exit();
    /// let stack = orchestra().with("client", client).with("cluster", Cluster).start()?;
    /// let nodes: &Nodes = stack.get("cluster");
    /// assert_eq!((nodes.primary.name(), nodes.replica.name()), ("cluster.primary", "cluster.replica"));
    /// stack["client"].wait()?;
    /// assert_eq!(stack["client"].stdout(), format!("{}\n", nodes.replica.port()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When no hole could have the name: it is not made of letters, digits and `_`, or means something else there.
    #[must_use]
    #[track_caller]
    pub fn child(&self, name: &str) -> Ground {
        assert!(is_name(name) && !REFUSED_NAMES.contains(&name), "no part of `{}` can be called `{name}`", self.name());
        let name = part(self.name(), name);
        self.scope().declare(&name, Vec::new());
        Ground { name, scope: Arc::clone(self.scope()) }
    }

    /// The ground of one of several parts that are alike: `{cluster.0.addr}`.
    pub(crate) fn replica(&self, index: usize) -> Ground {
        let name = part(self.name(), &index.to_string());
        self.scope().declare(&name, Vec::new());
        Ground { name, scope: Arc::clone(self.scope()) }
    }

    /// A port that nobody else has, the one of `{port}`: the same at each call, and that of a spec which is started here.
    ///
    /// For what is no process, as a server on a thread. Nobody listens on it. It is held until the stack is gone; without a
    /// stack, until this ground and its clones are.
    ///
    /// ```
    /// use std::net::TcpListener;
    /// use pkit_test::{Executor, Ground, Result, orchestra, simple};
    ///
    /// /// A listener in the test itself; what needs `{fake.addr}` is started when it is there.
    /// struct Fake;
    ///
    /// impl Executor for Fake {
    ///     type Handle = TcpListener;
    ///     fn place(&mut self, ground: &Ground) -> Result<()> { ground.port().map(drop) }
    ///     fn start_on(self, ground: &Ground) -> Result<TcpListener> {
    ///         Ok(TcpListener::bind(("127.0.0.1", ground.port()?)).expect("nobody else has it"))
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let app = simple("echo {fake.port}").may_exit();
    /// let stack = orchestra().with("app", app).with("fake", Fake).start()?;
    /// let listener: &TcpListener = stack.get("fake");
    /// stack["app"].wait()?;
    /// assert_eq!(stack["app"].stdout(), format!("{}\n", listener.local_addr().unwrap().port()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn port(&self) -> Result<u16> {
        self.port_of("")
    }

    /// Another port of this executor, the one of `{port.name}`, as [`port`](Ground::port).
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Result};
    ///
    /// struct Two;
    ///
    /// impl Executor for Two {
    ///     type Handle = (u16, u16);
    ///     fn start_on(self, ground: &Ground) -> Result<(u16, u16)> { Ok((ground.port()?, ground.port_of("admin")?)) }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let (port, admin) = Two.start()?;
    /// assert_ne!(port, admin);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn port_of(&self, name: &str) -> Result<u16> {
        let known = self.place().and_then(|place| place.port(name));
        known.map_or_else(|| Ok(self.reserve(&[(name.to_owned(), 0)])?.port(name).expect("it was asked for")), Ok)
    }

    /// The private directory of this executor, the one of `{dir}`, which is gone with its place.
    ///
    /// ```
    /// use std::{fs, path::PathBuf};
    /// use pkit_test::{Executor, Ground, Result, orchestra, simple};
    ///
    /// struct Certificate;
    ///
    /// impl Executor for Certificate {
    ///     type Handle = PathBuf;
    ///     fn start_on(self, ground: &Ground) -> Result<PathBuf> {
    ///         let path = ground.dir()?.join("ca.pem");
    ///         fs::write(&path, "-----BEGIN CERTIFICATE-----").expect("the directory is ours");
    ///         Ok(path)
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let app = simple("cat {tls.dir}/ca.pem").may_exit();
    /// let stack = orchestra().with("app", app).with("tls", Certificate).start()?;
    /// stack["app"].wait()?;
    /// assert_eq!(stack["app"].stdout(), "-----BEGIN CERTIFICATE-----");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it cannot be made: the file system is full or read-only.
    pub fn dir(&self) -> Result<PathBuf> {
        self.place().map_or_else(|| self.reserve(&[]), Ok)?.directory()
    }

    /// Reserves ports of any number in addition to what is reserved here already.
    pub(super) fn reserve(&self, ports: &[(String, u16)]) -> Result<Arc<Place>> {
        let base = self.place();
        let host = base.as_ref().map(|place| place.host.to_string());
        let user = base.as_ref().and_then(|place| Some(place.user.as_ref()?.name.clone()));
        let guardian = self.scope().guardian();
        let wish = Wish { host: host.as_deref(), ports, user: user.as_deref(), base, guardian };
        let place = Arc::new(Place::reserve(&self.full_name(), &wish)?);
        self.settle(&place);
        Ok(place)
    }

    /// Whether something has been reserved here.
    fn is_settled(&self) -> bool {
        let members = lock(&self.scope().members);
        members.get(self.name()).is_some_and(|member| member.place.is_some() || member.inner.strong_count() > 0)
    }

    /// Tells the others what an executor that is up means to them.
    pub(crate) fn publish<E: Executor>(&self, handle: &E::Handle) {
        let process = E::process(handle);
        let mut values = E::values(handle);
        let pid = process.and_then(Process::pid).map(|pid| ("pid".to_owned(), pid.to_string()));
        let slot = process.and_then(Process::slot).map(|slot| ("slot".to_owned(), slot.to_string()));
        values.extend(pid.into_iter().chain(slot));
        self.scope().publish(self.name(), process.map(|process| &process.core), values);
    }
}

/// `JobRunner` of whatever module and parameters is `job_runner`.
pub(crate) fn name_of_type<T>() -> String {
    let full = std::any::type_name::<T>();
    let plain = full.split('<').next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
    let mut name = String::new();
    for letter in plain.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    if name.is_empty() { "executor".to_owned() } else { name }
}
