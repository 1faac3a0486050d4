//! What Fluentd's scripts know of pods, with an API server that answers what the tests say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with other tests")]
mod fluentd_scripts;

use serde_json::{Value, json};
use tributary_crds::LoggingPolicySpec;

use fluentd_scripts::{data, has_ruby, rendered, run};

const POD: &str = "/api/v1/namespaces/shop/pods/web";
const NAMESPACE: &str = "/api/v1/namespaces/shop";

fn ask(scenario: &Value) -> Value {
    let spec: LoggingPolicySpec = serde_json::from_value(json!({
        "nodeAgent": {"engine": "Fluentd"},
        "outputs": [{"name": "out", "stdout": {}}],
    }))
    .unwrap();
    run("pods.rb", &rendered(&spec), &json!([scenario]))[0].clone()
}

fn pod(uid: &str, tier: &str) -> Value {
    json!({"metadata": {"uid": uid, "labels": {"tier": tier}}})
}

#[test]
fn answers_are_kept_for_five_minutes() {
    if !has_ruby() {
        return;
    }
    let asked = [0, 299, 300].map(|at| json!(["shop", "web", "u1", at]));
    let answer = ask(&json!({
        "required": false,
        "namespaces": true,
        "answers": {POD: [pod("u1", "old"), pod("u1", "new")], NAMESPACE: [{"metadata": {"labels": {"team": "core"}}}]},
        "asked": asked,
    }));
    let known = |tier: &str| json!([{"tier": tier}, {"team": "core"}, null]);
    assert_eq!(answer["known"], json!([known("old"), known("old"), known("new")]));
    assert_eq!(answer["paths"], json!([POD, NAMESPACE, POD, NAMESPACE]));
}

#[test]
fn another_pod_of_the_name_is_not_this_one() {
    if !has_ruby() {
        return;
    }
    let mirror = json!({"metadata": {
        "uid": "of-the-mirror",
        "labels": {"a": "b"},
        "annotations": {"kubernetes.io/config.mirror": "0123abcd"},
    }});
    for (answer, uid, known) in [
        (pod("u2", "new"), "u1", json!([{}, {}, null])),
        (mirror, "0123abcd", json!([{"a": "b"}, {}, "of-the-mirror"])),
        (Value::Null, "u1", json!([{}, {}, null])),
    ] {
        let answers = ask(&json!({
            "required": true,
            "namespaces": false,
            "answers": {POD: [answer]},
            "asked": [["shop", "web", uid, 0]],
        }));
        assert_eq!(answers["known"], json!([known]));
    }
}

#[test]
fn who_needs_labels_waits_for_them_and_others_go_on() {
    if !has_ruby() {
        return;
    }
    for (required, known, asked) in [
        (
            true,
            json!([[{"tier": "a"}, {}, null], [{"tier": "a"}, {}, null]]),
            3,
        ),
        (false, json!([[{}, {}, null], [{}, {}, null]]), 2),
    ] {
        let answers = ask(&json!({
            "required": required,
            "namespaces": false,
            "answers": {POD: ["503", "timeout", pod("u1", "a")]},
            "asked": [["shop", "web", "u1", 0], ["shop", "web", "u1", 30]],
        }));
        assert_eq!(answers["known"], known);
        assert_eq!(answers["paths"].as_array().unwrap().len(), asked);
    }
}

#[test]
fn what_is_known_is_better_than_nothing() {
    if !has_ruby() {
        return;
    }
    let answers = ask(&json!({
        "required": true,
        "namespaces": false,
        "answers": {POD: [pod("u1", "a"), "503"]},
        "asked": [["shop", "web", "u1", 0], ["shop", "web", "u1", 300]],
    }));
    assert_eq!(
        answers["known"],
        json!([[{"tier": "a"}, {}, null], [{"tier": "a"}, {}, null]])
    );
}

#[test]
fn labels_are_required_where_a_policy_looks_at_them() {
    for (policy, namespaces, required) in [
        (json!({}), false, false),
        (
            json!({"selector": {"podSelector": {"matchLabels": {"a": "b"}}}}),
            false,
            true,
        ),
        (
            json!({"selector": {"namespaceSelector": {"matchLabels": {"a": "b"}}}}),
            true,
            true,
        ),
        (
            json!({"processors": [{"drop": {}, "where": [{"field": "kubernetes.labels.a", "exists": true}]}]}),
            false,
            true,
        ),
    ] {
        let mut spec =
            json!({"nodeAgent": {"engine": "Fluentd"}, "outputs": [{"name": "out", "stdout": {}}]});
        spec.as_object_mut()
            .unwrap()
            .extend(policy.as_object().unwrap().clone());
        let data = data(&rendered(&serde_json::from_value(spec).unwrap()));
        assert_eq!(
            data["pods"],
            json!({"namespaces": namespaces, "required": required})
        );
    }
}
