//! What is to be told to the authors of workloads: each trouble once, and not too many at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tributary_crds::Reason;

use super::metadata::{Metadata, OwnerReference};
use super::workload::{Workload, controller};

/// Events that are written after one look. What is left is found again by the next.
pub const TOLD_AT_ONCE: usize = 50;
/// Of these, about one namespace: whoever writes many odd pods there must not keep others from being told.
pub const TOLD_OF_ONE_NAMESPACE: usize = 10;
/// After so long a trouble that is still there is told again: the API server forgets Events after an hour.
const TOLD_AGAIN: Duration = Duration::from_secs(45 * 60);

/// Tells which troubles are new. What it remembers is bounded by how much is told in 45 minutes.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    told: BTreeMap<Key, Told>,
    new: BTreeMap<Key, Trouble>,
    /// How many of the new ones are about each namespace.
    of_namespace: BTreeMap<String, usize>,
    /// Pods whose trouble is new and could not be taken any more.
    pub left: usize,
}

/// One Event for each: the uid of what made the pods (of the pod, where nothing did), and the reason.
type Key = (String, Reason);

/// When something was told, and of which pod.
#[derive(Clone, Debug)]
struct Told {
    at: Instant,
    newest: Option<String>,
}

/// Something to tell.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// The code.
    pub reason: Reason,
    /// What is so of the pod.
    pub message: String,
    /// The pod's namespace.
    pub namespace: String,
    /// One of the pods.
    pub pod: String,
    /// Its uid.
    pub uid: String,
    /// What made it, when that is an object of the namespace.
    pub owner: Option<OwnerReference>,
    /// What to touch.
    pub workload: Workload,
    /// When the newest of the pods was made.
    newest: Option<String>,
}

impl Troubles {
    /// Begins another look at time `now`.
    pub fn begin(&mut self, now: Instant) {
        self.told
            .retain(|_, told| now.duration_since(told.at) < TOLD_AGAIN);
        self.new.clear();
        self.of_namespace.clear();
        self.left = 0;
    }

    /// A pod has this trouble.
    pub fn add(&mut self, pod: &Metadata, reason: Reason, message: &str) {
        let owner = controller(pod);
        let key = (owner.map_or(&pod.uid, |owner| &owner.uid).clone(), reason);
        let made = &pod.creation_timestamp;
        if self.told.get(&key).is_some_and(|told| told.newest >= *made) {
            return;
        }
        if let Some(known) = self.new.get_mut(&key) {
            known.newest = known.newest.take().max(made.clone());
            return;
        }
        let of_namespace = self.of_namespace.entry(pod.namespace.clone()).or_default();
        if self.new.len() < TOLD_AT_ONCE && *of_namespace < TOLD_OF_ONE_NAMESPACE {
            *of_namespace += 1;
            let trouble = Trouble {
                reason,
                message: message.to_owned(),
                namespace: pod.namespace.clone(),
                pod: pod.name.clone(),
                uid: pod.uid.clone(),
                owner: owner.cloned(),
                workload: Workload::of(pod),
                newest: made.clone(),
            };
            self.new.insert(key, trouble);
        } else {
            self.left += 1;
        }
    }

    /// What is to be told now; from here on it counts as told at time `now`.
    pub fn tell(&mut self, now: Instant) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        for (key, trouble) in std::mem::take(&mut self.new) {
            let told = Told {
                at: now,
                newest: trouble.newest.clone(),
            };
            self.told.insert(key, told);
            troubles.push(trouble);
        }
        troubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(owner: &str, made: &str) -> Metadata {
        pod_in("shop", owner, made)
    }

    fn pod_in(namespace: &str, owner: &str, made: &str) -> Metadata {
        serde_json::from_value(serde_json::json!({
            "namespace": namespace, "name": format!("pod-of-{owner}"), "uid": format!("pod-{owner}-{made}"), "creationTimestamp": made,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": owner, "controller": true}],
        }))
        .unwrap()
    }

    #[test]
    fn each_is_told_once_until_there_is_a_newer_pod_or_the_event_is_forgotten() {
        let start = Instant::now();
        let mut troubles = Troubles::default();
        let mut look = |at: Duration, pods: &[(&str, &str)]| {
            troubles.begin(start + at);
            for (owner, made) in pods {
                troubles.add(&pod(owner, made), Reason::NoVolume, "m");
            }
            troubles.tell(start + at).len()
        };
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(
            look(
                minutes(0),
                &[("a", "2026-01-01"), ("a", "2026-01-03"), ("b", "2026-01-01")]
            ),
            2
        );
        assert_eq!(
            look(
                minutes(1),
                &[("a", "2026-01-01"), ("a", "2026-01-03"), ("b", "2026-01-01")]
            ),
            0
        );
        assert_eq!(
            look(minutes(2), &[("a", "2026-01-02")]),
            0,
            "older than the newest that was told"
        );
        assert_eq!(look(minutes(3), &[("a", "2026-01-04")]), 1);
        assert_eq!(
            look(minutes(46), &[("a", "2026-01-04"), ("b", "2026-01-01")]),
            1,
            "only b was told long ago"
        );
    }

    /// Looks at the same pods three times: how many are told each time, and how many are left.
    fn three_looks(pods: &[Metadata]) -> Vec<(usize, usize)> {
        let now = Instant::now();
        let mut troubles = Troubles::default();
        let look = |_| {
            troubles.begin(now);
            for pod in pods {
                troubles.add(pod, Reason::NotSeen, "m");
            }
            (troubles.tell(now).len(), troubles.left)
        };
        (0..3).map(look).collect()
    }

    #[test]
    fn too_many_are_told_one_look_after_the_other() {
        let made = |n: usize| pod_in(&format!("ns-{}", n % 30), &n.to_string(), "2026-01-01");
        let pods: Vec<Metadata> = (0..120).map(made).collect();
        assert_eq!(three_looks(&pods), [(50, 70), (50, 20), (20, 0)]);
    }

    #[test]
    fn one_namespace_does_not_keep_others_from_being_told() {
        let mut pods: Vec<Metadata> = (0..1000)
            .map(|n| pod_in("a", &n.to_string(), "2026-01-01"))
            .collect();
        pods.push(pod_in("b", "x", "2026-01-01"));
        assert_eq!(three_looks(&pods), [(11, 990), (10, 980), (10, 970)]);
    }
}
