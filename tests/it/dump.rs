//! What a service says that it was given.

use pkit_test::{Process, Spec};

/// What `env_dump` has to tell.
#[derive(Debug)]
pub(crate) struct Dump {
    text: String,
}

/// Runs it to its end.
pub(crate) fn dump(spec: Spec) -> Dump {
    let process = spec.start().unwrap();
    assert!(process.wait().unwrap().success(), "{}", process.output());
    dump_of(&process)
}

/// What one has told so far.
pub(crate) fn dump_of(process: &Process) -> Dump {
    Dump { text: process.stdout() }
}

impl Dump {
    /// All lines of that key.
    pub(crate) fn all(&self, key: &str) -> Vec<String> {
        let values = self.text.lines().filter_map(|line| line.split_once(": ").filter(|(known, _)| *known == key));
        values.map(|(_, value)| value.to_owned()).collect()
    }

    /// The only line of that key.
    #[track_caller]
    pub(crate) fn one(&self, key: &str) -> String {
        let [value] = self.all(key).try_into().unwrap_or_else(|all| panic!("{key}: {all:?}"));
        value
    }

    pub(crate) fn number(&self, key: &str) -> u32 {
        self.one(key).parse().unwrap()
    }

    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let pair = |text: String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut variables: Vec<_> = self.all("env").into_iter().filter_map(pair).collect();
        variables.sort();
        variables
    }
}
