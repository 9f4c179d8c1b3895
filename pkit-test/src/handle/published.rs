//! What others need to know of a process that this one has started, so that they have the same handle of it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::core::Core;
use crate::error::Result;
use crate::guardian::protocol::{read_path, read_string, write_path};
use crate::guardian::wire::{Reader, Writer};
use crate::place::Known;

/// What a part begins with that is a process: there are others, of values.
const PROCESS: u64 = 1;

/// All of it but what its events say, which everybody hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) run: u32,
    /// The same where its end is the end of all of it, as the broker wants it.
    pub(crate) vital: Option<u32>,
    pub(crate) log: PathBuf,
    pub(crate) ran: String,
    pub(crate) ready_after: Duration,
    pub(crate) starts: u32,
    /// When the run was ordered, since the beginning of 1970.
    pub(crate) born: Duration,
    pub(crate) known: Known,
}

impl Published {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let numbers = [
            self.run.into(),
            self.vital.map_or(NONE, u64::from),
            micros(self.ready_after),
            self.starts.into(),
            micros(self.born),
        ];
        let fields = numbers.into_iter().fold(Writer::default().number(PROCESS), Writer::number);
        let fields = write_path(fields, &self.log).text(self.ran.as_bytes());
        let fields = write_path(fields, &self.known.directory).text(self.known.host.to_string().as_bytes());
        let ports = &self.known.ports;
        let fields = fields.number(ports.len() as u64);
        ports.iter().fold(fields, |fields, (name, port)| fields.text(name.as_bytes()).number((*port).into())).done()
    }

    /// `None` for what is none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Published> {
        let mut fields = Reader::new(bytes);
        let fields = &mut fields;
        if fields.number()? != PROCESS {
            return None;
        }
        let run = u32::try_from(fields.number()?).ok()?;
        let vital = u32::try_from(fields.number()?).ok();
        let ready_after = Duration::from_micros(fields.number()?);
        let starts = u32::try_from(fields.number()?).ok()?;
        let born = Duration::from_micros(fields.number()?);
        let (log, ran) = (read_path(fields)?, read_string(fields)?);
        let directory = read_path(fields)?;
        let host: IpAddr = read_string(fields)?.parse().ok()?;
        let count = fields.number()?;
        let port = |_| Some((read_string(fields)?, u16::try_from(fields.number()?).ok()?));
        let ports = (0..count).map(port).collect::<Option<_>>()?;
        let known = Known { host, ports, directory };
        Some(Published { run, vital, log, ran, ready_after, starts, born, known })
    }

    /// How long ago the run was ordered.
    pub(crate) fn age(&self) -> Duration {
        // A clock that was set back has not made it younger than new.
        now().saturating_sub(self.born)
    }
}

/// What stands for an id that there is not.
const NONE: u64 = u64::MAX;

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

impl Core {
    /// What others need who are to have it as well. It is ready.
    ///
    /// # Errors
    ///
    /// When its directory cannot be made, or it was never started.
    pub(crate) fn published(&self) -> Result<Vec<u8>> {
        let run = self.run_or_error("share it")?;
        let known = self.place().known()?;
        let vital = self.vital_run();
        let published = self.life(|life| Published {
            run: run.id(),
            vital,
            log: run.log().to_owned(),
            ran: life.ran.clone(),
            ready_after: life.ready_after.unwrap_or_default(),
            starts: life.starts,
            born: now().saturating_sub(run.age()),
            known,
        });
        Ok(published.to_bytes())
    }

    /// Leaves it to others: dropping its handle has no effect any more, on the process, its place and its output.
    pub(crate) fn hand_over(&self) {
        self.place().keep();
        self.change_life(|life| {
            (life.was_dropped, life.is_retired) = (true, true);
            life.logs.clear();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_published_comes_back() {
        let ports = vec![(String::new(), 4711), ("peer".to_owned(), 1)];
        let known = Known { host: "::1".parse().unwrap(), ports, directory: "/tmp/x".into() };
        let ms = Duration::from_millis;
        let (log, ran) = ("/log".into(), "db --port 4711".to_owned());
        let (run, starts) = (7, 2);
        let published = Published { run, vital: None, log, ran, ready_after: ms(3), starts, born: ms(9), known };
        let bytes = published.to_bytes();
        assert_eq!(Published::from_bytes(&bytes), Some(published));
        assert!((0..bytes.len()).all(|length| Published::from_bytes(&bytes[..length]).is_none()));
    }
}
