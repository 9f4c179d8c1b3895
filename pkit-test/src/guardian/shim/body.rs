//! What a service is: a program, or a function of this binary.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::guardian::SHIM_NAME;
use crate::guardian::protocol::{FunctionOrder, Launch};
use crate::sys::bell::Rope;
use crate::sys::child::{self, Body, Step};
use crate::sys::without::{Means, lacks};
use crate::sys::{fresh, strays, takeover};

/// What came with the order for a function.
pub(super) struct Gifts<'a> {
    pub(super) slate: Option<OwnedFd>,
    /// Where it is in another binary than ours.
    pub(super) binary: Option<OwnedFd>,
    pub(super) rope: Option<&'a Rope>,
}

/// What is to be run, and the descriptors that it is to have beside the standard ones.
pub(super) fn of(launch: &Launch, gifts: Gifts<'_>) -> Result<(Body, Vec<OwnedFd>), (Step, io::Error)> {
    let prepare = |error| (Step::Prepare, error);
    let Some(order) = &launch.function else { return Ok((program(launch).map_err(prepare)?, Vec::new())) };
    // There may have been no room for it here.
    let slate = gifts.slate.ok_or((Step::Slate, Errno::EMFILE.into()))?;
    let rope = gifts.rope.map(|rope| rope.as_fd().try_clone_to_owned()).transpose().map_err(prepare)?;
    let has_rope = rope.is_some();
    let mut given: Vec<OwnedFd> = std::iter::once(slate).chain(rope).collect();
    if order.has_binary {
        let binary = gifts.binary.ok_or((Step::Slate, Errno::EMFILE.into()))?;
        given.push(binary);
        let body = takeover::function_command_of_another(name(order), order.entry, has_rope);
        return Ok((program_at(body.map_err(prepare)?).map_err(prepare)?, given));
    }
    let entry = fresh::entry_at(order.entry).ok_or((Step::Entry, Errno::EFAULT.into()))?;
    let body = match is_by_exec(order) {
        true => program_of(order, has_rope).map_err(prepare)?,
        false => Body::Function { entry, name: name(order) },
    };
    Ok((body, given))
}

/// Where orphans are looked for by a mark in the environment, a fork would have that of the guardian.
fn is_by_exec(order: &FunctionOrder) -> bool {
    order.by_exec || lacks(Means::FunctionFork) || strays::is_needed() || !fresh::can_be_forked()
}

fn program(launch: &Launch) -> io::Result<Body> {
    Ok(Body::Program { program: child::c_path(&launch.program)?, arguments: strings(&launch.arguments)? })
}

fn program_of(order: &FunctionOrder, has_rope: bool) -> io::Result<Body> {
    program_at(takeover::function_command(name(order), order.entry, has_rope)?)
}

fn program_at((program, arguments): (PathBuf, Vec<CString>)) -> io::Result<Body> {
    Ok(Body::Program { program: CString::new(program.into_os_string().into_vec())?, arguments })
}

/// A function that is called as we are must not be taken for one of us.
fn name(order: &FunctionOrder) -> CString {
    let name: Vec<u8> = order.name.bytes().filter(|byte| *byte != 0).collect();
    let name = CString::new(name).unwrap_or_default();
    if name.is_empty() || name.as_c_str() == SHIM_NAME { c"function".to_owned() } else { name }
}

pub(super) fn strings(list: &[Vec<u8>]) -> io::Result<Vec<CString>> {
    list.iter().map(|one| Ok(CString::new(one.as_slice())?)).collect()
}

#[cfg(test)]
mod tests;
