//! Keeps what is known of the cluster fresh: policies, namespaces' labels and the certificate, each by a watch.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tributary_crds::LoggingPolicy;
use tributary_crds::names::WEBHOOK_CERTIFICATE_SECRET;

use crate::cluster_state::ClusterState;
use crate::metrics::Metrics;
use crate::policies::{Labels, PolicyIndex, StoredPolicy};
use crate::tls::{Certificate, CertificateError};

const TLS_CERTIFICATE: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";

/// Follows the policies. One that cannot be decoded does not stop the others.
pub async fn policies(client: Client, state: Arc<ClusterState>, metrics: Metrics) {
    let api: Api<DeserializeGuard<LoggingPolicy>> = Api::all(client);
    let mut events = events("LoggingPolicies", watcher(api, watcher::Config::default()));
    let mut policies: BTreeMap<String, StoredPolicy> = BTreeMap::new();
    let mut listed: BTreeMap<String, StoredPolicy> = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Init => {
                listed.clear();
                continue;
            }
            Event::InitApply(policy) => {
                let (name, policy) = stored(policy);
                listed.insert(name, policy);
                continue;
            }
            Event::InitDone => policies = std::mem::take(&mut listed),
            Event::Apply(policy) => {
                let (name, policy) = stored(policy);
                policies.insert(name, policy);
            }
            Event::Delete(policy) => {
                policies.remove(&policy.name_any());
            }
        }
        let index = PolicyIndex::compile(&policies);
        let (all, unusable) = index.counts();
        metrics.policies(all, unusable);
        state.set_policies(index);
    }
}

fn stored(policy: DeserializeGuard<LoggingPolicy>) -> (String, StoredPolicy) {
    let name = policy.name_any();
    let policy = policy.0.map_err(|invalid| {
        tracing::warn!(policy = %name, error = %invalid, "the policy cannot be read; pods do not get it");
        invalid.error
    });
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
    use serde_json::json;

    use super::*;

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
