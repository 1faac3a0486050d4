//! Settings of the public clouds' sinks.

use serde_json::{Value, json};
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::compression::Compression;

use super::{compression, lines, names, retry_strategy};
use crate::config::secret_path;
use crate::pipeline::{AzureTable, Bucket, GoogleBucket, GoogleLog, GoogleTopic, LogGroup, Output};
use crate::template::Template;
use crate::vector::credentials::secret;

/// The most bytes of one object, and how long it is waited for them, in seconds. What waits is in the buffer on disk.
const LARGEST_OBJECT: u64 = 8 << 20;
const OBJECT_SECONDS: u32 = 30;
/// What keys of objects go on with after their prefix.
const OBJECT_KEY: &str = "year=%Y/month=%m/day=%d/hour=%H/";

/// Objects of JSON lines.
fn objects(mut sink: Value, output: &Output, prefix: Option<&Template>) -> Value {
    let prefix = prefix
        .map(|prefix| names::setting("prefix", prefix) + "/")
        .unwrap_or_default();
    sink["key_prefix"] = json!(prefix + OBJECT_KEY);
    sink["filename_time_format"] = json!("%s");
    // Two agents may write in the same second.
    sink["filename_append_uuid"] = json!(true);
    sink["filename_extension"] = json!(extension(output.compression));
    sink["compression"] = json!(compression(output.compression));
    sink["batch"] = json!({"max_bytes": LARGEST_OBJECT, "timeout_secs": OBJECT_SECONDS});
    lines(sink)
}

/// Of names of objects.
fn extension(way: Compression) -> &'static str {
    match way {
        Compression::None => "jsonl",
        Compression::Gzip => "jsonl.gz",
        Compression::Snappy => "jsonl.sz",
        Compression::Lz4 => "jsonl.lz4",
        Compression::Zstd => "jsonl.zst",
    }
}

/// A bucket of S3, or of what has its API.
pub fn s3(output: &Output, bucket: &Bucket) -> Value {
    let mut sink = json!({
        "type": "aws_s3",
        "bucket": bucket.name,
        "region": bucket.region,
        // Other servers seldom have a name for each bucket.
        "force_path_style": bucket.endpoint.is_some(),
        // Of no object it depends on the records whether it is taken. An expired token, for one, is answered with 400.
        "retry_strategy": {"type": "all"},
    });
    if let Some(endpoint) = &bucket.endpoint {
        sink["endpoint"] = json!(endpoint.to_string());
    }
    objects(sink, output, bucket.prefix.as_ref())
}

/// A group of `CloudWatch`.
pub fn cloud_watch(group: &LogGroup) -> Value {
    let mut sink = json!({
        "type": "aws_cloudwatch_logs",
        "region": group.region,
        "group_name": names::setting("logGroup", &group.name),
        "stream_name": "{{ kubernetes.host }}",
        "encoding": {"codec": "json"},
    });
    if let Some(stream) = &group.stream {
        sink["stream_name"] = json!(names::setting("logStream", stream));
    }
    // A slash alone does not count as a beginning. What comes after it, and the node's name, no record says for itself.
    let unconfined = |name: &Template| name.fixed().is_none() && name.beginning == "/";
    if unconfined(&group.name) || group.stream.as_ref().is_none_or(unconfined) {
        sink["dangerously_allow_unconfined_template_resolution"] = json!(true);
    }
    if let Some(days) = group.retention_days {
        sink["retention"] = json!({"enabled": true, "days": days});
    }
    sink
}

/// A log of Google Cloud.
pub fn google_cloud_logging(log: &GoogleLog) -> Value {
    let field = |name: &str| format!("{{{{ resource.{name} }}}}");
    let sink = json!({
        "type": "gcp_stackdriver_logs",
        "project_id": log.project,
        "log_id": log.name,
        "severity_key": "severity",
        "resource": {
            "type": "k8s_container",
            "project_id": log.project,
            "cluster_name": log.cluster,
            "location": log.location,
            "namespace_name": field("namespace_name"),
            "pod_name": field("pod_name"),
            "container_name": field("container_name"),
        },
        // Names that Kubernetes has checked, and not the record itself, are put there.
        "dangerously_allow_unconfined_template_resolution": true,
        "encoding": {"except_fields": ["resource"]},
        "retry_strategy": retry_strategy(),
    });
    with_google_key(sink, log.key.as_ref())
}

/// A bucket of Google Cloud Storage.
pub fn gcs(output: &Output, bucket: &GoogleBucket) -> Value {
    let sink = json!({"type": "gcp_cloud_storage", "bucket": bucket.name});
    with_google_key(objects(sink, output, bucket.prefix.as_ref()), bucket.key.as_ref())
}

/// A topic of Pub/Sub.
pub fn pub_sub(topic: &GoogleTopic) -> Value {
    let sink = json!({
        "type": "gcp_pubsub",
        "project": topic.project,
        "topic": topic.name,
        "encoding": {"codec": "json"},
    });
    with_google_key(sink, topic.key.as_ref())
}

fn with_google_key(mut sink: Value, key: Option<&SecretKeyRef>) -> Value {
    if let Some(key) = key {
        sink["credentials_path"] = json!(secret_path(key));
    }
    sink
}

/// A table of Azure Monitor.
pub fn azure_monitor(table: &AzureTable) -> Value {
    json!({
        "type": "azure_logs_ingestion",
        "endpoint": table.endpoint.to_string(),
        "dcr_immutable_id": table.rule,
        "stream_name": format!("Custom-{}", table.name),
        "timestamp_field": "TimeGenerated",
        "auth": {
            "azure_credential_kind": "client_secret_credential",
            "azure_tenant_id": table.tenant,
            "azure_client_id": table.client,
            "azure_client_secret": secret(&table.client_secret),
        },
        "retry_strategy": retry_strategy(),
    })
}
