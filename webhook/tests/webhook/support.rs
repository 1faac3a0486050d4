//! What several tests start from: the corpus, its policies and the decision about a pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tributary_crds::selection::Labels;
use tributary_webhook::limits::limit_range::LimitRange;
use tributary_webhook::limits::quota::Quota;
use tributary_webhook::limits::{Limit, NO_LIMITS, NamespaceLimits};
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

/// Decides about a pod in the namespace of the corpus that it names.
pub fn decide(pod: &Value, policies: &PolicyIndex) -> Decision {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or("shop");
    decide_under(pod, policies, limits().get(namespace).unwrap_or(&NO_LIMITS))
}

/// Decides about a pod in a namespace with these limits.
pub fn decide_under(pod: &Value, policies: &PolicyIndex, limits: &NamespaceLimits) -> Decision {
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
            limits,
        },
        policies,
        &config,
    )
    .unwrap()
}

/// What the corpus' namespaces allow, by name: those of `namespaces.yaml`. All others allow everything.
pub fn limits() -> &'static BTreeMap<String, NamespaceLimits> {
    static LIMITS: LazyLock<BTreeMap<String, NamespaceLimits>> = LazyLock::new(|| {
        let text = fs::read_to_string(corpus().join("namespaces.yaml")).unwrap();
        let namespaces: BTreeMap<String, Value> = serde_saphyr::from_str(&text).unwrap();
        namespaces
            .into_iter()
            .map(|(name, objects)| (name, limits_of(&objects)))
            .collect()
    });
    &LIMITS
}

/// `{limitRanges: [...], resourceQuotas: [...]}` as the webhook knows them.
pub fn limits_of(objects: &Value) -> NamespaceLimits {
    let mut limits = NamespaceLimits::default();
    take::<LimitRange>(&mut limits, &objects["limitRanges"]);
    take::<Quota>(&mut limits, &objects["resourceQuotas"]);
    limits
}

fn take<L: Limit>(limits: &mut NamespaceLimits, objects: &Value)
where
    L::Object: DeserializeOwned,
{
    for object in objects.as_array().into_iter().flatten() {
        let name = object["metadata"]["name"].as_str().unwrap();
        limits.set(
            name,
            Some(L::read(&serde_json::from_value(object.clone()).unwrap())),
        );
    }
}

pub fn patched(pod: &Value, decision: &Decision) -> Value {
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &decision.patch.operations()).unwrap();
    pod
}
