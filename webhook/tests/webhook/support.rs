//! What several tests start from: the corpus, its policies and the decision about a pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;
use tributary_crds::selection::Labels;
use tributary_webhook::limits::NO_LIMITS;
use tributary_webhook::policies::{Namespace, PolicyIndex, StoredPolicy};
use tributary_webhook::{Config, Decision, inject};

pub fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The corpus' policies, compiled once for all tests.
pub fn policies() -> &'static PolicyIndex {
    static POLICIES: LazyLock<PolicyIndex> = LazyLock::new(compile_policies);
    &POLICIES
}

pub fn compile_policies() -> PolicyIndex {
    let text = fs::read_to_string(corpus().join("policies.yaml")).unwrap();
    let policies: Vec<Value> = serde_saphyr::from_str(&text).unwrap();
    let stored: BTreeMap<String, StoredPolicy> = policies
        .into_iter()
        .map(|json| {
            (
                json["metadata"]["name"].as_str().unwrap().to_owned(),
                Ok(serde_json::from_value(json).unwrap()),
            )
        })
        .collect();
    PolicyIndex::compile(&stored)
}

/// The pods of the corpus by name.
pub fn pods() -> BTreeMap<String, Value> {
    let files = fs::read_dir(corpus().join("input"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let pod = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, pod)
        })
        .collect()
}

pub fn decide(pod: &Value, policies: &PolicyIndex) -> Decision {
    let name = pod["metadata"]["namespace"].as_str().unwrap_or("shop");
    let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
    let config = Config {
        streamer_image: "registry.example/tributary:1".to_owned(),
    };
    inject(
        &pod.to_string(),
        Namespace {
            name,
            labels: &labels,
            limits: &NO_LIMITS,
        },
        policies,
        &config,
    )
    .unwrap()
}

pub fn patched(pod: &Value, decision: &Decision) -> Value {
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &decision.patch).unwrap();
    pod
}
