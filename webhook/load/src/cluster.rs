//! The cluster that the stand-in shows: namespaces of many teams, and a policy for each team.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tributary_crds::names::{SYSTEM_NAMESPACE, WEBHOOK_CERTIFICATE_SECRET};

use crate::pair::Pair;

/// How large a cluster is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// `LoggingPolicies`, one for each team.
    pub policies: usize,
    /// Namespaces, dealt to the teams in turn.
    pub namespaces: usize,
}

/// The name of a namespace, for an index below [`Size::namespaces`].
pub fn namespace_name(index: usize) -> String {
    format!("namespace-{index:05}")
}

/// The policies, as JSON of `LoggingPolicy`.
pub fn policies(size: Size) -> Vec<Value> {
    (0..size.policies)
        .map(|index| {
            let spec = json!({
                "selector": {
                    "namespaceSelector": {"matchLabels": {"team": team(index)}},
                    "podSelector": {"matchExpressions": [{"key": "logs", "operator": "NotIn", "values": ["none"]}]}
                },
                "streamingSidecar": {"resources": {"requests": {"memory": "16Mi"}}},
                "outputs": [{"name": "out", "stdout": {}}]
            });
            json!({
                "apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy",
                "metadata": metadata(&team(index), &json!({})),
                "spec": spec,
                "status": {"observedGeneration": 1}
            })
        })
        .collect()
}

/// Namespaces as a list of their metadata.
pub(crate) fn namespaces(size: Size) -> Vec<Value> {
    (0..size.namespaces)
        .map(|index| {
            let name = namespace_name(index);
            let labels = json!({
                "kubernetes.io/metadata.name": name,
                "team": team(index % size.policies.max(1)),
                "pod-security.kubernetes.io/enforce": "restricted"
            });
            json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                "metadata": metadata(&name, &labels)
            })
        })
        .collect()
}

/// A `LimitRange` in every tenth namespace.
pub(crate) fn limit_ranges(size: Size) -> Vec<Value> {
    let limits = json!({"limits": [{
        "type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "10m", "memory": "16Mi"},
        "max": {"cpu": "4", "memory": "8Gi"}
    }]});
    in_every_tenth(size, "LimitRange", &limits, &json!({}))
}

/// A `ResourceQuota` in every tenth namespace.
pub(crate) fn resource_quotas(size: Size) -> Vec<Value> {
    let hard = json!({"limits.cpu": "200", "limits.memory": "400Gi", "pods": "500"});
    let used = json!({"limits.cpu": "20", "limits.memory": "40Gi", "pods": "50"});
    in_every_tenth(
        size,
        "ResourceQuota",
        &json!({"hard": hard}),
        &json!({"hard": hard, "used": used}),
    )
}

fn in_every_tenth(size: Size, kind: &str, spec: &Value, status: &Value) -> Vec<Value> {
    (0..size.namespaces)
        .step_by(10)
        .map(|index| {
            let mut metadata = metadata("tenants", &json!({}));
            metadata["namespace"] = json!(namespace_name(index));
            json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec, "status": status})
        })
        .collect()
}

/// The Secret that the webhook serves with.
pub(crate) fn secret(pair: &Pair, version: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {
            "name": WEBHOOK_CERTIFICATE_SECRET, "namespace": SYSTEM_NAMESPACE,
            "uid": "4f0c", "resourceVersion": version.to_string()
        },
        "data": {"tls.crt": STANDARD.encode(&pair.certificate), "tls.key": STANDARD.encode(&pair.key)}
    })
}

fn team(index: usize) -> String {
    format!("team-{index:04}")
}

/// Metadata of the size that it has in a cluster: half of it says who wrote which field.
fn metadata(name: &str, labels: &Value) -> Value {
    json!({
        "name": name,
        "uid": format!("6d1b2c3e-0000-4000-8000-{name:0>12}"),
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": labels,
        "annotations": {"owner": "platform@example.com", "description": "made for a measurement of the webhook"},
        "managedFields": [{
            "manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {
                "f:annotations": {".": {}, "f:owner": {}, "f:description": {}},
                "f:labels": {".": {}, "f:team": {}, "f:kubernetes.io/metadata.name": {}}
            }}
        }]
    })
}
