//! The pods and policies that the webhook is tested with, from its own folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};
use tributary_crds::LoggingPolicy;
use tributary_crds::annotation::{TAIL_OF_LOGGING_OPERATOR, TAILING_SIDECAR};
use tributary_crds::names::DOMAIN;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../webhook/tests/corpus")
}

/// The policies.
pub fn policies() -> anyhow::Result<Vec<LoggingPolicy>> {
    let path = folder().join("policies.yaml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(serde_saphyr::from_str(&text)?)
}

/// The pods by name.
pub fn pods() -> anyhow::Result<BTreeMap<String, Value>> {
    let folder = folder().join("input");
    let mut pods = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .context("a file of the corpus has a name")?;
        let pod = serde_saphyr::from_str(&fs::read_to_string(&path)?).with_context(|| name.to_owned())?;
        pods.insert(name.to_owned(), pod);
    }
    Ok(pods)
}

/// The namespaces that have limits, by name: `{limitRanges: [...], resourceQuotas: [...]}`.
pub fn namespaces() -> anyhow::Result<BTreeMap<String, Value>> {
    let path = folder().join("namespaces.yaml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(serde_saphyr::from_str(&text)?)
}

/// The same pod as it has to be where Pod Security `restricted` is enforced, as far as it says nothing else.
pub fn restricted(mut pod: Value, namespace: &str) -> Value {
    pod["metadata"]["namespace"] = namespace.into();
    let spec = &mut pod["spec"];
    default(
        &mut spec["securityContext"],
        json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}),
    );
    for list in ["containers", "initContainers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
            default(&mut container["securityContext"], context);
        }
    }
    pod
}

fn default(value: &mut Value, defaults: Value) {
    let Value::Object(defaults) = defaults else { return };
    for (key, default) in defaults {
        if value.get(&key).is_none() {
            value[key] = default;
        }
    }
}

/// The same pod without anything that asks for us.
pub fn unannotated(mut pod: Value) -> Value {
    if let Some(annotations) = pod["metadata"]["annotations"].as_object_mut() {
        let is_peers = |key: &str| [TAIL_OF_LOGGING_OPERATOR, TAILING_SIDECAR].contains(&key);
        annotations.retain(|key, _| key.split('/').next() != Some(DOMAIN) && !is_peers(key));
    }
    pod
}
