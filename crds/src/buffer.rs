//! What waits on disk.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What waits on the node's disk while the destination is slow or away.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Buffer {
    /// A Kubernetes quantity of bytes on each node, at least 16Mi. Default 1Gi.
    #[serde(default = "Buffer::default_max_size")]
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = Rule::new("isQuantity(self) && quantity(self).compareTo(quantity('16Mi')) >= 0")
            .message("write a size of at least 16Mi, such as 512Mi or 2Gi")
    )]
    pub max_size: String,

    /// Default `Block`.
    #[serde(default)]
    pub when_full: WhenFull,
}

impl Buffer {
    fn default_max_size() -> String {
        "1Gi".to_owned()
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self {
            max_size: Self::default_max_size(),
            when_full: WhenFull::default(),
        }
    }
}

/// What happens when a buffer is full.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum WhenFull {
    /// The agent stops reading; nothing is lost that the node still holds.
    #[default]
    Block,
    /// The oldest records are dropped (`FluentBit`, `Fluentd`).
    DropOldest,
    /// New records are dropped (`OpenTelemetryCollector`, `Fluentd`, `Vector`).
    DropNewest,
}
