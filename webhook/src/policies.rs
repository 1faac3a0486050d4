//! The policies as admission needs them: compiled when they change, not when a pod comes.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::core::ParseExpressionError;
use tributary_crds::selection::{Labels, Selection, precedence};
use tributary_crds::{LoggingPolicy, Reason, annotation};

use crate::blocks::{Agent, Block, Blocks, CompileError, Direct, Streaming};
use crate::candidates::Candidates;
use crate::explain::{Finding, Quoted, did_you_mean};
use crate::limits::NamespaceLimits;

/// A namespace as decisions see it.
#[derive(Clone, Copy, Debug)]
pub struct Namespace<'n> {
    /// Its name.
    pub name: &'n str,
    /// Its labels.
    pub labels: &'n Labels,
    /// What it allows its pods.
    pub limits: &'n NamespaceLimits,
}

/// A policy as the cluster holds it, or why this version cannot read it.
pub type StoredPolicy = Result<LoggingPolicy, String>;

/// Every policy, compiled.
#[derive(Debug, Default)]
pub struct PolicyIndex {
    /// In their order of precedence.
    policies: Vec<CompiledPolicy>,
    candidates: Candidates,
    unreadable: BTreeMap<String, String>,
}

#[derive(Debug)]
struct CompiledPolicy {
    name: String,
    selection: Result<Selection, ParseExpressionError>,
    blocks: Blocks,
}

/// The policy that serves a pod in one pattern.
#[derive(Debug)]
pub struct Chosen<'i, B> {
    /// The policy's name.
    pub name: &'i str,
    /// The pattern's block.
    pub block: &'i B,
}

impl PolicyIndex {
    /// Compiles policies. What cannot be read or compiled is kept with its problem, so that it can be told.
    pub fn compile<'p>(policies: impl IntoIterator<Item = (&'p String, &'p StoredPolicy)>) -> Self {
        let mut unreadable = BTreeMap::new();
        let mut readable: Vec<&LoggingPolicy> = Vec::new();
        for (name, policy) in policies {
            match policy {
                Ok(policy) => readable.push(policy),
                Err(problem) => {
                    unreadable.insert(name.clone(), problem.clone());
                }
            }
        }
        readable.sort_by(|a, b| precedence(a, b));
        Self {
            candidates: Candidates::sort(readable.iter().copied()),
            policies: readable.into_iter().map(CompiledPolicy::new).collect(),
            unreadable,
        }
    }

    /// How many policies there are, and how many of them cannot be used.
    pub fn counts(&self) -> (usize, usize) {
        (
            self.policies.len() + self.unreadable.len(),
            self.problems().count(),
        )
    }

    /// The policies of which not all can be used, and what is wrong with the first part that cannot.
    pub fn problems(&self) -> impl Iterator<Item = (&str, String)> {
        let unreadable = self.unreadable.iter();
        let unreadable = unreadable.map(|(name, problem)| (name.as_str(), unreadable_because(problem)));
        let unusable = self.policies.iter().filter_map(|policy| {
            let problem = policy
                .problem::<Streaming>()
                .or_else(|| policy.problem::<Agent>())
                .or_else(|| policy.problem::<Direct>())?;
            Some((policy.name.as_str(), problem))
        });
        unreadable.chain(unusable)
    }

    /// The policy that serves a pod in the pattern of this block: the one that the pod names, else the first that selects it and
    /// has the block.
    ///
    /// # Errors
    /// Why there is none, or why the one that is named cannot.
    pub fn choose<B: Block>(
        &self,
        named: Option<&str>,
        namespace: Namespace<'_>,
        pod: &Labels,
    ) -> Result<Chosen<'_, B>, Finding> {
        if let Some(name) = named {
            return self.named(name, namespace, pod);
        }
        let candidates = self.candidates.of(namespace.labels);
        let selecting = || {
            candidates
                .iter()
                .map(|&place| &self.policies[place])
                .filter(|policy| policy.selects(namespace, pod))
        };
        if let Some(chosen) = selecting().find_map(CompiledPolicy::usable) {
            return Ok(chosen);
        }
        if let Some((policy, problem)) = selecting().find_map(|policy| Some((policy, policy.problem::<B>()?)))
        {
            return Err(broken(&policy.name, &problem));
        }
        let message = format!("no LoggingPolicy allows {} for this pod", B::GIVES);
        let remedy = format!(
            "add `{}: {{}}` to a LoggingPolicy that selects it (`kubectl get lp`)",
            B::FIELD
        );
        Err(Finding::new(Reason::NoPolicy, message, remedy).about(B::ANNOTATION))
    }

    fn named<B: Block>(
        &self,
        name: &str,
        namespace: Namespace<'_>,
        pod: &Labels,
    ) -> Result<Chosen<'_, B>, Finding> {
        if let Some(problem) = self.unreadable.get(name) {
            return Err(unusable(
                name,
                &unreadable_because(problem),
                "apply it again as `kubectl explain lp.spec` describes it",
            ));
        }
        let Some(policy) = self.policies.iter().find(|policy| policy.name == name) else {
            let known = self.policies.iter().map(|policy| policy.name.as_str());
            let remedy = match did_you_mean(name, known) {
                Some(near) => format!("did you mean {near}?"),
                None => "name one of `kubectl get lp`, or remove the annotation".to_owned(),
            };
            return Err(unusable(name, "does not exist", &remedy));
        };
        if let Some(problem) = policy.problem::<B>() {
            return Err(broken(name, &problem));
        }
        if !policy.selects(namespace, pod) {
            let remedy =
                "name a policy whose selector matches the pod and its namespace, or remove the annotation";
            return Err(unusable(name, "does not select this pod", remedy));
        }
        policy.usable().ok_or_else(|| {
            let remedy = format!("add `{}: {{}}` to it", B::FIELD);
            unusable(name, &format!("has no {}", B::FIELD), &remedy)
        })
    }
}

fn unreadable_because(problem: &str) -> String {
    format!("cannot be read: {}", Quoted(problem))
}

/// The problem says what to write, so it goes where nothing is cut.
fn broken(name: &str, problem: &str) -> Finding {
    unusable(
        name,
        "cannot be used as it stands",
        &format!("correct it: {problem}"),
    )
}

fn unusable(name: &str, problem: &str, remedy: &str) -> Finding {
    let message = format!("policy {} {problem}", Quoted(name));
    Finding::new(Reason::PolicyNotUsable, message, remedy).about(annotation::POLICY)
}

impl CompiledPolicy {
    fn new(policy: &LoggingPolicy) -> Self {
        let name = policy.name_any();
        Self {
            selection: Selection::compile(&policy.spec.selector),
            blocks: Blocks::compile(&name, &policy.spec),
            name,
        }
    }

    fn selects(&self, namespace: Namespace<'_>, pod: &Labels) -> bool {
        let Ok(selection) = &self.selection else {
            return false;
        };
        selection.selects(namespace.labels, pod)
    }

    fn usable<B: Block>(&self) -> Option<Chosen<'_, B>> {
        let block = B::of(&self.blocks)?.as_ref().ok()?;
        Some(Chosen {
            name: &self.name,
            block,
        })
    }

    fn problem<B: Block>(&self) -> Option<String> {
        if let Err(problem) = &self.selection {
            return Some(format!("has a selector that cannot be understood: {problem}"));
        }
        let problem = B::of(&self.blocks)?.as_ref().err()?;
        Some(CompileError::to_string(problem))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::limits::NO_LIMITS;

    fn index(policies: &[serde_json::Value]) -> PolicyIndex {
        let stored: BTreeMap<String, StoredPolicy> = policies
            .iter()
            .map(|json| {
                let name = json["metadata"]["name"].as_str().unwrap().to_owned();
                (
                    name,
                    serde_json::from_value(json.clone()).map_err(|error| error.to_string()),
                )
            })
            .collect();
        PolicyIndex::compile(&stored)
    }

    #[allow(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    fn policy(name: &str, spec: serde_json::Value) -> serde_json::Value {
        json!({"apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy", "metadata": {"name": name}, "spec": spec})
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn choose(
        index: &PolicyIndex,
        named: Option<&str>,
        ns: &[(&str, &str)],
        pod: &[(&str, &str)],
    ) -> Result<String, Finding> {
        let ns = labels(ns);
        let namespace = Namespace {
            name: "shop",
            labels: &ns,
            limits: &NO_LIMITS,
        };
        index
            .choose::<Streaming>(named, namespace, &labels(pod))
            .map(|chosen| chosen.name.to_owned())
    }

    #[test]
    fn priority_then_name_among_those_that_select_and_have_the_block() {
        let index = index(&[
            policy("b", json!({"streamingSidecar": {}})),
            policy("a", json!({"streamingSidecar": {}})),
            policy("agent-only", json!({"priority": 9, "nodeAgent": {}})),
            policy(
                "shop",
                json!({"priority": 5, "streamingSidecar": {},
                "selector": {"namespaceSelector": {"matchLabels": {"team": "shop"}},
                             "podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}}}),
            ),
        ]);
        assert_eq!(choose(&index, None, &[], &[]).unwrap(), "a");
        assert_eq!(
            choose(&index, None, &[("team", "shop")], &[("app", "y")]).unwrap(),
            "shop"
        );
        assert_eq!(
            choose(&index, None, &[("team", "shop")], &[("app", "x")]).unwrap(),
            "a"
        );
        assert_eq!(choose(&index, Some("b"), &[], &[]).unwrap(), "b");
    }

    #[test]
    fn a_policy_that_is_named_and_cannot_serve_is_explained() {
        let index = index(&[
            policy("agent-only", json!({"nodeAgent": {}})),
            policy(
                "shop",
                json!({"streamingSidecar": {}, "selector": {"podSelector": {"matchLabels": {"app": "x"}}}}),
            ),
            policy("future", json!({"streamingSidecar": "all"})),
            policy(
                "greedy",
                json!({"streamingSidecar": {"resources": {"limits": {"cpu": "lots"}}}}),
            ),
            policy("picture", json!({"streamingSidecar": {"image": "my image"}})),
            policy(
                "odd",
                json!({"streamingSidecar": {},
                "selector": {"podSelector": {"matchExpressions": [{"key": "app", "operator": "Like"}]}}}),
            ),
        ]);
        for (name, message) in [
            ("shpo", "policy shpo does not exist"),
            ("agent-only", "policy agent-only has no streamingSidecar"),
            ("shop", "policy shop does not select this pod"),
            ("future", "policy future cannot be read"),
            ("greedy", "cpu: \"lots\" is no quantity"),
            ("picture", "\"my image\" is no image"),
            ("odd", "selector that cannot be understood"),
        ] {
            let finding = choose(&index, Some(name), &[], &[]).unwrap_err();
            assert_eq!(finding.reason, Reason::PolicyNotUsable);
            let warning = finding.warning();
            assert!(warning.contains(message), "{warning}");
        }
        assert_eq!(
            choose(&index, Some("shpo"), &[], &[]).unwrap_err().remedy,
            "did you mean shop?"
        );
        assert_eq!(index.counts(), (6, 4));
        let broken: Vec<&str> = index.problems().map(|(name, _)| name).collect();
        assert_eq!(broken, ["future", "greedy", "odd", "picture"]);
    }

    #[test]
    fn a_broken_policy_hurts_only_itself() {
        let broken = policy("a", json!({"streamingSidecar": {"image": " "}}));
        assert_eq!(
            choose(
                &index(&[broken.clone(), policy("b", json!({"streamingSidecar": {}}))]),
                None,
                &[],
                &[]
            )
            .unwrap(),
            "b"
        );
        assert_eq!(
            choose(&index(&[broken]), None, &[], &[]).unwrap_err().reason,
            Reason::PolicyNotUsable
        );
        assert_eq!(
            choose(&index(&[]), None, &[], &[]).unwrap_err().reason,
            Reason::NoPolicy
        );
    }
}
