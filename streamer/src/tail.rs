//! The tailer: looks at names, reads what is new, writes it out.
//!
//! Two operations alternate. A look finds out which files the names lead to now and opens new ones at once, so that nothing done
//! to their names afterwards matters. A round reads what the open files hold, the oldest generation of each name first.
//! Time is a parameter, so that tests decide how long things take.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::arguments::{Existing, Options};
use crate::checkpoint::{Checkpoint, Record, Resumed};
use crate::encoder::Encoder;
use crate::format::Format;
use crate::generation::{Generation, GenerationId, Position, read_buffer};
use crate::glob::Pattern;
use crate::identity::FileKey;
use crate::lineage::Lineage;
use crate::opening::{OpenError, open_regular, require_regular};
use crate::output::{Output, OutputError};
use crate::report::{Escaped, Reporter, Severity, Trouble};
use crate::sending::InFlight;
use crate::status::Tally;

/// How long a file that was deleted is kept open after the last byte: a writer may still have it open, but its blocks stay
/// allocated for as long as we have.
pub const DELETED_QUIET: Duration = Duration::from_secs(5);
/// How long a file that was renamed is kept open after the last byte.
pub const RENAMED_QUIET: Duration = Duration::from_secs(60);
/// Rotated files that are kept open at most while the output takes nothing: some 300 bytes of memory each, a descriptor, and the
/// disk of those that were deleted.
const MOST_ROTATED: usize = 1000;

struct Source {
    pattern: Pattern,
    trouble: Trouble,
}

/// Follows names and writes what their files hold to one output.
pub struct Tailer<W> {
    sources: Vec<Source>,
    pub(crate) lineages: Vec<Lineage>,
    pub(crate) output: Output<W>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) reporter: Reporter,
    existing: Existing,
    /// Whether disk space of what was printed is given back.
    pub(crate) reclaims: bool,
    pub(crate) format: Format,
    /// Makes records of lines; `None` when bytes leave as they are.
    pub(crate) encoder: Option<Encoder>,
    /// What an earlier run has left, if there was one, during the first look.
    pub(crate) resumed: Option<Resumed>,
    pub(crate) first_look: bool,
    pub(crate) buffer: Vec<u8>,
    /// What was handed to the output and has not left.
    pub(crate) in_flight: Option<InFlight>,
    next_id: u64,
    /// In which names may come.
    directories: BTreeSet<PathBuf>,
    /// What became of names that are followed no more.
    pub(crate) forgotten: Tally,
    /// Which name begins the next round.
    pub(crate) turn: usize,
}

impl<W: Write> Tailer<W> {
    /// A tailer that has not looked yet.
    pub fn new(options: &Options, sink: W, mut reporter: Reporter) -> Self {
        let source = |text| Source {
            pattern: Pattern::parse(text),
            trouble: Trouble::default(),
        };
        let checkpoint = options
            .checkpoint
            .as_deref()
            .map_or_else(Checkpoint::default, |directory| {
                Checkpoint::in_directory(directory, &options.patterns)
            });
        Self {
            sources: options.patterns.iter().map(|text| source(text)).collect(),
            lineages: Vec::new(),
            output: Output::new(sink),
            resumed: checkpoint.load(&mut reporter),
            checkpoint,
            reporter,
            existing: options.existing,
            reclaims: options.reclaim,
            encoder: Encoder::new(&options.format, options.strip.as_deref(), SystemTime::now),
            format: options.format.clone(),
            first_look: true,
            buffer: read_buffer(options.format.longest_record()),
            in_flight: None,
            next_id: 0,
            directories: BTreeSet::new(),
            forgotten: Tally::default(),
            turn: 0,
        }
    }

    /// Finds out which files the names lead to now. Returns whether one has grown or is another one.
    pub fn look(&mut self, now: Instant) -> bool {
        if self.blocked().is_some() && self.rotated_unread() >= MOST_ROTATED {
            return false;
        }
        self.discover(now);
        let mut is_new = false;
        for lineage in 0..self.lineages.len() {
            is_new |= self.visit(lineage, now);
        }
        self.close_quiet(now);
        self.forget_names();
        self.first_look = false;
        self.resumed = None;
        self.write_checkpoint(now);
        is_new
    }

    /// Looks once more for rotated files too: those that were closed may have grown since.
    pub fn last_look(&mut self, now: Instant) {
        for lineage in &mut self.lineages {
            lineage.look_again = true;
        }
        self.look(now);
    }

    /// Reads and writes some of what each name has. Returns whether there was anything.
    ///
    /// # Errors
    /// When nobody reads the output any more.
    pub fn round(&mut self, now: Instant) -> Result<bool, OutputError> {
        self.round_of(now, false)
    }

    /// Reads everything that the files hold now, unfinished lines too. Returns whether there was anything.
    ///
    /// # Errors
    /// When nobody reads the output any more.
    pub fn drain_round(&mut self, now: Instant) -> Result<bool, OutputError> {
        self.round_of(now, true)
    }

    /// The directories in which names may come.
    pub fn directories(&self) -> &BTreeSet<PathBuf> {
        &self.directories
    }

    /// The files that are open.
    pub fn open_files(&self) -> impl Iterator<Item = (FileKey, &File)> {
        let generations = self.lineages.iter().flat_map(|lineage| &lineage.generations);
        generations.filter_map(|generation| Some((generation.key, generation.file.as_ref()?)))
    }

    /// Whether something is to be done before anything is written: a line or record waits for its end.
    pub fn is_waiting(&self, now: Instant) -> bool {
        let mut generations = self.lineages.iter().flat_map(|lineage| &lineage.generations);
        generations.any(|generation| generation.unfinished.is_some()) || self.is_held(now)
    }

    /// Open files that no name leads to and of which something was not read.
    fn rotated_unread(&self) -> usize {
        let generations = self.lineages.iter().flat_map(|lineage| &lineage.generations);
        generations
            .filter(|generation| generation.retired.is_some() && generation.unread() > 0)
            .count()
    }

    /// Positions of an earlier run, during the first look.
    pub(crate) fn resumed_records(&self) -> impl Iterator<Item = &Record> {
        self.resumed.iter().flat_map(|resumed| &resumed.records)
    }

    /// Whether what is there now was there before anybody followed it.
    pub(crate) fn is_first_start(&self) -> bool {
        self.first_look && self.resumed.is_none()
    }

    pub(crate) fn new_id(&mut self) -> GenerationId {
        self.next_id += 1;
        GenerationId(self.next_id)
    }

    /// Whether a name that is followed leads to this file.
    pub(crate) fn is_current(&self, key: FileKey) -> bool {
        self.lineages.iter().any(|lineage| lineage.current == Some(key))
    }

    /// The lineage and place of the generation with this key that `wanted` accepts.
    pub(crate) fn find(&self, key: FileKey, wanted: impl Fn(&Generation) -> bool) -> Option<(usize, usize)> {
        self.lineages.iter().enumerate().find_map(|(lineage, found)| {
            let place = found
                .generations
                .iter()
                .position(|generation| generation.key == key && wanted(generation))?;
            Some((lineage, place))
        })
    }

    /// Adds the names that the patterns stand for now.
    fn discover(&mut self, now: Instant) {
        let mut names = BTreeSet::new();
        self.directories.clear();
        for source in &mut self.sources {
            let before = names.len();
            let expanded = source.pattern.expand(&mut names, &mut self.directories);
            let pattern = Escaped(source.pattern.as_path());
            match expanded {
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
            Err(error) => {
                let Lineage { name, trouble, .. } = &mut self.lineages[lineage];
                trouble.note(error.severity(), now, &mut self.reporter, || error.advice(name));
                None
            }
        };
        if after.is_some() {
            let Lineage { name, trouble, .. } = &mut self.lineages[lineage];
            trouble.clear(
                &mut self.reporter,
                format_args!("following {} now", Escaped(name)),
            );
        }
        let found = &mut self.lineages[lineage];
        found.current = after;
        found.tally.rotations +=
            u64::from(after.is_some() && found.last_file.is_some_and(|last| Some(last) != after));
        found.last_file = after.or(found.last_file);
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

    /// Closes files that no name leads to and that have been quiet for long.
    fn close_quiet(&mut self, now: Instant) {
        for lineage in 0..self.lineages.len() {
            let mut place = 0;
            while place < self.lineages[lineage].generations.len() {
                let in_use = self.is_current(self.lineages[lineage].generations[place].key);
                let generation = &mut self.lineages[lineage].generations[place];
                generation.retired = if in_use {
                    None
                } else {
                    generation.retired.or(Some(now))
                };
                let quiet = generation.quiet_for(now);
                let id = generation.id;
                if quiet >= DELETED_QUIET && generation.is_deleted_and_read() && !self.is_in_flight(id) {
                    self.remove(lineage, place, now);
                    continue;
                }
                let generation = &mut self.lineages[lineage].generations[place];
                if quiet >= RENAMED_QUIET && generation.unread() == 0 {
                    generation.file = None;
                }
                place += 1;
            }
        }
    }

    /// Forgets the generation at `place`, here and in the checkpoint.
    pub(crate) fn remove(&mut self, lineage: usize, place: usize, now: Instant) {
        let generation = self.lineages[lineage].generations.remove(place);
        let found = &mut self.lineages[lineage];
        found.note_read(generation.position.offset);
        // It was given out already.
        found.unclaimed -= u32::from(generation.is_claimed);
        self.checkpoint.release(generation.slot, now, &mut self.reporter);
        for place in 0..self.lineages[lineage].generations.len() {
            let copy = &mut self.lineages[lineage].generations[place];
            if copy.copy_of == Some(generation.id) {
                // No truncation of the original will tell any more what is new in it.
                copy.copy_of = None;
                self.save(lineage, place, now);
            }
        }
    }

    /// Drops names that a glob found once and that are gone, with all their files.
    fn forget_names(&mut self) {
        let literal = |lineage: &Lineage| {
            self.sources
                .iter()
                .any(|source| source.pattern.is_literal() && source.pattern.as_path() == lineage.name)
        };
        let forgotten = &mut self.forgotten;
        self.lineages.retain(|lineage| {
            let is_kept = lineage.current.is_some() || !lineage.generations.is_empty() || literal(lineage);
            if !is_kept {
                *forgotten = forgotten.and(lineage.tally);
            }
            is_kept
        });
    }

    /// Writes all positions when there is no file with them yet, or no longer.
    pub(crate) fn write_checkpoint(&mut self, now: Instant) {
        if !self.checkpoint.is_due(now) {
            return;
        }
        let places = self
            .lineages
            .iter()
            .flat_map(|lineage| (0..lineage.generations.len()).map(move |at| (lineage, at)));
        let records: Vec<Record> = places
            .filter(|&(lineage, place)| lineage.generations[place].is_kept())
            .map(|(lineage, place)| lineage.record(place))
            .collect();
        if self.checkpoint.create(&records, now, &mut self.reporter) {
            let generations = self
                .lineages
                .iter_mut()
                .flat_map(|lineage| lineage.generations.iter_mut());
            for (slot, generation) in generations.filter(|generation| generation.is_kept()).enumerate() {
                generation.slot = Some(slot);
            }
        }
    }

    /// Keeps the position of the generation at `place`.
    pub(crate) fn save(&mut self, lineage: usize, place: usize, now: Instant) {
        if !self.lineages[lineage].generations[place].is_kept() {
            return;
        }
        let record = self.lineages[lineage].record(place);
        let slot = &mut self.lineages[lineage].generations[place].slot;
        self.checkpoint.save(slot, &record, now, &mut self.reporter);
    }
}
