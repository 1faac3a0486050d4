//! How lines leave: as they are, with their file's name before them, or as JSON.

use std::time::Duration;

use crate::generation::CHUNK;
use crate::multiline::Multiline;

/// The longest record of lines that belong together, in bytes of the file.
pub const LONGEST_RECORD: usize = 256 * 1024;
/// How many times as long as silence is waited for a record that never falls silent is held at most.
const HELD_AT_MOST: u32 = 10;
/// How long an unfinished line may wait for its end before it is written as it is.
pub const UNFINISHED: Duration = Duration::from_secs(1);

/// How lines leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Bytes as they are.
    Raw,
    /// Bytes as they are, with the file's name before each line.
    Prefixed,
    /// One JSON object a line.
    Json {
        /// Whose files they are, to stand in every record.
        container: Option<String>,
        /// Which lines leave as one record; `None` for every line as its own.
        multiline: Option<Multiline>,
    },
}

impl Format {
    /// The silence after which a record that has no end yet leaves as it is, and the time after which it leaves without.
    pub fn waits(&self) -> (Duration, Duration) {
        match self {
            Self::Raw | Self::Prefixed => (UNFINISHED, UNFINISHED),
            Self::Json { multiline: None, .. } => (UNFINISHED, UNFINISHED * HELD_AT_MOST),
            Self::Json {
                multiline: Some(Multiline { flush, .. }),
                ..
            } => (*flush, *flush * HELD_AT_MOST),
        }
    }

    /// The longest record, in bytes of the file: what is longer leaves in several.
    pub fn longest_record(&self) -> usize {
        match self {
            Self::Json {
                multiline: Some(_), ..
            } => LONGEST_RECORD,
            Self::Raw | Self::Prefixed | Self::Json { multiline: None, .. } => CHUNK,
        }
    }
}
