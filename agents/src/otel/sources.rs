//! Where records come from.

use serde_json::{Value, json};
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};

use super::confmap::{text, texts};
use super::lines;
use crate::config::{FILES_DIRECTORY, POD_LOGS_DIRECTORY};
use crate::pipeline::Pipeline;

/// `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`, which identifies a container whatever its lines say.
/// `processors::identify` gives the groups their proper names, which have dots.
const PATH: &str =
    "/(?P<namespace>[^/_]+)_(?P<pod>[^/_]+)_(?P<uid>[^/_]+)/(?P<container>[^/]+)/\\d+\\.log[^/]*$";
/// A line as containerd and CRI-O write it: time, stream, tags, text.
const LINE: &str = "^(?P<time>[^ ]+) (?P<stream>stdout|stderr) (?P<logtag>[^ ]*) ?(?P<log>(?s:.*))$";
/// A message ends with the piece that makes it longer than this. Pieces have 16 KiB, so that none is longer than `LONGEST_MESSAGE`, which
/// is also the most that Loki takes when nobody has told it otherwise.
const MOST_JOINED: &str = "240KiB";
const IS_PARSED: &str = "attributes.logtag != nil";
/// How a line begins that docker has written, for cri-dockerd: a JSON object. A line of the other runtimes begins with a time.
const IS_JSON: &str = "body startsWith \"{\\\"log\\\":\"";
/// When such a line has been read: its body is still the whole line.
const IS_PARSED_JSON: &str = "attributes.log != nil and body startsWith \"{\\\"log\\\":\"";

/// Reads stdout and stderr of all pods but our own.
pub fn containers(pipeline: &Pipeline) -> Value {
    let files = json!({
        // `*.log.2*` are rotated files, the older ones compressed: what was written to them while the agent was away or held
        // back would be lost otherwise.
        "include": ["/var/log/pods/*/*/*.log", "/var/log/pods/*/*/*.log.2*"],
        "exclude": [
            // Half-written by the kubelet, which compresses into it.
            "/var/log/pods/*/*/*.tmp",
            format!("/var/log/pods/{SYSTEM_NAMESPACE}_*/*/*"),
            format!("/var/log/pods/{AGENTS_NAMESPACE}_*/*/*"),
        ],
        // The runtime cuts long lines at bytes: a character may be in two pieces, and is one only when they have been joined.
        // `processors::identify` replaces what is no text then.
        "encoding": "utf8-raw",
    });
    receiver(files, &operators(pipeline))
}

/// Reads files of the node, one line a record.
pub fn node_files(pipeline: &Pipeline) -> Value {
    let files = json!({
        "include": texts(&pipeline.sources.files),
        // Patterns may mean more than was thought of: the logs of containers are another source, and what outputs write would be
        // read for ever.
        "exclude": [
            format!("{POD_LOGS_DIRECTORY}/**"),
            "/var/log/containers/**",
            format!("{FILES_DIRECTORY}/**"),
        ],
    });
    let joining = lines::joining(pipeline, "attributes[\"log.file.path\"]", "true");
    receiver(files, joining.as_slice())
}

/// A receiver of files, which are named by `include` and `exclude`.
fn receiver(mut settings: Value, operators: &[Value]) -> Value {
    let common = json!({
        // A file is known by the beginning of its text, compressed or not, and is read on from where it was left.
        "compression": "auto",
        "start_at": "beginning",
        "include_file_path": true,
        "include_file_name": false,
        // A longer interval misses files that are rotated twice within it.
        "poll_interval": "200ms",
        "max_log_size": super::LONGEST_MESSAGE,
        "max_log_size_behavior": "split",
        // Spaces at the ends of a line belong to the message.
        "preserve_leading_whitespaces": true,
        "preserve_trailing_whitespaces": true,
        "storage": "file_storage/offsets",
        "retry_on_failure": super::outputs::endless_retry(),
        "operators": operators,
    });
    if let (Value::Object(settings), Value::Object(common)) = (&mut settings, common) {
        settings.extend(common);
    }
    settings
}

/// Takes the kubelet's lines apart. Not the collector's `container` operator, because that one joins the pieces of a long
/// line by file: pieces of stdout and stderr that alternate in a file would be joined to each other.
fn operators(pipeline: &Pipeline) -> Vec<Value> {
    let path = json!({
        "id": "path",
        "type": "regex_parser",
        "parse_from": "attributes[\"log.file.path\"]",
        "parse_to": "resource",
        "regex": text(PATH),
        "cache": {"size": 1024},
        "on_error": "send_quiet",
    });
    let pieces = [
        json!({
            "id": "piece",
            "type": "add",
            "field": "attributes.piece",
            "value": "EXPR(attributes[\"log.file.path\"] + \" \" + attributes.stream)",
            "if": IS_PARSED,
        }),
        json!({
            "id": "join",
            "type": "recombine",
            "combine_field": "body",
            "combine_with": "",
            // `P` marks a piece that is not the last; runtimes may add more tags after a colon.
            "is_last_entry": "not (attributes.logtag startsWith \"P\")",
            "source_identifier": "attributes.piece",
            "max_batch_size": 0,
            "max_unmatched_batch_size": 0,
            "max_log_size": MOST_JOINED,
            "if": IS_PARSED,
        }),
    ];
    let mut operators = vec![path];
    operators.extend(formats());
    operators.extend(pieces);
    operators.extend(lines::joining(pipeline, "attributes.piece", IS_PARSED));
    operators
}

/// Reads a line of either format: its text becomes the body; its time, its stream, and a tag that begins with `P` on a piece that is
/// not the last, attributes.
fn formats() -> [Value; 5] {
    let time = json!({
        "parse_from": "attributes.time",
        "layout_type": "gotime",
        "layout": "2006-01-02T15:04:05.999999999Z07:00",
    });
    [
        json!({
            "id": "line",
            "type": "regex_parser",
            "parse_from": "body",
            "parse_to": "attributes",
            "regex": text(LINE),
            "timestamp": time,
            // What is not in the runtime's format is a record too: its text is all that is known.
            "on_error": "send_quiet",
        }),
        json!({
            "id": "json",
            "type": "json_parser",
            "parse_from": "body",
            "parse_to": "attributes",
            "timestamp": time,
            "if": IS_JSON,
            "on_error": "send_quiet",
        }),
        json!({
            "id": "tag",
            "type": "add",
            "field": "attributes.logtag",
            "value": "EXPR(attributes.log endsWith \"\\n\" ? \"F\" : \"P\")",
            "if": IS_PARSED_JSON,
        }),
        json!({
            "id": "text",
            "type": "add",
            "field": "attributes.log",
            "value": "EXPR(trimSuffix(attributes.log, \"\\n\"))",
            "if": IS_PARSED_JSON,
        }),
        json!({"id": "message", "type": "move", "from": "attributes.log", "to": "body", "if": IS_PARSED}),
    ]
}
