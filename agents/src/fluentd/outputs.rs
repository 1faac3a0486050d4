//! Where records go.

use serde_json::json;
use tributary_crds::compression::Compression;
use tributary_crds::destination::SaslMechanism;

use super::config::{Section, Setting};
use super::settings::{authority, compression, matching};
use super::{buffer, data, http};
use crate::cloud::{Bucket, GoogleBucket, GoogleTable, LogGroup};
use crate::config::{FILES_DIRECTORY, secret_path};
use crate::pipeline::{Auth, Destination, Output, Pipeline};
use crate::template::Template;

/// The section of an output, in its label.
pub fn section(pipeline: &Pipeline, output: &Output) -> Section {
    let section = match &output.destination {
        Destination::Elasticsearch { .. }
        | Destination::OpenSearch { .. }
        | Destination::Loki { .. }
        | Destination::Otlp { .. }
        | Destination::Splunk { .. }
        | Destination::Datadog { .. }
        | Destination::Http { .. } => http::section(output),
        Destination::Kafka {
            brokers,
            topic,
            sasl_mechanism,
        } => kafka(pipeline, output, &brokers.join(","), topic, *sasl_mechanism),
        Destination::S3(bucket) => s3(bucket, output.compression),
        Destination::CloudWatch(group) => cloud_watch(group),
        Destination::BigQuery(table) => big_query(table),
        Destination::Gcs(bucket) => gcs(bucket, output.compression),
        Destination::Syslog {
            host,
            port,
            encrypted,
        } => syslog(output, host, *port, *encrypted),
        Destination::Forward { host, port, .. } => forward(pipeline, output, host, *port),
        Destination::Stdout => matching("stdout").with(json_lines()),
        Destination::File { name } => file(name),
        // The compiler refuses them.
        Destination::GoogleCloudLogging(_) | Destination::PubSub(_) | Destination::AzureMonitor(_) => {
            matching("null")
        }
    };
    let section = section.set("@id", output.name.as_str());
    let section = match &output.destination {
        // It writes at once, and has no buffer.
        Destination::Stdout => section,
        Destination::S3(_) | Destination::Gcs(_) => section.with(buffer::of_objects(output)),
        _ => section.with(buffer::section(output)),
    };
    Section::new("label").argument(data::label(output)).with(section)
}

fn json_lines() -> Section {
    Section::new("format").set("@type", "json")
}

fn kafka(
    pipeline: &Pipeline,
    output: &Output,
    brokers: &str,
    topic: &Template,
    mechanism: SaslMechanism,
) -> Section {
    let mut section = matching("kafka2")
        .set("brokers", brokers)
        // Without one, the topic is the tag.
        .set_some("default_topic", topic.fixed())
        .set("use_event_time", "true")
        .set("required_acks", "-1")
        .set_some(
            "compression_codec",
            (output.compression != Compression::None).then(|| compression(output.compression)),
        )
        .with(json_lines());
    if let Some(tls) = &output.tls {
        section = match &tls.ca {
            Some(ca) => section.set("ssl_ca_cert", json!([secret_path(ca)]).to_string()),
            None => section.set("ssl_ca_certs_from_system", "true"),
        };
        if let Some(client) = &tls.client {
            section = section
                .set("ssl_client_cert", secret_path(&client.certificate))
                .set("ssl_client_cert_key", secret_path(&client.key));
        }
    }
    let Some(Auth::Basic { username, password }) = &output.auth else {
        return section;
    };
    let mechanism = match mechanism {
        SaslMechanism::Plain => None,
        SaslMechanism::ScramSha256 => Some("sha256"),
        SaslMechanism::ScramSha512 => Some("sha512"),
    };
    section
        .set("username", username.as_str())
        .set("password", Setting::Variable(pipeline.secret_variable(password)))
        .set_some("scram_mechanism", mechanism)
        // Otherwise it sends no credentials without TLS.
        .set("sasl_over_ssl", output.tls.is_some().to_string())
}

/// Where objects of an hour are. The name is that of the chunk, so that sending it again replaces it.
fn object_path(prefix: Option<&Template>) -> String {
    // Where it differs between records, it is the tag.
    let prefix = prefix
        .map(|prefix| format!("{}/", prefix.fixed().unwrap_or("${tag}")))
        .unwrap_or_default();
    format!("{prefix}year=%Y/month=%m/day=%d/hour=%H/")
}

fn object_name(way: Compression) -> &'static str {
    match way {
        // The extension would be that of any text.
        Compression::None => "%{path}logs_%{hex_random}.jsonl",
        Compression::Gzip | Compression::Snappy | Compression::Lz4 | Compression::Zstd => {
            "%{path}logs_%{hex_random}.jsonl.%{file_extension}"
        }
    }
}

fn s3(bucket: &Bucket, way: Compression) -> Section {
    let mut section = matching("s3")
        .set("s3_bucket", bucket.name.as_str())
        .set("s3_region", bucket.region.as_str())
        .set("path", object_path(bucket.prefix.as_ref()))
        .set("s3_object_key_format", object_name(way))
        .set("hex_random_length", "16")
        .set("store_as", compression(way))
        // Nothing is asked of the bucket but to take objects, and nothing at the start, which must not fail.
        .set("check_apikey_on_start", "false")
        .set("auto_create_bucket", "false")
        .set("check_bucket", "false")
        .set("check_object", "false")
        .with(json_lines());
    if let Some(endpoint) = &bucket.endpoint {
        section = section
            .set("s3_endpoint", endpoint.to_string())
            .set("force_path_style", "true");
    }
    section
}

fn big_query(table: &GoogleTable) -> Section {
    matching("tributary_bigquery")
        .set("project", table.project.as_str())
        .set("dataset", table.dataset.as_str())
        .set("table", table.name.as_str())
        .set_some("key_file", table.key.as_ref().map(secret_path))
}

fn gcs(bucket: &GoogleBucket, way: Compression) -> Section {
    matching("gcs")
        .set("bucket", bucket.name.as_str())
        .set_some("keyfile", bucket.key.as_ref().map(secret_path))
        .set("path", object_path(bucket.prefix.as_ref()))
        .set("object_key_format", object_name(way))
        .set("hex_random_length", "32")
        .set("store_as", compression(way))
        .set("auto_create_bucket", "false")
        .set("blind_write", "true")
        .with(json_lines())
}

fn cloud_watch(group: &LogGroup) -> Section {
    let section = matching("cloudwatch_logs").set("region", group.region.as_str());
    // Names that differ are beside the line, which alone is sent.
    let section = match group.name.fixed() {
        Some(name) => section.set("log_group_name", name),
        None => section.set("log_group_name_key", "group"),
    };
    let section = match &group.stream {
        Some(stream) => match stream.fixed() {
            Some(name) => section.set("log_stream_name", name),
            None => section.set("log_stream_name_key", "stream"),
        },
        None => section.set("log_stream_name", Setting::Variable("K8S_NODE_NAME".to_owned())),
    };
    section
        .set("auto_create_stream", "true")
        .set_some(
            "retention_in_days",
            group.retention_days.map(|days| days.to_string()),
        )
        // It would drop a batch that was held back 17 times.
        .set("put_log_events_disable_retry_limit", "true")
        .with(
            Section::new("format")
                .set("@type", "single_value")
                .set("message_key", "line")
                .set("add_newline", "false"),
        )
}

fn syslog(output: &Output, host: &str, port: u16, encrypted: bool) -> Section {
    let tls = output.tls.as_ref();
    let client = tls.and_then(|tls| tls.client.as_ref());
    matching("tributary_syslog")
        .set("host", host)
        .set("port", port.to_string())
        .set("tls", encrypted.to_string())
        .set_some("ca_file", authority(tls))
        .set_some(
            "client_certificate",
            client.map(|client| secret_path(&client.certificate)),
        )
        .set_some("client_key", client.map(|client| secret_path(&client.key)))
        .set_some("server_name", tls.and_then(|tls| tls.server_name.as_deref()))
        .set(
            "insecure",
            tls.is_some_and(|tls| tls.insecure_skip_verify).to_string(),
        )
}

fn forward(pipeline: &Pipeline, output: &Output, host: &str, port: u16) -> Section {
    let mut section = matching("forward")
        .set("require_ack_response", "true")
        .set("ack_response_timeout", "60s")
        .set("compress", compression(output.compression))
        // A connection that fails says it as well, and an aggregator that is away must not keep the agent from starting.
        .set("heartbeat_type", "none")
        .set("ignore_network_errors_at_startup", "true")
        .set("connect_timeout", "10s");
    if let Some(tls) = &output.tls {
        section = section
            .set("transport", "tls")
            .set("tls_insecure_mode", tls.insecure_skip_verify.to_string())
            .set_some(
                "tls_ca_cert_path",
                authority(Some(tls)).map(|path| json!([path]).to_string()),
            );
        if let Some(client) = &tls.client {
            section = section
                .set("tls_client_cert_path", secret_path(&client.certificate))
                .set("tls_client_private_key_path", secret_path(&client.key));
        }
    }
    if let Destination::Forward {
        shared_key: Some(key),
        ..
    } = &output.destination
    {
        section = section.with(
            Section::new("security")
                .set("self_hostname", Setting::Variable("K8S_NODE_NAME".to_owned()))
                .set("shared_key", Setting::Variable(pipeline.secret_variable(key))),
        );
    }
    section.with(
        Section::new("server")
            .set("host", host)
            .set("port", port.to_string()),
    )
}

fn file(name: &str) -> Section {
    matching("file")
        .set("path", format!("{FILES_DIRECTORY}/{name}"))
        .set("append", "true")
        .set("add_path_suffix", "false")
        .with(json_lines())
}
