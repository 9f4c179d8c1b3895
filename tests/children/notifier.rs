//! Writes to the socket that `$NOTIFY_SOCKET` names, in the ways that a service manager may meet.
//!
//! `notifier [--ms MS] [--by WHO] [--tell] [--barrier] [--flood N] MESSAGE…`: waits `MS`, sends each message (`\n` is a new
//! line), with `--tell` prints `told`, and pauses. Who sends: itself; a `child` that stays; one that is `gone` before anybody looks; a `daemon`, whose leader exits
//! 0. With `--barrier` it then sends a descriptor along, waits until it is closed, and prints `barrier`. With `--flood` it
//! then sends so many more messages, waiting where it must, and prints `flooded`.

use std::io::{IoSlice, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::wait::waitpid;
use pkit_test_tests::child::daemon::detached;
use pkit_test_tests::child::{Args, fail, forked, pause, say, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let boot_ms = args.option("--ms").unwrap_or(0);
    let by: String = args.option("--by").unwrap_or_default();
    let tell = args.flag("--tell");
    let barrier = args.flag("--barrier");
    let flood = args.option("--flood").unwrap_or(0_u32);
    let messages: Vec<String> = std::iter::from_fn(|| args.word_if_any("MESSAGE")).collect();
    args.end();

    wait_ms(boot_ms);
    let send_all = move || {
        let socket = connected();
        for message in &messages {
            let message = message.replace("\\n", "\n");
            socket.send(message.as_bytes()).unwrap_or_else(|error| fail(format_args!("send: {error}")));
        }
        if tell {
            say("told");
        }
        if barrier {
            wait_at_barrier(&socket);
        }
        for _ in 0..flood {
            socket.send(b"WATCHDOG=1").unwrap_or_else(|error| fail(format_args!("flood: {error}")));
        }
        if flood > 0 {
            say("flooded");
        }
    };
    match by.as_str() {
        "child" if forked().is_some() => pause(),
        "gone" => match forked() {
            Some(child) => drop(waitpid(child, None)),
            None => {
                send_all();
                process::exit(0)
            }
        },
        "daemon" => {
            detached(move |_| {
                send_all();
                pause()
            });
            process::exit(0)
        }
        _ => send_all(),
    }
    pause()
}

fn connected() -> UnixDatagram {
    let path = std::env::var_os("NOTIFY_SOCKET").unwrap_or_else(|| fail("NOTIFY_SOCKET is not set"));
    let socket = UnixDatagram::unbound().expect("a socket can be made");
    socket.connect(path).unwrap_or_else(|error| fail(format_args!("connect: {error}")));
    socket
}

fn wait_at_barrier(socket: &UnixDatagram) {
    let (mut ours, theirs) = UnixStream::pair().expect("a pair can be made");
    let fds = [theirs.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    let sent = sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(b"BARRIER=1")], &rights, MsgFlags::empty(), None);
    sent.unwrap_or_else(|error| fail(format_args!("barrier: {error}")));
    drop(theirs);
    let _ = ours.read(&mut [0]); // The end, or a reset, which says as much.
    say("barrier");
}
