//! The cluster's DNS server: `CoreDNS` as a Deployment.

use serde_json::{Value, json};

use super::slot::Slot;
use crate::images::catalog;

const NAMESPACE: &str = "kube-system";
const NAME: &str = "coredns";
/// Answers for the cluster and for nothing else: a test that asks for other names gets an error at once.
const COREFILE: &str = "\
.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa {
        pods insecure
    }
    cache 5
}
";

/// Everything that it consists of, as one list for `kubectl apply`.
pub(super) fn objects(slot: Slot) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [account(), role(), binding(), settings(), deployment(), service(slot)],
    })
}

/// The Deployment that has to be available.
pub(super) const DEPLOYMENT: (&str, &str) = (NAMESPACE, NAME);

fn metadata() -> Value {
    json!({ "name": NAME, "namespace": NAMESPACE })
}

fn account() -> Value {
    json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata() })
}

fn role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "system:coredns" },
        "rules": [
            {
                "apiGroups": [""],
                "resources": ["endpoints", "services", "pods", "namespaces"],
                "verbs": ["list", "watch"],
            },
            { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"] },
        ],
    })
}

fn binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "system:coredns" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns" },
        "subjects": [{ "kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE }],
    })
}

fn settings() -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(), "data": { "Corefile": COREFILE } })
}

fn deployment() -> Value {
    let container = json!({
        "name": NAME,
        "image": catalog::COREDNS,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"], "add": ["NET_BIND_SERVICE"] },
            // For port 53: the program itself carries no capability, so no other user would get it.
            "runAsUser": 0,
        },
        "volumeMounts": [{ "name": "settings", "mountPath": "/etc/coredns" }],
        "readinessProbe": { "httpGet": { "path": "/ready", "port": 8181 }, "periodSeconds": 1 },
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(),
        "spec": {
            "selector": { "matchLabels": { "k8s-app": "kube-dns" } },
            "template": {
                "metadata": { "labels": { "k8s-app": "kube-dns" } },
                "spec": {
                    "serviceAccountName": NAME,
                    "dnsPolicy": "Default",
                    "priorityClassName": "system-cluster-critical",
                    "containers": [container],
                    "volumes": [{ "name": "settings", "configMap": { "name": NAME } }],
                },
            },
        },
    })
}

fn service(slot: Slot) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "kube-dns", "namespace": NAMESPACE },
        "spec": {
            "clusterIP": slot.dns_address(),
            "selector": { "k8s-app": "kube-dns" },
            "ports": [
                { "name": "dns", "port": 53, "protocol": "UDP" },
                { "name": "dns-tcp", "port": 53, "protocol": "TCP" },
            ],
        },
    })
}
