//! Executors and handles of any type, side by side.

use std::any::{Any, type_name};

use crate::error::Result;
use crate::ground::{Attaching, Executor, Ground, Identity, Need, Publication, Refusal};
use crate::handle::Process;
use crate::isolation::Isolation;
use crate::quote::without_modules;

/// An executor under a name, whatever its type.
pub(crate) trait Entry: Send {
    fn name(&self) -> &str;
    fn needs(&self) -> Vec<Need>;
    fn isolates(&self, isolation: Isolation) -> bool;
    fn place(&mut self, ground: &Ground) -> Result<()>;
    /// Brings it up and tells the others what it means.
    fn start(self: Box<Self>, ground: &Ground) -> Result<Box<dyn Held>>;
    /// Says what makes it the same as another one, or why it cannot be shared.
    fn identify(&self, identity: &mut Identity);
    /// The same once more, of what can be shared.
    fn twin(&self) -> Box<dyn Entry>;
    /// Comes by a handle to what somebody has started, and tells the others what it means.
    fn attach(self: Box<Self>, published: &mut Attaching<'_>) -> Result<Box<dyn Held>>;
}

/// A handle, whatever its type.
pub(crate) trait Held: Send {
    fn process(&self) -> Option<&Process>;
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
    /// Tells other tests of what can be shared.
    fn publish(&self, publication: &mut Publication);
}

pub(crate) struct Member<E> {
    name: String,
    executor: E,
}

impl<E> Member<E> {
    pub(crate) fn new(name: String, executor: E) -> Member<E> {
        Member { name, executor }
    }
}

impl<E: Executor + 'static> Entry for Member<E> {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs(&self) -> Vec<Need> {
        self.executor.needs()
    }

    fn isolates(&self, isolation: Isolation) -> bool {
        self.executor.isolates(isolation)
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.executor.place(ground)
    }

    fn start(self: Box<Self>, ground: &Ground) -> Result<Box<dyn Held>> {
        let handle = self.executor.start_on(ground)?;
        ground.publish::<E>(&handle);
        Ok(Box::new(Handle::<E>(handle)))
    }

    fn identify(&self, identity: &mut Identity) {
        identity.text(&self.name);
        match E::sharing() {
            Some(sharing) => (sharing.identify)(&self.executor, identity),
            None => identity.refuse(Refusal {
                what: format!("its member `{}` cannot", self.name),
                why: format!("`{}` does not say how it is shared", without_modules(type_name::<E>())),
                hint: "it has to be `Shareable`, and its `sharing()` to be `Some(Sharing::of())`".to_owned(),
                ..Refusal::default()
            }),
        }
    }

    fn twin(&self) -> Box<dyn Entry> {
        let sharing = E::sharing().expect(REFUSED);
        Box::new(Member::new(self.name.clone(), (sharing.twin)(&self.executor)))
    }

    fn attach(self: Box<Self>, published: &mut Attaching<'_>) -> Result<Box<dyn Held>> {
        let handle = (E::sharing().expect(REFUSED).attach)(self.executor, published)?;
        published.ground().publish::<E>(&handle);
        Ok(Box::new(Handle::<E>(handle)))
    }
}

/// What has no sharing is refused when it is asked for its identity, which comes before everything else.
const REFUSED: &str = "what cannot be shared is refused before";

struct Handle<E: Executor>(E::Handle);

impl<E: Executor + 'static> Held for Handle<E> {
    fn process(&self) -> Option<&Process> {
        E::process(&self.0)
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        Box::new(self.0)
    }

    fn publish(&self, publication: &mut Publication) {
        let publish = E::sharing().expect(REFUSED).publish;
        publish(&self.0, publication);
    }
}
