//! The part of a pod that decisions need, borrowed from the request where that saves work.
//!
//! The pod itself is never rebuilt from these types: what they do not know must survive, so changes are patch operations
//! against the request's own text.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use tributary_agents::config::CONFIG_DIRECTORY;
use tributary_crds::annotation;
use tributary_crds::selection::Labels;

use crate::limits::amounts::{Amounts, RequestsAndLimits};
use crate::sidecar::{AGENT, STREAMER};
use crate::text::Text;

/// Which container `kubectl logs` and `kubectl exec` take when none is named.
pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// A result that says nothing, where there is no room for one.
pub const NO_RESULT: &str = "{}";

/// What Kubernetes sets where a pod has no `terminationGracePeriodSeconds`.
const DEFAULT_GRACE_PERIOD: i64 = 30;

/// Why a pod could not be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the pod of the request: {0}")]
pub struct PodError(#[from] serde_json::Error);

/// A pod.
#[derive(Debug, Deserialize)]
pub struct Pod<'a> {
    /// Its metadata.
    #[serde(borrow, default)]
    pub metadata: Metadata<'a>,
    /// Its specification.
    #[serde(borrow)]
    pub spec: Spec<'a>,
}

/// A pod's metadata. On CREATE the name is often still empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// The name, if its author chose it.
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    /// The prefix of a name that the API server will make.
    pub generate_name: Option<Text<'a>>,
    /// Annotations; `None` when the pod has no such object, so that one must be made.
    pub annotations: Option<BTreeMap<Text<'a>, Text<'a>>>,
    /// Labels, likewise.
    pub labels: Option<Labels>,
    /// Who made the pod.
    pub owner_references: Option<Vec<OwnerReference<'a>>>,
}

/// Who made a pod.
#[derive(Debug, Deserialize)]
pub struct OwnerReference<'a> {
    /// Such as `ReplicaSet`.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// The owner's name.
    pub name: Text<'a>,
}

/// A pod's specification.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec<'a> {
    /// The application's containers.
    #[serde(borrow, default)]
    pub containers: Vec<Container<'a>>,
    /// Init containers and native sidecars.
    #[serde(borrow)]
    pub init_containers: Option<Vec<Container<'a>>>,
    /// Volumes.
    #[serde(borrow)]
    pub volumes: Option<Vec<Volume<'a>>>,
    /// What holds for every container that does not say otherwise.
    pub security_context: Option<SecurityContext>,
    /// The operating system that the pod is for.
    #[serde(borrow)]
    pub os: Option<Os<'a>>,
    /// Labels that its node must have.
    #[serde(borrow)]
    pub node_selector: Option<BTreeMap<Text<'a>, Text<'a>>>,
    /// Resources of the pod as a whole (Kubernetes 1.32 and later).
    pub resources: Option<RequestsAndLimits>,
    /// What the runtime itself takes, on top of what the containers ask for.
    pub overhead: Option<Amounts>,
    /// How long it may run.
    pub active_deadline_seconds: Option<i64>,
    /// How long its end may take.
    pub termination_grace_period_seconds: Option<i64>,
    /// How important it is.
    #[serde(borrow)]
    pub priority_class_name: Option<Text<'a>>,
    /// Where it may run, read only when a quota depends on it.
    #[serde(borrow)]
    pub affinity: Option<&'a RawValue>,
}

/// The operating system of a pod.
#[derive(Debug, Deserialize)]
pub struct Os<'a> {
    /// `linux` or `windows`.
    #[serde(borrow)]
    pub name: Text<'a>,
}

/// A container of any kind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container<'a> {
    /// Its name, unique in the pod. Pods that lack one are not read: the API server refuses them, in words of its own.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// The entry point, if it is not the image's.
    #[serde(borrow)]
    pub command: Option<Vec<Text<'a>>>,
    /// `Always` makes an init container a native sidecar.
    #[serde(borrow)]
    pub restart_policy: Option<Text<'a>>,
    /// Where volumes appear in it.
    #[serde(borrow)]
    pub volume_mounts: Option<Vec<Mount<'a>>>,
    /// Where block devices appear in it.
    #[serde(borrow)]
    pub volume_devices: Option<Vec<Device<'a>>>,
    /// Environment variables, read only when a `subPathExpr` needs them: pods with thousands exist.
    #[serde(borrow)]
    pub env: Option<&'a RawValue>,
    /// Sources of whole sets of variables.
    pub env_from: Option<Vec<IgnoredAny>>,
    /// Whom it runs as.
    pub security_context: Option<SecurityContext>,
    /// CPU, memory and disk.
    pub resources: Option<RequestsAndLimits>,
}

/// The part of a security context that a pod and its containers share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    /// The user.
    pub run_as_user: Option<i64>,
    /// The user's first group.
    pub run_as_group: Option<i64>,
    /// The group that owns the pod's volumes (pods only).
    pub fs_group: Option<i64>,
}

/// Where a volume appears in a container.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount<'a> {
    /// The volume.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Where the container sees it.
    #[serde(borrow)]
    pub mount_path: Text<'a>,
    /// The part of the volume that is mounted.
    #[serde(borrow)]
    pub sub_path: Option<Text<'a>>,
    /// The same with `$(VARIABLES)` of the container.
    #[serde(borrow)]
    pub sub_path_expr: Option<Text<'a>>,
    /// Whether the container may write to it.
    pub read_only: Option<bool>,
}

/// Where a block device appears in a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device<'a> {
    /// Where the container sees it.
    #[serde(borrow)]
    pub device_path: Text<'a>,
}

/// A volume: its name, and what kind it is as far as that matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume<'a> {
    /// Its name, unique in the pod.
    #[serde(borrow)]
    pub name: Text<'a>,
    empty_dir: Option<IgnoredAny>,
    ephemeral: Option<IgnoredAny>,
    config_map: Option<IgnoredAny>,
    secret: Option<IgnoredAny>,
    projected: Option<IgnoredAny>,
    #[serde(rename = "downwardAPI")]
    #[serde(borrow)]
    downward_api: Option<DownwardApi<'a>>,
    image: Option<IgnoredAny>,
    csi: Option<Access>,
    nfs: Option<Access>,
    persistent_volume_claim: Option<Access>,
}

/// A volume that shows fields of the pod.
#[derive(Debug, Deserialize)]
struct DownwardApi<'a> {
    #[serde(borrow)]
    items: Option<Vec<DownwardItem<'a>>>,
}

/// A field of the pod, as a file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DownwardItem<'a> {
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow)]
    field_ref: Option<FieldRef<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldRef<'a> {
    #[serde(borrow)]
    field_path: Option<Text<'a>>,
}

/// How a volume may be used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Access {
    read_only: Option<bool>,
}

/// What decisions ask about a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeKind {
    /// An emptyDir: begins and ends with the pod.
    EmptyDir,
    /// Another volume that begins and ends with the pod.
    PodLifetime,
    /// One that may hold files from before the pod.
    Outlives,
    /// One that no container can write; the text names its kind.
    ReadOnly(&'static str),
}

impl Volume<'_> {
    /// Whether the volume shows exactly these fields of the pod: each file's name, and the path of its field.
    pub fn shows<'f>(&self, fields: impl IntoIterator<Item = (&'f str, String)>) -> bool {
        let items = self
            .downward_api
            .iter()
            .flat_map(|api| api.items.iter().flatten());
        let mut shown = items.map(|item| (item.path.as_deref(), item.field_ref.as_ref()));
        let all = fields.into_iter().all(|(path, field)| {
            let (file, reference) = shown.next().unwrap_or_default();
            let shows_field =
                |reference: &FieldRef<'_>| reference.field_path.as_deref() == Some(field.as_str());
            file == Some(path) && reference.is_some_and(shows_field)
        });
        all && shown.next().is_none()
    }

    /// The volume's kind. One that is not known here counts as outliving the pod, which is the careful guess.
    pub fn kind(&self) -> VolumeKind {
        let read_only = |access: &Option<Access>| access.as_ref().is_some_and(|a| a.read_only == Some(true));
        let sources = [
            (self.config_map.is_some(), "a configMap"),
            (self.secret.is_some(), "a secret"),
            (self.projected.is_some(), "a projected volume"),
            (self.downward_api.is_some(), "a downwardAPI volume"),
            (self.image.is_some(), "an image volume"),
            (read_only(&self.persistent_volume_claim), "a read-only claim"),
            (read_only(&self.nfs), "a read-only NFS share"),
            (read_only(&self.csi), "a read-only CSI volume"),
        ];
        if let Some((_, name)) = sources.into_iter().find(|(is, _)| *is) {
            return VolumeKind::ReadOnly(name);
        }
        if self.empty_dir.is_some() {
            return VolumeKind::EmptyDir;
        }
        if self.ephemeral.is_some() || self.csi.is_some() {
            return VolumeKind::PodLifetime;
        }
        VolumeKind::Outlives
    }
}

/// Which of a pod's two lists a container is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerList {
    /// `spec.containers`
    App,
    /// `spec.initContainers`
    Init,
}

impl ContainerList {
    /// The list's name in the pod's specification.
    pub fn field(self) -> &'static str {
        match self {
            Self::App => "containers",
            Self::Init => "initContainers",
        }
    }
}

/// A container and where it is.
#[derive(Clone, Copy, Debug)]
pub struct ContainerRef<'p> {
    /// Its list.
    pub list: ContainerList,
    /// Its index in that list.
    pub index: usize,
    /// The container.
    pub container: &'p Container<'p>,
}

impl<'a> Pod<'a> {
    /// Reads a pod's JSON.
    pub fn parse(json: &'a str) -> Result<Self, PodError> {
        Ok(serde_json::from_str(json)?)
    }

    /// How long its end may take, in seconds.
    pub fn grace_period(&self) -> i64 {
        self.spec
            .termination_grace_period_seconds
            .unwrap_or(DEFAULT_GRACE_PERIOD)
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(Text::as_str)
    }

    /// What all annotations hold together, in bytes, as the API server counts them. A result gives way, so that only what is left
    /// of it then counts.
    pub fn lasting_annotation_bytes(&self) -> usize {
        let annotations = self.metadata.annotations.iter().flatten();
        annotations.map(|(key, value)| lasting_bytes(key, value)).sum()
    }

    /// Every container: the application's first, then init containers and native sidecars.
    pub fn all_containers(&self) -> impl Iterator<Item = ContainerRef<'_>> {
        let app = self.spec.containers.iter().enumerate();
        let init = self.init_containers().iter().enumerate();
        app.map(|(index, container)| ContainerRef {
            list: ContainerList::App,
            index,
            container,
        })
        .chain(init.map(|(index, container)| ContainerRef {
            list: ContainerList::Init,
            index,
            container,
        }))
    }

    /// The container at this place.
    pub fn container(&self, list: ContainerList, index: usize) -> Option<&Container<'a>> {
        match list {
            ContainerList::App => self.spec.containers.get(index),
            ContainerList::Init => self.init_containers().get(index),
        }
    }

    /// Init containers and native sidecars.
    pub fn init_containers(&self) -> &[Container<'a>] {
        self.spec.init_containers.as_deref().unwrap_or_default()
    }

    /// The volume of that name.
    pub fn volume(&self, name: &str) -> Option<&Volume<'a>> {
        self.spec
            .volumes
            .iter()
            .flatten()
            .find(|volume| volume.name == name)
    }

    /// Whether Windows nodes are to run it.
    pub fn is_windows(&self) -> bool {
        let selected = self
            .spec
            .node_selector
            .as_ref()
            .and_then(|labels| labels.get("kubernetes.io/os"));
        self.spec.os.as_ref().is_some_and(|os| os.name == "windows")
            || selected.is_some_and(|os| os == "windows")
    }

    /// How logs name it: its name or the prefix of it, or its owner.
    pub fn display_name(&self) -> String {
        let metadata = &self.metadata;
        let given = metadata.name.as_deref().filter(|name| !name.is_empty());
        let owner = metadata.owner_references.iter().flatten().next();
        match (given, metadata.generate_name.as_deref(), owner) {
            (Some(name), _, _) => name.to_owned(),
            (None, Some(prefix), _) => format!("{prefix}*"),
            (None, None, Some(owner)) => format!("of {} {}", owner.kind, owner.name),
            (None, None, None) => "without a name".to_owned(),
        }
    }
}

/// What an annotation holds, in bytes; of a result, the shortest there is.
pub fn lasting_bytes(key: &str, value: &str) -> usize {
    let value = if key == annotation::RESULT {
        NO_RESULT
    } else {
        value
    };
    key.len() + value.len()
}

impl<'a> Container<'a> {
    /// Whether this is a native sidecar.
    pub fn is_native_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }

    /// Whether it is a streaming sidecar of ours, for any file.
    pub fn is_streaming_sidecar(&self) -> bool {
        let program = self.command.as_ref().and_then(|command| command.first());
        self.is_native_sidecar() && program.is_some_and(|program| program == STREAMER)
    }

    /// Whether it is an agent sidecar of ours.
    pub fn is_agent_sidecar(&self) -> bool {
        let reads_our_configuration = || {
            self.mounts()
                .iter()
                .any(|mount| mount.mount_path == CONFIG_DIRECTORY)
        };
        self.is_native_sidecar() && self.name.starts_with(AGENT) && reads_our_configuration()
    }

    /// Whether it is any sidecar of ours.
    pub fn is_ours(&self) -> bool {
        self.is_streaming_sidecar() || self.is_agent_sidecar()
    }

    /// Where volumes appear in it.
    pub fn mounts(&self) -> &[Mount<'a>] {
        self.volume_mounts.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrows_and_takes_nulls() {
        let json = r#"{"metadata":{"annotations":null,"generateName":"web-"},
            "spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"}],"volumeMounts":null}],"volumes":null}}"#;
        let pod = Pod::parse(json).unwrap();
        assert!(pod.metadata.annotations.is_none() && pod.spec.volumes.is_none());
        assert_eq!(
            pod.spec.containers[0].env.unwrap().get(),
            r#"[{"name":"X","value":"1"}]"#
        );
        assert_eq!(pod.display_name(), "web-*");
    }

    #[test]
    fn a_container_without_a_name_cannot_be_patched_so_it_is_not_read() {
        let json = r#"{"metadata":{},"spec":{"containers":[{"image":"a"}]}}"#;
        let error = Pod::parse(json).unwrap_err().to_string();
        assert!(error.contains("missing field `name`"), "{error}");
    }

    #[test]
    fn knows_what_a_volume_is() {
        let kind = |json| serde_json::from_str::<Volume>(json).unwrap().kind();
        assert_eq!(kind(r#"{"name":"v","emptyDir":{}}"#), VolumeKind::EmptyDir);
        assert_eq!(
            kind(r#"{"name":"v","csi":{"driver":"x"}}"#),
            VolumeKind::PodLifetime
        );
        assert_eq!(kind(r#"{"name":"v","ephemeral":{}}"#), VolumeKind::PodLifetime);
        assert_eq!(
            kind(r#"{"name":"v","hostPath":{"path":"/x"}}"#),
            VolumeKind::Outlives
        );
        assert_eq!(
            kind(r#"{"name":"v","persistentVolumeClaim":{"claimName":"x"}}"#),
            VolumeKind::Outlives
        );
        assert_eq!(
            kind(r#"{"name":"v","persistentVolumeClaim":{"claimName":"x","readOnly":true}}"#),
            VolumeKind::ReadOnly("a read-only claim")
        );
        assert_eq!(
            kind(r#"{"name":"v","downwardAPI":{}}"#),
            VolumeKind::ReadOnly("a downwardAPI volume")
        );
    }
}
