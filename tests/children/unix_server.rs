//! Listens on a unix socket, as late and as often as it is told to.
//!
//! `unix_server PATH [--ms MS] [--flaps N] [--gap MS] [--once TEXT]`: waits `MS`; makes the socket `N` times and removes it
//! again, without listening at it; then makes it, waits for the gap, and listens. `@NAME` is an abstract name. It prints
//! `listening` before it does. With `--once` it serves one connection by that text, and ends with exit code 1 if nobody
//! reads it.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use pkit_test_tests::child::{Args, fail, say, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let boot_ms = args.option("--ms").unwrap_or(0);
    let flaps = args.option("--flaps").unwrap_or(0_u32);
    let gap_ms = args.option("--gap").unwrap_or(0);
    let once: Option<String> = args.option("--once");
    let path: String = args.word("PATH");
    args.end();

    wait_ms(boot_ms);
    for _ in 0..flaps {
        drop(bound(&path));
        fs::remove_file(&path).unwrap_or_else(|error| fail(format_args!("remove {path}: {error}")));
    }
    let socket = bound(&path).unwrap_or_else(|error| fail(format_args!("bind {path}: {error}")));
    wait_ms(gap_ms);
    say("listening");
    listen(&socket, Backlog::MAXALLOWABLE).unwrap_or_else(|error| fail(format_args!("listen: {error}")));
    serve(&UnixListener::from(socket), once.as_deref());
}

fn bound(path: &str) -> nix::Result<OwnedFd> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let address = match path.strip_prefix('@') {
        Some(name) => UnixAddr::new_abstract(name.as_bytes())?,
        None => UnixAddr::new(path)?,
    };
    bind(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

fn serve(listener: &UnixListener, once: Option<&str>) {
    let Some(text) = once else {
        loop {
            // A client that went away is no news.
            let _ = listener.accept();
        }
    };
    let served = listener.accept().and_then(|(mut stream, _)| -> io::Result<()> {
        wait_ms(5);
        stream.write_all(text.as_bytes())
    });
    served.unwrap_or_else(|error| fail(format_args!("nobody reads it: {error}")));
}
