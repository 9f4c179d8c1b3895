//! What a process has written last, so that `update` need not ask what is there before it says what shall be there.
//!
//! It is a guess, which the server confirms with the version: others may have written since. So no answer to a user may come
//! from it alone.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::protocol::{Key, Value, Version};
use crate::limits::{REMEMBERED_BYTES, REMEMBERED_KEYS};

/// A few keys, the one that was written last at the end.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    keys: Mutex<VecDeque<(Key, Version, Value)>>,
}

impl Remembered {
    /// Nobody waits for it: a guess is not worth a lock, and who forks while it is held could not get it any more.
    pub(crate) fn get(&self, key: &Key) -> Option<(Version, Value)> {
        let keys = self.keys.try_lock().ok()?;
        keys.iter().find(|(known, ..)| known == key).map(|(_, version, value)| (*version, value.clone()))
    }

    pub(crate) fn put(&self, key: &Key, version: Version, value: &Value) {
        let Ok(mut keys) = self.keys.try_lock() else { return };
        let known = keys.iter().position(|(known, ..)| known == key);
        let known = known.and_then(|at| keys.remove(at));
        if value.bytes.len() > REMEMBERED_BYTES {
            return;
        }
        if keys.len() == REMEMBERED_KEYS {
            keys.pop_front();
        }
        let key = known.map_or_else(|| key.clone(), |(key, ..)| key);
        keys.push_back((key, version, value.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { space: "".into(), name: name.into() }
    }

    fn value(bytes: usize) -> Value {
        Value { type_name: "u8".into(), bytes: vec![0; bytes].into() }
    }

    #[test]
    fn the_last_ones_of_a_bounded_size_are_kept() {
        let remembered = Remembered::default();
        for n in 0..=REMEMBERED_KEYS {
            remembered.put(&key(&n.to_string()), n as Version, &value(1));
        }
        assert_eq!(remembered.get(&key("0")), None);
        assert_eq!(remembered.get(&key("1")), Some((1, value(1))));
        remembered.put(&key("1"), 100, &value(2));
        assert_eq!(remembered.get(&key("1")), Some((100, value(2))));
        remembered.put(&key("1"), 101, &value(REMEMBERED_BYTES + 1));
        assert_eq!(remembered.get(&key("1")), None);
    }
}
