//! What an engine needs in order to run: files, arguments, mounts and probes.

use std::collections::{BTreeMap, BTreeSet};

use tributary_crds::auth::SecretKeyRef;

use crate::pipeline::Pipeline;

/// Where an agent's configuration files are mounted.
pub const CONFIG_DIRECTORY: &str = "/etc/tributary/config";
/// Where an agent's Secrets are mounted, each key as `NAME/KEY`.
pub const SECRETS_DIRECTORY: &str = "/etc/tributary/secrets";
/// Where an agent keeps positions and buffers.
pub const STATE_DIRECTORY: &str = "/var/lib/tributary";
/// Where the kubelet has the logs of containers.
pub const POD_LOGS_DIRECTORY: &str = "/var/log/pods";
/// Where files of the node and its journal are.
pub const LOGS_DIRECTORY: &str = "/var/log";
/// Where the journal is on a node that does not keep it.
pub const VOLATILE_LOGS_DIRECTORY: &str = "/run/log";
/// Where Docker Engine has the files that the logs of containers are links to.
pub const DOCKER_LOGS_DIRECTORY: &str = "/var/lib/docker/containers";
/// Where `file` outputs write.
pub const FILES_DIRECTORY: &str = "/var/log/tributary";

/// Everything about an agent's pod that depends on the policy's pipeline and on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentConfig {
    /// File name to text, mounted at [`CONFIG_DIRECTORY`].
    pub files: BTreeMap<String, String>,
    /// The container's arguments.
    pub args: Vec<String>,
    /// Environment variables with fixed values. The agent's pod also always has `K8S_NODE_NAME` and `POD_IP`.
    pub env: BTreeMap<String, String>,
    /// Environment variables from keys of Secrets, for what an engine cannot read from a file.
    pub secret_env: BTreeMap<String, SecretKeyRef>,
    /// Keys of Secrets mounted below [`SECRETS_DIRECTORY`].
    pub secret_files: BTreeSet<SecretKeyRef>,
    /// Directories of the node.
    pub host_paths: Vec<HostPath>,
    /// Where the agent answers that it runs. Independent of the state of its destinations.
    pub health: HttpEndpoint,
    /// Where the agent's own metrics are, in the Prometheus text format.
    pub metrics: HttpEndpoint,
}

/// A directory of the node that the agent sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath {
    /// The volume's name.
    pub name: String,
    /// The directory on the node; made when absent unless `read_only`.
    pub host_path: String,
    /// Where the agent sees it.
    pub mount_path: String,
    /// Whether the agent may only read.
    pub read_only: bool,
}

/// An address of the agent's pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpEndpoint {
    /// The port on the pod's address.
    pub port: u16,
    /// The path, with its leading slash.
    pub path: String,
}

impl HostPath {
    /// A directory that the agent sees where the node has it.
    pub(crate) fn same(name: &str, path: &str, read_only: bool) -> Self {
        Self {
            name: name.to_owned(),
            host_path: path.to_owned(),
            mount_path: path.to_owned(),
            read_only,
        }
    }
}

/// The path at which a key of a Secret is mounted in the agent's pod.
pub fn secret_path(key: &SecretKeyRef) -> String {
    format!("{SECRETS_DIRECTORY}/{}/{}", key.name, key.key)
}

/// The directories of the node that an agent needs. `engine` keeps the state of different engines apart.
pub(crate) fn host_paths(pipeline: &Pipeline, engine: &str) -> Vec<HostPath> {
    let mut paths = vec![
        HostPath {
            name: "state".to_owned(),
            host_path: format!("{STATE_DIRECTORY}/{}/{engine}", pipeline.policy),
            mount_path: STATE_DIRECTORY.to_owned(),
            read_only: false,
        },
        HostPath::same("pod-logs", POD_LOGS_DIRECTORY, true),
    ];
    if pipeline.sources.docker {
        paths.push(HostPath::same("docker-logs", DOCKER_LOGS_DIRECTORY, true));
    }
    if pipeline.writes_files() {
        paths.push(HostPath::same("files", FILES_DIRECTORY, false));
    }
    // These are on every node. Directories in them need not be, and making them would change where the journal is kept.
    let journal = !pipeline.sources.units.is_empty();
    if journal || !pipeline.sources.files.is_empty() {
        paths.push(HostPath::same("logs", LOGS_DIRECTORY, true));
    }
    if journal {
        paths.push(HostPath::same("volatile-logs", VOLATILE_LOGS_DIRECTORY, true));
    }
    paths
}
