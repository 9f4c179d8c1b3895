//! Whose store the clients ask: ours, redis', or a server that only gives back what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use pkit_test::State;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::work::{VALUE_BYTES, Verb};
use crate::outcome::Outcome;

/// Where it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Whose {
    Ours(State),
    Redis(PathBuf),
    Echo(PathBuf),
}

/// A connection to it.
pub(super) enum Client {
    Ours(State),
    Redis(Redis),
    Echo(UnixStream),
}

/// About what a value of ours takes with all that goes with it.
pub(super) const ECHO_BYTES: usize = 100;

impl Whose {
    pub(super) fn client(&self) -> Outcome<Client> {
        Ok(match self {
            Whose::Ours(state) => Client::Ours(state.clone()),
            Whose::Redis(path) => Client::Redis(Redis::connect(path)?),
            Whose::Echo(path) => Client::Echo(UnixStream::connect(path)?),
        })
    }
}

impl Client {
    /// Once. What is not there is made.
    pub(super) fn act(&mut self, verb: Verb, key: &str) -> Outcome<()> {
        match self {
            Client::Ours(state) => ours(state, verb, key),
            Client::Redis(redis) => redis.act(verb, key),
            Client::Echo(stream) => {
                let mut message = [7; ECHO_BYTES];
                stream.write_all(&message)?;
                Ok(stream.read_exact(&mut message)?)
            }
        }
    }
}

fn ours(state: &State, verb: Verb, key: &str) -> Outcome<()> {
    match verb {
        Verb::Set => state.set(key, &value())?,
        Verb::Get => drop(state.get::<ByteBuf>(key)?),
        Verb::Update => state.update_or(key, value(), |value: &mut ByteBuf| value[0] = value[0].wrapping_add(1))?,
    }
    Ok(())
}

fn value() -> ByteBuf {
    ByteBuf::from(vec![7; VALUE_BYTES])
}

/// The protocol by hand, as what is measured is the server and not a crate.
pub(super) struct Redis {
    stream: BufReader<UnixStream>,
}

impl Redis {
    fn connect(path: &PathBuf) -> Outcome<Redis> {
        Ok(Redis { stream: BufReader::new(UnixStream::connect(path)?) })
    }

    fn act(&mut self, verb: Verb, key: &str) -> Outcome<()> {
        match verb {
            Verb::Set => {
                self.send(&[&[b"SET", key.as_bytes(), &value()]])?;
                self.reply().map(drop)
            }
            Verb::Get => {
                self.send(&[&[b"GET", key.as_bytes()]])?;
                self.reply().map(drop)
            }
            Verb::Update => {
                while !self.updates(key.as_bytes())? {}
                Ok(())
            }
        }
    }

    /// Optimistically, which takes two ways to the server and back. `false` if somebody was quicker.
    fn updates(&mut self, key: &[u8]) -> Outcome<bool> {
        self.send(&[&[b"WATCH", key], &[b"GET", key]])?;
        self.reply()?;
        let mut value = self.reply()?.unwrap_or_else(|| value().into_vec());
        value[0] = value[0].wrapping_add(1);
        self.send(&[&[b"MULTI"], &[b"SET", key, &value], &[b"EXEC"]])?;
        self.reply()?;
        self.reply()?;
        // An array with one answer, or none.
        Ok(self.reply()?.is_some())
    }

    fn send(&mut self, commands: &[&[&[u8]]]) -> Outcome<()> {
        let mut bytes = Vec::new();
        for command in commands {
            write!(bytes, "*{}\r\n", command.len())?;
            for word in *command {
                write!(bytes, "${}\r\n", word.len())?;
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        Ok(self.stream.get_mut().write_all(&bytes)?)
    }

    /// One reply; of an array its one answer.
    fn reply(&mut self) -> Outcome<Option<Vec<u8>>> {
        let line = self.line()?;
        match line.split_at_checked(1) {
            Some(("+" | ":", text)) => Ok(Some(text.as_bytes().to_vec())),
            Some(("$" | "*", "-1")) => Ok(None),
            Some(("*", "1")) => self.reply(),
            Some(("$", length)) => {
                let mut bytes = vec![0; length.parse::<usize>()? + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Ok(Some(bytes))
            }
            _ => Err(format!("redis says `{line}`").into()),
        }
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
