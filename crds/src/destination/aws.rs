//! Destinations in AWS.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KEY_PREFIX, KEY_PREFIX_ADVICE};
use crate::auth::SecretKeyRef;
use crate::placeholder;

/// What a log group and its streams may be called, for [`placeholder::rule`].
const LOG_GROUP: &str = "^[A-Za-z0-9_/.#-]([A-Za-z0-9_/.#-]|@)*$";
const LOG_GROUP_ADVICE: &str = "write letters, digits, slashes, dots, dashes, underscores and number signs";

/// A bucket of Amazon S3, or of what has its API, such as
/// `{bucket: app-logs, region: eu-central-1}` with the identity that AWS gives the agent's pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct S3 {
    /// The bucket, which must exist.
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$"))]
    pub bucket: String,

    /// The region of the bucket, such as `eu-central-1`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9-]*$"))]
    pub region: String,

    /// What every object's key begins with; may hold placeholders. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = placeholder::rule(KEY_PREFIX, KEY_PREFIX_ADVICE))]
    pub prefix: Option<String>,

    /// The server of another S3, such as `https://minio.storage:9000`. Absent: Amazon's of the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/@]+/?$')")
            .message("write the server's base URL, such as https://minio.storage:9000, without a path or credentials")
    )]
    pub endpoint: Option<String>,

    /// An access key. Absent: the identity that AWS gives the agent's pod or node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<AwsCredentials>,
}

/// An access key of AWS. All outputs of a policy have the same.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsCredentials {
    /// Its identifier.
    pub access_key_id_secret_ref: SecretKeyRef,
    /// Its secret part.
    pub secret_access_key_secret_ref: SecretKeyRef,
}

/// A log group of `CloudWatch` Logs, such as `{region: eu-central-1, logGroup: /prod/apps, retentionDays: 30}` with the identity that
/// AWS gives the agent's pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CloudWatch {
    /// The region, such as `eu-central-1`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9-]*$"))]
    pub region: String,

    /// The log group, made when absent; may hold placeholders.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = placeholder::rule(LOG_GROUP, LOG_GROUP_ADVICE))]
    pub log_group: String,

    /// The stream, made when absent; may hold placeholders. Absent: the name of the agent's node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = placeholder::rule(LOG_GROUP, LOG_GROUP_ADVICE))]
    pub log_stream: Option<String>,

    /// For how many days a group that the agent makes keeps records. Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = CloudWatch::RETENTIONS))]
    pub retention_days: Option<i32>,

    /// An access key. Absent: the identity that AWS gives the agent's pod or node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<AwsCredentials>,
}

impl CloudWatch {
    /// The retentions, in days, that `CloudWatch` and every engine know.
    pub const RETENTIONS: [i32; 17] = [
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653,
    ];
}
