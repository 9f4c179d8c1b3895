//! What keeps a state: who can be asked, and how. The server of this crate is one; others may come.

use std::path::Path;
use std::sync::Weak;
use std::time::Duration;

use super::life::Owner;
use super::protocol::{Reply, Request};
use crate::error::{Error, Result};

/// Something that keeps a state for many clients.
pub(crate) trait Backend: Send + Sync {
    /// Another link to it, on which `Hello` has been said and answered.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or is another one than before.
    fn link(&self) -> Result<Box<dyn Link>>;

    /// What is said when a link breaks: that it is gone, and why as far as this process can know.
    fn lost(&self, why: std::io::Error) -> Error;

    /// Where others find it.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// Which one of all that there ever were at that path, once there was a link to it.
    fn server(&self) -> Option<u64> {
        None
    }

    /// Whom to ask how it has ended.
    fn belongs_to(&self, owner: Weak<Owner>) {
        let _ = owner;
    }
}

/// A way to it, for one request at a time.
pub(crate) trait Link: Send {
    /// Its answer. After an error the link is of no use any more.
    ///
    /// # Errors
    ///
    /// `TimedOut` where there is no answer within the limit, which says that something is wrong with the backend, for it keeps the
    /// time that a request has by itself. `BrokenPipe` where the request has certainly not been obeyed. Else that the link is broken,
    /// and nobody knows.
    fn ask(&mut self, request: &Request, limit: Duration) -> std::io::Result<Reply>;
}
