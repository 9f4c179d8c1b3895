//! What services say of themselves to `$NOTIFY_SOCKET`.

use crate::ready::heard;

/// More is never shown of a message, however long it is.
const MOST_CHARS: usize = 4096;

/// It is ready when a line says so and at no other time, and what is shown of the rest is short and of one line.
pub(super) fn notify(bytes: &[u8]) {
    let (is_ready, shown) = heard(bytes);
    assert_eq!(is_ready, bytes.split(|byte| *byte == b'\n').any(|line| line == b"READY=1"));
    assert!(!shown.is_empty() && shown.chars().count() <= MOST_CHARS, "{} characters", shown.chars().count());
    assert!(!shown.contains(char::is_control), "{shown:?}");
}
