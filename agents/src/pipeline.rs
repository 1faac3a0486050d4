//! The engine-neutral model: what is collected, what is kept, where it goes. Everything in it has been checked.

use std::collections::{BTreeMap, BTreeSet};

use tributary_crds::auth::SecretKeyRef;
use tributary_crds::compression::Compression;
use tributary_crds::destination::SaslMechanism;
use tributary_crds::field::Field;
use tributary_crds::output::{OtlpProtocol, WhenFull};
use tributary_crds::policy::Engine;

pub use crate::cloud::{
    AwsCredentials, AzureTable, Bucket, GoogleBucket, GoogleLog, GoogleTable, GoogleTopic, LogGroup,
};
pub use crate::condition::{Clause, Predicate, Subject, Test};
use crate::multiline::Boundary;
use crate::step::Step;
use crate::template::Template;
use crate::url::Url;

/// What one policy's agent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// The policy's name: lower-case letters, digits and dashes, at most 40.
    pub policy: String,
    /// The program that does it.
    pub engine: Engine,
    /// Where it runs, and so what it reads.
    pub place: Place,
    /// What a node agent reads; nothing for one in a pod, whose files are the pod's to name.
    pub sources: Sources,
    /// Which containers' records are kept: those that meet every predicate.
    pub selection: Vec<Predicate>,
    /// What happens to every record, in this order.
    pub steps: Vec<Step>,
    /// Where the kept records go, in the policy's order; names are unique.
    pub outputs: Vec<Output>,
    /// What the agent's container may use, in bytes.
    pub memory_limit: u64,
}

/// Where an agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a node: it reads stdout and stderr of the node's pods. Its state and its Secrets outlive it.
    Node,
    /// In a pod: it reads files of the pod, and must start whatever is missing, or the application would not. Its state dies
    /// with the pod.
    Pod,
}

/// What a node agent reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Stdout and stderr of containers.
    pub containers: bool,
    /// Whether their logs may be links to Docker Engine's.
    pub docker: bool,
    /// Units of the node's journal, with their suffixes; empty when it is not read.
    pub units: Vec<String>,
    /// Paths of files of the node, below `/var/log`, of ASCII letters, digits and `._@-/`, in which `*` and `?` stand for characters
    /// of one name.
    pub files: Vec<String>,
}

/// One destination with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Lower-case letters, digits and dashes, at most 40.
    pub name: String,
    /// Where to.
    pub destination: Destination,
    /// Only records that meet every clause.
    pub conditions: Vec<Clause>,
    /// How the agent proves who it is.
    pub auth: Option<Auth>,
    /// How the agent checks who it talks to. Absent: by the system's certificate authorities.
    pub tls: Option<Tls>,
    /// How what goes there is compressed, where the engine has a choice.
    pub compression: Compression,
    /// What waits on disk.
    pub buffer: Buffer,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Elasticsearch.
    Elasticsearch {
        /// The server, with a path when a proxy adds one.
        url: Url,
        /// The index or data stream.
        index: Template,
    },
    /// `OpenSearch`.
    OpenSearch {
        /// The server, with a path when a proxy adds one.
        url: Url,
        /// The index or data stream.
        index: Template,
    },
    /// Grafana Loki, by OTLP.
    Loki {
        /// The server, without a path.
        url: Url,
        /// `X-Scope-OrgID`.
        tenant_id: Option<String>,
    },
    /// An OTLP receiver.
    Otlp {
        /// The base, to which OTLP over HTTP adds `/v1/logs`.
        endpoint: Url,
        /// HTTP or gRPC.
        protocol: OtlpProtocol,
    },
    /// A topic of Kafka.
    Kafka {
        /// `HOST:PORT`; not empty.
        brokers: Vec<String>,
        /// The topic.
        topic: Template,
        /// How user and password are proven.
        sasl_mechanism: SaslMechanism,
    },
    /// Splunk's HTTP Event Collector.
    Splunk {
        /// The server, without a path.
        url: Url,
        /// The token.
        token: SecretKeyRef,
        /// Absent: the token's default.
        index: Option<Template>,
        /// Absent: the token's default.
        source_type: Option<String>,
    },
    /// Datadog, always by TLS.
    Datadog {
        /// The host of the intake.
        host: String,
        /// The key.
        api_key: SecretKeyRef,
        /// Of every record.
        service: Option<String>,
        /// `ddsource` of every record.
        source: Option<String>,
    },
    /// A bucket of Amazon S3.
    S3(Bucket),
    /// A log group of `CloudWatch`.
    CloudWatch(LogGroup),
    /// A log of Google Cloud Logging.
    GoogleCloudLogging(GoogleLog),
    /// A table of `BigQuery`.
    BigQuery(GoogleTable),
    /// A bucket of Google Cloud Storage.
    Gcs(GoogleBucket),
    /// A topic of Google Cloud Pub/Sub.
    PubSub(GoogleTopic),
    /// A table of Azure Monitor.
    AzureMonitor(AzureTable),
    /// A server that takes RFC 5424 over TCP.
    Syslog {
        /// A DNS name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether by TLS.
        encrypted: bool,
    },
    /// An aggregator that speaks Fluentd's protocol; by TLS when the output has `tls`.
    Forward {
        /// A DNS name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// What both sides know.
        shared_key: Option<SecretKeyRef>,
    },
    /// A web server that takes JSON lines.
    Http {
        /// Where to POST.
        url: Url,
        /// Header name to value.
        headers: BTreeMap<String, String>,
    },
    /// The agent's stdout.
    Stdout,
    /// A file directly in `/var/log/tributary`.
    File {
        /// Its name there.
        name: String,
    },
}

/// How the agent proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// HTTP basic authentication.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretKeyRef,
    },
    /// `Authorization: Bearer TOKEN`.
    Bearer {
        /// The token.
        token: SecretKeyRef,
    },
    /// A key in a header.
    ApiKey {
        /// The key.
        key: SecretKeyRef,
        /// The header that holds it alone: letters, digits and dashes. Absent: `Authorization: ApiKey KEY`.
        header: Option<String>,
    },
}

/// How the agent checks who it talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities in PEM. Absent: those of the agent's image.
    pub ca: Option<SecretKeyRef>,
    /// What the agent shows to a server that asks for a certificate.
    pub client: Option<ClientCertificate>,
    /// The name that the server's certificate must carry. Absent: the host of the address.
    pub server_name: Option<String>,
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
}

/// A certificate of the agent's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// In PEM, with those between it and the authority.
    pub certificate: SecretKeyRef,
    /// In PEM.
    pub key: SecretKeyRef,
}

impl Tls {
    /// Every key of a Secret that it names.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretKeyRef> {
        let client = self.client.as_ref();
        let client = client
            .into_iter()
            .flat_map(|client| [&client.certificate, &client.key]);
        self.ca.iter().chain(client)
    }
}

/// What waits on disk while a destination is slow or away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes.
    pub max_size: u64,
    /// What happens when that is reached; one that the engine can do.
    pub when_full: WhenFull,
}

impl Pipeline {
    /// Every key of a Secret that the agent needs: a node agent's are in the namespace `tributary-agents`, a sidecar's in
    /// its pod's.
    pub fn secrets(&self) -> BTreeSet<SecretKeyRef> {
        self.outputs.iter().flat_map(Output::secrets).cloned().collect()
    }

    /// The variable of the environment that holds a key of a Secret, where an agent has them there.
    pub fn secret_variable(&self, key: &SecretKeyRef) -> String {
        let earlier = self.secrets().range(..key.clone()).count();
        format!("TRIBUTARY_SECRET_{earlier}")
    }

    /// Where records of several lines begin and end, when lines are joined.
    pub fn boundary(&self) -> Option<&Boundary> {
        self.steps.iter().find_map(Step::boundary)
    }

    /// The keys of namespace labels that the selection looks at.
    pub fn namespace_labels(&self) -> BTreeSet<&str> {
        self.selection
            .iter()
            .filter_map(|predicate| match &predicate.subject {
                Subject::NamespaceLabel(key) => Some(key.as_str()),
                Subject::Record(_) => None,
            })
            .collect()
    }

    /// The keys of pod labels that the selection, a step, a condition or a placeholder looks at.
    pub fn pod_labels(&self) -> BTreeSet<&str> {
        let of_outputs = self.outputs.iter().flat_map(|output| &output.conditions);
        let of_steps = self.steps.iter().flat_map(|step| &step.conditions);
        let conditions = of_steps.chain(of_outputs).flat_map(|clause| &clause.any_of);
        let subjects = self.selection.iter().chain(conditions);
        let fields = subjects.filter_map(|predicate| match &predicate.subject {
            Subject::Record(field) => Some(field),
            Subject::NamespaceLabel(_) => None,
        });
        let measured = self.steps.iter().flat_map(Step::measured_fields);
        let templates = self
            .outputs
            .iter()
            .flat_map(|output| output.destination.templates());
        fields
            .chain(measured)
            .chain(templates.flat_map(|(_, template)| template.fields()))
            .filter_map(|field| match field {
                Field::Label(key) => Some(key.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The access key of AWS by the variables of the environment that its clients look at.
    pub fn aws_environment(&self) -> BTreeMap<String, SecretKeyRef> {
        let credentials = self.outputs.iter().find_map(Output::aws_credentials);
        credentials
            .into_iter()
            .flat_map(AwsCredentials::environment)
            .collect()
    }

    /// Whether an output writes files to the node.
    pub fn writes_files(&self) -> bool {
        self.outputs
            .iter()
            .any(|output| matches!(output.destination, Destination::File { .. }))
    }
}

impl Destination {
    /// The address, where it is a URL whose scheme says whether the connection is encrypted.
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::Elasticsearch { url, .. }
            | Self::OpenSearch { url, .. }
            | Self::Splunk { url, .. }
            | Self::Loki { url, .. }
            | Self::Http { url, .. } => Some(url),
            Self::Otlp { endpoint, .. } => Some(endpoint),
            Self::Kafka { .. }
            | Self::Datadog { .. }
            | Self::S3(_)
            | Self::CloudWatch(_)
            | Self::GoogleCloudLogging(_)
            | Self::BigQuery(_)
            | Self::Gcs(_)
            | Self::PubSub(_)
            | Self::AzureMonitor(_)
            | Self::Syslog { .. }
            | Self::Forward { .. }
            | Self::Stdout
            | Self::File { .. } => None,
        }
    }
}

impl Destination {
    /// The names that may hold placeholders, each after its field in the policy.
    pub fn templates(&self) -> Vec<(&'static str, &Template)> {
        let names = match self {
            Self::Elasticsearch { index, .. } | Self::OpenSearch { index, .. } => {
                vec![("index", Some(index))]
            }
            Self::Kafka { topic, .. } => vec![("topic", Some(topic))],
            Self::Splunk { index, .. } => vec![("index", index.as_ref())],
            Self::S3(bucket) => vec![("prefix", bucket.prefix.as_ref())],
            Self::Gcs(bucket) => vec![("prefix", bucket.prefix.as_ref())],
            Self::CloudWatch(group) => vec![
                ("logGroup", Some(&group.name)),
                ("logStream", group.stream.as_ref()),
            ],
            Self::Loki { .. }
            | Self::Otlp { .. }
            | Self::Datadog { .. }
            | Self::GoogleCloudLogging(_)
            | Self::BigQuery(_)
            | Self::PubSub(_)
            | Self::AzureMonitor(_)
            | Self::Syslog { .. }
            | Self::Forward { .. }
            | Self::Http { .. }
            | Self::Stdout
            | Self::File { .. } => Vec::new(),
        };
        let given = |(field, template): (_, Option<_>)| Some((field, template?));
        names.into_iter().filter_map(given).collect()
    }
}

impl Output {
    /// The access key, for a destination in AWS that has one.
    pub fn aws_credentials(&self) -> Option<&AwsCredentials> {
        match &self.destination {
            Destination::S3(bucket) => bucket.credentials.as_ref(),
            Destination::CloudWatch(group) => group.credentials.as_ref(),
            _ => None,
        }
    }

    /// The service account's key, for a destination in Google Cloud that has one.
    pub fn google_key(&self) -> Option<&SecretKeyRef> {
        match &self.destination {
            Destination::GoogleCloudLogging(log) => log.key.as_ref(),
            Destination::BigQuery(table) => table.key.as_ref(),
            Destination::Gcs(bucket) => bucket.key.as_ref(),
            Destination::PubSub(topic) => topic.key.as_ref(),
            _ => None,
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &SecretKeyRef> {
        let token = match &self.destination {
            Destination::Splunk { token, .. } => Some(token),
            Destination::Datadog { api_key, .. } => Some(api_key),
            Destination::Forward { shared_key, .. } => shared_key.as_ref(),
            Destination::AzureMonitor(table) => Some(&table.client_secret),
            _ => self.google_key(),
        };
        let credential = self.auth.as_ref().map(|auth| match auth {
            Auth::Basic { password, .. } => password,
            Auth::Bearer { token } => token,
            Auth::ApiKey { key, .. } => key,
        });
        let aws = self.aws_credentials();
        credential
            .into_iter()
            .chain(token)
            .chain(
                aws.into_iter()
                    .flat_map(|aws| [&aws.access_key_id, &aws.secret_access_key]),
            )
            .chain(self.tls.iter().flat_map(Tls::secrets))
    }
}
