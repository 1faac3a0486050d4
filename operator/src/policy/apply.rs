//! Makes the cluster's objects what the plan says: server-side apply, then removal of what is no longer wanted.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::{Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tributary_crds::names::{AGENTS_NAMESPACE, FIELD_MANAGER, label, node_agent};

use super::build::{NodeAgent, Plan};
use super::dereference::{Identity, Inputs};
use super::view::View;
use crate::context::Context;
use crate::error::Error;

/// What is there after the attempt.
#[derive(Clone, Debug)]
pub enum Applied {
    /// No node agent, and none is wanted.
    Nothing,
    /// The node agent as the policy asks for it.
    Current(Box<DaemonSet>),
    /// The policy could not be judged good, so what ran stays: an earlier generation, or nothing.
    LastGood(Option<Box<DaemonSet>>),
    /// The API server refused, and says why.
    Refused(Refusal),
}

/// A write that will not succeed without somebody's help.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What could not be written, and why.
    pub message: String,
    /// What ran before stays.
    pub last_good: Option<Box<DaemonSet>>,
}

/// Applies the plan.
pub async fn apply(context: &Context, inputs: &Inputs, plan: &Plan) -> Result<Applied, Error> {
    let client = &context.client;
    let identity = &inputs.identity;
    match plan {
        Plan::Keep => Ok(Applied::LastGood(read(client, identity).await?.map(Box::new))),
        Plan::Nothing => {
            remove::<DaemonSet>(client, identity, None).await?;
            remove::<ConfigMap>(client, identity, None).await?;
            Ok(Applied::Nothing)
        }
        Plan::NodeAgent(agent) => match node_agent_of(client, identity, agent).await {
            Ok(daemon_set) => Ok(Applied::Current(Box::new(daemon_set))),
            Err(error) if error.refusal().is_some() => {
                context.metrics.failed(error.label());
                let last_good = read(client, identity).await?.map(Box::new);
                Ok(Applied::Refused(Refusal {
                    message: error.to_string(),
                    last_good,
                }))
            }
            Err(error) => Err(error),
        },
    }
}

async fn node_agent_of(client: &Client, identity: &Identity, agent: &NodeAgent) -> Result<DaemonSet, Error> {
    // The ConfigMap first: a pod must never wait for it.
    let config_map = write(client, &agent.config_map).await?;
    let daemon_set = write(client, &agent.daemon_set).await?;
    // Pods of an earlier generation may still be started again with the earlier configuration.
    if View::of(&daemon_set).is_complete() {
        remove::<ConfigMap>(client, identity, Some(&config_map.name_any())).await?;
    }
    Ok(daemon_set)
}

async fn read(client: &Client, identity: &Identity) -> Result<Option<DaemonSet>, Error> {
    let name = node_agent(&identity.name);
    let api: Api<DaemonSet> = Api::namespaced(client.clone(), AGENTS_NAMESPACE);
    let found = api
        .get_opt(&name)
        .await
        .map_err(Error::read(format!("DaemonSet {AGENTS_NAMESPACE}/{name}")))?;
    Ok(found.filter(|daemon_set| belongs_to(daemon_set, identity)))
}

async fn write<K>(client: &Client, object: &K) -> Result<K, Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug,
{
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(client.clone(), AGENTS_NAMESPACE);
    api.patch(
        &name,
        &PatchParams::apply(FIELD_MANAGER).force(),
        &Patch::Apply(object),
    )
    .await
    .map_err(Error::write(format!(
        "{} {AGENTS_NAMESPACE}/{name}",
        K::kind(&())
    )))
}

/// Deletes the policy's objects of this kind, except the one to keep. Only `ConfigMap`s have several names: one per content.
async fn remove<K>(client: &Client, identity: &Identity, keep: Option<&str>) -> Result<(), Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    let kind = K::kind(&());
    let api: Api<K> = Api::namespaced(client.clone(), AGENTS_NAMESPACE);
    let selector = format!(
        "{}={},{}={},{}={}",
        label::MANAGED_BY,
        label::MANAGED_BY_VALUE,
        label::COMPONENT,
        label::COMPONENT_NODE_AGENT,
        label::POLICY,
        identity.name
    );
    let listed = api
        .list_metadata(&ListParams::default().labels(&selector))
        .await
        .map_err(Error::read(format!("the {kind}s of policy {}", identity.name)))?;
    for object in listed {
        let name = object.name_any();
        // A label alone is no proof: only what this policy owns is deleted, and only as it was seen.
        if Some(name.as_str()) == keep || !belongs_to(&object, identity) {
            continue;
        }
        let seen = Preconditions {
            uid: object.uid(),
            resource_version: None,
        };
        let parameters = DeleteParams {
            preconditions: Some(seen),
            ..DeleteParams::background()
        };
        match api.delete(&name, &parameters).await {
            Ok(_) => tracing::info!(policy = identity.name, %kind, name, "removed"),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => return Err(Error::delete(format!("{kind} {AGENTS_NAMESPACE}/{name}"))(error)),
        }
    }
    Ok(())
}

fn belongs_to<K: Resource>(object: &K, identity: &Identity) -> bool {
    object
        .meta()
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.uid == identity.uid)
}
