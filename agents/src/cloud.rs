//! Destinations of the public clouds, checked.

use tributary_crds::auth::SecretKeyRef;

use crate::template::Template;
use crate::url::Url;

/// A bucket of Amazon S3, or of what has its API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// What keys begin with, without slashes at its ends.
    pub prefix: Option<Template>,
    /// Another server than Amazon's, without a path.
    pub endpoint: Option<Url>,
    /// Absent: the identity of the agent's pod.
    pub credentials: Option<AwsCredentials>,
}

/// A log group of `CloudWatch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// The region.
    pub region: String,
    /// The group's name: letters, digits and `_/.#-`, as in [`LogGroup::stream`].
    pub name: Template,
    /// The stream. Absent: the name of the agent's node.
    pub stream: Option<Template>,
    /// How many days a group that the agent makes keeps records: one of [`RETENTIONS`]. Absent: for ever.
    ///
    /// [`RETENTIONS`]: tributary_crds::destination::CloudWatch::RETENTIONS
    pub retention_days: Option<i32>,
    /// Absent: the identity of the agent's pod.
    pub credentials: Option<AwsCredentials>,
}

/// An access key of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsCredentials {
    /// Its identifier.
    pub access_key_id: SecretKeyRef,
    /// Its secret part.
    pub secret_access_key: SecretKeyRef,
}

impl AwsCredentials {
    /// The access key by the variables of the environment that clients of AWS look at.
    pub fn environment(&self) -> [(String, SecretKeyRef); 2] {
        [
            ("AWS_ACCESS_KEY_ID".to_owned(), self.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), self.secret_access_key.clone()),
        ]
    }
}

/// A log of Google Cloud Logging, whose entries are of the monitored resource `k8s_container`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleLog {
    /// The project's ID.
    pub project: String,
    /// The log's name: letters, digits and `_.-`.
    pub name: String,
    /// The resource's `cluster_name`.
    pub cluster: String,
    /// The resource's `location`.
    pub location: String,
    /// A service account's key in JSON. Absent: the identity of the agent's pod.
    pub key: Option<SecretKeyRef>,
}

/// A table of `BigQuery`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleTable {
    /// The project's ID.
    pub project: String,
    /// The dataset: letters, digits and underscores.
    pub dataset: String,
    /// The table's name: letters, digits, underscores and dashes.
    pub name: String,
    /// A service account's key in JSON. Absent: the identity of the agent's pod.
    pub key: Option<SecretKeyRef>,
}

/// A bucket of Google Cloud Storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleBucket {
    /// The bucket's name.
    pub name: String,
    /// What names of objects begin with, without slashes at its ends.
    pub prefix: Option<Template>,
    /// A service account's key in JSON. Absent: the identity of the agent's pod.
    pub key: Option<SecretKeyRef>,
}

/// A topic of Google Cloud Pub/Sub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleTopic {
    /// The project's ID.
    pub project: String,
    /// The topic's name: letters, digits and `_.~+-`.
    pub name: String,
    /// A service account's key in JSON. Absent: the identity of the agent's pod.
    pub key: Option<SecretKeyRef>,
}

/// A table of Azure Monitor, reached by its Logs Ingestion API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureTable {
    /// The data collection endpoint, by TLS and without a path.
    pub endpoint: Url,
    /// The immutable ID of the data collection rule.
    pub rule: String,
    /// The table, whose name ends in `_CL`; the rule's stream is `Custom-` and this.
    pub name: String,
    /// The tenant's ID.
    pub tenant: String,
    /// The application's ID.
    pub client: String,
    /// Its secret.
    pub client_secret: SecretKeyRef,
}
