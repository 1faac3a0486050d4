//! Finding out which files the names lead to now, and opening new ones at once.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use crate::arguments::Existing;
use crate::generation::{Generation, Position};
use crate::identity::FileKey;
use crate::lineage::Lineage;
use crate::opening::{OpenError, is_shortage, open_regular, require_regular};
use crate::report::{Escaped, Severity};
use crate::tail::Tailer;

impl<W: Write> Tailer<W> {
    /// Adds the names that the patterns stand for now.
    pub(crate) fn discover(&mut self, now: Instant) {
        let mut names = BTreeSet::new();
        self.directories.clear();
        for source in &mut self.sources {
            let before = names.len();
            let expanded = source.pattern.expand(&mut names, &mut self.directories);
            let pattern = Escaped(source.pattern.as_path());
            match expanded {
                Err((_, error)) if is_shortage(&error) => self.is_short = true,
                Err((directory, error)) => {
                    source.trouble.note(Severity::Wrong, now, &mut self.reporter, || {
                        format!(
                            "cannot list {} for {pattern} ({error}): trying again",
                            Escaped(&directory)
                        )
                    });
                }
                Ok(()) if names.len() == before && !source.pattern.is_literal() => {
                    source
                        .trouble
                        .note(Severity::Missing, now, &mut self.reporter, || {
                            format!("no file matches {pattern} yet: waiting for one")
                        });
                }
                Ok(()) => source
                    .trouble
                    .clear(&mut self.reporter, format_args!("a file matches {pattern} now")),
            }
        }
        let targets = self
            .lineages
            .iter()
            .filter_map(|lineage| lineage.directory.clone());
        self.directories.extend(targets);
        names.retain(|name| !self.lineages.iter().any(|lineage| lineage.name == *name));
        for name in names {
            let label = self
                .encoder
                .as_ref()
                .map_or_else(String::new, |encoder| encoder.label(&name));
            let mut lineage = Lineage::new(name, label);
            self.note_resumed(&mut lineage);
            self.lineages.push(lineage);
        }
    }

    /// Finds out which file one name leads to, and what became of those it led to before. Returns whether it has grown or is
    /// another one.
    pub(crate) fn visit(&mut self, lineage: usize, now: Instant) -> bool {
        let before = self.lineages[lineage].current;
        let mut has_grown = false;
        let mut is_unopened = false;
        let found = self.resolve(lineage, before);
        let after = match found {
            Ok((None, metadata)) => {
                let generations = &mut self.lineages[lineage].generations;
                for generation in generations.iter_mut().filter(|one| Some(one.key) == before) {
                    has_grown |= generation.seen < metadata.size();
                    generation.seen = generation.seen.max(metadata.size());
                }
                before
            }
            Ok((Some(file), metadata)) => {
                let key = FileKey::of(&metadata);
                let found = &mut self.lineages[lineage];
                found.current = Some(key);
                found.directory = std::fs::canonicalize(found.name())
                    .ok()
                    .and_then(|path| path.parent().map(Path::to_path_buf));
                self.attach(lineage, file, key, metadata.size(), now);
                Some(key)
            }
            Err(error) if error.is_shortage() => {
                is_unopened = true;
                None
            }
            Err(error) => {
                let Lineage { name, trouble, .. } = &mut self.lineages[lineage];
                trouble.note(error.severity(), now, &mut self.reporter, || error.advice(name));
                None
            }
        };
        self.is_short |= is_unopened;
        self.lineages[lineage].is_unopened = is_unopened;
        self.note_current(lineage, after);
        // A file can appear and be rotated between two looks, so that its name or its content is never there.
        if after != before
            || self.has_nothing(lineage)
            || self.first_look
            || self.lineages[lineage].look_again
        {
            self.lineages[lineage].look_again = after != before;
            self.settle_truncated(lineage, now);
            self.adopt_siblings(lineage, None, now);
        } else if self.in_flight.is_some() {
            // No reading will meet it soon.
            self.settle_truncated(lineage, now);
        }
        has_grown || after != before
    }

    /// Says once for all files that there are too few descriptors.
    pub(crate) fn note_shortage(&mut self, now: Instant) {
        if !self.is_short {
            self.shortage
                .clear(&mut self.reporter, format_args!("all files can be opened now"));
            return;
        }
        let waiting = self.lineages.iter().filter(|lineage| lineage.is_unopened).count();
        self.shortage.note(Severity::Wrong, now, &mut self.reporter, || {
            format!("too many open files: {waiting} wait to be opened; raise the limit (`ulimit -n`) or follow fewer files")
        });
    }

    /// Notes which file a name leads to now, if to one.
    fn note_current(&mut self, lineage: usize, current: Option<FileKey>) {
        let found = &mut self.lineages[lineage];
        if current.is_some() {
            found.trouble.clear(
                &mut self.reporter,
                format_args!("following {} now", Escaped(&found.name)),
            );
        }
        found.current = current;
        let is_another = current.is_some() && found.last_file.is_some_and(|last| Some(last) != current);
        found.tally.rotations += u64::from(is_another);
        found.last_file = current.or(found.last_file);
    }

    /// Whether the name leads nowhere, or to a file of which nothing was read.
    fn has_nothing(&self, lineage: usize) -> bool {
        let found = &self.lineages[lineage];
        let current = found
            .generations
            .iter()
            .find(|generation| Some(generation.key) == found.current);
        found.current.is_none() || current.is_some_and(|generation| generation.position.offset == 0)
    }

    /// What a name leads to, opened unless that is the file it led to `before`.
    fn resolve(
        &self,
        lineage: usize,
        before: Option<FileKey>,
    ) -> Result<(Option<File>, Metadata), OpenError> {
        let name = self.lineages[lineage].name();
        let metadata = std::fs::metadata(name)?;
        require_regular(&metadata)?;
        let key = FileKey::of(&metadata);
        let same = before == Some(key) && self.find(key, |generation| generation.file.is_some()).is_some();
        if same {
            Ok((None, metadata))
        } else {
            open_regular(name).map(|(file, metadata)| (Some(file), metadata))
        }
    }

    /// Makes sure that a file to which a name leads is read by somebody.
    fn attach(&mut self, lineage: usize, file: File, key: FileKey, size: u64, now: Instant) {
        if self.reuse_known(key, &file, now) {
            return;
        }
        let record = self.resumed_records().find(|record| record.key == key);
        let position = match (record, self.existing) {
            // If it is not the same file any more, the first reading will find that out.
            (Some(record), _) => record.position,
            (None, Existing::End) if self.is_first_start() => {
                Position::at_end(&file, size).unwrap_or(Position::START)
            }
            (None, Existing::End | Existing::Beginning) => Position::START,
        };
        let generation = Generation::new(self.new_id(), key, Some(file), position, now);
        self.lineages[lineage].generations.push(generation);
    }
}
