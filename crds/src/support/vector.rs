//! What Vector can do.

use super::abilities::Abilities;
use crate::buffer::WhenFull;

/// See the module.
pub const ABILITIES: Abilities = Abilities {
    outputs: &[],
    when_full: &[WhenFull::Block],
    processors: &[],
    sources: &["containers"],
    patterns: &["nodeAgent"],
};
