//! What is said to people: admission warnings and the annotation `tributary.dev/result`.

use std::fmt;

use serde::Serialize;
use tributary_crds::reason::Severity;
use tributary_crds::{Reason, annotation};

/// Longest first part of a warning in bytes; what follows it may be cut by the API server.
const MAX_HEAD: usize = 119;
/// Longest text from a user that a message repeats, in characters.
const MAX_QUOTE: usize = 200;

/// A decision worth telling: the reason, what is so, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The code.
    pub reason: Reason,
    /// The annotation that it is about.
    pub annotation: &'static str,
    /// What is so: the file, the container, the policy.
    pub message: String,
    /// What to write or run.
    pub remedy: String,
}

impl Finding {
    /// A finding about `tributary.dev/stream`.
    pub fn new(reason: Reason, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason,
            annotation: annotation::STREAM,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// The same finding, about another annotation.
    #[must_use]
    pub fn about(self, annotation: &'static str) -> Self {
        Self { annotation, ..self }
    }

    /// The admission warning: one line, its first part at most 119 bytes, then what to do.
    pub fn warning(&self) -> String {
        let head = clip(
            format!(
                "tributary: {}: {}: {}",
                self.reason, self.annotation, self.message
            ),
            MAX_HEAD,
        );
        one_line(format!("{head}; {}", self.remedy))
    }

    /// Whether somebody should do something.
    pub fn is_warning(&self) -> bool {
        self.reason.severity() == Severity::Warning
    }
}

/// Escapes control characters. A pod's names may hold any: the API server looks at them only after its webhooks.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Cuts a text to so many bytes, at a character, and marks the cut.
fn clip(mut text: String, bytes: usize) -> String {
    const MARK: &str = "...";
    if text.len() > bytes {
        let room = bytes - MARK.len();
        let end = (0..=room)
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or_default();
        text.truncate(end);
        text.push_str(MARK);
    }
    text
}

/// Text from a user as a message repeats it: quoted when it has to be, escaped, and not longer than 200 characters.
pub struct Quoted<'t>(pub &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-*?[]:@".contains(c);
        let shown: String = self.0.chars().take(MAX_QUOTE).collect();
        let mark = if shown.len() < self.0.len() { "..." } else { "" };
        if !shown.is_empty() && shown.chars().all(plain) {
            write!(f, "{shown}{mark}")
        } else {
            write!(f, "{shown:?}{mark}")
        }
    }
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileResult {
    /// The path or pattern.
    pub file: String,
    /// The container that writes it.
    pub container: String,
    /// The sidecar that prints it; `kubectl logs -c` takes this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<String>,
    /// The volume that both mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The code.
    pub reason: Reason,
    /// Why not, or what to watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of the files that an agent in the pod is to ship.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentResult {
    /// The policy under which it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What became of each file.
    pub files: Vec<FileResult>,
}

/// Which containers push for themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirectResult {
    /// The policy under which they do.
    pub policy: String,
    /// Their names.
    pub containers: Vec<String>,
}

/// The value of the annotation `tributary.dev/result`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InjectionResult {
    /// The policy under which it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What became of each file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileResult>,
    /// What became of the files that an agent in the pod is to ship.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentResult>,
    /// Which containers push for themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<DirectResult>,
    /// What is so of the pod as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pod: Vec<Finding>,
}

impl InjectionResult {
    /// The annotation's value: JSON on one line.
    pub fn to_annotation(&self) -> String {
        // Strings and lists always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The name among `known` that somebody who wrote `unknown` probably meant.
pub fn did_you_mean<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = unknown.len().div_ceil(2).min(3);
    // What is so much longer or shorter cannot be near, and somebody may have written a whole annotation of it.
    let comparable = known
        .into_iter()
        .filter(|name| name.len().abs_diff(unknown.len()) <= allowed);
    let near = comparable.map(|name| (distance(unknown, name), name));
    near.filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, removals and replacements of bytes that turn one name into the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_one_line_whatever_the_pod_is_named() {
        let finding = Finding::new(Reason::UnknownContainer, "no a\nb", "write one of: c\u{7f}d");
        let says = "tributary: UnknownContainer: tributary.dev/stream: no a\\nb; write one of: c\\u{7f}d";
        assert_eq!(finding.warning(), says);
    }

    #[test]
    fn the_head_of_a_warning_is_short_whatever_users_write() {
        let finding = Finding::new(Reason::NoVolume, "é".repeat(300), "mount one");
        let warning = finding.warning();
        let (head, rest) = warning.split_once("; ").unwrap();
        assert!(
            head.len() < 120
                && head.starts_with("tributary: NoVolume: tributary.dev/stream: é")
                && head.ends_with("..."),
            "{head}"
        );
        assert_eq!(rest, "mount one");
    }

    #[test]
    fn users_text_is_escaped_where_it_could_mislead() {
        assert_eq!(Quoted("/var/log/1.log").to_string(), "/var/log/1.log");
        assert_eq!(Quoted("/a b\u{202e}\n").to_string(), r#""/a b\u{202e}\n""#);
        assert_eq!(Quoted("").to_string(), "\"\"");
        assert!(Quoted(&"x".repeat(5000)).to_string().len() < 210);
    }

    #[test]
    fn guesses_names() {
        assert_eq!(did_you_mean("conter", ["counter", "app"]), Some("counter"));
        assert_eq!(did_you_mean("ap", ["counter", "app"]), Some("app"));
        assert_eq!(did_you_mean("database", ["counter", "app"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
