//! The agent of a block: what its engine reads.

use std::collections::{BTreeMap, BTreeSet};

use tributary_agents::config::AgentConfig;
use tributary_agents::sidecar::{SidecarConfig, SidecarPod};
use tributary_agents::{CompileError, compile, compile_sidecar, render};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::auth::{SecretKeyRef, Tls};

use super::compiling::Block;

/// The file that a sidecar is thought to ship; which it is changes nothing of what the policy decides.
const SAMPLE_FILE: &str = "/var/log/app/app.log";

/// What an engine reads.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// File name to text.
    pub files: BTreeMap<String, String>,
    /// The container's arguments.
    pub args: Vec<String>,
    /// Environment variables with fixed values.
    pub env: BTreeMap<String, String>,
    /// Environment variables that hold keys of Secrets.
    pub secret_env: BTreeMap<String, SecretKeyRef>,
    /// Environment variables with other values that only the cluster knows.
    pub unknown_env: BTreeSet<String>,
    /// Keys of Secrets that are files.
    pub secret_files: BTreeSet<SecretKeyRef>,
    /// Those keys of Secrets that hold certificates or their private keys.
    pub certificates: BTreeSet<SecretKeyRef>,
}

impl Agent {
    /// The agent of a block of a policy.
    pub fn of(block: Block, name: &str, spec: &LoggingPolicySpec) -> Result<Self, CompileError> {
        let agent: Self = match block {
            Block::NodeAgent => render(&compile(name, spec)?)?.into(),
            Block::AgentSidecar => compile_sidecar(name, spec)?
                .render(&SidecarPod::sample(SAMPLE_FILE))?
                .into(),
        };
        let trust = spec.outputs.iter().filter_map(|output| output.tls.as_ref());
        Ok(Self {
            certificates: trust.flat_map(Tls::secret_keys).cloned().collect(),
            ..agent
        })
    }
}

impl From<AgentConfig> for Agent {
    fn from(config: AgentConfig) -> Self {
        let of_every_pod = ["K8S_NODE_NAME", "POD_IP"].map(str::to_owned);
        Self {
            files: config.files,
            args: config.args,
            env: config.env,
            secret_env: config.secret_env,
            unknown_env: of_every_pod.into(),
            secret_files: config.secret_files,
            certificates: BTreeSet::new(),
        }
    }
}

impl From<SidecarConfig> for Agent {
    fn from(config: SidecarConfig) -> Self {
        let documents = config.documents.into_iter();
        Self {
            files: documents
                .map(|document| (document.file_name.to_owned(), document.text))
                .collect(),
            args: config.args,
            env: config.env,
            secret_env: config.secret_env,
            unknown_env: config.field_env.into_keys().collect(),
            secret_files: BTreeSet::new(),
            certificates: BTreeSet::new(),
        }
    }
}
