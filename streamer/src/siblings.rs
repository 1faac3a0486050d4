//! Rotated files: which names beside a file are its older generations, and in which order they were written.

use std::cmp::{Ordering, Reverse};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::compressed;
use crate::identity::FileKey;

/// An older generation of a file, found beside it.
#[derive(Debug)]
pub struct Sibling {
    /// Where it is.
    pub path: PathBuf,
    /// Which file it is.
    pub key: FileKey,
    /// Whether the name alone tells a rotation. `app-1.log` beside `app.log` may as well be another log; it is an older
    /// generation only where its content says so.
    pub certain: bool,
    tag: Tag,
    /// Seconds and nanoseconds of the last write.
    modified: (i64, i64),
    /// When it was made, where the filesystem knows that.
    pub made: Option<SystemTime>,
}

/// What a rotation put into a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tag {
    /// `app.log.3`: higher is older, for every program that numbers this way.
    Number(u32),
    /// `app.log.old`: the only one.
    Old,
    /// Dates, and numbers inside the name, whose order is not the same everywhere.
    Other(Vec<u8>),
}

impl Tag {
    fn is_certain(&self) -> bool {
        match self {
            Self::Number(_) | Self::Old => true,
            // As many digits as the shortest date has.
            Self::Other(tag) => tag.iter().filter(|byte| byte.is_ascii_digit()).count() >= 6,
        }
    }
}

/// What a rotation leaves beside a file.
#[derive(Debug, Default)]
pub struct Rotated {
    /// Files that can be read, oldest first.
    pub siblings: Vec<Sibling>,
    /// Files that were compressed, oldest first: those of which the name alone tells a rotation.
    pub compressed: Vec<Sibling>,
}

/// The regular files beside `path` that a rotation of it leaves.
pub fn scan(path: &Path) -> io::Result<Rotated> {
    let Some(name) = path.file_name() else {
        return Ok(Rotated::default());
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut rotated = Rotated::default();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let candidate = entry.file_name();
        let original = compressed::original(candidate.as_bytes());
        let Some(tag) = rotation_tag(name, original.map_or(&candidate, OsStr::from_bytes)) else {
            continue;
        };
        // Gone since it was listed, or a link: a rotation leaves neither.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        let sibling = Sibling {
            path: entry.path(),
            key: FileKey::of(&metadata),
            certain: tag.is_certain(),
            tag,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            made: metadata.created().ok(),
        };
        if original.is_none() {
            rotated.siblings.push(sibling);
        } else if sibling.certain {
            rotated.compressed.push(sibling);
        }
    }
    sort_oldest_first(&mut rotated.siblings);
    sort_oldest_first(&mut rotated.compressed);
    Ok(rotated)
}

fn sort_oldest_first(siblings: &mut [Sibling]) {
    let all_numbered = siblings
        .iter()
        .all(|sibling| matches!(sibling.tag, Tag::Number(_)));
    siblings.sort_by(|a, b| match (&a.tag, &b.tag) {
        (Tag::Number(a), Tag::Number(b)) if all_numbered => Reverse(a).cmp(&Reverse(b)),
        (a_tag, b_tag) => a
            .modified
            .cmp(&b.modified)
            .then_with(|| compare_tags(a_tag, b_tag)),
    });
}

/// Orders rotations that ended at the same instant.
fn compare_tags(a: &Tag, b: &Tag) -> Ordering {
    match (a, b) {
        (Tag::Number(a), Tag::Number(b)) => Reverse(a).cmp(&Reverse(b)),
        (Tag::Other(a), Tag::Other(b)) => natural(a).cmp(&natural(b)),
        (Tag::Old | Tag::Other(_), Tag::Number(_)) | (Tag::Old, Tag::Other(_)) => Ordering::Less,
        (Tag::Number(_), Tag::Old | Tag::Other(_)) | (Tag::Other(_), Tag::Old) => Ordering::Greater,
        (Tag::Old, Tag::Old) => Ordering::Equal,
    }
}

/// The runs of digits of `tag` as numbers, so that `-9` comes before `-10`.
fn natural(tag: &[u8]) -> Vec<u64> {
    tag.split(|byte| !byte.is_ascii_digit())
        .filter(|run| !run.is_empty())
        .map(|run| {
            run.iter().fold(0_u64, |sum, digit| {
                sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
            })
        })
        .collect()
}

/// What a rotation of `name` put into `candidate`: `app.log.1`, `app.log-20260131`, `app-2026-01-31T10-11-12.345.log`, `app.1.log`.
fn rotation_tag(name: &OsStr, candidate: &OsStr) -> Option<Tag> {
    let (name, candidate) = (name.as_bytes(), candidate.as_bytes());
    if let Some(rest) = candidate.strip_prefix(name) {
        return suffix_tag(rest);
    }
    let dot = name
        .iter()
        .rposition(|&byte| byte == b'.')
        .filter(|&dot| dot > 0)?;
    let (stem, extension) = name.split_at(dot);
    let inner = candidate.strip_prefix(stem)?.strip_suffix(extension)?;
    tag_after_separator(inner).map(|tag| Tag::Other(tag.to_vec()))
}

fn suffix_tag(rest: &[u8]) -> Option<Tag> {
    if rest == b".old" {
        return Some(Tag::Old);
    }
    let tag = tag_after_separator(rest)?;
    // A longer number is a date.
    let number = (rest.starts_with(b".") && tag.len() <= 4)
        .then(|| std::str::from_utf8(tag).ok()?.parse().ok())
        .flatten();
    Some(number.map_or_else(|| Tag::Other(tag.to_vec()), Tag::Number))
}

/// The tag of `.TAG`, `-TAG` or `_TAG` when it is a number or looks like a date.
fn tag_after_separator(text: &[u8]) -> Option<&[u8]> {
    let (separator, tag) = text.split_first()?;
    let date_like = tag
        .iter()
        .all(|byte| byte.is_ascii_digit() || b"-_.:+TtZz".contains(byte));
    let tagged = b".-_".contains(separator) && date_like && tag.first().is_some_and(u8::is_ascii_digit);
    tagged.then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotations_are_told_from_other_names() {
        let rotated = [
            "app.log.1",
            "app.log.12",
            "app.log-20260131",
            "app.log.20260131-101112",
            "app.log.2026-01-31T10:11:12Z",
            "app-2026-01-31T10-11-12.345.log",
            "app.1.log",
            "app-2026-01-31-1.log",
            "app.log.old",
        ];
        for name in rotated {
            assert!(
                rotation_tag("app.log".as_ref(), name.as_ref()).is_some(),
                "{name}"
            );
        }
        let others = [
            "app.log",
            "app.log.1.gz",
            "app.log.zst",
            "app.log.err",
            "app.log.tmp",
            "app.log.",
            "app.log.-",
            "app.log1",
            "app-debug.log",
            "apple.log",
            "1.log",
            "app.1.txt",
            "app.log.1~",
        ];
        for name in others {
            assert!(
                rotation_tag("app.log".as_ref(), name.as_ref()).is_none(),
                "{name}"
            );
        }
        assert!(
            rotation_tag("1.log".as_ref(), "2.log".as_ref()).is_none(),
            "two numbered files are not generations"
        );
        assert!(
            rotation_tag("app".as_ref(), "app.1".as_ref()).is_some(),
            "a name without an extension"
        );
    }

    #[test]
    fn a_short_number_inside_the_name_proves_nothing() {
        let certain = |candidate: &str| {
            rotation_tag("app.log".as_ref(), candidate.as_ref())
                .unwrap()
                .is_certain()
        };
        assert!(certain("app.log.1"));
        assert!(certain("app.log.old"));
        assert!(certain("app-20260131.log"));
        assert!(!certain("app-1.log"));
        assert!(!certain("app.log-1"));
    }

    fn order(name: &str, candidates: &[(&str, i64)]) -> Vec<String> {
        let mut siblings: Vec<Sibling> = candidates
            .iter()
            .map(|&(candidate, seconds)| Sibling {
                path: PathBuf::from(candidate),
                key: FileKey { device: 0, inode: 0 },
                certain: true,
                tag: rotation_tag(name.as_ref(), candidate.as_ref()).expect("a rotation"),
                modified: (seconds, 0),
                made: None,
            })
            .collect();
        sort_oldest_first(&mut siblings);
        siblings
            .iter()
            .map(|sibling| sibling.path.display().to_string())
            .collect()
    }

    #[test]
    fn numbers_count_backwards_whatever_the_time_of_the_last_write() {
        let found = order("a.log", &[("a.log.1", 5), ("a.log.10", 9), ("a.log.2", 7)]);
        assert_eq!(found, ["a.log.10", "a.log.2", "a.log.1"]);
    }

    #[test]
    fn dates_go_by_last_write_and_then_by_number() {
        let found = order("a.log", &[("a-9.log", 5), ("a-10.log", 5), ("a-1.log", 6)]);
        assert_eq!(found, ["a-9.log", "a-10.log", "a-1.log"]);
    }
}
