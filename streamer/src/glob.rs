//! Paths with wildcards: parsing, matching, and finding what is there now.
//!
//! Names are bytes, as they are to the kernel. Nothing is an error: a `[` without its `]` is an ordinary character, as in a shell.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A path, or a path with wildcards in its components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: PathBuf,
    /// Empty for a path without wildcards.
    components: Vec<Component>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Component {
    /// A name that is joined without looking.
    Literal(OsString),
    /// A name with wildcards.
    Wild(Vec<u8>),
    /// `**`: this directory and all below it.
    AnyDepth,
}

impl Pattern {
    /// Parses `text`; without `*`, `?` and `[...]` it is a plain path, backslashes included.
    pub fn parse(text: &OsStr) -> Self {
        let bytes = text.as_bytes();
        let class = bytes
            .iter()
            .position(|&byte| byte == b'[')
            .is_some_and(|open| bytes[open..].contains(&b']'));
        let has_wildcard = class || bytes.iter().any(|byte| b"*?".contains(byte));
        let components = if has_wildcard {
            text.as_bytes()
                .split(|&byte| byte == b'/')
                .filter(|name| !name.is_empty())
                .map(component)
                .collect()
        } else {
            Vec::new()
        };
        Self {
            text: PathBuf::from(text),
            components,
        }
    }

    /// The pattern as it was given.
    pub fn as_path(&self) -> &Path {
        &self.text
    }

    /// Whether it names one path, whether or not that exists.
    pub fn is_literal(&self) -> bool {
        self.components.is_empty()
    }

    /// Adds to `found` the path itself, or the regular files that match now, and to `directories` those in which others may come.
    ///
    /// Names that start with a dot match only where the pattern has the dot: Kubernetes keeps each file of a `ConfigMap` a second
    /// time under `..data`.
    ///
    /// # Errors
    /// The first directory that exists and cannot be read; what can be read is found all the same.
    pub fn expand(
        &self,
        found: &mut BTreeSet<PathBuf>,
        directories: &mut BTreeSet<PathBuf>,
    ) -> Result<(), (PathBuf, io::Error)> {
        if self.is_literal() {
            found.insert(self.text.clone());
            directories.extend(self.text.parent().map(Path::to_path_buf));
            return Ok(());
        }
        let root = if self.text.is_absolute() {
            PathBuf::from("/")
        } else {
            PathBuf::new()
        };
        let mut walk = Walk {
            found,
            directories,
            failed: None,
        };
        walk.below(&root, &self.components);
        walk.failed.map_or(Ok(()), Err)
    }
}

fn component(name: &[u8]) -> Component {
    if name == b"**" {
        Component::AnyDepth
    } else if name.iter().any(|byte| b"*?[\\".contains(byte)) {
        Component::Wild(name.to_vec())
    } else {
        Component::Literal(OsString::from_vec(name.to_vec()))
    }
}

struct Walk<'a> {
    found: &'a mut BTreeSet<PathBuf>,
    directories: &'a mut BTreeSet<PathBuf>,
    failed: Option<(PathBuf, io::Error)>,
}

impl Walk<'_> {
    fn below(&mut self, directory: &Path, components: &[Component]) {
        let Some((first, rest)) = components.split_first() else {
            // Without a permission to look, the file may be there: following it will say what is wrong.
            if !std::fs::metadata(directory).is_ok_and(|metadata| !metadata.is_file()) {
                self.found.insert(directory.to_path_buf());
            }
            return;
        };
        match first {
            Component::Literal(name) => {
                let path = directory.join(name);
                let is_there = path.symlink_metadata().is_ok();
                if rest.is_empty() || !is_there {
                    self.directories.insert(directory.to_path_buf());
                }
                if !rest.is_empty() || is_there {
                    self.below(&path, rest);
                }
            }
            Component::Wild(pattern) => {
                self.directories.insert(directory.to_path_buf());
                for name in self.names(directory) {
                    let hidden = name.as_bytes().starts_with(b".") && !pattern.starts_with(b".");
                    let path = directory.join(&name);
                    if !hidden && matches(pattern, name.as_bytes()) && (rest.is_empty() || path.is_dir()) {
                        self.below(&path, rest);
                    }
                }
            }
            Component::AnyDepth => {
                self.directories.insert(directory.to_path_buf());
                // A trailing `**` means every file below.
                let any_name = [Component::Wild(b"*".to_vec())];
                self.below(directory, if rest.is_empty() { &any_name } else { rest });
                for name in self.names(directory) {
                    let path = directory.join(&name);
                    // Links are not descended into: a loop would never end.
                    let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
                    if is_directory && !name.as_bytes().starts_with(b".") {
                        self.below(&path, components);
                    }
                }
            }
        }
    }

    fn names(&mut self, directory: &Path) -> Vec<OsString> {
        let readable = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        let listed = std::fs::read_dir(readable).and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.file_name()))
                .collect()
        });
        listed.unwrap_or_else(|error: io::Error| {
            if error.kind() != io::ErrorKind::NotFound {
                self.failed.get_or_insert((directory.to_path_buf(), error));
            }
            Vec::new()
        })
    }
}

/// Whether `name` matches `pattern`, both without slashes.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    // Where to go on when what follows the latest star does not match: one character further in the name.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, in_name));
                at += 1;
                continue;
            }
            Some(_) => name
                .get(in_name)
                .and_then(|&byte| match_one(&pattern[at..], byte)),
            None if in_name == name.len() => return true,
            None => None,
        };
        if let Some(length) = step {
            at += length;
            in_name += 1;
            continue;
        }
        match star {
            Some((after, from)) if from < name.len() => {
                star = Some((after, from + 1));
                (at, in_name) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// The length of the pattern element at the start of `pattern` when it matches `byte`.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => (literal == byte).then_some(2),
        [b'[', ref class @ ..] => match match_class(class, byte) {
            Some((matched, length)) => matched.then_some(length + 1),
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (literal == byte).then_some(1),
        [] => None,
    }
}

/// Whether `byte` is in the class that starts after its `[`, and the length up to and with `]`; `None` without a `]`.
fn match_class(class: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(class.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let mut at = start;
    let mut found = false;
    loop {
        match *class.get(at..)? {
            [b']', ..] if at > start => return Some((found != negated, at + 1)),
            [low, b'-', high, ..] if high != b']' => {
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            [one, ..] => {
                found |= one == byte;
                at += 1;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_a_shell() {
        let table: [(&str, &str, bool); 21] = [
            ("*.log", "app.log", true),
            ("*.log", "app.log.1", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("app?.log", "app1.log", true),
            ("app?.log", "app.log", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[^a-c]x", "ax", false),
            ("[]]x", "]x", true),
            ("[a-]x", "-x", true),
            ("[ab", "[ab", true),
            ("[ab", "a", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("*?", "", false),
            ("**x", "aax", true),
            ("é*", "éa", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern:?} against {name:?}"
            );
        }
    }

    fn expand_in(root: &Path, pattern: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        Pattern::parse(root.join(pattern).as_os_str())
            .expand(&mut found, &mut BTreeSet::new())
            .expect("readable directories");
        found
            .iter()
            .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn files_are_found_and_directories_are_not() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for directory in ["a/b", "..2026", "logs.log"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in ["x.log", "a/y.log", "a/b/z.log", "..2026/w.log", ".hidden.log"] {
            std::fs::write(root.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink("..2026", root.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/w.log", root.join("w.log")).unwrap();
        std::os::unix::fs::symlink(".", root.join("a/loop")).unwrap();

        assert_eq!(expand_in(root, "*.log"), ["w.log", "x.log"]);
        assert_eq!(expand_in(root, "*/y.log"), ["a/y.log"]);
        assert_eq!(
            expand_in(root, "**/*.log"),
            ["a/b/z.log", "a/y.log", "w.log", "x.log"]
        );
        assert_eq!(expand_in(root, "a/**"), ["a/b/z.log", "a/y.log"]);
        assert_eq!(expand_in(root, ".h*"), [".hidden.log"]);
        assert_eq!(expand_in(root, "nowhere/*.log"), Vec::<String>::new());
        assert_eq!(expand_in(root, "not-yet.log"), ["not-yet.log"]);
    }
}
