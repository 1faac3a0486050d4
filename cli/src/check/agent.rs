//! The agent of a block: what its engine reads.

use std::collections::{BTreeMap, BTreeSet};

use tributary_agents::config::AgentConfig;
use tributary_agents::sidecar::{SidecarConfig, SidecarPod};
use tributary_agents::{CompileError, compile, compile_sidecar, render};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::auth::SecretKeyRef;

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
    /// Environment variables with values that only the cluster knows.
    pub unknown_env: BTreeSet<String>,
    /// Keys of Secrets that are files.
    pub secret_files: BTreeSet<SecretKeyRef>,
}

impl Agent {
    /// The agent of a block of a policy.
    pub fn of(block: Block, name: &str, spec: &LoggingPolicySpec) -> Result<Self, CompileError> {
        match block {
            Block::NodeAgent => Ok(render(&compile(name, spec)?)?.into()),
            Block::AgentSidecar => Ok(compile_sidecar(name, spec)?
                .render(&SidecarPod::sample(SAMPLE_FILE))?
                .into()),
        }
    }
}

impl From<AgentConfig> for Agent {
    fn from(config: AgentConfig) -> Self {
        let of_every_pod = ["K8S_NODE_NAME", "POD_IP"].map(str::to_owned);
        Self {
            files: config.files,
            args: config.args,
            env: config.env,
            unknown_env: config.secret_env.into_keys().chain(of_every_pod).collect(),
            secret_files: config.secret_files,
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
            unknown_env: config
                .secret_env
                .into_keys()
                .chain(config.field_env.into_keys())
                .collect(),
            secret_files: BTreeSet::new(),
        }
    }
}
