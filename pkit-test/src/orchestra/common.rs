//! An orchestra that all tests of a run have in common: what makes two of them the same, what is told of one that is up, and
//! how a stack is made of that.

use std::sync::Arc;

use super::engine::Handles;
use super::{Orchestra, Stack, plan};
use crate::error::Result;
use crate::ground::{Attaching, Ground, Identity, Publication, Scope};

impl Orchestra {
    pub(crate) fn identify_members(&self, identity: &mut Identity) {
        identity.text(self.members.len().to_string());
        self.members.iter().for_each(|member| member.identify(identity));
    }

    /// For people, who have written no name of it.
    pub(crate) fn shown(&self) -> String {
        let names: Vec<&str> = self.members.iter().map(|member| member.name()).collect();
        format!("orchestra of {}", names.join(", "))
    }

    /// The same once more. Of members that can be shared, which is asked before.
    pub(crate) fn twin(&self) -> Orchestra {
        let members = self.members.iter().map(|member| member.twin()).collect();
        Orchestra { members, strategy: self.strategy, intensity: self.intensity, scope: None }
    }

    /// A stack of what is up already. Nothing is reserved for it, and nothing of it is looked after.
    pub(crate) fn attach_members(self, published: &mut Attaching<'_>) -> Result<Stack> {
        let scope = Scope::managed(Some(published.ground()), self.limits());
        plan::check(&self.members, &scope)?;
        published.ground().settle_inner(&scope);
        let is_inner = published.ground().scope().is_managed;
        let attach = |member: Box<dyn super::Entry>| {
            let name = member.name().to_owned();
            let handle = member.attach(&mut published.on(Ground::member(&name, &scope)))?;
            Ok((name, handle))
        };
        let handles = self.members.into_iter().map(attach).collect::<Result<Handles>>()?;
        scope.note_up();
        Ok(Stack::new(Arc::clone(&scope), handles, is_inner))
    }
}

impl Stack {
    pub(crate) fn publish_members(&self, publication: &mut Publication) {
        self.handles().for_each(|handle| handle.publish(publication));
    }
}
