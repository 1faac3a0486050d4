//! What happened between two looks: truncated files and their copies, rotated files that were never seen under their own name.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use crate::checkpoint::Record;
use crate::generation::{Generation, GenerationId, Position};
use crate::identity::FileKey;
use crate::lineage::Lineage;
use crate::opening::{is_shortage, open_regular};
use crate::report::{Escaped, Severity};
use crate::siblings::{self, Rotated, Sibling};
use crate::tail::Tailer;

/// A generation just before it was truncated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truncated {
    /// Which generation it was; a copy that goes on after it takes this name.
    was: GenerationId,
    /// Which generation the file holds now, to stand after the copy.
    now_is: GenerationId,
    position: Position,
}

/// What an unknown rotated file is.
enum Kind {
    /// It has been read this far in an earlier run, or in the file of which it is a copy.
    ReadTo(Position),
    /// Nothing of it was read.
    Unread,
    /// All that it holds is history, or read from the file of which it is a copy.
    Finished(Position),
    /// All that it holds was read from this generation, of which it is a copy so far.
    Copy(GenerationId, Position),
    /// A copy of what is to be read from a file that is there itself: the truncation of that decides.
    NotYet,
    /// Not a rotated file, as far as anybody can tell.
    NotOurs,
}

impl<W: Write> Tailer<W> {
    /// Whether a generation that was closed, or opened under another name, is this file; if so it is read on.
    pub(crate) fn reuse_known(&mut self, key: FileKey, file: &File, now: Instant) -> bool {
        if self.find(key, |generation| generation.file.is_some()).is_some() {
            return true;
        }
        let Some((lineage, place)) = self.find(key, |_| true) else {
            return false;
        };
        let in_use = self.is_current(key);
        let original = self.lineages[lineage].generations[place].copy_of;
        let is_still_copied = original.is_some_and(|id| self.lineages[lineage].place_of(id).is_some());
        let generation = &mut self.lineages[lineage].generations[place];
        let empty = file.metadata().is_ok_and(|metadata| metadata.size() == 0);
        let same = (generation.position.is_telling() || empty)
            && generation.position.continues_in(file).unwrap_or(false);
        match file.try_clone() {
            Ok(file) if same => {
                let grown = file
                    .metadata()
                    .is_ok_and(|metadata| metadata.size() > generation.position.offset);
                if in_use || (grown && !is_still_copied) {
                    generation.file = Some(file);
                    generation.quiet_since = None;
                    generation.last_byte = now;
                    generation.retired = None;
                }
                true
            }
            // Another file with the number of one that is gone, or one of which nothing was read.
            _ => {
                self.remove(lineage, place, now);
                false
            }
        }
    }

    /// Deals with truncations that no reading has met yet, so that their copies are known as copies.
    pub(crate) fn settle_truncated(&mut self, lineage: usize, now: Instant) {
        let mut place = 0;
        while place < self.lineages[lineage].generations.len() {
            let id = self.lineages[lineage].generations[place].id;
            if self.lineages[lineage].generations[place]
                .has_changed()
                .unwrap_or(false)
            {
                self.follow_truncation(lineage, place, now);
            }
            place = self.lineages[lineage]
                .place_of(id)
                .map_or(place + 1, |at| at.max(place) + 1);
        }
    }

    /// Reads on in the copy that was made before the truncation, and then the file from its start.
    pub(crate) fn follow_truncation(&mut self, lineage: usize, place: usize, now: Instant) {
        let now_is = self.new_id();
        let generation = &mut self.lineages[lineage].generations[place];
        let truncated = Truncated {
            was: generation.id,
            now_is,
            position: generation.position,
        };
        let unfinished = generation
            .unfinished
            .map_or(0, |unfinished| unfinished.length as u64);
        let unread = unfinished.max(generation.seen.saturating_sub(generation.position.offset));
        generation.restart(now_is, now);
        self.forget_copies_of(lineage, truncated.was, now);
        self.lineages[lineage].tally.rotations += 1;
        self.lineages[lineage].note_read(truncated.position.offset);
        let copied = self.adopt_siblings(lineage, Some(truncated), now);
        let at = self.lineages[lineage]
            .place_of(now_is)
            .expect("a truncated generation stays in its lineage");
        let rescued = &mut self.lineages[lineage].generations[at].rescued;
        if copied {
            rescued.clear();
        } else if unread > 0 && rescued.is_empty() {
            self.lineages[lineage].tally.losses += 1;
            let name = Escaped(self.lineages[lineage].name());
            self.reporter.say(format_args!(
                "lost: {name} was truncated with {unread} bytes in it that were not printed, and no copy has them"
            ));
        }
        self.save(lineage, at, now);
    }

    /// Takes the rotated files beside a name that nobody has read, in the order in which they were written. Returns whether one of
    /// them goes on after what was read of the file that was truncated.
    pub(crate) fn adopt_siblings(
        &mut self,
        lineage: usize,
        truncated: Option<Truncated>,
        now: Instant,
    ) -> bool {
        let Some(Rotated {
            siblings: found,
            compressed,
        }) = self.list_rotated(lineage, now)
        else {
            return false;
        };
        let mut copied = false;
        // Names that are followed themselves are looked at under their own name.
        let followed = |path: &Path| self.lineages.iter().any(|lineage| lineage.name == path);
        let found: Vec<Sibling> = found
            .into_iter()
            .filter(|sibling| !followed(&sibling.path))
            .collect();
        let in_order: Vec<FileKey> = found.iter().map(|sibling| sibling.key).collect();
        let unchanged = self.unchanged_since_resumed(&found);
        for (at, sibling) in found.iter().enumerate() {
            copied |= self.adopt(
                lineage,
                sibling,
                truncated,
                in_order.split_at(at),
                &unchanged,
                now,
            );
        }
        self.forget_gone(lineage, &in_order, now);
        self.judge_compressed(lineage, compressed);
        copied
    }

    /// The rotated files beside a name; `None` when its directory cannot be listed.
    fn list_rotated(&mut self, lineage: usize, now: Instant) -> Option<Rotated> {
        let Lineage {
            name,
            unlistable,
            compressed,
            ..
        } = &mut self.lineages[lineage];
        let name_said = Escaped(name);
        match siblings::scan(name) {
            Ok(rotated) => {
                unlistable.clear(
                    &mut self.reporter,
                    format_args!("listing the directory of {name_said} again"),
                );
                Some(rotated)
            }
            // Following the name says so already.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                compressed.get_or_insert_default();
                None
            }
            Err(error) if is_shortage(&error) => {
                self.is_short = true;
                None
            }
            Err(error) => {
                unlistable.note(Severity::Wrong, now, &mut self.reporter, || {
                    format!(
                        "cannot list the directory of {name_said} ({error}): files rotated between two looks are not found"
                    )
                });
                None
            }
        }
    }

    fn adopt(
        &mut self,
        lineage: usize,
        sibling: &Sibling,
        truncated: Option<Truncated>,
        (older, newer): (&[FileKey], &[FileKey]),
        unchanged: &[FileKey],
        now: Instant,
    ) -> bool {
        if self
            .find(sibling.key, |generation| generation.file.is_some())
            .is_some()
        {
            return false;
        }
        // Without permission, or gone again: it is known no better than before.
        let Ok((file, metadata)) = open_regular(&sibling.path) else {
            return false;
        };
        let key = FileKey::of(&metadata);
        if self.reuse_known(key, &file, now) {
            return false;
        }
        let resumed = self.resumed_position(lineage, key, &file, unchanged);
        let kind = match resumed {
            Ok(Some(position)) => Ok(Kind::ReadTo(position)),
            Ok(None) => self.kind_of(lineage, sibling, &file, metadata.size(), truncated),
            Err(error) => Err(error),
        };
        let Ok(kind) = kind else {
            return false;
        };
        let copy_of = match kind {
            Kind::Copy(original, _) => Some(original),
            Kind::NotOurs | Kind::NotYet | Kind::Unread | Kind::ReadTo(_) | Kind::Finished(_) => None,
        };
        let (position, file) = match kind {
            Kind::NotOurs | Kind::NotYet => return false,
            Kind::Unread => {
                self.lineages[lineage].tally.rotations += 1;
                (Position::START, Some(file))
            }
            Kind::ReadTo(position) => (position, Some(file)),
            Kind::Finished(position) | Kind::Copy(_, position) => (position, None),
        };
        let is_its_copy =
            |truncated: &Truncated| file.is_some() && truncated.position == position && position.offset > 0;
        let original = truncated.filter(is_its_copy);
        let id = original.map_or_else(|| self.new_id(), |truncated| truncated.was);
        let mut generation = Generation::new(id, key, file, position, now);
        generation.retired = Some(now);
        generation.copy_of = copy_of;
        let found = &mut self.lineages[lineage];
        let place = place_between(found, older, newer, truncated);
        found.generations.insert(place, generation);
        self.save(lineage, place, now);
        original.is_some()
    }

    /// Finds out what a rotated file is that is unknown to an earlier run too.
    fn kind_of(
        &self,
        lineage: usize,
        sibling: &Sibling,
        file: &File,
        size: u64,
        truncated: Option<Truncated>,
    ) -> io::Result<Kind> {
        // What was there before the first start is history.
        if self.is_first_start() {
            return Position::at_end(file, size).map(Kind::Finished);
        }
        if let Some(Truncated { position, .. }) = truncated {
            if size >= position.offset && position.offset > 0 && position.continues_in(file)? {
                return Ok(Kind::ReadTo(position));
            }
            if size < position.offset && position.starts_like(file)? {
                return Position::at_end(file, size).map(Kind::Finished);
            }
        }
        // The newest first: that is the one which is copied, and others may begin like it.
        for generation in self.lineages[lineage].generations.iter().rev() {
            if is_copy(generation, file, size)? {
                return if size <= generation.position.offset {
                    Position::at_end(file, size).map(|end| Kind::Copy(generation.id, end))
                } else {
                    Ok(Kind::NotYet)
                };
            }
        }
        Ok(if sibling.certain {
            Kind::Unread
        } else {
            Kind::NotOurs
        })
    }

    /// Those of `found` that are what an earlier run has read, so that nothing else is a copy of it.
    fn unchanged_since_resumed(&self, found: &[Sibling]) -> Vec<FileKey> {
        let is_unchanged = |sibling: &Sibling| {
            let mut records = self.resumed_records();
            records.any(|Record { key, position, .. }| {
                *key == sibling.key
                    && open_regular(&sibling.path)
                        .is_ok_and(|(file, _)| position.continues_in(&file).unwrap_or(false))
            })
        };
        let unchanged = found.iter().filter(|sibling| is_unchanged(sibling));
        unchanged.map(|sibling| sibling.key).collect()
    }

    /// How far an earlier run has read a rotated file. By content too, under the same name: the file itself may be gone, and this
    /// the copy that was made of it. Not where it is among the `unchanged`.
    fn resumed_position(
        &self,
        lineage: usize,
        key: FileKey,
        file: &File,
        unchanged: &[FileKey],
    ) -> io::Result<Option<Position>> {
        let records = || self.resumed_records();
        for Record { position, .. } in records().filter(|record| record.key == key) {
            if !position.is_telling() {
                return Ok(None);
            }
            if position.continues_in(file)? {
                return Ok(Some(*position));
            }
        }
        let name = self.lineages[lineage].name_hash;
        for Record { position, key, .. } in records().filter(|record| record.name == name) {
            if position.is_telling()
                && !unchanged.contains(key)
                && position.starts_like(file)?
                && position.continues_in(file)?
            {
                return Ok(Some(*position));
            }
        }
        Ok(None)
    }

    /// Forgets the copies of a generation that was truncated, so that they are judged anew: they may have grown meanwhile.
    fn forget_copies_of(&mut self, lineage: usize, original: GenerationId, now: Instant) {
        let is_copy = |generation: &Generation| generation.copy_of == Some(original);
        while let Some(place) = self.lineages[lineage].generations.iter().position(is_copy) {
            self.remove(lineage, place, now);
        }
    }

    /// Forgets closed generations of which the directory has nothing any more.
    fn forget_gone(&mut self, lineage: usize, seen: &[FileKey], now: Instant) {
        let mut place = 0;
        while place < self.lineages[lineage].generations.len() {
            let generation = &self.lineages[lineage].generations[place];
            let key = generation.key;
            if generation.file.is_none() && !seen.contains(&key) && !self.is_current(key) {
                self.remove(lineage, place, now);
            } else {
                place += 1;
            }
        }
    }
}

/// Where a generation belongs that is newer than the files with the keys `older`, and older than those with the keys `newer`, the
/// current one, and what a truncated file holds now.
fn place_between(
    lineage: &Lineage,
    older: &[FileKey],
    newer: &[FileKey],
    truncated: Option<Truncated>,
) -> usize {
    let generations = &lineage.generations;
    // Open files only: the number of one that was closed may be that of another file by now.
    let after = generations
        .iter()
        .rposition(|known| known.file.is_some() && older.contains(&known.key))
        .map_or(0, |at| at + 1);
    let is_newer = |known: &Generation| {
        (known.file.is_some() && newer.contains(&known.key))
            || Some(known.key) == lineage.current
            || truncated.is_some_and(|truncated| truncated.now_is == known.id)
    };
    generations[after..]
        .iter()
        .position(is_newer)
        .map_or(generations.len(), |at| after + at)
}

/// Whether the start and the end of `copy` are what the open file of `original` has in their places.
fn is_copy(original: &Generation, copy: &File, size: u64) -> io::Result<bool> {
    let Some(file) = &original.file else {
        return Ok(false);
    };
    let position = Position::at_end(copy, size)?;
    Ok(position.starts_like(file)? && position.continues_in(file)?)
}
