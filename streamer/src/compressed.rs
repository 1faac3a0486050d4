//! Rotated files that were compressed: nothing is read from them, but mostly it can be told whether all of it was read before.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use crate::identity::FileKey;
use crate::lineage::Lineage;
use crate::report::Escaped;
use crate::siblings::Sibling;
use crate::tail::Tailer;

/// What gzip, bzip2, xz, zstd and compress add to a name.
const SUFFIXES: [&[u8]; 5] = [b".gz", b".bz2", b".xz", b".zst", b".Z"];
/// Header, an empty block and trailer: no gzip file is shorter (RFC 1952).
const SHORTEST: u64 = 20;
/// No compressor makes more than that of nothing: xz makes most, a header, an empty index and a footer.
const LARGEST_EMPTY: u64 = 32;

/// What was in a compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Original {
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
fn is_unfinished(compressed: &Path) -> bool {
    compressed.with_extension("").exists()
}

fn content(compressed: &Path) -> io::Result<Original> {
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

impl<W: Write> Tailer<W> {
    /// Says which of the compressed files were not read before they were compressed.
    pub(crate) fn judge_compressed(&mut self, lineage: usize, compressed: Vec<Sibling>) {
        let found = &mut self.lineages[lineage];
        let is_first = found.compressed.is_none();
        let mut judged = found.compressed.take().unwrap_or_default();
        let keys: BTreeSet<FileKey> = compressed.iter().map(|file| file.key).collect();
        judged.retain(|key| keys.contains(key));
        let written = self.resumed.as_ref().map(|resumed| resumed.written);
        for file in compressed {
            // What was there before anybody followed the name is history.
            let is_history = is_first && written.is_none_or(|written| file.made <= Some(written));
            if is_history {
                judged.insert(file.key);
                continue;
            }
            if judged.contains(&file.key) || is_unfinished(&file.path) {
                continue;
            }
            // Gone again, or not whole yet: the next look judges it.
            let Ok(content) = content(&file.path) else {
                continue;
            };
            judged.insert(file.key);
            let name = Escaped(&file.path);
            match content {
                Original::Empty => {}
                Original::Of(size) if found.has_read(size) => {}
                Original::Of(size) => {
                    found.tally.losses += 1;
                    self.reporter.say(format_args!(
                        "lost: {name} was compressed before all of its {size} bytes were read: compress one rotation later"
                    ));
                }
                Original::OfUnknownSize if found.claim_read() => {}
                Original::OfUnknownSize => {
                    found.tally.losses += 1;
                    self.reporter.say(format_args!(
                        "lost: {name} was compressed before anything of it was read: compress one rotation later"
                    ));
                }
            }
        }
        found.compressed = Some(judged);
    }

    /// Notes how much an earlier run has read of the files of a name, of which some may have been compressed since.
    pub(crate) fn note_resumed(&self, lineage: &mut Lineage) {
        let name = lineage.name_hash;
        for record in self.resumed_records().filter(|record| record.name == name) {
            lineage.note_read(record.position.offset);
        }
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
