//! How exporters compress what they send.

use serde_json::{Value, json};
use tributary_crds::compression::Compression;

use crate::pipeline::{Destination, Output};

/// Says in an exporter's settings how its requests are compressed, where there is a choice.
pub fn choose(settings: &mut Value, output: &Output) {
    let name = json!(name(output.compression));
    match &output.destination {
        Destination::Elasticsearch { .. }
        | Destination::OpenSearch { .. }
        | Destination::Loki { .. }
        | Destination::Otlp { .. } => settings["compression"] = name,
        Destination::Kafka { .. } => settings["producer"]["compression"] = name,
        Destination::S3(_) => settings["s3uploader"]["compression"] = name,
        // It knows gzip alone.
        Destination::Splunk { .. } | Destination::Http { .. } => {
            settings["disable_compression"] = json!(output.compression == Compression::None);
        }
        Destination::Datadog { .. }
        | Destination::CloudWatch(_)
        | Destination::GoogleCloudLogging(_)
        | Destination::BigQuery(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::AzureMonitor(_)
        | Destination::Syslog { .. }
        | Destination::Forward { .. }
        | Destination::Stdout
        | Destination::File { .. } => {}
    }
}

fn name(way: Compression) -> &'static str {
    match way {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}
