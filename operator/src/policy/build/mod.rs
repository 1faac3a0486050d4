//! Turns an accepted policy into objects. Pure: the same policy gives the same bytes.

pub mod config_map;
pub mod daemon_set;
pub mod pod;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource as _;
use std::collections::BTreeMap;
use tributary_agents::node_image;
use tributary_crds::LoggingPolicy;
use tributary_crds::names::{AGENTS_NAMESPACE, label};

use super::dereference::{Identity, Inputs};
use super::validate::{Accepted, Rejection};
use crate::error::Error;

/// On the `DaemonSet` and its pods: the hash of the agent's configuration.
pub const CONFIG_HASH: &str = "tributary.dev/config-hash";
/// On the `DaemonSet`: the engine that it runs.
pub const ENGINE: &str = "tributary.dev/engine";
/// On the agent's pods: the versions of the Secrets that they read, so that a change of one replaces them.
pub const SECRET_VERSIONS: &str = "tributary.dev/secret-versions";

/// What should be there.
#[derive(Clone, Debug)]
pub enum Plan {
    /// The policy cannot run as it is: what is there stays.
    Keep,
    /// No node agent.
    Nothing,
    /// A node agent.
    NodeAgent(Box<NodeAgent>),
}

/// The objects of a node agent.
#[derive(Clone, Debug)]
pub struct NodeAgent {
    /// The configuration, named by its hash and never changed.
    pub config_map: ConfigMap,
    /// The agent.
    pub daemon_set: DaemonSet,
}

/// Builds. `streamer_image` is pulled in advance by agents of policies that inject streaming sidecars.
pub fn build(
    inputs: &Inputs,
    verdict: &Result<Accepted, Rejection>,
    streamer_image: Option<&str>,
) -> Result<Plan, Error> {
    let (Ok(accepted), Ok(spec)) = (verdict, &inputs.spec) else {
        return Ok(Plan::Keep);
    };
    let (Some(agent), Some(block)) = (&accepted.agent, &spec.node_agent) else {
        return Ok(Plan::Nothing);
    };
    let hash = config_map::hash(block.engine, agent)?;
    let config_map = config_map::build(&inputs.identity, &hash, agent);
    let template = pod::Template {
        block,
        image: node_image(block, &spec.outputs),
        agent,
        config_map: config_map.metadata.name.as_deref().unwrap_or_default(),
        config_hash: &hash,
        secrets: &inputs.secrets,
        pre_pull: pre_pull(spec, streamer_image),
    };
    let daemon_set = daemon_set::build(&inputs.identity, &template);
    Ok(Plan::NodeAgent(Box::new(NodeAgent {
        config_map,
        daemon_set,
    })))
}

/// The image of the sidecars that this policy's pods will get.
fn pre_pull<'a>(spec: &'a tributary_crds::LoggingPolicySpec, default: Option<&'a str>) -> Option<&'a str> {
    spec.streaming_sidecar.as_ref()?.image.as_deref().or(default)
}

/// The labels of everything that belongs to a policy's node agent.
pub fn labels(policy: &str) -> BTreeMap<String, String> {
    [
        (label::MANAGED_BY, label::MANAGED_BY_VALUE),
        (label::COMPONENT, label::COMPONENT_NODE_AGENT),
        (label::POLICY, policy),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The metadata of an object of the policy: it lives with the agents, and goes when the policy goes.
fn metadata(identity: &Identity, name: String) -> ObjectMeta {
    let owner = OwnerReference {
        api_version: LoggingPolicy::api_version(&()).into_owned(),
        kind: LoggingPolicy::kind(&()).into_owned(),
        name: identity.name.clone(),
        uid: identity.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    ObjectMeta {
        name: Some(name),
        namespace: Some(AGENTS_NAMESPACE.to_owned()),
        labels: Some(labels(&identity.name)),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}
