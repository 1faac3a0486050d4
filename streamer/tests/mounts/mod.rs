//! Filesystems of a test's own, which are gone at its end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Mount(pub PathBuf);

impl Mount {
    /// In memory, of four pages: one for its root, and three for content.
    pub fn tiny(scratch: &Path) -> Option<Self> {
        Self::new(scratch, &["-t", "tmpfs", "-o", "size=16k"], "tmpfs".as_ref())
    }

    /// In memory, where no file can have holes made in it.
    pub fn without_holes(scratch: &Path) -> Option<Self> {
        Self::new(scratch, &["-t", "ramfs"], "ramfs".as_ref())
    }

    /// XFS in a file.
    pub fn xfs(scratch: &Path) -> Option<Self> {
        let image = scratch.join("image");
        // The least that mkfs.xfs makes; next to nothing of it is written.
        File::create(&image).unwrap().set_len(300 << 20).unwrap();
        let made = Command::new("mkfs.xfs").arg("-q").arg(&image).status().unwrap();
        assert!(made.success());
        Self::new(scratch, &["-o", "loop"], &image)
    }

    /// Another view of `source`, through a process, so that the kernel knows nothing of what is done there. It asks each time.
    pub fn another_view(scratch: &Path, source: &Path) -> Option<Self> {
        let at = directory(scratch);
        let mounted = Command::new("bindfs")
            .args([
                "-o",
                "attr_timeout=0,entry_timeout=0,negative_timeout=0,direct_io",
            ])
            .args([source, at.as_path()])
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at))
    }

    fn new(scratch: &Path, options: &[&str], source: &Path) -> Option<Self> {
        let at = directory(scratch);
        let mounted = Command::new("mount")
            .args(options)
            .args([source, at.as_path()])
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at))
    }
}

fn directory(scratch: &Path) -> PathBuf {
    let at = scratch.join("mount");
    std::fs::create_dir(&at).unwrap();
    at
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A failed test should not leave it; there is nothing else to be done here.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Whether this process may mount.
pub fn is_possible() -> bool {
    let scratch = tempfile::tempdir().unwrap();
    Mount::tiny(scratch.path()).is_some()
}
