//! The changes to a pod, as JSON patch operations (RFC 6902) that touch nothing else of it.

use std::collections::BTreeSet;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, TestOperation};
use serde_json::{Value, json};

use crate::files::new_volumes::NewVolume;
use crate::pod::{ContainerList, ContainerRef, Pod};

/// Collects operations, making each missing parent once.
#[derive(Debug)]
pub struct PatchBuilder {
    operations: Vec<PatchOperation>,
    present: BTreeSet<PointerBuf>,
    annotation_bytes: usize,
}

impl PatchBuilder {
    /// A patch for this pod.
    pub fn new(pod: &Pod<'_>) -> Self {
        let mut present = BTreeSet::new();
        let mut note = |is: bool, tokens: &[&str]| {
            if is {
                present.insert(PointerBuf::from_tokens(tokens.iter().copied()));
            }
        };
        note(pod.metadata.annotations.is_some(), &["metadata", "annotations"]);
        note(pod.metadata.labels.is_some(), &["metadata", "labels"]);
        note(pod.spec.volumes.is_some(), &["spec", "volumes"]);
        note(pod.spec.init_containers.is_some(), &["spec", "initContainers"]);
        for container in pod.all_containers() {
            let index = container.index.to_string();
            let mounts = ["spec", container.list.field(), &index, "volumeMounts"];
            note(container.container.volume_mounts.is_some(), &mounts);
            let env = ["spec", container.list.field(), &index, "env"];
            note(container.container.env.is_some(), &env);
        }
        let annotations = pod.metadata.annotations.iter().flatten();
        Self {
            operations: Vec::new(),
            present,
            annotation_bytes: annotations.map(|(key, value)| key.len() + value.len()).sum(),
        }
    }

    /// Sets an annotation.
    pub fn annotation(&mut self, key: &str, value: &str) {
        self.annotation_bytes += key.len() + value.len();
        self.entry("annotations", key, value);
    }

    /// What all annotations hold together with those that were set, in bytes; what was replaced counts too.
    pub fn annotation_bytes(&self) -> usize {
        self.annotation_bytes
    }

    /// Sets a label.
    pub fn label(&mut self, key: &str, value: &str) {
        self.entry("labels", key, value);
    }

    /// Sets a label, unless the pod has it with this value.
    pub fn label_unless_equal(&mut self, pod: &Pod<'_>, key: &str, value: &str) {
        let present = pod.metadata.labels.as_ref().and_then(|labels| labels.get(key));
        if present.is_none_or(|present| present != value) {
            self.label(key, value);
        }
    }

    /// Sets an annotation, unless the pod has it with this value.
    pub fn annotation_unless_equal(&mut self, pod: &Pod<'_>, key: &str, value: &str) {
        if pod.annotation(key) != Some(value) {
            self.annotation(key, value);
        }
    }

    /// Mounts a volume in a container that the pod has. Call it before [`Self::init_container`], which shifts indices.
    pub fn mount(&mut self, container: ContainerRef<'_>, mount: Value) {
        let at = container.index.to_string();
        let mounts = PointerBuf::from_tokens(["spec", container.list.field(), &at, "volumeMounts"]);
        self.parent(&mounts, json!([]));
        self.add(&mounts, "-", mount);
    }

    /// Adds a volume.
    pub fn volume(&mut self, volume: Value) {
        let volumes = PointerBuf::from_tokens(["spec", "volumes"]);
        self.parent(&volumes, json!([]));
        self.add(&volumes, "-", volume);
    }

    /// Adds an emptyDir.
    pub fn empty_dir(&mut self, name: &str) {
        self.volume(json!({"name": name, "emptyDir": {}}));
    }

    /// Adds a volume and mounts it where it is written. Call it before [`Self::init_container`], which shifts indices.
    pub fn new_volume(&mut self, volume: &NewVolume) {
        self.empty_dir(&volume.name);
        let index = volume.index.to_string();
        let at = PointerBuf::from_tokens(["spec", volume.list.field(), &index]);
        let name = at.with_trailing_token("name");
        self.operations.push(PatchOperation::Test(TestOperation {
            path: name,
            value: json!(volume.container),
        }));
        let mounts = at.with_trailing_token("volumeMounts");
        self.parent(&mounts, json!([]));
        for (path, part) in &volume.mounts {
            let mount = match part {
                None => json!({"name": volume.name, "mountPath": path}),
                Some(part) => json!({"name": volume.name, "mountPath": path, "subPath": part}),
            };
            self.add(&mounts, "-", mount);
        }
    }

    /// Inserts a variable into a container's `env`. Call it before [`Self::init_container`], which shifts indices.
    pub fn env(&mut self, container: ContainerRef<'_>, index: usize, variable: Value) {
        let at = container.index.to_string();
        let env = PointerBuf::from_tokens(["spec", container.list.field(), &at, "env"]);
        self.parent(&env, json!([]));
        self.add(&env, &index.to_string(), variable);
    }

    /// Inserts a container into `spec.initContainers`.
    pub fn init_container(&mut self, index: usize, container: Value) {
        let list = PointerBuf::from_tokens(["spec", ContainerList::Init.field()]);
        self.parent(&list, json!([]));
        self.add(&list, &index.to_string(), container);
    }

    /// The patch; empty when nothing has to change.
    pub fn build(self) -> Patch {
        Patch(self.operations)
    }

    fn entry(&mut self, map: &str, key: &str, value: &str) {
        let map = PointerBuf::from_tokens(["metadata", map]);
        self.parent(&map, json!({}));
        self.add(&map, key, json!(value));
    }

    fn parent(&mut self, path: &PointerBuf, empty: Value) {
        if self.present.insert(path.clone()) {
            self.operations.push(PatchOperation::Add(AddOperation {
                path: path.clone(),
                value: empty,
            }));
        }
    }

    fn add(&mut self, parent: &PointerBuf, token: &str, value: Value) {
        let path = parent.with_trailing_token(token);
        self.operations
            .push(PatchOperation::Add(AddOperation { path, value }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_each_missing_parent_once_and_escapes_keys() {
        let json = r#"{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"app"}]}}"#;
        let mut patch = PatchBuilder::new(&Pod::parse(json).unwrap());
        let mounts = vec![("/l".to_owned(), None), ("/l/a".to_owned(), Some("a".to_owned()))];
        patch.new_volume(&NewVolume {
            name: "v".to_owned(),
            list: ContainerList::App,
            index: 0,
            container: "app".to_owned(),
            mounts,
        });
        patch.init_container(0, json!({"name": "s"}));
        patch.label("x/y", "1");
        patch.annotation("x/y~z", "1");
        patch.annotation("w", "2");
        let mut pod: Value = serde_json::from_str(json).unwrap();
        let patch = patch.build();
        json_patch::patch(&mut pod, &patch).unwrap();
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
        let text = serde_json::to_string(&patch).unwrap();
        assert!(text.contains(r#""/metadata/annotations/x~1y~0z""#), "{text}");
        assert_eq!(text.matches(r#""path":"/metadata/annotations","#).count(), 1);
    }
}
