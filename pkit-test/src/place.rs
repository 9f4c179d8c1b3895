//! Where a process is: its ports, its address and its private directory, the same from start to start.
//!
//! A port of our choice is ours at once. A fixed one may be another test's for now, and is waited for by whoever holds
//! nothing that others wait for ([`Claim`]).

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::config::deadline_in;
use crate::error::{Error, Kind, Result};
use crate::guardian::client::{self, Guardian};
use crate::limits::MOVE_LIMIT;
use crate::network::Network;
use crate::port::{Note, Port, PortTrouble};
use crate::ready::Site;
use crate::sync::lock;
use crate::sys::directory;
use crate::sys::user::{self, User};

mod claim;

pub(crate) use claim::{Claim, hold_all};

/// What the user of a process may do in its directory, and nobody else.
const OWNERS: u32 = 0o700;

/// How much of a name is part of a path: the path of a unix socket has 107 bytes in all.
const NAME_BYTES: usize = 20;

/// How many guardians something is tried with. More than one in a row ends only where somebody has them end all the time.
const GUARDIANS: u32 = 5;

/// What a spec asks for.
#[derive(Debug, Default)]
pub(crate) struct Wish<'a> {
    pub(crate) host: Option<&'a str>,
    /// By name; 0 is any free port.
    pub(crate) ports: &'a [(String, u16)],
    pub(crate) user: Option<&'a str>,
    /// What was reserved under the same name before.
    pub(crate) base: Option<Arc<Place>>,
    /// Who is to hold it, where that is not the guardian of this process.
    pub(crate) guardian: Option<Arc<Guardian>>,
}

/// Where something is that somebody else has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) host: IpAddr,
    pub(crate) ports: Vec<(String, u16)>,
    pub(crate) directory: PathBuf,
}

/// The reserved place of one process.
pub(crate) struct Place {
    pub(crate) name: String,
    /// Larger than that of every place made before it in this process.
    pub(crate) number: u64,
    pub(crate) host: IpAddr,
    /// By name; the main port has none.
    pub(crate) ports: Vec<(String, u16)>,
    /// Those of them that the guardian holds for it. Another place may have the rest for now.
    held: Mutex<Vec<u16>>,
    /// What others can read of those that are fixed.
    notes: Mutex<Vec<Note>>,
    pub(crate) user: Option<User>,
    /// What was reserved under the same name before: its ports and its directory are those of this place.
    base: Option<Arc<Place>>,
    guardian: Mutex<Arc<Guardian>>,
    /// That of the network in which its ports are, or 0 where there is only one.
    network_id: u64,
    has_directory: Mutex<bool>,
    /// The directory where somebody else has made it.
    given: Option<PathBuf>,
    is_kept: AtomicBool,
}

impl Place {
    /// Reserves what is asked for and not reserved already, but for the ports of a fixed number: those are held when a
    /// [`Claim`] was met.
    pub(crate) fn reserve(name: &str, wish: &Wish<'_>) -> Result<Place> {
        let guardian = wish.guardian.clone().map_or_else(client::current, Ok)?;
        let mut place = Place::empty(name, parse_host(wish.host)?, guardian);
        place.user = wish.user.map(find_user).transpose()?;
        place.base.clone_from(&wish.base);
        place.network_id = Network::here().map_or(0, |network| network.id());
        let wants_other = |known: &(String, u16)| {
            wish.ports.iter().any(|(name, number)| *name == known.0 && ![0, known.1].contains(number))
        };
        place.ports.extend(wish.base.iter().flat_map(|base| base.ports.clone()).filter(|known| !wants_other(known)));
        for (name, number) in wish.ports {
            if place.port(name).is_some() {
                continue;
            }
            let any = (*number == 0).then(Port::any).transpose().map_err(|trouble| port_error(&trouble))?;
            place.ports.push((name.clone(), any.as_ref().map_or(*number, Port::number)));
            any.map_or(Ok(()), |port| place.hold(port))?;
        }
        Ok(place)
    }

    /// That of what somebody else has started: nothing of it is held here, and nothing goes with it.
    pub(crate) fn attached(name: &str, known: Known, user: Option<&str>, guardian: &Arc<Guardian>) -> Result<Place> {
        let Known { host, ports, directory } = known;
        let mut place = Place::empty(name, host, Arc::clone(guardian));
        place.user = user.map(find_user).transpose()?;
        (place.ports, place.given) = (ports, Some(directory));
        place.keep();
        Ok(place)
    }

    fn empty(name: &str, host: IpAddr, guardian: Arc<Guardian>) -> Place {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Place {
            name: name.to_owned(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            host,
            ports: Vec::new(),
            held: Mutex::default(),
            notes: Mutex::default(),
            user: None,
            base: None,
            guardian: Mutex::new(guardian),
            network_id: 0,
            has_directory: Mutex::new(false),
            given: None,
            is_kept: AtomicBool::new(false),
        }
    }

    /// What others have to know of it who attach to it. Its directory is made by now.
    pub(crate) fn known(&self) -> Result<Known> {
        Ok(Known { host: self.host, ports: self.ports.clone(), directory: self.directory()? })
    }

    /// Gives one of its ports to the guardian, until the place is gone.
    fn hold(&self, port: Port) -> Result<()> {
        // First the entry, so that an error below releases it.
        lock(&self.held).push(port.number());
        let guardian = Arc::clone(&lock(&self.guardian));
        guardian.hold(self.held_as(port.number()), port.into_hold()).or_else(|_| {
            guardian.wait_dead();
            // It moves to the next one with all that is held by now.
            self.guardian().map(drop)
        })
    }

    /// What the guardian knows a port by: each network has its own port 80.
    fn held_as(&self, port: u16) -> u64 {
        self.network_id << u16::BITS | u64::from(port)
    }

    /// Those of its ports that are not held yet.
    fn unheld(&self) -> Vec<u16> {
        let held = lock(&self.held);
        let own = self.ports.iter().filter(|(name, number)| self.base_port(name) != Some(*number));
        own.map(|(_, number)| *number).filter(|number| !held.contains(number)).collect()
    }

    /// What it shares with an earlier place is held by that.
    fn base_port(&self, name: &str) -> Option<u16> {
        self.base.as_ref()?.port(name)
    }

    /// The guardian that owns what is started here. A place whose guardian was killed moves to the next one, if there will be one.
    pub(crate) fn guardian(&self) -> Result<Arc<Guardian>> {
        let mut guardian = lock(&self.guardian);
        if guardian.is_dead() && !guardian.has_successor() {
            let title = format!("`{}` was not started: the guardian of what is shared is gone", self.name);
            return Err(Error::new(Kind::GuardianLost, title));
        }
        if guardian.is_dead() {
            self.base.as_ref().map_or(Ok(()), |base| base.guardian().map(drop))?;
            let next = client::current()?;
            // All of them or none: what only the next guardian held nobody would release.
            for port in claim::take_all(&lock(&self.held), deadline_in(MOVE_LIMIT))? {
                next.hold(self.held_as(port.number()), port.into_hold())?;
            }
            *lock(&self.has_directory) = self.path_below(next.directory()).is_dir();
            *guardian = next;
        }
        Ok(Arc::clone(&guardian))
    }

    /// Whether nobody listens on its ports, now that it does not.
    pub(crate) fn check_free(&self) -> Result<()> {
        self.ports.iter().try_for_each(|(_, number)| Port::check_free(*number)).map_err(|trouble| {
            let text = format!("`{}` was not started: {trouble}", self.name);
            Error::new(Kind::PortTaken, text)
        })
    }

    pub(crate) fn port(&self, name: &str) -> Option<u16> {
        self.ports.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }

    pub(crate) fn address(&self, name: &str) -> Option<SocketAddr> {
        self.port(name).map(|port| SocketAddr::new(self.host, port))
    }

    /// Whether that, as a spec says it, is its host.
    pub(crate) fn is_at(&self, host: Option<&str>) -> bool {
        parse_host(host).is_ok_and(|host| host == self.host)
    }

    pub(crate) fn site(&self, any_owner: bool) -> Site {
        Site { host: self.host, ports: self.ports.clone(), any_owner, served: Vec::new(), parcel: None }
    }

    /// Does something that needs a guardian. One that ends starts nothing any more, and removes what was made a moment ago: what
    /// fails while it does is done once more for the next one.
    pub(crate) fn by_guardian<R>(&self, act: impl Fn(&Arc<Guardian>) -> Result<R>) -> Result<R> {
        for _ in 1..GUARDIANS {
            let guardian = self.guardian()?;
            match act(&guardian) {
                Err(error) if is_own_mistake(&error) || !guardian.is_ending() => return Err(error),
                Err(_) => guardian.wait_dead(),
                done => return done,
            }
        }
        act(&self.guardian()?)
    }

    /// The private directory, made when somebody asks for it first.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        match &self.given {
            Some(given) => Ok(given.clone()),
            None => self.by_guardian(|guardian| self.directory_of(guardian)),
        }
    }

    fn directory_of(&self, guardian: &Guardian) -> Result<PathBuf> {
        let refused = |path: &Path, error| {
            Error::system(format_args!("`{}` got no directory {}", self.name, path.display()), error)
        };
        if let Some(base) = &self.base {
            let path = base.directory()?;
            self.take_over(&path, base).map_err(|error| refused(&path, error))?;
            return Ok(path);
        }
        let path = self.path_below(guardian.directory());
        let mut has_directory = lock(&self.has_directory);
        if !*has_directory {
            make_directory(guardian, &path, self.user.as_ref()).map_err(|error| refused(&path, error))?;
            *has_directory = true;
        }
        Ok(path)
    }

    /// The same where somebody has asked for it.
    pub(crate) fn made_directory(&self) -> Option<PathBuf> {
        let guardian = lock(&self.guardian);
        let made = lock(&self.has_directory).then(|| self.path_below(guardian.directory()));
        made.or_else(|| self.given.clone())
    }

    /// The directory of what was reserved before, for the user of this place.
    fn take_over(&self, path: &Path, base: &Place) -> io::Result<()> {
        let owner = |place: &Place| place.user.as_ref().map(|user| user.name.clone());
        let user = self.user.as_ref().filter(|_| owner(self) != owner(base));
        user.map_or(Ok(()), |user| user::give(path, user))
    }

    fn path_below(&self, outer: &Path) -> PathBuf {
        let end = (0..=NAME_BYTES.min(self.name.len())).rev().find(|end| self.name.is_char_boundary(*end)).unwrap_or(0);
        outer.join(format!("{}-{}", &self.name[..end], self.number))
    }

    /// What a hole of this place means, before anything runs here: `port`, `port.peer`, `host`, `addr`, `url`, `dir`.
    pub(crate) fn value(&self, key: &str) -> Option<Result<String>> {
        let (key, port) = key.split_once('.').unwrap_or((key, ""));
        match key {
            "port" => self.port(port).map(|port| Ok(port.to_string())),
            "addr" => self.address(port).map(|address| Ok(address.to_string())),
            "url" => self.address(port).map(|address| Ok(format!("http://{address}"))),
            "host" if port.is_empty() => Some(Ok(self.host.to_string())),
            "dir" if port.is_empty() => Some(self.directory().map(|dir| dir.display().to_string())),
            _ => None,
        }
    }

    /// The keys that have a value, for people who have written another one.
    pub(crate) fn keys(&self) -> Vec<String> {
        let of_port: &[&str] = if self.port("").is_some() { &["addr", "port", "url"] } else { &[] };
        [&["dir", "host"], of_port].concat().into_iter().map(str::to_owned).collect()
    }

    /// All that has a value, with it; but for a directory that cannot be made.
    pub(crate) fn values(&self) -> Vec<(String, String)> {
        let of_port = |name: &String| ["port", "addr", "url"].map(|key| join(key, name));
        let keys = self.ports.iter().flat_map(|(name, _)| of_port(name)).chain(["host", "dir"].map(str::to_owned));
        keys.filter_map(|key| Some((key.clone(), self.value(&key)?.ok()?))).collect()
    }

    /// Leaves ports and directory as they are, for people who look at what was kept.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
        self.base.iter().for_each(|base| base.keep());
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let guardian = lock(&self.guardian);
        if self.is_kept() || !guardian.is_ours() {
            return;
        }
        for number in lock(&self.held).drain(..) {
            guardian.release(self.held_as(number));
        }
        if *lock(&self.has_directory) {
            // What cannot be removed now is removed by the guardian at its end.
            let _ = directory::remove_all(&self.path_below(guardian.directory()));
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("name", &self.name).field("ports", &self.ports).finish_non_exhaustive()
    }
}

fn join(key: &str, name: &str) -> String {
    if name.is_empty() { key.to_owned() } else { format!("{key}.{name}") }
}

fn parse_host(host: Option<&str>) -> Result<IpAddr> {
    match host {
        None | Some("localhost") => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        Some(text) => {
            text.parse().map_err(|_| Error::new(Kind::Spec, format!("the host `{text}` is not an IP address")))
        }
    }
}

pub(crate) fn find_user(name: &str) -> Result<User> {
    let found =
        user::find(name).map_err(|error| Error::system(format_args!("the user `{name}` was not looked up"), error))?;
    let found = found.ok_or_else(|| Error::new(Kind::User, format!("there is no user `{name}` on this system")))?;
    if !user::may_change_user() && found.uid != user::own_uid() {
        return Err(Error::new(Kind::User, format!("only root can run a process as `{name}`")));
    }
    Ok(found)
}

fn port_error(trouble: &PortTrouble) -> Error {
    let kind = match trouble {
        PortTrouble::Taken { .. } | PortTrouble::HeldByTest { .. } => Kind::PortTaken,
        _ => Kind::NoPort,
    };
    Error::new(kind, trouble.to_string())
}

/// Whether it would be one with any guardian.
fn is_own_mistake(error: &Error) -> bool {
    matches!(error.kind(), Kind::Spec | Kind::State | Kind::User)
}

fn make_directory(guardian: &Guardian, path: &Path, user: Option<&User>) -> io::Result<()> {
    guardian.make_directory()?;
    DirBuilder::new().mode(OWNERS).create(path)?;
    // Whatever mask the test has.
    fs::set_permissions(path, Permissions::from_mode(OWNERS))?;
    user.map_or(Ok(()), |user| user::give(path, user))
}
