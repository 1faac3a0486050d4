//! What is said of each file on request and at the end: one line each, in a form that programs can read.

use std::fmt;
use std::path::Path;

use crate::report::Escaped;

/// What became of one name since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rotations seen: renames, truncations, replacements.
    pub rotations: u64,
    /// Bytes of the files that were printed, or passed over as the zeros that a truncation left.
    pub bytes: u64,
    /// Times that something was lost for certain, each of which was said when it was found.
    pub losses: u64,
    /// Bytes of disk given back.
    pub reclaimed: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            rotations: self.rotations + other.rotations,
            bytes: self.bytes + other.bytes,
            losses: self.losses + other.losses,
            reclaimed: self.reclaimed + other.reclaimed,
        }
    }
}

/// Where one name stands.
#[derive(Debug)]
pub struct Status<'a> {
    /// The name.
    pub name: &'a Path,
    /// How far the file has been read to which it leads; `None` when it leads to none.
    pub offset: Option<u64>,
    /// Bytes that are there and were not printed, in rotated files too.
    pub lag: u64,
    /// What became of it so far.
    pub tally: Tally,
}

impl fmt::Display for Status<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "status file={} offset=", Escaped(self.name))?;
        match self.offset {
            Some(offset) => write!(formatter, "{offset}")?,
            None => formatter.write_str("none")?,
        }
        let Tally {
            rotations,
            bytes,
            losses,
            reclaimed,
        } = self.tally;
        write!(
            formatter,
            " lag={} rotations={rotations} bytes={bytes} losses={losses} reclaimed={reclaimed}",
            self.lag
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line_of_names_and_values() {
        let status = |offset| Status {
            name: Path::new("/a\nb.log"),
            offset,
            lag: 7,
            tally: Tally {
                rotations: 2,
                bytes: 1234,
                losses: 0,
                reclaimed: 0,
            },
        };
        assert_eq!(
            status(Some(12)).to_string(),
            r#"status file="/a\nb.log" offset=12 lag=7 rotations=2 bytes=1234 losses=0 reclaimed=0"#
        );
        assert!(status(None).to_string().contains(" offset=none lag=7 "));
    }
}
