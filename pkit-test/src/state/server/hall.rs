//! The loop of the server: who comes, asks, is answered, and goes.
//!
//! ```text
//!              readable            writable         error, end      its session died   stop asked
//! stop         -> over
//! listener     -> a link           (none)           (none)          (none)
//! link         -> its next asks    -> its answer    -> closed       -> closed
//! session      what its links have sent is obeyed, then -> left
//! ```
//!
//! A request is one read and one write. What it answers to others is written then, too. Whatever a client does costs no more than
//! its own links.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::Instant;

use super::dialect::Asked;
use super::ids::ById;
use super::link::{Filled, Link};
use super::sessions::{Sessions, number, who};
use super::teller::Teller;
use crate::state::protocol::{Refusal, Reply, Request};
use crate::state::store::Store;
use crate::sys::peer::peer;
use crate::sys::platform::Crowd;
use crate::sys::random::random;
use crate::sys::wait::For;

/// The ids of those in the crowd that are there from the beginning.
const STOP: u32 = 0;
const LISTENER: u32 = 1;
const FIRST: u32 = 2;

/// How much is read at a time.
const ROOM_BYTES: usize = 64 * 1024;

/// How many who want to come are let in before others get their turn again.
const ARRIVALS: usize = 64;

pub(crate) struct Hall {
    listener: UnixListener,
    stop: OwnedFd,
    crowd: Crowd,
    store: Store,
    links: ById<Link>,
    sessions: Sessions,
    next_id: u32,
    /// Which server this is.
    number: u64,
    /// Its place is for one more who comes when there is room for none, and is sent away.
    spare: Option<File>,
    /// Links that have something to do: to read what they have asked meanwhile, or to be closed.
    touched: Vec<u32>,
    teller: Teller,
    read_room: Box<[u8]>,
    write_room: Vec<u8>,
}

impl Hall {
    /// One that goes on until `stop` can be read from.
    ///
    /// # Errors
    ///
    /// When the system does not let it wait.
    pub(crate) fn new(listener: UnixListener, stop: OwnedFd) -> io::Result<Hall> {
        listener.set_nonblocking(true)?;
        let crowd = Crowd::new();
        crowd.add(&stop, STOP)?;
        crowd.add(&listener, LISTENER)?;
        Ok(Hall {
            listener,
            stop,
            crowd,
            store: Store::new(Instant::now()),
            links: ById::default(),
            sessions: Sessions::default(),
            next_id: FIRST,
            number: random(),
            spare: spare(),
            touched: Vec::new(),
            teller: Teller::default(),
            read_room: vec![0; ROOM_BYTES].into(),
            write_room: Vec::new(),
        })
    }

    /// Writes down what was not written yet of the last changes, for people.
    pub(crate) fn tell(&mut self) {
        self.teller.tell(&self.store);
    }

    /// Serves until it is to stop.
    ///
    /// # Errors
    ///
    /// When the system does not let it wait.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        loop {
            let deadline = [self.store.deadline(), self.teller.due()].into_iter().flatten().min();
            self.crowd.wait(deadline, &mut ready)?;
            if ready.contains(&STOP) {
                return Ok(());
            }
            for id in ready.drain(..) {
                self.look_at(id);
            }
            self.tick();
            self.teller.hear(&self.store);
        }
    }

    fn look_at(&mut self, id: u32) {
        if id == LISTENER {
            self.let_in();
        } else if self.links.contains_key(&id) {
            self.serve(id);
        } else if self.sessions.get(id).is_some() {
            self.bury(id);
        }
        // Else it was closed by what came before it.
        self.settle();
    }

    fn tick(&mut self) {
        let Some(deadline) = self.store.deadline() else { return };
        let now = Instant::now();
        if deadline <= now {
            self.store.tick(now);
            self.pass_on();
            self.settle();
        }
    }

    fn let_in(&mut self) {
        for _ in 0..ARRIVALS {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    let id = self.new_id();
                    let link = Link::new(stream);
                    // One that cannot be waited for is closed by being dropped.
                    let is_added = link.stream.set_nonblocking(true).and_then(|()| self.crowd.add(&link.stream, id));
                    if is_added.is_ok() {
                        self.links.insert(id, link);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.send_away(),
            }
        }
    }

    /// Nobody else can be let in: whoever waits would be told of again and again.
    fn send_away(&mut self) {
        self.spare = None;
        drop(self.listener.accept());
        self.spare = spare();
    }

    fn new_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = id.checked_add(1).expect("nobody makes four billion connections to a state");
        id
    }

    /// Does what a link makes possible: something can be read, or written.
    fn serve(&mut self, id: u32) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let was_full = link.is_full();
        let result = if was_full { link.flush().map(|()| Filled::Some) } else { link.fill(&mut self.read_room) };
        if was_full && !link.is_full() {
            // Its other asks may have come already.
            let _ = self.crowd.wait_for(&link.stream, id, For::Reading);
        }
        match result {
            Ok(_) => {}
            // As a link is that is closed by somebody who has not read all of it.
            Err(_) => link.break_off(),
        }
        self.touched.push(id);
    }

    /// Obeys what links have asked that have something to do, until they wait for the other side.
    fn settle(&mut self) {
        while let Some(id) = self.touched.pop() {
            while let Some(asked) = self.links.get_mut(&id).and_then(Link::next) {
                self.obey(id, asked);
            }
            if self.links.get(&id).is_some_and(Link::is_done) {
                self.close(id);
            }
        }
    }

    fn obey(&mut self, id: u32, asked: Asked) {
        match asked {
            Asked::Request(Request::Hello { nonce, name, .. }) => self.welcome(id, nonce, &name),
            Asked::Request(request) => self.ask(id, request),
            Asked::Mistake(refusal) => self.answer(id, &Reply::Refused(refusal)),
            Asked::LastMistake(refusal) => {
                self.links.get_mut(&id).into_iter().for_each(Link::end);
                self.answer(id, &Reply::Refused(refusal));
            }
        }
    }

    fn welcome(&mut self, id: u32, nonce: u64, name: &str) {
        let Some(link) = self.links.get(&id) else { return };
        if link.session.is_some() {
            let refusal = Refusal::Malformed("a greeting is the first thing that is said".to_owned());
            return self.answer(id, &Reply::Refused(refusal));
        }
        let nonce = (!link.speaks_json()).then_some(nonce);
        self.enter(id, nonce, Some(name));
        self.answer(id, &Reply::Welcome { server: self.number });
    }

    /// The link is one of a process that is known by its nonce, or of one that comes with it.
    fn enter(&mut self, id: u32, nonce: Option<u64>, name: Option<&str>) {
        let session = nonce.and_then(|nonce| self.sessions.of_nonce(nonce));
        let session = session.unwrap_or_else(|| self.new_session(id, nonce, name));
        if let Some(link) = self.links.get_mut(&id) {
            link.session = Some(session);
            self.sessions.add_link(session, id);
            self.store.open(id.into(), number(session));
        }
    }

    fn new_session(&mut self, link: u32, nonce: Option<u64>, name: Option<&str>) -> u32 {
        let id = self.new_id();
        let peer = peer(&self.links[&link].stream);
        self.store.enter(number(id), who(&peer, name));
        // Where the end of a process cannot be waited for, that of its links is.
        let end = peer.end.filter(|end| self.crowd.add(end, id).is_ok());
        self.sessions.add(id, nonce, end);
        id
    }

    fn ask(&mut self, id: u32, request: Request) {
        if self.links.get(&id).is_some_and(|link| link.session.is_none()) {
            self.enter(id, None, None);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.keep(&request);
        match self.store.ask(id.into(), request, Instant::now()) {
            Some(reply) => self.answer(id, &reply),
            None => link.park(),
        }
        self.pass_on();
    }

    /// Tells others what became of theirs.
    fn pass_on(&mut self) {
        let replies: Vec<_> = self.store.replies().collect();
        for (link, reply) in replies {
            let id = u32::try_from(link).expect("it was given out by us");
            self.answer(id, &reply);
            // It may have asked for more already, in a language without turns.
            self.touched.push(id);
        }
    }

    fn answer(&mut self, id: u32, reply: &Reply) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let is_sent = link
            .answer(reply, &mut self.write_room)
            .and_then(|()| if link.is_full() { self.crowd.wait_for(&link.stream, id, For::Writing) } else { Ok(()) });
        // One large answer is not kept for ever.
        self.write_room.clear();
        self.write_room.shrink_to(ROOM_BYTES);
        if is_sent.is_err() {
            // Not here: its end may be the answer of others, whose links are broken as well, and so on.
            link.break_off();
            self.touched.push(id);
        }
    }

    /// Ends a link, and its session with the last one. But who did not hear an answer has given up waiting for it, as one does at a
    /// server that was stopped, and may hold something still: such a session ends with its process.
    fn close(&mut self, id: u32) {
        let Some(link) = self.forget(id) else { return };
        let Some(session) = link.session else { return };
        if link.was_given_up() {
            self.store.take_back(id.into(), Instant::now());
        }
        let is_last = self.sessions.remove_link(session, id);
        if is_last && !(link.was_given_up() && self.sessions.outlives_links(session)) {
            self.leave(session);
        } else {
            self.store.close(id.into(), Instant::now());
        }
        self.pass_on();
    }

    fn forget(&mut self, id: u32) -> Option<Link> {
        let link = self.links.remove(&id)?;
        // It is closed in any case.
        let _ = self.crowd.remove(&link.stream);
        Some(link)
    }

    /// A process is dead. What it has sent before was sent.
    fn bury(&mut self, id: u32) {
        let links = self.sessions.get(id).map(|session| session.links.clone()).unwrap_or_default();
        for link in &links {
            while let Some(Ok(Filled::Some)) = self.links.get_mut(link).map(|link| link.fill(&mut self.read_room)) {}
            self.touched.push(*link);
            self.settle();
        }
        // First as a whole: what it waits for is not given to another link of it.
        self.leave(id);
        for link in links {
            self.forget(link);
        }
        self.pass_on();
    }

    fn leave(&mut self, session: u32) {
        let Some(gone) = self.sessions.remove(session) else { return };
        gone.end.map(|end| self.crowd.remove(end));
        self.store.leave(number(session), Instant::now());
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        // An end that a fork of this process still holds would stay in the crowd of both.
        let _ = self.crowd.remove(&self.stop);
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}
