//! What each destination gets for a record.

use serde_json::{Map, Value, json};

use super::names;
use crate::level;
use crate::pipeline::Destination;

/// A shape that `tributary_records.rb` makes.
pub struct Shape {
    /// Its name there.
    pub name: &'static str,
    /// What it needs to know.
    pub settings: Value,
}

/// The shape that a destination asks for.
pub fn shape(destination: &Destination) -> Shape {
    let (name, settings) = match destination {
        Destination::Elasticsearch { index, .. } | Destination::OpenSearch { index, .. } => {
            ("search", json!({"index": names::of_each(Some(index))}))
        }
        Destination::Loki { .. } | Destination::Otlp { .. } => {
            let numbers = level::SEVERITY_NUMBERS.iter();
            let numbers: Map<_, _> = numbers
                .map(|(name, number)| ((*name).to_owned(), json!(number)))
                .collect();
            ("otlp", json!({"severityNumbers": numbers}))
        }
        Destination::Splunk {
            index, source_type, ..
        } => (
            "splunk",
            json!({"index": index.as_ref().map(names::name), "sourceType": source_type}),
        ),
        Destination::Datadog { service, source, .. } => {
            ("datadog", json!({"service": service, "source": source}))
        }
        Destination::Syslog { .. } => ("syslog", json!({})),
        Destination::CloudWatch(group) => (
            "line",
            json!({
                "group": names::of_each(Some(&group.name)),
                "stream": names::of_each(group.stream.as_ref()),
            }),
        ),
        Destination::BigQuery(_) => ("row", json!({})),
        Destination::Kafka { .. }
        | Destination::S3(_)
        | Destination::GoogleCloudLogging(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::AzureMonitor(_)
        | Destination::Forward { .. }
        | Destination::Http { .. }
        | Destination::Stdout
        | Destination::File { .. } => ("plain", json!({})),
    };
    Shape { name, settings }
}
