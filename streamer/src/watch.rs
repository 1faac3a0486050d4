//! Being told by the kernel that something was written, created or renamed, where it tells.
//!
//! Nothing is decided by what an event says: any event means to look. Many filesystems send none, and a write through a mapping
//! sends none anywhere, so that looking by the clock goes on; events only make it sooner.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use crate::identity::FileKey;

/// Times that something was found without an event, after which events are relied on no more. One or two may come of a clock that
/// strikes just between a write and its event.
const MOST_MISSES: u8 = 3;
/// Inotify instances that are left to others: a user has 128 on a machine by default, and a kubelet that runs as the same one takes
/// some for every `kubectl logs -f`.
const LEFT_TO_OTHERS: usize = 32;
/// Room for some sixty events, which come in one read.
const EVENTS: usize = 4096;

/// Watches on the files that are read and the directories in which their names are.
#[derive(Debug, Default)]
pub struct Watcher {
    inotify: Option<OwnedFd>,
    /// The directory that each wanted one stands for, itself or the nearest above it that is there, and its watch.
    directories: BTreeMap<PathBuf, i32>,
    files: BTreeMap<FileKey, i32>,
    /// Something that should be watched cannot be.
    incomplete: bool,
    misses: u8,
}

impl Watcher {
    /// A watcher of nothing yet. Where only the last of the instances that a user has on a machine (`max_user_instances`) are to be
    /// had, it never watches anything. Takes some milliseconds, in which the kernel does away with instances.
    pub fn new() -> Self {
        Self {
            inotify: instance().ok(),
            ..Self::default()
        }
    }

    /// A watcher that never watches anything.
    pub fn blind() -> Self {
        Self::default()
    }

    /// What becomes readable when something happened.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Whether whatever happens is told, as far as is known.
    pub fn is_reliable(&self) -> bool {
        self.inotify.is_some() && !self.incomplete && self.misses < MOST_MISSES
    }

    /// Notes that something was found of which nothing had been told.
    pub fn note_miss(&mut self) {
        self.misses = self.misses.saturating_add(1);
    }

    /// Watches `directories` and `files`, and nothing else any more. Returns whether a directory is watched that was not before:
    /// what was done in it until now was not told.
    pub fn watch<'a>(
        &mut self,
        directories: &BTreeSet<PathBuf>,
        files: impl Iterator<Item = (FileKey, &'a File)>,
    ) -> bool {
        let Some(inotify) = &self.inotify else {
            return false;
        };
        self.incomplete = false;
        let mut old = std::mem::take(&mut self.files);
        for (key, file) in files {
            // By its descriptor: it may have no name any more.
            let watch = old
                .remove(&key)
                .or_else(|| watch_file(inotify, &format!("/proc/self/fd/{}", file.as_raw_fd())));
            match watch {
                Some(watch) => {
                    self.files.insert(key, watch);
                }
                None => self.incomplete = true,
            }
        }
        let before: BTreeSet<i32> = self.directories.values().copied().collect();
        self.directories.clear();
        for directory in directories {
            // Each time anew, as the name may lead to another directory by now; the same one keeps its watch.
            match watch_nearest(inotify, directory) {
                Some(watch) => {
                    self.directories.insert(directory.clone(), watch);
                }
                None => self.incomplete = true,
            }
        }
        let after: BTreeSet<i32> = self.directories.values().copied().collect();
        for &gone in old.values().chain(before.difference(&after)) {
            // It may have ended by itself, with what it watched.
            let _ = inotify::remove_watch(inotify, gone);
        }
        !after.is_subset(&before)
    }

    /// Takes all that was told. Returns whether there was anything.
    pub fn drain(&mut self) -> bool {
        let Some(inotify) = &self.inotify else {
            return false;
        };
        let mut room = [MaybeUninit::uninit(); EVENTS];
        let mut reader = Reader::new(inotify, &mut room);
        let mut any = false;
        while let Ok(event) = reader.next() {
            any = true;
            if event.events().contains(ReadFlags::IGNORED) {
                let watch = event.wd();
                self.files.retain(|_, &mut file| file != watch);
                self.directories.retain(|_, &mut directory| directory != watch);
            }
        }
        any
    }
}

/// An inotify instance, if there are some more.
fn instance() -> rustix::io::Result<OwnedFd> {
    let take = || inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
    let instance = take()?;
    let others: rustix::io::Result<Vec<OwnedFd>> = (0..LEFT_TO_OTHERS).map(|_| take()).collect();
    others.map(|_| instance)
}

fn watch_file(inotify: &OwnedFd, path: &str) -> Option<i32> {
    let flags = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF;
    inotify::add_watch(inotify, path, flags).ok()
}

/// Watches `directory`, or the nearest above it that is there.
fn watch_nearest(inotify: &OwnedFd, directory: &Path) -> Option<i32> {
    let flags = WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVE
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR;
    directory.ancestors().find_map(|directory| {
        let path = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        inotify::add_watch(inotify, path, flags).ok()
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn watch(watcher: &mut Watcher, directory: &Path, files: &[File]) -> bool {
        let keyed = files
            .iter()
            .map(|file| (FileKey::of(&file.metadata().unwrap()), file));
        watcher.watch(&BTreeSet::from([directory.to_path_buf()]), keyed)
    }

    #[test]
    fn what_is_done_to_files_and_names_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("logs/app");
        let mut watcher = Watcher::new();
        assert!(watch(&mut watcher, &directory, &[]), "a directory above it");
        assert!(!watch(&mut watcher, &directory, &[]), "the same");
        assert!(!watcher.drain());
        std::fs::create_dir(scratch.path().join("logs")).unwrap();
        assert!(watcher.drain(), "a directory above it came");
        std::fs::create_dir(&directory).unwrap();
        assert!(watch(&mut watcher, &directory, &[]), "the directory itself");
        watcher.drain();

        let path = directory.join("app.log");
        let mut writer = File::create(&path).unwrap();
        assert!(watcher.drain(), "a file came");
        let files = [File::open(&path).unwrap()];
        assert!(!watch(&mut watcher, &directory, &files));
        writer.write_all(b"line\n").unwrap();
        assert!(watcher.drain(), "a line came");
        std::fs::rename(&path, directory.join("app.log.1")).unwrap();
        assert!(watcher.drain(), "a file was renamed");
        std::fs::remove_file(directory.join("app.log.1")).unwrap();
        watcher.drain();
        writer.write_all(b"late\n").unwrap();
        assert!(watcher.drain(), "a line came to a file without a name");
        assert!(watcher.is_reliable());
    }

    #[test]
    fn watches_end_with_what_they_watched() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("app.log");
        let mut watcher = Watcher::new();
        File::create(&path).unwrap();
        watch(&mut watcher, scratch.path(), &[File::open(&path).unwrap()]);
        assert_eq!(watcher.files.len(), 1);
        watch(&mut watcher, scratch.path(), &[]);
        watcher.drain();
        std::fs::write(&path, "nobody reads this").unwrap();
        assert!(!watcher.drain(), "a file that is read no more is watched");
        watch(&mut watcher, scratch.path(), &[File::open(&path).unwrap()]);
        std::fs::remove_file(&path).unwrap();
        watcher.drain();
        assert!(watcher.files.is_empty(), "the number of an inode may come again");
    }

    #[test]
    fn what_is_not_told_takes_the_reliance_away() {
        let scratch = tempfile::tempdir().unwrap();
        let mut watcher = Watcher::new();
        watch(&mut watcher, scratch.path(), &[]);
        for _ in 0..MOST_MISSES {
            assert!(watcher.is_reliable());
            watcher.note_miss();
        }
        assert!(!watcher.is_reliable());
        assert!(!Watcher::blind().is_reliable());
    }
}
