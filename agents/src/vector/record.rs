//! What outputs make of the standard record, where their side demands something else. The programs are fixed but for names that
//! a policy gives, which are literals.

use super::names;
use super::vrl::literal;
use crate::level;
use crate::template::Template;

/// Dots in keys become underscores: they would be taken for a way into an object, and what is text in one record and an object
/// in another is refused.
pub const SEARCH: &str = r#"."@timestamp" = .time
if exists(.kubernetes.labels) {
  .kubernetes.labels = map_keys(object(.kubernetes.labels) ?? {}) -> |key| { replace(key, ".", "_") }
}
if exists(.data) {
  .data = map_keys(object(.data) ?? {}, recursive: true) -> |key| { replace(key, ".", "_") }
}
"#;

/// The field that tells sinks the time of a record.
pub const TIMESTAMP: &str = ".timestamp = parse_timestamp(.time, \"%+\") ?? now()\n";

/// An event of Splunk's HTTP Event Collector: the record, and what the collector knows it by. Times have milliseconds there.
pub fn splunk(index: Option<&Template>, source_type: Option<&str>) -> String {
    let mut program = SPLUNK.to_owned();
    let known = [
        ("index", index.map(|index| names::expression("index", index))),
        ("sourcetype", source_type.map(literal)),
    ];
    for (field, value) in known {
        if let Some(value) = value {
            program.push_str(&[".", field, " = ", &value, "\n"].concat());
        }
    }
    program
}

const SPLUNK: &str = r#"milliseconds = to_unix_timestamp(parse_timestamp(.time, "%+") ?? now(), unit: "milliseconds")
record = .
. = {"time": milliseconds / 1000, "event": record}
if is_string(record.kubernetes.host) {
  .host = record.kubernetes.host
}
"#;

/// What Datadog calls the node and the level.
pub fn datadog(service: Option<&str>, source: Option<&str>) -> String {
    let mut program = TIMESTAMP.to_owned();
    program.push_str(".hostname = .kubernetes.host\nif exists(.level) {\n  .status = .level\n}\n");
    for (field, value) in [("service", service), ("ddsource", source)] {
        if let Some(value) = value {
            program.push_str(&[".", field, " = ", &literal(value), "\n"].concat());
        }
    }
    program
}

/// RFC 5424 with the standard record as JSON for its message: facility user, severity informational. Times have at most
/// microseconds there, and names at most 48 characters.
pub const SYSLOG: &str = r#"record = encode_json(.)
time = format_timestamp(parse_timestamp(.time, "%+") ?? now(), "%Y-%m-%dT%H:%M:%S%.6fZ") ?? "-"
host = string(.kubernetes.host) ?? ""
if host == "" {
  host = "-"
}
name = string(.kubernetes.container_name) ?? string(.systemd.unit) ?? "-"
name = truncate(name, 48)
. = {"message": "<14>1 " + time + " " + host + " " + name + " - - - " + record}
"#;

/// The labels of the monitored resource, which are not part of the entry, and the severity.
pub const GOOGLE_CLOUD_LOGGING: &str = r#".timestamp = parse_timestamp(.time, "%+") ?? now()
.severity = string(.level) ?? "default"
.resource = {
  "namespace_name": string(.kubernetes.namespace_name) ?? "",
  "pod_name": string(.kubernetes.pod_name) ?? "",
  "container_name": string(.kubernetes.container_name) ?? ""
}
"#;

/// What the `otlp` codec writes: a request with one record, by the names of OpenTelemetry's semantic conventions. Of several such
/// requests one after the other, receivers make one.
pub fn otlp() -> String {
    let numbers: Vec<String> = level::SEVERITY_NUMBERS
        .iter()
        .map(|(level, number)| format!("{}: {number}", literal(level)))
        .collect();
    OTLP.replace("SEVERITY_NUMBERS", &numbers.join(", "))
}

const OTLP: &str = r#"time = to_unix_timestamp(parse_timestamp(.time, "%+") ?? now(), unit: "nanoseconds")
origin = {
  "k8s.namespace.name": .kubernetes.namespace_name,
  "k8s.pod.name": .kubernetes.pod_name,
  "k8s.pod.uid": .kubernetes.pod_id,
  "k8s.container.name": .kubernetes.container_name,
  "k8s.node.name": .kubernetes.host
}
for_each(object(.kubernetes.labels) ?? {}) -> |key, value| {
  origin = set(origin, ["k8s.pod.label." + key], value) ?? origin
}
resource = []
for_each(origin) -> |key, value| {
  if value != null {
    resource = push(resource, {"key": key, "value": {"stringValue": value}})
  }
}
data = map_values({"data": object(.data) ?? {}}, recursive: true) -> |value| {
  if is_array(value) {
    listed = {}
    for_each(array(value) ?? []) -> |index, item| {
      listed = set(listed, [to_string(index)], item) ?? listed
    }
    listed
  } else {
    value
  }
}
details = {"log.iostream": .stream, "log.file.path": .file, "systemd.unit": .systemd.unit}
details = merge(details, flatten(data))
attributes = []
for_each(details) -> |key, value| {
  typed = if is_string(value) {
    {"stringValue": value}
  } else if is_integer(value) {
    {"intValue": value}
  } else if is_boolean(value) {
    {"boolValue": value}
  } else if is_float(value) {
    {"doubleValue": value}
  } else {
    {"stringValue": encode_json(value)}
  }
  if value != null && value != {} {
    attributes = push(attributes, {"key": key, "value": typed})
  }
}
record = {
  "timeUnixNano": time,
  "observedTimeUnixNano": time,
  "body": {"stringValue": string(.message) ?? ""},
  "attributes": attributes
}
if is_string(.level) {
  record.severityText = .level
  number = get({SEVERITY_NUMBERS}, [.level]) ?? null
  if number != null {
    record.severityNumber = number
  }
}
. = {"resourceLogs": [{
  "resource": {"attributes": resource},
  "scopeLogs": [{"logRecords": [record]}]
}]}
"#;
