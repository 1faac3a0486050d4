//! What a policy's status says of its pods. Pure.

use std::cmp::Reverse;

use tributary_crds::Reason;
use tributary_crds::status::{InjectionStatus, SkippedPods};

use super::census::{Affected, First, Tally};
use super::pattern::Pattern;
use super::workload::Workload;
use crate::condition::Finding;

/// Reasons that a status lists; the schema allows no more.
const REASONS: usize = 16;

/// The counts.
pub fn injection(tally: &Tally) -> InjectionStatus {
    let got = |pattern| tally.got.get(&pattern).copied().unwrap_or_default();
    let mut skipped: Vec<SkippedPods> = tally
        .skipped
        .iter()
        .map(|(reason, affected)| SkippedPods {
            reason: reason.to_string(),
            count: affected.count,
            pods: affected.pods.iter().cloned().collect(),
        })
        .collect();
    // Stable: reasons of the same frequency stay in the documentation's order.
    skipped.sort_by_key(|skipped| Reverse(skipped.count));
    skipped.truncate(REASONS);
    InjectionStatus {
        pods: format!("{}/{}", tally.served, tally.asking),
        streaming: got(Pattern::Streaming),
        agent: got(Pattern::Agent),
        direct: got(Pattern::Direct),
        outdated: tally.outdated.count,
        skipped,
    }
}

/// The condition `PodsServed`; `None` where no pod asks.
pub fn served(tally: &Tally) -> Option<Finding> {
    if tally.asking == 0 {
        return None;
    }
    let mut parts = Vec::new();
    let mut reason = Reason::AllServed;
    if tally.outdated.count > 0 {
        reason = Reason::Outdated;
        parts.push(renewal(
            &tally.outdated,
            "with a configuration older than the policy",
        ));
    }
    if let Some(not_seen) = tally.skipped.get(&Reason::NotSeen) {
        reason = Reason::NotSeen;
        parts.insert(
            0,
            renewal(not_seen, "that the webhook never saw, or not under this policy"),
        );
    }
    for (why, affected) in tally.skipped.iter().filter(|(why, _)| **why != Reason::NotSeen) {
        reason = Reason::SomeNotServed;
        parts.push(format!(
            "{why}: {} of {}",
            pods(affected.count),
            listed(&affected.workloads, Workload::to_string)
        ));
    }
    if reason == Reason::AllServed {
        let message = match tally.served {
            1 => "1 pod has what it asks for".to_owned(),
            more => format!("{more} pods have what they ask for"),
        };
        return Some(Finding::new(true, reason, message));
    }
    Some(Finding::new(false, reason, parts.join("; ")))
}

fn renewal(affected: &Affected, what: &str) -> String {
    format!(
        "{} {what}, to be renewed: {}",
        pods(affected.count),
        listed(&affected.workloads, Workload::renewal)
    )
}

fn listed(workloads: &First<Workload>, show: fn(&Workload) -> String) -> String {
    let shown: Vec<String> = workloads.iter().map(show).collect();
    let more = if workloads.is_cut { " and others" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn pods(count: i64) -> String {
    format!("{count} {}", if count == 1 { "pod" } else { "pods" })
}
