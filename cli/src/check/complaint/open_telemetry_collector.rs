//! `otelcol validate`.
//!
//! It prints an error twice, first after `Error: `, then after the time. Errors of settings are a line each,
//! `exporters::KIND/NAME::SETTING: WHAT`; errors of reading are one, over several lines.

use super::{Heard, Parts};

/// The sections of its file, which errors of settings begin with.
const SECTIONS: [&str; 6] = [
    "receivers",
    "processors",
    "exporters",
    "extensions",
    "connectors",
    "service",
];
/// What it says around each level of an error of reading.
const WRAPPING: &str = "decoding failed due to the following error(s):";

/// Understands what it has printed.
pub fn understand(printed: &str, parts: &Parts<'_>) -> Heard {
    let Some(error) = first_telling(printed) else {
        return Heard::Complaints(Vec::new());
    };
    if let Some(lacks) = lacking(error) {
        return Heard::Lacks(lacks);
    }
    let complaints = separate(error).into_iter().map(|error| {
        let part = component(&error).map_or_else(|| parts.block_pointer(), |name| origin(name, parts));
        parts.complaint(part, &error)
    });
    Heard::Complaints(complaints.collect())
}

/// The error as it is printed first.
fn first_telling(printed: &str) -> Option<&str> {
    let (_, error) = printed.split_once("Error: ")?;
    let end = error
        .match_indices('\n')
        .map(|(at, _)| at)
        .find(|at| is_time(&error[at + 1..]))
        .unwrap_or(error.len());
    Some(error[..end].trim())
}

/// `2026/11/21 22:19:12 `
fn is_time(line: &str) -> bool {
    let form = "0000/00/00 00:00:00 ";
    let fits = |(c, wanted): (char, char)| {
        if wanted == '0' {
            c.is_ascii_digit()
        } else {
            c == wanted
        }
    };
    line.len() > form.len() && line.chars().zip(form.chars()).all(fits)
}

/// A component that this build has not: `'exporters' unknown type: "kafka" for id: "kafka/a" (valid values: [...])`.
fn lacking(error: &str) -> Option<String> {
    let (before, after) = error.split_once("' unknown type: \"")?;
    let section = before.rsplit('\'').next()?;
    let kind = after.split('"').next()?;
    Some(format!(
        "it has no {} {kind}",
        section.strip_suffix('s').unwrap_or(section)
    ))
}

/// The errors of settings, each with the lines that belong to it, or the one error of reading.
fn separate(error: &str) -> Vec<String> {
    let is_start = |line: &str| {
        let section = line.split_once("::").map(|(section, _)| section);
        section.is_some_and(|section| SECTIONS.contains(&section))
    };
    let mut errors: Vec<String> = Vec::new();
    for line in error.lines() {
        let line = line.trim().replace(WRAPPING, "");
        let line = line.trim_end().trim_end_matches(':');
        // `''` wraps what a component reads by itself.
        if line.is_empty() || line == "''" {
            continue;
        }
        match errors.last_mut() {
            Some(last) if !is_start(line) => {
                last.push_str(": ");
                last.push_str(line);
            }
            _ => errors.push(line.to_owned()),
        }
    }
    errors
}

/// The component, or the pipeline, that an error is about.
fn component(error: &str) -> Option<&str> {
    if let Some((section, rest)) = error.split_once("::")
        && SECTIONS.contains(&section)
    {
        let path = rest.split(": ").next()?;
        return path.split("::").find(|name| *name != "pipelines");
    }
    let quoted = ["error reading configuration for \"", "failed to create \""];
    let after = quoted.iter().find_map(|before| error.split_once(before))?.1;
    after.split('"').next()
}

/// The field that a component is made from.
fn origin(component: &str, parts: &Parts<'_>) -> String {
    let (kind, name) = component.split_once('/').unwrap_or((component, ""));
    if kind == "logs" {
        let output = name.strip_prefix("to-").and_then(|output| parts.named(output));
        return output.unwrap_or_else(|| parts.sources());
    }
    if let Some(part) = parts.named(name) {
        return part;
    }
    match kind {
        "file_log" | "journald" => parts.sources(),
        "k8s_attributes" | "filter" | "resource" => parts.selector(),
        _ => parts.block_pointer(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Complaint;
    use super::*;
    use crate::check::compiling::Block;

    fn policy() -> Value {
        json!({"spec": {
            "nodeAgent": {"sources": {"containers": {}}},
            "selector": {"podSelector": {"matchLabels": {"app": "web"}}},
            "processors": [{"drop": {}, "where": [{"field": "message", "matches": "(?i)error|panic("}]}],
            "outputs": [
                {"name": "search", "elasticsearch": {"url": "elasticsearch.logging:9200", "index": "tributary"}},
                {"name": "lines", "splunk": {"url": "http://a"}},
            ],
        }})
    }

    /// The pointers and texts of complaints, with the error printed as the collector does.
    fn heard(error: &str) -> Vec<(String, String)> {
        let printed = format!("\nError: {error}\n2026/11/21 22:19:12 {error}\n");
        match understand(&printed, &Parts::new(&policy(), Block::NodeAgent)) {
            Heard::Complaints(complaints) => complaints
                .into_iter()
                .map(|complaint: Complaint| (complaint.pointer, complaint.text))
                .collect(),
            Heard::Lacks(what) => vec![("lacks".to_owned(), what)],
        }
    }

    // What version 0.158.0 really printed for broken files.
    #[test]
    fn errors_of_settings_are_told_apart() {
        let said = heard(
            "exporters::splunk_hec/lines: requires a non-empty \"token\"\nexporters::elasticsearch/search: invalid endpoint \"elasticsearch.logging:9200\": invalid scheme \"elasticsearch.logging\", expected \"http\" or \"https\"",
        );
        let pointers: Vec<&str> = said.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/spec/outputs/1", "/spec/outputs/0/elasticsearch/url"]);
        assert_eq!(
            said[0].1,
            "exporters::splunk_hec/lines: requires a non-empty \"token\""
        );
    }

    #[test]
    fn every_form_of_error_leads_to_its_field() {
        for (error, pointer) in [
            (
                "exporters::splunk_hec/lines::sending_queue: batch: `max_size` (4) must be greater or equal to `min_size` (1048576)",
                "/spec/outputs/1",
            ),
            (
                "service::pipelines::logs/to-search: references exporter \"elasticsearch/searchx\" which is not configured",
                "/spec/outputs/0",
            ),
            (
                "processors::filter/step_0: unable to parse OTTL condition \"not IsMatch(log.body, \\\"(?i)error|panic(\\\")\": couldn't create function: the regex pattern supplied to IsMatch '\"(?i)error|panic(\"' is not a valid pattern: error parsing regexp: missing closing ): `(?i)error|panic(`",
                "/spec/processors/0/where/0/matches",
            ),
            (
                "processors::transform: unable to parse OTTL statement \"sett(resource.attributes[\\\"k8s.namespace.name\\\"], resource.attributes[\\\"namespace\\\"])\": undefined function \"sett\"",
                "/spec/nodeAgent",
            ),
            (
                "processors::filter: inferred context \"log\" does not support the function \"IsMatchh\"",
                "/spec/selector",
            ),
            (
                "failed to build pipelines: failed to create \"file_log/containers\" receiver for data type \"logs\": compiling regex: error parsing regexp: missing closing ): `^(?P<time>[^ ]+ `",
                "/spec/nodeAgent/sources",
            ),
            (
                "failed to get config: cannot resolve the configuration: scheme \"nope\" is not supported for uri \"nope:x\"",
                "/spec/nodeAgent",
            ),
        ] {
            let said = heard(error);
            assert_eq!(said, [(pointer.to_owned(), error.to_owned())]);
        }
    }

    #[test]
    fn errors_of_reading_are_one_line_without_their_wrapping() {
        let said = heard(
            "failed to get config: cannot unmarshal the configuration: decoding failed due to the following error(s):\n\n'exporters' error reading configuration for \"elasticsearch/search\": decoding failed due to the following error(s):\n\n'' decoding failed due to the following error(s):\n\n'sending_queue' decoding failed due to the following error(s):\n\n'' decoding failed due to the following error(s):\n\n'batch' decoding failed due to the following error(s):\n\n'flush_timeout' time: unknown unit",
        );
        assert_eq!(
            said,
            [(
                "/spec/outputs/0".to_owned(),
                "failed to get config: cannot unmarshal the configuration: 'exporters' error reading configuration for \"elasticsearch/search\": 'sending_queue': 'batch': 'flush_timeout' time: unknown unit"
                    .to_owned()
            )]
        );
    }

    #[test]
    fn a_build_without_a_component_cannot_judge() {
        let said = heard(
            "failed to get config: cannot unmarshal the configuration: decoding failed due to the following error(s):\n\n'exporters' unknown type: \"kafka\" for id: \"kafka/a\" (valid values: [file otlp_grpc debug])",
        );
        assert_eq!(
            said,
            [("lacks".to_owned(), "it has no exporter kafka".to_owned())]
        );
    }

    #[test]
    fn what_has_no_error_says_nothing() {
        let heard = understand("panic: oh\n", &Parts::new(&policy(), Block::NodeAgent));
        assert_eq!(heard, Heard::Complaints(Vec::new()));
    }
}
