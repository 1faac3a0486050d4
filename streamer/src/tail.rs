//! The tailer: looks at names, reads what is new, writes it out.
//!
//! Two operations alternate. A look finds out which files the names lead to now and opens new ones at once, so that nothing done
//! to their names afterwards matters. A round reads what the open files hold, the oldest generation of each name first.
//! Time is a parameter, so that tests decide how long things take.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::arguments::{Existing, Options};
use crate::checkpoint::{Checkpoint, Record, Resumed};
use crate::encoder::Encoder;
use crate::format::Format;
use crate::generation::{Generation, GenerationId, read_buffer};
use crate::glob::Pattern;
use crate::identity::FileKey;
use crate::in_flight::InFlight;
use crate::lineage::Lineage;
use crate::output::{Output, OutputError};
use crate::report::{Reporter, Trouble};
use crate::status::Tally;

/// How long a file that was deleted is kept open after the last byte: a writer may still have it open, but its blocks stay
/// allocated for as long as we have.
pub const DELETED_QUIET: Duration = Duration::from_secs(5);
/// How long a file that was renamed is kept open after the last byte.
pub const RENAMED_QUIET: Duration = Duration::from_secs(60);
/// Rotated files that are kept open at most while the output takes nothing: some 300 bytes of memory each, a descriptor, and the
/// disk of those that were deleted.
const MOST_ROTATED: usize = 250;

/// One of the paths and globs that were given.
pub(crate) struct Source {
    pub(crate) pattern: Pattern,
    pub(crate) trouble: Trouble,
}

/// Follows names and writes what their files hold to one output.
pub struct Tailer<W> {
    pub(crate) sources: Vec<Source>,
    pub(crate) lineages: Vec<Lineage>,
    pub(crate) output: Output<W>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) reporter: Reporter,
    pub(crate) existing: Existing,
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
    /// Whether there are too few descriptors, and whether that was found by the last look.
    pub(crate) shortage: Trouble,
    pub(crate) is_short: bool,
    /// In which names may come.
    pub(crate) directories: BTreeSet<PathBuf>,
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
            shortage: Trouble::default(),
            is_short: false,
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
        self.is_short = false;
        self.discover(now);
        let mut is_new = false;
        for lineage in 0..self.lineages.len() {
            is_new |= self.visit(lineage, now);
        }
        self.close_quiet(now);
        self.forget_names();
        self.note_shortage(now);
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
            let is_there = lineage.current.is_some() || lineage.is_unopened || lineage.trouble.is_wrong();
            let is_kept = is_there || !lineage.generations.is_empty() || literal(lineage);
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
