//! Opening what a name leads to, and saying why that is not possible.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::report::{Escaped, Severity};

/// What is wrong with a path that should be a regular file.
#[derive(Debug)]
pub enum OpenError {
    /// The kernel refused, or nothing is there.
    Io(io::Error),
    /// Something is there that has no content to follow: what it is.
    NotAFile(&'static str),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether `error` means that no descriptor is left, here or on the whole machine.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

impl OpenError {
    /// Whether no descriptor is left.
    pub fn is_shortage(&self) -> bool {
        matches!(self, Self::Io(error) if is_shortage(error))
    }

    /// Whether it may be that the file only has not come yet.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => Severity::Missing,
            Self::Io(_) | Self::NotAFile(_) => Severity::Wrong,
        }
    }

    /// What is wrong with `path`, and what to do about it.
    pub fn advice(&self, path: &Path) -> String {
        let name = Escaped(path);
        match self {
            Self::NotAFile(what) => {
                format!("{name} is {what}: put a regular file there, or name another path")
            }
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                format!("{name} does not exist yet: waiting for it")
            }
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                format!(
                    "no permission to read {name}: make it readable, or run as {}",
                    who_may_read(path)
                )
            }
            Self::Io(error) => format!("cannot open {name} ({error}): trying again"),
        }
    }
}

/// Owner and group of `path`, which can be seen without permission to read it.
fn who_may_read(path: &Path) -> String {
    std::fs::metadata(path).map_or_else(
        |_| "a user who may search its directory".to_owned(),
        |meta| {
            format!(
                "user {} or group {} (mode {:o})",
                meta.uid(),
                meta.gid(),
                meta.mode() & 0o7777
            )
        },
    )
}

/// Checks that `metadata` is that of a regular file.
pub fn require_regular(metadata: &Metadata) -> Result<(), OpenError> {
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(OpenError::NotAFile(what))
}

/// Opens `path` for reading and says which file it is.
pub fn open_regular(path: &Path) -> Result<(File, Metadata), OpenError> {
    // Not blocking: a FIFO put there between a look and the opening would stop everything.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    let metadata = file.metadata()?;
    require_regular(&metadata)?;
    Ok((file, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_file_is_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        assert!(matches!(open_regular(&fifo), Err(OpenError::NotAFile("a FIFO"))));
        assert!(matches!(
            open_regular(directory.path()),
            Err(OpenError::NotAFile("a directory"))
        ));
        assert!(matches!(
            open_regular(Path::new("/dev/null")),
            Err(OpenError::NotAFile("a device"))
        ));
    }

    #[test]
    fn without_permission_the_message_says_who_may_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "").unwrap();
        let owner = std::fs::metadata(&path).unwrap().uid();
        let advice = OpenError::Io(io::ErrorKind::PermissionDenied.into()).advice(&path);
        assert!(
            advice.contains(&format!("run as user {owner} or group ")),
            "{advice}"
        );
    }
}
