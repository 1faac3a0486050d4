//! A real Loki with the settings of the sample, where each set is a tenant.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tributary_agents::level;

use crate::installation;
use crate::records::text;

const URL: &str = "http://127.0.0.1:3100";
/// The directory of its data in the sample.
const DATA: &str = "/data";
/// How long it may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than a set has.
const LIMIT: usize = 5_000;
/// What Loki adds to an entry by itself, and what Fluent Bit adds to one without a label.
const ADDED: [&str; 5] = [
    "__stream_shard__",
    "detected_level",
    "job",
    "observed_timestamp",
    "service_name",
];
/// The most bytes of a line, unless `max_line_size` says otherwise.
const LONGEST_LINE: usize = 256 << 10;

/// A running Loki; it is killed with the value.
pub struct Loki {
    child: Child,
    client: reqwest::Client,
    _directory: TempDir,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    stream: Map<String, Value>,
    values: Vec<(String, String)>,
}

impl Loki {
    /// Starts it.
    pub async fn start(program: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("tributary-loki-").tempdir()?;
        let config = directory.path().join("loki.yaml");
        fs::write(&config, settings(&directory.path().join("data"))?)?;
        let log = directory.path().join("loki.log");
        let output = File::create(&log)?;
        let child = Command::new(program)
            .arg(format!("-config.file={}", config.display()))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("starting Loki")?;
        let mut loki = Self {
            child,
            client: reqwest::Client::new(),
            _directory: directory,
        };
        loki.ready(&log).await?;
        Ok(loki)
    }

    async fn ready(&mut self, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(answer) = self.client.get(format!("{URL}/ready")).send().await
                && answer.status().is_success()
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("Loki ended ({status}):\n{}", fs::read_to_string(log)?);
            }
            ensure!(
                Instant::now() < deadline,
                "Loki is not ready:\n{}",
                fs::read_to_string(log)?
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What a tenant has: each entry as one flat object of its line and all its labels.
    pub async fn records(&self, tenant: &str) -> anyhow::Result<Vec<Value>> {
        let limit = LIMIT.to_string();
        let query = [
            ("query", r#"{service_name=~".+"}"#),
            ("since", "1h"),
            ("limit", &limit),
        ];
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let answer = self
            .client
            .get(format!("{URL}/loki/api/v1/query_range?{query}"))
            .header("X-Scope-OrgID", tenant)
            .send()
            .await
            .context("asking Loki")?;
        let text = answer.text().await.context("reading Loki's answer")?;
        let answer: Answer = serde_json::from_str(&text).with_context(|| format!("Loki's answer: {text}"))?;
        let mut records = Vec::new();
        for stream in answer.data.result {
            for (time, line) in stream.values {
                let mut record = stream.stream.clone();
                for name in ADDED {
                    record.remove(name);
                }
                let time = Timestamp::from_nanosecond(time.parse()?)?;
                record.insert("time".to_owned(), json!(format!("{time:.9}")));
                record.insert("message".to_owned(), json!(line));
                records.push(Value::Object(record));
            }
        }
        Ok(records)
    }
}

impl Drop for Loki {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sample's settings, with tenants, and data elsewhere.
fn settings(data: &Path) -> anyhow::Result<String> {
    let sample = installation::manifest("samples/loki.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(sample)?)?;
    let config_map = objects
        .into_iter()
        .find(|object| object["kind"] == "ConfigMap")
        .context("the sample has no ConfigMap")?;
    let config_map: ConfigMap = serde_json::from_value(config_map)?;
    let text = config_map.data.and_then(|mut data| data.remove("loki.yaml"));
    let text = text.context("the sample has no loki.yaml")?;
    Ok(text
        .replace("auth_enabled: false", "auth_enabled: true")
        .replace(DATA, &data.display().to_string()))
}

/// `spec.outputs[]`.
pub fn output(tenant: &str) -> Value {
    json!({"name": "loki", "loki": {"url": URL, "tenantId": tenant}})
}

/// A standard record as entries of Loki: one for each line that it takes.
pub fn expected(record: &Value) -> Vec<Value> {
    let message = record["message"].as_str().unwrap_or_default();
    let line = |line: &str| {
        let mut entry = entry(record);
        entry.insert("message".to_owned(), json!(line));
        Value::Object(entry)
    };
    text::pieces(message, LONGEST_LINE).map(line).collect()
}

fn entry(record: &Value) -> Map<String, Value> {
    let mut entry = Map::new();
    let mut put = |name: &str, value: &Value| {
        if !value.is_null() {
            entry.insert(name.to_owned(), value.clone());
        }
    };
    let kubernetes = &record["kubernetes"];
    for (name, key) in [
        ("k8s_namespace_name", "namespace_name"),
        ("k8s_pod_name", "pod_name"),
        ("k8s_pod_uid", "pod_id"),
        ("k8s_container_name", "container_name"),
        ("k8s_node_name", "host"),
    ] {
        put(name, &kubernetes[key]);
    }
    put("time", &record["time"]);
    put("log_iostream", &record["stream"]);
    put("log_file_path", &record["file"]);
    put("severity_text", &record["level"]);
    put("severity_number", &severity_number(&record["level"]));
    if let Some(labels) = kubernetes["labels"].as_object() {
        for (key, value) in labels {
            put(&sanitized(&format!("k8s_pod_label_{key}")), value);
        }
    }
    flatten("data", &record["data"], &mut entry);
    entry
}

fn flatten(name: &str, value: &Value, entry: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                flatten(&sanitized(&format!("{name}_{key}")), value, entry);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                flatten(&format!("{name}_{index}"), value, entry);
            }
        }
        Value::Null => {}
        // Loki keeps no empty values.
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => {
            entry.insert(name.to_owned(), json!(text.replace('\u{FFFD}', " ")));
        }
        Value::Bool(_) | Value::Number(_) => {
            let text = value.to_string();
            entry.insert(name.to_owned(), json!(text.trim_end_matches(".0")));
        }
    }
}

/// As a text, which every value is.
fn severity_number(level: &Value) -> Value {
    let known = level::SEVERITY_NUMBERS.iter().find(|(name, _)| level == name);
    known.map_or(Value::Null, |(_, number)| json!(number.to_string()))
}

/// Names of labels have letters, digits and underscores only, and never two underscores side by side.
fn sanitized(name: &str) -> String {
    let mut sanitized = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            sanitized.push(c);
        } else if !sanitized.ends_with('_') {
            sanitized.push('_');
        }
    }
    sanitized
}
