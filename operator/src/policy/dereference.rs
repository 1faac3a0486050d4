//! Reads what the policy is about: itself as the API server has it now, the Secrets that it names, the pods that it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::Request;
use kube::{Resource as _, ResourceExt as _};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::Instant;
use tributary_crds::names::{AGENTS_NAMESPACE, label};
use tributary_crds::status::LoggingPolicyStatus;
use tributary_crds::{LoggingPolicy, LoggingPolicySpec};

use super::overlap;
use crate::context::Context;
use crate::error::Error;

/// How long a count of injected pods is good for: it costs a list of pods.
const INJECTED_PERIOD: Duration = Duration::from_secs(30);

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
    /// The status that it has.
    pub previous: LoggingPolicyStatus,
    /// The Secrets that it names; `None` when there is none of that name.
    pub secrets: BTreeMap<String, Option<SecretView>>,
    /// The names of other policies whose node agents may collect the same pods.
    pub overlaps: Vec<String>,
    /// Pods that carry streaming sidecars of this policy, when it has the block and they could be counted.
    pub streaming_pods: Option<i64>,
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
        // A status that cannot be read is written anew.
        previous: serde_json::from_value(part("status")).unwrap_or_default(),
        secrets: BTreeMap::new(),
        overlaps: Vec::new(),
        streaming_pods: None,
    };
    if let Ok(spec) = &spec {
        if spec.node_agent.is_some() {
            inputs.secrets = secrets(context, spec).await?;
            inputs.overlaps = overlap::others(name, spec, &context.policies.state());
        }
        if spec.streaming_sidecar.is_some() {
            inputs.streaming_pods = counted(context, name, &inputs.previous).await;
        }
    }
    Ok(Some(Inputs { spec, ..inputs }))
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

/// A page of a list of which only the length matters: neither the pods nor their metadata are kept.
#[derive(Deserialize)]
struct Page {
    metadata: ListMeta,
    /// `null` when there are none.
    items: Option<Vec<IgnoredAny>>,
}

/// The count, or the one that was last written: a count that fails must not hold up an agent.
async fn counted(context: &Context, policy: &str, previous: &LoggingPolicyStatus) -> Option<i64> {
    match streaming_pods(context, policy).await {
        Ok(count) => Some(count),
        Err(error) => {
            context.metrics.failed(error.label());
            tracing::warn!(policy, %error, "cannot count the pods with sidecars");
            previous.injection.as_ref().map(|injection| injection.streaming)
        }
    }
}

async fn streaming_pods(context: &Context, policy: &str) -> Result<i64, Error> {
    if let Some((counted, count)) = context.recall(policy).injected
        && counted.elapsed() < INJECTED_PERIOD
    {
        return Ok(count);
    }
    let selector = format!("{}={policy}", label::STREAMING);
    // The first page may come from the API server's cache: a count need not be of this very moment.
    let mut page = ListParams::default().labels(&selector).limit(500).match_any();
    let mut count = 0;
    loop {
        let what = format!("the pods with {selector}");
        let request = Request::new(Pod::url_path(&(), None))
            .list_metadata(&page)
            .map_err(|source| Error::Request {
                object: what.clone(),
                source,
            })?;
        let listed: Page = context.client.request(request).await.map_err(Error::read(what))?;
        count += i64::try_from(listed.items.unwrap_or_default().len()).unwrap_or(i64::MAX);
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => {
                page = ListParams::default()
                    .labels(&selector)
                    .limit(500)
                    .continue_token(&token);
            }
            None => break,
        }
    }
    context.remember(policy, |memory| memory.injected = Some((Instant::now(), count)));
    Ok(count)
}
