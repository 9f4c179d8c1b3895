//! Descendants that do not come back: the next best where there is no subreaper.
//!
//! An orphan then goes to PID 1, and nothing but the memory of having seen it says that it is ours. So a shim looks again
//! and again who is below it, and holds whom it has met. Two marks find those that were born and orphaned between two
//! looks: the session, which is the shim's own and whose number nobody can have while the shim lives, and a variable in
//! the environment. What leaves the session, clears its environment *and* is orphaned between two looks escapes.
//!
//! The guardian looks as well, for the descendants of shims that are killed.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::held::{Held, Identity};
use super::procfs;

/// How long until the next look: after a change, and when nothing happens for long.
const SOON: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_millis(100);

/// A look at most takes one part in so many of the time.
const SHARE: u32 = 20;

/// The variable of the mark.
const MARK: &str = "PKIT_KIN";
const SEPARATOR: &str = " ";

/// Stands for a child that has ended and whose id is another's.
const NO_ROOT: i32 = 0;

/// Whose orphans are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Of all that descends from this process.
    All,
    /// Of the children of this process that have ended; those that live look after their own.
    OfEndedChildren,
}

/// The watch of this process, if it needs one. It has one thread; the lock is for the compiler.
static WATCH: Mutex<Option<Watch>> = Mutex::new(None);

#[derive(Debug)]
struct Watch {
    whose: Whose,
    /// Two ids that together mean us, whoever inherits them.
    mark: String,
    known: HashMap<i32, Known>,
    leader: Option<i32>,
    has_leader_ended: bool,
    /// Children of ours that have ended, as long as somebody may be left of them.
    ended_roots: Vec<i32>,
    /// When we were born: nobody older descends from us.
    birth: u64,
    next_look: Instant,
    pause: Duration,
}

#[derive(Debug)]
struct Known {
    process: Held,
    /// The child of ours that it descends from.
    root: i32,
}

/// Begins to look; also in a fork, which knows nobody yet.
pub(crate) fn begin(whose: Whose) {
    let own = own_pid();
    let mark = mark_of(Pid::parent().as_raw(), own);
    let (known, ended_roots, leader) = (HashMap::new(), Vec::new(), None);
    let birth = procfs::birth(own).unwrap_or_default();
    let next_look = Instant::now() + SOON;
    leave_inherited();
    *watch() =
        Some(Watch { whose, mark, known, leader, has_leader_ended: false, ended_roots, birth, next_look, pause: SOON });
}

/// Ends it, in a fork whose orphans come back.
pub(crate) fn end() {
    leave_inherited();
}

/// What a fork has of its parent. The descriptors in it were closed with all others.
fn leave_inherited() {
    std::mem::forget(watch().take());
}

/// Whether orphans have to be looked for at all.
pub(crate) fn is_needed() -> bool {
    watch().is_some()
}

/// The environment with the mark that everything which descends from this process is to have. The marks of those above us, who
/// may have to look for it as well, stay in it.
pub(crate) fn marked(mut environment: Vec<CString>) -> Vec<CString> {
    if let Some(watch) = watch().as_ref() {
        let above = std::env::var(MARK).map(|above| above + SEPARATOR).unwrap_or_default();
        let variable = format!("{MARK}={above}{}", watch.mark);
        environment.retain(|variable| variable.as_bytes().split(|byte| *byte == b'=').next() != Some(MARK.as_bytes()));
        environment.push(CString::new(variable).expect("a variable that was read has no nul in it"));
    }
    environment
}

/// When the next look is due.
pub(crate) fn next_look() -> Option<Instant> {
    watch().as_ref().map(|watch| watch.next_look)
}

/// Looks, if it is due.
pub(crate) fn look_if_due() {
    let now = Instant::now();
    if let Some(watch) = watch().as_mut().filter(|watch| watch.next_look <= now) {
        let any = watch.look();
        watch.pause = if any { SOON } else { LATE.min(watch.pause * 2) };
        // A guardian of hundreds has other things to do.
        watch.next_look = Instant::now() + watch.pause.max(now.elapsed() * SHARE);
    }
}

/// Looks at all processes, whose children they may be.
pub(crate) fn look_at_all() {
    if let Some(watch) = watch().as_mut() {
        watch.look();
        watch.look_for_marks();
    }
}

/// A child has ended before it could look after its own: whom it has left is to be looked after here.
pub(crate) fn has_ended_early(child: i32) {
    if let Some(watch) = watch().as_mut() {
        watch.ended_roots.push(child);
    }
}

/// A child has ended, and has said that nobody is left of it.
pub(crate) fn has_ended(child: i32) {
    if let Some(watch) = watch().as_mut() {
        watch.known.retain(|_, known| known.root != child);
    }
}

/// The one child that a shim has. It is not reaped before its orphans are gone, so that its id, and with it that of its
/// group, means it.
pub(crate) fn has_leader(child: i32) {
    if let Some(watch) = watch().as_mut() {
        watch.leader = Some(child);
    }
}

/// Notes that the leader has ended, and tells whether that was known.
pub(crate) fn leader_has_ended() -> bool {
    watch().as_mut().is_some_and(|watch| std::mem::replace(&mut watch.has_leader_ended, true))
}

/// The leader, if it has ended and is not reaped yet.
pub(crate) fn ended_leader() -> Option<i32> {
    watch().as_ref().and_then(|watch| watch.leader.filter(|_| watch.has_leader_ended))
}

/// Kills the group of the leader, in which everything is that did not leave it; at once, so that nobody can hop away.
pub(crate) fn kill_group() {
    if let Some(leader) = watch().as_ref().and_then(|watch| watch.leader) {
        // Nobody may be left in it.
        let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    }
}

/// Whether the orphans are ours alone to look for: in a shim.
pub(crate) fn are_all_ours() -> bool {
    watch().as_ref().is_some_and(|watch| watch.whose == Whose::All)
}

/// A child was made. Its id may be that of one that ended before, and means this one from now on.
pub(crate) fn has_begun(child: i32) {
    if let Some(watch) = watch().as_mut() {
        watch.ended_roots.retain(|root| *root != child);
        watch.known.values_mut().filter(|known| known.root == child).for_each(|known| known.root = NO_ROOT);
    }
}

/// The orphans that live.
pub(crate) fn living() -> Vec<i32> {
    watch().as_mut().map(Watch::living).unwrap_or_default()
}

/// Signals an orphan; `None` if this is none.
pub(crate) fn signal(pid: i32, number: i32) -> Option<std::io::Result<()>> {
    let watch = watch();
    Some(watch.as_ref()?.known.get(&pid)?.process.signal(number))
}

/// Whether a process bears a mark of this shim: also to be asked by others than the shim.
pub(crate) fn is_marked_by(pid: i32, shim: i32) -> bool {
    let ending = format!(".{shim}");
    let has_mark = || marks_of(pid).iter().any(|mark| mark.ends_with(&ending));
    shim > 0 && (procfs::session(pid) == Some(shim) || has_mark())
}

/// Those of the processes of ours above it, from the first one on.
fn marks_of(pid: i32) -> Vec<String> {
    let given = procfs::given(pid, MARK).unwrap_or_default();
    String::from_utf8_lossy(&given).split(SEPARATOR).map(str::to_owned).collect()
}

impl Watch {
    /// Whoever is below us or below somebody whom we know. Whether there was anybody new.
    fn look(&mut self) -> bool {
        self.known.retain(|_, known| known.process.is_alive());
        let before = self.known.len();
        let children = procfs::children_of_single(own_pid()).unwrap_or_default();
        let orphans: Vec<(i32, i32)> = self.known.iter().map(|(pid, known)| (*pid, known.root)).collect();
        for (pid, root) in children.into_iter().map(|child| (child, child)).chain(orphans) {
            for descendant in procfs::descendants(pid) {
                // It may have been somebody else's by the time that it was held.
                self.meet(descendant, root, &|| procfs::is_below(descendant, pid));
            }
        }
        self.known.len() > before
    }

    fn look_for_marks(&mut self) {
        let own = own_pid();
        for pid in procfs::processes().filter(|pid| *pid != own) {
            let Some(process) = Identity::of(pid).filter(|process| process.birth >= self.birth) else { continue };
            let root = self.marked_root(pid).filter(|_| procfs::parent(pid) != Some(own));
            if let Some(root) = root {
                self.meet(pid, root, &|| process.is_alive());
            }
        }
        // Whoever would have been left of them was met now.
        let known = &self.known;
        self.ended_roots.retain(|root| known.values().any(|known| known.root == *root));
    }

    /// The child of ours that has ended, or we ourselves, by whose mark this process is one of ours.
    fn marked_root(&self, pid: i32) -> Option<i32> {
        let own = own_pid();
        if self.whose == Whose::All {
            let has_mark = || marks_of(pid).contains(&self.mark);
            return Some(own).filter(|_| procfs::session(pid) == Some(own) || has_mark());
        }
        let marks = if self.ended_roots.is_empty() { Vec::new() } else { marks_of(pid) };
        self.ended_roots.iter().copied().find(|root| marks.contains(&mark_of(own, *root)))
    }

    fn meet(&mut self, pid: i32, root: i32, is_ours: &dyn Fn() -> bool) {
        if self.known.get(&pid).is_some_and(|known| known.process.is_alive()) {
            return;
        }
        let held = Held::of(pid).filter(|_| is_ours());
        self.known.extend(held.map(|process| (pid, Known { process, root })));
    }

    fn living(&mut self) -> Vec<i32> {
        let own = own_pid();
        self.known.retain(|_, known| known.process.is_alive());
        let is_due = |(pid, known): &(&i32, &Known)| match self.whose {
            Whose::All => !procfs::is_below(**pid, own),
            Whose::OfEndedChildren => known.root == NO_ROOT || self.ended_roots.contains(&known.root),
        };
        self.known.iter().filter(is_due).map(|(pid, _)| *pid).collect()
    }
}

fn mark_of(guardian: i32, shim: i32) -> String {
    format!("{guardian}.{shim}")
}

fn own_pid() -> i32 {
    Pid::this().as_raw()
}

fn watch() -> MutexGuard<'static, Option<Watch>> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}
