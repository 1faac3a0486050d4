//! What is known of the cluster while pods are admitted: policies and the labels of namespaces.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use tributary_crds::selection::Labels;

use crate::policies::PolicyIndex;

/// How long a pod waits for its namespace to be seen, when both are created at once. A fraction of the three seconds
/// that the API server waits.
const NAMESPACE_WAIT: Duration = Duration::from_millis(250);
/// The label that every namespace has.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Policies and namespaces, as the last watch events left them.
#[derive(Default)]
pub struct ClusterState {
    policies: ArcSwap<PolicyIndex>,
    policies_listed: AtomicBool,
    namespaces: RwLock<HashMap<String, Arc<Labels>>>,
    namespaces_listed: AtomicBool,
    namespace_changed: Notify,
}

impl ClusterState {
    /// The policies.
    pub fn policies(&self) -> Arc<PolicyIndex> {
        self.policies.load_full()
    }

    /// The labels of a namespace. One that is not known yet gets a moment; then only its name is known.
    pub async fn labels_of(&self, namespace: &str) -> Arc<Labels> {
        let deadline = Instant::now() + NAMESPACE_WAIT;
        loop {
            // Before the look, so that a change between the look and the wait is noticed.
            let changed = self.namespace_changed.notified();
            let known = self
                .namespaces
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(namespace)
                .cloned();
            if let Some(labels) = known {
                return labels;
            }
            if timeout_at(deadline, changed).await.is_err() {
                return Arc::new(Labels::from([(NAME_LABEL.to_owned(), namespace.to_owned())]));
            }
        }
    }

    /// Whether every policy and namespace was seen once.
    pub fn is_complete(&self) -> bool {
        self.policies_listed.load(Ordering::Acquire) && self.namespaces_listed.load(Ordering::Acquire)
    }

    /// Replaces the policies by a complete set.
    pub fn set_policies(&self, index: PolicyIndex) {
        self.policies.store(Arc::new(index));
        self.policies_listed.store(true, Ordering::Release);
    }

    /// Replaces the namespaces by a complete set.
    pub fn set_namespaces(&self, namespaces: HashMap<String, Arc<Labels>>) {
        *self.namespaces.write().unwrap_or_else(PoisonError::into_inner) = namespaces;
        self.namespaces_listed.store(true, Ordering::Release);
        self.namespace_changed.notify_waiters();
    }

    /// A namespace was made, or its labels were changed. Returns how many there are.
    pub fn set_namespace(&self, name: String, labels: Labels) -> usize {
        let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        namespaces.insert(name, Arc::new(labels));
        self.namespace_changed.notify_waiters();
        namespaces.len()
    }

    /// A namespace is gone. Returns how many there are.
    pub fn remove_namespace(&self, name: &str) -> usize {
        let mut namespaces = self.namespaces.write().unwrap_or_else(PoisonError::into_inner);
        namespaces.remove(name);
        namespaces.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_namespace_is_waited_for() {
        let state = Arc::new(ClusterState::default());
        let waiting = tokio::spawn({
            let state = Arc::clone(&state);
            async move { state.labels_of("shop").await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        state.set_namespace(
            "shop".to_owned(),
            Labels::from([("team".to_owned(), "a".to_owned())]),
        );
        assert_eq!(waiting.await.unwrap()["team"], "a");
    }

    #[tokio::test]
    async fn but_not_for_ever() {
        let started = Instant::now();
        let labels = ClusterState::default().labels_of("shop").await;
        assert_eq!(labels[NAME_LABEL], "shop");
        assert!(started.elapsed() >= NAMESPACE_WAIT);
    }
}
