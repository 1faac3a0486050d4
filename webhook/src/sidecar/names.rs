//! Names of what is added to a pod: readable, DNS labels, and the same every time.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use tributary_crds::annotation::AbsolutePath;

use crate::sidecar::AGENT;

/// The prefix of every sidecar's name.
const SIDECAR: &str = "stream-";
/// The prefix of every volume that is created.
pub const VOLUME: &str = "tributary-";
/// Longest DNS label (RFC 1123).
const MAX_LABEL: usize = 63;
/// A dash and eight hexadecimal digits.
const HASH: usize = 9;

/// The names that a sidecar may have, best first, without end: `stream-1-log` for `/var/log/1.log`, then with a hash.
///
/// A name that says less than the file's (characters left out, too long) has a hash from the start.
pub fn sidecar_candidates<'f>(
    container: &'f str,
    path: &'f AbsolutePath,
) -> impl Iterator<Item = String> + 'f {
    let readable = if path.is_pattern() {
        let directory = path.directory().rsplit('/').next().unwrap_or_default();
        format!("{directory}-{}", path.file_name())
    } else {
        path.file_name().to_owned()
    };
    candidates(SIDECAR, Stem::of(&readable), container, path.as_str())
}

/// The names that a sidecar for several files of a container may have, best first, without end.
pub fn combined_candidates(container: &str) -> impl Iterator<Item = String> {
    candidates(SIDECAR, Stem::of(container), container, "")
}

/// The names that the agent sidecar may have, best first, without end.
pub fn agent_candidates() -> impl Iterator<Item = String> {
    candidates("", Stem::of(AGENT), "", "")
}

/// The names that a volume created at a directory may have, best first, without end.
fn volume_candidates<'f>(container: &'f str, directory: &'f str) -> impl Iterator<Item = String> + 'f {
    candidates(
        VOLUME,
        Stem::of(&directory.replace('/', "-")),
        container,
        directory,
    )
}

/// The names that a volume for a sidecar's own use may have, best first, without end.
pub fn own_volume_candidates(purpose: &'static str) -> impl Iterator<Item = String> {
    candidates(VOLUME, Stem::of(purpose), "", "")
}

/// The name of the directory at which an agent mounts a part of a volume: one for each.
pub fn mount(volume: &str, part: Option<&str>) -> String {
    match part {
        None => volume.to_owned(),
        Some(part) => format!("{volume}-{}", hash(volume, part, 0)),
    }
}

/// The name under which an agent has a variable of this container, for the path of a mount.
pub fn path_variable(container: &str, variable: &str) -> String {
    format!("TRIBUTARY_PATH_{}", hash(container, variable, 0).to_uppercase())
}

/// A name to propose for a volume that a pod's author may add.
pub fn suggested_volume(container: &str, directory: &str, taken: impl Fn(&str) -> bool) -> String {
    // All of them, for a directory that is itself called so: our own volumes must not come upon the one that is proposed.
    let stripped =
        volume_candidates(container, directory).map(|name| name.trim_start_matches(VOLUME).to_owned());
    let mut free = stripped.filter(|name| !taken(name));
    free.next().unwrap_or_default()
}

/// A name for a volume at this directory of this container that is not in `taken`; it is added there.
pub fn new_volume(container: &str, directory: &str, taken: &mut BTreeSet<String>) -> String {
    let name = volume_candidates(container, directory)
        .find(|name| !taken.contains(name))
        .unwrap_or_default();
    taken.insert(name.clone());
    name
}

fn candidates<'f>(
    prefix: &'static str,
    stem: Stem,
    container: &'f str,
    path: &'f str,
) -> impl Iterator<Item = String> + 'f {
    let Stem { text: stem, faithful } = stem;
    let plain = (faithful && !stem.is_empty() && prefix.len() + stem.len() <= MAX_LABEL)
        .then(|| format!("{prefix}{stem}"));
    let hashed = (0_u64..).map(move |salt| {
        let room = MAX_LABEL - prefix.len() - HASH;
        let short = stem.get(..room).unwrap_or(&stem).trim_end_matches('-');
        let dash = if short.is_empty() { "" } else { "-" };
        format!("{prefix}{short}{dash}{}", hash(container, path, salt))
    });
    plain.into_iter().chain(hashed)
}

/// The readable part of a name: lower-case letters, digits and dashes.
struct Stem {
    text: String,
    /// Whether only dots, underscores and capitals were changed.
    faithful: bool,
}

impl Stem {
    fn of(readable: &str) -> Self {
        let mut text = String::with_capacity(readable.len());
        let mut faithful = true;
        for c in readable.chars() {
            if c.is_ascii_alphanumeric() {
                text.push(c.to_ascii_lowercase());
                continue;
            }
            faithful &= matches!(c, '.' | '_' | '-');
            if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
        }
        text.truncate(text.trim_end_matches('-').len());
        Self { text, faithful }
    }
}

fn hash(container: &str, path: &str, salt: u64) -> String {
    let mut hasher = Sha256::new();
    hasher.update(container);
    hasher.update([0]);
    hasher.update(path);
    hasher.update(salt.to_be_bytes());
    let digest = hasher.finalize();
    format!(
        "{:02x}{:02x}{:02x}{:02x}",
        digest[0], digest[1], digest[2], digest[3]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(path: &str) -> String {
        sidecar_candidates("app", &AbsolutePath::parse(path).unwrap())
            .next()
            .unwrap()
    }

    #[test]
    fn names_say_the_file() {
        assert_eq!(first("/var/log/1.log"), "stream-1-log");
        assert_eq!(first("/logs/Access_Log.txt"), "stream-access-log-txt");
        assert_eq!(first("/logs/.hidden"), "stream-hidden");
    }

    #[test]
    fn what_is_left_out_is_told_apart_by_a_hash() {
        assert!(first("/var/log/app/*.log").starts_with("stream-app-log-"));
        assert_ne!(first("/var/log/app/*.log"), first("/srv/app/*.log"));
        assert_ne!(first("/l/é"), first("/l/è"));
        assert!(first("/l/é").starts_with("stream-"));
        assert_eq!(first(&format!("/l/{}", "x".repeat(200))).len(), 63);
    }

    #[test]
    fn candidates_differ_and_are_labels() {
        for path in [
            "/a.b",
            "/a-b",
            "/-",
            "/é",
            "/*",
            &format!("/{}-", "y.".repeat(100)),
        ] {
            let path = AbsolutePath::parse(path).unwrap();
            let names: Vec<String> = sidecar_candidates("c", &path).take(4).collect();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 4);
            for name in names {
                assert!(name.len() <= 63 && !name.ends_with('-'), "{name}");
                assert!(
                    name.bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn volumes_avoid_names_that_are_taken() {
        let mut taken = BTreeSet::from(["tributary-var-log".to_owned()]);
        let name = new_volume("app", "/var/log", &mut taken);
        assert!(name.starts_with("tributary-var-log-") && taken.contains(&name));
        assert_eq!(
            new_volume("app", "/var/log/app", &mut taken),
            "tributary-var-log-app"
        );
    }
}
