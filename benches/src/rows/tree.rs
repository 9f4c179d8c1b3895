//! The kill of a whole tree, and what is left of one with daemons when its owner is killed.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::bench::Bench;
use crate::children::wait_dead;
use crate::clock;
use crate::outcome::Outcome;
use crate::peers::{Kit, NOT_THERE, Python, Wrap};
use crate::procfs;
use crate::roles::{Role, RustPeer};
use crate::stamps::Stamps;
use crate::stats::Samples;
use crate::sys;
use crate::table::{Line, Table};

const SAMPLES: usize = 20;
const PROCESSES: [usize; 4] = [1, 10, 100, 1000];
const DAEMONS: usize = 10;

/// Whatever ends with its owner has ended by then: it is many times what the slowest takes.
const SETTLED_MS: u64 = 1_000;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    Ok(vec![kills(bench)?, leftovers(bench)?])
}

fn kills(bench: &Bench) -> Outcome<Table> {
    let mut table = Table::new("tree: from kill() until it has returned and all processes of the tree are dead, ms");
    let mut mechanism = String::new();
    for processes in PROCESSES.into_iter().take(if bench.is_quick() { 3 } else { 4 }) {
        let mut seen = Seen { bench, processes, ways: Default::default() };
        let mut peers = [Python::start(bench, "mirakuru")?, Python::start(bench, "xprocess")?];
        for _ in 0..bench.samples(SAMPLES).min(2_000 / processes) {
            mechanism = seen.all(&mut peers)?;
        }
        table = table.line(seen.line(&peers));
    }
    let table = table.note(format!("processkit contains by: {mechanism}"));
    Ok(if Python::start(bench, "mirakuru")?.is_some() { table } else { table.note(NOT_THERE) })
}

/// All ways to kill one kind of tree.
struct Seen<'a> {
    bench: &'a Bench,
    processes: usize,
    ways: [Samples; 6],
}

impl Seen<'_> {
    /// One sample of each way after the other.
    fn all(&mut self, peers: &mut [Option<Python>; 2]) -> Outcome<String> {
        self.ours()?;
        self.raw()?;
        self.wrap()?;
        let mechanism = self.kit()?;
        for (index, peer) in peers.iter_mut().enumerate() {
            if let Some(python) = peer {
                self.python(4 + index, python)?;
            }
        }
        Ok(mechanism)
    }

    fn line(&self, peers: &[Option<Python>; 2]) -> Line {
        let [ours, raw, wrap, kit, mirakuru, xprocess] = self.ways.clone();
        let line = Line::new(format!("{} processes", self.processes), ours).over("killpg, pidfds", raw);
        let line = line.over("process-wrap", wrap).over("processkit", kit);
        match peers {
            [Some(_), Some(_)] => line.over("mirakuru", mirakuru).over("pytest-xprocess", xprocess),
            _ => line,
        }
    }

    fn ours(&mut self) -> Outcome<()> {
        let mut stamps = self.bench.stamps()?;
        let process = self.bench.spec(&self.role(&stamps)).start()?;
        let tree = self.tree(&mut stamps)?;
        let began = clock::now_ns();
        process.kill()?;
        self.all_dead(0, began, &tree)
    }

    fn raw(&mut self) -> Outcome<()> {
        let mut stamps = self.bench.stamps()?;
        let mut command = self.command(&stamps);
        command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        let tree = self.tree(&mut stamps)?;
        let began = clock::now_ns();
        killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL)?;
        child.wait()?;
        self.all_dead(1, began, &tree)
    }

    fn wrap(&mut self) -> Outcome<()> {
        let mut stamps = self.bench.stamps()?;
        let mut child = Wrap::spawn(self.command(&stamps))?;
        let tree = self.tree(&mut stamps)?;
        let began = clock::now_ns();
        child.kill()?;
        self.all_dead(2, began, &tree)
    }

    fn kit(&mut self) -> Outcome<String> {
        let mut stamps = self.bench.stamps()?;
        let mut kit = Kit::spawn(Kit::runtime()?, self.command(&stamps))?;
        let tree = self.tree(&mut stamps)?;
        let began = clock::now_ns();
        kit.kill()?;
        self.all_dead(3, began, &tree)?;
        Ok(kit.mechanism())
    }

    fn python(&mut self, way: usize, python: &mut Python) -> Outcome<()> {
        let mut stamps = self.bench.stamps()?;
        python.up(None, &self.command(&stamps))?;
        let tree = self.tree(&mut stamps)?;
        python.tell_to("kill")?;
        wait_dead(&tree)?;
        let dead = clock::now_ns();
        let call = python.answer()?;
        self.ways[way].push(clock::between_ms(call.began_ns, dead.max(call.ended_ns)));
        Ok(())
    }

    fn role(&self, stamps: &Stamps) -> Role {
        Role::Tree { processes: self.processes, stamps: stamps.path().to_owned() }
    }

    fn command(&self, stamps: &Stamps) -> std::process::Command {
        self.bench.command(&self.role(stamps))
    }

    /// Descriptors of all its processes, when they are up.
    fn tree(&self, stamps: &mut Stamps) -> Outcome<Vec<OwnedFd>> {
        (0..self.processes).try_for_each(|_| stamps.next().map(drop))?;
        let pids = procfs::with_argument(&stamps.path().to_string_lossy());
        let tree: Vec<OwnedFd> = pids.into_iter().map(sys::pidfd).collect::<Result<_, _>>()?;
        match tree.len() == self.processes {
            true => Ok(tree),
            false => Err(format!("{} processes instead of {}", tree.len(), self.processes).into()),
        }
    }

    fn all_dead(&mut self, way: usize, began: u64, tree: &[OwnedFd]) -> Outcome<()> {
        wait_dead(tree)?;
        self.ways[way].push(clock::since_ms(began));
        Ok(())
    }
}

/// How many processes outlive the SIGKILL of whoever started them.
fn leftovers(bench: &Bench) -> Outcome<Table> {
    let title = format!("tree: left of a service with {DAEMONS} daemons after the SIGKILL of its owner, processes");
    let left = |role: fn(&Stamps) -> Role| left_by(bench, role);
    let ours = left(|stamps| Role::OwnerOfDaemons { daemons: DAEMONS, stamps: stamps.path().to_owned() })?;
    let wrap = left(|stamps| by_peer(RustPeer::Wrap, stamps))?;
    let kit = left(|stamps| by_peer(RustPeer::Kit, stamps))?;
    let mut line = Line::new("left", ours).minus("process-wrap", wrap).minus("processkit", kit);
    if let Some(mirakuru) = left_by_mirakuru(bench)? {
        line = line.minus("mirakuru", mirakuru);
    }
    Ok(Table::new(title).line(line))
}

fn by_peer(peer: RustPeer, stamps: &Stamps) -> Role {
    Role::OwnerByPeer { peer, daemons: DAEMONS, stamps: stamps.path().to_owned() }
}

fn left_by(bench: &Bench, role: fn(&Stamps) -> Role) -> Outcome<Samples> {
    let mut stamps = bench.stamps()?;
    let mut command = bench.command(&role(&stamps));
    command.env("PKIT_DIR", bench.scratch()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut owner = command.spawn()?;
    // Each daemon says that it is there, then their service and the owner do.
    let up = (0..DAEMONS + 2).try_for_each(|_| stamps.next().map(drop));
    owner.kill()?;
    owner.wait()?;
    up?;
    count_and_clear(&stamps)
}

fn left_by_mirakuru(bench: &Bench) -> Outcome<Option<Samples>> {
    let mut stamps = bench.stamps()?;
    let Some(mut python) = Python::start(bench, "mirakuru")? else { return Ok(None) };
    let role = Role::Daemonizer { daemons: DAEMONS, stamps: stamps.path().to_owned() };
    python.up(None, &bench.command(&role))?;
    (0..=DAEMONS).try_for_each(|_| stamps.next().map(drop))?;
    python.die()?;
    count_and_clear(&stamps).map(Some)
}

/// They are ours, known by a path that nobody else has; the descriptor is taken before they are looked at again.
fn count_and_clear(stamps: &Stamps) -> Outcome<Samples> {
    clock::pause(std::time::Duration::from_millis(SETTLED_MS));
    let left = procfs::with_argument(&stamps.path().to_string_lossy());
    for pid in &left {
        let pidfd = sys::pidfd(*pid)?;
        nix::sys::signal::kill(Pid::from_raw(*pid), Signal::SIGKILL)?;
        wait_dead(&[pidfd])?;
    }
    Ok([left.len() as f64].into_iter().collect())
}
