//! Level 1: what is said of a policy, situation by situation.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use tributary_agents::config::AgentConfig;
use tributary_crds::Reason;
use tributary_crds::status::LoggingPolicyStatus;
use tributary_operator::policy::apply::{Applied, Refusal};
use tributary_operator::policy::dereference::{Identity, Inputs};
use tributary_operator::policy::rollout::{Rollout, Standstill};
use tributary_operator::policy::status::compute;
use tributary_operator::policy::validate::{Accepted, Rejection};
use tributary_operator::policy::view::View;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 500_000_000);

fn inputs() -> Inputs {
    Inputs {
        identity: Identity {
            name: "p".to_owned(),
            uid: "u".to_owned(),
            generation: 2,
        },
        spec: Ok(serde_json::from_value(json!({"nodeAgent": {}})).unwrap()),
        previous: LoggingPolicyStatus::default(),
        secrets: BTreeMap::new(),
        overlaps: Vec::new(),
    }
}

fn daemon_set(desired: i32, updated: i32, available: i32) -> DaemonSet {
    serde_json::from_value(json!({
        "metadata": {"generation": 5, "annotations": {"tributary.dev/engine": "FluentBit", "tributary.dev/config-hash": "abc"}},
        "spec": {"selector": {}, "template": {}, "updateStrategy": {"rollingUpdate": {"maxUnavailable": "10%"}}},
        "status": {"observedGeneration": 5, "desiredNumberScheduled": desired, "currentNumberScheduled": desired,
            "numberMisscheduled": 0, "numberReady": available, "updatedNumberScheduled": updated, "numberAvailable": available},
    }))
    .unwrap()
}

/// The status of a policy with a node agent, of which the nodes in `lagging` and `down` have no ready agent any more.
fn rolled_out(counts: (i32, i32, i32), standstill: Option<(&[&str], &[&str])>) -> LoggingPolicyStatus {
    let names = |list: &[&str]| {
        list.iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let daemon_set = daemon_set(counts.0, counts.1, counts.2);
    let rollout = Rollout {
        view: View::of(&daemon_set),
        standstill: standstill.map(|(lagging, down)| Standstill {
            lagging: names(lagging),
            down: names(down),
        }),
    };
    let accepted = Ok(Accepted {
        agent: Some(AgentConfig::default()),
    });
    compute(
        &inputs(),
        &accepted,
        &Applied::Current(Box::new(daemon_set)),
        Some(&rollout),
        NOW,
    )
}

/// `TYPE=STATUS REASON` of each condition, in order.
fn conditions(status: &LoggingPolicyStatus) -> Vec<String> {
    status
        .conditions
        .iter()
        .map(|c| format!("{}={} {}", c.type_, c.status, c.reason))
        .collect()
}

fn message<'a>(status: &'a LoggingPolicyStatus, kind: &str) -> &'a str {
    &status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .unwrap()
        .message
}

#[test]
fn a_rollout_that_moves_is_reconciling() {
    let status = rolled_out((20, 4, 18), None);
    assert_eq!(
        conditions(&status),
        [
            "Ready=False RolloutInProgress",
            "Reconciling=True RolloutInProgress",
            "ConfigAccepted=True Accepted",
            "NodeAgentReady=False RolloutInProgress"
        ]
    );
    assert_eq!(
        message(&status, "Ready"),
        "4 of 20 nodes have this generation, the agent runs on 18 of 20 nodes"
    );
    let agent = status.node_agent.unwrap();
    assert_eq!(
        (
            agent.nodes.as_str(),
            agent.engine.as_str(),
            agent.config_hash.as_str()
        ),
        ("18/20", "FluentBit", "abc")
    );
}

#[test]
fn a_rollout_that_is_done_is_ready() {
    let status = rolled_out((1, 1, 1), None);
    assert_eq!(
        conditions(&status),
        [
            "Ready=True PolicyReady",
            "ConfigAccepted=True Accepted",
            "NodeAgentReady=True NodeAgentAvailable"
        ]
    );
    assert_eq!(message(&status, "Ready"), "runs on 1 of 1 node");
}

#[test]
fn a_node_that_is_down_is_named_and_holds_nothing() {
    let status = rolled_out((20, 19, 19), Some((&[], &["n7"])));
    assert_eq!(conditions(&status)[0], "Ready=True PolicyReady");
    assert_eq!(message(&status, "Ready"), "runs on 19 of 20 nodes; down: n7");
}

#[test]
fn a_rollout_that_stands_still_names_the_nodes_that_hold_it() {
    let lagging = rolled_out((20, 20, 19), Some((&["n3"], &[])));
    assert_eq!(
        conditions(&lagging)[..2],
        ["Ready=False NodesLagging", "Stalled=True NodesLagging"]
    );
    assert_eq!(message(&lagging, "Ready"), "the agent does not run on: n3");
    let blocked = rolled_out((20, 4, 18), Some((&["a", "b", "c", "d", "e", "f", "g"], &["z"])));
    assert_eq!(conditions(&blocked)[1], "Stalled=True RolloutBlocked");
    assert_eq!(
        message(&blocked, "Stalled"),
        "rollout.maxUnavailable allows 2 without an agent at once, and these hold it: a, b, c, d, e and 2 more; z (down)"
    );
    let no_pods = rolled_out((3, 3, 2), Some((&[], &[])));
    assert!(message(&no_pods, "Ready").contains("describe daemonset p-node-agent"));
}

#[test]
fn a_refused_write_and_a_rejected_policy_are_stalled_and_tell_what_still_runs() {
    let daemon_set = Box::new(daemon_set(3, 3, 3));
    let rollout = Rollout {
        view: View::of(&daemon_set),
        standstill: None,
    };
    let refusal = Refusal {
        message: "exceeded quota".to_owned(),
        last_good: Some(daemon_set.clone()),
    };
    let accepted = Ok(Accepted {
        agent: Some(AgentConfig::default()),
    });
    let refused = compute(
        &inputs(),
        &accepted,
        &Applied::Refused(refusal),
        Some(&rollout),
        NOW,
    );
    assert_eq!(
        conditions(&refused),
        [
            "Ready=False ApplyFailed",
            "Stalled=True ApplyFailed",
            "ConfigAccepted=True Accepted",
            "NodeAgentReady=False ApplyFailed"
        ]
    );
    assert_eq!(message(&refused, "Ready"), "exceeded quota");

    let rejected = Err(Rejection {
        reason: Reason::Unsupported,
        message: "write something else".to_owned(),
    });
    let status = compute(
        &inputs(),
        &rejected,
        &Applied::LastGood(Some(daemon_set)),
        Some(&rollout),
        NOW,
    );
    assert_eq!(
        conditions(&status),
        [
            "Ready=False Unsupported",
            "Stalled=True Unsupported",
            "ConfigAccepted=False Unsupported",
            "NodeAgentReady=False Unsupported"
        ]
    );
    assert_eq!(message(&status, "Ready"), "write something else");
    assert_eq!(
        message(&status, "NodeAgentReady"),
        "an earlier generation keeps running on 3 of 3 nodes"
    );
}

#[test]
fn an_overlap_is_told_and_holds_nothing() {
    let inputs = Inputs {
        overlaps: vec!["a".to_owned(), "b".to_owned()],
        ..inputs()
    };
    let accepted = Ok(Accepted { agent: None });
    let status = compute(&inputs, &accepted, &Applied::Nothing, None, NOW);
    assert_eq!(conditions(&status)[0], "Ready=True PolicyReady");
    assert!(message(&status, "Overlapping").ends_with(": a, b"));
}

#[test]
fn times_are_whole_seconds_and_change_with_the_status_only() {
    let first = rolled_out((2, 1, 1), None);
    let time = |status: &LoggingPolicyStatus, kind: &str| {
        status
            .conditions
            .iter()
            .find(|c| c.type_ == kind)
            .unwrap()
            .last_transition_time
            .0
    };
    assert_eq!(time(&first, "Ready"), Timestamp::constant(1_800_000_000, 0));
    let daemon_set = daemon_set(2, 2, 2);
    let rollout = Rollout {
        view: View::of(&daemon_set),
        standstill: None,
    };
    let accepted = Ok(Accepted {
        agent: Some(AgentConfig::default()),
    });
    let later = Timestamp::constant(1_800_000_060, 0);
    let next = Inputs {
        previous: first,
        ..inputs()
    };
    let second = compute(
        &next,
        &accepted,
        &Applied::Current(Box::new(daemon_set)),
        Some(&rollout),
        later,
    );
    assert_eq!(
        (time(&second, "Ready"), time(&second, "ConfigAccepted")),
        (later, Timestamp::constant(1_800_000_000, 0))
    );
}
