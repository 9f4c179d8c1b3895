//! How an executor is shared where its type is known no more: in an orchestra of mixed members.

use std::fmt;

use super::{Attaching, Executor, Identity, Publication};
use crate::error::Result;

/// How an executor of this type is shared: what [`Executor::sharing`] returns.
///
/// Of what is [`Shareable`](crate::Shareable) it is [`Sharing::of`]. With it an orchestra that has such a member can be shared as
/// a whole.
pub struct Sharing<E: Executor> {
    /// The same once more: one is started, and one attaches to what was started.
    pub(crate) twin: fn(&E) -> E,
    pub(crate) identify: fn(&E, &mut Identity),
    pub(crate) publish: fn(&E::Handle, &mut Publication),
    pub(crate) attach: fn(E, &mut Attaching<'_>) -> Result<E::Handle>,
}

impl<E: Executor> Clone for Sharing<E> {
    fn clone(&self) -> Sharing<E> {
        *self
    }
}

impl<E: Executor> Copy for Sharing<E> {}

impl<E: Executor> fmt::Debug for Sharing<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharing").finish_non_exhaustive()
    }
}
