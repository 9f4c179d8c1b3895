//! How long after what they wait for the other probes that wait for an event return, and what that costs.
//!
//! The child reads the clock right behind listen() on a unix socket, right before it makes a file, and right before it says
//! that it is ready. Beside ours is the same event waited for by hand.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use pkit_test::ready::{File, Notify, Ready, UnixSocket};

use super::ready::cpu_without_probe;
use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::raw::Raw;
use crate::roles::Role;
use crate::stamps::Stamps;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const PATH: &str = "{dir}/it";
const BOOT_MS: u64 = 20;
const SAMPLES: usize = 50;
const LAG_MS: f64 = 0.2;
const CPU_MS: f64 = 0.15;

#[derive(Clone, Copy)]
enum Event {
    Unix,
    File,
    Notify,
}

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let mut lag = Table::new("events: from the event to the return of start(), ms");
    let mut cpu = Table::new("events: CPU of this process in a start, ms");
    for event in [Event::Unix, Event::File, Event::Notify] {
        let seen = Seen::by_both(bench, event)?;
        let (what, by_hand) = event.names();
        lag = lag.line(Line::new(what, seen.lag_ms).minus(by_hand, seen.raw_lag_ms).budget(Budget::Ours(LAG_MS)));
        let line = Line::new(what, seen.cpu_ms).minus("without a probe", seen.no_probe_cpu_ms);
        cpu = cpu.line(line.budget(Budget::Difference(CPU_MS)));
    }
    Ok(vec![lag, cpu])
}

#[derive(Default)]
struct Seen {
    lag_ms: Samples,
    cpu_ms: Samples,
    no_probe_cpu_ms: Samples,
    raw_lag_ms: Samples,
}

impl Seen {
    fn by_both(bench: &Bench, event: Event) -> Outcome<Seen> {
        let mut stamps = bench.stamps()?;
        let mut seen = Seen::default();
        for _ in 0..bench.samples(SAMPLES) {
            let (lag_ms, cpu_ms) = by_us(bench, event, &mut stamps)?;
            seen.lag_ms.push(lag_ms);
            seen.cpu_ms.push(cpu_ms);
            // With a directory as well, which has its price.
            let plain = Role::Maker { path: PATH.to_owned(), boot_us: 0, stamps: stamps.path().to_owned() };
            seen.no_probe_cpu_ms.push(cpu_without_probe(bench, &plain, &mut stamps)?);
            seen.raw_lag_ms.push(by_hand(bench, event, &mut stamps)?);
        }
        Ok(seen)
    }
}

impl Event {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Event::Unix => ("a unix socket", "inotify and connect"),
            Event::File => ("a file", "inotify"),
            Event::Notify => ("READY=1", "read of a socket"),
        }
    }

    fn role(self, path: &str, stamps: &Stamps) -> Role {
        let (path, boot_us, stamps) = (path.to_owned(), clock::boot_us(BOOT_MS), stamps.path().to_owned());
        match self {
            Event::Unix => Role::UnixServer { path, boot_us, stamps },
            Event::File => Role::Maker { path, boot_us, stamps },
            Event::Notify => Role::Notifier { boot_us, stamps },
        }
    }

    fn probe(self, path: &str) -> Ready {
        match self {
            Event::Unix => UnixSocket::at(path).into(),
            Event::File => File::at(path).into(),
            Event::Notify => Notify::ready().into(),
        }
    }
}

fn by_us(bench: &Bench, event: Event, stamps: &mut Stamps) -> Outcome<(f64, f64)> {
    let spec = bench.spec(&event.role(PATH, stamps)).ready(event.probe(PATH));
    let cpu = clock::cpu_ms();
    let process = spec.start()?;
    let (ended, cpu_ms) = (clock::now_ns(), clock::cpu_ms() - cpu);
    let lag_ms = clock::between_ms(stamps.next()?, ended);
    drop(process);
    Ok((lag_ms, cpu_ms))
}

fn by_hand(bench: &Bench, event: Event, stamps: &mut Stamps) -> Outcome<f64> {
    let directory = bench.scratch().join(format!("{:x}", clock::random()));
    std::fs::create_dir(&directory)?;
    let path = directory.join("it");
    let mut command = bench.command(&event.role(&path.to_string_lossy(), stamps));
    // To close it takes 15 ms, which nobody need wait for.
    let watch = watch(&directory)?;
    let socket = if matches!(event, Event::Notify) { Some(UnixDatagram::bind(&path)?) } else { None };
    let child = Raw::spawn(command.env("NOTIFY_SOCKET", &path))?;
    match &socket {
        Some(socket) => drop(socket.recv(&mut [0; 64])?),
        None => {
            while !is_there(event, &path) {
                wait_for(&watch)?;
            }
        }
    }
    let ended = clock::now_ns();
    let lag_ms = clock::between_ms(stamps.next()?, ended);
    drop((child, watch));
    Ok(lag_ms)
}

fn watch(directory: &Path) -> io::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    inotify.add_watch(directory, AddWatchFlags::IN_CREATE)?;
    Ok(inotify)
}

/// Between bind() and listen() there is no event: then the next look comes soon.
fn wait_for(watch: &Inotify) -> io::Result<()> {
    const SOON_MS: u8 = 1;
    if poll(&mut [PollFd::new(watch.as_fd(), PollFlags::POLLIN)], PollTimeout::from(SOON_MS))? > 0 {
        watch.read_events()?;
    }
    Ok(())
}

fn is_there(event: Event, path: &Path) -> bool {
    match event {
        Event::Unix => UnixStream::connect(path).is_ok(),
        Event::File | Event::Notify => path.exists(),
    }
}
