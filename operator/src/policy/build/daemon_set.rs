//! The agent's `DaemonSet`.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use tributary_crds::names::{label, node_agent};

use super::{CONFIG_HASH, ENGINE, labels, metadata, pod};
use crate::policy::dereference::Identity;

/// The `DaemonSet`. Its selector never changes, because Kubernetes does not allow that.
pub fn build(identity: &Identity, template: &pod::Template<'_>) -> DaemonSet {
    let annotations = [
        (CONFIG_HASH, template.config_hash),
        (ENGINE, template.block.engine.as_str()),
    ];
    let mut selector = labels(&identity.name);
    selector.remove(label::MANAGED_BY);
    DaemonSet {
        metadata: ObjectMeta {
            annotations: Some(
                annotations
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            ..metadata(identity, node_agent(&identity.name))
        },
        spec: Some(DaemonSetSpec {
            selector: LabelSelector {
                match_labels: Some(selector),
                ..LabelSelector::default()
            },
            template: pod::build(&identity.name, template),
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDaemonSet {
                    max_unavailable: Some(template.block.rollout.max_unavailable.clone()),
                    // Two agents on one node would share positions and buffers.
                    max_surge: None,
                }),
            }),
            // Enough to look back; each keeps a whole pod template.
            revision_history_limit: Some(3),
            ..DaemonSetSpec::default()
        }),
        status: None,
    }
}
