//! Giving back the disk space of what was printed, for applications that never rotate or not often enough.
//!
//! A hole is made in the file: its size and all offsets stay, and what was there reads as zeros. The first block and the bytes just
//! before the offset stay, because the file is known by them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{FallocateFlags, fallocate};

use crate::generation::Position;
use crate::identity::WINDOW;
use crate::report::Escaped;
use crate::tail::Tailer;

/// Space that is worth a system call, and a write of the checkpoint to the disk itself.
const WORTHWHILE: u64 = 1024 * 1024;
/// The largest block of a filesystem (ext4 with `bigalloc` apart, where smaller holes give back less): a hole in whole blocks frees all
/// of its length.
const BLOCK: u64 = 64 * 1024;

/// What can be given back of a file that was printed as far as `position`, when as far as `done` has been.
fn reclaimable(position: &Position, done: u64) -> Option<Range<u64>> {
    let start = done.max(BLOCK);
    let end = position.offset.saturating_sub(WINDOW as u64) / BLOCK * BLOCK;
    (end >= start + WORTHWHILE).then_some(start..end)
}

/// Makes a hole; returns how many bytes of disk that gave back.
fn punch(file: &File, hole: Range<u64>) -> io::Result<u64> {
    // The file was opened for reading only.
    let writable = OpenOptions::new()
        .write(true)
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let before = file.metadata()?.blocks();
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&writable, flags, hole.start, hole.end - hole.start)?;
    // The blocks that metadata counts have 512 bytes, whatever the filesystem's have (stat(2)).
    Ok(before.saturating_sub(file.metadata()?.blocks()) * 512)
}

impl<W: Write> Tailer<W> {
    /// Gives back what was printed of a generation, once its position is on the disk.
    pub(crate) fn reclaim_printed(&mut self, lineage: usize, place: usize) {
        let found = &mut self.lineages[lineage];
        if !self.reclaims || found.is_unreclaimable {
            return;
        }
        let generation = &mut found.generations[place];
        let Some(file) = &generation.file else { return };
        let Some(hole) = reclaimable(&generation.position, generation.reclaimed) else {
            return;
        };
        // Were the machine to stop now, an older position would print zeros. And what was truncated has other bytes there.
        let is_safe = self.checkpoint.sync_position(generation.slot)
            && generation.has_changed().is_ok_and(|changed| !changed);
        if !is_safe {
            return;
        }
        let end = hole.end;
        match punch(file, hole) {
            Ok(freed) => {
                generation.reclaimed = end;
                found.tally.reclaimed += freed;
            }
            Err(error) => {
                found.is_unreclaimable = true;
                self.reporter.say(format_args!(
                    "cannot give back the disk space of {} ({error}): it takes a filesystem with holes (ext4, xfs, tmpfs) and permission to \
                     write to the file",
                    Escaped(&found.name)
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_and_the_bytes_before_the_offset_stay() {
        let at = |offset| Position {
            offset,
            ..Position::START
        };
        assert_eq!(reclaimable(&at(0), 0), None);
        assert_eq!(
            reclaimable(&at(BLOCK + WORTHWHILE), 0),
            None,
            "the bytes before the offset"
        );
        let just = BLOCK + WORTHWHILE + WINDOW as u64;
        assert_eq!(reclaimable(&at(just), 0), Some(BLOCK..BLOCK + WORTHWHILE));
        assert_eq!(reclaimable(&at(just), BLOCK + WORTHWHILE), None, "done");
        assert_eq!(
            reclaimable(&at(u64::MAX), 0).map(|hole| hole.end % BLOCK),
            Some(0)
        );
    }
}
