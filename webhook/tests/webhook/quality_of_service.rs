//! A pod's quality of service as Kubernetes derives it, written down apart from the webhook's own reckoning.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::api_server::thousandths;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Guaranteed,
    Burstable,
    BestEffort,
}

/// Amounts, some of which are equal.
const CPU: [&str; 4] = ["0", "100m", "1", "1000m"];
const BYTES: [&str; 4] = ["0", "64Mi", "1024Mi", "1Gi"];

/// Requests or limits.
fn amounts() -> impl Strategy<Value = Value> {
    let cpu = proptest::option::weighted(0.6, proptest::sample::select(&CPU[..]));
    let memory = proptest::option::weighted(0.6, proptest::sample::select(&BYTES[..]));
    let disk = proptest::option::weighted(0.3, proptest::sample::select(&BYTES[1..]));
    (cpu, memory, disk).prop_map(|(cpu, memory, disk)| {
        let mut amounts = json!({});
        for (resource, amount) in [("cpu", cpu), ("memory", memory), ("ephemeral-storage", disk)] {
            if let Some(text) = amount {
                amounts[resource] = text.into();
            }
        }
        amounts
    })
}

/// The resources of a container or of a whole pod, often such that requests are the limits.
pub fn resources() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(json!({})),
        3 => amounts().prop_map(|limits| json!({"limits": limits})),
        1 => amounts().prop_map(|requests| json!({"requests": requests})),
        2 => (amounts(), amounts()).prop_map(|(requests, limits)| json!({"requests": requests, "limits": limits})),
        3 => Just(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"memory": "1024Mi"}})),
    ]
}

/// The amounts of CPU and memory that are not zero.
fn counted(amounts: &Value) -> BTreeMap<&str, i128> {
    ["cpu", "memory"]
        .into_iter()
        .filter_map(|resource| Some((resource, thousandths(amounts.get(resource)?))))
        .filter(|(_, value)| *value > 0)
        .collect()
}

/// The class of a pod, after the API server has put limits where requests are absent.
pub fn class(pod: &Value) -> Class {
    let spec = &pod["spec"];
    let whole = &spec["resources"];
    let of_containers = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| spec[list].as_array().into_iter().flatten())
        .map(|container| &container["resources"]);
    // Also when it says nothing.
    let parts: Vec<&Value> = if whole.is_object() {
        vec![whole]
    } else {
        of_containers.collect()
    };
    let mut is_guaranteed = true;
    let mut is_best_effort = true;
    for part in parts {
        let limits = counted(&part["limits"]);
        let mut requests = counted(&part["requests"]);
        for (resource, limit) in &limits {
            if part["requests"].get(*resource).is_none() {
                requests.insert(resource, *limit);
            }
        }
        is_best_effort &= limits.is_empty() && requests.is_empty();
        is_guaranteed &= limits.len() == 2 && requests == limits;
    }
    match (is_best_effort, is_guaranteed) {
        (true, _) => Class::BestEffort,
        (false, true) => Class::Guaranteed,
        (false, false) => Class::Burstable,
    }
}

#[test]
fn each_class_is_recognised() {
    let class_of = |resources: Value| class(&json!({"spec": {"containers": [{"resources": resources}]}}));
    assert_eq!(class_of(json!({})), Class::BestEffort);
    assert_eq!(class_of(json!({"limits": {"cpu": "0"}})), Class::BestEffort);
    assert_eq!(class_of(json!({"requests": {"cpu": "1"}})), Class::Burstable);
    assert_eq!(class_of(json!({"limits": {"cpu": "1"}})), Class::Burstable);
    assert_eq!(
        class_of(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}})),
        Class::Guaranteed
    );
}
