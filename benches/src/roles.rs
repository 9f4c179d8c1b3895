//! What this program is when it is started as one of its own children.
//!
//! `cargo run` builds one program, so the little server and all others are this one in another role. Both sides of a
//! comparison run the same one. No role outlives [`LIFE_S`], whatever becomes of the benches.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::clock;
use crate::outcome::Outcome;
use crate::peers::{Kit, Wrap};
use crate::simple;
use crate::stamps::Stamper;

mod forks;
mod grown;
mod shared;

/// The first argument of a child.
pub(crate) const FLAG: &str = "--role";

/// What the banner role writes when it is up.
pub(crate) const BANNER: &str = "listening";

const LIFE_S: u32 = 300;

/// Who a child is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Boots so long, listens, says when, and serves. A text, since the port may be a hole.
    Server {
        port: String,
        boot_us: u64,
        stamps: PathBuf,
    },
    /// Boots so long, writes a banner, and says when it did.
    Banner {
        boot_us: u64,
        stamps: PathBuf,
    },
    /// Boots so long, listens on a unix socket, says when, and serves. A text, since the path may have a hole.
    UnixServer {
        path: String,
        boot_us: u64,
        stamps: PathBuf,
    },
    /// Boots so long, makes a file, and says when it did.
    Maker {
        path: String,
        boot_us: u64,
        stamps: PathBuf,
    },
    /// Boots so long, writes that it is ready to the socket that its environment names, and says when it did.
    Notifier {
        boot_us: u64,
        stamps: PathBuf,
    },
    /// Says that it is there, and does nothing.
    Idle {
        stamps: PathBuf,
    },
    /// Gives back what it is given: standard input to standard output.
    Echo,
    /// Forks so many times, and prints after what time each child ran.
    Forks {
        samples: usize,
    },
    /// Starts the first process of its life, and prints how long it took.
    First {
        ours: bool,
    },
    /// Takes a lease of what its run shares, or connects to whoever listens there, and prints how long it took.
    Lease {
        ours: bool,
        socket: PathBuf,
    },
    /// A test that needs a server: that of its run, or one of its own.
    Test {
        shares: bool,
    },
    /// Starts so many sleeps with pkit-test, says that they are up, and waits for its own end.
    Owner {
        sleeps: usize,
        stamps: PathBuf,
    },
    /// The same with one service that has so many daemons.
    OwnerOfDaemons {
        daemons: usize,
        stamps: PathBuf,
    },
    /// A service whose daemons outlive their parent and leave its session.
    Daemonizer {
        daemons: usize,
        stamps: PathBuf,
    },
    /// Their parent, which ends at once.
    Parent {
        daemons: usize,
        stamps: PathBuf,
    },
    Daemon {
        stamps: PathBuf,
    },
    /// A service with so many processes, itself included, all in one session and group.
    Tree {
        processes: usize,
        stamps: PathBuf,
    },
    /// Grows to so many megabytes, starts one process after the other in every way there is, and prints what each took.
    Grown {
        megabytes: usize,
        samples: usize,
    },
    /// Starts a service that has so many daemons by a peer, and waits for its own end.
    OwnerByPeer {
        peer: RustPeer,
        daemons: usize,
        stamps: PathBuf,
    },
}

/// A crate for the same work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RustPeer {
    Wrap,
    Kit,
}

impl Role {
    /// The arguments that make a child play it.
    pub(crate) fn words(&self) -> Vec<String> {
        let (name, number, path) = match self {
            Role::Server { port, boot_us, stamps } => {
                return words(&["server", &boot_us.to_string(), &stamps.to_string_lossy(), port]);
            }
            Role::UnixServer { path, boot_us, stamps } => {
                return words(&["unix-server", &boot_us.to_string(), &stamps.to_string_lossy(), path]);
            }
            Role::Maker { path, boot_us, stamps } => {
                return words(&["maker", &boot_us.to_string(), &stamps.to_string_lossy(), path]);
            }
            Role::Banner { boot_us, stamps } => ("banner", *boot_us, stamps),
            Role::Notifier { boot_us, stamps } => ("notifier", *boot_us, stamps),
            Role::Idle { stamps } => ("idle", 0, stamps),
            Role::Echo => return words(&["echo", "0", "-"]),
            Role::Forks { samples } => return words(&["forks", &samples.to_string(), "-"]),
            Role::First { ours } => return words(&["first", if *ours { "1" } else { "0" }, "-"]),
            Role::Lease { ours, socket } => ("lease", u64::from(*ours), socket),
            Role::Test { shares } => return words(&["test", if *shares { "1" } else { "0" }, "-"]),
            Role::Owner { sleeps, stamps } => ("owner", *sleeps as u64, stamps),
            Role::OwnerOfDaemons { daemons, stamps } => ("owner-of-daemons", *daemons as u64, stamps),
            Role::Daemonizer { daemons, stamps } => ("daemonizer", *daemons as u64, stamps),
            Role::Parent { daemons, stamps } => ("parent", *daemons as u64, stamps),
            Role::Daemon { stamps } => ("daemon", 0, stamps),
            Role::Tree { processes, stamps } => ("tree", *processes as u64, stamps),
            Role::Grown { megabytes, samples } => {
                return words(&["grown", &megabytes.to_string(), &samples.to_string()]);
            }
            Role::OwnerByPeer { peer: RustPeer::Wrap, daemons, stamps } => ("owner-by-wrap", *daemons as u64, stamps),
            Role::OwnerByPeer { peer: RustPeer::Kit, daemons, stamps } => ("owner-by-kit", *daemons as u64, stamps),
        };
        words(&[name, &number.to_string(), &path.to_string_lossy()])
    }

    fn parse(words: &[String]) -> Option<Role> {
        let [name, number, stamps, ..] = words else { return None };
        let stamps = PathBuf::from(stamps);
        let number: u64 = number.parse().ok()?;
        let count = usize::try_from(number).ok()?;
        Some(match name.as_str() {
            "server" => Role::Server { port: words.get(3)?.clone(), boot_us: number, stamps },
            "unix-server" => Role::UnixServer { path: words.get(3)?.clone(), boot_us: number, stamps },
            "maker" => Role::Maker { path: words.get(3)?.clone(), boot_us: number, stamps },
            "banner" => Role::Banner { boot_us: number, stamps },
            "notifier" => Role::Notifier { boot_us: number, stamps },
            "idle" => Role::Idle { stamps },
            "echo" => Role::Echo,
            "forks" => Role::Forks { samples: count },
            "first" => Role::First { ours: number == 1 },
            "lease" => Role::Lease { ours: number == 1, socket: stamps },
            "test" => Role::Test { shares: number == 1 },
            "owner" => Role::Owner { sleeps: count, stamps },
            "owner-of-daemons" => Role::OwnerOfDaemons { daemons: count, stamps },
            "daemonizer" => Role::Daemonizer { daemons: count, stamps },
            "parent" => Role::Parent { daemons: count, stamps },
            "daemon" => Role::Daemon { stamps },
            "tree" => Role::Tree { processes: count, stamps },
            "grown" => Role::Grown { megabytes: count, samples: stamps.to_str()?.parse().ok()? },
            "owner-by-wrap" => Role::OwnerByPeer { peer: RustPeer::Wrap, daemons: count, stamps },
            "owner-by-kit" => Role::OwnerByPeer { peer: RustPeer::Kit, daemons: count, stamps },
            _ => return None,
        })
    }
}

fn words(words: &[&str]) -> Vec<String> {
    [FLAG].iter().chain(words).map(|word| (*word).to_owned()).collect()
}

/// Plays the role that the words name.
pub(crate) fn play(words: &[String]) -> ExitCode {
    nix::unistd::alarm::set(LIFE_S);
    let played = Role::parse(words).ok_or_else(|| "this is no role of ours".into()).and_then(be);
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{words:?}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn be(role: Role) -> Outcome<()> {
    match role {
        Role::Server { port, boot_us, stamps } => serve(port.parse()?, boot_us, &stamps)?,
        Role::UnixServer { path, boot_us, stamps } => serve_unix(&path, boot_us, &stamps)?,
        Role::Maker { path, boot_us, stamps } => make_file(&path, boot_us, &stamps)?,
        Role::Banner { boot_us, stamps } => write_banner(boot_us, &stamps)?,
        Role::Notifier { boot_us, stamps } => notify(boot_us, &stamps)?,
        Role::Idle { stamps } => say_and_wait(&stamps)?,
        Role::Echo => drop(io::copy(&mut io::stdin().lock(), &mut io::stdout().lock())?),
        Role::Forks { samples } => forks::print_forks(samples)?,
        Role::First { ours } => print_first_start(ours)?,
        Role::Lease { ours, socket } => shared::print_lease(ours, &socket)?,
        Role::Test { shares } => shared::test(shares)?,
        Role::Owner { sleeps, stamps } => own_sleeps(sleeps, &stamps)?,
        Role::OwnerOfDaemons { daemons, stamps } => own_daemons(daemons, &stamps)?,
        Role::Daemonizer { daemons, stamps } => have_daemons(daemons, &stamps)?,
        Role::Parent { daemons, stamps } => spawn_daemons(daemons, &stamps)?,
        Role::Daemon { stamps } => {
            nix::unistd::setsid()?;
            say_and_wait(&stamps)?;
        }
        Role::Tree { processes, stamps } => be_a_tree(processes, &stamps)?,
        Role::Grown { megabytes, samples } => grown::print_starts(megabytes, samples)?,
        Role::OwnerByPeer { peer, daemons, stamps } => own_by_peer(peer, daemons, &stamps)?,
    }
    Ok(())
}

fn serve(port: u16, boot_us: u64, stamps: &Path) -> io::Result<()> {
    let mut stamper = Stamper::open(stamps)?;
    boot(boot_us);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let listens = clock::now_ns();
    stamper.say(listens)?;
    loop {
        drop(listener.accept()?);
    }
}

fn serve_unix(path: &str, boot_us: u64, stamps: &Path) -> io::Result<()> {
    let mut stamper = Stamper::open(stamps)?;
    boot(boot_us);
    let listener = UnixListener::bind(path)?;
    let listens = clock::now_ns();
    stamper.say(listens)?;
    loop {
        drop(listener.accept()?);
    }
}

fn make_file(path: &str, boot_us: u64, stamps: &Path) -> io::Result<()> {
    let mut stamper = Stamper::open(stamps)?;
    boot(boot_us);
    let made = clock::now_ns();
    std::fs::File::create(path)?;
    stamper.say(made)?;
    wait_for_ever()
}

fn notify(boot_us: u64, stamps: &Path) -> Outcome<()> {
    let mut stamper = Stamper::open(stamps)?;
    let manager = std::env::var_os("NOTIFY_SOCKET").ok_or("nobody is to be notified")?;
    let socket = UnixDatagram::unbound()?;
    boot(boot_us);
    let sent = clock::now_ns();
    socket.send_to(b"READY=1", manager)?;
    stamper.say(sent)?;
    Ok(wait_for_ever()?)
}

fn write_banner(boot_us: u64, stamps: &Path) -> io::Result<()> {
    let mut stamper = Stamper::open(stamps)?;
    boot(boot_us);
    let line = format!("{BANNER}\n");
    let written = clock::now_ns();
    io::stdout().lock().write_all(line.as_bytes())?;
    stamper.say(written)?;
    wait_for_ever()
}

fn boot(boot_us: u64) {
    if boot_us > 0 {
        clock::pause(Duration::from_micros(boot_us));
    }
}

fn say_and_wait(stamps: &Path) -> io::Result<()> {
    Stamper::open(stamps)?.say(clock::now_ns())?;
    wait_for_ever()
}

fn print_first_start(ours: bool) -> Outcome<()> {
    if ours {
        let (took_ms, process) = clock::timed(|| simple::ours().start());
        println!("{took_ms}");
        drop(process?);
    } else {
        let (took_ms, child) = clock::timed(simple::raw);
        println!("{took_ms}");
        drop(child?);
    }
    Ok(())
}

fn own_sleeps(sleeps: usize, stamps: &Path) -> Outcome<()> {
    let started: pkit_test::Result<Vec<_>> = (0..sleeps).map(|_| simple::ours().start()).collect();
    let _processes = started?;
    Ok(say_and_wait(stamps)?)
}

fn own_daemons(daemons: usize, stamps: &Path) -> Outcome<()> {
    let role = Role::Daemonizer { daemons, stamps: stamps.to_owned() };
    let _process = pkit_test::Spec::program(std::env::current_exe()?).args(role.words()).start()?;
    Ok(say_and_wait(stamps)?)
}

fn have_daemons(daemons: usize, stamps: &Path) -> io::Result<()> {
    let role = Role::Parent { daemons, stamps: stamps.to_owned() };
    Command::new(std::env::current_exe()?).args(role.words()).status()?;
    say_and_wait(stamps)
}

fn spawn_daemons(daemons: usize, stamps: &Path) -> io::Result<()> {
    let role = Role::Daemon { stamps: stamps.to_owned() };
    let program = std::env::current_exe()?;
    (0..daemons).try_for_each(|_| Command::new(&program).args(role.words()).spawn().map(drop))
}

fn be_a_tree(processes: usize, stamps: &Path) -> io::Result<()> {
    let role = Role::Idle { stamps: stamps.to_owned() };
    let program = std::env::current_exe()?;
    (1..processes).try_for_each(|_| Command::new(&program).args(role.words()).spawn().map(drop))?;
    // Who cannot start anything without a line of the log gets one.
    io::stdout().lock().write_all(format!("{BANNER}\n").as_bytes())?;
    say_and_wait(stamps)
}

fn own_by_peer(peer: RustPeer, daemons: usize, stamps: &Path) -> Outcome<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(Role::Daemonizer { daemons, stamps: stamps.to_owned() }.words());
    match peer {
        RustPeer::Wrap => drop_never(Wrap::spawn(command)?),
        RustPeer::Kit => drop_never(Kit::spawn(Kit::runtime()?, command)?),
    }
    Ok(say_and_wait(stamps)?)
}

/// It is to be killed while it has this, so that no destructor may run before.
fn drop_never<T>(value: T) {
    std::mem::forget(value);
}

fn wait_for_ever() -> io::Result<()> {
    loop {
        nix::unistd::pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_what_its_words_say() {
        let stamps = PathBuf::from("/tmp/stamps");
        let roles = [
            Role::Server { port: "80".to_owned(), boot_us: 5, stamps: stamps.clone() },
            Role::UnixServer { path: "/s".to_owned(), boot_us: 5, stamps: stamps.clone() },
            Role::Maker { path: "/f".to_owned(), boot_us: 5, stamps: stamps.clone() },
            Role::Banner { boot_us: 5, stamps: stamps.clone() },
            Role::Notifier { boot_us: 5, stamps: stamps.clone() },
            Role::Idle { stamps: stamps.clone() },
            Role::Echo,
            Role::Forks { samples: 7 },
            Role::First { ours: true },
            Role::First { ours: false },
            Role::Owner { sleeps: 3, stamps: stamps.clone() },
            Role::OwnerOfDaemons { daemons: 3, stamps: stamps.clone() },
            Role::Daemonizer { daemons: 3, stamps: stamps.clone() },
            Role::Parent { daemons: 3, stamps: stamps.clone() },
            Role::Daemon { stamps: stamps.clone() },
            Role::Tree { processes: 10, stamps: stamps.clone() },
            Role::Grown { megabytes: 100, samples: 7 },
            Role::OwnerByPeer { peer: RustPeer::Wrap, daemons: 3, stamps: stamps.clone() },
            Role::OwnerByPeer { peer: RustPeer::Kit, daemons: 3, stamps },
        ];
        for role in roles {
            assert_eq!(Role::parse(&role.words()[1..]), Some(role));
        }
        assert_eq!(Role::parse(&["nobody".to_owned(), "0".to_owned(), "-".to_owned()]), None);
    }
}
