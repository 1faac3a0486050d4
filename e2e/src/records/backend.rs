//! Where records arrive, and what they look like there.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};
use tributary_cluster::components::Programs;
use tributary_crds::auth::SecretKeyRef;

use super::Output;
use super::set::Set;
use crate::node::Node;

const FILE: &str = "/var/log/tributary/records.jsonl";

/// The servers behind the wanted outputs.
pub struct Backends {
    /// Which outputs are looked at.
    pub wanted: Vec<Output>,
}

impl Backends {
    /// Starts what is needed.
    pub async fn start(wanted: &[Output], _programs: &Programs) -> anyhow::Result<Self> {
        Ok(Self {
            wanted: wanted.to_vec(),
        })
    }

    /// `spec.outputs` for a set.
    pub fn outputs(&self, _set: &Set) -> Value {
        let output = |output: &Output| match output {
            Output::File => json!({"name": "file", "file": {"path": FILE}}),
            Output::Loki => json!({"name": "loki", "loki": {"url": "http://127.0.0.1:3100"}}),
            Output::Elasticsearch => json!({}),
        };
        self.wanted.iter().map(output).collect()
    }

    /// The Secrets that the outputs name.
    pub fn secrets(&self) -> BTreeMap<SecretKeyRef, String> {
        BTreeMap::new()
    }

    /// All records of a set that have arrived.
    pub async fn read(&self, output: Output, node: &Node, _set: &Set) -> anyhow::Result<Vec<Value>> {
        match output {
            Output::File => file(node),
            Output::Loki | Output::Elasticsearch => Ok(Vec::new()),
        }
    }
}

fn file(node: &Node) -> anyhow::Result<Vec<Value>> {
    let path = node.path(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    // The last line may be half written.
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        return Ok(Vec::new());
    };
    bytes[..end]
        .split(|byte| *byte == b'\n')
        .map(|line| {
            let mut record: Value = serde_json::from_slice(line)
                .with_context(|| format!("no JSON: {}", String::from_utf8_lossy(line)))?;
            forget_time_of_reading(&mut record);
            Ok(record)
        })
        .collect()
}

/// Records of files have the time at which they were read.
fn forget_time_of_reading(record: &mut Value) {
    if record.get("file").is_some()
        && let Some(members) = record.as_object_mut()
    {
        members.remove("time");
    }
}

impl Output {
    /// What a standard record is at the output.
    pub fn expected(self, record: &Value) -> Value {
        match self {
            Self::File | Self::Loki | Self::Elasticsearch => record.clone(),
        }
    }
}
