//! What the status of a node agent's `DaemonSet` says.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::build::{CONFIG_HASH, ENGINE};
use crate::context::Progress;

/// What the status of a `DaemonSet` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The engine that it runs.
    pub engine: String,
    /// The hash of its configuration.
    pub config_hash: String,
    /// Its generation.
    pub generation: i64,
    /// Whether the counts are about that generation.
    pub observed: bool,
    /// Nodes that should run the agent.
    pub desired: i32,
    /// Nodes with a pod of this generation.
    pub updated: i32,
    /// Nodes with an available pod of any generation.
    pub available: i32,
    /// Nodes that may be without their agent at once.
    pub budget: i32,
}

impl View {
    /// Reads a `DaemonSet`.
    pub fn of(daemon_set: &DaemonSet) -> Self {
        let annotation = |key| {
            let annotations = daemon_set.metadata.annotations.as_ref();
            annotations
                .and_then(|map| map.get(key))
                .cloned()
                .unwrap_or_default()
        };
        let status = daemon_set.status.clone().unwrap_or_default();
        let generation = daemon_set.metadata.generation.unwrap_or_default();
        let strategy = daemon_set
            .spec
            .as_ref()
            .and_then(|spec| spec.update_strategy.as_ref());
        let unavailable = strategy.and_then(|s| s.rolling_update.as_ref()?.max_unavailable.clone());
        Self {
            engine: annotation(ENGINE),
            config_hash: annotation(CONFIG_HASH),
            generation,
            observed: status
                .observed_generation
                .is_some_and(|observed| observed >= generation),
            desired: status.desired_number_scheduled,
            updated: status.updated_number_scheduled.unwrap_or(0),
            available: status.number_available.unwrap_or(0),
            budget: budget(unavailable.as_ref(), status.desired_number_scheduled),
        }
    }

    /// Whether every node runs this generation.
    pub fn is_complete(&self) -> bool {
        self.observed && self.updated >= self.desired && self.available >= self.desired
    }

    /// What must change for the rollout to count as moving.
    pub fn progress(&self) -> Progress {
        Progress {
            generation: self.generation,
            updated: self.updated,
            available: self.available,
            desired: self.desired,
        }
    }
}

/// As the `DaemonSet` controller counts it: a percentage is rounded up.
fn budget(unavailable: Option<&IntOrString>, desired: i32) -> i32 {
    match unavailable {
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => {
            let percent: i32 = text.trim_end_matches('%').parse().unwrap_or(0);
            (desired * percent + 99) / 100
        }
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_counted_as_kubernetes_does() {
        let percent = |text: &str, desired| budget(Some(&IntOrString::String(text.to_owned())), desired);
        assert_eq!(
            [
                percent("10%", 1),
                percent("10%", 10),
                percent("10%", 11),
                percent("5%", 288)
            ],
            [1, 1, 2, 15]
        );
        assert_eq!(budget(Some(&IntOrString::Int(3)), 10), 3);
    }
}
