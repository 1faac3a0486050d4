//! Which policies' node agents may collect the same pods.
//!
//! Whether two selectors have a pod in common depends on the pods there will be. What is reported is sound and simple: two
//! policies overlap when their selections are equal, or when one of them selects every pod. Other overlaps are not reported.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt as _;
use kube::core::DeserializeGuard;
use tributary_crds::policy::PodSelection;
use tributary_crds::{LoggingPolicy, LoggingPolicySpec};

/// The names of the other policies with a node agent that overlap this one, in order.
pub fn others(
    name: &str,
    spec: &LoggingPolicySpec,
    policies: &[Arc<DeserializeGuard<LoggingPolicy>>],
) -> Vec<String> {
    let mut names: Vec<String> = policies
        .iter()
        .filter_map(|guarded| guarded.0.as_ref().ok())
        .filter(|other| other.name_any() != name && other.metadata.deletion_timestamp.is_none())
        .filter(|other| other.spec.node_agent.is_some() && overlap(&spec.selector, &other.spec.selector))
        .map(kube::ResourceExt::name_any)
        .collect();
    names.sort();
    names
}

fn overlap(one: &PodSelection, other: &PodSelection) -> bool {
    selects_all(one) || selects_all(other) || one == other
}

fn selects_all(selection: &PodSelection) -> bool {
    [&selection.namespace_selector, &selection.pod_selector]
        .into_iter()
        .flatten()
        .all(is_empty)
}

fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.iter().flatten().next().is_none()
        && selector.match_expressions.iter().flatten().next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(namespace: Option<&str>, pod: Option<&str>) -> PodSelection {
        let selector = |value: &str| LabelSelector {
            match_labels: (!value.is_empty()).then(|| [("team".to_owned(), value.to_owned())].into()),
            ..LabelSelector::default()
        };
        PodSelection {
            namespace_selector: namespace.map(selector),
            pod_selector: pod.map(selector),
        }
    }

    #[test]
    fn equal_and_unbounded_selections_overlap() {
        let all = selection(None, None);
        let empty = selection(Some(""), Some(""));
        let (red, blue) = (selection(Some("red"), None), selection(Some("blue"), None));
        let red_pods = selection(None, Some("red"));
        for (one, other, expected) in [
            (&all, &all, true),
            (&all, &red, true),
            (&empty, &red, true),
            (&red, &red, true),
            (&red, &blue, false),
            (&red, &red_pods, false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one:?} {other:?}");
            assert_eq!(overlap(other, one), expected, "{other:?} {one:?}");
        }
    }

    #[test]
    fn only_other_policies_with_an_agent_count() {
        let policy = |name: &str, agent: bool| {
            let node_agent = agent.then(Default::default);
            Arc::new(DeserializeGuard(Ok(LoggingPolicy::new(
                name,
                LoggingPolicySpec {
                    node_agent,
                    ..Default::default()
                },
            ))))
        };
        let policies = [
            policy("me", true),
            policy("z", true),
            policy("sidecars", false),
            policy("a", true),
        ];
        assert_eq!(others("me", &LoggingPolicySpec::default(), &policies), ["a", "z"]);
    }
}
