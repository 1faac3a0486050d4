//! `vector validate`.
//!
//! Each error begins with `x ` and may have more lines, up to an empty one or to the next line of a mark.

use super::{Complaint, Heard, Parts};

/// What a line begins with: an error, a warning, a success.
const MARKS: [&str; 3] = ["x ", "~ ", "√ "];
/// What is before a component's name, and what is after it.
const NAMES: [(&str, char); 8] = [
    ("Sink \"", '"'),
    ("Transform \"", '"'),
    ("sink \"", '"'),
    ("transform \"", '"'),
    ("`sinks.", '`'),
    ("`transforms.", '`'),
    ("sinks.", ':'),
    ("transforms.", ':'),
];
const SOURCES: [&str; 4] = ["Source \"", "source \"", "`sources.", "sources."];

/// Understands what it has printed.
pub fn understand(printed: &str, parts: &Parts<'_>) -> Heard {
    let complaints: Vec<Complaint> = errors(printed)
        .into_iter()
        .map(|error| parts.complaint(origin(&error, parts), &error))
        .collect();
    Heard::Complaints(complaints)
}

fn errors(printed: &str) -> Vec<String> {
    let mut errors: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in printed.lines() {
        if let Some(error) = line.strip_prefix(MARKS[0]) {
            errors.push(error.trim().to_owned());
            is_open = true;
        } else if MARKS.iter().any(|mark| line.starts_with(mark)) || line.starts_with("---") {
            is_open = false;
        } else if let Some(last) = errors.last_mut().filter(|_| is_open) {
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    errors
}

/// The field that an error is about.
fn origin(error: &str, parts: &Parts<'_>) -> String {
    for (before, after) in NAMES {
        let name = error
            .split_once(before)
            .map(|(_, rest)| rest.split(after).next().unwrap_or_default());
        if let Some(part) = name.and_then(|name| parts.named_within(name)) {
            return part;
        }
    }
    if SOURCES.iter().any(|source| error.contains(source)) {
        return parts.sources();
    }
    parts.block_pointer()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::compiling::Block;

    fn heard(printed: &str) -> Vec<(String, String)> {
        let policy = json!({"spec": {
            "nodeAgent": {"sources": {}},
            "processors": [{"parse": {"format": "Json"}}, {"drop": {}, "where": [{"matches": "(?<=look)behind"}]}],
            "outputs": [{"name": "search"}, {"name": "file"}],
        }});
        match understand(printed, &Parts::new(&policy, Block::NodeAgent)) {
            Heard::Complaints(complaints) => complaints
                .into_iter()
                .map(|complaint| (complaint.pointer, complaint.text))
                .collect(),
            Heard::Lacks(what) => panic!("{what}"),
        }
    }

    // As validate.rs, config/graph.rs and topology/builder.rs of version 0.57 print it.
    #[test]
    fn every_form_of_error_leads_to_its_field() {
        for (error, pointer) in [
            (
                "unknown variant `ndjson`, expected one of `avro`, `gelf`, `json`\nin `sinks.file`\n",
                "/spec/outputs/1",
            ),
            ("empty string for key `sinks.search`", "/spec/outputs/0"),
            (
                "sinks.search: invalid type: unit value, expected string or map at line 19 column 9",
                "/spec/outputs/0",
            ),
            ("Sink \"search\": invalid URI", "/spec/outputs/0"),
            (
                "Input \"nothing\" for sink \"search\" doesn't match any components.",
                "/spec/outputs/0",
            ),
            (
                "Transform \"step_0\": function call error for \"parse_json\"",
                "/spec/processors/0",
            ),
            (
                "Transform \"step_1\": \n  error[E110]: invalid regex (?<=look)behind\n    ┌─ :1:1",
                "/spec/processors/1/where/0/matches",
            ),
            (
                "unknown field `paths`, expected one of `include`\nin `sources.containers`",
                "/spec/nodeAgent/sources",
            ),
            ("No sinks defined in the config.", "/spec/nodeAgent"),
        ] {
            let said = heard(&format!(
                "Failed to load [\"/x/vector.yaml\"]\n----\nx {error}\n\n"
            ));
            assert_eq!(said.len(), 1, "{said:?}");
            assert_eq!(said[0].0, pointer, "{error}");
            assert!(!said[0].1.contains('\n'));
        }
    }

    #[test]
    fn warnings_are_no_errors() {
        let said = heard(
            "Loaded with warnings [\"/x/vector.yaml\"]\n----\n~ Transform \"step_0\" has no consumers\n\nTransform errors\n----------------\nx Transform \"step_0\": a\nx Transform \"step_1\": b\n\n",
        );
        let texts: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["Transform \"step_0\": a", "Transform \"step_1\": b"]);
    }
}
