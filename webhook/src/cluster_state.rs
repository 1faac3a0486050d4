//! What is known of the cluster while pods are admitted: policies, and the labels and limits of namespaces.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use tributary_crds::selection::Labels;

use crate::limits::{Limit, LimitKind, NamespaceLimits};
use crate::policies::PolicyIndex;

/// How long a pod waits for its namespace to be seen, when both are created at once. A fraction of the three seconds
/// that the API server waits.
const NAMESPACE_WAIT: Duration = Duration::from_millis(250);
/// The label that every namespace has.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Policies, namespaces and their limits, as the last watch events left them.
#[derive(Default)]
pub struct ClusterState {
    policies: ArcSwap<PolicyIndex>,
    policies_listed: AtomicBool,
    namespaces: RwLock<HashMap<String, Arc<Labels>>>,
    namespaces_listed: AtomicBool,
    namespace_changed: Notify,
    limits: RwLock<HashMap<String, Arc<NamespaceLimits>>>,
    limits_listed: [AtomicBool; LimitKind::ALL.len()],
    no_limits: Arc<NamespaceLimits>,
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

    /// The limits of a namespace, as far as they are known.
    pub fn limits_of(&self, namespace: &str) -> Arc<NamespaceLimits> {
        let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(limits.get(namespace).unwrap_or(&self.no_limits))
    }

    /// Whether every policy, namespace and limit was seen once.
    pub fn is_complete(&self) -> bool {
        [&self.policies_listed, &self.namespaces_listed]
            .into_iter()
            .chain(&self.limits_listed)
            .all(|listed| listed.load(Ordering::Acquire))
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

    /// Replaces all limits of a kind: by namespace, then by name.
    pub fn set_limits<L: Limit>(&self, limits: HashMap<String, BTreeMap<String, L>>) {
        let mut known = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        for of_namespace in known.values_mut() {
            L::among(Arc::make_mut(of_namespace)).clear();
        }
        for (namespace, limits) in limits {
            let of_namespace = Arc::make_mut(known.entry(namespace).or_default());
            for (name, limit) in limits {
                of_namespace.set(&name, Some(limit));
            }
        }
        known.retain(|_, limits| !limits.is_empty());
        self.limits_listed[L::KIND as usize].store(true, Ordering::Release);
    }

    /// A limit was made or changed, or with `None` removed.
    pub fn set_limit<L: Limit>(&self, namespace: &str, name: &str, limit: Option<L>) {
        let mut known = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        let mut of_namespace = known.remove(namespace).unwrap_or_default();
        Arc::make_mut(&mut of_namespace).set(name, limit);
        if !of_namespace.is_empty() {
            known.insert(namespace.to_owned(), of_namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::limits::limit_range::LimitRange;
    use crate::limits::quota::Quota;

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

    #[test]
    fn limits_are_kept_by_kind() {
        let quota = |hard: &str| {
            let json = json!({"status": {"hard": {"limits.cpu": hard}, "used": {"limits.cpu": "0"}}});
            Quota::read(&serde_json::from_value(json).unwrap())
        };
        let range: LimitRange = LimitRange::read(
            &serde_json::from_value(json!({"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}}))
                .unwrap(),
        );
        let state = ClusterState::default();
        state.set_limits(HashMap::from([(
            "shop".to_owned(),
            BTreeMap::from([("a".to_owned(), quota("1"))]),
        )]));
        state.set_limit("shop", "r", Some(range));
        let both = state.limits_of("shop");
        assert_eq!((both.quotas().len(), both.limit_ranges().len()), (1, 1));
        state.set_limits(HashMap::<_, BTreeMap<_, Quota>>::new());
        let one = state.limits_of("shop");
        assert_eq!((one.quotas().len(), one.limit_ranges().len()), (0, 1));
        assert_eq!(both.quotas().len(), 1, "who holds them sees them unchanged");
        state.set_limit("shop", "r", None::<LimitRange>);
        assert_eq!(*state.limits_of("shop"), NamespaceLimits::default());
        assert!(state.limits.read().unwrap().is_empty());
    }

    #[test]
    fn everything_is_waited_for() {
        let state = ClusterState::default();
        state.set_policies(PolicyIndex::default());
        state.set_namespaces(HashMap::new());
        state.set_limits::<LimitRange>(HashMap::new());
        assert!(!state.is_complete());
        state.set_limits::<Quota>(HashMap::new());
        assert!(state.is_complete());
    }

    #[tokio::test]
    async fn but_not_for_ever() {
        let started = Instant::now();
        let labels = ClusterState::default().labels_of("shop").await;
        assert_eq!(labels[NAME_LABEL], "shop");
        assert!(started.elapsed() >= NAMESPACE_WAIT);
    }
}
