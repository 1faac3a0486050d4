//! Keeps what is known of the cluster fresh: policies, namespaces' labels and limits, and the certificate, each by a watch.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tributary_crds::LoggingPolicy;
use tributary_crds::names::WEBHOOK_CERTIFICATE_SECRET;
use tributary_crds::selection::Labels;

use crate::cluster_state::ClusterState;
use crate::limits::Limit;
use crate::metrics::Metrics;
use crate::policies::{PolicyIndex, StoredPolicy};
use crate::tls::{Certificate, CertificateError};

const TLS_CERTIFICATE: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";

/// Policies that are listed at once: a page of the usual 500 takes more memory than all that is kept of them.
const POLICIES_OF_A_PAGE: u32 = 25;

/// Follows the policies. One that cannot be decoded does not stop the others.
pub async fn policies(client: Client, state: Arc<ClusterState>, metrics: Metrics) {
    let api: Api<DeserializeGuard<LoggingPolicy>> = Api::all(client);
    let pages = watcher::Config::default().page_size(POLICIES_OF_A_PAGE);
    let mut events = events("LoggingPolicies", watcher(api, pages));
    let mut policies = Policies::default();
    while let Some(event) = events.next().await {
        if !policies.take(event) {
            continue;
        }
        let index = PolicyIndex::compile(&policies.known);
        let (all, unusable) = index.counts();
        metrics.policies(all, unusable);
        state.set_policies(index);
    }
}

/// The policies, as the events of a watch tell of them.
#[derive(Default)]
struct Policies {
    /// By name, as the last complete list and the events after it left them.
    known: BTreeMap<String, StoredPolicy>,
    /// What a list that is under way has told so far.
    listed: BTreeMap<String, StoredPolicy>,
}

impl Policies {
    /// Takes an event in. Returns whether what is known has to be compiled again: not for a list under way, and not for what
    /// leaves every specification as it was, such as the statuses that the operator writes.
    fn take(&mut self, event: Event<DeserializeGuard<LoggingPolicy>>) -> bool {
        match event {
            Event::Init => {
                self.listed.clear();
                false
            }
            Event::InitApply(policy) => {
                let (name, policy) = stored(policy);
                self.listed.insert(name, policy);
                false
            }
            Event::InitDone => {
                self.known = std::mem::take(&mut self.listed);
                true
            }
            Event::Apply(policy) => {
                let (name, policy) = stored(policy);
                let before = self.known.get(&name);
                if before.is_some_and(|before| has_same_specification(before, &policy)) {
                    return false;
                }
                self.known.insert(name, policy);
                true
            }
            Event::Delete(policy) => {
                self.known.remove(&policy.name_any());
                true
            }
        }
    }
}

/// Whether both can be read and are one object at one generation, which the API server counts up with each change of the
/// specification.
fn has_same_specification(before: &StoredPolicy, after: &StoredPolicy) -> bool {
    let (Ok(before), Ok(after)) = (before, after) else {
        return false;
    };
    let (before, after) = (&before.metadata, &after.metadata);
    before.generation.is_some() && before.generation == after.generation && before.uid == after.uid
}

/// A policy by its name, without what no pod is decided by.
fn stored(policy: DeserializeGuard<LoggingPolicy>) -> (String, StoredPolicy) {
    let name = policy.name_any();
    let policy = match policy.0 {
        Ok(mut policy) => {
            policy.status = None;
            policy.metadata.managed_fields = None;
            Ok(policy)
        }
        Err(invalid) => {
            tracing::warn!(policy = %name, error = %invalid, "the policy cannot be read; pods do not get it");
            Err(invalid.error)
        }
    };
    (name, policy)
}

/// Follows the namespaces. Of each only the labels are kept.
pub async fn namespaces(client: Client, state: Arc<ClusterState>, metrics: Metrics) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(client);
    let mut events = events("namespaces", watcher(api, watcher::Config::default()));
    let mut listed: HashMap<String, Arc<Labels>> = HashMap::new();
    while let Some(event) = events.next().await {
        let known = match event {
            Event::Init => {
                listed.clear();
                continue;
            }
            Event::InitApply(namespace) => {
                let (name, labels) = labels(namespace);
                listed.insert(name, Arc::new(labels));
                continue;
            }
            Event::InitDone => {
                let known = listed.len();
                state.set_namespaces(std::mem::take(&mut listed));
                known
            }
            Event::Apply(namespace) => {
                let (name, labels) = labels(namespace);
                state.set_namespace(name, labels)
            }
            Event::Delete(namespace) => state.remove_namespace(&namespace.name_any()),
        };
        metrics.namespaces(known);
    }
}

fn labels(namespace: PartialObjectMeta<Namespace>) -> (String, Labels) {
    (
        namespace.name_any(),
        namespace.metadata.labels.unwrap_or_default(),
    )
}

/// Follows all limits of a kind. Where the API server refuses that (the rights are those of an older installation), pods are
/// admitted as if there were none.
pub async fn limits<L: Limit>(client: Client, state: Arc<ClusterState>, metrics: Metrics)
where
    L::Object: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let kind = L::KIND.as_str();
    let api: Api<L::Object> = Api::all(client);
    let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
    let mut listed: HashMap<String, BTreeMap<String, L>> = HashMap::new();
    let mut is_refused = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                is_refused = false;
                if take_limit(event, &mut listed, &state) {
                    metrics.limits_known(L::KIND, true);
                }
            }
            Err(error) if refuses(&error) => {
                metrics.limits_known(L::KIND, false);
                state.set_limits::<L>(HashMap::new());
                if !is_refused {
                    tracing::warn!(%error, "{kind} may not be watched; pods are admitted as if there were none; give the webhook's ClusterRole the right");
                }
                is_refused = true;
            }
            Err(error) => tracing::warn!(%error, "watching {kind}; trying again"),
        }
    }
}

/// Takes an event in. Returns whether a list is complete by it.
fn take_limit<L: Limit>(
    event: Event<L::Object>,
    listed: &mut HashMap<String, BTreeMap<String, L>>,
    state: &ClusterState,
) -> bool
where
    L::Object: Resource,
{
    let place = |object: &L::Object| (object.namespace().unwrap_or_default(), object.name_any());
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => {
            let (namespace, name) = place(&object);
            listed
                .entry(namespace)
                .or_default()
                .insert(name, L::read(&object));
        }
        Event::InitDone => {
            state.set_limits(std::mem::take(listed));
            return true;
        }
        Event::Apply(object) => {
            let (namespace, name) = place(&object);
            state.set_limit(&namespace, &name, Some(L::read(&object)));
        }
        Event::Delete(object) => {
            let (namespace, name) = place(&object);
            state.set_limit(&namespace, &name, None::<L>);
        }
    }
    false
}

/// Whether the API server answered that this is not for us, as opposed to trouble that passes.
fn refuses(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.is_forbidden() || status.is_not_found(),
        _ => false,
    }
}

/// Follows the Secret with the certificate. A mounted Secret would lag by up to 100 seconds.
pub async fn certificate(client: Client, namespace: &str, certificate: Certificate, metrics: Metrics) {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    let one = watcher::Config::default().fields(&format!("metadata.name={WEBHOOK_CERTIFICATE_SECRET}"));
    let mut secrets = events("the certificate", watcher(api, one));
    while let Some(event) = secrets.next().await {
        let (Event::InitApply(secret) | Event::Apply(secret)) = event else {
            continue;
        };
        match replace(&certificate, &secret) {
            Ok(not_after) => tracing::info!(%not_after, "serving with a new certificate"),
            Err(error) => {
                metrics.certificate_failed();
                tracing::error!(secret = WEBHOOK_CERTIFICATE_SECRET, %error, "the certificate is not used");
            }
        }
    }
}

fn replace(certificate: &Certificate, secret: &Secret) -> Result<jiff::Timestamp, CertificateError> {
    let part = |key| {
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        value
            .map(|value| value.0.as_slice())
            .ok_or(CertificateError::Missing(key))
    };
    certificate.replace(part(TLS_CERTIFICATE)?, part(TLS_KEY)?)
}

/// A watch that starts again after trouble, later each time, and says so.
fn events<K: Send + 'static>(
    what: &'static str,
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
) -> impl Stream<Item = Event<K>> + Send + Unpin {
    events
        .default_backoff()
        .inspect_err(move |error| tracing::warn!(%error, "watching {what}; trying again"))
        .filter_map(|event| std::future::ready(event.ok()))
        .boxed()
}

#[cfg(test)]
mod tests {
    use kube::client::Body;
    use serde_json::json;

    use super::*;
    use crate::limits::limit_range::LimitRange;
    use crate::limits::quota::Quota;

    /// One policy `a`, as an event brings it.
    fn policy(
        uid: &str,
        generation: Option<i64>,
        spec: &serde_json::Value,
        status: &serde_json::Value,
    ) -> DeserializeGuard<LoggingPolicy> {
        let json = json!({
            "apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy",
            "metadata": {"name": "a", "uid": uid, "generation": generation, "managedFields": [{"manager": "operator"}]},
            "spec": spec, "status": status
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_what_may_change_a_decision_is_compiled_again() {
        let low = json!({"priority": 1});
        let high = json!({"priority": 2});
        let odd = json!({"streamingSidecar": "always"});
        let (none, seen) = (json!(null), json!({"observedGeneration": 1}));
        let mut policies = Policies::default();
        assert!(!policies.take(Event::Init));
        assert!(!policies.take(Event::InitApply(policy("u", Some(1), &low, &none))));
        assert!(policies.take(Event::InitDone));
        for (what, event, compiles) in [
            ("a status", policy("u", Some(1), &low, &seen), false),
            ("a specification", policy("u", Some(2), &high, &seen), true),
            ("another of that name", policy("v", Some(2), &low, &none), true),
            ("without a generation", policy("v", None, &low, &none), true),
            ("still without one", policy("v", None, &low, &none), true),
            ("unreadable", policy("v", Some(3), &odd, &none), true),
            ("still unreadable", policy("v", Some(3), &odd, &none), true),
            (
                "readable by a newer version",
                policy("v", Some(3), &low, &none),
                true,
            ),
        ] {
            assert_eq!(policies.take(Event::Apply(event)), compiles, "{what}");
        }
        assert!(policies.take(Event::Delete(policy("v", Some(3), &low, &none))));
        assert!(policies.known.is_empty());
    }

    #[test]
    fn a_changed_specification_is_known_and_a_status_is_not_kept() {
        let seen = json!({"observedGeneration": 1});
        let mut policies = Policies::default();
        for (generation, priority) in [(1, 1), (2, 2)] {
            let spec = json!({"priority": priority});
            policies.take(Event::Apply(policy("u", Some(generation), &spec, &seen)));
        }
        let known = policies.known["a"].as_ref().unwrap();
        assert_eq!(known.spec.priority, 2);
        assert!(known.status.is_none() && known.metadata.managed_fields.is_none());
    }

    /// Follows the quotas of an API server that answers every list like this, for a moment.
    async fn follow_quotas(status: u16, body: serde_json::Value) -> (Arc<ClusterState>, String) {
        let answer = move |_| {
            let response = http::Response::builder().status(status);
            let response = response.body(Body::from(body.to_string().into_bytes())).unwrap();
            std::future::ready(Ok::<_, std::convert::Infallible>(response))
        };
        let client = Client::new(tower::service_fn(answer), "default");
        let (state, metrics) = (Arc::new(ClusterState::default()), Metrics::default());
        state.set_policies(PolicyIndex::default());
        state.set_namespaces(HashMap::new());
        state.set_limits::<LimitRange>(HashMap::new());
        let before = json!({"status": {"hard": {"limits.cpu": "1"}, "used": {"limits.cpu": "0"}}});
        let before = Quota::read(&serde_json::from_value(before).unwrap());
        state.set_limit("shop", "before", Some(before));
        let following = limits::<Quota>(client, Arc::clone(&state), metrics.clone());
        let _ = tokio::time::timeout(std::time::Duration::from_millis(200), following).await;
        let now = jiff::Timestamp::UNIX_EPOCH;
        (state, metrics.text(now, None).unwrap())
    }

    #[tokio::test]
    async fn limits_that_may_not_be_watched_stop_nothing() {
        let forbidden = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403,
            "message": "resourcequotas is forbidden"
        });
        let (state, metrics) = follow_quotas(403, forbidden).await;
        assert!(state.is_complete() && state.limits_of("shop").is_empty());
        let line = "tributary_webhook_limits_known{resource=\"resourcequotas\"} 0";
        assert!(metrics.contains(line), "{metrics}");
    }

    #[tokio::test]
    async fn limits_are_waited_for_while_the_api_server_is_in_trouble() {
        let trouble = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": "etcd is away"
        });
        let (state, _) = follow_quotas(500, trouble).await;
        assert!(!state.is_complete() && !state.limits_of("shop").is_empty());
    }

    #[tokio::test]
    async fn limits_are_those_of_the_last_list() {
        let quota = json!({
            "metadata": {"name": "compute", "namespace": "team"},
            "status": {"hard": {"requests.memory": "1Gi"}, "used": {"requests.memory": "0"}}
        });
        let pods_only = json!({"metadata": {"name": "pods", "namespace": "other"}, "status": {"hard": {"pods": "1"}, "used": {"pods": "0"}}});
        let list = json!({
            "kind": "ResourceQuotaList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": [quota, pods_only]
        });
        let (state, metrics) = follow_quotas(200, list).await;
        assert!(state.is_complete() && state.limits_of("shop").is_empty());
        let team = state.limits_of("team");
        assert_eq!(team.quotas().keys().collect::<Vec<_>>(), ["compute"]);
        assert!(state.limits_of("other").is_empty(), "says nothing about sidecars");
        let line = "tributary_webhook_limits_known{resource=\"resourcequotas\"} 1";
        assert!(metrics.contains(line), "{metrics}");
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_kept_with_its_problem() {
        let json = json!({
            "apiVersion": "tributary.dev/v2", "kind": "LoggingPolicy", "metadata": {"name": "future"},
            "spec": {"streamingSidecar": "always"}
        });
        let (name, policy) = stored(serde_json::from_value(json).unwrap());
        assert_eq!(name, "future");
        assert!(policy.unwrap_err().contains("always"));
    }
}
