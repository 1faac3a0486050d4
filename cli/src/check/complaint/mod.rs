//! What engines' own validators say, and which field of the policy it is about.

mod fluent_bit;
mod fluentd;
mod open_telemetry_collector;
mod parts;
mod vector;

use std::collections::BTreeMap;

use tributary_crds::engine::Engine;

pub use parts::Parts;

/// One thing that an engine's validator does not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The JSON pointer of the field that it is about, or of the block whose agent it is.
    pub pointer: String,
    /// What the validator says, on one line.
    pub text: String,
}

/// What a validator meant that did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It found something wrong; not empty.
    Complaints(Vec<Complaint>),
    /// It cannot judge: this build of the engine lacks something that the engine's image has.
    Lacks(String),
}

/// Understands what the validator of an engine has printed. `files` are those that it has read, name to text.
pub fn understand(
    engine: Engine,
    printed: &str,
    parts: &Parts<'_>,
    files: &BTreeMap<String, String>,
) -> Heard {
    let printed = &without_colors(printed);
    let heard = match engine {
        Engine::OpenTelemetryCollector => open_telemetry_collector::understand(printed, parts),
        Engine::FluentBit => fluent_bit::understand(printed, parts, files),
        Engine::Fluentd => fluentd::understand(printed, parts),
        Engine::Vector => vector::understand(printed, parts),
    };
    match heard {
        Heard::Complaints(complaints) if complaints.is_empty() => {
            Heard::Complaints(vec![parts.whole(&excerpt(printed))])
        }
        heard => heard,
    }
}

/// The beginning and the end of what nobody understands, on one line.
pub fn excerpt(printed: &str) -> String {
    const SHOWN: usize = 8;
    let lines: Vec<&str> = printed
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    let shown = if lines.len() > SHOWN {
        let (first, last) = (&lines[..SHOWN / 2], &lines[lines.len() - SHOWN / 2..]);
        format!("{} ... {}", first.join(" / "), last.join(" / "))
    } else {
        lines.join(" / ")
    };
    shorten(&shown)
}

/// A text of a length that is still read.
fn shorten(text: &str) -> String {
    const MOST: usize = 1_000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Without the sequences that make terminals show colors, and without what would make them do anything else.
fn without_colors(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    plain.push_str(rest);
    plain.retain(|c| !c.is_control() || c == '\n' || c == '\t');
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_understands_is_shown_in_short() {
        assert_eq!(excerpt(" \n"), "nothing");
        assert_eq!(excerpt("a\n\n b\n"), "a / b");
        let many: Vec<String> = (0..100).map(|line| line.to_string()).collect();
        assert_eq!(excerpt(&many.join("\n")), "0 / 1 / 2 / 3 ... 96 / 97 / 98 / 99");
        assert_eq!(excerpt(&"é".repeat(5_000)).chars().count(), 1_003);
    }

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(
            without_colors("\u{1b}[1m\u{1b}[91merror\u{1b}[0m\u{7}: a\r\n"),
            "error: a\n"
        );
        assert_eq!(without_colors("cut \u{1b}[12"), "cut ");
    }
}
