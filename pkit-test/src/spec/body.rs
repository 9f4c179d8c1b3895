//! What a spec runs, a program or a function; and what does not depend on that.

use std::marker::PhantomData;

use super::{Expected, Spec, Written};
use crate::callee::Callee;
use crate::command::Command;
use crate::template::Hole;

/// What is to run.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Program(Command),
    Function(Callee),
}

impl Body {
    pub(super) fn holes(&self) -> impl Iterator<Item = &Hole> {
        let command = match self {
            Body::Program(command) => Some(command),
            // What it is given is nobody's text.
            Body::Function(_) => None,
        };
        command.into_iter().flat_map(Command::holes)
    }
}

impl<H> Spec<H> {
    /// One that runs a function.
    #[track_caller]
    pub(crate) fn calling(callee: Callee, constructor: &'static str) -> Spec<H> {
        let spec = Spec::of(Body::Function(callee), Written { constructor, rest: String::new() });
        Spec { expects: Expected::Return, ..spec }
    }

    /// The same for whoever does not care what it starts.
    pub(crate) fn cast<T>(self) -> Spec<T> {
        let Spec { body, written, place, env, clears_env, cwd, stdin, user, host, ports, after, ready, .. } = self;
        let Spec { start_timeout, stop_timeout, stop_signal, expects, must_stop_gracefully, any_owner, .. } = self;
        let Spec { isolations, supervision, on_start, on_exit, .. } = self;
        Spec {
            body,
            written,
            place,
            env,
            clears_env,
            cwd,
            stdin,
            user,
            host,
            ports,
            after,
            ready,
            start_timeout,
            stop_timeout,
            stop_signal,
            expects,
            must_stop_gracefully,
            any_owner,
            isolations,
            supervision,
            on_start,
            on_exit,
            handle: PhantomData,
        }
    }

    /// The function that it runs, if it runs one.
    pub(crate) fn callee(&self) -> Option<&Callee> {
        match &self.body {
            Body::Program(_) => None,
            Body::Function(callee) => Some(callee),
        }
    }
}

impl<H> Clone for Spec<H> {
    fn clone(&self) -> Spec<H> {
        Spec {
            body: self.body.clone(),
            written: self.written.clone(),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            stdin: self.stdin.clone(),
            user: self.user.clone(),
            host: self.host.clone(),
            ports: self.ports.clone(),
            after: self.after.clone(),
            ready: self.ready.clone(),
            on_start: self.on_start.clone(),
            on_exit: self.on_exit.clone(),
            ..*self
        }
    }
}
