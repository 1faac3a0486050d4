//! What a node agent collects.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node agent collects. Absent: `containers` alone.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("has(self.containers) || has(self.journald) || has(self.files) && size(self.files) > 0")
        .message("nothing is collected: write containers: {}, journald: {units: [...]} or files: [{path: ...}]")
)]
pub struct Sources {
    /// Stdout and stderr of the selected pods. To leave them out, name another source and not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<Containers>,

    /// The node's journal, in `/var/log/journal` or `/run/log/journal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journald: Option<Journald>,

    /// Files of the node, one line a record. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub files: Vec<HostFile>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            containers: Some(Containers::default()),
            journald: None,
            files: Vec::new(),
        }
    }
}

/// Stdout and stderr of the selected pods.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub struct Containers {
    /// For nodes whose runtime is Docker Engine: its logs are links to `/var/lib/docker/containers`, which the agent then sees too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub docker: bool,
}

/// The journal of the node.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Journald {
    /// Units, such as `kubelet.service`. At least one, at most 64.
    #[schemars(length(min = 1, max = 64), inner(length(max = 255)))]
    #[x_kube(
        validation = Rule::new("self.all(u, u.matches('^[A-Za-z0-9:_.@-]+[.](service|socket|timer|mount|slice|scope|target)$'))")
            .message("write the full names of units, such as kubelet.service")
    )]
    pub units: Vec<String>,
}

/// Files of the node.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct HostFile {
    /// A path below `/var/log`; `*` and `?` stand for characters of one name.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^/var/log/[A-Za-z0-9._*?@/-]+$') && !self.contains('/../') && !self.endsWith('/')")
            .message("write a path below /var/log, such as /var/log/syslog or /var/log/nginx/*.log"),
        validation = Rule::new("!self.startsWith('/var/log/pods/') && !self.startsWith('/var/log/containers/')")
            .message("these are the logs of containers: write sources.containers and a selector")
    )]
    pub path: String,
}
