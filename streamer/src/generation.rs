//! One file's content, from its first byte to where it was last read: a generation of a name, whatever it is called by now.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

use crate::identity::{FileKey, Fingerprint, WINDOW};
use crate::multiline::Stage;

/// Bytes read and written at once: as much as a pipe holds by default (pipe(7)).
pub const CHUNK: usize = 64 * 1024;

/// A buffer for [`Generation::read`]: the window before the offset, and `longest` bytes after it.
pub fn read_buffer(longest: usize) -> Vec<u8> {
    vec![0; WINDOW + longest]
}

/// How far a file has been read, and by what it is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Bytes read and written out, from the file's start.
    pub offset: u64,
    /// The bytes just before the offset.
    pub marker: Fingerprint,
    /// The bytes at the file's start.
    pub head: Fingerprint,
}

impl Position {
    /// Nothing read yet.
    pub const START: Self = Self {
        offset: 0,
        marker: Fingerprint::EMPTY,
        head: Fingerprint::EMPTY,
    };

    /// The end of `file`, whose size is `size`: everything in it counts as read.
    pub fn at_end(file: &File, size: u64) -> io::Result<Self> {
        let mut window = [0; WINDOW];
        let head = Fingerprint::of_head(read_fully(file, &mut window, 0, size)?);
        let start = size.saturating_sub(WINDOW as u64);
        let tail = read_fully(file, &mut window, start, size - start)?;
        Ok(Self {
            offset: start + tail.len() as u64,
            marker: Fingerprint::of_tail(tail),
            head,
        })
    }

    /// Whether `file` has the bytes that were just before the offset, so that its rest follows on what was read.
    pub fn continues_in(&self, file: &File) -> io::Result<bool> {
        let mut window = [0; WINDOW];
        let start = self.offset.saturating_sub(self.marker.len() as u64);
        Ok(self
            .marker
            .matches(read_fully(file, &mut window, start, self.marker.len() as u64)?))
    }

    /// Whether it tells its file from another one with the same inode number.
    pub fn is_telling(&self) -> bool {
        !self.marker.is_empty()
    }

    /// Whether `file` starts as the file that was read did. Nothing is known of a file of which nothing was read.
    pub fn starts_like(&self, file: &File) -> io::Result<bool> {
        let mut window = [0; WINDOW];
        let start = read_fully(file, &mut window, 0, self.head.len() as u64)?;
        Ok(!self.head.is_empty() && self.head.matches(start))
    }
}

/// Reads up to `length` bytes (at most [`WINDOW`]) at `offset`; fewer at the file's end.
fn read_fully<'a>(
    file: &File,
    window: &'a mut [u8; WINDOW],
    offset: u64,
    length: u64,
) -> io::Result<&'a [u8]> {
    let length = usize::try_from(length).unwrap_or(WINDOW).min(WINDOW);
    let read = read_up_to(file, &mut window[..length], offset)?;
    Ok(&window[..read])
}

/// Reads until `buffer` is full or the file ends.
fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Names a generation for as long as the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerationId(pub u64);

/// What reading found.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing after the offset.
    End,
    /// Bytes after the offset, at this range of the buffer; as many as were asked for when more may follow.
    Data(Range<usize>),
    /// The file is shorter than the offset, or other bytes are before it: it was truncated or overwritten.
    Changed,
}

/// Bytes at the end of a file that are no whole line or record yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// How many they are.
    pub length: usize,
    /// Since when there are any.
    pub since: Instant,
    /// When the last of them came.
    pub grown: Instant,
}

/// A file that is being read, or was.
#[derive(Debug)]
pub struct Generation {
    /// Its name in this process. A generation that goes on in a copy keeps it there.
    pub id: GenerationId,
    /// Which file it is.
    pub key: FileKey,
    /// How far it has been read.
    pub position: Position,
    /// The open file; `None` once it has been quiet for long.
    pub file: Option<File>,
    /// Where its position is kept in the checkpoint.
    pub slot: Option<usize>,
    /// What was seen at the end and waits for more.
    pub unfinished: Option<Unfinished>,
    /// The bytes of `unfinished`, where a truncation would take whole lines off the disk that have not been written out.
    pub held: Vec<u8>,
    /// Lines that were held when a truncation took them off the disk.
    pub rescued: Vec<u8>,
    /// Where the record stands whose beginning has left before it was whole.
    pub stage: Stage,
    /// Since when the line waits for its end whose beginning was written out last.
    pub line_since: Option<Instant>,
    /// Since when no name that is followed leads here.
    pub retired: Option<Instant>,
    /// Since when newer files have had to wait for the end of its last line or record.
    pub awaited: Option<Instant>,
    /// Since when reading finds nothing; `None` while there may be more.
    pub quiet_since: Option<Instant>,
    /// When bytes of it were written out last.
    pub last_byte: Instant,
    /// Up to where its disk space was given back.
    pub reclaimed: u64,
    /// Of which generation, still there, it is a copy that may be growing yet.
    pub copy_of: Option<GenerationId>,
    /// The largest size that a look has seen.
    pub seen: u64,
    /// Whether rotated files were looked for since its first byte was seen. Before that, a truncation leaves no trace in it.
    pub begun: bool,
    /// Whether it is known as the original of a compressed file.
    pub is_claimed: bool,
    /// Leading zero bytes are passed over: a writer that did not open for appending goes on at its old offset after a
    /// truncation, and the kernel fills the file with zeros up to there.
    pub skip_hole: bool,
}

impl Unfinished {
    /// Whether `length` bytes, as many as there are by now, have waited for long enough: nothing came for `silence`, or the first
    /// of them is there for `at_most`.
    pub fn is_overdue(&self, length: usize, (silence, at_most): (Duration, Duration), now: Instant) -> bool {
        let is_silent = length == self.length && now.duration_since(self.grown) >= silence;
        is_silent || now.duration_since(self.since) >= at_most
    }
}

impl Generation {
    /// A generation that is read on from `position`.
    pub fn new(id: GenerationId, key: FileKey, file: Option<File>, position: Position, now: Instant) -> Self {
        Self {
            id,
            key,
            position,
            file,
            slot: None,
            unfinished: None,
            held: Vec::new(),
            rescued: Vec::new(),
            stage: Stage::Outside,
            line_since: None,
            retired: None,
            awaited: None,
            quiet_since: None,
            last_byte: now,
            reclaimed: 0,
            copy_of: None,
            seen: 0,
            begun: position.offset > 0,
            is_claimed: false,
            skip_hole: false,
        }
    }

    /// Reads what follows the offset, at most `length` bytes of it. A closed file has nothing.
    pub fn read(&self, buffer: &mut [u8], length: usize) -> io::Result<Reading> {
        let Some(file) = &self.file else {
            return Ok(Reading::End);
        };
        let window = self.position.marker.len();
        let start = self.position.offset - window as u64;
        // One read for both: what is before the offset vouches for what is after it.
        let read = read_once(file, &mut buffer[..window + length], start)?;
        if read < window || !self.position.marker.matches(&buffer[..window]) {
            return Ok(Reading::Changed);
        }
        Ok(if read == window {
            Reading::End
        } else {
            Reading::Data(window..read)
        })
    }

    /// Whether the file was truncated or overwritten since it was read.
    pub fn has_changed(&self) -> io::Result<bool> {
        self.file
            .as_ref()
            .map_or(Ok(false), |file| Ok(!self.position.continues_in(file)?))
    }

    /// Notes that `bytes`, which follow the offset, are no whole line or record yet, and keeps them if they are to be `held`.
    pub fn wait_with(&mut self, bytes: &[u8], held: bool, now: Instant) {
        let before = self.unfinished;
        if before.is_some_and(|before| before.length == bytes.len()) {
            return;
        }
        self.unfinished = Some(Unfinished {
            length: bytes.len(),
            since: before.map_or(now, |before| before.since),
            grown: now,
        });
        self.held.clear();
        if held {
            self.held.extend_from_slice(bytes);
        }
    }

    /// Moves the offset over `count` bytes that [`Generation::read`] put into `buffer`.
    pub fn advance(&mut self, buffer: &[u8], count: usize, now: Instant) {
        let position = &mut self.position;
        let window = position.marker.len();
        let seen = &buffer[..window + count];
        // Until a whole window has been read, the buffer starts where the file starts.
        if position.offset < WINDOW as u64 {
            position.head = Fingerprint::of_head(seen);
        }
        position.marker = Fingerprint::of_tail(seen);
        position.offset += count as u64;
        self.quiet_since = None;
        self.last_byte = now;
        self.unfinished = None;
        self.held = Vec::new();
    }

    /// How long the file has had nothing new since no name leads to it.
    pub fn quiet_for(&self, now: Instant) -> Duration {
        match (self.quiet_since, self.retired) {
            (Some(quiet), Some(retired)) => now.duration_since(quiet.max(retired)),
            _ => Duration::ZERO,
        }
    }

    /// Whether the checkpoint keeps its position: that of a copy goes with the position of its original.
    pub fn is_kept(&self) -> bool {
        self.copy_of.is_none()
    }

    /// The size of an open file; of a closed one, nothing.
    pub fn size(&self) -> u64 {
        let metadata = self.file.as_ref().and_then(|file| file.metadata().ok());
        metadata.map_or(0, |metadata| metadata.size())
    }

    /// Bytes after the offset; none in a closed file.
    pub fn unread(&self) -> u64 {
        self.size().saturating_sub(self.position.offset)
    }

    /// Whether the open file has no name any more.
    pub fn is_deleted(&self) -> bool {
        let metadata = self.file.as_ref().and_then(|file| file.metadata().ok());
        metadata.is_some_and(|metadata| metadata.nlink() == 0)
    }

    /// Whether the open file has no name any more and nothing that was not read.
    pub fn is_deleted_and_read(&self) -> bool {
        let metadata = self.file.as_ref().and_then(|file| file.metadata().ok());
        metadata.is_some_and(|metadata| metadata.nlink() == 0 && metadata.size() <= self.position.offset)
    }

    /// Moves the offset over the zeros that a truncation left before the writer's offset; returns how many there were in `range`.
    pub fn skip_zeros(&mut self, buffer: &[u8], range: Range<usize>, now: Instant) -> usize {
        if !self.skip_hole {
            return 0;
        }
        let data = &buffer[range];
        let zeros = data.iter().take_while(|&&byte| byte == 0).count();
        self.skip_hole = zeros == data.len();
        if zeros > 0 {
            self.advance(buffer, zeros, now);
        }
        zeros
    }

    /// Starts again at the first byte, under a new name: what follows is another content.
    pub fn restart(&mut self, id: GenerationId, now: Instant) {
        self.id = id;
        self.position = Position::START;
        self.unfinished = None;
        self.rescued.append(&mut self.held);
        self.stage = Stage::Outside;
        self.line_since = None;
        self.quiet_since = None;
        self.last_byte = now;
        self.reclaimed = 0;
        self.seen = 0;
        self.begun = false;
        self.skip_hole = true;
    }
}

/// One read, which is all that is needed of a regular file; a short one only means to come again.
fn read_once(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::opening::open_regular;

    fn generation(path: &Path) -> Generation {
        let (file, metadata) = open_regular(path).unwrap();
        Generation::new(
            GenerationId(0),
            FileKey::of(&metadata),
            Some(file),
            Position::START,
            Instant::now(),
        )
    }

    fn read_all(generation: &mut Generation, buffer: &mut [u8]) -> Vec<u8> {
        let mut all = Vec::new();
        while let Reading::Data(range) = generation.read(buffer, CHUNK).unwrap() {
            all.extend_from_slice(&buffer[range.clone()]);
            generation.advance(buffer, range.len(), Instant::now());
        }
        all
    }

    #[test]
    fn content_is_read_once_whatever_the_chunks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let content: Vec<u8> = (0..400_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        std::fs::write(&path, &content).unwrap();
        let mut generation = generation(&path);
        let mut buffer = read_buffer(CHUNK);
        assert!(read_all(&mut generation, &mut buffer) == content);
        assert_eq!(
            generation.position,
            Position::at_end(&File::open(&path).unwrap(), 400_000).unwrap()
        );
    }

    #[test]
    fn truncation_is_seen_even_when_the_file_has_grown_past_the_offset_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let mut generation = generation(&path);
        let mut buffer = read_buffer(CHUNK);
        read_all(&mut generation, &mut buffer);
        for other in ["", "uno\n", "uno\ndos\n", "uno\ndos\ntres\n"] {
            std::fs::write(&path, other).unwrap();
            assert_eq!(
                generation.read(&mut buffer, CHUNK).unwrap(),
                Reading::Changed,
                "{other:?}"
            );
            assert!(generation.has_changed().unwrap());
        }
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(read_all(&mut generation, &mut buffer), b"three\n");
    }

    #[test]
    fn the_head_covers_the_first_window_however_slowly_it_came() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "").unwrap();
        let mut generation = generation(&path);
        let mut buffer = read_buffer(CHUNK);
        let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
        for i in 0..100 {
            writeln!(writer, "line {i}").unwrap();
            read_all(&mut generation, &mut buffer);
        }
        let content = std::fs::read(&path).unwrap();
        assert_eq!(generation.position.head, Fingerprint::of_head(&content));
        assert_eq!(generation.position.marker, Fingerprint::of_tail(&content));
    }
}
