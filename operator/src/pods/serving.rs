//! Which policy would serve a pod, if the pod were made now.

use std::borrow::Cow;
use std::collections::BTreeMap;

use kube::ResourceExt as _;
use tributary_crds::selection::{Labels, Selection, precedence};
use tributary_crds::{LoggingPolicy, Reason, annotation};

use super::metadata::Metadata;
use super::pattern::Pattern;

/// The label that every namespace has.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The labels of every namespace.
pub type Namespaces = BTreeMap<String, Labels>;

/// The policies, in their order of precedence.
pub struct Serving {
    policies: Vec<Policy>,
}

/// What has to be known of a policy.
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The revision of its agent sidecars' configuration, when it has any that can be told.
    pub revision: Option<String>,
    /// Selects nothing where it cannot be understood.
    selection: Option<Selection>,
    patterns: Vec<Pattern>,
}

impl Serving {
    /// Takes what is needed of the policies. `revision` tells the revision of a policy's agent sidecars.
    pub fn new(mut policies: Vec<&LoggingPolicy>, revision: fn(&LoggingPolicy) -> Option<String>) -> Self {
        policies.sort_by(|a, b| precedence(a, b));
        let policy = |policy: &LoggingPolicy| Policy {
            name: policy.name_any(),
            revision: revision(policy),
            selection: Selection::compile(&policy.spec.selector).ok(),
            patterns: Pattern::ALL
                .into_iter()
                .filter(|pattern| pattern.is_on(&policy.spec))
                .collect(),
        };
        Self {
            policies: policies.into_iter().map(policy).collect(),
        }
    }

    /// The policies, in the order that indices count.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The index of the policy of this name.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.policies.iter().position(|policy| policy.name == name)
    }

    /// Whether the policy selects the pod and has the block.
    pub fn may(&self, policy: usize, pattern: Pattern, namespaces: &Namespaces, pod: &Metadata) -> bool {
        let policy = &self.policies[policy];
        // Made since the namespaces were listed: of its labels one is sure.
        let sure = || Labels::from([(NAMESPACE_NAME.to_owned(), pod.namespace.clone())]);
        let labels = namespaces
            .get(&pod.namespace)
            .map_or_else(|| Cow::Owned(sure()), Cow::Borrowed);
        let selects = |selection: &Selection| selection.selects(&labels, &pod.labels);
        policy.patterns.contains(&pattern) && policy.selection.as_ref().is_some_and(selects)
    }

    /// The policy that would serve the pod, as the webhook chooses it, or the reason why there is none.
    pub fn choose(&self, pattern: Pattern, namespaces: &Namespaces, pod: &Metadata) -> Result<usize, Reason> {
        if let Some(name) = pod.annotation(annotation::POLICY) {
            return self
                .named(name)
                .filter(|&policy| self.may(policy, pattern, namespaces, pod))
                .ok_or(Reason::PolicyNotUsable);
        }
        (0..self.policies.len())
            .find(|&policy| self.may(policy, pattern, namespaces, pod))
            .ok_or(Reason::NoPolicy)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn policy(name: &str, spec: Value) -> LoggingPolicy {
        LoggingPolicy::new(name, serde_json::from_value(spec).unwrap())
    }

    fn pod(annotations: &Value) -> Metadata {
        serde_json::from_value(
            json!({"namespace": "shop", "labels": {"app": "web"}, "annotations": annotations}),
        )
        .unwrap()
    }

    #[test]
    fn the_named_one_or_the_first_that_selects_the_pod_and_has_the_block() {
        let policies = [
            policy("low", json!({"streamingSidecar": {}, "direct": {}})),
            policy(
                "high",
                json!({"priority": 1, "streamingSidecar": {}, "selector": {"podSelector": {"matchLabels": {"app": "web"}}}}),
            ),
            policy(
                "team",
                json!({"priority": 9, "streamingSidecar": {}, "selector": {"namespaceSelector": {"matchLabels": {"team": "a"}}}}),
            ),
        ];
        let serving = Serving::new(policies.iter().collect(), |_| None);
        let name =
            |result: Result<usize, Reason>| result.map(|policy| serving.policies()[policy].name.as_str());
        let (plain, of_team) = (
            Namespaces::new(),
            Namespaces::from([(
                "shop".to_owned(),
                Labels::from([("team".to_owned(), "a".to_owned())]),
            )]),
        );
        let (nothing, wants_low) = (json!({}), json!({"tributary.dev/policy": "low"}));
        for (pattern, namespaces, annotations, expected) in [
            (Pattern::Streaming, &plain, &nothing, Ok("high")),
            (Pattern::Streaming, &of_team, &nothing, Ok("team")),
            (Pattern::Streaming, &of_team, &wants_low, Ok("low")),
            (Pattern::Direct, &of_team, &nothing, Ok("low")),
            (Pattern::Agent, &of_team, &nothing, Err(Reason::NoPolicy)),
            (Pattern::Agent, &of_team, &wants_low, Err(Reason::PolicyNotUsable)),
        ] {
            let chosen = serving.choose(pattern, namespaces, &pod(annotations));
            assert_eq!(name(chosen), expected, "{pattern:?} {annotations}");
        }
        let absent = pod(&json!({"tributary.dev/policy": "absent"}));
        assert_eq!(
            name(serving.choose(Pattern::Streaming, &plain, &absent)),
            Err(Reason::PolicyNotUsable)
        );
    }
}
