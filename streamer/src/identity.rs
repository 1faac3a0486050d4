//! What makes a file the same file: device, inode, and the bytes just before the offset.
//!
//! Device and inode alone are not enough. An inode number is used again as soon as a file is deleted, and a file that was
//! truncated and has grown past the old offset again looks as if it had only grown.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Bytes a [`Fingerprint`] covers at most. A log line is rarely longer, so that a time stamp at its start is covered too: many
/// lines end alike.
pub const WINDOW: usize = 256;

/// Device and inode of a file: exact while the file is held open, reusable by the kernel afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileKey {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

impl FileKey {
    /// The key of the file that `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// Length and hash of up to [`WINDOW`] bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    length: u16,
    hash: u64,
}

impl Fingerprint {
    /// The fingerprint of no bytes, which every file has.
    pub const EMPTY: Self = Self {
        length: 0,
        hash: FNV_OFFSET,
    };

    /// The fingerprint of the first [`WINDOW`] bytes of `bytes`.
    pub fn of_head(bytes: &[u8]) -> Self {
        Self::of(&bytes[..bytes.len().min(WINDOW)])
    }

    /// The fingerprint of the last [`WINDOW`] bytes of `bytes`.
    pub fn of_tail(bytes: &[u8]) -> Self {
        Self::of(&bytes[bytes.len() - bytes.len().min(WINDOW)..])
    }

    /// A fingerprint written down earlier; `None` when no fingerprint can have that length.
    pub fn from_parts(length: u64, hash: u64) -> Option<Self> {
        let length = u16::try_from(length)
            .ok()
            .filter(|&length| usize::from(length) <= WINDOW)?;
        Some(Self { length, hash })
    }

    /// The number of bytes covered.
    pub fn len(self) -> usize {
        usize::from(self.length)
    }

    /// Whether no byte is covered.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The hash of the bytes covered.
    pub fn hash(self) -> u64 {
        self.hash
    }

    /// Whether `bytes` are the bytes this was taken of.
    pub fn matches(self, bytes: &[u8]) -> bool {
        bytes.len() == self.len() && hash(bytes) == self.hash
    }

    fn of(bytes: &[u8]) -> Self {
        let length = u16::try_from(bytes.len()).expect("a window is far shorter than 64 KiB");
        Self {
            length,
            hash: hash(bytes),
        }
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a, 64 bits. The standard library's hasher may change between releases; these values outlive the process in checkpoints.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(FNV_OFFSET, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_fnv_1a() {
        // Test vectors of the FNV authors (draft-eastlake-fnv).
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn head_and_tail_cover_one_window() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        assert!(Fingerprint::of_head(&bytes).matches(&bytes[..WINDOW]));
        assert!(Fingerprint::of_tail(&bytes).matches(&bytes[1000 - WINDOW..]));
        assert!(Fingerprint::of_tail(b"ab").matches(b"ab"));
        assert!(!Fingerprint::of_tail(b"ab").matches(b"abc"));
        assert!(Fingerprint::EMPTY.matches(b""));
    }

    #[test]
    fn a_length_no_fingerprint_has_is_refused() {
        assert!(Fingerprint::from_parts(WINDOW as u64, 1).is_some());
        assert!(Fingerprint::from_parts(WINDOW as u64 + 1, 1).is_none());
        assert!(Fingerprint::from_parts(u64::MAX, 1).is_none());
    }
}
