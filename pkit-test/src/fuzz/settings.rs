//! Settings from the environment.

use super::input::Input;
use crate::config::read;

/// Whatever is set, a setting has a value that can be used, and a mistake has words.
pub(super) fn settings(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let names = ["PKIT_TIMEOUT_SCALE", "PKIT_OUTPUT", "PKIT_KEEP", "PKIT_DIR", "PKIT_LOG", "PKIT_KEEP_FOR"];
    let values = names.map(|name| (name, input.line().into_owned()));
    let get = |name: &str| values.iter().find(|(known, value)| *known == name && !value.is_empty());
    let config = read(&|name| get(name).map(|(_, value)| value.clone()));
    assert!(config.timeout_scale.is_finite() && config.timeout_scale > 0.0, "{config:?}");
    assert!(config.mistakes.iter().all(|mistake| mistake.starts_with("PKIT_")), "{config:?}");
    assert!(!config.directory.as_os_str().is_empty());
}
