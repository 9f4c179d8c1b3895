//! From a spec with a function to an order for the guardian, and what the function is given.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::launch::{Ordered, Variables};
use crate::callee::Callee;
use crate::error::{Error, Result};
use crate::ground::Executor;
use crate::guardian::protocol::{FunctionOrder, Launch};
use crate::handle::Core;
use crate::parcel::{Parcel, PeerAddress, Surroundings};
use crate::place::Place;
use crate::ready::Ready;
use crate::spec::Spec;
use crate::sys::fresh;

impl Core {
    /// A function of this very binary, in its own words.
    pub(super) fn order_of_function(&self, spec: &Spec, callee: &Callee, told: Variables) -> Result<Ordered> {
        let environment = self.environment(spec, told, &[])?;
        let program = std::env::current_exe().map_err(|error| Error::system("this binary was not found", error))?;
        let ran = format!("{}, in a process of its own", callee.name);
        let arguments = vec![program.as_os_str().as_bytes().to_vec()];
        let launch = self.launch_in(spec, environment, (program, arguments))?;
        let launch = Launch { function: Some(order_of(callee)), ends_with_leader: true, ..launch };
        Ok(Ordered { launch, written: ran.clone(), ran })
    }

    /// What the function of one run is given.
    pub(super) fn packed(&self, spec: &Spec) -> Result<Option<Arc<Parcel>>> {
        let Some((callee, arguments)) =
            spec.callee().and_then(|callee| Some((callee, callee.arguments.as_ref().ok()?)))
        else {
            return Ok(None);
        };
        let parcel = Parcel::pack(arguments, &self.surroundings(spec, callee)?);
        parcel.map(|parcel| Some(Arc::new(parcel))).map_err(|error| self.not_passed_on(error))
    }

    /// Where it is, and those that it waits for.
    fn surroundings(&self, spec: &Spec, callee: &Callee) -> Result<Surroundings> {
        let peers = spec.needs().into_iter().flat_map(|need| self.ground.cores_behind(&need));
        Ok(Surroundings {
            pointer: callee.pointer,
            waits_for_ready: spec.ready.iter().any(Ready::is_said),
            own: address_of(self.place())?,
            peers: peers.map(|core| address_of(core.place())).collect::<Result<_>>()?,
        })
    }
}

fn order_of(callee: &Callee) -> FunctionOrder {
    FunctionOrder {
        entry: fresh::offset_of(callee.entry),
        name: callee.name.clone(),
        by_exec: false,
        has_binary: false,
    }
}

fn address_of(place: &Place) -> Result<PeerAddress> {
    let (name, ports) = (place.name.clone(), place.ports.clone());
    Ok(PeerAddress { name, host: place.host, ports, dir: place.directory()? })
}
