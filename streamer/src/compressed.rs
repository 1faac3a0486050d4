//! Rotated files that were compressed: nothing is read from them, but their size tells whether all of it was read before.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::identity::FileKey;

/// A compressed rotated file.
#[derive(Debug)]
pub struct Compressed {
    /// Where it is.
    pub path: PathBuf,
    /// Which file it is.
    pub key: FileKey,
}

/// Header, an empty block and trailer: no gzip file is shorter (RFC 1952).
const SHORTEST: u64 = 20;

impl Compressed {
    /// The name that a rotated file had before it was compressed, if `name` is that of one which tells its size.
    pub fn original(name: &[u8]) -> Option<&[u8]> {
        name.strip_suffix(b".gz")
    }

    /// Whether it is still being written: its original is there for as long.
    pub fn is_unfinished(&self) -> bool {
        self.path.with_extension("").exists()
    }

    /// The size of what was compressed, modulo 2^32: the last four bytes of a gzip file.
    pub fn original_size(&self) -> io::Result<u32> {
        trailing_size(&self.path)
    }
}

fn trailing_size(path: &Path) -> io::Result<u32> {
    let file = File::open(path)?;
    let size = file.metadata()?.size();
    if size < SHORTEST {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, size - 4)?;
    Ok(u32::from_le_bytes(bytes))
}

/// `size` as a gzip file tells it.
pub fn modulo(size: u64) -> u32 {
    let [a, b, c, d, ..] = size.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
