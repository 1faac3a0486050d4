//! Says what is true of a policy: its status, and an Event when its readiness changes.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use serde_json::json;
use tributary_crds::names::{FIELD_MANAGER, node_agent};
use tributary_crds::reason::Severity;
use tributary_crds::status::{LoggingPolicyStatus, NodeAgentStatus, condition_type};
use tributary_crds::{LoggingPolicy, Reason};

use super::apply::Applied;
use super::dereference::Inputs;
use super::rollout::{Rollout, Standstill};
use super::validate::{Accepted, Rejection};
use crate::condition::{Finding, find};
use crate::context::Context;
use crate::error::Error;

/// How many nodes a message names.
const NODES_NAMED: usize = 5;
/// How many characters of a message an Event repeats; the API server takes 1,024 bytes.
const NOTE_LENGTH: usize = 250;

/// The status that is true now, but for what [`crate::pods`] says of pods. Transition times are kept where nothing changed.
pub fn compute(
    inputs: &Inputs,
    verdict: &Result<Accepted, Rejection>,
    applied: &Applied,
    rollout: Option<&Rollout>,
    now: Timestamp,
) -> LoggingPolicyStatus {
    let accepted = match verdict {
        Ok(_) => Finding::new(
            true,
            Reason::Accepted,
            "the policy compiles, and everything that it names exists",
        ),
        Err(rejection) => Finding::new(false, rejection.reason, rejection.message.clone()),
    };
    let agent = node_agent_finding(inputs, verdict, applied, rollout);
    let ready = ready(inputs, verdict, &accepted, &agent);
    let moving = !ready.holds && ready.reason == Reason::RolloutInProgress;
    let stalled = !ready.holds && !moving;

    let mut findings = vec![(condition_type::READY, ready.clone())];
    if moving {
        findings.push((
            condition_type::RECONCILING,
            Finding {
                holds: true,
                ..ready.clone()
            },
        ));
    }
    if stalled {
        findings.push((condition_type::STALLED, Finding { holds: true, ..ready }));
    }
    findings.push((condition_type::CONFIG_ACCEPTED, accepted));
    findings.push((condition_type::NODE_AGENT_READY, agent));
    if !inputs.overlaps.is_empty() {
        let message = format!(
            "node agents of these policies may collect the same pods, whose records then arrive more than once: {}",
            inputs.overlaps.join(", ")
        );
        findings.push((
            condition_type::OVERLAPPING,
            Finding::new(true, Reason::Overlapping, message),
        ));
    }
    let generation = Some(inputs.identity.generation);
    LoggingPolicyStatus {
        observed_generation: generation,
        conditions: findings
            .into_iter()
            .map(|(kind, finding)| finding.condition(kind, generation, &inputs.previous, now))
            .collect(),
        node_agent: rollout.map(counts),
        injection: None,
    }
}

fn ready(
    inputs: &Inputs,
    verdict: &Result<Accepted, Rejection>,
    accepted: &Finding,
    agent: &Finding,
) -> Finding {
    let Ok(judged) = verdict else {
        return accepted.clone();
    };
    if judged.agent.is_some() && !agent.holds {
        return agent.clone();
    }
    let mut parts = Vec::new();
    if judged.agent.is_some() {
        parts.push(agent.message.clone());
    }
    if inputs
        .spec
        .as_ref()
        .is_ok_and(|spec| spec.streaming_sidecar.is_some())
    {
        parts.push("annotated pods get streaming sidecars".to_owned());
    }
    Finding::new(true, Reason::PolicyReady, parts.join("; "))
}

fn node_agent_finding(
    inputs: &Inputs,
    verdict: &Result<Accepted, Rejection>,
    applied: &Applied,
    rollout: Option<&Rollout>,
) -> Finding {
    match (verdict, applied) {
        (Err(rejection), _) => {
            let now = match rollout {
                Some(rollout) => format!("an earlier generation keeps running on {}", nodes(rollout)),
                None => "no agent runs".to_owned(),
            };
            Finding::new(false, rejection.reason, now)
        }
        (Ok(_), Applied::Refused(refusal)) => {
            Finding::new(false, Reason::ApplyFailed, refusal.message.clone())
        }
        (Ok(_), Applied::Nothing) => {
            Finding::new(false, Reason::NotRequested, "the policy has no nodeAgent block")
        }
        (Ok(_), Applied::Current(_) | Applied::LastGood(_)) => match rollout {
            Some(rollout) => progress(&inputs.identity.name, rollout),
            None => Finding::new(false, Reason::RolloutInProgress, "the agent is being created"),
        },
    }
}

fn progress(policy: &str, rollout: &Rollout) -> Finding {
    let counts = nodes(rollout);
    if rollout.is_ready() {
        let down = rollout
            .standstill
            .as_ref()
            .map(|standstill| &standstill.down)
            .filter(|down| !down.is_empty());
        let message = match down {
            Some(down) => format!("runs on {counts}; down: {}", named(down)),
            None => format!("runs on {counts}"),
        };
        return Finding::new(true, Reason::NodeAgentAvailable, message);
    }
    let Some(standstill) = &rollout.standstill else {
        let message = if rollout.view.observed {
            format!(
                "{} of {} nodes have this generation, the agent runs on {counts}",
                rollout.view.updated, rollout.view.desired
            )
        } else {
            format!("this generation is on its way, the agent runs on {counts}")
        };
        return Finding::new(false, Reason::RolloutInProgress, message);
    };
    if rollout.is_blocked() {
        let message = format!(
            "rollout.maxUnavailable allows {} without an agent at once, and these hold it: {}",
            rollout.view.budget,
            culprits(policy, standstill)
        );
        return Finding::new(false, Reason::RolloutBlocked, message);
    }
    Finding::new(
        false,
        Reason::NodesLagging,
        format!("the agent does not run on: {}", culprits(policy, standstill)),
    )
}

fn nodes(rollout: &Rollout) -> String {
    let (available, desired) = (rollout.view.available, rollout.view.desired);
    format!(
        "{available} of {desired} {}",
        if desired == 1 { "node" } else { "nodes" }
    )
}

fn culprits(policy: &str, standstill: &Standstill) -> String {
    let mut parts = Vec::new();
    if !standstill.lagging.is_empty() {
        parts.push(named(&standstill.lagging));
    }
    if !standstill.down.is_empty() {
        parts.push(format!("{} (down)", named(&standstill.down)));
    }
    if parts.is_empty() {
        let name = node_agent(policy);
        return format!(
            "nodes for which no pod could be made; see `kubectl -n tributary-agents describe daemonset {name}`"
        );
    }
    parts.join("; ")
}

fn named(nodes: &BTreeSet<String>) -> String {
    let first: Vec<&str> = nodes.iter().take(NODES_NAMED).map(String::as_str).collect();
    match nodes.len().saturating_sub(NODES_NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn counts(rollout: &Rollout) -> NodeAgentStatus {
    let view = &rollout.view;
    NodeAgentStatus {
        engine: view.engine.clone(),
        nodes: format!("{}/{}", view.available, view.desired),
        desired: view.desired,
        updated: view.updated,
        available: view.available,
        config_hash: view.config_hash.clone(),
    }
}

/// Writes the status when it differs from what is there, and an Event when readiness changed.
pub async fn publish(context: &Context, inputs: &Inputs, status: &LoggingPolicyStatus) -> Result<(), Error> {
    if same(&inputs.previous, status) {
        return Ok(());
    }
    let name = &inputs.identity.name;
    let resource = ApiResource::erase::<LoggingPolicy>(&());
    let api: Api<DynamicObject> = Api::all_with(context.client.clone(), &resource);
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        // The uid: never the status of one policy on another of the same name.
        "metadata": {"name": name, "uid": inputs.identity.uid},
        "status": status,
    });
    api.patch_status(
        name,
        &PatchParams::apply(FIELD_MANAGER).force(),
        &Patch::Apply(&patch),
    )
    .await
    .map_err(Error::write(format!("the status of LoggingPolicy {name}")))?;
    context.metrics.status_written();
    if find(&inputs.previous, condition_type::OVERLAPPING).map(|c| &c.message)
        != find(status, condition_type::OVERLAPPING).map(|c| &c.message)
    {
        // The other policies should say so too, or no longer.
        context.nudge();
    }
    for kind in [condition_type::READY, condition_type::OVERLAPPING] {
        announce(context, inputs, status, kind).await;
    }
    Ok(())
}

/// Whether both say the same. The server may keep the conditions in another order.
fn same(one: &LoggingPolicyStatus, other: &LoggingPolicyStatus) -> bool {
    let sorted = |status: &LoggingPolicyStatus| {
        let mut status = status.clone();
        status
            .conditions
            .sort_by(|one, other| one.type_.cmp(&other.type_));
        status
    };
    sorted(one) == sorted(other)
}

/// An Event when the condition came, or has another status or reason than before.
async fn announce(context: &Context, inputs: &Inputs, status: &LoggingPolicyStatus, kind: &str) {
    let Some(now) = find(status, kind) else { return };
    let changed = find(&inputs.previous, kind)
        .is_none_or(|before| (&before.status, &before.reason) != (&now.status, &now.reason));
    let Some(reason) = Reason::ALL
        .iter()
        .find(|reason| reason.as_str() == now.reason)
        .filter(|_| changed)
    else {
        return;
    };
    if kind == condition_type::READY {
        context.metrics.changed(*reason);
    }
    let note = now.message.chars().take(NOTE_LENGTH).collect();
    let event = Event {
        type_: match reason.severity() {
            Severity::Normal => EventType::Normal,
            Severity::Warning => EventType::Warning,
        },
        reason: now.reason.clone(),
        note: Some(note),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    let identity = &inputs.identity;
    let mut reference =
        LoggingPolicy::new(&identity.name, tributary_crds::LoggingPolicySpec::default()).object_ref(&());
    reference.uid = Some(identity.uid.clone());
    if let Err(error) = context.recorder.publish(&event, &reference).await {
        // The status says it already.
        tracing::warn!(policy = identity.name, %error, "cannot publish an event");
    }
}
