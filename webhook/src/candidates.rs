//! Which policies may select the pods of a namespace, without asking each: in a cluster of many teams nearly all policies are
//! for one namespace label.

use std::collections::HashMap;

use tributary_crds::LoggingPolicy;
use tributary_crds::selection::Labels;

/// Policies by a namespace label that they require. They are named by their places in a list.
#[derive(Debug, Default)]
pub struct Candidates {
    /// By the label's key, then by its value; places ascend.
    by_label: HashMap<String, HashMap<String, Vec<usize>>>,
    /// Those that require no single label.
    others: Vec<usize>,
}

impl Candidates {
    /// Sorts policies, in the order of their list.
    pub fn sort<'p>(policies: impl IntoIterator<Item = &'p LoggingPolicy>) -> Self {
        let mut sorted = Self::default();
        for (place, policy) in policies.into_iter().enumerate() {
            let selector = policy.spec.selector.namespace_selector.as_ref();
            // Each of several is required, so any of them serves to find the policy by.
            let label = selector.and_then(|selector| selector.match_labels.as_ref()?.first_key_value());
            let places = match label {
                Some((key, value)) => {
                    let values = sorted.by_label.entry(key.clone()).or_default();
                    values.entry(value.clone()).or_default()
                }
                None => &mut sorted.others,
            };
            places.push(place);
        }
        sorted
    }

    /// The places of all policies that may select pods of a namespace with these labels, ascending.
    pub fn of(&self, namespace: &Labels) -> Vec<usize> {
        let mut places = self.others.clone();
        for (key, value) in namespace {
            let found = self.by_label.get(key).and_then(|values| values.get(value));
            places.extend(found.into_iter().flatten());
        }
        places.sort_unstable();
        places
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tributary_crds::selection::Selection;

    use super::*;

    fn policy(selector: &Value) -> LoggingPolicy {
        let json = json!({
            "apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy", "metadata": {"name": "p"},
            "spec": {"selector": selector}
        });
        serde_json::from_value(json).unwrap()
    }

    fn labels() -> impl Strategy<Value = Labels> {
        prop::collection::btree_map("[ab]", "[xy]", 0..3)
    }

    fn selector() -> impl Strategy<Value = Value> {
        let expression = prop_oneof![
            Just(json!([])),
            Just(json!([{"key": "a", "operator": "In", "values": ["x"]}])),
            Just(json!([{"key": "b", "operator": "NotIn", "values": ["x"]}])),
            Just(json!([{"key": "a", "operator": "DoesNotExist"}])),
        ];
        let both = (labels(), expression).prop_map(|(labels, expressions)| {
            json!({"namespaceSelector": {"matchLabels": labels, "matchExpressions": expressions}})
        });
        prop_oneof![Just(json!({})), both]
    }

    proptest! {
        #[test]
        fn no_policy_that_selects_is_missed_and_the_order_stays(
            selectors in prop::collection::vec(selector(), 0..8), namespace in labels()
        ) {
            let policies: Vec<LoggingPolicy> = selectors.iter().map(policy).collect();
            let selects = |place: &usize| {
                let selection = Selection::compile(&policies[*place].spec.selector).unwrap();
                selection.selects(&namespace, &Labels::new())
            };
            let candidates = Candidates::sort(&policies).of(&namespace);
            let found: Vec<usize> = candidates.into_iter().filter(selects).collect();
            let all: Vec<usize> = (0..policies.len()).filter(selects).collect();
            prop_assert_eq!(found, all);
        }
    }

    #[test]
    fn policies_for_other_namespaces_are_not_asked() {
        let of_team = |team: &str| policy(&json!({"namespaceSelector": {"matchLabels": {"team": team}}}));
        let policies = [of_team("a"), policy(&json!({})), of_team("b"), of_team("a")];
        let candidates = Candidates::sort(&policies);
        let namespace = |team: &str| Labels::from([("team".to_owned(), team.to_owned())]);
        assert_eq!(candidates.of(&namespace("a")), [0, 1, 3]);
        assert_eq!(candidates.of(&namespace("c")), [1]);
    }
}
