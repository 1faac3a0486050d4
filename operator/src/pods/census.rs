//! Adds up what all pods say, in memory that depends on the number of policies and not on that of pods.

use std::collections::{BTreeMap, BTreeSet};

use tributary_crds::Reason;

use super::judgement::{Account, Judge};
use super::metadata::{Listed, Metadata};
use super::pattern::Pattern;
use super::troubles::Troubles;
use super::workload::Workload;

/// How many pods or workloads are named of many.
pub const NAMED: usize = 3;

/// The sums.
pub struct Census {
    judge: Judge,
    /// All pods that were listed.
    pub pods: usize,
    /// By index of the policy.
    tallies: Vec<Tally>,
    /// Pods that no policy serves, by reason.
    pub unserved: BTreeMap<Reason, i64>,
    /// What is to be told to authors of workloads.
    pub troubles: Troubles,
}

/// The sums of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pods that got something, by what it was.
    pub got: BTreeMap<Pattern, i64>,
    /// Pods that ask, or got something.
    pub asking: i64,
    /// Of these, those of which nothing was left out.
    pub served: i64,
    /// Pods with an outdated agent sidecar.
    pub outdated: Affected,
    /// Pods of which something was left out, by reason.
    pub skipped: BTreeMap<Reason, Affected>,
}

/// How many pods something is true of, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// How many.
    pub count: i64,
    /// The first of them, as `NAMESPACE/NAME`.
    pub pods: First<String>,
    /// The first workloads that they are of.
    pub workloads: First<Workload>,
}

/// The first of many in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First<T> {
    first: BTreeSet<T>,
    /// Whether there were more.
    pub is_cut: bool,
}

impl<T: Ord> Default for First<T> {
    fn default() -> Self {
        Self {
            first: BTreeSet::new(),
            is_cut: false,
        }
    }
}

impl<T: Ord> First<T> {
    fn add(&mut self, item: T) {
        self.first.insert(item);
        if self.first.len() > NAMED {
            self.first.pop_last();
            self.is_cut = true;
        }
    }

    /// The first, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter()
    }
}

impl Affected {
    fn add(&mut self, pod: &Metadata) {
        self.count += 1;
        self.pods.add(format!("{}/{}", pod.namespace, pod.name));
        self.workloads.add(Workload::of(pod));
    }
}

impl Census {
    /// Nothing counted yet. `troubles` knows what was told already.
    pub fn new(judge: Judge, troubles: Troubles) -> Self {
        let tallies = judge
            .serving()
            .policies()
            .iter()
            .map(|_| Tally::default())
            .collect();
        Self {
            judge,
            pods: 0,
            tallies,
            unserved: BTreeMap::new(),
            troubles,
        }
    }

    /// Counts a pod.
    pub fn add(&mut self, Listed { metadata: pod }: Listed) {
        self.pods += 1;
        let judgement = self.judge.judge(&pod);
        for (policy, account) in &judgement.accounts {
            self.tallies[*policy].add(&pod, account);
        }
        for reason in judgement.unserved {
            *self.unserved.entry(reason).or_default() += 1;
        }
        for (reason, message) in judgement.troubles {
            self.troubles.add(&pod, reason, &message);
        }
    }

    /// The sums by the policies' names.
    pub fn tallies(&self) -> BTreeMap<&str, &Tally> {
        let names = self
            .judge
            .serving()
            .policies()
            .iter()
            .map(|policy| policy.name.as_str());
        names.zip(&self.tallies).collect()
    }
}

impl Tally {
    fn add(&mut self, pod: &Metadata, account: &Account) {
        self.asking += 1;
        for pattern in &account.got {
            *self.got.entry(*pattern).or_default() += 1;
        }
        if account.is_outdated {
            self.outdated.add(pod);
        }
        for reason in &account.skipped {
            self.skipped.entry(*reason).or_default().add(pod);
        }
        if account.skipped.is_empty() {
            self.served += 1;
        }
    }
}
