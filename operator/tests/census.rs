//! Level 1: what pods count as, case by case, and that the counts add up whatever pods say.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;
use tributary_crds::LoggingPolicy;
use tributary_crds::names::label;
use tributary_operator::pods::census::{Census, NAMED, Tally};
use tributary_operator::pods::judgement::Judge;
use tributary_operator::pods::metadata::Listed;
use tributary_operator::pods::pattern::Pattern;
use tributary_operator::pods::serving::{Namespaces, Serving};
use tributary_operator::pods::summary;
use tributary_operator::pods::troubles::Troubles;

const STREAM: &str = "tributary.dev/stream";
const SHIP: &str = "tributary.dev/ship";
const DIRECT: &str = "tributary.dev/direct";
const RESULT: &str = "tributary.dev/result";

fn policies() -> Vec<LoggingPolicy> {
    let all = [
        (
            "all",
            json!({"streamingSidecar": {}, "agentSidecar": {}, "direct": {}}),
        ),
        (
            "web",
            json!({"priority": 5, "streamingSidecar": {}, "selector": {"podSelector": {"matchLabels": {"app": "web"}}}}),
        ),
    ];
    all.into_iter()
        .map(|(name, spec)| LoggingPolicy::new(name, serde_json::from_value(spec).unwrap()))
        .collect()
}

/// Of these policies, or of those without the one that selects everything.
fn census(policies: &[LoggingPolicy]) -> Census {
    let revision = |policy: &LoggingPolicy| policy.spec.agent_sidecar.as_ref().map(|_| "new".to_owned());
    let serving = Serving::new(policies.iter().collect(), revision);
    let mut troubles = Troubles::default();
    troubles.begin(Instant::now());
    Census::new(Judge::new(serving, Namespaces::new()), troubles)
}

fn pod(name: &str, labels: &Value, annotations: &Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "uid": name, "labels": labels, "annotations": annotations}})
}

fn count(policies: &[LoggingPolicy], pods: &[Value]) -> Census {
    let mut census = census(policies);
    for pod in pods {
        census.add(serde_json::from_value::<Listed>(pod.clone()).unwrap());
    }
    census
}

/// What one pod counts as: for `all`, for `web` (`served/asking`, outdated, reasons), as unserved, and of what its author is told.
fn of_one(policies: &[LoggingPolicy], labels: &Value, annotations: &Value) -> String {
    let mut census = count(policies, &[pod("p", labels, annotations)]);
    let mut shown = Vec::new();
    for (name, tally) in census.tallies() {
        if tally.asking > 0 {
            let injection = summary::injection(tally);
            let reasons: Vec<String> = injection
                .skipped
                .iter()
                .map(|skipped| skipped.reason.clone())
                .collect();
            let outdated = if injection.outdated > 0 { " outdated" } else { "" };
            shown.push(
                format!("{name} {}{outdated} {}", injection.pods, reasons.join(","))
                    .trim()
                    .to_owned(),
            );
        }
    }
    for reason in census.unserved.keys() {
        shown.push(format!("unserved {reason}"));
    }
    let told = census.troubles.tell(Instant::now());
    let told: Vec<&str> = told.iter().map(|trouble| trouble.reason.as_str()).collect();
    if !told.is_empty() {
        shown.push(format!("told {}", told.join(",")));
    }
    shown.join("; ")
}

fn file(reason: &str) -> Value {
    json!({"file": "/x", "container": "c", "reason": reason, "message": "m"})
}

fn said(result: &Value) -> Value {
    json!({STREAM: "/x", RESULT: result.to_string()})
}

fn check(cases: &[(&str, &Value, Value, &str)]) {
    let policies = policies();
    for (situation, labels, annotations, expected) in cases {
        assert_eq!(of_one(&policies, labels, annotations), *expected, "{situation}");
    }
}

#[test]
fn a_pod_of_which_the_webhook_said_nothing_counts_by_its_labels() {
    let (none, web) = (json!({}), json!({"app": "web"}));
    let streaming = json!({label::STREAMING: "all"});
    let agent = |revision: &str| json!({label::AGENT: "all", label::AGENT_REVISION: revision});
    let asks = || json!({STREAM: "/x"});
    let ships = || json!({SHIP: "/x"});
    check(&[
        ("asks for nothing", &none, json!({}), ""),
        (
            "wants nothing",
            &none,
            json!({STREAM: "/x", "tributary.dev/inject": "false"}),
            "",
        ),
        ("does not push", &none, json!({DIRECT: "false"}), ""),
        ("served", &streaming, asks(), "all 1/1"),
        (
            "served, as another operator's annotation asks",
            &streaming,
            json!({"tailing-sidecar": "v:/x"}),
            "all 1/1",
        ),
        ("never seen", &none, asks(), "all 0/1 NotSeen; told NotSeen"),
        (
            "never seen, of another policy",
            &web,
            asks(),
            "web 0/1 NotSeen; told NotSeen",
        ),
        (
            "never seen, of two policies",
            &web,
            json!({STREAM: "/x", SHIP: "/x"}),
            "all 0/1 NotSeen; web 0/1 NotSeen; told NotSeen",
        ),
        (
            "half served",
            &streaming,
            json!({STREAM: "/x", DIRECT: "true"}),
            "all 0/1 NotSeen; told NotSeen",
        ),
        (
            "a mirror",
            &none,
            json!({STREAM: "/x", "kubernetes.io/config.mirror": "h"}),
            "all 0/1 MirrorPod; told MirrorPod",
        ),
        (
            "names no policy there is",
            &none,
            json!({STREAM: "/x", "tributary.dev/policy": "alll"}),
            "unserved PolicyNotUsable",
        ),
        ("current agent", &agent("new"), ships(), "all 1/1"),
        (
            "outdated agent",
            &agent("old"),
            ships(),
            "all 1/1 outdated; told Outdated",
        ),
        (
            "agent without a revision",
            &json!({label::AGENT: "all"}),
            ships(),
            "all 1/1 outdated; told Outdated",
        ),
        (
            "of a policy that is gone",
            &json!({label::STREAMING: "gone"}),
            asks(),
            "",
        ),
    ]);
}

#[test]
fn a_pod_counts_as_what_the_webhook_said_of_it() {
    let (none, streaming) = (json!({}), json!({label::STREAMING: "all"}));
    let injected = json!({"file": "/y", "container": "c", "sidecar": "s", "reason": "Injected"});
    let of_pod =
        |reason: &str, annotation: &str| json!({"pod": [{"reason": reason, "annotation": annotation}]});
    let beside = |finding: Value| said(&json!({"policy": "all", "files": [injected], "pod": [finding]}));
    check(&[
        (
            "nothing",
            &none,
            said(&json!({})),
            "all 0/1 NotSeen; told NotSeen",
        ),
        (
            "no volume",
            &none,
            said(&json!({"files": [file("NoVolume")]})),
            "all 0/1 NoVolume; told NoVolume",
        ),
        (
            "no volume for one of two files",
            &streaming,
            said(&json!({"policy": "all", "files": [file("NoVolume"), injected]})),
            "all 0/1 NoVolume; told NoVolume",
        ),
        (
            "a warning with what was asked",
            &streaming,
            beside(json!({"reason": "MayNotRead", "annotation": STREAM})),
            "all 1/1; told MayNotRead",
        ),
        (
            "a choice that is not understood",
            &streaming,
            beside(json!({"reason": "InvalidAnnotation", "annotation": "tributary.dev/run-as"})),
            "all 1/1; told InvalidAnnotation",
        ),
        (
            "an annotation that is not understood",
            &none,
            said(&of_pod("InvalidAnnotation", STREAM)),
            "all 0/1 InvalidAnnotation; told InvalidAnnotation",
        ),
        (
            "the policy came later",
            &none,
            said(&of_pod("NoPolicy", STREAM)),
            "all 0/1 NotSeen; told NotSeen",
        ),
        (
            "a policy that does not select it, as the result claims",
            &none,
            said(&json!({"policy": "web", "files": [file("NoVolume")]})),
            "all 0/1 NoVolume; told NoVolume",
        ),
    ]);
}

#[test]
fn without_a_policy_nobody_is_told_what_the_webhook_did_not_say() {
    let only_web = &policies()[1..];
    assert_eq!(
        of_one(only_web, &json!({}), &json!({STREAM: "/x"})),
        "unserved NoPolicy"
    );
    let annotations = said(&json!({"pod": [{"reason": "NoPolicy", "annotation": STREAM}]}));
    assert_eq!(
        of_one(only_web, &json!({}), &annotations),
        "unserved NoPolicy; told NoPolicy"
    );
}

#[test]
fn the_condition_says_what_to_run() {
    let mut pods: Vec<Value> = (0..5)
        .map(|n| pod(&format!("p{n}"), &json!({}), &json!({STREAM: "/x"})))
        .collect();
    for (index, pod) in pods.iter_mut().enumerate() {
        let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": format!("db-{}", index % 4), "uid": "u", "controller": true});
        pod["metadata"]["ownerReferences"] = json!([owner]);
    }
    let policies = policies();
    let served = |pods: &[Value]| {
        let census = count(&policies, pods);
        summary::served(census.tallies()["all"]).map(|f| (f.holds, f.reason.as_str(), f.message))
    };
    let (holds, reason, message) = served(&pods).unwrap();
    assert_eq!((holds, reason), (false, "NotSeen"));
    let restart = |n| format!("`kubectl -n shop rollout restart statefulset/db-{n}`");
    assert_eq!(
        message,
        format!(
            "5 pods that the webhook never saw, or not under this policy, to be renewed: {}, {}, {} and others",
            restart(0),
            restart(1),
            restart(2)
        )
    );
    pods.push(pod("x", &json!({}), &said(&json!({"files": [file("NoVolume")]}))));
    let (_, reason, message) = served(&pods).unwrap();
    assert_eq!(reason, "SomeNotServed");
    assert!(
        message.ends_with("; NoVolume: 1 pod of pod/x of namespace shop"),
        "{message}"
    );
    let outdated = pod(
        "o",
        &json!({label::AGENT: "all", label::AGENT_REVISION: "old"}),
        &json!({SHIP: "/x"}),
    );
    assert_eq!(
        served(std::slice::from_ref(&outdated)).unwrap(),
        (
            false,
            "Outdated",
            "1 pod with a configuration older than the policy, to be renewed: create pod/o of namespace shop again".to_owned()
        )
    );
    let current = pod("c", &json!({label::STREAMING: "all"}), &json!({STREAM: "/x"}));
    assert_eq!(
        served(&[current]).unwrap(),
        (true, "AllServed", "1 pod has what it asks for".to_owned())
    );
    assert_eq!(served(&[]), None);
}

fn any_pod() -> impl Strategy<Value = Value> {
    let policy = prop_oneof![Just("all"), Just("web"), Just("gone")];
    let labels = prop::collection::btree_map(
        prop_oneof![Just(label::STREAMING), Just(label::AGENT), Just(label::DIRECT)],
        policy.clone(),
        0..3,
    );
    let reason = prop_oneof![
        Just("NoVolume"),
        Just("Injected"),
        Just("MayNotRead"),
        Just("NoPolicy"),
        Just("QuotaTight"),
        Just("Nonsense")
    ];
    let finding = (reason, any::<bool>(), "\\PC{0,9}").prop_map(|(reason, has_sidecar, text)| {
        let mut finding = json!({"reason": reason, "file": "/x", "message": text});
        if has_sidecar {
            finding["sidecar"] = json!("s");
        }
        finding
    });
    let result = (prop::collection::vec(finding, 0..3), policy)
        .prop_map(|(files, policy)| json!({"policy": policy, "files": files}).to_string());
    let result = prop_oneof![4 => result, 1 => "\\PC{0,20}"];
    let annotations = (
        prop::collection::btree_map(
            prop_oneof![Just(STREAM), Just(SHIP), Just(DIRECT), Just("tailing-sidecar")],
            Just("/x".to_owned()),
            0..3,
        ),
        prop::option::of(result),
    );
    (0..40_u32, any::<bool>(), labels, annotations).prop_map(|(number, is_web, labels, (asks, result))| {
        let mut pod = pod(&format!("p{number}"), &json!(labels), &json!(asks));
        if is_web {
            pod["metadata"]["labels"]["app"] = json!("web");
        }
        if let Some(result) = result {
            pod["metadata"]["annotations"][RESULT] = json!(result);
        }
        pod
    })
}

proptest! {
    #[test]
    fn counts_add_up_in_any_order(pods in prop::collection::vec(any_pod(), 0..40), turn in 0..40_usize) {
        let policies = policies();
        let census = count(&policies, &pods);
        prop_assert_eq!(census.pods, pods.len());
        for (name, tally) in census.tallies() {
            let unserved = tally.asking - tally.served;
            let by_reason: Vec<i64> = tally.skipped.values().map(|affected| affected.count).collect();
            prop_assert!(by_reason.iter().all(|&count| 0 < count && count <= unserved));
            prop_assert!(by_reason.iter().sum::<i64>() >= unserved);
            prop_assert!(0 <= unserved && tally.outdated.count <= tally.got.get(&Pattern::Agent).copied().unwrap_or_default());
            for pattern in Pattern::ALL {
                let labelled = pods.iter().filter(|pod| pod["metadata"]["labels"][pattern.label()] == *name).count();
                prop_assert_eq!(tally.got.get(&pattern).copied().unwrap_or_default(), i64::try_from(labelled).unwrap());
            }
            for affected in tally.skipped.values() {
                let (pods, workloads) = (affected.pods.iter().count(), affected.workloads.iter().count());
                prop_assert!((1..=NAMED).contains(&pods) && (1..=NAMED).contains(&workloads));
            }
            // The schema holds what is written.
            prop_assert!(summary::injection(tally).skipped.len() <= 16);
        }
        let mut turned = pods.clone();
        turned.rotate_left(turn % pods.len().max(1));
        let again = count(&policies, &turned);
        let tallies = |census: &Census| census.tallies().into_values().cloned().collect::<Vec<Tally>>();
        prop_assert_eq!(tallies(&again), tallies(&census));
        prop_assert_eq!(again.unserved, census.unserved);
    }
}
