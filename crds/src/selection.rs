//! Which policy serves a pod: one order of precedence and one meaning of selectors, for the webhook and for the operator.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::core::{ParseExpressionError, Selector, SelectorExt};

use crate::LoggingPolicy;
use crate::policy::PodSelection;

/// Labels, as selectors take them.
pub type Labels = BTreeMap<String, String>;

/// The selectors of a policy, ready to be asked.
#[derive(Clone, Debug)]
pub struct Selection {
    namespaces: Selector,
    pods: Selector,
}

impl Selection {
    /// Reads the selectors.
    ///
    /// # Errors
    /// When an expression cannot be understood, such as one with an unknown operator.
    pub fn compile(selection: &PodSelection) -> Result<Self, ParseExpressionError> {
        let compile = |selector: &Option<_>| {
            selector
                .clone()
                .map_or_else(|| Ok(Selector::default()), TryInto::try_into)
        };
        Ok(Self {
            namespaces: compile(&selection.namespace_selector)?,
            pods: compile(&selection.pod_selector)?,
        })
    }

    /// Whether a pod with these labels, in a namespace with those, is selected.
    pub fn selects(&self, namespace: &Labels, pod: &Labels) -> bool {
        self.namespaces.matches(namespace) && self.pods.matches(pod)
    }
}

/// The order in which policies are asked whether they serve a pod: by descending priority, then by name.
pub fn precedence(a: &LoggingPolicy, b: &LoggingPolicy) -> Ordering {
    b.spec
        .priority
        .cmp(&a.spec.priority)
        .then_with(|| a.name_any().cmp(&b.name_any()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn selects(selection: Value, namespace: &[(&str, &str)], pod: &[(&str, &str)]) -> bool {
        let labels = |pairs: &[(&str, &str)]| {
            let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            pairs.iter().map(own).collect()
        };
        let selection: PodSelection = serde_json::from_value(selection).unwrap();
        let selection = Selection::compile(&selection).unwrap();
        selection.selects(&labels(namespace), &labels(pod))
    }

    #[test]
    fn both_selectors_must_match_and_an_absent_one_does() {
        assert!(selects(json!({}), &[], &[]));
        let both = || {
            json!({
                "namespaceSelector": {"matchLabels": {"team": "shop"}},
                "podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}
            })
        };
        assert!(selects(both(), &[("team", "shop")], &[("app", "y")]));
        assert!(!selects(both(), &[("team", "shop")], &[("app", "x")]));
        assert!(!selects(both(), &[("team", "sales")], &[]));
    }

    #[test]
    fn an_unknown_operator_is_an_error() {
        let like = json!({"podSelector": {"matchExpressions": [{"key": "app", "operator": "Like"}]}});
        assert!(Selection::compile(&serde_json::from_value(like).unwrap()).is_err());
    }

    #[test]
    fn higher_priority_then_name() {
        let policy = |name: &str, priority| {
            let mut policy = LoggingPolicy::new(name, crate::LoggingPolicySpec::default());
            policy.spec.priority = priority;
            policy
        };
        let mut policies = [policy("b", 0), policy("a", 0), policy("z", 7)];
        policies.sort_by(precedence);
        assert_eq!(policies.map(|policy| policy.name_any()), ["z", "a", "b"]);
    }
}
