//! What the public clouds need: settings of exporters, and what is done to records for them.

use serde_json::{Value, json};

use super::endless_retry;
use crate::otel::confmap::{text, texts};
use crate::otel::{ottl, record, steps};
use crate::pipeline::{GoogleLog, LogGroup, Pipeline};

/// Where Google takes OTLP. By HTTP, because a quota that is used up is told by a status after which the exporter tries again; by
/// gRPC it would drop the batch.
const GOOGLE: &str = "https://telemetry.googleapis.com";

/// Attributes of the resource from which Google tells the container.
const GOOGLE_RESOURCE: &str =
    "[\"k8s.namespace.name\", \"k8s.pod.name\", \"k8s.container.name\", \"k8s.node.name\"]";

/// `CloudWatch` takes no event that is older than 14 days or more than 2 hours ahead, and the exporter would repeat the batch around
/// one for ever. Such a record gets a time that is taken, with days left to wait in the queue; in its JSON the time stays.
const TIMES_OF_CLOUD_WATCH: [&str; 2] = [
    "set(log.time, Now() - Duration(\"240h\")) where log.time < Now() - Duration(\"240h\")",
    "set(log.time, Now()) where log.time > Now() + Duration(\"1h\")",
];

/// The settings of the exporter for a log group.
pub fn cloud_watch(group: &LogGroup) -> Vec<(&'static str, Value)> {
    let stream = group
        .stream
        .as_ref()
        .map_or_else(|| json!("${env:K8S_NODE_NAME}"), |stream| text(&stream.beginning));
    let mut settings = vec![
        ("region", text(&group.region)),
        ("log_group_name", text(&group.name.beginning)),
        ("log_stream_name", stream),
        // The standard record alone, without the exporter's own fields around it.
        ("raw_log", json!(true)),
        ("retry_on_failure", endless_retry()),
    ];
    settings.extend(group.retention_days.map(|days| ("log_retention", json!(days))));
    settings
}

/// Makes batches of about one request, because after an error the whole batch is sent again.
pub fn in_requests(mut exporter: Value) -> Value {
    exporter["sending_queue"]["batch"]["min_size"] = json!(256 << 10);
    exporter
}

/// The settings of the exporter for a log of Google Cloud.
pub fn google_cloud_logging() -> Vec<(&'static str, Value)> {
    super::otlp_http(GOOGLE)
}

/// Replaces the body by the standard record, and the time by one that `CloudWatch` takes.
pub fn record_of_cloud_watch(pipeline: &Pipeline) -> Value {
    let mut transform = record::standard(pipeline);
    push(&mut transform, "log", &TIMES_OF_CLOUD_WATCH.map(str::to_owned));
    transform
}

/// Replaces the body by the standard record, and says which log and which resource it belongs to.
pub fn record_of_google(pipeline: &Pipeline, log: &GoogleLog) -> Value {
    let set = |path: &str, value: &str| format!("set({path}, {})", ottl::literal(value));
    let mut transform = record::standard(pipeline);
    if let Some(groups) = transform["log_statements"].as_array_mut() {
        // It would remove what the resource is told from.
        groups.retain(|group| group["context"] != "resource");
        if steps::alter(pipeline) {
            let severity = json!({"context": "log", "statements": texts(&record::severity())});
            groups.insert(0, severity);
        }
    }
    push(
        &mut transform,
        "log",
        &[set("log.attributes[\"gcp.log_name\"]", &log.name)],
    );
    push(
        &mut transform,
        "resource",
        &[
            format!("keep_keys(resource.attributes, {GOOGLE_RESOURCE})"),
            set("resource.attributes[\"gcp.project_id\"]", &log.project),
            set("resource.attributes[\"k8s.cluster.name\"]", &log.cluster),
            set("resource.attributes[\"cloud.availability_zone\"]", &log.location),
        ],
    );
    transform
}

fn push(transform: &mut Value, context: &str, statements: &[String]) {
    if let Some(groups) = transform["log_statements"].as_array_mut() {
        groups.push(json!({"context": context, "statements": texts(statements)}));
    }
}
