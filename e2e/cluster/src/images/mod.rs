//! Container images without a registry: OCI archives written from static programs.
//!
//! [`Image`] describes one, [`Image::write`] makes the archive. The same description and files give the same bytes, on
//! every machine. `ctr images import`, `kind load image-archive`, `podman load` and `skopeo copy oci-archive:` take it.
//!
//! [`catalog`] has the images of a test cluster.

mod archive;
pub mod catalog;
mod layer;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use archive::Written;

use crate::error::Error;

/// What an image holds and how it runs.
#[derive(Clone, Debug)]
pub struct Image {
    name: String,
    entries: BTreeMap<PathBuf, Entry>,
    entrypoint: Vec<String>,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    user: Option<String>,
    labels: BTreeMap<String, String>,
}

/// A file of an image; all belong to root.
#[derive(Clone, Debug)]
enum Entry {
    File { source: PathBuf, mode: u32 },
    Symlink { target: PathBuf },
    Directory { mode: u32 },
}

/// The mode of directories that nobody described.
const DIRECTORY_MODE: u32 = 0o755;

impl Image {
    /// An empty image. `name` is the whole reference, with registry and tag: `docker.io/library/busybox:1.28`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            entries: BTreeMap::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            environment: Vec::new(),
            user: None,
            labels: BTreeMap::new(),
        }
    }

    /// The same image under another reference, for instance the one that a manifest made for any cluster has.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The whole reference.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a copy of `source` as `path` (absolute) with permission bits such as `0o755`; directories above it are added.
    #[must_use]
    pub fn file(self, path: &str, source: impl Into<PathBuf>, mode: u32) -> Self {
        self.entry(
            path,
            Entry::File {
                source: source.into(),
                mode,
            },
        )
    }

    /// Adds a symbolic link at `path` to `target`.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(
            path,
            Entry::Symlink {
                target: target.into(),
            },
        )
    }

    /// Adds a directory with permission bits, for instance `0o1777` for `/tmp`.
    #[must_use]
    pub fn directory(self, path: &str, mode: u32) -> Self {
        self.entry(path, Entry::Directory { mode })
    }

    /// The program that a container runs.
    #[must_use]
    pub fn entrypoint<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.entrypoint = words.map(str::to_owned).to_vec();
        self
    }

    /// The program's arguments, or without an entrypoint the program itself, unless the pod gives others.
    #[must_use]
    pub fn command<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.command = words.map(str::to_owned).to_vec();
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Who runs the program, as numbers so that Kubernetes can see that it is not root: `65532:65532`.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Adds a label, for instance `org.opencontainers.image.source`.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Writes the OCI archive, replacing a file of that name only when it is complete.
    pub fn write(&self, archive: &Path) -> Result<Written, Error> {
        archive::write(self, archive)
    }

    fn entry(mut self, path: &str, entry: Entry) -> Self {
        // Archives hold relative paths.
        let path = PathBuf::from(path.trim_matches('/'));
        for above in path
            .ancestors()
            .skip(1)
            .filter(|above| !above.as_os_str().is_empty())
        {
            self.entries
                .entry(above.to_owned())
                .or_insert(Entry::Directory { mode: DIRECTORY_MODE });
        }
        self.entries.insert(path, entry);
        self
    }
}
