//! The standard record, as a map in the record's body.

use serde_json::{Value, json};

use super::confmap::texts;
use super::ottl::{self, POD_LABEL_PREFIX};
use crate::pipeline::Place;

/// RFC 3339 with nine digits; the formatter itself knows at most microseconds and leaves trailing zeros out.
const TIME: &str =
    "Format(\"%s.%09dZ\", [FormatTime(log.time, \"%Y-%m-%dT%H:%M:%S\"), Nanosecond(log.time)])";

/// Replaces the body by the standard record.
pub fn standard(place: Place) -> Value {
    transform(place, &[], &[], "[]")
}

/// Replaces the body by the standard record as Elasticsearch wants it, and tells the exporter to send the body as it is.
pub fn elasticsearch(place: Place) -> Value {
    let undot = format!(
        "replace_all_patterns(log.cache[\"labels\"], \"key\", {}, \"_\")",
        ottl::literal("\\.")
    );
    let timestamp = "set(log.body[\"@timestamp\"], log.body[\"time\"])".to_owned();
    let mut transform = transform(place, &[undot], &[timestamp], "[]");
    if let Some(groups) = transform["log_statements"].as_array_mut() {
        groups.push(json!({
            "context": "scope",
            "statements": ["set(scope.attributes[\"elastic.mapping.mode\"], \"bodymap\")"],
        }));
    }
    transform
}

/// Replaces the body by the standard record, and leaves the exporter the name of the node as the event's host.
pub fn splunk(place: Place) -> Value {
    let host = "set(log.attributes[\"host.name\"], resource.attributes[\"k8s.node.name\"])".to_owned();
    transform(place, &[], &[host], "[\"host.name\"]")
}

/// Replaces the record by what the syslog exporter reads: the standard record as JSON, and the parts of the header.
pub fn syslog(place: Place) -> Value {
    let statements = [
        "set(log.attributes[\"message\"], String(log.body))",
        "set(log.body, \"\")",
        "set(log.attributes[\"hostname\"], resource.attributes[\"k8s.node.name\"])",
        "set(log.attributes[\"appname\"], resource.attributes[\"k8s.container.name\"])",
        // The longest name that the protocol allows.
        "set(log.attributes[\"appname\"], Substring(log.attributes[\"appname\"], 0, 48)) where Len(log.attributes[\"appname\"]) > 48",
        // Facility user, severity informational.
        "set(log.attributes[\"priority\"], 14)",
    ];
    transform(
        place,
        &[],
        &statements.map(str::to_owned),
        "[\"message\", \"hostname\", \"appname\", \"priority\"]",
    )
}

/// `on_labels` are statements on the map `log.cache["labels"]`, `on_body` on the finished record; `attributes` is the list of those that
/// stay beside it.
fn transform(place: Place, on_labels: &[String], on_body: &[String], attributes: &str) -> Value {
    let prefix = ottl::literal(&format!("^{}", POD_LABEL_PREFIX.replace('.', "\\.")));
    let mut statements = vec![
        "set(log.cache[\"labels\"], resource.attributes)".to_owned(),
        format!("keep_matching_keys(log.cache[\"labels\"], {prefix})"),
        format!("replace_all_patterns(log.cache[\"labels\"], \"key\", {prefix}, \"\")"),
    ];
    statements.extend_from_slice(on_labels);
    statements.push(format!("set(log.body, {})", body(place)));
    statements.extend_from_slice(on_body);
    statements.push(format!("keep_keys(log.attributes, {attributes})"));
    json!({
        "error_mode": "ignore",
        "log_statements": [
            {"context": "log", "statements": texts(&statements)},
            // What is now in the body need not wait on disk a second time.
            {"context": "resource", "statements": ["keep_keys(resource.attributes, [])"]},
        ],
    })
}

fn body(place: Place) -> String {
    let (origin, attribute) = match place {
        Place::Node => ("stream", "log.iostream"),
        Place::Pod => ("file", "log.file.path"),
    };
    let kubernetes: Vec<String> = [
        ("namespace_name", "k8s.namespace.name"),
        ("pod_name", "k8s.pod.name"),
        ("pod_id", "k8s.pod.uid"),
        ("container_name", "k8s.container.name"),
        ("host", "k8s.node.name"),
    ]
    .iter()
    .map(|(key, attribute)| format!("\"{key}\": resource.attributes[\"{attribute}\"]"))
    .collect();
    format!(
        "{{\"time\": {TIME}, \"{origin}\": log.attributes[\"{attribute}\"], \"message\": log.body, \
         \"kubernetes\": {{{}, \"labels\": log.cache[\"labels\"]}}}}",
        kubernetes.join(", ")
    )
}
