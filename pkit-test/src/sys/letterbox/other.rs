//! Other Unix systems: nobody says who the sender is, and a message that nobody reads cannot be thrown away.

use std::io;
use std::os::unix::net::UnixDatagram;

use super::Letter;

pub(super) fn ask_for_senders(_socket: &UnixDatagram) -> io::Result<()> {
    Ok(())
}

pub(super) fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> io::Result<Letter> {
    let length = socket.recv(buffer)?;
    Ok(Letter { length, is_cut: length == buffer.len(), sender: None })
}

pub(super) fn throw_away(_socket: &UnixDatagram) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "messages can only be thrown away on Linux"))
}
