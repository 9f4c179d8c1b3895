//! What the holes of a member mean, all at once: for who will not be able to ask.

use super::Ground;
use super::scope::{Member, Scope};
use crate::sync::lock;

impl Ground {
    /// Those of the members of a stack that was started under this name: `db.port`.
    pub(crate) fn inner_values(&self) -> Vec<(String, String)> {
        let inner = lock(&self.scope.members).get(&self.name).and_then(|member| member.inner.upgrade());
        inner.map(|inner| inner.values()).unwrap_or_default()
    }
}

impl Scope {
    fn values(&self) -> Vec<(String, String)> {
        let members = lock(&self.members);
        let of_one = |(name, member): (&String, &Member)| {
            let below = |(key, value): (String, String)| (format!("{name}.{key}"), value);
            member.known().into_iter().map(below).collect::<Vec<_>>()
        };
        members.iter().flat_map(of_one).collect()
    }
}

impl Member {
    fn known(&self) -> Vec<(String, String)> {
        let place = self.place.as_ref().map(|place| place.values()).unwrap_or_default();
        let inner = self.inner.upgrade().map(|inner| inner.values()).unwrap_or_default();
        let own = self.values.iter().map(|(key, value)| (key.clone(), value.clone()));
        place.into_iter().chain(inner).chain(own).collect()
    }
}
