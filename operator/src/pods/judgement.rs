//! What one pod's metadata says: which policies it counts for, and as what. Pure.

use std::collections::{BTreeMap, BTreeSet};

use tributary_crds::names::label;
use tributary_crds::{Reason, annotation};

use super::metadata::Metadata;
use super::pattern::Pattern;
use super::result::{self, About, Finding};
use super::serving::{Namespaces, Serving};

/// The annotation of a static pod's mirror, which no admission can change.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What a pod is for the policies.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// By index of the policy.
    pub accounts: BTreeMap<usize, Account>,
    /// Why it gets nothing, where no policy serves it.
    pub unserved: BTreeSet<Reason>,
    /// What its author should hear, each reason once.
    pub troubles: BTreeMap<Reason, String>,
}

/// What a pod is for one policy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What it got under the policy.
    pub got: BTreeSet<Pattern>,
    /// Whether its agent sidecar's configuration is older than the policy.
    pub is_outdated: bool,
    /// Why it, or a file of it, got nothing.
    pub skipped: BTreeSet<Reason>,
}

/// Judges pods by the policies and namespaces there are.
pub struct Judge {
    serving: Serving,
    namespaces: Namespaces,
}

impl Judge {
    /// For these policies, in namespaces with these labels.
    pub fn new(serving: Serving, namespaces: Namespaces) -> Self {
        Self { serving, namespaces }
    }

    /// The policies that accounts are for.
    pub fn serving(&self) -> &Serving {
        &self.serving
    }

    /// Judges one pod.
    pub fn judge(&self, pod: &Metadata) -> Judgement {
        let mut judgement = Judgement::default();
        if !pod.counts() {
            return judgement;
        }
        self.count_what_it_got(pod, &mut judgement);
        let said = pod.annotation(annotation::RESULT).map(result::read);
        let mut explained = BTreeSet::new();
        for finding in said.iter().flatten() {
            if self.take(finding, pod, &mut judgement) {
                match finding.pattern {
                    Some(pattern) => explained.extend([pattern]),
                    None => explained.extend(Pattern::ALL),
                }
            }
        }
        for pattern in pod.asks() {
            if pod.got(pattern).is_none() && !explained.contains(&pattern) {
                self.count_not_seen(pattern, pod, &mut judgement);
            }
        }
        judgement
    }

    fn count_what_it_got(&self, pod: &Metadata, judgement: &mut Judgement) {
        for pattern in Pattern::ALL {
            let Some(index) = pod.got(pattern).and_then(|name| self.serving.named(name)) else {
                continue;
            };
            let account = judgement.accounts.entry(index).or_default();
            account.got.insert(pattern);
            let policy = &self.serving.policies()[index];
            let revision = pod.labels.get(label::AGENT_REVISION);
            if pattern == Pattern::Agent && policy.revision.as_ref().is_some_and(|now| Some(now) != revision)
            {
                account.is_outdated = true;
                let trouble = format!(
                    "its agent has the configuration of an earlier version of policy {}",
                    policy.name
                );
                judgement.troubles.insert(Reason::Outdated, trouble);
            }
        }
    }

    /// Takes in what the webhook said. Returns whether that explains why the pod got nothing.
    fn take(&self, finding: &Finding, pod: &Metadata, judgement: &mut Judgement) -> bool {
        let missed = || pod.asks().find(|&pattern| pod.got(pattern).is_none());
        let asked = finding.pattern.or_else(missed).or_else(|| pod.asks().next());
        let pattern = asked.unwrap_or(Pattern::Streaming);
        let got_nothing = match finding.about {
            About::Served => false,
            About::File => true,
            About::Pod => pod.got(pattern).is_none(),
        };
        let responsible = self.responsible(finding, pattern, pod);
        if finding.reason == Reason::NoPolicy && responsible.is_ok() {
            // There was none when the pod was made, and there is one now.
            return false;
        }
        judgement
            .troubles
            .entry(finding.reason)
            .or_insert_with(|| finding.message.clone());
        if got_nothing {
            judgement.skip(responsible, finding.reason);
        }
        got_nothing
    }

    /// The policy that the finding is about: the one that it names, if that one could serve the pod, else the one that would.
    fn responsible(&self, finding: &Finding, pattern: Pattern, pod: &Metadata) -> Result<usize, Reason> {
        let named = finding
            .policy
            .as_deref()
            .and_then(|name| self.serving.named(name));
        named
            .filter(|&policy| self.serving.may(policy, pattern, &self.namespaces, pod))
            .map_or_else(
                || {
                    self.serving
                        .choose(pattern, &self.namespaces, pod)
                        .map_err(|_| finding.reason)
                },
                Ok,
            )
    }

    fn count_not_seen(&self, pattern: Pattern, pod: &Metadata, judgement: &mut Judgement) {
        let chosen = self.serving.choose(pattern, &self.namespaces, pod);
        let is_mirror = pod.annotation(MIRROR).is_some();
        let reason = if is_mirror {
            Reason::MirrorPod
        } else {
            Reason::NotSeen
        };
        if chosen.is_ok() {
            let mut asked = pattern
                .annotations()
                .iter()
                .filter(|key| pod.annotations.contains_key(**key));
            let trouble = if is_mirror {
                "no admission can change a static pod's mirror".to_owned()
            } else {
                let asked = asked.next().unwrap_or(&"");
                format!(
                    "it is annotated {asked} and got nothing: it was made while the webhook was away, or before its policy"
                )
            };
            judgement.troubles.insert(reason, trouble);
        }
        judgement.skip(chosen, reason);
    }
}

impl Judgement {
    /// Counts the reason for the policy; where there is none, the reason why there is none.
    fn skip(&mut self, chosen: Result<usize, Reason>, reason: Reason) {
        match chosen {
            Ok(policy) => {
                self.accounts.entry(policy).or_default().skipped.insert(reason);
            }
            Err(without) => {
                self.unserved.insert(without);
            }
        }
    }
}
