//! Bytes between the files and whoever reads standard output.

use std::ops::Range;

use crate::generation::GenerationId;

/// Bytes that were handed to the output, of which some have not left.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// Of which generation they are.
    pub(crate) source: GenerationId,
    /// How many bytes of its file they stand for.
    pub(crate) of_file: u64,
    /// Where those are that have not left: in what was encoded last, or in the buffer where bytes leave as they are.
    pub(crate) rest: Range<usize>,
}
