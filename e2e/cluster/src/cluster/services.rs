//! The processes of a node and their settings.

use serde_json::{Value, json};

use super::{
    LogRotation,
    credentials::{API_PORT, NODE},
    node::{STATE, Service},
    slot::Slot,
};

/// Where etcd listens; the node's loopback is its own.
const ETCD: &str = "http://127.0.0.1:2379";
/// Where containerd listens, by its own settings.
const CONTAINERD: &str = "unix:///run/containerd/containerd.sock";
/// The settings of containerd.
pub(super) const CONTAINERD_SETTINGS: &str = include_str!("containerd.toml");

/// Names a file of the state directory as the node sees it.
fn file(name: &str) -> String {
    format!("{STATE}/{name}")
}

fn flag(name: &str, value: &str) -> String {
    format!("--{name}={value}")
}

/// The store.
pub(super) fn etcd(program: String) -> Service {
    let arguments = vec![
        flag("data-dir", "/var/lib/etcd"),
        flag("listen-client-urls", ETCD),
        flag("advertise-client-urls", ETCD),
        // Nothing here outlives the cluster.
        "--unsafe-no-fsync".to_owned(),
    ];
    Service {
        name: "etcd",
        program,
        arguments,
    }
}

/// The API server.
pub(super) fn apiserver(program: String, slot: Slot) -> Service {
    let arguments = vec![
        flag("etcd-servers", ETCD),
        flag("bind-address", &slot.node_address()),
        flag("advertise-address", &slot.node_address()),
        flag("secure-port", &API_PORT.to_string()),
        flag("service-cluster-ip-range", &slot.services()),
        flag("client-ca-file", &file("pki/ca.crt")),
        flag("tls-cert-file", &file("pki/apiserver.crt")),
        flag("tls-private-key-file", &file("pki/apiserver.key")),
        flag("kubelet-certificate-authority", &file("pki/ca.crt")),
        flag("kubelet-client-certificate", &file("pki/apiserver-kubelet.crt")),
        flag("kubelet-client-key", &file("pki/apiserver-kubelet.key")),
        flag("kubelet-preferred-address-types", "InternalIP"),
        flag("service-account-issuer", "https://kubernetes.default.svc"),
        flag("service-account-key-file", &file("pki/service-account.crt")),
        flag(
            "service-account-signing-key-file",
            &file("pki/service-account.key"),
        ),
        flag("authorization-mode", "Node,RBAC"),
        flag("enable-admission-plugins", "NodeRestriction"),
        // Reaches a webhook's Service by its endpoints.
        flag("enable-aggregator-routing", "true"),
        flag("allow-privileged", "true"),
    ];
    Service {
        name: "kube-apiserver",
        program,
        arguments,
    }
}

/// The controllers.
pub(super) fn controller_manager(program: String) -> Service {
    let arguments = vec![
        flag("kubeconfig", &file("kubeconfigs/kube-controller-manager")),
        flag("use-service-account-credentials", "true"),
        flag("root-ca-file", &file("pki/ca.crt")),
        flag(
            "service-account-private-key-file",
            &file("pki/service-account.key"),
        ),
        flag("cluster-signing-cert-file", &file("pki/ca.crt")),
        flag("cluster-signing-key-file", &file("pki/ca.key")),
        flag("leader-elect", "false"),
    ];
    Service {
        name: "kube-controller-manager",
        program,
        arguments,
    }
}

/// The scheduler.
pub(super) fn scheduler(program: String) -> Service {
    let arguments = vec![
        flag("kubeconfig", &file("kubeconfigs/kube-scheduler")),
        flag("leader-elect", "false"),
    ];
    Service {
        name: "kube-scheduler",
        program,
        arguments,
    }
}

/// The container runtime, Debian's.
pub(super) fn containerd() -> Service {
    let arguments = vec!["--config".to_owned(), file("containerd.toml")];
    Service {
        name: "containerd",
        program: "containerd".to_owned(),
        arguments,
    }
}

/// The node's agent.
pub(super) fn kubelet(program: String, slot: Slot) -> Service {
    let arguments = vec![
        flag("kubeconfig", &file("kubeconfigs/kubelet")),
        flag("config", &file("kubelet.json")),
        flag("hostname-override", NODE),
        flag("node-ip", &slot.node_address()),
    ];
    Service {
        name: "kubelet",
        program,
        arguments,
    }
}

/// Services' addresses.
pub(super) fn proxy(program: String) -> Service {
    let arguments = vec![flag("config", &file("kube-proxy.json"))];
    Service {
        name: "kube-proxy",
        program,
        arguments,
    }
}

/// The settings of kubelet.
pub(super) fn kubelet_settings(slot: Slot, cgroup: &str, rotation: Option<&LogRotation>) -> Value {
    let mut settings = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": file("pki/ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": file("pki/kubelet.crt"),
        "tlsPrivateKeyFile": file("pki/kubelet.key"),
        "containerRuntimeEndpoint": CONTAINERD,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{cgroup}"),
        "failCgroupV1": false,
        "failSwapOn": false,
        "oomScoreAdj": 0,
        "clusterDNS": [slot.dns_address()],
        "clusterDomain": "cluster.local",
        "resolvConf": file("resolv.conf"),
        // Elsewhere it would be made on the machine.
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        // The machine's disk is not this cluster's: it evicts only when the disk is all but full, and never deletes an
        // image, which could not be pulled again.
        "evictionHard": { "memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    });
    if let Some(rotation) = rotation {
        settings["containerLogMaxSize"] = json!(rotation.max_size);
        settings["containerLogMaxFiles"] = json!(rotation.max_files);
        settings["containerLogMonitorInterval"] = json!(rotation.interval);
    }
    settings
}

/// The settings of kube-proxy.
pub(super) fn proxy_settings(slot: Slot) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": file("kubeconfigs/kube-proxy") },
        "mode": "iptables",
        "clusterCIDR": slot.pods(),
        "hostnameOverride": NODE,
        "oomScoreAdj": 0,
        // The limits are the machine's, and cannot be written from a network namespace.
        "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
    })
}

/// The pods' network: a bridge, addresses by their file names, `hostPort`.
pub(super) fn pod_network(slot: Slot) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods0",
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni",
                    "ranges": [[{ "subnet": slot.pods() }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::catalog;

    #[test]
    fn containerd_takes_the_sandbox_image_that_is_imported() {
        assert!(CONTAINERD_SETTINGS.contains(&format!("sandbox_image = \"{}\"", catalog::PAUSE)));
    }

    #[test]
    fn two_clusters_share_no_address() {
        let (one, two) = (Slot(0), Slot(1));
        for setting in [
            Slot::link,
            Slot::node_address,
            Slot::pods,
            Slot::services,
            Slot::dns_address,
        ] {
            assert_ne!(setting(one), setting(two));
        }
        assert_eq!(
            pod_network(two)["plugins"][0]["ipam"]["ranges"][0][0]["subnet"],
            "10.244.1.0/24"
        );
    }
}
