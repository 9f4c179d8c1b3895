//! Several of them on one spec, below the attribute, and in async tests.

use std::time::Duration;

use pkit_test::ready::{Exec, File, Notify, Output, Ready, UnixSocket, poll};
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

/// What was there when it was looked at, and is gone when the last of them holds.
#[test]
fn what_has_gone_meanwhile_is_waited_for_again() {
    let server = child("unix_server");
    let ends = format!("{} & n=$!", server.with("{dir}/s"));
    let lapses = [
        (format!("{ends}; sleep 0.1; kill -9 $n; wait $n"), UnixSocket::at("{dir}/s").into()),
        ("touch {dir}/f; sleep 0.1; rm {dir}/f".to_owned(), File::at("{dir}/f").into()),
        ("touch {dir}/f; sleep 0.1; rm {dir}/f".to_owned(), Exec::new("test -e {dir}/f").into()),
        ("touch {dir}/f; sleep 0.1; rm {dir}/f".to_owned(), poll(|view| view.dir().join("f").exists()).into()),
    ];
    for (script, probe) in lapses {
        let probe: Ready = probe;
        let spec = Spec::new(sh(format!("{script}; echo up; exec sleep 60"))).start_timeout(Duration::from_secs(1));
        let error = spec.ready(probe.clone()).ready(Output::any("^up$")).start().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        // In the other order it is the same to be waited for.
        let back =
            format!("{script}; rm -f {{dir}}/s; echo up; sleep 0.1; touch {{dir}}/f; exec {}", server.with("{dir}/s"));
        let process = Spec::new(sh(back)).ready(probe).ready(Output::any("^up$")).start().unwrap();
        assert!(process.dir().join("f").exists());
    }
}
