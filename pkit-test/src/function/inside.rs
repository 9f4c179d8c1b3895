//! The function process itself, as it knows itself.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, OnceLock};

use crate::parcel::{Ending, PanicNote, ResultWriter, Stage, Surroundings, Unpacked};
use crate::sync::lock;
use crate::sys::bell::Rope;
use crate::sys::identity::{Identity, identity};

static INSIDE: OnceLock<Inside> = OnceLock::new();

/// There is one in a function process, and none elsewhere.
#[derive(Debug)]
pub(super) struct Inside {
    parcel: Unpacked,
    /// The process that was entered: what it forks has the same memory, but not the last word.
    pid: i32,
    thread: std::thread::ThreadId,
    rope: Mutex<Option<KnownRope>>,
}

/// A rope, and what its descriptor was: a function may close all that it finds, and open others of the same number.
#[derive(Debug)]
struct KnownRope {
    end: OwnedFd,
    identity: Option<Identity>,
}

impl Inside {
    /// This process is one from now on.
    pub(super) fn begin(parcel: Unpacked, rope: Option<Rope>) -> &'static Inside {
        let rope = rope.map(OwnedFd::from).map(|end| KnownRope { identity: identity(&end), end });
        let pid = crate::sys::child::own_pid();
        INSIDE.get_or_init(|| Inside { parcel, pid, thread: std::thread::current().id(), rope: Mutex::new(rope) })
    }

    pub(super) fn get() -> Option<&'static Inside> {
        INSIDE.get()
    }

    pub(super) fn surroundings(&self) -> &Surroundings {
        self.parcel.surroundings()
    }

    pub(super) fn arguments(&self) -> &[u8] {
        self.parcel.arguments()
    }

    pub(super) fn is_entered_process(&self) -> bool {
        self.pid == crate::sys::child::own_pid()
    }

    /// Whether this is the thread in which the function began.
    pub(super) fn is_first_thread(&self) -> bool {
        self.thread == std::thread::current().id()
    }

    /// The function is about to run.
    pub(super) fn say_begun(&self) {
        self.say(Stage::Begun, !self.surroundings().waits_for_ready);
    }

    /// The function has said that it is ready.
    pub(super) fn say_ready(&self) {
        self.say(Stage::SaidReady, true);
    }

    fn say(&self, stage: Stage, is_last: bool) {
        self.parcel.set_stage(stage);
        let mut rope = lock(&self.rope);
        *rope = rope.take().and_then(KnownRope::pulled).filter(|_| !is_last);
    }

    /// What a fork of the process has to say is about itself.
    pub(super) fn note_panic(&self, note: &PanicNote) {
        if self.is_entered_process() {
            self.parcel.note_panic(note);
        }
    }

    pub(super) fn forget_panic(&self) {
        self.parcel.forget_panic();
    }

    pub(super) fn result_writer(&self) -> ResultWriter<'_> {
        self.parcel.result_writer()
    }

    pub(super) fn finish(&self, ending: Ending<'_>) {
        self.parcel.finish(ending);
    }
}

impl KnownRope {
    /// Rung by it, if it is still there.
    fn pulled(self) -> Option<KnownRope> {
        let KnownRope { end, identity: known } = self;
        if identity(&end) != known {
            // The number is somebody else's now, who will close it.
            std::mem::forget(end);
            return None;
        }
        let rope = Rope::from(end);
        // Whether anybody listens any more is their affair.
        let _ = rope.pull();
        Some(KnownRope { end: rope.into(), identity: known })
    }
}
