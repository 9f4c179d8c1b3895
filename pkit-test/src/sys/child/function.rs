//! A child that stays this binary, and runs a function of it.
//!
//! A step that fails is told by a pipe, as where a program is executed by a fork. The pipe is closed before anything of the
//! user's runs: a constructor that hangs must not keep the shim from hearing that it is to stop.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::{FIRST_GIVEN, Image, Stdio, Step, failure, settle};
use crate::sys::fresh::{self, Entry, Gifts};
use crate::sys::{fd, namespace, platform, strays};

pub(super) fn spawn(
    image: &Image,
    entry: Entry,
    name: &CStr,
    stdio: &Stdio,
    parent: i32,
) -> io::Result<(i32, Option<platform::Failure>)> {
    platform::spawn_copy(&mut |teller| {
        // First of all: until then it seems to be a second shim.
        platform::set_process_name(name);
        match become_function(image, name, stdio, parent, &teller) {
            Ok(gifts) => {
                drop(teller);
                fresh::run(entry, gifts)
            }
            Err(failed) => platform::fail(teller, failure(failed)),
        }
    })
}

fn become_function(
    image: &Image,
    name: &CStr,
    stdio: &Stdio,
    parent: i32,
    teller: &OwnedFd,
) -> Result<Gifts, (Step, io::Error)> {
    let kept: Vec<RawFd> = image.given.iter().chain([teller]).map(AsRawFd::as_raw_fd).collect();
    settle(image, stdio, parent, || {
        fd::close_all_but(FIRST_GIVEN, &kept);
        Ok(())
    })?;
    namespace::leave_rights().map_err(|error| (Step::User, error))?;
    platform::let_be_looked_at();
    platform::forget_signal_pipe();
    strays::end();
    fresh::begin(name, &image.environment).map_err(|error| (Step::Prepare, error))?;
    gifts(&image.given).ok_or((Step::Slate, Errno::EBADF.into()))
}

/// What is given to it is its own: the image is the shim's, and never dropped here.
fn gifts(given: &[OwnedFd]) -> Option<Gifts> {
    // SAFETY: nobody uses the image from here on, and neither is it dropped, since a function never returns here.
    let mut own = given.iter().map(|fd| unsafe { fd::taken(fd) });
    Some(Gifts { slate: own.next()?, rope: own.next().map(Into::into) })
}
