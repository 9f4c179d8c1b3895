//! What one test has of a shared server: a number, a name that nobody else has, and the way to the server.
//!
//! It is data, so that it can be written into a command and sent to a function: what a test has made is undone when there is
//! no test any more.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::template::Hole;

/// The place of one test at a shared server: what [`each`](super::Shared::each) gives to make and undo.
///
/// No two tests that hold the server at one time have the same [slot](Seat::slot), and no two tests of the whole run have the same
/// [id](Seat::id), whatever server they hold. It is a value: it can be cloned, and a function of the feature `function` that undoes
/// is called with it.
///
/// ```
/// use pkit_test::{Process, View, simple, tcp, with_processes};
///
/// struct Prefix(String);
///
/// #[with_processes(server = tcp("python3 -m http.server --bind {host} {port}", 0).shared().each(
///     |_: &Process, seat| Ok::<_, String>(Prefix(format!("{}:", seat.id()))),
///     simple("true"),
/// ))]
/// fn has_a_seat(server: View<Prefix>) {
///     let seat = server.seat();
///     assert!(seat.id().starts_with("test_") && seat.id().len() < 32);
///     assert_eq!(server.0, format!("{}:", seat.id()));
///     assert_eq!(seat.addr(), server.shared().addr());
/// }
/// # has_a_seat();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Under which name the server was started.
    name: String,
    slot: u32,
    number: u64,
    id: String,
    /// What the holes of the server mean.
    values: BTreeMap<String, String>,
}

impl Seat {
    pub(super) fn new(
        name: &str,
        (slot, number): (u32, u64),
        values: impl IntoIterator<Item = (String, String)>,
    ) -> Seat {
        // It begins with a letter, and needs quotes in no language: a name of a database, of a user, of a host.
        Seat { name: name.to_owned(), slot, number, id: format!("test_{number}"), values: values.into_iter().collect() }
    }

    /// A small number that no other test has that holds this server now: 0 for the first one. For servers with numbered
    /// databases. It is given to another test when this one has let go of the server, and all it has made is undone.
    ///
    /// In holes it is `{slot}`.
    ///
    /// ```
    /// use pkit_test::{Error, simple, tcp};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port} --directory {dir}", 0).shared();
    /// let part = server.each(|_, seat| Ok::<_, Error>(seat.clone()), simple("true")).start()?;
    /// assert_eq!(Some(part.slot()), part.shared().slot());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// A name that no other test of the run has, or has had: of small letters, digits and `_`, with a letter first, and short enough
    /// for a database or a user.
    ///
    /// In holes it is `{seat}`.
    ///
    /// ```
    /// use pkit_test::{Error, simple, tcp};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port} --directory {dir}", 0).shared();
    /// let part = server.each(|_, seat| Ok::<_, Error>(seat.clone()), simple("true")).start()?;
    /// assert!(part.id().chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Under which name the test has the shared server.
    ///
    /// ```
    /// use pkit_test::{Error, simple, tcp};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port} --directory {dir}", 0).shared();
    /// let part = server.each(|_, seat| Ok::<_, Error>(seat.clone()), simple("true")).start()?;
    /// assert_eq!(part.name(), part.shared().name());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port of the server.
    ///
    /// ```
    /// use pkit_test::{Error, simple, tcp};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port} --directory {dir}", 0).shared();
    /// let part = server.each(|_, seat| Ok::<_, Error>(seat.clone()), simple("true")).start()?;
    /// assert_eq!(part.port(), part.shared().port());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it has none, or is more than one process.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// The address of the server.
    ///
    /// ```
    /// use pkit_test::{Error, simple, tcp};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port} --directory {dir}", 0).shared();
    /// let part = server.each(|_, seat| Ok::<_, Error>(seat.clone()), simple("true")).start()?;
    /// assert!(std::net::TcpStream::connect(part.addr()).is_ok());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`port`](Seat::port).
    #[must_use]
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.value("addr").parse().expect("an address is written as one")
    }

    /// A URL at the server: `seat.url("/health")`.
    ///
    /// ```
    /// use pkit_test::{Error, simple, tcp};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port} --directory {dir}", 0).shared();
    /// let part = server.each(|_, seat| Ok::<_, Error>(seat.clone()), simple("true")).start()?;
    /// assert_eq!(part.url("/health"), part.shared().url("/health"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`port`](Seat::port).
    #[must_use]
    #[track_caller]
    pub fn url(&self, path: &str) -> String {
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("http://{}{slash}{path}", self.addr())
    }

    /// The private directory of the server.
    ///
    /// ```
    /// use pkit_test::{Error, simple, tcp};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port} --directory {dir}", 0).shared();
    /// let part = server.each(|_, seat| Ok::<_, Error>(seat.clone()), simple("true")).start()?;
    /// assert_eq!(part.dir(), part.shared().dir());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When it is not one process.
    #[must_use]
    #[track_caller]
    pub fn dir(&self) -> &Path {
        Path::new(self.value("dir"))
    }

    /// What a hole of the server means: `"port.peer"`, `"password"` where its executor has such a value, `"db.addr"` where it is
    /// an orchestra.
    ///
    /// ```
    /// use pkit_test::{Error, simple, tcp};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let server = tcp("python3 -m http.server --bind {host} {port} --directory {dir}", 0).shared();
    /// let part = server.each(|_, seat| Ok::<_, Error>(seat.clone()), simple("true")).start()?;
    /// assert_eq!(part.value("addr"), part.addr().to_string());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn value(&self, key: &str) -> &str {
        match self.values.get(key) {
            Some(value) => value,
            None => panic!("`{}` has no `{key}`, but {}", self.name, self.keys()),
        }
    }

    /// What a hole means in what undoes: those of the server are its own there.
    pub(super) fn fill(&self, hole: &Hole) -> Result<String> {
        let key = hole.path.join(".");
        let why = match (hole.name(), self.values.get(&key)) {
            ("seat", _) if key == "seat" => return Ok(self.id.clone()),
            ("slot", _) if key == "slot" => return Ok(self.slot.to_string()),
            ("env", _) => return variable(&hole.rest()).map_err(|why| self.meaningless(hole, why)),
            (_, Some(value)) => return Ok(value.clone()),
            (_, None) => format!("`{}` has no `{key}`, but seat, slot, {}", self.name, self.keys()),
        };
        let hint = "what undoes runs when the test is gone, so that it knows nothing but the shared server";
        Err(self.meaningless(hole, why).fact("hint", hint))
    }

    fn meaningless(&self, hole: &Hole, why: String) -> Error {
        Error::new(Kind::Spec, format!("`{}` was not started: {} means nothing in its undo", self.name, hole.text))
            .fact("why", why)
    }

    fn keys(&self) -> String {
        if self.values.is_empty() {
            "nothing".to_owned()
        } else {
            self.values.keys().cloned().collect::<Vec<_>>().join(", ")
        }
    }
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| match name {
        "" => "it needs a name, as in {env.HOME}".to_owned(),
        name => format!("the variable `{name}` is not set, or no UTF-8"),
    })
}

#[cfg(feature = "function")]
mod travel {
    //! How a seat gets to a function that undoes, in another process.

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Seat;
    use crate::parcel::PeerAddress;

    type Written = (String, u32, u64, Vec<(String, String)>);

    impl Serialize for Seat {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let values: Vec<(&String, &String)> = self.values.iter().collect();
            (&self.name, self.slot, self.number, values).serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Seat {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seat, D::Error> {
            let (name, slot, number, values) = Written::deserialize(deserializer)?;
            Ok(Seat::new(&name, (slot, number), values))
        }
    }

    impl Seat {
        /// What `current()` says in a function that undoes: it stands where the server does.
        pub(in crate::shared) fn address(&self) -> PeerAddress {
            let value = |key: &str| self.values.get(key).cloned().unwrap_or_default();
            let ports = self.values.iter().filter_map(|(key, number)| {
                let name = if key == "port" { "" } else { key.strip_prefix("port.")? };
                Some((name.to_owned(), number.parse().ok()?))
            });
            PeerAddress {
                name: self.name.clone(),
                host: value("host").parse().unwrap_or(super::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
                ports: ports.collect(),
                dir: value("dir").into(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    fn seat() -> Seat {
        let values = [
            ("addr", "127.0.0.1:4000"),
            ("port", "4000"),
            ("port.peer", "4001"),
            ("dir", "/d"),
            ("db.addr", "[::1]:1"),
        ];
        Seat::new("db", (2, 17), values.map(|(key, value)| (key.to_owned(), value.to_owned())))
    }

    fn filled(text: &str) -> Result<String> {
        Template::parse(text).render(&mut |hole| seat().fill(hole))
    }

    #[test]
    fn holes_are_those_of_the_server_and_two_more() {
        let text = filled("{seat} {slot} {addr} {port} {port.peer} {dir} {db.addr} {{seat}} {\"a\"}").unwrap();
        assert_eq!(text, "test_17 2 127.0.0.1:4000 4000 4001 /d [::1]:1 {seat} {\"a\"}");
    }

    #[test]
    fn what_is_not_of_the_server_means_nothing() {
        let error = filled("{api.port}").unwrap_err();
        assert!(error.is_spec());
        assert_eq!(
            error.to_string(),
            "`db` was not started: {api.port} means nothing in its undo\n  \
             why:    `db` has no `api.port`, but seat, slot, addr, db.addr, dir, port, port.peer\n  \
             hint:   what undoes runs when the test is gone, so that it knows nothing but the shared server"
        );
        assert!(
            filled("{env.PKIT_NO_SUCH_VARIABLE}")
                .unwrap_err()
                .to_string()
                .contains("`PKIT_NO_SUCH_VARIABLE` is not set")
        );
        assert!(filled("{env}").unwrap_err().to_string().ends_with("it needs a name, as in {env.HOME}"));
        assert!(filled("{seat.id}").is_err());
    }

    #[test]
    fn an_id_is_a_name_anywhere() {
        for number in [0, 9, u64::MAX] {
            let id = Seat::new("db", (0, number), []).id;
            assert!(id.len() <= 32 && id.starts_with(|c: char| c.is_ascii_lowercase()), "{id}");
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{id}");
        }
    }

    #[cfg(feature = "function")]
    #[test]
    fn a_seat_travels_whole() {
        let bytes = crate::function::encode(&seat()).unwrap();
        assert_eq!(crate::function::codec::read::<Seat>(&bytes).unwrap(), seat());
        let address = seat().address();
        assert_eq!((address.ports, address.dir), (vec![(String::new(), 4000), ("peer".to_owned(), 4001)], "/d".into()));
    }
}
