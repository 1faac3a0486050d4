//! The log of a container, which the kubelet rotates.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How many rotated files stay, beside the one that is written.
const KEPT: usize = 4;

/// A log that is being written.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Makes the file, and the directories around it.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        }
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("making {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.file
            .write_all(bytes)
            .with_context(|| format!("writing {}", self.path.display()))
    }

    /// What the kubelet does when a log is large: it removes the oldest of the rotated files, compresses those that are not, renames
    /// the log, and has the runtime open it again, which takes `gap`. Rotated files have the second in their names.
    pub fn rotate(&mut self, gap: Duration) -> anyhow::Result<()> {
        let mut rotated = self.rotated()?;
        while rotated.len() >= KEPT {
            fs::remove_file(rotated.remove(0))?;
        }
        for file in rotated {
            if file.extension().is_none_or(|extension| extension != "gz") {
                compress(&file)?;
            }
        }
        let stamp = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S");
        let renamed = with_suffix(&self.path, &format!(".{stamp}"));
        ensure!(
            !renamed.exists(),
            "two rotations within one second: {}",
            renamed.display()
        );
        fs::rename(&self.path, renamed)?;
        std::thread::sleep(gap);
        *self = Self::create(&self.path)?;
        Ok(())
    }

    /// The rotated files, the oldest first.
    fn rotated(&self) -> anyhow::Result<Vec<PathBuf>> {
        let directory = self.path.parent().context("a log has a directory")?;
        let mut files = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path != self.path {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// By way of a file whose name ends in `.tmp`.
fn compress(file: &Path) -> anyhow::Result<()> {
    let half_written = with_suffix(file, ".tmp");
    let mut encoder = GzEncoder::new(File::create(&half_written)?, Compression::default());
    std::io::copy(&mut File::open(file)?, &mut encoder)?;
    encoder.finish()?;
    fs::rename(half_written, with_suffix(file, ".gz"))?;
    Ok(fs::remove_file(file)?)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
