//! The parent of one service: starts it, records its output, and stays until nothing of it is left.
//!
//! A shim is a fork of the guardian. It is a subreaper, so that whatever leaves the service's session or loses its
//! parent comes back to it, and `ECHILD` is the proof that nothing is left. It obeys the guardian, and the end of the
//! guardian's socket is an order to stop. The death of the test is none of its business: the guardian stops its
//! services in their order.
//!
//! ```text
//!            leader ends 0       leader ends otherwise   stop ordered       guardian gone, or a signal   no child left
//! Running    a daemonizer: on    -> Stopping             -> Stopping        -> Stopping, alone           -> gone
//! Stopping   told                told                    as `stopping`      alone from now on            -> gone
//! ```
//!
//! The stages of Stopping are those of `stopping`; from there it comes back to Running where an order without SIGKILL did not
//! help, and goes on at once with one that has it where the leader has failed: what that left is a ruin. Alone it says nothing,
//! and SIGKILL follows the grace whatever the order was.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::protocol::{Event, Launch, Order, StopPlan};
use super::stopping::Stopping;
use super::wire::{Got, Inbox, Outbox};
use crate::exit::Exit;
use crate::output::record::Recorder;
use crate::sys::bell::Rope;
use crate::sys::child::{self, Body, Reaped, Step};
use crate::sys::fd;
use crate::sys::namespace::{Apart, Outside};
use crate::sys::strays;
use crate::sys::wait::{self, For};

mod body;
mod first;
mod input;
mod pardon;
mod tree;

use body::Gifts;
use first::{first_order, is_lost};
use input::Input;
use pardon::Pardon;

/// How long a shim that has said all waits for the guardian to have read it.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// How many portions of output are "all of it" while somebody goes on writing. After the end of the service it is
/// more than its pipes can hold.
const PORTIONS: usize = 64;

/// What a shim is told at its fork. What it is to run comes as its first order: it may be forked ahead of time.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) socket: UnixStream,
    /// Who has forked it, if that can be asked again.
    pub(crate) guardian: Option<i32>,
    pub(crate) file_limit: Option<child::FileLimit>,
    pub(crate) crash_ms: u64,
    /// It has process ids of its own.
    pub(crate) apart: Option<Apart>,
    /// Why it is not in the network in which it is to be.
    pub(crate) not_there: Option<io::Error>,
}

/// The child's side of the guardian's fork. Never returns into the guardian's code.
pub(crate) fn main(birth: Birth) -> ! {
    let mut birth = birth;
    let mut inbox = Inbox::default();
    if let Some((id, launch, [slate, binary])) = first_order(&birth, &mut inbox) {
        let rope = inbox.attached().map(Rope::from);
        let gifts = Gifts { slate, binary, rope: rope.as_ref() };
        match settle(&mut birth).and_then(|outside| start(&launch, gifts, birth.file_limit, outside)) {
            Ok(started) => {
                let mut shim = Shim { rope, ..Shim::new(id, &launch, birth, inbox, started) };
                shim.begin(launch.has_bell);
                shim.run();
            }
            Err((step, error)) => refuse(id, &birth.socket, step, &error),
        }
    }
    child::exit_now(0)
}

/// Makes sure that it is where its service is to be.
fn settle(birth: &mut Birth) -> Result<Option<Outside>, (Step, io::Error)> {
    if let Some(error) = birth.not_there.take() {
        return Err((Step::Network, error));
    }
    birth.apart.as_ref().map(Apart::settle).transpose()
}

fn refuse(id: u32, socket: &UnixStream, step: Step, error: &io::Error) {
    let errno = error.raw_os_error().unwrap_or(0);
    let mut outbox = Outbox::default();
    outbox.push(&Event::Refused { step, errno }.to_frame(id));
    // Whoever does not get this sees the end of the socket.
    let _ = outbox.flush(socket);
}

struct Shim {
    id: u32,
    socket: UnixStream,
    guardian: Option<i32>,
    inbox: Inbox,
    outbox: Outbox,
    plan: StopPlan,
    crash_ms: u64,
    /// The service itself, until it is reaped, and how it ended.
    leader: Option<i32>,
    exit: Option<Exit>,
    recorder: Recorder,
    input: Input,
    watch: Option<u64>,
    /// Pulled with every output, until nobody listens any more.
    rope: Option<Rope>,
    /// Which ends somebody has asked for. Only here it is known what came first, the order or the end.
    pardon: Pardon,
    /// Whatever its end, what it leaves is a ruin.
    ends_with_leader: bool,
    stopping: Stopping,
    is_empty: bool,
    is_alone: bool,
    /// Those whom it tells know its children by other ids.
    outside: Option<Outside>,
}

impl Shim {
    fn new(id: u32, launch: &Launch, birth: Birth, inbox: Inbox, started: Started) -> Shim {
        Shim {
            id,
            socket: birth.socket,
            guardian: birth.guardian,
            inbox,
            outbox: Outbox::default(),
            plan: launch.stop,
            crash_ms: birth.crash_ms,
            leader: Some(started.pid),
            exit: None,
            recorder: started.recorder,
            input: started.input,
            watch: None,
            rope: None,
            pardon: Pardon::None,
            ends_with_leader: launch.ends_with_leader,
            stopping: Stopping::new(),
            is_empty: false,
            is_alone: false,
            outside: started.outside,
        }
    }

    fn begin(&mut self, is_to_ring: bool) {
        let shim = self.outside.as_ref().map_or_else(child::own_pid, Outside::own);
        self.say(&Event::Started { pid: self.leader.map_or(0, |leader| self.told(leader)), shim });
        if is_to_ring && self.rope.is_none() {
            self.say(&Event::NoBell);
        }
        self.speak();
        self.recorder.make_files();
        // What has come in one piece with the order to start nobody says again.
        self.obey_all();
    }

    fn run(&mut self) {
        loop {
            self.reap();
            let now = Instant::now();
            if self.stopping.is_under_way() && !self.is_empty {
                self.stop_more(now);
            }
            if self.is_empty {
                return self.finish();
            }
            self.speak();
            let next =
                self.stopping.next_look(now).into_iter().chain(self.input.deadline()).chain(strays::next_look()).min();
            let Ok(()) = self.wait(next) else { return };
        }
    }

    fn reap(&mut self) {
        loop {
            match child::reap() {
                Reaped::NoneYet => return,
                other => self.see(other),
            }
            if self.is_empty {
                return;
            }
        }
    }

    fn see(&mut self, reaped: Reaped) {
        match reaped {
            Reaped::Ended(pid, end) => {
                self.stopping.forget(pid);
                if self.leader == Some(pid) {
                    self.leader_ended(end.into());
                }
            }
            Reaped::NoChildren => self.is_empty = true,
            Reaped::NoneYet => {}
        }
    }

    fn leader_ended(&mut self, exit: Exit) {
        self.leader = None;
        self.exit = Some(exit);
        self.recorder_catches_up();
        self.say(&Event::Exited { exit, was_asked: self.pardon.covers(exit) });
        if self.is_ruin() && !self.stopping.is_under_way() {
            self.stopping.order(StopPlan { then_kill: true, ..self.plan }, Instant::now());
        }
    }

    /// A leader that ends well and leaves descendants is a daemonizer, where it may be one; one that fails leaves a ruin.
    fn is_ruin(&self) -> bool {
        self.exit.is_some_and(|exit| self.ends_with_leader || !exit.success())
    }

    fn stop_more(&mut self, now: Instant) {
        let mut ended = Vec::new();
        let stuck = self.stopping.act(now, self.leader, &mut |reaped| ended.push(reaped));
        ended.into_iter().for_each(|reaped| self.see(reaped));
        if !self.stopping.is_under_way() {
            // A stop without SIGKILL did not help: it runs on as if nobody had asked.
            self.pardon = Pardon::None;
            if self.is_ruin() {
                // The leader did end, and what it left did not: a ruin.
                self.stopping.order(StopPlan { then_kill: true, ..self.plan }, now);
            }
        }
        if let (Some(pids), false) = (stuck, self.is_empty) {
            let pids = pids.into_iter().map(|pid| self.told(pid)).collect();
            self.say(&Event::Stuck(pids));
        }
    }

    /// The last words: all output, then the end.
    fn finish(&mut self) {
        self.recorder_catches_up();
        let killed = self.stopping.had_to_kill();
        // Nothing is left, so the leader was reaped.
        let last =
            self.exit.map_or(Event::Lost, |exit| Event::Gone { exit, was_asked: self.pardon.covers(exit), killed });
        self.say(&last);
        while !self.outbox.is_empty() && !self.is_alone {
            self.speak();
            if !self.outbox.is_empty() && wait::wait(&[(self.socket.as_fd(), For::Writing)], None).is_err() {
                return;
            }
        }
        if !self.is_alone {
            // To end is work for the kernel, and whoever waits for our word should not wait for that as well.
            let _ = wait::wait(&[(self.socket.as_fd(), For::Reading)], Some(Instant::now() + LAST_WAIT));
        }
    }

    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let speak = if self.outbox.is_empty() { For::Reading } else { For::Both };
        let mut fds = Vec::with_capacity(5);
        if !self.is_alone {
            fds.push((self.socket.as_fd(), speak));
        }
        fds.extend(self.recorder.open_pipes().map(|pipe| (pipe, For::Reading)));
        fds.extend(self.input.waiting().map(|pipe| (pipe, For::Writing)));
        wait::wait(&fds, deadline)?;
        self.recorder_moves();
        let answers = self.input.flush();
        self.answer_all(answers);
        self.listen();
        if wait::is_asked_to_end() || is_lost(self.guardian) {
            self.stop_alone();
        }
        Ok(())
    }

    fn recorder_moves(&mut self) {
        if self.recorder.move_some() {
            self.ring();
            self.tell_watcher();
        }
    }

    fn recorder_catches_up(&mut self) {
        for _ in 0..PORTIONS {
            if !self.recorder.move_some() {
                break;
            }
        }
        self.ring();
        self.tell_watcher();
    }

    /// Straight to whoever waits for output: by way of the guardian it would take two more processes to wake up.
    fn ring(&mut self) {
        if self.rope.as_ref().is_some_and(|rope| !rope.pull()) {
            self.rope = None;
        }
    }

    fn tell_watcher(&mut self) {
        let end = self.recorder.end();
        if self.watch.is_some_and(|seen| seen < end) {
            self.watch = None;
            self.say(&Event::Output { end });
        }
    }

    /// What is said at one time goes in one piece: each wakes the guardian and the test.
    fn say(&mut self, event: &Event) {
        if !self.is_alone {
            self.outbox.push(&event.to_frame(self.id));
        }
    }

    fn speak(&mut self) {
        if !self.is_alone && self.outbox.flush(&self.socket).is_err() {
            self.stop_alone();
        }
    }

    fn listen(&mut self) {
        if self.is_alone {
            return;
        }
        loop {
            match self.inbox.fill(&self.socket) {
                Ok(Got::Some) => {}
                Ok(Got::All | Got::Nothing) => break,
                Ok(Got::End) | Err(_) => return self.stop_alone(),
            }
        }
        // What has ended by now has ended before whatever we are told here.
        self.reap();
        self.obey_all();
    }

    fn obey_all(&mut self) {
        while let Ok(Some(frame)) = self.inbox.take() {
            if let Some(order) = Order::from_frame(&frame) {
                self.obey(order);
            }
        }
    }

    /// The guardian is gone, or somebody wants us gone: the service ends with us.
    fn stop_alone(&mut self) {
        if !self.is_alone {
            self.is_alone = true;
            let grace_ms = self.plan.grace_ms.min(self.crash_ms);
            self.stopping.order(StopPlan { grace_ms, then_kill: true, ..self.plan }, Instant::now());
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Signal { token, number } => {
                self.pardon = self.pardon.after_signal(number);
                self.answer(token, tree::signal(self.leader, number));
            }
            Order::Pardon { token } => {
                self.pardon = Pardon::Any;
                self.answer(token, Ok(()));
            }
            Order::Pause { token } => self.answer(token, tree::pause()),
            Order::Resume { token } => self.answer(token, tree::resume()),
            Order::Stop(plan) => {
                self.pardon = Pardon::Any;
                self.stopping.order(plan, Instant::now());
            }
            Order::Write { token, bytes } => {
                let answers = self.input.take(token, bytes);
                self.answer_all(answers);
            }
            Order::CloseInput { token } => {
                self.input.close();
                self.answer(token, Ok(()));
            }
            Order::Watch { seen } => {
                self.watch = Some(seen);
                self.tell_watcher();
            }
            Order::Sync { token } => {
                self.recorder_catches_up();
                self.answer(token, Ok(()));
            }
            // For the guardian; a shim never sees them.
            Order::Hello(_)
            | Order::Network
            | Order::Slate
            | Order::Binary
            | Order::Attend { .. }
            | Order::Hold(_)
            | Order::Release(_)
            | Order::Goodbye { .. }
            | Order::Spawn(_) => {}
        }
    }

    fn answer_all(&mut self, answers: Vec<input::Answer>) {
        answers.into_iter().for_each(|(token, result)| self.answer(token, result));
    }

    fn answer(&mut self, token: u64, result: io::Result<()>) {
        let errno = result.err().map_or(0, |error| error.raw_os_error().unwrap_or(libc_eio()));
        let pid = self.leader.or_else(|| child::own_children().first().copied());
        self.say(&Event::Answer { token, errno, pid: pid.map_or(0, |pid| self.told(pid)) });
    }

    /// The id by which others know a child that was not reaped; 0 if it cannot be found out.
    fn told(&self, child: i32) -> i32 {
        self.outside.as_ref().map_or(child, |outside| outside.id_of(child).unwrap_or(0))
    }
}

fn libc_eio() -> i32 {
    nix::errno::Errno::EIO as i32
}

struct Started {
    pid: i32,
    recorder: Recorder,
    input: Input,
    outside: Option<Outside>,
}

fn start(
    launch: &Launch,
    gifts: Gifts<'_>,
    file_limit: Option<child::FileLimit>,
    outside: Option<Outside>,
) -> Result<Started, (Step, io::Error)> {
    let (body, given) = body::of(launch, gifts)?;
    let (stdio, recorder, input) = prepare(launch).map_err(|error| (Step::Prepare, error))?;
    let image = image(launch, body, given, file_limit).map_err(|error| (Step::Prepare, error))?;
    let pid = child::spawn(&image, &stdio)?;
    Ok(Started { pid, recorder, input, outside })
}

fn prepare(launch: &Launch) -> io::Result<(child::Stdio, Recorder, Input)> {
    let (recorder, output, error) = Recorder::create(&launch.log, launch.log_bytes)?;
    let has_no_input = launch.function.is_some() && launch.input.is_empty();
    let (input, input_end) = match has_no_input {
        true => (Input::none(), fd::null()?),
        false => Input::create(&launch.input, launch.input_ends)?,
    };
    if let Some(user) = &launch.user {
        // So that the service may open `/dev/stdout` again, which asks for the rights of the pipe.
        let input = (!has_no_input).then_some(&input_end);
        // And never that of everybody's `/dev/null`.
        input.into_iter().chain([&output, &error]).try_for_each(|end| fd::give(end, user))?;
    }
    Ok((child::Stdio { input: input_end, output, error }, recorder, input))
}

fn image(
    launch: &Launch,
    body: Body,
    given: Vec<OwnedFd>,
    file_limit: Option<child::FileLimit>,
) -> io::Result<child::Image> {
    Ok(child::Image {
        body,
        given,
        environment: strays::marked(body::strings(&launch.environment)?),
        cwd: child::c_path(&launch.cwd)?,
        user: launch.user.clone(),
        file_limit,
        has_own_mounts: launch.has_own_pids,
    })
}
