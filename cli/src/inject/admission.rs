//! What admission makes of one pod.

use serde_json::Value;
use tributary_crds::Reason;
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};
use tributary_crds::reason::Severity;
use tributary_webhook::decide::decide;
use tributary_webhook::patch::Patch;
use tributary_webhook::pod::Pod;
use tributary_webhook::policies::Namespace;
use tributary_webhook::{Config, Outcome};

use crate::error::Error;

use super::candidates::Candidate;
use super::cluster::Cluster;
use super::defaults;

/// Namespaces that the webhook is not registered for.
const LEFT_ALONE: [&str; 3] = ["kube-node-lease", SYSTEM_NAMESPACE, AGENTS_NAMESPACE];

/// The webhook of a cluster.
pub struct Admission<'c> {
    cluster: &'c Cluster,
    config: Config,
}

/// A pod that came out of admission.
#[derive(Debug)]
pub struct Admitted {
    /// The pod.
    pub pod: Value,
    /// How it was changed.
    pub patch: Patch,
    /// What kubectl would print.
    pub warnings: Vec<String>,
    /// What kubectl would not say.
    pub note: Option<String>,
    /// Whether the pod asks for anything.
    pub asks: bool,
    /// Whether it gets what it asks for.
    pub is_served: bool,
}

impl<'c> Admission<'c> {
    /// The admission of this cluster, with this image of the streamer.
    pub fn new(cluster: &'c Cluster, streamer_image: &str) -> Self {
        let config = Config {
            streamer_image: streamer_image.to_owned(),
        };
        Self { cluster, config }
    }

    /// Admits a pod.
    pub fn admit(&self, candidate: &Candidate) -> Result<Admitted, Error> {
        let labels = self.cluster.labels_of(&candidate.namespace);
        let namespace = Namespace {
            name: &candidate.namespace,
            labels: &labels,
            limits: self.cluster.limits.of(&candidate.namespace),
        };
        let json = defaults::pod(&candidate.pod).to_string();
        let before = Pod::parse(&json).map_err(|error| Error::Field {
            origin: candidate.origin.clone(),
            field: candidate.title.clone(),
            problem: error.to_string(),
        })?;
        let decision = decide(&before, namespace, &self.cluster.policies, &self.config);
        let asks = decision.outcome != Outcome::NotAsked;
        if asks && LEFT_ALONE.contains(&candidate.namespace.as_str()) {
            return Ok(left_alone(candidate));
        }
        let mut pod = candidate.pod.clone();
        json_patch::patch(&mut pod, &decision.patch.operations()).map_err(|source| Error::Patch {
            origin: candidate.origin.clone(),
            object: candidate.title.clone(),
            source,
        })?;
        if !decision.patch.is_empty() {
            defaults::complete_whole(&mut pod, &before);
        }
        Ok(Admitted {
            pod,
            patch: decision.patch,
            warnings: decision.warnings,
            note: None,
            asks,
            is_served: decision.reasons.into_iter().all(is_served),
        })
    }
}

/// A pod that never comes to the webhook.
fn left_alone(candidate: &Candidate) -> Admitted {
    let note = format!(
        "pods of namespace {} never come to the webhook; create the pod in another namespace",
        candidate.namespace
    );
    Admitted {
        pod: candidate.pod.clone(),
        patch: Patch::default(),
        warnings: Vec::new(),
        note: Some(note),
        asks: true,
        is_served: false,
    }
}

/// Whether what was asked for is given, for all that this reason says.
fn is_served(reason: Reason) -> bool {
    let is_given_nevertheless = [
        Reason::VolumeCreated,
        Reason::MayNotRead,
        Reason::EnvFromOverruled,
    ]
    .contains(&reason);
    reason.severity() == Severity::Normal || is_given_nevertheless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_leave_the_same_namespaces_alone() {
        let manifest = include_str!("../../../manifests/base/webhook-configuration.yaml");
        let list = format!("operator: NotIn, values: [{}]", LEFT_ALONE.join(", "));
        let selectors = manifest.matches("namespaceSelector:").count();
        assert_eq!(manifest.matches(&list).count(), selectors, "{list}");
    }
}
