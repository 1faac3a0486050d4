//! Directories of expected files, and how what came out differs from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The directories in a directory.
pub fn cases(directory: &Path) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

/// The first file that is not as `actual` (file name to text) has it. With `TRIBUTARY_UPDATE_GOLDEN` set, the directory is
/// written anew instead.
pub fn difference(directory: &Path, actual: &BTreeMap<String, String>) -> Option<PathBuf> {
    let expected = stored(directory);
    if expected == *actual {
        return None;
    }
    if std::env::var_os("TRIBUTARY_UPDATE_GOLDEN").is_some() {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).unwrap();
        for (file, text) in actual {
            fs::write(directory.join(file), text).unwrap();
        }
        return None;
    }
    expected
        .keys()
        .chain(actual.keys())
        .find(|file| expected.get(*file) != actual.get(*file))
        .map(|file| directory.join(file))
}

fn stored(directory: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return BTreeMap::new();
    };
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect()
}
