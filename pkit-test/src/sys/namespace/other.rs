//! Other Unix systems have no namespaces: whoever asks for one gets an error that says so.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{Refusal, UserNamespace};
use crate::sys::child::{Side, Step};

#[derive(Debug)]
pub(crate) struct Apart;

#[derive(Debug)]
pub(crate) struct Outside;

impl Apart {
    pub(crate) fn settle(&self) -> Result<Outside, (Step, io::Error)> {
        Err((Step::OwnProc, unsupported()))
    }
}

impl Outside {
    pub(crate) fn own(&self) -> i32 {
        0
    }

    pub(crate) fn id_of(&self, _child: i32) -> Option<i32> {
        None
    }
}

pub(crate) fn fork_apart(_may_change_users: bool) -> Result<(Side, Apart), (Step, io::Error)> {
    Err((Step::OwnPids, unsupported()))
}

pub(crate) fn leave_mounts() -> io::Result<()> {
    Err(unsupported())
}

pub(crate) fn network_of_thread() -> io::Result<OwnedFd> {
    Err(unsupported())
}

pub(crate) fn network_id_of_thread() -> io::Result<u64> {
    Err(unsupported())
}

pub(crate) fn enter_network(_network: impl AsFd) -> io::Result<()> {
    Err(unsupported())
}

pub(crate) fn make_network() -> Result<(), Refusal> {
    Err(Refusal { call: "a network of its own", error: unsupported() })
}

pub(crate) fn enter_user_namespace_if_asked() {}

pub(crate) fn user_namespace() -> UserNamespace {
    UserNamespace::None
}

pub(crate) fn sharing_rights<R>(execute: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    execute()
}

pub(crate) fn share_rights_no_further() {}

#[expect(clippy::unnecessary_wraps, reason = "it can fail where there are such rights")]
pub(crate) fn leave_rights() -> io::Result<()> {
    Ok(())
}

pub(crate) fn obstacle() -> Option<&'static str> {
    None
}

pub(crate) fn obstacle_of_all() -> Option<&'static str> {
    None
}

pub(crate) fn limit_reached(_error: &io::Error) -> Option<&'static str> {
    None
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "only Linux has namespaces")
}
