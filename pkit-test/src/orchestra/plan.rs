//! What can be wrong with a stack before anything of it runs.

use super::entry::Entry;
use crate::error::{Error, Kind, Result};
use crate::ground::{Scope, unknown_name};
use crate::template::{REFUSED_NAMES, is_name};

/// Declares the names and checks that they, and what they need, make sense. A circle is said first, for as long as
/// there is one nothing else about the order means anything.
pub(super) fn check(members: &[Box<dyn Entry>], scope: &Scope) -> Result<()> {
    names(members)?;
    members.iter().for_each(|member| scope.declare(member.name(), ordered_needs(member.as_ref())));
    if let Some(circle) = circle(members) {
        return Err(circle_error(&circle, members));
    }
    let unknown = members.iter().flat_map(|member| unknown(member.as_ref(), members, scope));
    Error::all(unknown).map_or(Ok(()), Err)
}

fn ordered_needs(member: &dyn Entry) -> Vec<String> {
    let needs = member.needs();
    // What it needs of itself is its own business, as below.
    let others = needs.iter().filter(|need| need.is_ordered() && need.name() != member.name());
    others.map(|need| need.name().to_owned()).collect()
}

fn names(members: &[Box<dyn Entry>]) -> Result<()> {
    for (index, member) in members.iter().enumerate() {
        let name = member.name();
        let why = if REFUSED_NAMES.contains(&name) {
            format!("it means something else in a hole, as do {}", REFUSED_NAMES.join(", "))
        } else if !is_name(name) {
            "it could not be used in a hole: a name is made of letters, digits and `_`".to_owned()
        } else if members[..index].iter().any(|other| other.name() == name) {
            "another process of the stack has it".to_owned()
        } else {
            continue;
        };
        return Err(Error::new(Kind::Spec, format!("no process can be called `{name}`")).fact("why", why));
    }
    Ok(())
}

fn unknown(member: &dyn Entry, members: &[Box<dyn Entry>], scope: &Scope) -> Vec<Error> {
    let known: Vec<String> = members.iter().map(|member| member.name().to_owned()).collect();
    let needs = member.needs();
    let missing = needs.iter().filter(|need| !need.is_optional && !scope.knows(need.name()));
    missing.map(|need| unknown_name(member.name(), &need.text, need.name(), &known).fact("spec", &need.spec)).collect()
}

/// The members that each one waits for, by index.
pub(super) fn waits_for(members: &[Box<dyn Entry>]) -> Vec<Vec<usize>> {
    let index_of = |name: &str| members.iter().position(|member| member.name() == name);
    let waits = |member: &dyn Entry| {
        let needs = member.needs();
        // What it needs of itself is its own business: it may start a process that needs one which it started before.
        let others = needs.iter().filter(|need| need.is_ordered() && need.name() != member.name());
        let mut indices: Vec<usize> = others.filter_map(|need| index_of(need.name())).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    };
    members.iter().map(|member| waits(member.as_ref())).collect()
}

/// A circle of members that wait for each other: the names, the first one again at the end.
fn circle(members: &[Box<dyn Entry>]) -> Option<Vec<String>> {
    let waits = waits_for(members);
    let mut is_done = vec![false; members.len()];
    for start in 0..members.len() {
        let mut path = Vec::new();
        if let Some(circle) = walk(start, &waits, &mut path, &mut is_done) {
            return Some(circle.iter().map(|index| members[*index].name().to_owned()).collect());
        }
    }
    None
}

fn walk(at: usize, waits: &[Vec<usize>], path: &mut Vec<usize>, is_done: &mut [bool]) -> Option<Vec<usize>> {
    if is_done[at] {
        return None;
    }
    if let Some(begin) = path.iter().position(|index| *index == at) {
        return Some(path[begin..].iter().copied().chain([at]).collect());
    }
    path.push(at);
    let found = waits[at].iter().find_map(|next| walk(*next, waits, path, is_done));
    path.pop();
    is_done[at] = found.is_none();
    found
}

/// The spec of a member that says that it needs another; none where its executor is somebody's own.
fn who_needs(name: &str, other: &str, members: &[Box<dyn Entry>]) -> Option<String> {
    let member = members.iter().find(|member| member.name() == name)?;
    let need = member.needs().into_iter().find(|need| need.is_ordered() && need.name() == other)?;
    Some(need.spec).filter(|spec| !spec.is_empty())
}

fn circle_error(circle: &[String], members: &[Box<dyn Entry>]) -> Error {
    let names: Vec<String> = circle.iter().map(|name| format!("`{name}`")).collect();
    let title = format!("these processes wait for each other: {}", names.join(" needs "));
    let example = circle.get(1).map_or("", String::as_str);
    let mut specs: Vec<String> = circle.windows(2).filter_map(|pair| who_needs(&pair[0], &pair[1], members)).collect();
    // One spec may say several of it, where a function makes them all.
    specs.dedup();
    Error::new(Kind::Cycle, title)
        .fact("spec", specs.join("\n"))
        .fact("hint", format!("`{{&{example}.addr}}` is the address without the order"))
}
