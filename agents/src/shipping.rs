//! Which files a sidecar's input reads for one item of the pod's annotation.

use tributary_crds::annotation::AbsolutePath;

use crate::pattern::{Dialect, Pattern};
use crate::sidecar::SidecarFile;

/// What rotations add to a name.
const ROTATED: [&str; 4] = [".[0-9]*", "-[0-9]*", "_[0-9]*", ".old"];
/// The endings of what is no text, or is not complete.
const NO_TEXT: [&str; 5] = ["gz", "zst", "xz", "bz2", "tmp"];

/// The patterns of an input: the file, and what rotations make of it, so that what is written to a file late, or while the agent
/// is held back or away, is not lost.
pub fn include(file: &SidecarFile, dialect: Dialect) -> Vec<String> {
    let path = path(&file.path, dialect);
    let rotated = ROTATED.iter().map(|suffix| format!("{path}{suffix}"));
    std::iter::once(path.clone()).chain(rotated).collect()
}

/// The patterns of what an input leaves out: compressed files, hidden ones, and what `all` names by itself beside a pattern.
pub fn exclude(file: &SidecarFile, all: &[SidecarFile], dialect: Dialect) -> Vec<String> {
    let written = path(&file.path, dialect);
    let mut excluded: Vec<String> = NO_TEXT
        .iter()
        .map(|ending| format!("{written}*.{ending}"))
        .collect();
    if file.path.is_pattern() {
        if !Pattern::parse(file.path.file_name()).starts_with_dot() {
            excluded.push(format!("{}/.*", directory(&file.path, dialect)));
        }
        excluded.extend(
            all.iter()
                .filter(|other| !other.path.is_pattern() && other.path.directory() == file.path.directory())
                .flat_map(|other| include(other, dialect)),
        );
    }
    excluded
}

/// What the records of a file say: its path as the application sees it; for a pattern the directory, which ends in a slash, and
/// which the name that is found goes after.
pub fn shown(file: &SidecarFile) -> String {
    let path = &file.shown_path;
    if path.is_pattern() {
        format!("{}/", path.directory().trim_end_matches('/'))
    } else {
        path.as_str().to_owned()
    }
}

fn directory(path: &AbsolutePath, dialect: Dialect) -> String {
    Pattern::literal(path.directory().trim_end_matches('/')).write(dialect)
}

fn path(path: &AbsolutePath, dialect: Dialect) -> String {
    let name = path.file_name();
    let name = if path.is_pattern() {
        Pattern::parse(name)
    } else {
        Pattern::literal(name)
    };
    format!("{}/{}", directory(path, dialect), name.write(dialect))
}
