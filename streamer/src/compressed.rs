//! Rotated files that were compressed: how much was in them.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// What gzip, bzip2, xz, zstd and compress add to a name.
const SUFFIXES: [&[u8]; 5] = [b".gz", b".bz2", b".xz", b".zst", b".Z"];
/// Header, an empty block and trailer: no gzip file is shorter (RFC 1952).
const SHORTEST: u64 = 20;
/// No compressor makes more than that of nothing: xz makes most, a header, an empty index and a footer.
const LARGEST_EMPTY: u64 = 32;

/// What was in a compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Original {
    /// Nothing.
    Empty,
    /// So many bytes, modulo 2^32.
    Of(u32),
    /// Nobody knows how much without reading all of it.
    OfUnknownSize,
}

/// The name that a rotated file had before it was compressed to `name`, if it was.
pub fn original(name: &[u8]) -> Option<&[u8]> {
    SUFFIXES.iter().find_map(|suffix| name.strip_suffix(*suffix))
}

/// Whether `compressed` is still being written: its original is there for as long.
pub fn is_unfinished(compressed: &Path) -> bool {
    compressed.with_extension("").exists()
}

/// What was in a compressed file. It is an error when that cannot be told yet.
pub fn content(compressed: &Path) -> io::Result<Original> {
    if compressed.extension().is_some_and(|suffix| suffix == "gz") {
        return Ok(match trailing_size(compressed)? {
            0 => Original::Empty,
            size => Original::Of(size),
        });
    }
    Ok(match std::fs::metadata(compressed)?.size() {
        0..=LARGEST_EMPTY => Original::Empty,
        _ => Original::OfUnknownSize,
    })
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
