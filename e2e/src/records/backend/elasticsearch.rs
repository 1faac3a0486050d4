//! A real Elasticsearch, with a password, TLS and the index template of docs/outputs.md, where each set has indices of its own.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use tributary_cluster::{Elasticsearch, Error};
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::engine::Engine;
use tributary_crds::support;

use crate::records::set::NAMESPACE;

const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 9200);
const TEMPLATE: &str = "/_index_template/tributary";
/// What stands for the namespace in the names of indices for records without one.
const NOWHERE: &str = "_";

/// The server.
pub struct Search(Elasticsearch);

fn key(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "elasticsearch".to_owned(),
        key: key.to_owned(),
    }
}

impl Search {
    /// Starts it.
    pub async fn start() -> anyhow::Result<Self> {
        let search = Elasticsearch::start(ADDRESS.into(), &[]).await?;
        let mut template = documented_template()?;
        template["index_patterns"] = json!(["records-*"]);
        search.request("PUT", TEMPLATE, &template).await?;
        Ok(Self(search))
    }

    /// `spec.outputs[]`.
    pub fn output(&self, set: &str, engine: Engine) -> Value {
        let index = if support::filling("elasticsearch.index").contains(&engine) {
            index(set, "{kubernetes.namespace_name}") + "-{date}"
        } else {
            index(set, NAMESPACE) + "-"
        };
        json!({
            "name": "elasticsearch",
            "elasticsearch": {"url": self.0.url(), "index": index},
            "auth": {"basic": {"username": self.0.username(), "passwordSecretRef": key("password")}},
            "tls": {"caSecretRef": key("ca.crt")},
        })
    }

    /// The Secret that the output names.
    pub fn secrets(&self) -> BTreeMap<SecretKeyRef, String> {
        BTreeMap::from([
            (key("password"), self.0.password().to_owned()),
            (key("ca.crt"), self.0.authority().to_owned()),
        ])
    }

    /// All documents of a set.
    pub async fn records(&self, set: &str) -> anyhow::Result<Vec<Value>> {
        let indices = [NAMESPACE, NOWHERE].map(|namespace| index(set, namespace) + "-*");
        match self.0.search(&indices.join(","), &json!({})).await {
            // An index that is just being made.
            Err(Error::Refused { status: 503, .. }) => Ok(Vec::new()),
            found => Ok(found?),
        }
    }
}

/// The index template that takes every record, as users are told to write it.
fn documented_template() -> anyhow::Result<Value> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/outputs.md");
    let text = std::fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
    let template = text
        .split_once(&format!("PUT {}\n", TEMPLATE.trim_start_matches('/')))
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(template, _)| template);
    let template = template.with_context(|| format!("{} has no index template", page.display()))?;
    serde_json::from_str(template).context("reading the index template of docs/outputs.md")
}

fn index(set: &str, namespace: &str) -> String {
    format!("records-{set}-{namespace}")
}

/// A standard record as a document: with `@timestamp`, and without dots in the keys of labels and data.
pub fn expected(record: &Value) -> Value {
    let mut document = record.clone();
    if let Some(time) = record.get("time") {
        document["@timestamp"] = time.clone();
    }
    if let Some(data) = record.get("data") {
        document["data"] = undotted(data);
    }
    if let Some(labels) = record["kubernetes"].get("labels") {
        document["kubernetes"]["labels"] = undotted(labels);
    }
    document
}

fn undotted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.replace('.', "_"), undotted(value)));
            Value::Object(members.collect())
        }
        Value::Array(values) => values.iter().map(undotted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
