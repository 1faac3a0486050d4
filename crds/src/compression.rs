//! How records are made smaller on their way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How requests, messages or objects are compressed.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transform = crate::schema::without_inner_descriptions)]
pub enum Compression {
    /// Not at all.
    None,
    /// What every destination that takes anything takes.
    Gzip,
    /// Snappy, framed as the destination expects it.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// Every way, in the order in which messages and documents list them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// As a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Gzip => "Gzip",
            Self::Snappy => "Snappy",
            Self::Lz4 => "Lz4",
            Self::Zstd => "Zstd",
        }
    }
}
