//! Does the process itself accept connections?
//!
//! The kernel is asked, not the server: a connection that says nothing makes some servers complain, and one that
//! accepts exactly one connection would have wasted it on us. The answer has the inode of the listening socket, and
//! with it whose it is.

use std::net::SocketAddr;

use super::{Look, Probe, Sight, Site};
use crate::port::{self, Owner};
use crate::sys::diag::Diag;
use crate::sys::user;

/// Ready when the process listens on one of its ports.
///
/// ```
/// use pkit_test::{Spec, ready::Tcp};
/// # fn main() -> pkit_test::Result<()> {
/// let server = Spec::new("python3 -m http.server --bind {host} {port}").ready(Tcp::any()).start()?;
/// assert!(std::net::TcpStream::connect(server.addr()).is_ok());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    port_name: String,
}

impl Tcp {
    /// Its own port, the one of `{port}`. A spec that names no port gets a free one.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Tcp};
    /// # fn main() -> pkit_test::Result<()> {
    /// let error = Spec::new("sh -c 'exit 1'").ready(Tcp::any()).start().unwrap_err();
    /// assert!(error.is_exit());
    /// assert!(error.to_string().contains("tcp 127.0.0.1:"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn any() -> Tcp {
        Tcp { port_name: String::new() }
    }

    /// The port that was declared with [`Spec::port`](crate::Spec::port); one that was not is an error of the start.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Tcp};
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = Spec::new("python3 -m http.server --bind {host} {port.admin}").ready(Tcp::port("admin"));
    /// assert!(server.clone().start().unwrap_err().is_spec());
    /// let server = server.port("admin").start()?;
    /// assert!(std::net::TcpStream::connect((server.host(), server.port_of("admin"))).is_ok());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn port(name: impl Into<String>) -> Tcp {
        Tcp { port_name: name.into() }
    }

    pub(super) fn port_name(&self) -> &str {
        &self.port_name
    }

    pub(super) fn prepare(&self, site: &Site) -> Result<Listening, String> {
        match site.address(&self.port_name) {
            Some(address) => Ok(Listening::new(address, site)),
            None if self.port_name.is_empty() => Err("the probe asks for its port, and it has none".to_owned()),
            None => {
                let name = &self.port_name;
                Err(format!("the probe asks for the port `{name}`, which nobody declared; `.port({name:?})` does it"))
            }
        }
    }
}

/// Whether the process listens at an address.
#[derive(Debug)]
pub(super) struct Listening {
    address: SocketAddr,
    any_owner: bool,
    /// Somebody listened there before the start: one of whom we know nothing may still be the same.
    was_served: bool,
    diag: Option<Diag>,
}

impl Listening {
    pub(super) fn new(address: SocketAddr, site: &Site) -> Listening {
        Listening { address, any_owner: site.any_owner, was_served: site.served.contains(&address), diag: None }
    }

    fn ask(&mut self, sight: &Sight<'_>) -> std::io::Result<Look> {
        let diag = self.diag.get_or_insert_with(Diag::open);
        if !diag.is_listening(self.address)? {
            return Ok(Look::NotYet("connection refused".to_owned()));
        }
        Ok(match port::owner(diag, self.address, sight.tree_root, self.any_owner)? {
            Owner::Unknown(_) if self.was_served => {
                let why = "was served before the start, by a process that we may not look at";
                Look::Foreign(format!("{} {why}", self.address))
            }
            Owner::Ours(_) | Owner::Unknown(_) => Look::Ready,
            Owner::Nobody => Look::NotYet("connection refused".to_owned()),
            Owner::Foreign { pid, command, addr } => {
                Look::Foreign(format!("{addr} belongs to somebody else: `{command}` (pid {pid})"))
            }
            Owner::Hidden { uid, addr } => {
                let user = user::name_of(uid);
                Look::Foreign(format!("{addr} belongs to somebody else: a process of `{user}` that we may not look at"))
            }
        })
    }
}

impl Probe for Listening {
    fn look(&mut self, sight: &Sight<'_>) -> Look {
        self.ask(sight).unwrap_or_else(|error| Look::NotYet(format!("the kernel cannot be asked: {error}")))
    }

    fn question(&self) -> String {
        format!("tcp {}", self.address)
    }

    fn local_addresses(&self) -> Vec<SocketAddr> {
        vec![self.address]
    }

    fn can_lapse(&self) -> bool {
        true
    }

    fn look_again(&mut self, sight: &Sight<'_>) -> Look {
        self.look(sight)
    }
}
