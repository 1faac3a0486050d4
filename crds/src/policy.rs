//! `LoggingPolicy`: which pods, which patterns, which outputs.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::auth::SecretKeyRef;
pub use crate::engine::Engine;
pub use crate::multiline::{Multiline, MultilinePreset};
use crate::output::{OtlpProtocol, Output};
use crate::processor::Processor;
use crate::schema::without_inner_descriptions;
use crate::source::Sources;
use crate::status::LoggingPolicyStatus;

/// Turns Kubernetes' logging patterns on for the pods that it selects, and says where their logs go.
///
/// The presence of a block turns its pattern on: `nodeAgent` runs a log agent on every node, `streamingSidecar` lets pods
/// annotated `tributary.dev/stream` have their log files printed to stdout, `agentSidecar` lets pods annotated
/// `tributary.dev/ship` have an agent of their own, `direct` tells pods annotated `tributary.dev/direct` where to push. Who may write a `LoggingPolicy` is as powerful as a
/// node administrator.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "tributary.dev",
    version = "v1alpha1",
    kind = "LoggingPolicy",
    plural = "loggingpolicies",
    shortname = "lp",
    category = "logging",
    status = "LoggingPolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Turns Kubernetes' logging patterns on for the pods that it selects, and says where their logs go.",
    validation = Rule::new("self.metadata.name.size() <= 40 && !self.metadata.name.contains('.')")
        .message("the name is part of other names: write at most 40 characters and no dots"),
    printcolumn(name = "Engine", type_ = "string", json_path = ".status.nodeAgent.engine"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Nodes", type_ = "string", json_path = ".status.nodeAgent.nodes"),
    printcolumn(name = "Injected", type_ = "string", json_path = ".status.injection.pods"),
    printcolumn(name = "Outputs", type_ = "string", json_path = ".spec.outputs[*].name", priority = 1),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::support::add_engine_rules)]
#[x_kube(
    validation = Rule::new("has(self.nodeAgent) || has(self.streamingSidecar) || has(self.agentSidecar) || has(self.direct)")
        .message("this policy turns nothing on: add nodeAgent: {}, streamingSidecar: {}, agentSidecar: {} or direct: {}"),
    validation = Rule::new("!has(self.nodeAgent) || size(self.outputs) > 0")
        .message("nodeAgent has nowhere to send logs: add at least one entry to outputs"),
    validation = Rule::new("!has(self.agentSidecar) || size(self.outputs) > 0")
        .message("agentSidecar has nowhere to send logs: add at least one entry to outputs"),
    validation = Rule::new("!has(self.agentSidecar) || self.outputs.all(o, !has(o.file))")
        .message("agentSidecar cannot write to files of the node: write another output, or give agentSidecar a policy of its own"),
    validation = Rule::new("!has(self.direct) || has(self.direct.endpoint) || self.outputs.exists(o, has(o.otlp))")
        .message("direct has no address to push to: add direct.endpoint, or an output otlp")
)]
pub struct LoggingPolicySpec {
    /// When several policies could serve an annotated pod, the one of highest priority does, then the first by name.
    #[serde(default)]
    pub priority: i32,

    /// Which pods. Absent: every pod of the cluster except those of Tributary's own namespaces.
    #[serde(default)]
    pub selector: PodSelection,

    /// Pattern 1: a log agent on every node (a `DaemonSet`) that collects stdout and stderr of the selected pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_agent: Option<NodeAgent>,

    /// Pattern 2: streaming sidecars, for selected pods annotated `tributary.dev/stream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming_sidecar: Option<StreamingSidecar>,

    /// Pattern 3: agent sidecars, for selected pods annotated `tributary.dev/ship`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_sidecar: Option<AgentSidecar>,

    /// Pattern 4: direct push. Selected pods annotated `tributary.dev/direct` get the address as `OTEL_*` variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<Direct>,

    /// What happens to every record, in this order, the same with every engine. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub processors: Vec<Processor>,

    /// Where the records go: every record goes to every output whose `where` it meets. At most 32.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub outputs: Vec<Output>,
}

impl LoggingPolicySpec {
    /// Every key of a Secret that the policy names, in order and each once.
    pub fn secret_keys(&self) -> BTreeSet<&SecretKeyRef> {
        self.outputs.iter().flat_map(Output::secret_keys).collect()
    }
}

/// Which pods a policy is for. Both selectors must match; an absent one matches everything.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodSelection {
    /// Selects by the labels of the pod's namespace. Every namespace carries its name as `kubernetes.io/metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = without_inner_descriptions)]
    pub namespace_selector: Option<LabelSelector>,

    /// Selects by the labels of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = without_inner_descriptions)]
    pub pod_selector: Option<LabelSelector>,
}

/// A log agent on every node.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeAgent {
    /// The program that collects and ships. Changing it changes neither the outputs nor the shape of a record.
    #[serde(default)]
    pub engine: Engine,

    /// What is collected.
    #[serde(default)]
    pub sources: Sources,

    /// How the agent's pods run.
    #[serde(default)]
    pub pod: AgentPod,

    /// How a change reaches the nodes.
    #[serde(default)]
    pub rollout: Rollout,
}

/// How the pods of an agent run. Everything else of the pod is fixed, because the agent's safety depends on it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentPod {
    /// The agent's image. Absent: the upstream image of the engine's version that Tributary is tested with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub image: Option<String>,

    /// Secrets of type `kubernetes.io/dockerconfigjson` in `tributary-agents`, for a private registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<LocalObjectReference>,

    /// CPU and memory of the agent. Absent: 50m and 128Mi requested, memory limited to 512Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Only nodes with these labels run the agent. Absent: every Linux node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that the agent tolerates. Absent: every taint, because a tainted node has logs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = without_inner_descriptions)]
    pub tolerations: Option<Vec<Toleration>>,

    /// Absent: `system-node-critical`, so that a full node does not lose its log agent first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub priority_class_name: Option<String>,
}

/// CPU and memory of a container, as quantities: `{requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub struct Resources {
    /// What the scheduler reserves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub requests: BTreeMap<String, Quantity>,
    /// What the container may use at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub limits: BTreeMap<String, Quantity>,
}

/// Quantities by resource. Kubernetes' own description of a quantity has 2,700 characters, and would stand here many times.
fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"x-kubernetes-int-or-string": true},
    })
}

impl From<Resources> for ResourceRequirements {
    fn from(resources: Resources) -> Self {
        let present = |quantities: BTreeMap<_, _>| Some(quantities).filter(|map| !map.is_empty());
        Self {
            requests: present(resources.requests),
            limits: present(resources.limits),
            claims: None,
        }
    }
}

/// How a change reaches the nodes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "type(self.maxUnavailable) == int ? self.maxUnavailable > 0 : self.maxUnavailable.matches('^([1-9][0-9]?|100)%$')"
    )
    .message("write how many nodes may be without their agent at once, at least one: a number such as 5, or a percentage such as 10%")
)]
pub struct Rollout {
    /// How many nodes may be without their agent at once: a number or a percentage. Default 10%.
    #[serde(default = "Rollout::default_max_unavailable")]
    pub max_unavailable: IntOrString,
}

impl Rollout {
    fn default_max_unavailable() -> IntOrString {
        IntOrString::String("10%".to_owned())
    }
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            max_unavailable: Self::default_max_unavailable(),
        }
    }
}

/// Sidecars that print log files to stdout.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.multiline) || self.format == 'Json'")
        .message("a record of several lines needs a format that holds it together: write format: Json")
)]
pub struct StreamingSidecar {
    /// How files are spread over sidecars.
    #[serde(default)]
    pub layout: Layout,

    /// What a sidecar prints.
    #[serde(default)]
    pub format: Format,

    /// Which lines belong together. Absent: every line is a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiline: Option<Multiline>,

    /// What happens when no volume of the pod covers an annotated file.
    #[serde(default)]
    pub missing_volume: MissingVolume,

    /// The image of the sidecar. Absent: the image of the webhook itself, which carries the streamer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub image: Option<String>,

    /// CPU and memory of one sidecar. Absent: 5m and 16Mi requested, 100m and 32Mi the limit; nothing in a `BestEffort` pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// How files are spread over sidecars.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Layout {
    /// One sidecar a file: `kubectl logs -c stream-FILE`.
    #[default]
    PerFile,
    /// One sidecar for all files of a container, `kubectl logs -c stream-CONTAINER`. Each line says which file it is from.
    Combined,
}

/// What a sidecar prints.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Format {
    /// The lines as they are; with `Combined`, after the file's path in brackets.
    #[default]
    Raw,
    /// One JSON object a record: `time` (when it was read), `file`, `container`, `message`.
    Json,
}

/// What happens when no volume of the pod covers an annotated file.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum MissingVolume {
    /// The file is skipped with reason `NoVolume`, which names the lines to add to the pod.
    #[default]
    Skip,
    /// An emptyDir is mounted at the file's directory. It hides what the image has there.
    CreateEmptyDir,
}

/// A log agent in the pod, which ships files to the policy's outputs. Secrets that outputs name are those of the pod's namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AgentSidecar {
    /// The program that ships.
    #[serde(default)]
    pub engine: Engine,

    /// Where in the order of the pod's sidecars it starts.
    #[serde(default)]
    pub position: Position,

    /// What happens when no volume of the pod covers an annotated file.
    #[serde(default)]
    pub missing_volume: MissingVolume,

    /// What may wait for each output on the pod's disk, in place of the output's `buffer.maxSize`. At least 16Mi. Default 64Mi.
    #[serde(default = "AgentSidecar::default_buffer_size")]
    #[schemars(length(max = 20))]
    #[x_kube(
        validation = Rule::new("isQuantity(self) && quantity(self).compareTo(quantity('16Mi')) >= 0")
            .message("write a size of at least 16Mi, such as 64Mi")
    )]
    pub buffer_size: String,

    /// The agent's image. Absent: the upstream image of the engine's version that Tributary is tested with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub image: Option<String>,

    /// CPU and memory of the agent. Absent: 10m and 128Mi requested, memory limited to 256Mi; nothing in a `BestEffort` pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

impl AgentSidecar {
    fn default_buffer_size() -> String {
        "64Mi".to_owned()
    }
}

impl Default for AgentSidecar {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            position: Position::default(),
            missing_volume: MissingVolume::default(),
            buffer_size: Self::default_buffer_size(),
            image: None,
            resources: None,
        }
    }
}

/// Where in the order of a pod's sidecars an agent starts.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum Position {
    /// Before every other: it sees what init containers write, and stops last.
    #[default]
    First,
    /// After the pod's own native sidecars: for an agent that needs one of them, such as a service mesh's proxy.
    Last,
}

/// Where applications push to, by OTLP.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Direct {
    /// `http://HOST:PORT` or `https://HOST:PORT`. Absent: the endpoint and protocol of the first output `otlp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("isURL(self) && url(self).getScheme() in ['http', 'https'] && !self.contains('@')")
            .message("write an http or https URL without credentials, such as http://collector.logging:4318")
    )]
    pub endpoint: Option<String>,

    /// The transport to `endpoint`. Default `Http`.
    #[serde(default)]
    pub protocol: OtlpProtocol,
}
