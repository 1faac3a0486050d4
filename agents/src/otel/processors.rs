//! What happens to every record before it is sent anywhere.

use serde_json::{Value, json};

use super::confmap::{text, texts};
use super::ottl;
use crate::pipeline::Pipeline;

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
    // The rule above leaves out labels with empty values, which selectors and conditions must see.
    labels.extend(
        pipeline
            .pod_labels()
            .into_iter()
            .map(|key| label("pod", ottl::POD_LABEL_PREFIX, key)),
    );
    let of_namespaces = pipeline.namespace_labels();
    labels.extend(
        of_namespaces
            .into_iter()
            .map(|key| label("namespace", ottl::NAMESPACE_LABEL_PREFIX, key)),
    );
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
            // For static pods: see `identify`.
            {"sources": [
                {"from": "resource_attribute", "name": "k8s.namespace.name"},
                {"from": "resource_attribute", "name": "k8s.pod.name"},
            ]},
        ],
    })
}

/// The rule that extracts one label.
fn label(from: &str, prefix: &str, key: &str) -> Value {
    json!({"from": from, "key": text(key), "tag_name": text(&format!("{prefix}{key}"))})
}

/// Drops records that meet one of the conditions, each an OTTL expression.
pub fn drop_where(conditions: &[String]) -> Value {
    json!({"error_mode": "ignore", "log_conditions": texts(conditions)})
}

/// The groups of the path of a log, and what the semantic conventions call them.
const IDENTITY: [(&str, &str); 4] = [
    ("namespace", "k8s.namespace.name"),
    ("pod", "k8s.pod.name"),
    ("uid", "k8s.pod.uid"),
    ("container", "k8s.container.name"),
];

/// Gives what the receiver read from the path its proper name, and names the node. See also [`standard_record`].
pub fn identify() -> Value {
    let attribute = |key: &str| format!("resource.attributes[{}]", ottl::literal(key));
    let mut of_resource = Vec::new();
    for (group, name) in IDENTITY {
        // The log directory of a static pod carries a hash, not the uid of its mirror in the API server: without a uid
        // here, the pod is found by its name, and gets the mirror's uid.
        let condition = if group == "uid" {
            format!(" where IsMatch({}, \"-\")", attribute(group))
        } else {
            String::new()
        };
        of_resource.push(format!(
            "set({}, {}){condition}",
            attribute(name),
            attribute(group)
        ));
        of_resource.push(format!(
            "delete_key(resource.attributes, {})",
            ottl::literal(group)
        ));
    }
    of_resource.push(format!(
        "set({}, \"${{env:K8S_NODE_NAME}}\")",
        attribute("k8s.node.name")
    ));
    standard_record(
        &of_resource,
        &[
            // Bytes that are no text become U+FFFD before anything looks at them.
            "set(log.body, Decode(log.body, \"utf-8\"))",
            "set(log.attributes[\"log.iostream\"], log.attributes[\"stream\"])",
            "keep_keys(log.attributes, [\"log.iostream\"])",
        ],
    )
}

/// Names the pod that the collector runs in, by what Kubernetes says about it, and the file that a line comes from, by what the
/// receiver left in the attributes. See also [`standard_record`].
pub fn identify_pod() -> Value {
    let of_resource: Vec<String> = [
        ("k8s.namespace.name", "POD_NAMESPACE"),
        ("k8s.pod.name", "POD_NAME"),
        ("k8s.pod.uid", "POD_UID"),
        ("k8s.node.name", "K8S_NODE_NAME"),
    ]
    .iter()
    .map(|(attribute, variable)| {
        // Names and uids hold nothing that ends a literal.
        format!("set(resource.attributes[\"{attribute}\"], \"${{env:{variable}}}\")")
    })
    .collect();
    standard_record(
        &of_resource,
        &[
            "set(log.attributes[\"log.file.path\"], Concat([log.attributes[\"directory\"], log.attributes[\"log.file.name\"]], \"\")) where log.attributes[\"directory\"] != nil",
            "keep_keys(log.attributes, [\"log.file.path\"])",
        ],
    )
}

/// Names the node of a record of one of its files.
pub fn identify_node_files() -> Value {
    standard_record(
        &["set(resource.attributes[\"k8s.node.name\"], \"${env:K8S_NODE_NAME}\")".to_owned()],
        &["keep_keys(log.attributes, [\"log.file.path\"])"],
    )
}

/// Applies statements to the resource, then to each of its log records. A record without a time of its own gets the time at
/// which it was read.
fn standard_record(of_resource: &[String], of_log: &[&str]) -> Value {
    let of_time = [
        "set(log.time, log.observed_time) where log.time_unix_nano == 0",
        // A record that is delivered twice is then the same to the byte, so that Loki keeps it once.
        "set(log.observed_time, log.time)",
    ];
    let of_log = [&of_time, of_log].concat();
    json!({
        "error_mode": "ignore",
        "log_statements": [
            {"context": "resource", "statements": of_resource},
            {"context": "log", "statements": of_log},
        ],
    })
}

/// Removes the labels of namespaces, which were only there to select by.
pub fn forget_namespace_labels(pipeline: &Pipeline) -> Value {
    let actions: Vec<Value> = pipeline
        .namespace_labels()
        .into_iter()
        .map(
            |key| json!({"action": "delete", "key": text(&format!("{}{key}", ottl::NAMESPACE_LABEL_PREFIX))}),
        )
        .collect();
    json!({"attributes": actions})
}
