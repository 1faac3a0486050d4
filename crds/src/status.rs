//! What the operator says of a policy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator found and did.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LoggingPolicyStatus {
    /// The generation of the policy that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready`, `ConfigAccepted`, `NodeAgentReady`; `PodsServed` where pods ask; `Reconciling`, `Stalled` and `Overlapping` only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,

    /// The node agent, when the policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_agent: Option<NodeAgentStatus>,

    /// The sidecars, when the policy allows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<InjectionStatus>,
}

/// The node agent as it runs.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeAgentStatus {
    /// The engine that runs.
    pub engine: String,
    /// Nodes with a running agent and nodes that should have one, as `available/desired`.
    pub nodes: String,
    /// Nodes that should run the agent.
    pub desired: i32,
    /// Nodes that run this generation of it.
    pub updated: i32,
    /// Nodes on which the agent is available.
    pub available: i32,
    /// The hash of the agent's configuration, which is also part of its `ConfigMap`'s name.
    pub config_hash: String,
}

/// What the annotated pods that a policy serves got, as of the last look at all pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct InjectionStatus {
    /// Pods that have all that they ask of this policy and pods that ask, as `served/asking`.
    #[serde(default)]
    pub pods: String,
    /// Pods that carry streaming sidecars.
    #[serde(default)]
    pub streaming: i64,
    /// Pods that carry an agent sidecar.
    #[serde(default)]
    pub agent: i64,
    /// Pods that push for themselves.
    #[serde(default)]
    pub direct: i64,
    /// Of the pods with an agent sidecar, those whose configuration is older than the policy.
    #[serde(default)]
    pub outdated: i64,
    /// Why pods, or some of their files, got nothing: by reason, the most frequent first. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["reason".to_owned()]))]
    pub skipped: Vec<SkippedPods>,
}

/// Pods that did not get something, for one reason.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct SkippedPods {
    /// The code, as in docs/reference/reasons.md.
    pub reason: String,
    /// How many pods.
    pub count: i64,
    /// The first of them by name, as `NAMESPACE/NAME`. At most 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub pods: Vec<String>,
}

/// The types of the conditions in a policy's status.
pub mod condition_type {
    /// Everything that the policy asks for runs.
    pub const READY: &str = "Ready";
    /// A change is on its way; absent otherwise.
    pub const RECONCILING: &str = "Reconciling";
    /// The change cannot go on without somebody's help; absent otherwise.
    pub const STALLED: &str = "Stalled";
    /// The policy could be compiled and everything that it names exists.
    pub const CONFIG_ACCEPTED: &str = "ConfigAccepted";
    /// The node agent runs this generation on every reachable node.
    pub const NODE_AGENT_READY: &str = "NodeAgentReady";
    /// Every annotated pod that the policy serves has what it asks for, in this generation of the policy; absent where no pod asks.
    pub const PODS_SERVED: &str = "PodsServed";
    /// Another policy's node agent may collect the same pods; absent otherwise.
    pub const OVERLAPPING: &str = "Overlapping";
}
