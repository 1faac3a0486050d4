//! Where records come from, and what makes standard records of them.

use serde_json::{Map, Value, json};
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};

use super::conditions::{self, NAMESPACE_LABELS};
use super::{Transform, selection, vrl};
use crate::level;
use crate::multiline::Boundary;
use crate::pipeline::Pipeline;

/// The longest piece of a line of a container; the runtime's have 16 KiB. A longer line is dropped.
const LONGEST_PIECE: u64 = 1 << 20;
/// How many pieces one record has at most: with pieces of 16 KiB, 256 KiB. What follows is a record of its own.
const MOST_PIECES: u32 = 16;
/// The longest line of a file; a longer one is dropped.
const LONGEST_LINE: u64 = 1 << 20;
/// How many lines one record has at most, so that lines that never stop to belong together do not fill the memory.
const MOST_LINES: u32 = 1000;
/// How often new files are looked for, in milliseconds. A longer interval misses files that are rotated twice within it.
const LOOK_AGAIN: u32 = 500;
/// How much is read from one file before the next has its turn, in bytes. New files are looked for between two rounds only, and more
/// lets files be rotated away unseen while outputs are slow.
const TURN: u32 = 32 << 10;
/// How long a deleted file is held open while its lines cannot be taken over, in seconds. For ever would keep the node's disk
/// from being freed.
const HOLD_DELETED: u32 = 600;
/// How long a piece of a line waits for the next, in milliseconds.
const NEXT_PIECE: u32 = 5_000;
/// How long a line waits for the next that belongs to it, in milliseconds.
const NEXT_LINE: u32 = 1_000;
/// How often it is looked which of them have waited enough, in milliseconds.
const LOOK_FOR_WAITING: u32 = 200;

const TIME: &str = "time = if is_timestamp(.timestamp) { timestamp(.timestamp) ?? now() } else { now() }\n\
                    time = format_timestamp(time, \"%Y-%m-%dT%H:%M:%S%.9fZ\") ?? \"\"\n";
const HOST: &str = "host = get_env_var(\"K8S_NODE_NAME\") ?? \"\"\n";
/// `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`, which identifies a container whatever its lines say.
const PLACE: &str = "place = parse_regex(string(.file) ?? \"\", r'/(?P<namespace>[^/_]+)_(?P<pod>[^/_]+)_(?P<uid>[^/_]+)/(?P<container>[^/]+)/[^/]+$') ?? {}\n";
/// The log directory of a static pod carries a hash, not the uid of its mirror in the API server.
const UID: &str =
    "uid = if contains(string(place.uid) ?? \"\", \"-\") { place.uid } else { .kubernetes.pod_uid }\n";

/// The sources of a pipeline, by their names.
pub fn render(pipeline: &Pipeline) -> Map<String, Value> {
    let mut sources = Map::new();
    if pipeline.sources.containers {
        sources.insert("containers".to_owned(), containers(pipeline));
    }
    if !pipeline.sources.files.is_empty() {
        sources.insert("files".to_owned(), files(&pipeline.sources.files));
    }
    if !pipeline.sources.units.is_empty() {
        sources.insert("journal".to_owned(), journal(&pipeline.sources.units));
    }
    sources
}

/// What makes standard records of what the sources read, and joins lines. The names of those that end the way are returned.
pub fn records(pipeline: &Pipeline, boundary: Option<&Boundary>) -> (Vec<Transform>, Vec<String>) {
    let mut transforms = Vec::new();
    let mut ends = Vec::new();
    if pipeline.sources.containers {
        transforms.push(Transform::new("pieces", &["containers"], pieces()));
        transforms.push(Transform::program(
            "container-records",
            &["pieces"],
            container_records(pipeline),
        ));
        ends.push("container-records".to_owned());
    }
    if !pipeline.sources.files.is_empty() {
        transforms.push(Transform::program("file-records", &["files"], file_records()));
        ends.push("file-records".to_owned());
    }
    if let Some(boundary) = boundary.filter(|_| !ends.is_empty()) {
        transforms.push(Transform::program("lines", &ends, mark_starts(boundary)));
        transforms.push(Transform::new("joined", &["lines"], joined()));
        transforms.push(Transform::program(
            "joined-records",
            &["joined"],
            JOINED_RECORDS.to_owned(),
        ));
        ends = vec!["joined-records".to_owned()];
    }
    if !pipeline.sources.units.is_empty() {
        transforms.push(Transform::program(
            "journal-records",
            &["journal"],
            journal_records(),
        ));
        ends.push("journal-records".to_owned());
    }
    (transforms, ends)
}

/// Reads stdout and stderr of all pods but our own.
fn containers(pipeline: &Pipeline) -> Value {
    let unused = |fields: &[&str]| -> Map<String, Value> {
        fields
            .iter()
            .map(|field| ((*field).to_owned(), json!("")))
            .collect()
    };
    let own = [SYSTEM_NAMESPACE, AGENTS_NAMESPACE].map(str::to_owned);
    let mut excluded = vec!["**/*.gz".to_owned(), "**/*.tmp".to_owned()];
    excluded.extend(logs_of(&own));
    excluded.extend(logs_of(selection::unwanted_namespaces(pipeline)));
    let mut source = json!({
        "type": "kubernetes_logs",
        // `.gz` are rotated files too; opening them would make the agent leave the uncompressed ones that it still reads.
        "exclude_paths_glob_patterns": excluded,
        "glob_minimum_cooldown_ms": LOOK_AGAIN,
        "rotate_wait_secs": HOLD_DELETED,
        "max_line_bytes": LONGEST_PIECE,
        "max_read_bytes": TURN,
        // One container that writes much must not keep the others waiting.
        "oldest_first": false,
        // It would join pieces of stdout and stderr that alternate in a file to each other; see `pieces`.
        "auto_partial_merge": false,
        // Lists of the API server's memory do, and cost its database nothing.
        "use_apiserver_cache": true,
        // What the last lines of a deleted pod need, for as long as they may be read.
        "delay_deletion_ms": HOLD_DELETED * 1000,
        "insert_namespace_fields": !pipeline.namespace_labels().is_empty(),
        "pod_annotation_fields": unused(&[
            "container_id", "container_image", "container_image_id", "pod_annotations", "pod_ip", "pod_ips",
            "pod_node_name", "pod_owner",
        ]),
        "node_annotation_fields": unused(&["node_labels"]),
    });
    if let Some(namespaces) = selection::wanted_namespaces(pipeline) {
        source["include_paths_glob_patterns"] = logs_of(namespaces).collect();
    }
    if let Some(selector) = selection::of_pods(pipeline) {
        source["extra_label_selector"] = json!(selector);
    }
    if let Some(selector) = selection::of_namespaces(pipeline) {
        source["extra_namespace_label_selector"] = json!(selector);
    }
    source
}

fn logs_of(namespaces: &[String]) -> impl Iterator<Item = String> {
    namespaces
        .iter()
        .map(|namespace| format!("/var/log/pods/{namespace}_*/**"))
}

fn files(paths: &[String]) -> Value {
    json!({
        "type": "file",
        "include": paths,
        "read_from": "beginning",
        // Of two files that begin with the same line, as the system's logs do, one would not be read otherwise.
        "fingerprint": {"strategy": "device_and_inode"},
        "glob_minimum_cooldown_ms": LOOK_AGAIN,
        "rotate_wait_secs": HOLD_DELETED,
        "max_line_bytes": LONGEST_LINE,
        "max_read_bytes": TURN,
    })
}

fn journal(units: &[String]) -> Value {
    json!({
        "type": "journald",
        "include_units": units,
        // What was written before a restart of the node and not yet sent.
        "current_boot_only": false,
        // The journal is another machine's for the agent's container.
        "extra_args": ["--merge"],
    })
}

/// Joins the pieces of a long line, each stream of a container for itself.
fn pieces() -> Value {
    json!({
        "type": "reduce",
        "group_by": ["file", "stream"],
        "ends_when": "._partial != true",
        "max_events": MOST_PIECES,
        "expire_after_ms": NEXT_PIECE,
        "flush_period_ms": LOOK_FOR_WAITING,
        // What is not named would be taken apart, field by field.
        "merge_strategies": {"message": "concat_raw", "timestamp": "discard", "kubernetes": "discard"},
    })
}

fn container_records(pipeline: &Pipeline) -> String {
    let mut program = [PLACE, UID, TIME, HOST].concat();
    program.push_str("labels = object(.kubernetes.pod_labels) ?? {}\n");
    if !pipeline.namespace_labels().is_empty() {
        program.push_str(NAMESPACE_LABELS);
        program.push_str(" = object(.kubernetes.namespace_labels) ?? {}\n");
    }
    program.push_str(
        ". = {\n  \"time\": time,\n  \"stream\": .stream,\n  \"message\": .message,\n  \"kubernetes\": {\n    \
         \"namespace_name\": place.namespace,\n    \"pod_name\": place.pod,\n    \"pod_id\": uid,\n    \
         \"container_name\": place.container,\n    \"host\": host,\n    \"labels\": labels\n  }\n}\n",
    );
    if !pipeline.selection.is_empty() {
        let selected = conditions::every(&pipeline.selection);
        program.push_str(&selected.statements.join("\n"));
        program.push_str("if !");
        program.push_str(&selected.expression);
        program.push_str(" {\n  abort\n}\n");
    }
    program
}

fn file_records() -> String {
    [
        TIME,
        HOST,
        ". = {\n  \"time\": time,\n  \"file\": .file,\n  \"message\": .message,\n  \"kubernetes\": {\"host\": host}\n}\n",
    ]
    .concat()
}

fn journal_records() -> String {
    let levels: Vec<String> = level::OF_PRIORITIES
        .iter()
        .enumerate()
        .map(|(priority, level)| format!("\"{priority}\": {}", vrl::literal(level)))
        .collect();
    let mut program = [TIME, HOST].concat();
    program.push_str("level = get({");
    program.push_str(&levels.join(", "));
    program.push_str("}, [string(.PRIORITY) ?? \"\"]) ?? null\n");
    program.push_str(
        ". = {\n  \"time\": time,\n  \"systemd\": {\"unit\": ._SYSTEMD_UNIT},\n  \"message\": string(.message) ?? \"\",\n  \
         \"kubernetes\": {\"host\": host}\n}\nif level != null {\n  .level = level\n}\n",
    );
    program
}

/// Says of every line whether it begins a record.
fn mark_starts(boundary: &Boundary) -> String {
    let (not, expression) = match boundary {
        Boundary::Starts(expression) => ("", expression),
        Boundary::Continues(expression) => ("!", expression),
    };
    let mut program = String::from("begins = ");
    program.push_str(not);
    program.push_str("match(string(.message) ?? \"\", ");
    program.push_str(&vrl::regex(expression));
    program.push_str(")\n.begins = begins\n");
    program
}

/// Joins the lines of one stream of one container, or of one file.
fn joined() -> Value {
    json!({
        "type": "reduce",
        "group_by": [
            "file", "stream", "kubernetes.namespace_name", "kubernetes.pod_name", "kubernetes.pod_id",
            "kubernetes.container_name",
        ],
        "starts_when": ".begins == true",
        "max_events": MOST_LINES,
        "expire_after_ms": NEXT_LINE,
        "flush_period_ms": LOOK_FOR_WAITING,
        "merge_strategies": {"message": "concat_newline", "kubernetes": "discard"},
    })
}

const JOINED_RECORDS: &str = "del(.begins)\n";
