//! A real Elasticsearch, with a password and TLS, where each set is an index.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_cluster::Elasticsearch;
use tributary_crds::auth::SecretKeyRef;

const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 9200);

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
        Ok(Self(Elasticsearch::start(ADDRESS.into(), &[]).await?))
    }

    /// Makes the index, and says `spec.outputs[]`. The index maps the time alone, so that a field may be of one kind in one record and of
    /// another in the next.
    pub async fn output(&self, set: &str) -> anyhow::Result<Value> {
        let mapping =
            json!({"mappings": {"dynamic": false, "properties": {"@timestamp": {"type": "date_nanos"}}}});
        self.0
            .request("PUT", &format!("/{}", index(set)), &mapping)
            .await?;
        Ok(json!({
            "name": "elasticsearch",
            "elasticsearch": {"url": self.0.url(), "index": index(set)},
            "auth": {"basic": {"username": self.0.username(), "passwordSecretRef": key("password")}},
            "tls": {"caSecretRef": key("ca.crt")},
        }))
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
        Ok(self.0.search(&index(set), &json!({})).await?)
    }
}

fn index(set: &str) -> String {
    format!("records-{set}")
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
