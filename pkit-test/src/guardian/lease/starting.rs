//! The start of something that is shared, by the one process that the broker has asked to do it.

use std::sync::Arc;
use std::time::Instant;

use super::{Attached, Connection};
use crate::config::deadline_in;
use crate::error::{Error, Kind, Result};
use crate::guardian::broker::protocol::{Ask, Granted, Want, Word};
use crate::guardian::client::{Guardian, check_system};
use crate::guardian::home;
use crate::limits::{FRAME_BYTES, REPLY_LIMIT};
use crate::sync::lock;
use crate::sys::{directory, takeover};

/// The start of something that is shared: until it is up its guardian is this process's to command.
///
/// Dropped before the end it was not started by this process, and is by the next one that waits for it.
#[derive(Debug)]
pub(crate) struct Starting {
    guardian: Arc<Guardian>,
    want: Want,
    was_granted: bool,
}

impl Starting {
    pub(super) fn begin(connection: Connection, next_id: u32, want: &Want) -> Result<Starting> {
        check_system()?;
        let refused = |error| Error::system(format_args!("no guardian for `{}` was started", want.name), error);
        let (path, directory) = home::another().map_err(refused)?;
        let begun = || {
            let guardian = connection.listen(next_id, path.clone())?;
            guardian.line().keeps_nothing();
            guardian.send(&Ask::Begin.to_frame(), Some(takeover::own_binary()?))?;
            guardian.send(&guardian.hello(true).to_frame(0), Some(directory))?;
            Ok(guardian)
        };
        let guardian = begun().map_err(|error| {
            // Nobody else knows of it.
            let _ = directory::remove_all(&path);
            refused(error)
        })?;
        Ok(Starting { guardian, want: want.clone(), was_granted: false })
    }

    pub(crate) fn guardian(&self) -> &Arc<Guardian> {
        &self.guardian
    }

    /// It is up: gives it to all who want it, and gets a lease of it like them. Handles that were made while it was started hear
    /// nothing from here on. `vital` are the runs whose end is the end of it.
    ///
    /// # Errors
    ///
    /// When it has ended meanwhile, or the broker has.
    pub(crate) fn ready(mut self, parts: Vec<Vec<u8>>, vital: Vec<u32>) -> Result<Attached> {
        let ready = Ask::Ready { parts, vital }.to_frame();
        if ready.payload.len() > FRAME_BYTES {
            let mb = FRAME_BYTES / 1024 / 1024;
            let title = format!("`{}` has more to tell those who share it than {mb} MiB", self.want.name);
            return Err(Error::new(Kind::Spec, title).fact("spec", &self.want.shown));
        }
        lock(&self.guardian.runs).clear();
        self.guardian.line().keeps_all();
        // What cannot be sent is heard of as the end.
        let _ = self.guardian.send(&ready, None);
        let granted = self.granted(deadline_in(REPLY_LIMIT))?;
        self.was_granted = true;
        Ok(Attached::new(Arc::clone(&self.guardian), granted, &self.want))
    }

    fn granted(&self, deadline: Instant) -> Result<Granted> {
        loop {
            let why = match self.guardian.line().next(deadline) {
                Some(Word::Granted(granted)) => return Ok(granted),
                Some(Word::Refused(why)) => why,
                None if self.guardian.is_dead() => "the broker of the run was killed".to_owned(),
                None => "the broker of the run does not answer".to_owned(),
                Some(_) => continue,
            };
            let title = format!("`{}` was started, and is not there any more", self.want.name);
            return Err(Error::new(Kind::GuardianLost, title).fact("spec", &self.want.shown).fact("why", why));
        }
    }

    /// It did not come up: tells all who wait for it why.
    pub(crate) fn not_started(self, error: Vec<u8>) {
        // Without the broker nobody waits.
        let _ = self.guardian.send(&Ask::NotStarted(error).to_frame(), None);
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.was_granted {
            self.guardian.let_go();
        }
    }
}
