//! Which programs there are, and how each is built.

use std::{path::PathBuf, time::Duration};

/// A program of a cluster.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Component {
    /// The store of the API server, 3.6.4.
    Etcd,
    /// The API server, 1.34.4.
    KubeApiserver,
    /// The controllers, 1.34.4.
    KubeControllerManager,
    /// Services' addresses on a node, 1.34.4.
    KubeProxy,
    /// The scheduler, 1.34.4.
    KubeScheduler,
    /// The command-line client, 1.34.4.
    Kubectl,
    /// The node's agent, 1.34.4.
    Kubelet,
    /// The cluster's DNS server, 1.12.4.
    Coredns,
    /// An OpenTelemetry Collector with the components that Tributary uses, 0.158.0.
    Otelcol,
    /// A log store, 3.7.8.
    Loki,
    /// Loki's command-line client, 3.7.8.
    Logcli,
}

/// A directory of `e2e/components`: programs that share a dependency graph.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Module {
    /// Kubernetes and etcd.
    Kubernetes,
    /// `CoreDNS`.
    Coredns,
    /// The OpenTelemetry Collector.
    Otelcol,
    /// Loki.
    Loki,
}

/// What `go version -m` would say if Kubernetes were built from its repository; without it the server calls itself
/// v0.0.0 and clients misbehave. The date is that of the release.
const KUBERNETES_VERSION: [(&str, &str); 5] = [
    ("gitMajor", "1"),
    ("gitMinor", "34"),
    ("gitVersion", "v1.34.4"),
    ("gitTreeState", "clean"),
    ("buildDate", "2026-02-10T12:53:36Z"),
];
/// The packages that hold a copy of the version.
const KUBERNETES_VERSION_PACKAGES: [&str; 2] =
    ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

impl Component {
    /// Every component.
    pub const ALL: [Self; 11] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeProxy,
        Self::KubeScheduler,
        Self::Kubectl,
        Self::Kubelet,
        Self::Coredns,
        Self::Otelcol,
        Self::Loki,
        Self::Logcli,
    ];

    /// The program's name, of its file too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeProxy => "kube-proxy",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
            Self::Kubelet => "kubelet",
            Self::Coredns => "coredns",
            Self::Otelcol => "otelcol",
            Self::Loki => "loki",
            Self::Logcli => "logcli",
        }
    }

    /// The module that it is built from.
    pub fn module(self) -> Module {
        match self {
            Self::Etcd
            | Self::KubeApiserver
            | Self::KubeControllerManager
            | Self::KubeProxy
            | Self::KubeScheduler
            | Self::Kubectl
            | Self::Kubelet => Module::Kubernetes,
            Self::Coredns => Module::Coredns,
            Self::Otelcol => Module::Otelcol,
            Self::Loki | Self::Logcli => Module::Loki,
        }
    }

    /// The Go package of its `main`.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::KubeProxy => "k8s.io/kubernetes/cmd/kube-proxy",
            Self::KubeScheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Kubelet => "k8s.io/kubernetes/cmd/kubelet",
            Self::Coredns => "github.com/coredns/coredns",
            Self::Otelcol => "tributary.dev/components/otelcol",
            Self::Loki => "github.com/grafana/loki/v3/cmd/loki",
            Self::Logcli => "github.com/grafana/loki/v3/cmd/logcli",
        }
    }

    /// The name that `go build` gives to the program.
    pub(super) fn built_name(self) -> &'static str {
        match self {
            Self::Etcd => "server",
            other => other.name(),
        }
    }

    /// How long it takes on two cores with nothing cached, alone or after the ones before it in [`Self::ALL`]
    /// (measured; the API server and etcd share little, the rest of Kubernetes shares most with the API server).
    pub(super) fn cold_build(self) -> Duration {
        Duration::from_secs(match self {
            Self::Etcd => 10,
            Self::KubeApiserver | Self::Loki => 190,
            Self::KubeControllerManager => 30,
            Self::KubeProxy | Self::KubeScheduler | Self::Logcli => 15,
            Self::Kubectl | Self::Kubelet => 25,
            Self::Coredns => 70,
            Self::Otelcol => 170,
        })
    }
}

impl Module {
    /// Every module, in the order in which they are built.
    pub const ALL: [Self; 4] = [Self::Kubernetes, Self::Coredns, Self::Otelcol, Self::Loki];

    /// The directory's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Coredns => "coredns",
            Self::Otelcol => "otelcol",
            Self::Loki => "loki",
        }
    }

    /// The directory in this checkout.
    pub(super) fn directory(self) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "..", "components", self.name()]
            .iter()
            .collect()
    }

    /// The flags of `go build`: the module's files as they are committed, the same bytes on every machine, no debug
    /// information.
    pub(super) fn flags(self) -> Vec<String> {
        let mut linker = "-s -w".to_owned();
        if self == Self::Kubernetes {
            for package in KUBERNETES_VERSION_PACKAGES {
                for (variable, value) in KUBERNETES_VERSION {
                    linker.extend([" -X ", package, ".", variable, "=", value]);
                }
            }
        }
        [
            "-mod=readonly",
            "-buildvcs=false",
            "-trimpath",
            "-ldflags",
            &linker,
        ]
        .map(str::to_owned)
        .to_vec()
    }
}
