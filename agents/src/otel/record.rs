//! The standard record, as a map in the record's body.

use serde_json::{Value, json};

use super::confmap::texts;
use super::ottl::{DATA, LEVEL, POD_LABEL_PREFIX, literal};
use super::{steps, template};
use crate::level;
use crate::pipeline::{Pipeline, Place};
use crate::template::Template;

/// RFC 3339 with nine digits; the formatter itself knows at most microseconds and leaves trailing zeros out.
const TIME: &str =
    "Format(\"%s.%09dZ\", [FormatTime(log.time, \"%Y-%m-%dT%H:%M:%S\"), Nanosecond(log.time)])";

/// How many dots of one key are replaced for Elasticsearch.
const MOST_DOTS: usize = 16;

/// Replaces the body by the standard record.
pub fn standard(pipeline: &Pipeline) -> Value {
    transform(pipeline, &[], &[], "[]")
}

/// Replaces the body by the standard record as Elasticsearch wants it, and tells the exporter to send the body as it is: the attribute
/// with the name of the index, where records differ in it, is no part of it.
pub fn elasticsearch(pipeline: &Pipeline, index: &Template) -> Value {
    let undot = format!(
        "replace_all_patterns(log.cache[\"labels\"], \"key\", {}, \"_\")",
        literal("\\.")
    );
    let mut on_body = vec!["set(log.body[\"@timestamp\"], log.body[\"time\"])".to_owned()];
    let mut attributes = "[]";
    if index.fixed().is_none() {
        on_body.extend(template::statements(
            "log.attributes[\"elasticsearch.index\"]",
            index,
        ));
        attributes = "[\"elasticsearch.index\"]";
    }
    let mut transform = transform(pipeline, &[undot], &on_body, attributes);
    if let Some(groups) = transform["log_statements"].as_array_mut() {
        if steps::alter(pipeline) {
            groups.insert(0, undot_data());
        }
        groups.push(json!({
            "context": "scope",
            "statements": ["set(scope.attributes[\"elastic.mapping.mode\"], \"bodymap\")"],
        }));
    }
    transform
}

/// Replaces the dots in the keys of `data` at every depth, in its JSON: there, a quote that nothing escapes is before each key, and behind
/// the brace or comma before it. Each statement replaces the first dot that is left of each key.
fn undot_data() -> Value {
    const DOTTED_KEY: &str = r#"([{,]"(?:[^"\\.]|\\.)*)\.((?:[^"\\]|\\.)*":)"#;
    let json = "log.cache[\"json\"]";
    let pattern = literal(DOTTED_KEY);
    let mut statements = vec![format!("set({json}, String({DATA}))")];
    let replace = format!("replace_pattern({json}, {pattern}, \"${{1}}_${{2}}\")");
    statements.extend(std::iter::repeat_n(replace, MOST_DOTS));
    statements.push(format!("set({DATA}, ParseJSON({json}))"));
    json!({
        "context": "log",
        "conditions": texts(&[format!("IsMap({DATA}) and IsMatch({DATA}, {pattern})")]),
        "statements": texts(&statements),
    })
}

/// Replaces the body by the standard record, and leaves the exporter the name of the node as the event's host.
pub fn splunk(pipeline: &Pipeline) -> Value {
    let host = "set(log.attributes[\"host.name\"], resource.attributes[\"k8s.node.name\"])".to_owned();
    transform(pipeline, &[], &[host], "[\"host.name\"]")
}

/// Replaces the record by what the syslog exporter reads: the standard record as JSON, and the parts of the header.
pub fn syslog(pipeline: &Pipeline) -> Value {
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
        pipeline,
        &[],
        &statements.map(str::to_owned),
        "[\"message\", \"hostname\", \"appname\", \"priority\"]",
    )
}

/// Says the level as OpenTelemetry's model does.
pub fn severity() -> Vec<String> {
    let mut statements = vec![format!("set(log.severity_text, {LEVEL})")];
    statements.extend(level::SEVERITY_NUMBERS.iter().map(|(name, number)| {
        format!(
            "set(log.severity_number, {number}) where {LEVEL} == {}",
            literal(name)
        )
    }));
    statements
}

/// Says level and data as OpenTelemetry's model does: as severity, and as attributes `data.KEY.KEY`.
pub fn opentelemetry() -> Value {
    let mut statements = severity();
    statements.extend([
        "delete_key(log.attributes, \"level\")".to_owned(),
        "flatten(log.attributes)".to_owned(),
        "set(log.body, \"\") where not IsString(log.body)".to_owned(),
    ]);
    json!({
        "error_mode": "silent",
        "log_statements": [{"context": "log", "statements": texts(&statements)}],
    })
}

/// `on_labels` are statements on the map `log.cache["labels"]`, `on_body` on the finished record; `attributes` is the list of those that
/// stay beside it.
fn transform(pipeline: &Pipeline, on_labels: &[String], on_body: &[String], attributes: &str) -> Value {
    let prefix = literal(&format!("^{}", POD_LABEL_PREFIX.replace('.', "\\.")));
    let mut statements = vec![
        "set(log.cache[\"labels\"], resource.attributes)".to_owned(),
        format!("keep_matching_keys(log.cache[\"labels\"], {prefix})"),
        format!("replace_all_patterns(log.cache[\"labels\"], \"key\", {prefix}, \"\")"),
    ];
    statements.extend_from_slice(on_labels);
    statements.extend(body(pipeline));
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

/// Makes the record. A value that is not there sets nothing.
fn body(pipeline: &Pipeline) -> Vec<String> {
    let mut statements = Vec::new();
    if steps::alter(pipeline) {
        statements.push("set(log.cache[\"message\"], log.body) where IsString(log.body)".to_owned());
    } else {
        statements.push("set(log.cache[\"message\"], log.body)".to_owned());
    }
    statements.push(format!(
        "set(log.body, {{\"time\": {TIME}, \"kubernetes\": {{{}}}}})",
        identity()
    ));
    if !pipeline.sources.files.is_empty() {
        statements.push(
            "set(log.body[\"kubernetes\"], {\"host\": resource.attributes[\"k8s.node.name\"]}) where resource.attributes[\"k8s.pod.name\"] == nil".to_owned(),
        );
    }
    let mut optional = vec![("message", "log.cache[\"message\"]")];
    if pipeline.sources.containers {
        optional.push(("stream", "log.attributes[\"log.iostream\"]"));
    }
    if pipeline.place == Place::Pod || !pipeline.sources.files.is_empty() {
        optional.push(("file", "log.attributes[\"log.file.path\"]"));
    }
    if steps::alter(pipeline) {
        optional.extend([("level", LEVEL), ("data", DATA)]);
    }
    statements.extend(
        optional
            .iter()
            .map(|(key, value)| format!("set(log.body[\"{key}\"], {value})")),
    );
    statements
}

fn identity() -> String {
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
    format!("{}, \"labels\": log.cache[\"labels\"]", kubernetes.join(", "))
}
