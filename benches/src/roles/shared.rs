//! A test process of a run that shares a server. The run is said by `PKIT_RUN_ID`.

use std::io::Read;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use pkit_test::{Spec, tcp};

use super::Role;
use crate::clock;
use crate::outcome::Outcome;
use crate::simple;

/// What makes a server worth sharing, and is little for one.
const BOOT_US: u64 = 50_000;

/// The first thing in the life of the process: until it has a handle, or until whoever listens has said a byte.
pub(super) fn print_lease(ours: bool, socket: &Path) -> Outcome<()> {
    if ours {
        let (took_ms, process) = clock::timed(|| simple::ours().shared().start());
        println!("{took_ms}");
        drop(process?);
    } else {
        let (took_ms, said) = clock::timed(|| UnixStream::connect(socket)?.read_exact(&mut [0]));
        println!("{took_ms}");
        said?;
    }
    Ok(())
}

/// Connects once, as a test would.
pub(super) fn test(shares: bool) -> Outcome<()> {
    let server = if shares { server()?.shared().start() } else { server()?.start() }?;
    drop(TcpStream::connect(server.addr())?);
    Ok(())
}

fn server() -> Outcome<Spec> {
    let role = Role::Server { port: "{port}".to_owned(), boot_us: BOOT_US, stamps: "/dev/null".into() };
    Ok(tcp(pkit_test::Command::program(std::env::current_exe()?).args(role.words()), 0))
}
