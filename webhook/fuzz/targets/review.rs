//! The readers of reviews, of pods and of workloads, and the decision, with any bytes that could be sent: as a review, and as the
//! object in one.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tributary_crds::selection::Labels;
use tributary_webhook::limits::NO_LIMITS;
use tributary_webhook::policies::{Namespace, PolicyIndex, StoredPolicy};
use tributary_webhook::review::{Request, answer};
use tributary_webhook::templates::Workload;
use tributary_webhook::{Config, Decision, inject};

/// One policy that leaves volumes alone, one that creates them, and one that cannot be used.
static POLICIES: LazyLock<PolicyIndex> = LazyLock::new(|| {
    let policy = |name: &str, spec: Value| -> (String, StoredPolicy) {
        let json = json!({"apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy", "metadata": {"name": name}, "spec": spec});
        (
            name.to_owned(),
            serde_json::from_value(json).map_err(|error| error.to_string()),
        )
    };
    let creates = json!({"matchLabels": {"volumes": "create"}});
    PolicyIndex::compile(&BTreeMap::from([
        policy("default", json!({"streamingSidecar": {}})),
        policy(
            "creates",
            json!({"priority": 10, "selector": {"podSelector": creates}, "streamingSidecar": {"missingVolume": "CreateEmptyDir"}}),
        ),
        policy(
            "unusable",
            json!({"priority": -1, "streamingSidecar": {"image": " "}}),
        ),
    ]))
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::parse(bytes)
        && let Ok(pod) = request.pod()
        && let Some(decision) = decided(pod.get())
    {
        let answer = answer(&request.uid, &decision.patch, &decision.warnings);
        let answer: Value = serde_json::from_str(&answer).expect("an answer is JSON");
        assert_eq!(answer["response"]["uid"], request.uid.as_ref());
        assert_eq!(answer["response"]["allowed"], true);
    }
    if let Ok(request) = Request::parse(bytes)
        && let Ok((workload, object)) = request.workload()
    {
        decide_about_template(workload, object);
    }
    if let Ok(in_one_pass) = Request::parse_with_pod(bytes) {
        let request = Request::parse(bytes).expect("what can be read in one pass can be in two");
        assert_eq!(in_one_pass.uid, request.uid);
        assert_eq!(in_one_pass.pod().is_ok(), request.pod().is_ok());
    }
    if let Ok(object) = str::from_utf8(bytes) {
        decided(object);
        for workload in Workload::ALL {
            decide_about_template(workload, object);
        }
    }
});

fn decide_about_template(workload: Workload, object: &str) {
    if let Ok(pod) = workload.pod(object) {
        decided(&pod);
    }
}

/// The decision about a pod, when this is one, after a look at whether it is sound.
fn decided(pod: &str) -> Option<Decision> {
    let decision = inject_into(pod)?;
    for warning in &decision.warnings {
        assert!(!warning.contains(char::is_control), "{warning:?}");
    }
    // Both read the pod; where they disagree about what it says, as with a number that is too large, there is nothing to check.
    let mut patched: Value = serde_json::from_str(pod).ok()?;
    json_patch::patch(&mut patched, &decision.patch.operations()).expect("the patch applies to the pod");
    // The API server refuses a pod without containers, whatever a second pass would say.
    let has_containers = patched["spec"]["containers"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    if !has_containers {
        return Some(decision);
    }
    let again = inject_into(&patched.to_string()).expect("a patched pod is a pod");
    assert!(again.patch.is_empty(), "a second pass changes {:?}", again.patch);
    Some(decision)
}

fn inject_into(pod: &str) -> Option<Decision> {
    let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), "shop".to_owned())]);
    let namespace = Namespace {
        name: "shop",
        labels: &labels,
        limits: &NO_LIMITS,
    };
    let config = Config {
        streamer_image: "registry.example/tributary:1".to_owned(),
    };
    inject(pod, namespace, &POLICIES, &config).ok()
}
