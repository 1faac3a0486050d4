//! The changes to a pod, as JSON patch operations (RFC 6902) that touch nothing else of it.

use json_patch::jsonptr::Token;
use k8s_openapi::api::core::v1 as core;
use serde::Serialize;

use crate::files::new_volumes::NewVolume;
use crate::pod::{ContainerList, ContainerRef, Pod, lasting_bytes};

/// The usual length of a patch that adds one sidecar, in bytes: what is longer only takes another allocation.
const USUAL_LENGTH: usize = 4 << 10;
/// What all annotations of an object may hold together, in bytes (the API server's limit).
pub const MAX_ANNOTATIONS: usize = 256 * 1024;
/// Behind the last entry of a list.
const END: &str = "-";

/// A JSON patch, written as it goes into an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch(String);

impl Default for Patch {
    /// One that changes nothing.
    fn default() -> Self {
        Self("[]".to_owned())
    }
}

impl Patch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0 == "[]"
    }

    /// The patch as JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same operations as values, for those who apply them themselves.
    #[allow(clippy::missing_panics_doc, reason = "it was written as a patch")]
    pub fn operations(&self) -> json_patch::Patch {
        serde_json::from_str(&self.0).expect("it was written as a patch")
    }
}

#[derive(Serialize)]
struct Operation<'o, V> {
    op: &'static str,
    path: &'o str,
    value: &'o V,
}

/// An object or a list of the pod that something is put into, and that a pod may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    Annotations,
    Labels,
    Volumes,
    InitContainers,
    Mounts(ContainerList, usize),
    Env(ContainerList, usize),
}

impl Parent {
    /// Whether the pod has it.
    fn is_in(self, pod: &Pod<'_>) -> bool {
        match self {
            Self::Annotations => pod.metadata.annotations.is_some(),
            Self::Labels => pod.metadata.labels.is_some(),
            Self::Volumes => pod.spec.volumes.is_some(),
            Self::InitContainers => pod.spec.init_containers.is_some(),
            Self::Mounts(list, index) => {
                let container = pod.container(list, index);
                container.is_some_and(|container| container.volume_mounts.is_some())
            }
            Self::Env(list, index) => pod
                .container(list, index)
                .is_some_and(|container| container.env.is_some()),
        }
    }

    /// The pointer to it (RFC 6901).
    fn path(self) -> String {
        match self {
            Self::Annotations => "/metadata/annotations".to_owned(),
            Self::Labels => "/metadata/labels".to_owned(),
            Self::Volumes => "/spec/volumes".to_owned(),
            Self::InitContainers => format!("/spec/{}", ContainerList::Init.field()),
            Self::Mounts(list, index) => container_path(list, index) + "/volumeMounts",
            Self::Env(list, index) => container_path(list, index) + "/env",
        }
    }

    fn is_list(self) -> bool {
        !matches!(self, Self::Annotations | Self::Labels)
    }
}

fn container_path(list: ContainerList, index: usize) -> String {
    format!("/spec/{}/{index}", list.field())
}

/// Collects operations, making each missing parent once.
#[derive(Debug)]
pub struct PatchBuilder<'p> {
    pod: &'p Pod<'p>,
    /// The operations so far, behind an opening bracket.
    json: Vec<u8>,
    /// What the pod lacked and has by now.
    made: Vec<Parent>,
    annotation_bytes: usize,
}

impl<'p> PatchBuilder<'p> {
    /// A patch for this pod.
    pub fn new(pod: &'p Pod<'p>) -> Self {
        Self {
            pod,
            json: Vec::with_capacity(USUAL_LENGTH),
            made: Vec::new(),
            annotation_bytes: pod.lasting_annotation_bytes(),
        }
    }

    /// Sets an annotation, once.
    pub fn annotation(&mut self, key: &str, value: &str) {
        self.annotation_bytes = self.annotation_bytes_with(key, value);
        self.put(Parent::Annotations, key, &value);
    }

    /// Sets an annotation, once, unless all of them would hold more than they may. Returns whether it was set.
    pub fn annotation_if_it_fits(&mut self, key: &str, value: &str) -> bool {
        let fits = self.annotation_bytes_with(key, value) <= MAX_ANNOTATIONS;
        if fits {
            self.annotation(key, value);
        }
        fits
    }

    /// What all annotations would hold together, in bytes.
    fn annotation_bytes_with(&self, key: &str, value: &str) -> usize {
        let replaced = self.pod.annotation(key).map_or(0, |old| lasting_bytes(key, old));
        self.annotation_bytes - replaced + key.len() + value.len()
    }

    /// Sets an annotation, unless the pod has it with this value.
    pub fn annotation_unless_equal(&mut self, key: &str, value: &str) {
        if self.pod.annotation(key) != Some(value) {
            self.annotation(key, value);
        }
    }

    /// Sets a label, unless the pod has it with this value.
    pub fn label_unless_equal(&mut self, key: &str, value: &str) {
        let present = self
            .pod
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(key));
        if present.is_none_or(|present| present != value) {
            self.put(Parent::Labels, key, &value);
        }
    }

    /// Mounts a volume in a container that the pod has. Call it before [`Self::init_container`], which shifts indices.
    pub fn mount(&mut self, container: ContainerRef<'_>, mount: &core::VolumeMount) {
        self.put(Parent::Mounts(container.list, container.index), END, mount);
    }

    /// Adds a volume.
    pub fn volume(&mut self, volume: &core::Volume) {
        self.put(Parent::Volumes, END, volume);
    }

    /// Adds an emptyDir.
    pub fn empty_dir(&mut self, name: &str) {
        self.volume(&core::Volume {
            name: name.to_owned(),
            empty_dir: Some(core::EmptyDirVolumeSource::default()),
            ..core::Volume::default()
        });
    }

    /// Adds a volume and mounts it where it is written. Call it before [`Self::init_container`], which shifts indices.
    pub fn new_volume(&mut self, volume: &NewVolume) {
        self.empty_dir(&volume.name);
        let name = container_path(volume.list, volume.index) + "/name";
        self.operation("test", &name, &volume.container);
        for (path, part) in &volume.mounts {
            let mount = core::VolumeMount {
                name: volume.name.clone(),
                mount_path: path.clone(),
                sub_path: part.clone(),
                ..core::VolumeMount::default()
            };
            self.put(Parent::Mounts(volume.list, volume.index), END, &mount);
        }
    }

    /// Inserts a variable into a container's `env`. Call it before [`Self::init_container`], which shifts indices.
    pub fn env(&mut self, container: ContainerRef<'_>, index: usize, variable: &core::EnvVar) {
        let env = Parent::Env(container.list, container.index);
        self.put(env, &index.to_string(), variable);
    }

    /// Inserts a container into `spec.initContainers`.
    pub fn init_container(&mut self, index: usize, container: &core::Container) {
        self.put(Parent::InitContainers, &index.to_string(), container);
    }

    /// The patch; empty when nothing has to change.
    #[allow(clippy::missing_panics_doc, reason = "JSON is written as UTF-8")]
    pub fn build(mut self) -> Patch {
        if self.json.is_empty() {
            return Patch::default();
        }
        self.json.push(b']');
        Patch(String::from_utf8(self.json).expect("JSON is written as UTF-8"))
    }

    fn put(&mut self, parent: Parent, key: &str, value: &impl Serialize) {
        let mut path = parent.path();
        if !parent.is_in(self.pod) && !self.made.contains(&parent) {
            if parent.is_list() {
                self.operation("add", &path, &[(); 0]);
            } else {
                self.operation("add", &path, &serde_json::Map::new());
            }
            self.made.push(parent);
        }
        path.push('/');
        path.push_str(Token::new(key).encoded());
        self.operation("add", &path, value);
    }

    fn operation(&mut self, op: &'static str, path: &str, value: &impl Serialize) {
        self.json.push(if self.json.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.json, &Operation { op, path, value })
            .expect("texts, lists and maps by text can be written");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn makes_each_missing_parent_once_and_escapes_keys() {
        let json = r#"{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"app"}]}}"#;
        let pod = Pod::parse(json).unwrap();
        let mut patch = PatchBuilder::new(&pod);
        let mounts = vec![("/l".to_owned(), None), ("/l/a".to_owned(), Some("a".to_owned()))];
        patch.new_volume(&NewVolume {
            name: "v".to_owned(),
            list: ContainerList::App,
            index: 0,
            container: "app".to_owned(),
            mounts,
        });
        patch.init_container(
            0,
            &core::Container {
                name: "s".to_owned(),
                ..core::Container::default()
            },
        );
        patch.label_unless_equal("x/y", "1");
        patch.label_unless_equal("a", "b");
        patch.annotation("x/y~z", "1");
        patch.annotation("w", "2");
        let patch = patch.build();
        let mut pod: Value = serde_json::from_str(json).unwrap();
        json_patch::patch(&mut pod, &patch.operations()).unwrap();
        assert_eq!(
            pod,
            json!({
                "metadata": {"labels": {"a": "b", "x/y": "1"}, "annotations": {"x/y~z": "1", "w": "2"}},
                "spec": {
                    "containers": [{"name": "app", "volumeMounts": [
                        {"name": "v", "mountPath": "/l"}, {"name": "v", "mountPath": "/l/a", "subPath": "a"}]}],
                    "volumes": [{"name": "v", "emptyDir": {}}],
                    "initContainers": [{"name": "s"}]
                }
            })
        );
        let text = patch.as_str();
        assert!(text.contains(r#""/metadata/annotations/x~1y~0z""#), "{text}");
        assert_eq!(text.matches(r#""path":"/metadata/annotations","#).count(), 1);
    }

    #[test]
    fn nothing_to_change_is_an_empty_patch() {
        let pod = Pod::parse(r#"{"spec":{}}"#).unwrap();
        let patch = PatchBuilder::new(&pod).build();
        assert!(patch.is_empty() && patch == Patch::default());
        assert!(patch.operations().0.is_empty());
    }
}
