//! `records/processors.yaml`: what processors make of records, whatever the engine.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;

const TEXT: &str = include_str!("../records/processors.yaml");

/// A list of processors, and what it makes of records.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows; each name once.
    pub name: String,
    /// `spec.processors`.
    pub processors: Value,
    /// One after the other, of one container.
    pub examples: Vec<Example>,
    /// The engines for which the policy is refused.
    pub refused: Vec<String>,
}

/// A record before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// A standard record as it is before the processors, with `time`, `stream`, `message` and `kubernetes`.
    pub before: Value,
    /// The whole record after them; `None` when it is dropped.
    pub after: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: String,
    processors: Value,
    records: Vec<WrittenExample>,
    #[serde(default)]
    refused: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExample {
    /// The message, or a map that replaces parts of the record.
    given: Value,
    /// Absent: the record as it was. `dropped`, or a map of `message`, `level` and `data`, all of which the record then has.
    becomes: Option<Value>,
}

impl Case {
    /// The policy of the case: a node agent with an output `out` to stdout.
    pub fn spec(&self, engine: Engine) -> LoggingPolicySpec {
        let spec = json!({
            "nodeAgent": {"engine": engine.as_str()},
            "processors": self.processors,
            "outputs": [{"name": "out", "stdout": {}}],
        });
        serde_json::from_value(spec).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Whether the engine is to refuse the policy.
    pub fn is_refused(&self, engine: Engine) -> bool {
        self.refused.iter().any(|refused| refused == engine.as_str())
    }
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let written: Vec<WrittenCase> =
        serde_saphyr::from_str(TEXT).expect("records/processors.yaml can be read");
    written.into_iter().map(case).collect()
}

fn case(written: WrittenCase) -> Case {
    let examples = written.records.into_iter().map(|record| {
        let before = standard(&record.given);
        let after = match record.becomes {
            None => Some(before.clone()),
            Some(Value::String(word)) => {
                assert_eq!(word, "dropped", "{}", written.name);
                None
            }
            Some(Value::Object(parts)) => Some(with(&before, parts)),
            Some(other) => panic!("{}: {other}", written.name),
        };
        Example { before, after }
    });
    Case {
        examples: examples.collect(),
        name: written.name,
        processors: written.processors,
        refused: written.refused,
    }
}

fn standard(given: &Value) -> Value {
    let mut record = json!({
        "time": "2026-01-02T03:04:05.678901234Z",
        "stream": "stdout",
        "kubernetes": {
            "namespace_name": "shop",
            "pod_name": "cart-7d9f",
            "pod_id": "0a1b2c3d-0000-4000-8000-000000000001",
            "container_name": "app",
            "host": "node-1",
            "labels": {"app.kubernetes.io/name": "cart", "tier": "prod"},
        },
    });
    match given {
        Value::String(message) => record["message"] = json!(message),
        Value::Object(parts) => {
            for (key, value) in parts {
                match key.as_str() {
                    "message" | "stream" => record[key] = value.clone(),
                    _ => record["kubernetes"][key] = value.clone(),
                }
            }
        }
        other => panic!("not a record: {other}"),
    }
    record
}

fn with(before: &Value, parts: Map<String, Value>) -> Value {
    let mut record = before.clone();
    let Some(fields) = record.as_object_mut() else {
        panic!("a record is an object");
    };
    fields.remove("message");
    fields.extend(parts);
    record
}
