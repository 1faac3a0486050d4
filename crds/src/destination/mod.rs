//! Destinations that have settings of their own beyond an address.

mod aws;
mod azure;
mod google;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use aws::{AwsCredentials, CloudWatch, S3};
pub use azure::AzureMonitor;
pub use google::{BigQuery, Gcs, GoogleCloudLogging, PubSub};

use crate::auth::SecretKeyRef;
use crate::placeholder;

/// What an index of Elasticsearch or `OpenSearch` may be called, for [`placeholder::rule`].
pub(crate) const INDEX: &str = "^[a-z0-9]([a-z0-9._-]|@)*$";
pub(crate) const INDEX_ADVICE: &str =
    "write lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit";

/// What names of objects may begin with, for [`placeholder::rule`]: names with slashes between them, which do not begin with a dot.
const KEY_PREFIX: &str = "^[A-Za-z0-9=_-]([A-Za-z0-9.=_-]|@)*(/([A-Za-z0-9=_-]|@)([A-Za-z0-9.=_-]|@)*)*$";
const KEY_PREFIX_ADVICE: &str = "write names of letters, digits, dots, dashes, underscores and equals signs with slashes between them, such as logs/prod";

/// Whether a text is `HOST:PORT`, with brackets around an IPv6 address.
const HOST_AND_PORT: &str = "self.matches('^([^]/@,:[ ]+|[[][0-9a-fA-F:]+[]]):[0-9]+$')";

/// `OpenSearch`, such as `{url: "https://opensearch.logging:9200", index: app-logs}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OpenSearch {
    /// `https://HOST:PORT`.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/@]+(/[^@]*)?$')")
            .message("write an absolute URL without credentials, such as https://opensearch.logging:9200; credentials go to auth.basic")
    )]
    pub url: String,

    /// The index or data stream; may hold placeholders. Default `tributary`.
    #[serde(default = "OpenSearch::default_index")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = placeholder::rule(INDEX, INDEX_ADVICE))]
    pub index: String,
}

impl OpenSearch {
    fn default_index() -> String {
        "tributary".to_owned()
    }
}

/// Splunk's HTTP Event Collector, such as
/// `{url: "https://splunk.example:8088", tokenSecretRef: {name: splunk, key: token}, index: main}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Splunk {
    /// `https://HOST:8088`, without the path of the event collector.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/@]+/?$')")
            .message("write the event collector's base URL, such as https://splunk.example:8088, without a path or credentials")
    )]
    pub url: String,

    /// The token of the event collector.
    pub token_secret_ref: SecretKeyRef,

    /// May hold placeholders. Absent: the token's default index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80))]
    #[x_kube(
        validation = placeholder::rule(
            "^[a-z0-9_]([a-z0-9_-]|@)*$",
            "write lower-case letters, digits, dashes and underscores, not beginning with a dash"
        )
    )]
    pub index: Option<String>,

    /// Absent: the token's default source type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9:._-]+$"))]
    pub source_type: Option<String>,
}

/// A topic of Kafka, such as `{brokers: ["kafka-0.kafka:9092"], topic: logs}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Kafka {
    /// `HOST:PORT` of at least one broker; the others are found through it. At most 16.
    #[schemars(length(min = 1, max = 16), inner(length(max = 300)))]
    #[x_kube(
        validation = Rule::new("self.all(broker, broker.matches('^([^]/@,:[ ]+|[[][0-9a-fA-F:]+[]]):[0-9]+$'))")
            .message("write brokers as HOST:PORT, such as kafka-0.kafka:9092, without a scheme")
    )]
    pub brokers: Vec<String>,

    /// The topic; may hold placeholders.
    #[schemars(length(min = 1, max = 249))]
    #[x_kube(
        validation = placeholder::rule(
            "^[A-Za-z0-9_-]([A-Za-z0-9._-]|@)*$",
            "write letters, digits, dots, dashes and underscores, not beginning with a dot"
        )
    )]
    pub topic: String,

    /// How `auth.basic` is proven. Default `Plain`.
    #[serde(default)]
    pub sasl_mechanism: SaslMechanism,
}

/// How user and password are proven to Kafka.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum SaslMechanism {
    /// The password itself; with `tls` only the broker can read it.
    #[default]
    Plain,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

impl SaslMechanism {
    /// The name that is registered for it, which all engines use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Datadog, such as `{site: datadoghq.eu, apiKeySecretRef: {name: datadog, key: api-key}}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Datadog {
    /// The site of the organization. Default `datadoghq.com`.
    #[serde(default = "Datadog::default_site")]
    #[schemars(length(max = 200))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$') && !self.startsWith('http-intake.')")
            .message("write the site alone, such as datadoghq.eu or us5.datadoghq.com; the host of the intake follows from it")
    )]
    pub site: String,

    /// An API key; application keys are others.
    pub api_key_secret_ref: SecretKeyRef,

    /// The `service` of every record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[A-Za-z0-9:._/-]+$"))]
    pub service: Option<String>,

    /// The `ddsource` of every record, by which Datadog chooses a pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[A-Za-z0-9:._/-]+$"))]
    pub source: Option<String>,
}

impl Datadog {
    fn default_site() -> String {
        "datadoghq.com".to_owned()
    }
}

/// A server that takes RFC 5424 over TCP, such as `{address: "syslog.example:6514"}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Syslog {
    /// `HOST:PORT`.
    #[schemars(length(max = 300))]
    #[x_kube(
        validation = Rule::new(HOST_AND_PORT)
            .message("write HOST:PORT, such as syslog.example:6514, without a scheme")
    )]
    pub address: String,
}

/// A log destination of Papertrail, such as `{address: "logs2.papertrailapp.com:12345"}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Papertrail {
    /// `HOST:PORT`, as Papertrail shows it.
    #[schemars(length(max = 300))]
    #[x_kube(
        validation = Rule::new(HOST_AND_PORT)
            .message("write HOST:PORT, such as logs2.papertrailapp.com:12345, without a scheme")
    )]
    pub address: String,
}

/// An aggregator that speaks Fluentd's protocol, such as
/// `{address: "fluentd.logging:24224", sharedKeySecretRef: {name: fluentd, key: shared-key}}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Forward {
    /// `HOST:PORT`.
    #[schemars(length(max = 300))]
    #[x_kube(
        validation = Rule::new(HOST_AND_PORT)
            .message("write HOST:PORT, such as fluentd.logging:24224, without a scheme")
    )]
    pub address: String,

    /// What both sides know. Absent: neither proves who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_key_secret_ref: Option<SecretKeyRef>,
}
