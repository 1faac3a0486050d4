//! What pods of the zoo need in their namespace and on their node: claims with volumes, Secrets, `ConfigMaps`, directories.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::NODE_DIRECTORY;

/// What pods of one namespace refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    namespace: String,
    /// Claims by name, and whether Kubernetes makes the claim itself, for a generic ephemeral volume.
    claims: BTreeMap<String, bool>,
    /// Keys of `ConfigMaps`.
    config_maps: BTreeMap<String, BTreeSet<String>>,
    /// Keys of Secrets.
    secrets: BTreeMap<String, BTreeSet<String>>,
    /// Directories of the node.
    directories: BTreeSet<String>,
}

impl Belongings {
    /// Of all these pods, which are in this namespace.
    pub fn of<'p>(namespace: &str, pods: impl IntoIterator<Item = &'p Value>) -> Self {
        let mut belongings = Self {
            namespace: namespace.to_owned(),
            ..Self::default()
        };
        for pod in pods {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            for volume in array(&pod["spec"]["volumes"]) {
                belongings.volume(name, volume);
            }
            for container in ["initContainers", "containers"]
                .into_iter()
                .flat_map(|list| array(&pod["spec"][list]))
            {
                belongings.environment(container);
            }
        }
        belongings
    }

    fn volume(&mut self, pod: &str, volume: &Value) {
        if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
            self.claims.insert(claim.to_owned(), false);
        }
        if volume["ephemeral"].is_object() {
            let volume = volume["name"].as_str().unwrap_or_default();
            self.claims.insert(format!("{pod}-{volume}"), true);
        }
        if let Some(path) = volume["hostPath"]["path"].as_str() {
            self.directories.insert(path.to_owned());
        }
        let sources = array(&volume["projected"]["sources"]).chain([volume]);
        for source in sources {
            add(&mut self.config_maps, &source["configMap"]["name"], None);
            add(&mut self.secrets, &source["secret"]["secretName"], None);
            add(&mut self.secrets, &source["secret"]["name"], None);
        }
    }

    fn environment(&mut self, container: &Value) {
        for variable in array(&container["env"]) {
            let from = &variable["valueFrom"];
            let (config_map, secret) = (&from["configMapKeyRef"], &from["secretKeyRef"]);
            add(
                &mut self.config_maps,
                &config_map["name"],
                config_map["key"].as_str(),
            );
            add(&mut self.secrets, &secret["name"], secret["key"].as_str());
        }
        for source in array(&container["envFrom"]) {
            add(&mut self.config_maps, &source["configMapRef"]["name"], None);
            add(&mut self.secrets, &source["secretRef"]["name"], None);
        }
    }

    /// Manifests of the objects.
    pub fn objects(&self) -> Vec<Value> {
        let metadata = |name: &str| json!({"name": name, "namespace": self.namespace});
        let data = |keys: &BTreeSet<String>| -> Value {
            keys.iter()
                .map(|key| (key.clone(), json!("value")))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let mut objects = Vec::new();
        for (name, keys) in &self.config_maps {
            objects.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name), "data": data(keys)}));
        }
        for (name, keys) in &self.secrets {
            objects.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata(name), "stringData": data(keys)}));
        }
        for (name, &is_made) in &self.claims {
            let size = json!({"storage": "1Gi"});
            let volume = self.volume_name(name);
            objects.push(json!({
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume},
                "spec": {
                    "capacity": size, "accessModes": ["ReadWriteOnce"],
                    "hostPath": {"path": self.directory(name)},
                    "claimRef": {"namespace": self.namespace, "name": name}
                }
            }));
            if !is_made {
                objects.push(json!({
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(name),
                    "spec": {
                        "storageClassName": "", "accessModes": ["ReadWriteOnce"], "volumeName": volume,
                        "resources": {"requests": size}
                    }
                }));
            }
        }
        objects
    }

    /// The names of the volumes, which no namespace takes with it.
    pub fn volumes(&self) -> impl Iterator<Item = String> {
        self.claims.keys().map(|claim| self.volume_name(claim))
    }

    /// Directories that must be on the node, writable for everyone.
    pub fn directories(&self) -> impl Iterator<Item = String> {
        let claims = self.claims.keys().map(|claim| self.directory(claim));
        self.directories.iter().cloned().chain(claims)
    }

    fn volume_name(&self, claim: &str) -> String {
        format!("{}-{claim}", self.namespace)
    }

    fn directory(&self, claim: &str) -> String {
        format!("{NODE_DIRECTORY}/{}/claims/{claim}", self.namespace)
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn add(keys: &mut BTreeMap<String, BTreeSet<String>>, name: &Value, key: Option<&str>) {
    if let Some(name) = name.as_str() {
        keys.entry(name.to_owned())
            .or_default()
            .extend(key.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_a_pod_refers_to_is_made() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
                            "envFrom": [{"configMapRef": {"name": "settings"}}]}],
            "volumes": [
                {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "b", "ephemeral": {}},
                {"name": "c", "projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]}},
                {"name": "d", "hostPath": {"path": "/var/lib/zoo/x"}}
            ]
        }});
        let belongings = Belongings::of("zoo", [&pod]);
        let kinds_and_names: Vec<(String, String)> = belongings
            .objects()
            .iter()
            .map(|object| {
                (
                    object["kind"].as_str().unwrap().to_owned(),
                    object["metadata"]["name"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        let expected = [
            ("ConfigMap", "c"),
            ("ConfigMap", "settings"),
            ("Secret", "db"),
            ("Secret", "s"),
            ("PersistentVolume", "zoo-data"),
            ("PersistentVolumeClaim", "data"),
            ("PersistentVolume", "zoo-p-b"),
        ];
        assert_eq!(
            kinds_and_names,
            expected.map(|(kind, name)| (kind.to_owned(), name.to_owned()))
        );
        assert_eq!(belongings.volumes().collect::<Vec<_>>(), ["zoo-data", "zoo-p-b"]);
        assert_eq!(
            belongings.directories().collect::<Vec<_>>(),
            [
                "/var/lib/zoo/x",
                "/var/lib/zoo/zoo/claims/data",
                "/var/lib/zoo/zoo/claims/p-b"
            ]
        );
    }
}
