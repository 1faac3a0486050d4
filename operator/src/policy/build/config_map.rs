//! The agent's configuration files, as an immutable `ConfigMap` named by its content.
//!
//! During a rollout old pods keep the old one: a pod that is started again in the middle never mixes two configurations.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::ConfigMap;
use sha2::{Digest as _, Sha256};
use tributary_agents::config::AgentConfig;
use tributary_crds::names::node_agent;
use tributary_crds::policy::Engine;

use super::metadata;
use crate::error::Error;
use crate::policy::dereference::Identity;

/// Ten hexadecimal digits over the engine, the files, the arguments and the environment.
pub fn hash(engine: Engine, agent: &AgentConfig) -> Result<String, Error> {
    let content = (engine, &agent.files, &agent.args, &agent.env);
    let bytes = serde_json::to_vec(&content).map_err(|source| Error::Json {
        object: "the agent's configuration".to_owned(),
        source,
    })?;
    Ok(Sha256::digest(bytes)
        .iter()
        .take(5)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
}

/// The `ConfigMap`.
pub fn build(identity: &Identity, hash: &str, agent: &AgentConfig) -> ConfigMap {
    ConfigMap {
        metadata: metadata(identity, format!("{}-{hash}", node_agent(&identity.name))),
        data: Some(agent.files.clone()),
        immutable: Some(true),
        binary_data: None,
    }
}
