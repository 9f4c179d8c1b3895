//! A line as a request.

use super::super::packed::from_json;
use super::super::protocol::Request;
use super::fields::{Fields, shortened};
use super::ops::{OPS, Op};
use crate::program::nearest_name;

/// What a line asks for.
///
/// # Errors
///
/// What is wrong with it: which request, which field, and what there is instead.
pub(crate) fn request(line: &str) -> Result<Request, String> {
    let packed = from_json(line).map_err(|wrong| format!("this is no JSON: {wrong}"))?;
    let fields = Fields::new(&packed)?;
    let op = find(fields.op)?;
    check_names(op, &fields)?;
    (op.make)(&fields)
}

fn find(name: &str) -> Result<&'static Op, String> {
    OPS.iter().find(|op| op.name == name).ok_or_else(|| {
        let known = OPS.iter().map(|op| op.name);
        format!("there is no op `{}`{}", shortened(name), meant(name, known))
    })
}

fn check_names(op: &Op, fields: &Fields<'_>) -> Result<(), String> {
    let known = || op.needs.iter().chain(op.may).copied();
    if let Some(strange) = fields.names().find(|name| known().all(|known| known != *name)) {
        let meant = meant(strange, known());
        return Err(format!("`{}` has no field `{}`{meant}{}", op.name, shortened(strange), has(op)));
    }
    match op.needs.iter().find(|name| !fields.is_given(name)) {
        Some(missing) => Err(format!("`{}` needs the field `{missing}`", op.name)),
        None => Ok(()),
    }
}

fn meant<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    nearest_name(&shortened(name), known).map_or_else(String::new, |near| format!("; `{near}` was probably meant"))
}

fn has(op: &Op) -> String {
    let names: Vec<_> = op.needs.iter().chain(op.may).map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "; it has none".into() } else { format!("; it has {}", names.join(", ")) }
}
