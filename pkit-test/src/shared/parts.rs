//! What is said of something that others attach to, part by part.

use super::shareable::Shareable;
use crate::error::{Error, Kind, Result};
use crate::ground::{Attaching, Publication};
use crate::guardian::wire::{Reader, Writer};
use crate::handle::{Process, Started};
use crate::spec::Spec;
use crate::start::depend;

/// Begins each value: what is published of a process begins with something else.
const VALUE: u64 = u64::from_ne_bytes(*b"a value\0");

impl Publication {
    /// A process of it.
    ///
    /// When it ends during the run all of it is ended, and started anew for the next test. Not so where its spec expects an end:
    /// of a step that has finished, or of a function that has returned.
    ///
    /// An example is with [`Shareable`].
    pub fn process(&mut self, process: &Process) {
        self.has_process = true;
        self.vital.extend(process.core.vital_run());
        match process.core.published() {
            Ok(part) => self.parts.push(part),
            Err(error) => self.trouble = Some(error),
        }
    }

    /// A value under a name: what only the start of it has found out, such as a password.
    ///
    /// An example is with [`Shareable`].
    pub fn value(&mut self, name: &str, value: impl AsRef<str>) {
        let fields = Writer::default().number(VALUE).text(name.as_bytes());
        self.parts.push(fields.text(value.as_ref().as_bytes()).done());
    }

    /// All that another executor publishes of its handle.
    ///
    /// ```
    /// use pkit_test::{Attaching, Executor, Ground, Identity, Process, Publication, Result, Shareable, Spec, simple};
    ///
    /// #[derive(Clone)]
    /// struct Pair(Spec, Spec);
    ///
    /// impl Executor for Pair {
    ///     type Handle = [Process; 2];
    ///     fn start_on(self, ground: &Ground) -> Result<[Process; 2]> {
    ///         Ok([ground.start(self.0)?, ground.child("second").start(self.1)?])
    ///     }
    /// }
    ///
    /// impl Shareable for Pair {
    ///     fn identify(&self, identity: &mut Identity) {
    ///         identity.executor(&self.0);
    ///         identity.executor(&self.1);
    ///     }
    ///     fn publish(pair: &[Process; 2], publication: &mut Publication) {
    ///         pair.iter().for_each(|process| publication.part::<Spec>(process));
    ///     }
    ///     fn attach(self, published: &mut Attaching<'_>) -> Result<[Process; 2]> {
    ///         Ok([published.part(self.0)?, published.child("second").part(self.1)?])
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let pair = || Pair(simple("sleep 60"), simple("sleep 70"));
    /// let (one, other) = (pair().shared().start()?, pair().shared().start()?);
    /// assert_eq!(one.each_ref().map(|process| process.pid()), other.each_ref().map(|process| process.pid()));
    /// assert_eq!([other[0].name(), other[1].name()], ["pair", "pair.second"]);
    /// # Ok(()) }
    /// ```
    pub fn part<E: Shareable>(&mut self, handle: &E::Handle) {
        E::publish(handle, self);
    }
}

impl Attaching<'_> {
    /// A handle to a process, which was published by [`Publication::process`]. Of a function it is a
    /// [`Worker`](crate::Worker).
    ///
    /// An example is with [`Shareable`].
    ///
    /// # Errors
    ///
    /// When something else was published here.
    pub fn process<H: Started>(&mut self, spec: Spec<H>) -> Result<H> {
        let index = *self.next;
        *self.next += 1;
        let process = Process::attached(spec, index, self.attached, &self.ground)?;
        depend(&process.core)?;
        let handle = H::of(process);
        self.ground.publish::<Spec<H>>(&handle);
        Ok(handle)
    }

    /// A value, which was published by [`Publication::value`] under the same name.
    ///
    /// An example is with [`Shareable`].
    ///
    /// # Errors
    ///
    /// When something else was published here.
    pub fn value(&mut self, name: &str) -> Result<String> {
        let part = self.attached.part(*self.next as usize);
        *self.next += 1;
        let value = part.and_then(|part| read_value(part, name));
        value.ok_or_else(|| {
            let title = format!("`{}` was not attached to: it has no value `{name}` here", self.ground.full_name());
            let why = "`publish` and `attach` of it do not go through it in the same order";
            Error::new(Kind::Spec, title).fact("why", why)
        })
    }

    /// The handle of another executor, which was published by [`Publication::part`]. An example is there.
    ///
    /// # Errors
    ///
    /// When something else was published here.
    pub fn part<E: Shareable>(&mut self, executor: E) -> Result<E::Handle> {
        let handle = executor.attach(self)?;
        self.ground.publish::<E>(&handle);
        Ok(handle)
    }
}

fn read_value(part: &[u8], name: &str) -> Option<String> {
    let mut fields = Reader::new(part);
    let is_it = fields.number()? == VALUE && fields.text()? == name.as_bytes();
    let value = fields.text().filter(|_| is_it)?;
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_by_its_own_name_alone() {
        let mut publication = Publication::default();
        publication.value("password", "s3cret");
        publication.value("user", "anna");
        let read = |index: usize, name: &str| read_value(&publication.parts[index], name);
        assert_eq!((read(0, "password").as_deref(), read(1, "user").as_deref()), (Some("s3cret"), Some("anna")));
        assert_eq!((read(0, "user"), read(1, "password")), (None, None));
    }
}
