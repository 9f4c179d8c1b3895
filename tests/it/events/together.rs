//! Several of them on one spec, below the attribute, and in async tests.

use pkit_test::ready::{File, Notify, Output, UnixSocket};
use pkit_test::{Process, Spec, bin, file, notify, sh, unix, with_processes};

use crate::child::child;

#[test]
fn all_of_them_have_to_hold() {
    let (server, notifier) = (child("unix_server"), child("notifier"));
    let script = format!(
        "{} & sleep 0.01; echo up; touch {{dir}}/f; exec {}",
        server.with("{dir}/s --ms 30"),
        notifier.with("--ms 20 READY=1")
    );
    let process = Spec::new(sh(script))
        .ready(Notify::ready())
        .ready(File::at("{dir}/f"))
        .ready(UnixSocket::at("{dir}/s"))
        .ready(Output::stdout("^up$"))
        .start()
        .unwrap();
    assert!(std::os::unix::net::UnixStream::connect(process.dir().join("s")).is_ok());
}

#[with_processes(
    server = unix(bin!("unix_server").args("{dir}/s --ms 5"), "{dir}/s"),
    asks = file(sh("test -S {server.dir}/s && touch {dir}/asked; exec sleep 60"), "{dir}/asked"),
)]
#[test]
fn below_the_attribute(server: &Process, asks: &Process) {
    assert!(server.dir().join("s").exists() && asks.dir().join("asked").exists());
}

#[with_processes(service = notify(bin!("notifier").args("--ms 5 READY=1")))]
#[tokio::test]
async fn in_an_async_test(service: Process) {
    assert!(service.is_alive());
}
