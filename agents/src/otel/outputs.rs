//! Where records go.

mod cloud;
mod compression;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tributary_crds::output::{OtlpProtocol, WhenFull};

use super::confmap::text;
use super::{credentials, ottl, processors, record};
use crate::CompileError;
use crate::config::FILES_DIRECTORY;
use crate::pipeline::{Bucket, Buffer, Destination, Output, Pipeline, Place};
use crate::template::Template;
use crate::url::Url;

/// A queue that cannot hold one batch would block for ever, so none is smaller than a batch of the longest messages.
pub const LEAST_QUEUE: u64 = 64 << 20;
/// The most bytes of JSON lines in one POST. A message of the longest size has no more, even when all of it is escaped.
const LARGEST_POST: u64 = 8 << 20;
/// How often the Elasticsearch exporter tries; it knows no "for ever", and this many take 2,000 years.
const ENDLESS_RETRIES: u32 = i32::MAX as u32;
/// Statuses after which Elasticsearch gets the same request again. Wrong credentials are somebody's to mend, not a
/// reason to throw records away.
const RETRY_ON_STATUS: [u16; 8] = [401, 403, 408, 429, 500, 502, 503, 504];

/// The parts of the configuration that one output adds, each under its full name.
pub struct Rendered {
    /// The extension that authenticates.
    pub extension: Option<(String, Value)>,
    /// In the order in which records pass them.
    pub processors: Vec<(String, Value)>,
    /// The exporter.
    pub exporter: (String, Value),
}

/// Retries without an end.
pub fn endless_retry() -> Value {
    json!({"enabled": true, "initial_interval": "1s", "max_interval": "30s", "max_elapsed_time": "0s"})
}

/// Renders one output of a pipeline.
pub fn render(pipeline: &Pipeline, output: &Output) -> Result<Rendered, CompileError> {
    let name = &output.name;
    let mut steps = Vec::new();
    if !output.conditions.is_empty() {
        steps.push((
            format!("filter/{name}"),
            processors::drop_where(&ottl::clause_violations(&output.conditions)),
        ));
    }
    let (kind, exporter) = exporter(pipeline, output)?;
    match &output.destination {
        Destination::Elasticsearch { index, .. } | Destination::OpenSearch { index, .. } => {
            steps.push((
                format!("transform/{name}"),
                record::elasticsearch(pipeline, index),
            ));
        }
        Destination::Splunk { .. } => {
            steps.push((format!("transform/{name}"), record::splunk(pipeline)));
        }
        Destination::Syslog { .. } => {
            steps.push((format!("transform/{name}"), record::syslog(pipeline)));
        }
        Destination::CloudWatch(_) => {
            steps.push((
                format!("transform/{name}"),
                cloud::record_of_cloud_watch(pipeline),
            ));
        }
        Destination::GoogleCloudLogging(log) => {
            steps.push((
                format!("transform/{name}"),
                cloud::record_of_google(pipeline, log),
            ));
        }
        Destination::Kafka { .. }
        | Destination::S3(_)
        | Destination::Http { .. }
        | Destination::Stdout
        | Destination::File { .. } => {
            steps.push((format!("transform/{name}"), record::standard(pipeline)));
        }
        Destination::Loki { .. } | Destination::Otlp { .. } if super::steps::alter(pipeline) => {
            steps.push((format!("transform/{name}"), record::opentelemetry()));
        }
        Destination::Datadog { .. }
        | Destination::Forward { .. }
        | Destination::BigQuery(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::AzureMonitor(_)
        | Destination::Loki { .. }
        | Destination::Otlp { .. } => {}
    }
    if gives_up(output) {
        steps.push((
            format!("batch/{name}"),
            json!({"timeout": "200ms", "send_batch_size": 1024}),
        ));
    }
    Ok(Rendered {
        extension: credentials::extension(pipeline, output),
        processors: steps,
        exporter: (format!("{kind}/{name}"), exporter),
    })
}

/// Whether what cannot be delivered is dropped. An error would make the receiver repeat the records to every output;
/// the batch processor is what keeps errors from it.
fn gives_up(output: &Output) -> bool {
    matches!(output.destination, Destination::Stdout | Destination::File { .. })
        || output.buffer.when_full == WhenFull::DropNewest
}

/// The exporter's type and settings.
fn exporter(pipeline: &Pipeline, output: &Output) -> Result<(&'static str, Value), CompileError> {
    Ok(match &output.destination {
        // OpenSearch takes the same requests; the exporter of its name cannot send the record as it is.
        Destination::Elasticsearch { url, index } | Destination::OpenSearch { url, index } => (
            "elasticsearch",
            network(pipeline, output, elasticsearch(url, index)),
        ),
        Destination::Loki { url, tenant_id } => {
            let mut settings = otlp_http(&format!("{url}/otlp"));
            if let Some(tenant) = tenant_id {
                settings.push(("headers", json!({"X-Scope-OrgID": text(tenant)})));
            }
            ("otlp_http", network(pipeline, output, settings))
        }
        Destination::Otlp { endpoint, protocol } => {
            let (kind, settings) = match protocol {
                OtlpProtocol::Http => ("otlp_http", otlp_http(&endpoint.to_string())),
                OtlpProtocol::Grpc => ("otlp_grpc", otlp_grpc(endpoint)),
            };
            (kind, network(pipeline, output, settings))
        }
        Destination::Kafka {
            brokers,
            topic,
            sasl_mechanism,
        } => {
            let mut settings = kafka(brokers, &topic.beginning);
            settings.extend(credentials::sasl(pipeline, output, *sasl_mechanism).map(|sasl| ("auth", sasl)));
            ("kafka", network(pipeline, output, settings))
        }
        Destination::Splunk {
            url,
            index,
            source_type,
            ..
        } => (
            "splunk_hec",
            network(
                pipeline,
                output,
                splunk(url, index.as_ref(), source_type.as_deref()),
            ),
        ),
        Destination::Syslog {
            host,
            port,
            encrypted,
        } => {
            let mut settings = syslog(host, *port);
            if !encrypted {
                settings.push(("tls", json!({"insecure": true})));
            }
            ("syslog", network(pipeline, output, settings))
        }
        Destination::S3(bucket) => {
            let exporter = network(pipeline, output, s3(bucket));
            ("awss3", in_objects(exporter, pipeline.place))
        }
        Destination::CloudWatch(group) => {
            let exporter = network(pipeline, output, cloud::cloud_watch(group));
            ("awscloudwatchlogs", cloud::in_requests(exporter))
        }
        Destination::GoogleCloudLogging(_) => (
            "otlp_http",
            network(pipeline, output, cloud::google_cloud_logging()),
        ),
        Destination::Datadog { .. }
        | Destination::Forward { .. }
        | Destination::BigQuery(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::AzureMonitor(_) => {
            return Err(CompileError::field(
                format!("output {}", output.name),
                "has a destination to which engine OpenTelemetryCollector cannot send",
                "write another engine",
            ));
        }
        Destination::Http { url, headers } => (
            "splunk_hec",
            network(
                pipeline,
                output,
                http(url, headers, credentials::authorizes(output)),
            ),
        ),
        Destination::Stdout => (
            "file",
            json!({"path": "/dev/stdout", "append": true, "encoding": super::LINES, "flush_interval": "200ms"}),
        ),
        Destination::File { name } => (
            "file",
            json!({
                "path": text(&format!("{FILES_DIRECTORY}/{name}")),
                "encoding": super::LINES,
                "rotation": {"max_megabytes": 100, "max_backups": 3},
            }),
        ),
    })
}

fn elasticsearch(url: &Url, index: &Template) -> Vec<(&'static str, Value)> {
    vec![
        ("endpoints", json!([text(&url.to_string())])),
        // Empty, each record says its own: `record::elasticsearch`.
        ("logs_index", text(index.fixed().unwrap_or_default())),
        // It would bound all tries of a batch together.
        ("timeout", json!("0s")),
        (
            "retry",
            json!({
                "enabled": true,
                "max_retries": ENDLESS_RETRIES,
                "initial_interval": "1s",
                "max_interval": "30s",
                "retry_on_status": RETRY_ON_STATUS,
            }),
        ),
    ]
}

fn kafka(brokers: &[String], topic: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("brokers", brokers.iter().map(|broker| text(broker)).collect()),
        // A record's body, which is a map, as JSON.
        ("logs", json!({"topic": text(topic), "encoding": "raw"})),
        // Acknowledged by every replica that is in step.
        ("producer", json!({"required_acks": -1})),
        ("timeout", json!("30s")),
        ("retry_on_failure", endless_retry()),
    ]
}

fn splunk(url: &Url, index: Option<&Template>, source_type: Option<&str>) -> Vec<(&'static str, Value)> {
    let mut settings = vec![
        ("endpoint", text(&format!("{url}/services/collector"))),
        // Required, and overwritten by the authenticator, which reads it again when it changes.
        ("token", json!("unused")),
        ("splunk_app_name", json!("tributary")),
        ("timeout", json!("30s")),
        ("retry_on_failure", endless_retry()),
    ];
    settings.extend(index.map(|index| ("index", text(&index.beginning))));
    settings.extend(source_type.map(|source_type| ("sourcetype", text(source_type))));
    settings
}

fn s3(bucket: &Bucket) -> Vec<(&'static str, Value)> {
    let mut uploader = json!({
        "s3_bucket": text(&bucket.name),
        "region": text(&bucket.region),
        "s3_partition_format": "year=%Y/month=%m/day=%d/hour=%H",
        "s3_partition_timezone": "UTC",
        // The default is a number, which two agents may both draw; the second object would replace the first.
        "unique_key_func_name": "uuidv7",
    });
    if let Some(prefix) = &bucket.prefix {
        uploader["s3_prefix"] = text(&prefix.beginning);
    }
    if let Some(endpoint) = &bucket.endpoint {
        uploader["endpoint"] = text(&endpoint.to_string());
        // Other servers seldom have a name for each bucket.
        uploader["s3_force_path_style"] = json!(true);
    }
    vec![
        ("s3uploader", uploader),
        ("encoding", json!(super::LINES)),
        ("encoding_file_extension", json!("jsonl")),
        ("timeout", json!("60s")),
        ("retry_on_failure", endless_retry()),
    ]
}

/// Makes a batch large, because each becomes an object. What waits for it is in the queue on disk.
fn in_objects(mut exporter: Value, place: Place) -> Value {
    let flush_timeout = match place {
        Place::Node => "30s",
        // Within the time that a sidecar has at the pod's end.
        Place::Pod => "1s",
    };
    exporter["sending_queue"]["batch"] =
        json!({"sizer": "bytes", "flush_timeout": flush_timeout, "min_size": 4 << 20, "max_size": 8 << 20});
    exporter
}

fn syslog(host: &str, port: u16) -> Vec<(&'static str, Value)> {
    vec![
        ("endpoint", text(host)),
        ("port", json!(port)),
        ("network", json!("tcp")),
        ("protocol", json!("rfc5424")),
        ("timeout", json!("30s")),
        ("retry_on_failure", endless_retry()),
    ]
}

fn http(url: &Url, headers: &BTreeMap<String, String>, authenticated: bool) -> Vec<(&'static str, Value)> {
    vec![
        ("endpoint", text(&url.to_string())),
        ("headers", http_headers(headers, authenticated)),
        // Required, and overwritten by `headers` or by the authenticator.
        ("token", json!("unused")),
        ("export_raw", json!(true)),
        ("max_content_length_logs", json!(LARGEST_POST)),
        ("splunk_app_name", json!("tributary")),
        ("timeout", json!("30s")),
        ("retry_on_failure", endless_retry()),
    ]
}

fn otlp_http(endpoint: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("endpoint", text(endpoint)),
        ("timeout", json!("30s")),
        ("retry_on_failure", endless_retry()),
    ]
}

fn otlp_grpc(endpoint: &Url) -> Vec<(&'static str, Value)> {
    let mut settings = vec![
        ("endpoint", text(&endpoint.authority())),
        ("timeout", json!("30s")),
        ("retry_on_failure", endless_retry()),
    ];
    if !endpoint.https {
        settings.push(("tls", json!({"insecure": true})));
    }
    settings
}

/// Settings, with those that every exporter with a network has.
fn network(
    pipeline: &Pipeline,
    output: &Output,
    settings: impl IntoIterator<Item = (&'static str, Value)>,
) -> Value {
    let mut all: Map<String, Value> = settings
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    all.insert("sending_queue".to_owned(), queue(pipeline.place, output.buffer));
    if let Some((name, _)) = credentials::extension(pipeline, output) {
        all.insert("auth".to_owned(), json!({"authenticator": name}));
    }
    if let Some(tls) = &output.tls {
        all.insert("tls".to_owned(), credentials::transport_security(pipeline, tls));
    }
    let mut all = Value::Object(all);
    compression::choose(&mut all, output);
    all
}

fn queue(place: Place, buffer: Buffer) -> Value {
    let flush_timeout = match place {
        Place::Node => "500ms",
        // What waits here at the pod's end has to be sent within what is left of the grace period.
        Place::Pod => "200ms",
    };
    json!({
        "enabled": true,
        "storage": "file_storage/queue",
        "sizer": "bytes",
        "queue_size": buffer.max_size.max(LEAST_QUEUE),
        "num_consumers": 4,
        "block_on_overflow": buffer.when_full == WhenFull::Block,
        "batch": {"sizer": "bytes", "flush_timeout": flush_timeout, "min_size": 1 << 20, "max_size": 4 << 20},
    })
}

/// The exporter speaks Splunk's protocol by itself: its own media type and credential are replaced.
fn http_headers(headers: &BTreeMap<String, String>, authenticated: bool) -> Value {
    let mut all = Map::new();
    if !authenticated {
        all.insert("Authorization".to_owned(), json!(""));
    }
    if !headers
        .keys()
        .any(|name| name.eq_ignore_ascii_case("content-type"))
    {
        all.insert("Content-Type".to_owned(), json!("application/x-ndjson"));
    }
    all.extend(headers.iter().map(|(name, value)| (name.clone(), text(value))));
    Value::Object(all)
}
