//! Where records go.

mod cloud_watch;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::compression::Compression;
use tributary_crds::output::{OtlpProtocol, WhenFull};

use super::record;
use crate::CompileError;
use crate::config::{FILES_DIRECTORY, secret_path};
use crate::pipeline::{Auth, Destination, Output, Tls};
use crate::url::Url;

/// One output, and the variables of the environment that it names.
pub struct Rendered {
    /// The entry of `pipeline.outputs`.
    pub section: Value,
    /// Variable to key of a Secret; the program cannot read credentials from files.
    pub secret_env: BTreeMap<String, SecretKeyRef>,
}

/// Renders the output at a position of the policy's list.
pub fn render(position: usize, output: &Output) -> Result<Rendered, CompileError> {
    let mut section = destination(output)?;
    let mut set = |key: &str, value: Value| section.insert(key.to_owned(), value);
    set("match", json!("*"));
    set("alias", json!(output.name));
    set("retry_limit", json!("no_limits"));
    // The script's state is for one thread.
    set("workers", json!("1"));
    if output.buffer.when_full == WhenFull::DropOldest {
        set(
            "storage.total_limit_size",
            json!(output.buffer.max_size.to_string()),
        );
    }
    if output.compression != Compression::None
        && let Some(setting) = compression_setting(&output.destination)
    {
        set(setting, json!(output.compression.as_str().to_lowercase()));
    }
    let processors = processors(output);
    if !processors.is_empty() {
        set("processors", json!({"logs": processors}));
    }
    let mut secret_env = BTreeMap::new();
    let variable = format!("TRIBUTARY_SECRET_{position}");
    if let Some((key, secret)) = own_credential(&output.destination) {
        section.insert(key.to_owned(), json!(reference(&variable)));
        secret_env.insert(variable, secret.clone());
    } else if let Some(auth) = &output.auth {
        let secret = authenticate(&mut section, &output.destination, auth, &variable);
        secret_env.insert(variable, secret);
    }
    if let Some(aws) = output.aws_credentials() {
        secret_env.extend(aws.environment());
    }
    if let Destination::Kafka { .. } = &output.destination {
        section.extend(kafka_security(output));
    }
    if let Some(host) = encrypted_host(output) {
        section.extend(transport_security(host, output.tls.as_ref()));
    }
    Ok(Rendered {
        section: Value::Object(section),
        secret_env,
    })
}

/// The setting that says how the plugin compresses, where it has one.
fn compression_setting(destination: &Destination) -> Option<&'static str> {
    match destination {
        Destination::Elasticsearch { .. }
        | Destination::OpenSearch { .. }
        | Destination::Loki { .. }
        | Destination::Otlp {
            protocol: OtlpProtocol::Http,
            ..
        }
        | Destination::Splunk { .. }
        | Destination::Datadog { .. }
        | Destination::Forward { .. }
        | Destination::Http { .. } => Some("compress"),
        Destination::Kafka { .. } => Some("rdkafka.compression.codec"),
        // Of gRPC, the plugin compresses nothing.
        Destination::Otlp {
            protocol: OtlpProtocol::Grpc,
            ..
        }
        | Destination::S3(_)
        | Destination::CloudWatch(_)
        | Destination::GoogleCloudLogging(_)
        | Destination::BigQuery(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::AzureMonitor(_)
        | Destination::Syslog { .. }
        | Destination::Stdout
        | Destination::File { .. } => None,
    }
}

/// The setting that holds the credential of a destination's own, and where it comes from.
fn own_credential(destination: &Destination) -> Option<(&'static str, &SecretKeyRef)> {
    match destination {
        Destination::Splunk { token, .. } => Some(("splunk_token", token)),
        Destination::Datadog { api_key, .. } => Some(("apikey", api_key)),
        Destination::Forward { shared_key, .. } => Some(("shared_key", shared_key.as_ref()?)),
        _ => None,
    }
}

fn processors(output: &Output) -> Vec<Value> {
    let mut processors = Vec::new();
    if !output.conditions.is_empty() {
        processors.push(record::lua(&format!("keep_{}", output.name)));
    }
    match &output.destination {
        Destination::Loki { .. } => processors.push(record::lua("loki")),
        Destination::Otlp { .. } => processors.push(record::lua("otlp")),
        // The plugin adds the time by itself.
        Destination::Kafka { .. } => {
            processors.push(json!({"name": "record_modifier", "remove_key": "time"}));
        }
        Destination::Syslog { .. } => processors.push(record::lua("syslog")),
        Destination::CloudWatch(_) => processors.push(cloud_watch::recent()),
        Destination::Elasticsearch { .. }
        | Destination::OpenSearch { .. }
        | Destination::Splunk { .. }
        | Destination::Datadog { .. }
        | Destination::S3(_)
        | Destination::GoogleCloudLogging(_)
        | Destination::BigQuery(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::AzureMonitor(_)
        | Destination::Forward { .. }
        | Destination::Http { .. }
        | Destination::Stdout
        | Destination::File { .. } => {}
    }
    processors
}

/// The host that the plugin speaks to by TLS.
fn encrypted_host(output: &Output) -> Option<&str> {
    match &output.destination {
        Destination::Syslog { host, encrypted, .. } => encrypted.then_some(host),
        Destination::Datadog { host, .. } => Some(host),
        Destination::Forward { host, .. } => output.tls.as_ref().map(|_| host.as_str()),
        other => other.url().filter(|url| url.https).map(|url| url.host.as_str()),
    }
}

/// The settings of the plugin.
fn destination(output: &Output) -> Result<Map<String, Value>, CompileError> {
    let destination = &output.destination;
    let settings = match destination {
        Destination::Elasticsearch { index, .. } => search("es", &index.beginning),
        Destination::OpenSearch { index, .. } => search("opensearch", &index.beginning),
        Destination::Loki { tenant_id, .. } => loki(tenant_id.as_deref()),
        Destination::Otlp { endpoint, protocol } => otlp(endpoint, *protocol),
        Destination::Kafka { brokers, topic, .. } => kafka(brokers, &topic.beginning),
        Destination::Splunk {
            index, source_type, ..
        } => splunk(
            index.as_ref().map(|index| index.beginning.as_str()),
            source_type.as_deref(),
        ),
        Destination::Datadog {
            host,
            service,
            source,
            ..
        } => datadog(host, service.as_deref(), source.as_deref()),
        Destination::CloudWatch(group) => cloud_watch::settings(group),
        Destination::S3(_)
        | Destination::GoogleCloudLogging(_)
        | Destination::BigQuery(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::AzureMonitor(_) => {
            return Err(CompileError::field(
                format!("output {}", output.name),
                "has a destination to which engine FluentBit cannot send",
                "write another engine",
            ));
        }
        Destination::Syslog {
            host,
            port,
            encrypted,
        } => syslog(host, *port, *encrypted),
        Destination::Forward { host, port, .. } => forward(host, *port),
        Destination::Http { url, headers } => http(url, headers),
        Destination::Stdout => json!({"name": "stdout", "format": "json_lines", "json_date_key": "false"}),
        Destination::File { name } => json!({
            "name": "file",
            "path": FILES_DIRECTORY,
            "file": name,
            "format": "plain",
            "rotate": "on",
            "rotate_max_size": "100M",
            "rotate_max_files": "3",
            "rotate_gzip": "off",
        }),
    };
    let mut settings = match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    if let Some(url) = destination.url() {
        settings.insert("host".to_owned(), json!(url.host));
        settings.insert("port".to_owned(), json!(url.port));
    }
    if let Destination::Elasticsearch { url, .. } | Destination::OpenSearch { url, .. } = destination
        && !url.path.is_empty()
    {
        settings.insert("path".to_owned(), json!(url.path));
    }
    Ok(settings)
}

/// Elasticsearch and what has the same API.
fn search(plugin: &str, index: &str) -> Value {
    json!({
        "name": plugin,
        "index": index,
        "suppress_type_name": "on",
        "replace_dots": "on",
        "time_key": "@timestamp",
        "time_key_nanos": "on",
        // A batch that is sent again makes no second documents.
        "generate_id": "on",
        "trace_error": "on",
    })
}

fn kafka(brokers: &[String], topic: &str) -> Value {
    json!({
        "name": "kafka",
        "brokers": brokers.join(","),
        "topics": topic,
        "format": "json",
        // The same key and the same text as in the standard record.
        "timestamp_key": "time",
        "timestamp_format": "iso8601_ns",
        // No limit: a batch that is tried again from its start would double what had found a place in the queue.
        "queue_full_retries": "0",
        // What is in the queue counts as delivered, and a kill loses it.
        "rdkafka.queue.buffering.max.kbytes": "16384",
        // The client would drop the whole batch around a record that is larger; a broker refuses that record alone.
        "rdkafka.message.max.bytes": "4194304",
        // Never: after 5 minutes by default, messages are dropped.
        "rdkafka.message.timeout.ms": "0",
    })
}

/// What the Kafka client needs to know about TLS and SASL together.
fn kafka_security(output: &Output) -> Map<String, Value> {
    let protocol = match (&output.tls, &output.auth) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    let mut settings = Map::from_iter([("rdkafka.security.protocol".to_owned(), json!(protocol))]);
    if let Some(tls) = &output.tls {
        let verify = !tls.insecure_skip_verify;
        settings.insert(
            "rdkafka.enable.ssl.certificate.verification".to_owned(),
            json!(verify.to_string()),
        );
        let names = if verify { "https" } else { "none" };
        settings.insert(
            "rdkafka.ssl.endpoint.identification.algorithm".to_owned(),
            json!(names),
        );
        if let Some(ca) = &tls.ca {
            settings.insert("rdkafka.ssl.ca.location".to_owned(), json!(secret_path(ca)));
        }
        if let Some(client) = &tls.client {
            let certificate = json!(secret_path(&client.certificate));
            settings.insert("rdkafka.ssl.certificate.location".to_owned(), certificate);
            let key = json!(secret_path(&client.key));
            settings.insert("rdkafka.ssl.key.location".to_owned(), key);
        }
    }
    settings
}

fn splunk(index: Option<&str>, source_type: Option<&str>) -> Value {
    let mut settings = json!({"name": "splunk", "event_host": "$kubernetes['host']"});
    if let Some(index) = index {
        settings["event_index"] = json!(index);
    }
    if let Some(source_type) = source_type {
        settings["event_sourcetype"] = json!(source_type);
    }
    settings
}

fn datadog(host: &str, service: Option<&str>, source: Option<&str>) -> Value {
    let mut settings = json!({
        "name": "datadog",
        "host": host,
        "port": 443,
        // The key of the line, which it would look for under another.
        "dd_message_key": "message",
        "dd_hostname": "${K8S_NODE_NAME}",
    });
    if let Some(service) = service {
        settings["dd_service"] = json!(service);
    }
    if let Some(source) = source {
        settings["dd_source"] = json!(source);
    }
    settings
}

fn syslog(host: &str, port: u16, encrypted: bool) -> Value {
    json!({
        "name": "syslog",
        "host": host,
        "port": port,
        "mode": if encrypted { "tls" } else { "tcp" },
        "syslog_format": "rfc5424",
        // More than the longest record; what is longer is cut.
        "syslog_maxsize": "4M",
        // What the script has put into the record. Facility user, severity informational.
        "syslog_message_key": "message",
        "syslog_hostname_key": "hostname",
        "syslog_appname_key": "appname",
        "syslog_facility_preset": "1",
        "syslog_severity_preset": "6",
    })
}

fn forward(host: &str, port: u16) -> Value {
    json!({
        "name": "forward",
        "host": host,
        "port": port,
        "require_ack_response": "on",
        // Fluentd does not know them.
        "retain_metadata_in_forward_mode": "off",
    })
}

/// The script has put into the record what the labels name, and the rest into `metadata`.
fn loki(tenant_id: Option<&str>) -> Value {
    const LABELS: [&str; 3] = ["k8s_namespace_name", "k8s_pod_name", "k8s_container_name"];
    let mut settings = json!({
        "name": "loki",
        "labels": LABELS.map(|label| format!("{label}=${label}")).join(","),
        "structured_metadata_map_keys": "$metadata",
        "remove_keys": format!("{},metadata", LABELS.join(",")),
        "line_format": "json",
        "drop_single_key": "raw",
    });
    if let Some(tenant) = tenant_id {
        settings["tenant_id"] = json!(tenant);
    }
    settings
}

fn otlp(endpoint: &Url, protocol: OtlpProtocol) -> Value {
    let mut settings = json!({
        "name": "opentelemetry",
        "logs_body_key": "$message",
        "logs_body_key_attributes": "on",
    });
    match protocol {
        OtlpProtocol::Http => settings["logs_uri"] = json!(format!("{}/v1/logs", endpoint.path)),
        OtlpProtocol::Grpc => {
            settings["grpc"] = json!("on");
            settings["http2"] = json!("on");
        }
    }
    settings
}

fn http(url: &Url, headers: &BTreeMap<String, String>) -> Value {
    let mut settings =
        json!({"name": "http", "uri": url.path, "format": "json_lines", "json_date_key": "false"});
    if !headers.is_empty() {
        settings["header"] = headers
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
    }
    settings
}

/// What Fluent Bit replaces by a variable of the environment.
fn reference(variable: &str) -> String {
    format!("${{{variable}}}")
}

/// Adds the credential, which the environment holds, and returns where it comes from.
fn authenticate(
    section: &mut Map<String, Value>,
    destination: &Destination,
    auth: &Auth,
    variable: &str,
) -> SecretKeyRef {
    let reference = reference(variable);
    match auth {
        Auth::Basic { username, password } => {
            let keys = if let Destination::Kafka { sasl_mechanism, .. } = destination {
                let mechanism = json!(sasl_mechanism.name());
                section.insert("rdkafka.sasl.mechanism".to_owned(), mechanism);
                ["rdkafka.sasl.username", "rdkafka.sasl.password"]
            } else {
                ["http_user", "http_passwd"]
            };
            section.insert(keys[0].to_owned(), json!(username));
            section.insert(keys[1].to_owned(), json!(reference));
            password.clone()
        }
        Auth::Bearer { token } => {
            if matches!(destination, Destination::Loki { .. }) {
                section.insert("bearer_token".to_owned(), json!(reference));
            } else {
                add_header(section, &format!("Authorization Bearer {reference}"));
            }
            token.clone()
        }
        Auth::ApiKey { key, header } => {
            match (destination, header) {
                (Destination::Elasticsearch { .. }, _) => {
                    section.insert("http_api_key".to_owned(), json!(reference));
                }
                (_, Some(header)) => add_header(section, &format!("{header} {reference}")),
                (_, None) => add_header(section, &format!("Authorization ApiKey {reference}")),
            }
            key.clone()
        }
    }
}

fn add_header(section: &mut Map<String, Value>, header: &str) {
    match section.get_mut("header") {
        Some(Value::Array(headers)) => headers.push(json!(header)),
        _ => {
            section.insert("header".to_owned(), json!([header]));
        }
    }
}

fn transport_security(host: &str, tls: Option<&Tls>) -> Map<String, Value> {
    let verify = if tls.is_some_and(|tls| tls.insecure_skip_verify) {
        "off"
    } else {
        "on"
    };
    let server_name = tls.and_then(|tls| tls.server_name.as_deref()).unwrap_or(host);
    let mut settings = Map::from_iter([
        ("tls".to_owned(), json!("on")),
        ("tls.verify".to_owned(), json!(verify)),
        // Off by default, which would accept any name that a known authority has signed.
        ("tls.verify_hostname".to_owned(), json!(verify)),
        ("tls.vhost".to_owned(), json!(server_name)),
    ]);
    if let Some(ca) = tls.and_then(|tls| tls.ca.as_ref()) {
        settings.insert("tls.ca_file".to_owned(), json!(secret_path(ca)));
    }
    if let Some(client) = tls.and_then(|tls| tls.client.as_ref()) {
        settings.insert("tls.crt_file".to_owned(), json!(secret_path(&client.certificate)));
        settings.insert("tls.key_file".to_owned(), json!(secret_path(&client.key)));
    }
    settings
}
