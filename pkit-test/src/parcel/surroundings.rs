//! What a function process knows of itself and of those around it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::letter::{Letter, Reading};

/// Written by the test, read in the function process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// Where the function is, if that cannot be known from where the process begins.
    pub(crate) pointer: Option<u64>,
    /// Whether the spec waits until the function says that it is ready.
    pub(crate) waits_for_ready: bool,
    /// The process itself.
    pub(crate) own: PeerAddress,
    /// Those that it may ask for.
    pub(crate) peers: Vec<PeerAddress>,
}

/// A process, and where it is to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerAddress {
    pub(crate) name: String,
    pub(crate) host: IpAddr,
    /// By name; its own one has an empty name.
    pub(crate) ports: Vec<(String, u16)>,
    /// Empty where it has none.
    pub(crate) dir: PathBuf,
}

impl PeerAddress {
    /// One that has neither a port nor a directory.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> PeerAddress {
        let host = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        PeerAddress { name: name.to_owned(), host, ports: Vec::new(), dir: PathBuf::new() }
    }

    pub(crate) fn address(&self, port: &str) -> Option<SocketAddr> {
        let found = self.ports.iter().find(|(name, _)| name == port);
        found.map(|(_, number)| SocketAddr::new(self.host, *number))
    }
}

impl Surroundings {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut letter = Letter::default();
        letter.maybe(self.pointer);
        letter.number(u64::from(self.waits_for_ready));
        write_address(&mut letter, &self.own);
        letter.number(self.peers.len() as u64);
        self.peers.iter().for_each(|peer| write_address(&mut letter, peer));
        letter.into_bytes()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Surroundings> {
        let mut reading = Reading::new(bytes);
        let pointer = reading.maybe()?;
        let waits_for_ready = reading.number()? == 1;
        let own = read_address(&mut reading)?;
        Some(Surroundings { pointer, waits_for_ready, own, peers: reading.list(read_address)? })
    }
}

fn write_address(letter: &mut Letter, address: &PeerAddress) {
    letter.text(&address.name);
    letter.text(&address.host.to_string());
    letter.path(&address.dir);
    letter.number(address.ports.len() as u64);
    for (name, port) in &address.ports {
        letter.text(name);
        letter.number((*port).into());
    }
}

fn read_address(reading: &mut Reading<'_>) -> Option<PeerAddress> {
    let name = reading.text()?;
    let host = reading.text()?.parse().ok()?;
    let dir = reading.path()?;
    let ports = reading.list(|port| Some((port.text()?, u16::try_from(port.number()?).ok()?)))?;
    Some(PeerAddress { name, host, ports, dir })
}
