//! All that can be asked for: names, fields, and the requests that they are.

use std::time::Duration;

use super::super::protocol::{Commit, Only, Request, Until};
use super::fields::Fields;
use super::points;

/// A request of the dialect.
pub(super) struct Op {
    pub(super) name: &'static str,
    /// The fields that must be there, and those that may.
    pub(super) needs: &'static [&'static str],
    pub(super) may: &'static [&'static str],
    pub(super) make: fn(&Fields<'_>) -> Result<Request, String>,
}

macro_rules! ops {
    ($($name:literal $needs:tt $may:tt => $make:expr;)*) => {
        /// In the order of the table in the documentation.
        pub(super) const OPS: &[Op] = &[$(Op { name: $name, needs: &$needs, may: &$may, make: $make }),*];
    };
}

ops! {
    "hello" [] ["name"] => hello;
    "get" ["key"] ["space", "since"] => |f| Ok(Request::Get { key: f.key()?, since: f.maybe_count("since")? });
    "set" ["key", "value"] ["space", "only", "version"] => set;
    "replace" ["key", "value"] ["space"] =>
        |f| Ok(Request::Replace { key: f.key()?, value: f.value("value")?, only: Only::Always });
    "remove" ["key"] ["space"] => |f| Ok(Request::Remove { key: f.key()? });
    "increment" ["key"] ["space", "by"] =>
        |f| Ok(Request::Increment { key: f.key()?, by: f.maybe_whole("by")?.unwrap_or(1) });
    "keys" [] ["space", "since"] => |f| Ok(Request::Keys { space: f.space()?, since: f.maybe_count("since")? });
    "len" [] ["space"] => |f| Ok(Request::Len { space: f.space()? });
    "snapshot" [] ["space", "since"] => |f| Ok(Request::Snapshot { space: f.space()?, since: f.maybe_count("since")? });
    "clear" [] ["space"] => |f| Ok(Request::Clear { space: f.space()? });
    "commit" [] ["space", "reads", "list", "set", "remove"] => commit;
    "turn" ["timeout"] [] => |f| Ok(Request::Turn { timeout: f.seconds("timeout")? });
    "end_turn" [] [] => |_| Ok(Request::EndTurn);
    "wait" ["key", "timeout"] ["space", "equals", "at_least", "present", "after"] => wait;
    "watch" [] ["space", "keys", "live", "first"] => watch;
    "next" [] ["timeout"] => |f| Ok(Request::Next { timeout: f.maybe_seconds("timeout")? });
    "barrier.open" ["name", "parties"] ["space"] => points::barrier_open;
    "barrier.arrive" ["name", "timeout"] ["space"] => points::barrier_arrive;
    "barrier.leave" ["name"] ["space"] => points::barrier_leave;
    "barrier.waiting" ["name"] ["space"] => points::barrier_waiting;
    "latch.open" ["name", "count"] ["space"] => points::latch_open;
    "latch.count_down" ["name"] ["space", "by"] => points::latch_count_down;
    "latch.wait" ["name", "timeout"] ["space"] => points::latch_wait;
    "latch.count" ["name"] ["space"] => points::latch_count;
    "semaphore.open" ["name", "permits"] ["space"] => points::semaphore_open;
    "semaphore.acquire" ["name"] ["space", "timeout"] => points::semaphore_acquire;
    "semaphore.release" ["name", "permit"] ["space"] => points::semaphore_release;
    "semaphore.free" ["name"] ["space"] => points::semaphore_free;
    "queue.push" ["name", "value"] ["space"] => points::queue_push;
    "queue.pop" ["name"] ["space", "timeout"] => points::queue_pop;
    "queue.lease" ["name"] ["space", "timeout"] => points::queue_lease;
    "queue.settle" ["name", "lease"] ["space", "done"] => points::queue_settle;
    "queue.len" ["name"] ["space"] => points::queue_len;
    "queue.close" ["name"] ["space"] => points::queue_close;
    "phase.pass" ["name", "step", "timeout"] ["space"] => points::phase_pass;
    "phase.wait_for" ["name", "step", "timeout"] ["space", "count"] => points::phase_wait_for;
    "phase.let_on" ["name", "step"] ["space", "count"] => points::phase_let_on;
    "phase.open" ["name", "step"] ["space"] => points::phase_open;
    "phase.standing" ["name", "step"] ["space"] => points::phase_standing;
    "history" [] [] => |_| Ok(Request::History);
}

/// Each link of such a program is a session, as there is no nonce to join them. Versions are for frames: a line has names.
fn hello(fields: &Fields<'_>) -> Result<Request, String> {
    let name = fields.maybe_text("name")?.unwrap_or_default().to_string();
    Ok(Request::Hello { protocol: 0, nonce: 0, name })
}

fn set(fields: &Fields<'_>) -> Result<Request, String> {
    Ok(Request::Set { key: fields.key()?, value: fields.value("value")?, only: only(fields)? })
}

fn only(fields: &Fields<'_>) -> Result<Only, String> {
    match (fields.maybe_text("only")?.as_deref(), fields.maybe_count("version")?) {
        (None, None) => Ok(Only::Always),
        (None, Some(version)) => Ok(Only::IfVersion(version)),
        (Some("absent"), None) => Ok(Only::IfAbsent),
        (Some("present"), None) => Ok(Only::IfPresent),
        (Some(_), None) => Err(format!("`only` of `{}` is \"absent\" or \"present\"", fields.op)),
        (Some(_), Some(_)) => Err(format!("`{}` has either `only` or `version`", fields.op)),
    }
}

fn commit(fields: &Fields<'_>) -> Result<Request, String> {
    let space = fields.space()?;
    let key = |name| super::super::protocol::Key { space: space.clone(), name };
    let removed = fields.texts("remove")?.into_iter().map(|name| (key(name), None));
    let set = fields.values("set")?.into_iter().map(|(name, value)| (key(name), Some(value)));
    Ok(Request::Commit(Commit {
        reads: fields.versions("reads")?,
        lists: fields.maybe_count("list")?.map(|version| (space.clone(), version)).into_iter().collect(),
        writes: removed.chain(set).collect(),
    }))
}

fn wait(fields: &Fields<'_>) -> Result<Request, String> {
    let mut until = Vec::new();
    if fields.is_given("equals") {
        until.push(Until::Equal(fields.value("equals")?.bytes));
    }
    until.extend(fields.maybe_whole("at_least")?.map(Until::AtLeast));
    until.extend(
        fields.maybe_flag("present")?.map(|is_present| if is_present { Until::Present } else { Until::Absent }),
    );
    until.extend(fields.maybe_count("after")?.map(Until::After));
    if until.len() > 1 {
        return Err("`wait` has one of `equals`, `at_least`, `present` and `after`".into());
    }
    let timeout: Duration = fields.seconds("timeout")?;
    Ok(Request::Wait { key: fields.key()?, until: until.pop().unwrap_or(Until::Present), timeout })
}

fn watch(fields: &Fields<'_>) -> Result<Request, String> {
    Ok(Request::Watch {
        space: fields.space()?,
        keys: fields.texts("keys")?,
        is_live: fields.flag("live")?,
        with_first: fields.flag("first")?,
    })
}
