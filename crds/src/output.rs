//! Where records go.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::{Auth, SecretKeyRef, Tls};
pub use crate::buffer::{Buffer, WhenFull};
use crate::compression::Compression;
use crate::condition::Condition;
use crate::destination::{
    self, AwsCredentials, AzureMonitor, BigQuery, CloudWatch, Datadog, Forward, Gcs, GoogleCloudLogging,
    Kafka, OpenSearch, Papertrail, PubSub, S3, Splunk, Syslog,
};
use crate::placeholder;
use crate::support::{self, OutputSupport};

/// One destination, and what belongs to it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = support::add_output_rules)]
pub struct Output {
    /// Names the output in status, metrics and on disk: lower-case letters, digits and dashes, at most 40.
    #[schemars(
        length(min = 1, max = 40),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,

    /// Elasticsearch 7.16 or later: one document a record, with `@timestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elasticsearch: Option<Elasticsearch>,

    /// `OpenSearch` 1.0 or later: one document a record, with `@timestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_search: Option<OpenSearch>,

    /// Grafana Loki 3.0 or later. Labels stay few: namespace, pod and container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loki: Option<Loki>,

    /// Anything that speaks OTLP. Records follow the OpenTelemetry semantic conventions (`k8s.namespace.name`, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,

    /// A topic of Kafka 0.11 or later, one standard record as JSON a message. `tls` makes it TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<Kafka>,

    /// Splunk's HTTP Event Collector, one standard record an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splunk: Option<Splunk>,

    /// Datadog, one standard record a log, always by TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datadog: Option<Datadog>,

    /// A bucket of Amazon S3, one standard record as JSON a line of compressed objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,

    /// `CloudWatch` Logs of AWS, one standard record as JSON an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch: Option<CloudWatch>,

    /// Google Cloud Logging (Stackdriver), one standard record an entry of `k8s_container`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub google_cloud_logging: Option<GoogleCloudLogging>,

    /// A table of Google `BigQuery`, one standard record a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub big_query: Option<BigQuery>,

    /// A bucket of Google Cloud Storage, one standard record as JSON a line of compressed objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcs: Option<Gcs>,

    /// A topic of Google Cloud Pub/Sub, one standard record as JSON a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pub_sub: Option<PubSub>,

    /// Azure Monitor (Log Analytics), one standard record a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_monitor: Option<AzureMonitor>,

    /// A syslog server, one standard record as JSON a message. `tls` makes it TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syslog: Option<Syslog>,

    /// Papertrail, one standard record as JSON a message, always by TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub papertrail: Option<Papertrail>,

    /// Fluentd or Fluent Bit, one standard record an event. `tls` makes it TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<Forward>,

    /// A web server that takes JSON lines, one standard record a line, by POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,

    /// The agent's own stdout, one standard record as JSON a line. To look at what a policy does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Stdout>,

    /// A file on each node, one standard record as JSON a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,

    /// How the agent proves who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,

    /// How the agent checks who it talks to. Absent with `https://`: by the system's certificate authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// Only records that meet all of these conditions go to this output. At most 16.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,

    /// Absent: `Gzip` where the destination takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,

    /// What waits on the node's disk while the destination is slow or away.
    #[serde(default)]
    pub buffer: Buffer,
}

/// The one destination of an [`Output`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Destination<'a> {
    /// Elasticsearch.
    Elasticsearch(&'a Elasticsearch),
    /// `OpenSearch`.
    OpenSearch(&'a OpenSearch),
    /// Grafana Loki.
    Loki(&'a Loki),
    /// An OTLP receiver.
    Otlp(&'a Otlp),
    /// A topic of Kafka.
    Kafka(&'a Kafka),
    /// Splunk's HTTP Event Collector.
    Splunk(&'a Splunk),
    /// Datadog.
    Datadog(&'a Datadog),
    /// A bucket of Amazon S3.
    S3(&'a S3),
    /// A log group of `CloudWatch`.
    CloudWatch(&'a CloudWatch),
    /// A log of Google Cloud.
    GoogleCloudLogging(&'a GoogleCloudLogging),
    /// A table of `BigQuery`.
    BigQuery(&'a BigQuery),
    /// A bucket of Google Cloud Storage.
    Gcs(&'a Gcs),
    /// A topic of Pub/Sub.
    PubSub(&'a PubSub),
    /// A table of Azure Monitor.
    AzureMonitor(&'a AzureMonitor),
    /// A syslog server.
    Syslog(&'a Syslog),
    /// Papertrail.
    Papertrail(&'a Papertrail),
    /// An aggregator that speaks Fluentd's protocol.
    Forward(&'a Forward),
    /// A web server that takes JSON lines.
    Http(&'a Http),
    /// The agent's stdout.
    Stdout,
    /// A file on the node.
    File(&'a File),
}

impl Output {
    /// The destination that is set, or `None` when there is not exactly one (which the resource's schema refuses).
    pub fn destination(&self) -> Option<Destination<'_>> {
        let mut set = [
            self.elasticsearch.as_ref().map(Destination::Elasticsearch),
            self.open_search.as_ref().map(Destination::OpenSearch),
            self.loki.as_ref().map(Destination::Loki),
            self.otlp.as_ref().map(Destination::Otlp),
            self.kafka.as_ref().map(Destination::Kafka),
            self.splunk.as_ref().map(Destination::Splunk),
            self.datadog.as_ref().map(Destination::Datadog),
            self.s3.as_ref().map(Destination::S3),
            self.cloud_watch.as_ref().map(Destination::CloudWatch),
            self.google_cloud_logging
                .as_ref()
                .map(Destination::GoogleCloudLogging),
            self.big_query.as_ref().map(Destination::BigQuery),
            self.gcs.as_ref().map(Destination::Gcs),
            self.pub_sub.as_ref().map(Destination::PubSub),
            self.azure_monitor.as_ref().map(Destination::AzureMonitor),
            self.syslog.as_ref().map(Destination::Syslog),
            self.papertrail.as_ref().map(Destination::Papertrail),
            self.forward.as_ref().map(Destination::Forward),
            self.http.as_ref().map(Destination::Http),
            self.stdout.as_ref().map(|_| Destination::Stdout),
            self.file.as_ref().map(Destination::File),
        ]
        .into_iter()
        .flatten();
        let first = set.next();
        if set.next().is_some() { None } else { first }
    }

    /// Every key of a Secret that the output names.
    pub fn secret_keys(&self) -> impl Iterator<Item = &SecretKeyRef> {
        let basic = self.auth.iter().filter_map(|auth| auth.basic.as_ref());
        let bearer = self.auth.iter().filter_map(|auth| auth.bearer.as_ref());
        let api_key = self.auth.iter().filter_map(|auth| auth.api_key.as_ref());
        basic
            .map(|basic| &basic.password_secret_ref)
            .chain(bearer.map(|bearer| &bearer.token_secret_ref))
            .chain(api_key.map(|api_key| &api_key.key_secret_ref))
            .chain(self.destination().into_iter().flat_map(Destination::secret_keys))
            .chain(self.tls.iter().flat_map(Tls::secret_keys))
    }
}

impl<'a> Destination<'a> {
    /// Which engine can do what with it.
    pub fn support(&self) -> &'static OutputSupport {
        match self {
            Self::Elasticsearch(_) => &support::ELASTICSEARCH,
            Self::OpenSearch(_) => &support::OPEN_SEARCH,
            Self::Loki(_) => &support::LOKI,
            Self::Otlp(_) => &support::OTLP,
            Self::Kafka(_) => &support::KAFKA,
            Self::Splunk(_) => &support::SPLUNK,
            Self::Datadog(_) => &support::DATADOG,
            Self::S3(_) => &support::S3,
            Self::CloudWatch(_) => &support::CLOUD_WATCH,
            Self::GoogleCloudLogging(_) => &support::GOOGLE_CLOUD_LOGGING,
            Self::BigQuery(_) => &support::BIG_QUERY,
            Self::Gcs(_) => &support::GCS,
            Self::PubSub(_) => &support::PUB_SUB,
            Self::AzureMonitor(_) => &support::AZURE_MONITOR,
            Self::Syslog(_) => &support::SYSLOG,
            Self::Papertrail(_) => &support::PAPERTRAIL,
            Self::Forward(_) => &support::FORWARD,
            Self::Http(_) => &support::HTTP,
            Self::Stdout => &support::STDOUT,
            Self::File(_) => &support::FILE,
        }
    }

    /// Every key of a Secret that it names itself.
    fn secret_keys(self) -> Vec<&'a SecretKeyRef> {
        let of_aws = |credentials: &'a Option<AwsCredentials>| {
            let keys = credentials
                .iter()
                .flat_map(|aws| [&aws.access_key_id_secret_ref, &aws.secret_access_key_secret_ref]);
            keys.collect()
        };
        match self {
            Self::Splunk(to) => vec![&to.token_secret_ref],
            Self::Datadog(to) => vec![&to.api_key_secret_ref],
            Self::S3(to) => of_aws(&to.credentials),
            Self::CloudWatch(to) => of_aws(&to.credentials),
            Self::GoogleCloudLogging(to) => to.credentials_secret_ref.iter().collect(),
            Self::BigQuery(to) => to.credentials_secret_ref.iter().collect(),
            Self::Gcs(to) => to.credentials_secret_ref.iter().collect(),
            Self::PubSub(to) => to.credentials_secret_ref.iter().collect(),
            Self::AzureMonitor(to) => vec![&to.client_secret_ref],
            Self::Forward(to) => to.shared_key_secret_ref.iter().collect(),
            Self::Elasticsearch(_)
            | Self::OpenSearch(_)
            | Self::Loki(_)
            | Self::Otlp(_)
            | Self::Kafka(_)
            | Self::Syslog(_)
            | Self::Papertrail(_)
            | Self::Http(_)
            | Self::Stdout
            | Self::File(_) => Vec::new(),
        }
    }
}

/// Elasticsearch.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Elasticsearch {
    /// `https://HOST:PORT`.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/@]+(/[^@]*)?$')")
            .message("write an absolute URL without credentials, such as https://elasticsearch.logging:9200; credentials go to auth.basic")
    )]
    pub url: String,

    /// The index or data stream; may hold placeholders. Default `tributary`.
    #[serde(default = "Elasticsearch::default_index")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = placeholder::rule(destination::INDEX, destination::INDEX_ADVICE))]
    pub index: String,
}

impl Elasticsearch {
    fn default_index() -> String {
        "tributary".to_owned()
    }
}

/// Grafana Loki.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Loki {
    /// `http://HOST:PORT`, without the path of the push API.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/@]+/?$')")
            .message("write the server's base URL, such as http://loki.logging:3100, without a path or credentials")
    )]
    pub url: String,

    /// The tenant (`X-Scope-OrgID`) of a multi-tenant Loki.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 150), regex(pattern = r"^[A-Za-z0-9!._*'()-]+$"))]
    pub tenant_id: Option<String>,
}

/// An OTLP receiver.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Otlp {
    /// `http://HOST:4318` for `Http`, `http://HOST:4317` for `Grpc`; `https://` for TLS. With `Http`, `/v1/logs` is added.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/@]+(/[^@]*)?$')")
            .message("write an absolute URL without credentials, such as http://collector.logging:4318; credentials go to auth")
    )]
    pub endpoint: String,

    /// Default `Http`.
    #[serde(default)]
    pub protocol: OtlpProtocol,
}

/// The transport of OTLP.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum OtlpProtocol {
    /// Protocol buffers over HTTP.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}

/// A web server that takes JSON lines.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// `https://HOST:PORT/PATH`.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/@]+/[^@]+$')")
            .message("write an absolute URL with a path and without credentials, such as https://collector.logging/logs; credentials go to auth")
    )]
    pub url: String,

    /// Headers sent with every request. No secrets here: those go to `auth`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(
        validation = Rule::new("self.all(name, name.lowerAscii() != 'authorization')")
            .message("a policy is no place for a secret: write auth.basic, auth.bearer or auth.apiKey instead of an Authorization header")
    )]
    #[schemars(extend("maxProperties" = 16))]
    pub headers: BTreeMap<String, String>,
}

/// The agent's own stdout.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub struct Stdout {}

/// A file on each node.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Below `/var/log/tributary/`, the only directory of the node's that agents may write logs to.
    #[schemars(length(max = 255))]
    #[x_kube(
        validation = Rule::new("self.matches('^/var/log/tributary/[A-Za-z0-9._-]+$')")
            .message("write a file directly in /var/log/tributary/, such as /var/log/tributary/all.jsonl")
    )]
    pub path: String,
}
