//! Where records go.

mod cloud;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_crds::compression::Compression;
use tributary_crds::destination::SaslMechanism;
use tributary_crds::output::WhenFull;

use super::credentials::{api_key, http_auth, secret, transport_security};
use super::{Transform, conditions, names, record};
use crate::CompileError;
use crate::config::FILES_DIRECTORY;
use crate::pipeline::{Auth, Buffer, Destination, Output, Pipeline};
use crate::url::Url;

/// Vector refuses a disk buffer that cannot hold two of its files of 128 MiB and its index.
const LEAST_BUFFER: u64 = 268_435_488;
/// The most bytes of one request, before compression. A receiver of OTLP takes 4 MiB.
const LARGEST_OTLP: u64 = 3 << 20;
const LARGEST_POST: u64 = 8 << 20;
/// What Splunk's own clients send at once.
const LARGEST_SPLUNK_POST: u64 = 1_000_000;
/// Statuses after which the same request is sent again: those that say nothing about the records. Wrong credentials and addresses
/// are somebody's to mend, not a reason to throw records away.
const RETRY_ON_STATUS: [u16; 17] = [
    401, 403, 404, 408, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529,
];

/// The name of an output's sink, which no other part of the configuration has.
pub fn sink_name(output: &Output) -> String {
    format!("to-{}", output.name)
}

/// What leads to the sink of an output, and the sink.
pub fn render(
    pipeline: &Pipeline,
    output: &Output,
    inputs: &[String],
) -> Result<(Option<Transform>, Value), CompileError> {
    let program = [
        selection(output),
        names::program(&output.destination),
        shape(&output.destination),
    ]
    .concat();
    let transform =
        (!program.is_empty()).then(|| Transform::program(format!("for-{}", output.name), inputs, program));
    let mut sink = sink(output)?;
    sink["inputs"] = match &transform {
        Some(transform) => json!([&transform.name]),
        None => json!(inputs),
    };
    sink["buffer"] = buffer(output);
    // The sources that can wait until records are in the buffers on disk do so where a sink asks for it.
    if !pipeline.sources.files.is_empty() || !pipeline.sources.units.is_empty() {
        // A sink within a sink is asked itself.
        let asked = match sink.get_mut("protocol") {
            Some(protocol) => protocol,
            None => &mut sink,
        };
        asked["acknowledgements"] = json!({"enabled": true});
    }
    Ok((transform, sink))
}

fn selection(output: &Output) -> String {
    if output.conditions.is_empty() {
        return String::new();
    }
    let wanted = conditions::all(&output.conditions);
    let mut program = String::new();
    for statement in &wanted.statements {
        program.push_str(statement);
        program.push('\n');
    }
    program.push_str("if !(");
    program.push_str(&wanted.expression);
    program.push_str(") {\n  abort\n}\n");
    program
}

/// What a destination makes of the standard record.
fn shape(destination: &Destination) -> String {
    match destination {
        Destination::Elasticsearch { .. } | Destination::OpenSearch { .. } => record::SEARCH.to_owned(),
        Destination::Loki { .. } | Destination::Otlp { .. } => record::otlp(),
        Destination::Splunk {
            index, source_type, ..
        } => record::splunk(index.as_ref(), source_type.as_deref()),
        Destination::CloudWatch(_) | Destination::AzureMonitor(_) => record::TIMESTAMP.to_owned(),
        Destination::Datadog { service, source, .. } => {
            record::datadog(service.as_deref(), source.as_deref())
        }
        Destination::Syslog { .. } => record::SYSLOG.to_owned(),
        Destination::GoogleCloudLogging(_) => record::GOOGLE_CLOUD_LOGGING.to_owned(),
        Destination::Kafka { .. }
        | Destination::S3(_)
        | Destination::BigQuery(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::Forward { .. }
        | Destination::Http { .. }
        | Destination::Stdout
        | Destination::File { .. } => String::new(),
    }
}

/// The sink's settings without what all sinks have in common. Requests are repeated for ever by default.
fn sink(output: &Output) -> Result<Value, CompileError> {
    Ok(match &output.destination {
        Destination::Elasticsearch { url, index } | Destination::OpenSearch { url, index } => {
            search(output, url, &names::setting("index", index))
        }
        Destination::Loki { url, tenant_id } => {
            let headers = tenant_id
                .iter()
                .map(|tenant| ("X-Scope-OrgID".to_owned(), tenant.clone()));
            otlp(output, &format!("{url}/otlp/v1/logs"), headers.collect())
        }
        Destination::Otlp { endpoint, .. } => otlp(output, &format!("{endpoint}/v1/logs"), BTreeMap::new()),
        Destination::Kafka {
            brokers,
            topic,
            sasl_mechanism,
        } => kafka(output, brokers, &names::setting("topic", topic), *sasl_mechanism),
        Destination::Splunk { url, token, .. } => splunk(output, url, &secret(token)),
        Destination::Datadog { host, api_key, .. } => datadog(output, host, &secret(api_key)),
        Destination::S3(bucket) => cloud::s3(output, bucket),
        Destination::CloudWatch(group) => cloud::cloud_watch(group),
        Destination::GoogleCloudLogging(log) => cloud::google_cloud_logging(log),
        Destination::Gcs(bucket) => cloud::gcs(output, bucket),
        Destination::PubSub(topic) => cloud::pub_sub(topic),
        Destination::AzureMonitor(table) => cloud::azure_monitor(table),
        Destination::Syslog {
            host,
            port,
            encrypted,
        } => syslog(output, host, *port, *encrypted),
        Destination::Http { url, headers } => http(output, url, headers),
        Destination::BigQuery(_) | Destination::Forward { .. } => {
            return Err(CompileError::field(
                format!("output {}", output.name),
                "has a destination to which engine Vector cannot send",
                "write another engine",
            ));
        }
        Destination::Stdout => lines(json!({"type": "console", "target": "stdout"})),
        Destination::File { name } => {
            lines(json!({"type": "file", "path": format!("{FILES_DIRECTORY}/{name}")}))
        }
    })
}

fn buffer(output: &Output) -> Value {
    match output.destination {
        // What is written at once need not be written twice.
        Destination::Stdout | Destination::File { .. } => {
            json!({"type": "memory", "max_events": 500, "when_full": "block"})
        }
        _ => disk_buffer(output.buffer),
    }
}

fn disk_buffer(buffer: Buffer) -> Value {
    json!({
        "type": "disk",
        "max_size": buffer.max_size.max(LEAST_BUFFER),
        "when_full": match buffer.when_full {
            // Vector cannot drop the oldest, which is refused for this engine.
            WhenFull::Block | WhenFull::DropOldest => "block",
            WhenFull::DropNewest => "drop_newest",
        },
    })
}

/// One JSON text a line.
fn lines(mut sink: Value) -> Value {
    sink["encoding"] = json!({"codec": "json"});
    sink["framing"] = json!({"method": "newline_delimited"});
    sink
}

/// As Vector calls it.
fn compression(way: Compression) -> &'static str {
    match way {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}

fn with_tls(output: &Output, mut sink: Value) -> Value {
    let tls = transport_security(output.tls.as_ref());
    if !tls.is_empty() {
        sink["tls"] = Value::Object(tls);
    }
    sink
}

/// `tls` for sinks that have it on only where it says so.
fn with_tls_enabled(output: &Output, mut sink: Value, enabled: bool) -> Value {
    let mut tls = transport_security(output.tls.as_ref());
    tls.insert("enabled".to_owned(), json!(enabled));
    sink["tls"] = Value::Object(tls);
    sink
}

fn search(output: &Output, url: &Url, index: &str) -> Value {
    let mut sink = json!({
        "type": "elasticsearch",
        "endpoints": [url.to_string()],
        // OpenSearch, too, takes what this one is: requests without types of documents.
        "api_version": "v8",
        "mode": "bulk",
        // Indices and data streams take that alike.
        "bulk": {"action": "create", "index": index},
        "compression": compression(output.compression),
        // Otherwise, a server with too much to do loses the records of a request that it did not take.
        "request_retry_partial": true,
    });
    match &output.auth {
        Some(Auth::Basic { username, password }) => {
            sink["auth"] = json!({"strategy": "basic", "user": username, "password": secret(password)});
        }
        Some(Auth::Bearer { token }) => {
            let token = format!("Bearer {}", secret(token));
            sink["request"] = json!({"headers": {"Authorization": token}});
        }
        Some(Auth::ApiKey { .. }) => {
            sink["request"] = json!({"headers": BTreeMap::from_iter(api_key(output))});
        }
        None => {}
    }
    with_tls(output, sink)
}

fn otlp(output: &Output, uri: &str, mut headers: BTreeMap<String, String>) -> Value {
    headers.extend(api_key(output));
    let mut protocol = json!({
        "type": "http",
        "uri": uri,
        "encoding": {"codec": "otlp"},
        "framing": {"method": "bytes"},
        "compression": compression(output.compression),
        "batch": {"max_bytes": LARGEST_OTLP, "timeout_secs": 1},
        "retry_strategy": retry_strategy(),
    });
    if !headers.is_empty() {
        protocol["request"] = json!({"headers": headers});
    }
    if let Some(auth) = http_auth(output) {
        protocol["auth"] = auth;
    }
    json!({"type": "opentelemetry", "protocol": with_tls(output, protocol)})
}

fn http(output: &Output, url: &Url, headers: &BTreeMap<String, String>) -> Value {
    let mut headers = headers.clone();
    headers.extend(api_key(output));
    let mut sink = lines(json!({
        "type": "http",
        "uri": url.to_string(),
        "method": "post",
        "compression": compression(output.compression),
        "batch": {"max_bytes": LARGEST_POST, "timeout_secs": 1},
        "retry_strategy": retry_strategy(),
    }));
    if !headers.is_empty() {
        sink["request"] = json!({"headers": headers});
    }
    if let Some(auth) = http_auth(output) {
        sink["auth"] = auth;
    }
    with_tls(output, sink)
}

fn retry_strategy() -> Value {
    json!({"type": "custom", "status_codes": RETRY_ON_STATUS})
}

fn kafka(output: &Output, brokers: &[String], topic: &str, mechanism: SaslMechanism) -> Value {
    let mut sink = json!({
        "type": "kafka",
        "bootstrap_servers": brokers.join(","),
        "topic": topic,
        "encoding": {"codec": "json"},
        "compression": compression(output.compression),
        // For ever. After the default of five minutes, records are lost.
        "message_timeout_ms": 0,
    });
    if let Some(Auth::Basic { username, password }) = &output.auth {
        sink["sasl"] = json!({
            "enabled": true,
            "mechanism": mechanism.name(),
            "username": username,
            "password": secret(password),
        });
    }
    if output.tls.is_some() {
        sink = with_tls_enabled(output, sink, true);
    }
    sink
}

/// Not by the sink of that name, which drops what a wrong token sends.
fn splunk(output: &Output, url: &Url, token: &str) -> Value {
    let sink = lines(json!({
        "type": "http",
        "uri": format!("{url}/services/collector/event"),
        "method": "post",
        "auth": {"strategy": "custom", "value": format!("Splunk {token}")},
        "request": {"headers": {"Content-Type": "application/json"}},
        "compression": compression(output.compression),
        "batch": {"max_bytes": LARGEST_SPLUNK_POST, "timeout_secs": 1},
        "retry_strategy": retry_strategy(),
    }));
    with_tls(output, sink)
}

fn datadog(output: &Output, host: &str, key: &str) -> Value {
    let sink = json!({
        "type": "datadog_logs",
        "endpoint": format!("https://{host}"),
        "default_api_key": key,
        "compression": compression(output.compression),
    });
    with_tls_enabled(output, sink, true)
}

fn syslog(output: &Output, host: &str, port: u16, encrypted: bool) -> Value {
    let address = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let sink = json!({
        "type": "socket",
        "mode": "tcp",
        "address": address,
        "encoding": {"codec": "text"},
        "framing": {"method": "newline_delimited"},
    });
    if encrypted {
        with_tls_enabled(output, sink, true)
    } else {
        sink
    }
}
