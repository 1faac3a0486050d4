//! What writers and rotations do to one file.

// Each test takes what it needs.
#![allow(dead_code)]

use std::fs::{File, OpenOptions};
use std::path::Path;

/// Opens a file to write at its end, and makes it where there is none.
pub fn append(path: &Path) -> File {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .expect("a file that can be written")
}

/// Empties a file in place, or makes an empty one.
pub fn truncate(path: &Path) {
    append(path).set_len(0).expect("a truncation");
}
