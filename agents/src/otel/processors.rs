//! What happens to every record before it is sent anywhere.

use serde_json::{Value, json};

use super::confmap::{text, texts};
use super::ottl;
use crate::pipeline::{Pipeline, Predicate};

/// Holds the receiver back before the container's memory limit is reached.
pub fn memory_limiter(memory_limit: u64) -> Value {
    let limit_mib = memory_limit * 8 / 10 / (1 << 20);
    json!({"check_interval": "1s", "limit_mib": limit_mib, "spike_limit_mib": limit_mib / 5})
}

/// Adds the labels of pods, and those of namespaces that the selection looks at, from the API server.
pub fn k8s_attributes(pipeline: &Pipeline) -> Value {
    let mut labels = vec![json!({
        "from": "pod",
        "key_regex": text("^(.*)$"),
        "tag_name": text(&format!("{}$1", ottl::POD_LABEL_PREFIX)),
    })];
    for key in pipeline.namespace_labels() {
        let tag_name = text(&format!("{}{key}", ottl::NAMESPACE_LABEL_PREFIX));
        labels.push(json!({"from": "namespace", "key": text(key), "tag_name": tag_name}));
    }
    json!({
        "auth_type": "serviceAccount",
        // The agent needs to know the pods of its own node only.
        "filter": {"node_from_env_var": "K8S_NODE_NAME"},
        // Records of the first seconds would lack their labels otherwise, and be kept or dropped by mistake.
        "wait_for_metadata": true,
        "wait_for_metadata_timeout": "60s",
        "extract": {"metadata": ["k8s.pod.uid"], "labels": labels},
        "pod_association": [
            {"sources": [{"from": "resource_attribute", "name": "k8s.pod.uid"}]},
            // The log directory of a static pod carries another uid than its mirror in the API server.
            {"sources": [
                {"from": "resource_attribute", "name": "k8s.namespace.name"},
                {"from": "resource_attribute", "name": "k8s.pod.name"},
            ]},
        ],
    })
}

/// Drops records that do not meet every predicate.
pub fn keep_only(predicates: &[Predicate]) -> Value {
    json!({"error_mode": "ignore", "log_conditions": texts(&ottl::violations(predicates))})
}

/// Names the node, and gives a record that has no time of its own the time at which it was read.
pub fn identify() -> Value {
    json!({
        "error_mode": "ignore",
        "log_statements": [
            {
                "context": "resource",
                "statements": ["set(resource.attributes[\"k8s.node.name\"], \"${env:K8S_NODE_NAME}\")"],
            },
            {
                "context": "log",
                "statements": [
                    "set(log.time, log.observed_time) where log.time_unix_nano == 0",
                    "delete_key(log.attributes, \"logtag\")",
                    "delete_key(log.attributes, \"log.file.path\")",
                ],
            },
        ],
    })
}

/// Removes the labels of namespaces, which were only there to select by.
pub fn forget_namespace_labels(pipeline: &Pipeline) -> Value {
    let actions: Vec<Value> = pipeline
        .namespace_labels()
        .into_iter()
        .map(|key| json!({"action": "delete", "key": text(&format!("{}{key}", ottl::NAMESPACE_LABEL_PREFIX))}))
        .collect();
    json!({"attributes": actions})
}
