//! Positions on disk, so that a restarted container goes on where it stopped.
//!
//! One small file per set of patterns. Each followed file has a slot of fixed length in it that is overwritten after each write to
//! standard output: when the process is killed, at most the bytes of that one write come twice, and none is left out. Nothing
//! is synced to disk; what the kernel holds survives the process.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::generation::Position;
use crate::identity::{FileKey, Fingerprint, hash};
use crate::report::{Escaped, Reporter};

/// The first line. A change of the format changes the number, so that an older file is not misread.
const HEADER: &str = "tributary-streamer positions 2\n";
/// A record's fields, in hexadecimal: hash of the name, device, inode, offset, marker length and hash, head length and hash, and
/// a check over all before it.
const FIELDS: usize = 9;
/// Sixteen digits and a separator for each field.
const SLOT: usize = FIELDS * 17;
/// How long to wait before trying again to create a file that could not be created.
const RETRY: Duration = Duration::from_secs(5);

/// How far one file has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The hash of the name for which it was read.
    pub name: u64,
    /// Which file it is.
    pub key: FileKey,
    /// How far it has been read.
    pub position: Position,
}

/// What an earlier run has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// How far it has read each file.
    pub records: Vec<Record>,
    /// When it said so last.
    pub written: SystemTime,
}

/// Where positions are kept, if anywhere.
#[derive(Debug, Default)]
pub struct Checkpoint {
    path: Option<PathBuf>,
    file: Option<File>,
    /// For each slot whether it is taken.
    slots: Vec<bool>,
    retry_at: Option<Instant>,
    said: bool,
    /// Nothing is written for now.
    held: bool,
    /// Something was to be written meanwhile.
    outdated: bool,
}

impl Checkpoint {
    /// A checkpoint in `directory` for these patterns; several streamers can share a directory. Nothing is written yet.
    pub fn in_directory(directory: &Path, patterns: &[OsString]) -> Self {
        let mut all = Vec::new();
        for pattern in patterns {
            all.extend_from_slice(pattern.as_bytes());
            all.push(0);
        }
        let path = directory.join(format!("streamer-{:016x}.positions", hash(&all)));
        Self {
            path: Some(path),
            ..Self::default()
        }
    }

    /// What an earlier run has left; `None` when there was none. A record that was not written whole is left out.
    pub fn load(&self, reporter: &mut Reporter) -> Option<Resumed> {
        let path = self.path.as_ref()?;
        let (content, written) = match read(path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                reporter.say(format_args!(
                    "cannot read the positions in {} ({error}): reading from the beginning",
                    Escaped(path)
                ));
                return None;
            }
        };
        let Some(slots) = content.strip_prefix(HEADER.as_bytes()) else {
            reporter.say(format_args!(
                "{} holds no positions of this version: reading from the beginning",
                Escaped(path)
            ));
            return None;
        };
        Some(Resumed {
            records: slots.chunks_exact(SLOT).filter_map(parse_slot).collect(),
            written,
        })
    }

    /// Whether the file has to be written as a whole: at the start, and again some time after a failure.
    pub fn is_due(&self, now: Instant) -> bool {
        self.path.is_some() && self.file.is_none() && !self.held && self.retry_at.is_none_or(|at| now >= at)
    }

    /// Leaves the file as it is until [`Self::go_on`].
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Writes again. Where something was to be written meanwhile, the file is due to be written as a whole.
    pub fn go_on(&mut self) {
        self.held = false;
        if std::mem::take(&mut self.outdated) {
            self.file = None;
        }
    }

    /// Creates the file with `records`, whose slots are then numbered in their order. Returns whether it could be done.
    pub fn create(&mut self, records: &[Record], now: Instant, reporter: &mut Reporter) -> bool {
        let Some(path) = &self.path else { return false };
        match create(path, records) {
            Ok(file) => {
                if self.said {
                    reporter.say(format_args!("positions are kept in {} again", Escaped(path)));
                }
                self.file = Some(file);
                self.said = false;
                self.slots = vec![true; records.len()];
                true
            }
            Err(error) => {
                self.failed(&error, now, reporter);
                false
            }
        }
    }

    /// Writes `record` to `slot`, or to a free one which is then `slot`.
    pub fn save(&mut self, slot: &mut Option<usize>, record: &Record, now: Instant, reporter: &mut Reporter) {
        if self.file.is_none() || self.is_held() {
            return;
        }
        let at = *slot.get_or_insert_with(|| {
            let free = self
                .slots
                .iter()
                .position(|taken| !taken)
                .unwrap_or(self.slots.len());
            if free == self.slots.len() {
                self.slots.push(true);
            }
            self.slots[free] = true;
            free
        });
        self.overwrite(at, &format_slot(record), now, reporter);
    }

    /// Puts all positions on the disk itself. Returns whether the one in `slot` is there now.
    pub fn sync_position(&self, slot: Option<usize>) -> bool {
        slot.is_some() && self.file.as_ref().is_some_and(|file| file.sync_data().is_ok())
    }

    /// Frees `slot`: its file is gone.
    pub fn release(&mut self, slot: Option<usize>, now: Instant, reporter: &mut Reporter) {
        let Some(at) = slot.filter(|&at| at < self.slots.len() && !self.is_held()) else {
            return;
        };
        self.slots[at] = false;
        self.overwrite(at, &empty_slot(), now, reporter);
    }

    /// Whether something that is to be written has to wait, which is noted.
    fn is_held(&mut self) -> bool {
        self.outdated |= self.held;
        self.held
    }

    fn overwrite(&mut self, at: usize, bytes: &[u8; SLOT], now: Instant, reporter: &mut Reporter) {
        let Some(file) = &self.file else { return };
        let offset = HEADER.len() + at * SLOT;
        if let Err(error) = file.write_all_at(bytes, offset as u64) {
            self.file = None;
            self.failed(&error, now, reporter);
        }
    }

    fn failed(&mut self, error: &io::Error, now: Instant, reporter: &mut Reporter) {
        self.retry_at = Some(now + RETRY);
        if let Some(path) = self.path.as_ref().filter(|_| !self.said) {
            self.said = true;
            reporter.say(format_args!(
                "cannot keep positions in {} ({error}): going on without, a restart now would print lines again",
                Escaped(path)
            ));
        }
    }
}

/// The content of a file, and when it was written last.
fn read(path: &Path) -> io::Result<(Vec<u8>, SystemTime)> {
    let mut file = File::open(path)?;
    let written = file.metadata()?.modified()?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok((content, written))
}

/// Writes a new file beside `path` and puts it in its place, so that there is always a whole one.
fn create(path: &Path, records: &[Record]) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)?;
    let mut content = HEADER.as_bytes().to_vec();
    for record in records {
        content.extend_from_slice(&format_slot(record));
    }
    file.write_all(&content)?;
    std::fs::rename(&temporary, path)?;
    Ok(file)
}

fn format_slot(record: &Record) -> [u8; SLOT] {
    let Position { offset, marker, head } = record.position;
    let values = [
        record.name,
        record.key.device,
        record.key.inode,
        offset,
        marker.len() as u64,
        marker.hash(),
        head.len() as u64,
        head.hash(),
    ];
    let mut slot = empty_slot();
    for (field, value) in values.into_iter().enumerate() {
        write_field(&mut slot, field, value);
    }
    let check = hash(&slot[..(FIELDS - 1) * 17]);
    write_field(&mut slot, FIELDS - 1, check);
    slot
}

fn write_field(slot: &mut [u8; SLOT], field: usize, value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = slot[field * 17..field * 17 + 16].chunks_exact_mut(2);
    for (pair, byte) in digits.zip(value.to_be_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// A slot that holds nothing: blanks, and the line break.
fn empty_slot() -> [u8; SLOT] {
    let mut slot = [b' '; SLOT];
    slot[SLOT - 1] = b'\n';
    slot
}

fn parse_slot(slot: &[u8]) -> Option<Record> {
    let mut values = [0; FIELDS];
    for (value, field) in values.iter_mut().zip(slot.chunks_exact(17)) {
        *value = u64::from_str_radix(std::str::from_utf8(&field[..16]).ok()?, 16).ok()?;
    }
    let [
        name,
        device,
        inode,
        offset,
        marker_length,
        marker_hash,
        head_length,
        head_hash,
        check,
    ] = values;
    let whole = check == hash(&slot[..(FIELDS - 1) * 17]);
    let marker = Fingerprint::from_parts(marker_length, marker_hash)?;
    let head = Fingerprint::from_parts(head_length, head_hash)?;
    let consistent = whole && marker.len() as u64 <= offset;
    consistent.then_some(Record {
        name,
        key: FileKey { device, inode },
        position: Position { offset, marker, head },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(inode: u64) -> Record {
        Record {
            name: hash(b"/a"),
            key: FileKey { device: 66, inode },
            position: Position {
                offset: u64::MAX - inode,
                marker: Fingerprint::of_tail(b"before the offset"),
                head: Fingerprint::of_head(b"at the start"),
            },
        }
    }

    fn loaded(checkpoint: &Checkpoint) -> Option<Vec<Record>> {
        checkpoint
            .load(&mut Reporter::silent())
            .map(|resumed| resumed.records)
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let (now, mut reporter) = (Instant::now(), Reporter::silent());
        let mut checkpoint = Checkpoint::in_directory(&directory.path().join("new"), &["/a".into()]);
        assert_eq!(loaded(&checkpoint), None);
        assert!(checkpoint.is_due(now));
        assert!(checkpoint.create(&[record(1), record(2)], now, &mut reporter));
        assert!(!checkpoint.is_due(now));
        let mut slot = None;
        checkpoint.save(&mut slot, &record(3), now, &mut reporter);
        assert_eq!(slot, Some(2));
        checkpoint.release(Some(0), now, &mut reporter);
        assert_eq!(loaded(&checkpoint), Some(vec![record(2), record(3)]));
        let mut reused = None;
        checkpoint.save(&mut reused, &record(4), now, &mut reporter);
        assert_eq!(reused, Some(0));
        assert_eq!(loaded(&checkpoint), Some(vec![record(4), record(2), record(3)]));
    }

    #[test]
    fn while_it_is_held_nothing_is_written_and_afterwards_all_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let (now, mut reporter) = (Instant::now(), Reporter::silent());
        let mut checkpoint = Checkpoint::in_directory(directory.path(), &["/a".into()]);
        checkpoint.create(&[record(1)], now, &mut reporter);
        checkpoint.hold();
        checkpoint.go_on();
        assert!(!checkpoint.is_due(now), "nothing was to be written");
        checkpoint.hold();
        checkpoint.save(&mut None, &record(2), now, &mut reporter);
        checkpoint.release(Some(0), now, &mut reporter);
        assert!(!checkpoint.is_due(now));
        assert_eq!(loaded(&checkpoint), Some(vec![record(1)]));
        checkpoint.go_on();
        assert!(checkpoint.is_due(now));
        assert!(checkpoint.create(&[record(2)], now, &mut reporter));
        assert_eq!(loaded(&checkpoint), Some(vec![record(2)]));
    }

    #[test]
    fn other_patterns_keep_their_own_positions() {
        let directory = Path::new("/state");
        let path = |patterns: &[&str]| {
            let patterns: Vec<OsString> = patterns.iter().map(OsString::from).collect();
            Checkpoint::in_directory(directory, &patterns).path.unwrap()
        };
        assert_ne!(path(&["/a"]), path(&["/b"]));
        assert_ne!(path(&["/a", "b"]), path(&["/ab"]));
        assert_eq!(path(&["/a", "b"]), path(&["/a", "b"]));
    }

    #[test]
    fn a_record_that_was_not_written_whole_is_left_out() {
        let slot = format_slot(&record(7));
        assert_eq!(parse_slot(&slot), Some(record(7)));
        for at in 0..SLOT - 1 {
            let mut torn = slot;
            torn[at] = if torn[at] == b'0' { b'1' } else { b'0' };
            let separator = at % 17 == 16;
            assert_eq!(
                parse_slot(&torn).is_none(),
                !separator || at < (FIELDS - 1) * 17,
                "byte {at}"
            );
        }
        assert_eq!(parse_slot(&empty_slot()), None);
    }

    #[test]
    fn a_file_of_another_version_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::in_directory(directory.path(), &[]);
        std::fs::write(
            checkpoint.path.as_ref().unwrap(),
            "tributary-streamer positions 9\nwhatever",
        )
        .unwrap();
        assert_eq!(loaded(&checkpoint), None);
    }
}
