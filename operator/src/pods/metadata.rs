//! What is read of a pod: its metadata, and of that only what is needed.

use std::collections::BTreeMap;

use serde::Deserialize;
use tributary_crds::annotation::{DIRECT, INJECT};
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};
use tributary_crds::selection::Labels;

use super::pattern::Pattern;

/// Namespaces whose pods the webhook is never asked about (`manifests/base/webhook-configuration.yaml`).
const OUTSIDE: [&str; 3] = ["kube-node-lease", SYSTEM_NAMESPACE, AGENTS_NAMESPACE];

/// An object of which only the metadata is listed.
#[derive(Debug, Default, Deserialize)]
pub struct Listed {
    /// The metadata.
    #[serde(default)]
    pub metadata: Metadata,
}

/// The metadata of a pod or of a namespace.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its namespace; empty for a namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// When it was made, in RFC 3339 and UTC with whole seconds: such texts have the order of the times.
    pub creation_timestamp: Option<String>,
    /// Since when it is going.
    pub deletion_timestamp: Option<String>,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// What made it, and what else it belongs to.
    pub owner_references: Vec<OwnerReference>,
}

/// What an object belongs to, as whoever wrote the object says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name; the API server does not check that it is one.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Whether it is what made the object.
    pub controller: bool,
}

impl Metadata {
    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// Whether this is a pod that stays and that the webhook is asked about.
    pub fn counts(&self) -> bool {
        self.deletion_timestamp.is_none() && !OUTSIDE.contains(&self.namespace.as_str())
    }

    /// What the pod asks for.
    pub fn asks(&self) -> impl Iterator<Item = Pattern> {
        let may = self.annotation(INJECT) != Some("false");
        let asks = |key: &&str| {
            let value = self.annotation(key);
            value.is_some_and(|value| *key != DIRECT || value.trim() != "false")
        };
        Pattern::ALL
            .into_iter()
            .filter(move |pattern| may && pattern.annotations().iter().any(asks))
    }

    /// The policy under which the pod got something.
    pub fn got(&self, pattern: Pattern) -> Option<&str> {
        self.labels.get(pattern.label()).map(String::as_str)
    }
}
