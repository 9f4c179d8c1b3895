//! What a function can ask about its own process, and about those around it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::parcel::PeerAddress;
use crate::ready::url_of;

use super::inside::Inside;
use super::terminate;

/// The function process that this is called in.
///
/// ```
/// use std::io::Write;
/// use std::net::TcpListener;
/// use pkit_test::{current, function};
///
/// fn serve() {
///     let listener = TcpListener::bind(current().addr()).unwrap();
///     for stream in listener.incoming() {
///         stream.unwrap().write_all(current().name().as_bytes()).unwrap();
///     }
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let server = function(serve, ()).ready(pkit_test::ready::Tcp::any()).start()?;
/// let mut stream = std::net::TcpStream::connect(server.addr()).unwrap();
/// assert_eq!(std::io::read_to_string(&mut stream).unwrap(), "serve");
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// Anywhere else: in the test itself, or in a program that it has started.
#[must_use]
#[track_caller]
pub fn current() -> Current {
    try_current().expect("`current()` is for code that runs in a function process, which this is not")
}

/// The function process that this is called in, or `None` anywhere else: for code that also runs elsewhere.
///
/// ```
/// assert!(pkit_test::try_current().is_none());
/// ```
#[must_use]
pub fn try_current() -> Option<Current> {
    Inside::get().map(|inside| Current { inside })
}

/// A function process, seen from within. From [`current`].
#[derive(Debug, Clone, Copy)]
pub struct Current {
    inside: &'static Inside,
}

impl Current {
    /// Its name: that of the stack or the attribute, else that of the function.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// fn work() -> String {
    ///     pkit_test::current().name().to_owned()
    /// }
    /// assert_eq!(pkit_test::function(work, ()).start()?.join()?, "work");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        &self.own().name
    }

    /// Its own port.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// use pkit_test::{current, function, ready::Tcp};
    ///
    /// fn serve() {
    ///     let _listener = std::net::TcpListener::bind(("127.0.0.1", current().port())).unwrap();
    ///     loop { std::thread::park() }
    /// }
    ///
    /// let server = function(serve, ()).ready(Tcp::any()).start()?;
    /// assert!(std::net::TcpStream::connect(("127.0.0.1", server.port())).is_ok());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has none: nothing in its spec asks for one.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        address(self.own(), "").port()
    }

    /// The port that was declared with [`Spec::port`](crate::Spec::port).
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let node = pkit_test::function(|| pkit_test::current().port_of("peer"), ()).port("peer").start()?;
    /// assert_eq!(node.join()?, node.port_of("peer"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When no port of that name was declared.
    #[must_use]
    #[track_caller]
    pub fn port_of(&self, name: &str) -> u16 {
        address(self.own(), name).port()
    }

    /// All its ports, with their names; its own one has an empty name.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let names = || pkit_test::current().ports().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    /// assert_eq!(pkit_test::function(names, ()).port("peer").start()?.join()?, ["peer"]);
    /// # Ok(()) }
    /// ```
    pub fn ports(&self) -> impl Iterator<Item = (&'static str, u16)> + use<> {
        self.own().ports.iter().map(|(name, port)| (name.as_str(), *port))
    }

    /// The address on which it is expected.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let host = pkit_test::function(|| pkit_test::current().host(), ()).start()?;
    /// assert!(host.join()?.is_loopback());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.own().host
    }

    /// Host and port.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// fn serve() {
    ///     let _listener = std::net::TcpListener::bind(pkit_test::current().addr()).unwrap();
    ///     loop { std::thread::park() }
    /// }
    /// let server = pkit_test::function(serve, ()).ready(pkit_test::ready::Tcp::any()).start()?;
    /// std::net::TcpStream::connect(server.addr()).unwrap();
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has no port, as [`port`](Current::port).
    #[must_use]
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        address(self.own(), "")
    }

    /// Its private directory.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let writes = || std::fs::write(pkit_test::current().dir().join("here"), "").unwrap();
    /// let writer = pkit_test::function(writes, ()).start()?;
    /// writer.join()?;
    /// assert!(writer.dir().join("here").exists());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn dir(&self) -> &'static Path {
        &self.own().dir
    }

    /// Another process of the stack.
    ///
    /// ```
    /// use pkit_test::{Worker, current, function, orchestra, simple};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let db = simple("sleep 60").port("peer");
    /// let asks = function(|| current().peer("db").port_of("peer"), ()).after("db");
    /// let stack = orchestra().with("db", db).with("app", asks).start()?;
    /// assert_eq!(stack.get::<Worker<u16>>("app").join()?, stack["db"].port_of("peer"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it does not come after one of that name. The message has the names that there are.
    #[must_use]
    #[track_caller]
    pub fn peer(&self, name: &str) -> Peer {
        // No closure: the place of the panic is that of the caller.
        let Some(peer) = self.peers().find(|peer| peer.name() == name) else {
            panic!("`{}` knows no process `{name}`: {}", self.name(), self.known_peers())
        };
        peer
    }

    /// All processes that it may ask for.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let alone = pkit_test::function(|| pkit_test::current().peers().count(), ()).start()?;
    /// assert_eq!(alone.join()?, 0);
    /// # Ok(()) }
    /// ```
    pub fn peers(&self) -> impl Iterator<Item = Peer> + use<> {
        self.inside.surroundings().peers.iter().map(|address| Peer { address })
    }

    /// Says that it is ready, where its spec waits for that; more often, or elsewhere, it changes nothing.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let alone = pkit_test::function(|| pkit_test::current().ready(), ()).start()?;
    /// alone.join()?;
    /// # Ok(()) }
    /// ```
    pub fn ready(&self) {
        self.inside.say_ready();
    }

    /// Calls a closure on each SIGTERM from now on, in a thread of its own and in the order in which they were given. The process
    /// goes on: it is up to the function to return.
    ///
    /// Without it, and without [`terminating`](Current::terminating), SIGTERM ends the process at once.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use pkit_test::{current, function};
    ///
    /// fn work() -> &'static str {
    ///     let (sender, receiver) = channel();
    ///     current().on_terminate(move || sender.send("asked to end").unwrap());
    ///     println!("listening");
    ///     receiver.recv().unwrap()
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let worker = function(|| work().to_owned(), ()).start()?;
    /// worker.wait_for_output("listening", std::time::Duration::from_secs(10))?;
    /// worker.stop()?;
    /// assert_eq!(worker.join()?, "asked to end");
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When the process may have no more threads.
    pub fn on_terminate(&self, closure: impl FnMut() + Send + 'static) {
        terminate::on_terminate(Box::new(closure));
    }

    /// Whether a SIGTERM has come. From the first call on it does not end the process, which is to look from time to time.
    ///
    /// ```
    /// use pkit_test::{current, function};
    /// # fn main() -> pkit_test::Result<()> {
    /// fn work() -> u32 {
    ///     let mut rounds = 0;
    ///     while !current().terminating() {
    ///         rounds += 1;
    ///         println!("working");
    ///     }
    ///     rounds
    /// }
    /// let worker = function(work, ()).start()?;
    /// worker.wait_for_output("working", std::time::Duration::from_secs(10))?;
    /// worker.stop()?;
    /// assert!(worker.join()? > 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn terminating(&self) -> bool {
        terminate::is_asked_to()
    }

    fn own(&self) -> &'static PeerAddress {
        &self.inside.surroundings().own
    }

    fn known_peers(&self) -> String {
        let names: Vec<_> = self.peers().map(|peer| format!("`{}`", peer.name())).collect();
        if names.is_empty() {
            "its spec says `after` of none".to_owned()
        } else {
            format!("there is {}", names.join(", "))
        }
    }
}

/// Another process, as a function knows it. From [`Current::peer`].
///
/// ```
/// use pkit_test::{Worker, current, function, orchestra, simple};
///
/// fn describe() -> (String, String, bool) {
///     let db = current().peer("db");
///     assert_eq!((db.addr().ip(), db.addr().port()), (db.host(), db.port()));
///     (db.name().to_owned(), db.url("/health"), db.dir().is_dir())
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let stack = orchestra().with("db", simple("sleep 60 {port}")).with("app", function(describe, ()).after("db")).start()?;
/// let (name, url, has_directory) = stack.get::<Worker<_>>("app").join()?;
/// assert_eq!((name, url, has_directory), ("db".to_owned(), stack["db"].url("/health"), true));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    address: &'static PeerAddress,
}

impl Peer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        &self.address.name
    }

    /// Its own port.
    ///
    /// # Panics
    ///
    /// When it has none.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        address(self.address, "").port()
    }

    /// Another port of it.
    ///
    /// # Panics
    ///
    /// When it has none of that name.
    #[must_use]
    #[track_caller]
    pub fn port_of(&self, name: &str) -> u16 {
        address(self.address, name).port()
    }

    /// The address on which it is.
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.address.host
    }

    /// Host and port.
    ///
    /// # Panics
    ///
    /// When it has no port.
    #[must_use]
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        address(self.address, "")
    }

    /// The URL of a path on its own port, as [`Process::url`](crate::Process::url).
    ///
    /// # Panics
    ///
    /// When it has no port.
    #[must_use]
    #[track_caller]
    pub fn url(&self, path: &str) -> String {
        url_of(self.addr(), path)
    }

    /// Its private directory.
    #[must_use]
    pub fn dir(&self) -> &'static Path {
        &self.address.dir
    }
}

#[track_caller]
fn address(of: &PeerAddress, port: &str) -> SocketAddr {
    match of.address(port) {
        Some(address) => address,
        None => panic!("{}", no_port(of, port)),
    }
}

fn no_port(of: &PeerAddress, port: &str) -> String {
    let names: Vec<_> = of.ports.iter().map(|(name, _)| if name.is_empty() { "its own" } else { name }).collect();
    let wanted = if port.is_empty() { "no port of its own".to_owned() } else { format!("no port `{port}`") };
    let known =
        if names.is_empty() { "its spec asks for none".to_owned() } else { format!("only {}", names.join(", ")) };
    format!("`{}` has {wanted}: {known}", of.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_function_process_there_is_none() {
        assert!(try_current().is_none());
        let panicked = std::panic::catch_unwind(current).unwrap_err();
        assert!(panicked.downcast_ref::<String>().is_some_and(|text| text.contains("which this is not")));
    }

    #[test]
    fn a_wrong_port_is_answered_by_those_that_there_are() {
        let mut db = PeerAddress::named("db");
        assert_eq!(no_port(&db, ""), "`db` has no port of its own: its spec asks for none");
        db.ports = vec![(String::new(), 1), ("peer".to_owned(), 2)];
        assert_eq!(no_port(&db, "pear"), "`db` has no port `pear`: only its own, peer");
    }
}
