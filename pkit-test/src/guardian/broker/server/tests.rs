//! A broker with real guardians and services, and tests that are played by whoever is needed.

use std::time::Duration;

use super::super::protocol::{Ask, Undone, Want, Word};
use crate::guardian::protocol::{Event, Order};
use crate::sys::procfs;
use crate::sys::wait::eventually;

mod chaos;
mod ends;
mod exclusive;
mod fake;
mod limits;
mod starts;
mod undoing;

use fake::{Fake, Run, launch};
