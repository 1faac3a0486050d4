//! One name that is followed, and the files that were behind it, oldest first.

use std::collections::{BTreeSet, VecDeque};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::checkpoint::Record;
use crate::compressed::modulo;
use crate::generation::{Generation, GenerationId};
use crate::identity::{FileKey, hash};
use crate::report::Trouble;
use crate::status::{Status, Tally};

/// How many files that are gone are remembered by their size: more than rotations keep between two looks.
const READ_SIZES: usize = 64;

/// A followed name and its generations.
#[derive(Debug)]
pub struct Lineage {
    /// The path, as it was given or found.
    pub name: PathBuf,
    /// What is printed of the name with its lines; empty when bytes leave as they are.
    pub label: String,
    /// What the checkpoint keeps of the name.
    pub name_hash: u64,
    /// Which file the name leads to now. It may belong to another lineage, when several names lead to one file.
    pub current: Option<FileKey>,
    /// Whether there was no descriptor to open the file to which it leads.
    pub is_unopened: bool,
    /// Which file the name led to when it led to one last.
    pub last_file: Option<FileKey>,
    /// Where the links of the name ended when it led to another file than before: what is rotated is there.
    pub directory: Option<PathBuf>,
    /// Files read for this name, in the order in which they were written.
    pub generations: Vec<Generation>,
    /// Whether to look for rotated files once more: one that is renamed during a look can be missed by it.
    pub look_again: bool,
    /// Compressed rotated files of which it is known whether they were read; `None` until files beside the name were looked for.
    pub compressed: Option<BTreeSet<FileKey>>,
    /// Sizes of files that were read and are gone, as a gzip file tells them; the latest few.
    pub read_sizes: VecDeque<u32>,
    /// How many files were read and are gone that are not known as the original of a compressed one.
    pub unclaimed: u32,
    /// Whether giving back disk space has failed.
    pub is_unreclaimable: bool,
    /// What became of it so far.
    pub tally: Tally,
    /// What is wrong with the name.
    pub trouble: Trouble,
    /// What is wrong with reading its files.
    pub unreadable: Trouble,
    /// What is wrong with listing its directory.
    pub unlistable: Trouble,
}

impl Lineage {
    /// A name of which nothing was read yet.
    pub fn new(name: PathBuf, label: String) -> Self {
        Self {
            name_hash: hash(name.as_os_str().as_bytes()),
            name,
            label,
            current: None,
            is_unopened: false,
            last_file: None,
            directory: None,
            generations: Vec::new(),
            look_again: false,
            compressed: None,
            read_sizes: VecDeque::new(),
            unclaimed: 0,
            is_unreclaimable: false,
            tally: Tally::default(),
            trouble: Trouble::default(),
            unreadable: Trouble::default(),
            unlistable: Trouble::default(),
        }
    }

    /// The name, for messages.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Where the generation `id` is now.
    pub fn place_of(&self, id: GenerationId) -> Option<usize> {
        self.generations.iter().position(|generation| generation.id == id)
    }

    /// Notes that a file is gone of which `size` bytes were read.
    pub fn note_read(&mut self, size: u64) {
        self.read_sizes.truncate(READ_SIZES - 1);
        self.read_sizes.push_front(modulo(size));
        self.unclaimed = self.unclaimed.saturating_add(1);
    }

    /// Whether a file of this size was read here, gone or not.
    pub fn has_read(&self, size: u32) -> bool {
        let here =
            |generation: &Generation| modulo(generation.size().max(generation.position.offset)) == size;
        self.read_sizes.contains(&size) || self.generations.iter().any(here)
    }

    /// Whether a file was read here that is gone, and may be the original of a compressed one of which not even the size is known.
    /// It cannot be that of another one then.
    pub fn claim_read(&mut self) -> bool {
        let mut gone = self.generations.iter_mut();
        if let Some(original) = gone.find(|generation| !generation.is_claimed && generation.is_deleted()) {
            original.is_claimed = true;
            return true;
        }
        let is_there = self.unclaimed > 0;
        self.unclaimed -= u32::from(is_there);
        is_there
    }

    /// Where it stands.
    pub fn status(&self) -> Status<'_> {
        let current = self
            .generations
            .iter()
            .rfind(|generation| Some(generation.key) == self.current);
        Status {
            name: &self.name,
            offset: current.map(|generation| generation.position.offset),
            lag: self.generations.iter().map(Generation::unread).sum(),
            tally: self.tally,
        }
    }

    /// What the checkpoint keeps of the generation at `place`.
    pub fn record(&self, place: usize) -> Record {
        let generation = &self.generations[place];
        Record {
            name: self.name_hash,
            key: generation.key,
            position: generation.position,
        }
    }
}
