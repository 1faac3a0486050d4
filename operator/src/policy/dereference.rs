//! Reads what the policy is about: itself as the API server has it now, and the Secrets that it names.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject};
use tributary_crds::names::AGENTS_NAMESPACE;
use tributary_crds::status::{LoggingPolicyStatus, condition_type};
use tributary_crds::{LoggingPolicy, LoggingPolicySpec};

use super::overlap;
use crate::context::Context;
use crate::error::Error;

/// Which policy, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its uid, which a policy of the same name made later does not share.
    pub uid: String,
    /// The generation that was read.
    pub generation: i64,
}

/// What is known of a Secret: enough to judge a reference, and no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretView {
    /// Changes when the Secret does.
    pub resource_version: String,
    /// The keys that it has.
    pub keys: BTreeSet<String>,
}

/// Everything that the pure steps need.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Which policy.
    pub identity: Identity,
    /// What it asks for, or why that cannot be read.
    pub spec: Result<LoggingPolicySpec, String>,
    /// The status that it has, without what [`crate::pods`] writes.
    pub previous: LoggingPolicyStatus,
    /// The Secrets that it names; `None` when there is none of that name.
    pub secrets: BTreeMap<String, Option<SecretView>>,
    /// The names of other policies whose node agents may collect the same pods.
    pub overlaps: Vec<String>,
}

/// Reads it all. `None` when the policy is gone, or going.
pub async fn dereference(context: &Context, name: &str) -> Result<Option<Inputs>, Error> {
    let policies: Api<DynamicObject> =
        Api::all_with(context.client.clone(), &ApiResource::erase::<LoggingPolicy>(&()));
    let object = policies
        .get_opt(name)
        .await
        .map_err(Error::read(format!("LoggingPolicy {name}")))?;
    // Of a policy that is being deleted nothing must be made again: its objects go first when it is deleted in the foreground.
    let Some(object) = object.filter(|object| object.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let identity = Identity {
        name: name.to_owned(),
        uid: object.uid().unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or_default(),
    };
    let part = |key: &str| object.data.get(key).cloned().unwrap_or_default();
    let spec: Result<LoggingPolicySpec, _> =
        serde_json::from_value(part("spec")).map_err(|error| error.to_string());
    let mut inputs = Inputs {
        identity,
        spec: Err(String::new()),
        previous: own_part(serde_json::from_value(part("status")).unwrap_or_default()),
        secrets: BTreeMap::new(),
        overlaps: Vec::new(),
    };
    if let Some(spec) = spec.as_ref().ok().filter(|spec| spec.node_agent.is_some()) {
        inputs.secrets = secrets(context, spec).await?;
        inputs.overlaps = overlap::others(name, spec, &context.policies.state());
    }
    Ok(Some(Inputs { spec, ..inputs }))
}

/// Without what is said of pods, which has another author. A status that cannot be read is written anew.
fn own_part(mut status: LoggingPolicyStatus) -> LoggingPolicyStatus {
    status.injection = None;
    status
        .conditions
        .retain(|condition| condition.type_ != condition_type::PODS_SERVED);
    status
}

async fn secrets(
    context: &Context,
    spec: &LoggingPolicySpec,
) -> Result<BTreeMap<String, Option<SecretView>>, Error> {
    let api: Api<Secret> = Api::namespaced(context.client.clone(), AGENTS_NAMESPACE);
    let mut found = BTreeMap::new();
    for key in spec.secret_keys() {
        if found.contains_key(&key.name) {
            continue;
        }
        let object = format!("Secret {AGENTS_NAMESPACE}/{}", key.name);
        let secret = api.get_opt(&key.name).await.map_err(Error::read(object))?;
        let view = secret.map(|secret| SecretView {
            resource_version: secret.metadata.resource_version.unwrap_or_default(),
            keys: secret.data.unwrap_or_default().into_keys().collect(),
        });
        found.insert(key.name.clone(), view);
    }
    Ok(found)
}
