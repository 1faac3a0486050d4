//! Bytes of files as text.

use std::borrow::Cow;

/// `bytes` with U+FFFD for what is not UTF-8.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // Checking all of it at once is several times as fast as looking for what is wrong, and mostly nothing is.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
