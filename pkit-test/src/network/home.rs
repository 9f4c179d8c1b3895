//! The thread that has never left: it makes what is for all tests of a process, wherever the test is that needs it.

use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sys::signal::{SigSet, SigmaskHow};

use super::Network;
use crate::sync::lock;
use crate::sys::child::own_pid;

type Job = Box<dyn FnOnce() + Send>;

/// With the process that it is of: a fork has no threads.
static HOME: Mutex<Option<(Sender<Job>, i32)>> = Mutex::new(None);

/// Makes sure that there is one, before anybody leaves.
pub(super) fn keep() -> io::Result<()> {
    let mut home = lock(&HOME);
    if Network::here().is_none() && home.as_ref().is_none_or(|(_, pid)| *pid != own_pid()) {
        *home = Some((start()?, own_pid()));
    }
    Ok(())
}

/// It takes no signal that a handler of the test waits for.
fn start() -> io::Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let builder = thread::Builder::new().name("pkit-home".to_owned());
    let spawned = builder.spawn(move || jobs.into_iter().for_each(|job| job()));
    before.thread_set_mask()?;
    spawned.map(|_| sender)
}

/// Does something where no test is. It must not panic.
pub(crate) fn at_home<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let sender = Network::here().and_then(|_| lock(&HOME).as_ref().filter(|(_, pid)| *pid == own_pid()).cloned());
    let Some((sender, _)) = sender else { return work() };
    let (tell, told) = channel();
    let job = Box::new(move || {
        // Whoever asked waits for it.
        let _ = tell.send(work());
    });
    sender.send(job).expect("that thread ends only with the process");
    told.recv().expect("that thread ends only with the process")
}
