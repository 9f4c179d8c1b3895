//! What cannot be shared, said before anything runs.

use super::executor::Shared;
use super::shareable::Shareable;
use crate::error::{Error, Kind, Result};
use crate::ground::{Ground, Identity, Need, Refusal};

impl<E: Shareable> Shared<E> {
    /// What makes it the same as another one.
    ///
    /// # Errors
    ///
    /// When it cannot be shared, or not here.
    pub(super) fn check(&self, ground: &Ground) -> Result<Identity> {
        let identity = Identity::of(&self.executor);
        let refusals = [self.refused_here(ground), identity.refusals.clone(), self.unnamed(&identity)].concat();
        let name = ground.full_name();
        let needs = self.executor.needs();
        let needed = first_of_each(&needs).into_iter().map(|need| needs_another(&name, need));
        let errors = refusals.into_iter().map(|refusal| self.refused(&name, refusal)).chain(needed);
        Error::all(errors).map_or(Ok(identity), Err)
    }

    fn refused_here(&self, ground: &Ground) -> Vec<Refusal> {
        let is_in_another = ground.scope().guardian().is_some();
        let is_elsewhere = ground.scope().network().is_some();
        let within = is_in_another.then(super::executor::within_another);
        let elsewhere = is_elsewhere.then(|| Refusal {
            what: "this test has a network of its own".to_owned(),
            why: "what all tests have is not in it".to_owned(),
            ..Refusal::default()
        });
        within.into_iter().chain(elsewhere).collect()
    }

    /// What is the same nobody can say of closures.
    fn unnamed(&self, identity: &Identity) -> Vec<Refusal> {
        if self.name.is_some() || identity.closures.is_empty() {
            return Vec::new();
        }
        let mut closures = identity.closures.clone();
        closures.dedup();
        vec![Refusal {
            what: NAMELESS.to_owned(),
            why: format!("{}: whether two closures do the same cannot be seen", closures.join(", ")),
            hint: "`shared_as(\"a name\")` says by the name what is the same".to_owned(),
            spec: String::new(),
        }]
    }

    fn refused(&self, name: &str, refusal: Refusal) -> Error {
        let Refusal { what, why, hint, spec } = refusal;
        let title = match what.as_str() {
            NAMELESS => format!("`{name}` cannot be shared without a name: it has a closure"),
            what => format!("`{name}` cannot be shared: {what}"),
        };
        let spec = if spec.is_empty() { self.executor.known_as().1 } else { spec };
        Error::new(Kind::Spec, title).fact("spec", spec).fact("why", why).fact("hint", hint)
    }
}

/// It could be, under a name.
const NAMELESS: &str = "";

/// The processes that it cannot do without, each as it is named first.
fn first_of_each(needs: &[Need]) -> Vec<&Need> {
    let mut firsts: Vec<&Need> = Vec::new();
    for need in needs.iter().filter(|need| !need.is_optional) {
        if !firsts.iter().any(|known| known.name() == need.name()) {
            firsts.push(need);
        }
    }
    firsts
}

fn needs_another(name: &str, need: &Need) -> Error {
    let other = need.name();
    let own = name.rsplit('.').next().unwrap_or(name);
    Error::new(Kind::Spec, format!("`{name}` cannot be shared: it needs `{other}`, which it does not have itself"))
        .fact("spec", &need.spec)
        .fact("needs", &need.text)
        .fact("why", format!("`{other}` is another one in each test, and this is one for all of them"))
        .fact("hint", format!("share them together: `orchestra().with(\"{other}\", ..).with(\"{own}\", ..).shared()`"))
}
