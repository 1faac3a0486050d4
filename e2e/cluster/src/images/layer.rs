//! A layer: the files of an image as a tar archive.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::{Entry, Image};
use crate::{error::Error, hex::hex};

/// Passes bytes on, and counts and hashes them.
pub(super) struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    length: u64,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            length: 0,
        }
    }

    /// What was written to, the hash of the bytes in hexadecimal, and their number.
    pub(super) fn finish(self) -> (W, String, u64) {
        (self.inner, hex(&self.hasher.finalize()), self.length)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes the layer; entries are sorted by path, so that a directory comes before what it holds.
pub(super) fn write<W: Write>(image: &Image, output: W) -> Result<W, Error> {
    let mut tar = Builder::new(output);
    for (path, entry) in &image.entries {
        append(&mut tar, path, entry)?;
    }
    tar.into_inner()
        .map_err(Error::file("writing a layer of", &image.name))
}

fn append<W: Write>(tar: &mut Builder<W>, path: &Path, entry: &Entry) -> Result<(), Error> {
    match entry {
        Entry::File { source, mode } => {
            let file = File::open(source).map_err(Error::file("reading", source))?;
            let length = fs::metadata(source)
                .map_err(Error::file("reading", source))?
                .len();
            let mut header = header(EntryType::Regular, *mode, length);
            tar.append_data(&mut header, path, file)
                .map_err(Error::file("adding to an image", source))
        }
        Entry::Symlink { target } => tar
            .append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target)
            .map_err(Error::file("adding to an image", path)),
        Entry::Directory { mode } => tar
            .append_data(&mut header(EntryType::Directory, *mode, 0), path, io::empty())
            .map_err(Error::file("adding to an image", path)),
    }
}

/// A header that depends on nothing but its arguments: root's, of the year 1970.
pub(super) fn header(kind: EntryType, mode: u32, length: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(length);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
