//! Destinations in Google Cloud.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{KEY_PREFIX, KEY_PREFIX_ADVICE};
use crate::auth::SecretKeyRef;
use crate::placeholder;

/// A project's ID, perhaps with the domain that it belongs to.
const PROJECT_ID: &str = r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]*[a-z0-9]$";

/// A log of Google Cloud Logging, such as `{projectId: my-project, clusterName: prod, location: europe-west1}` with the identity that
/// Google gives the agent's pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GoogleCloudLogging {
    /// The project's ID, not its number.
    #[schemars(length(min = 1, max = 63), regex(pattern = PROJECT_ID))]
    pub project_id: String,

    /// The log. Default `tributary`.
    #[serde(default = "GoogleCloudLogging::default_log_name")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_.-]+$"))]
    pub log_name: String,

    /// The cluster that entries come from.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_.-]+$"))]
    pub cluster_name: String,

    /// Its region or zone, such as `europe-west1`; outside of Google Cloud, the nearest.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9-]*$"))]
    pub location: String,

    /// A service account's key. Absent: the identity that Google gives the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretKeyRef>,
}

impl GoogleCloudLogging {
    fn default_log_name() -> String {
        "tributary".to_owned()
    }
}

/// A table of `BigQuery`, such as `{projectId: my-project, dataset: logs, table: records}` with the identity that Google gives the agent's
/// pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BigQuery {
    /// The project's ID, not its number.
    #[schemars(length(min = 1, max = 63), regex(pattern = PROJECT_ID))]
    pub project_id: String,

    /// The dataset, which must exist.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_]+$"))]
    pub dataset: String,

    /// The table, which must exist with the columns of the standard record.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub table: String,

    /// A service account's key. Absent: the identity that Google gives the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretKeyRef>,
}

/// A bucket of Google Cloud Storage, such as `{bucket: app-logs, prefix: logs/prod}` with the identity that Google gives the agent's pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Gcs {
    /// The bucket, which must exist.
    #[schemars(
        length(min = 3, max = 222),
        regex(pattern = r"^[a-z0-9][a-z0-9._-]*[a-z0-9]$")
    )]
    pub bucket: String,

    /// What every object's name begins with, such as `logs/prod`; may hold placeholders. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = placeholder::rule(KEY_PREFIX, KEY_PREFIX_ADVICE))]
    pub prefix: Option<String>,

    /// A service account's key. Absent: the identity that Google gives the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretKeyRef>,
}

/// A topic of Pub/Sub, such as `{projectId: my-project, topic: logs}` with the identity that Google gives the agent's pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PubSub {
    /// The project's ID, not its number.
    #[schemars(length(min = 1, max = 63), regex(pattern = PROJECT_ID))]
    pub project_id: String,

    /// The topic, which must exist.
    #[schemars(length(min = 3, max = 255), regex(pattern = r"^[A-Za-z][A-Za-z0-9_.~+-]*$"))]
    pub topic: String,

    /// A service account's key. Absent: the identity that Google gives the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretKeyRef>,
}
