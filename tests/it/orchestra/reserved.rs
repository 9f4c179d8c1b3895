//! Ports and directories of executors that are no process, or not only one.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pkit_test::{Error, Executor, Ground, Process, Restart, Result, Spec, orchestra, simple, tcp};

use super::{echo, said};
use crate::child::child;

/// A server on a thread of the test, which greets whoever comes with its own port.
struct Fake;

struct Greeter {
    port: u16,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Executor for Fake {
    type Handle = Greeter;

    fn place(&mut self, ground: &Ground) -> Result<()> {
        ground.port().map(drop)
    }

    fn start_on(self, ground: &Ground) -> Result<Greeter> {
        let port = ground.port()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).map_err(|error| Error::other(error.to_string()))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let guests = listener.incoming().flatten().take_while(|_| !ends.load(Ordering::Relaxed));
            guests.for_each(|mut guest| guest.write_all(format!("I am {port}\n").as_bytes()).unwrap());
        });
        Ok(Greeter { port, is_over, thread: Some(thread) })
    }
}

impl Drop for Greeter {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        self.thread.take().map(JoinHandle::join).transpose().unwrap();
    }
}

#[test]
fn a_port_without_a_process_is_a_place_like_any_other() {
    let client = simple(
        "python3 -c 'import socket, sys; print(socket.create_connection((\"127.0.0.1\", {fake.port})).recv(99))'",
    );
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        return pkit_test_tests::left_out::because("python3 is not installed");
    }
    let stack = orchestra().with("client", client.may_exit()).with("early", echo("{&fake.addr}")).with("fake", Fake);
    let stack = stack.start().unwrap();
    let port = stack.get::<Greeter>("fake").port;
    assert_eq!(said(&stack["early"]), format!("127.0.0.1:{port}"));
    assert_eq!(said(&stack["client"]), format!("b'I am {port}\\n'"));
}

#[test]
fn a_fake_by_itself_holds_its_port_with_its_ground() {
    struct Holds;
    impl Executor for Holds {
        type Handle = (Ground, u16);
        fn start_on(self, ground: &Ground) -> Result<(Ground, u16)> {
            Ok((ground.clone(), ground.port()?))
        }
    }
    let (ground, port) = Holds.start().unwrap();
    let wants_it = || tcp("sleep 60", port);
    let error = wants_it().start_timeout(Duration::from_millis(50)).spawn().unwrap_err();
    assert!(error.is_port_taken(), "{error}");
    drop(ground);
    wants_it().spawn().unwrap();
}

#[test]
fn what_a_ground_has_reserved_is_that_of_the_spec_it_starts() {
    struct Configured(Spec);
    impl Executor for Configured {
        type Handle = (u16, u16, PathBuf, Process);
        fn start_on(self, ground: &Ground) -> Result<Self::Handle> {
            let directory = ground.dir()?;
            let (port, admin) = (ground.port()?, ground.port_of("admin")?);
            fs::write(directory.join("config"), format!("{port} {admin}\n")).unwrap();
            Ok((port, admin, directory, ground.start(self.0)?))
        }
        fn process(handle: &Self::Handle) -> Option<&Process> {
            Some(&handle.3)
        }
    }
    let slow = child("slow");
    let spec = tcp(format!("sh -c 'cat {{dir}}/config; exec {}'", slow.with("0 {port}")), 0);
    let stack = orchestra().with("client", echo("{app.port} {app.port.admin}")).with("app", Configured(spec));
    let stack = stack.start().unwrap();
    let (port, admin, directory, process): &(u16, u16, PathBuf, Process) = stack.get("app");
    assert_eq!((process.port(), process.port_of("admin"), process.dir()), (*port, *admin, directory.as_path()));
    assert_eq!(process.stdout(), format!("{port} {admin}\n"));
    assert_eq!(said(&stack["client"]), format!("{port} {admin}"));
    process.restart(Restart::Forced).unwrap();
    let directory = directory.clone();
    drop(stack);
    assert!(!directory.exists());
}
