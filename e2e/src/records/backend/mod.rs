//! Where records arrive, and what they look like there.

mod elasticsearch;
mod file;
mod loki;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_cluster::Component;
use tributary_cluster::components::Programs;
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::engine::Engine;

use self::elasticsearch::Search;
use self::loki::Loki;
use super::Output;
use super::set::Set;
use crate::node::Node;

/// The servers behind the wanted outputs. A set has a file, a tenant and indices of its own.
pub struct Backends {
    /// Which outputs are looked at.
    pub wanted: Vec<Output>,
    loki: Option<Loki>,
    search: Option<Search>,
}

impl Backends {
    /// Starts what is needed.
    pub async fn start(wanted: &[Output], programs: &Programs) -> anyhow::Result<Self> {
        let loki = if wanted.contains(&Output::Loki) {
            Some(Loki::start(programs.path(Component::Loki)).await?)
        } else {
            None
        };
        let search = if wanted.contains(&Output::Elasticsearch) {
            Some(Search::start().await?)
        } else {
            None
        };
        Ok(Self {
            wanted: wanted.to_vec(),
            loki,
            search,
        })
    }

    /// `spec.outputs` of a set.
    pub fn outputs(&self, set: &Set, engine: Engine) -> Value {
        let mut outputs = Vec::new();
        if self.wanted.contains(&Output::File) {
            outputs.push(json!({"name": "file", "file": {"path": file::PATH}}));
        }
        if self.loki.is_some() {
            outputs.push(loki::output(&set.name));
        }
        if let Some(search) = &self.search {
            outputs.push(search.output(&set.name, engine));
        }
        Value::Array(outputs)
    }

    /// The Secrets that the outputs name.
    pub fn secrets(&self) -> BTreeMap<SecretKeyRef, String> {
        self.search.as_ref().map(Search::secrets).unwrap_or_default()
    }

    /// All records of a set that have arrived.
    pub async fn read(&self, output: Output, node: &Node, set: &Set) -> anyhow::Result<Vec<Value>> {
        let mut records = match (output, &self.loki, &self.search) {
            (Output::Loki, Some(loki), _) => loki.records(&set.name).await?,
            (Output::Elasticsearch, _, Some(search)) => search.records(&set.name).await?,
            _ => file::records(node)?,
        };
        records.iter_mut().for_each(forget_time_of_reading);
        Ok(records)
    }
}

/// Records of files have the time at which they were read.
fn forget_time_of_reading(record: &mut Value) {
    if let Some(members) = record.as_object_mut()
        && (members.contains_key("file") || members.contains_key("log_file_path"))
    {
        members.remove("time");
        members.remove("@timestamp");
    }
}

impl Output {
    /// What a standard record is at the output.
    pub fn expected(self, record: &Value) -> Vec<Value> {
        match self {
            Self::File => vec![record.clone()],
            Self::Loki => loki::expected(record),
            Self::Elasticsearch => vec![elasticsearch::expected(record)],
        }
    }
}
