//! `e2e/records/*.yaml`, each a set: a policy's sources and processors, what is in the logs, and the records that it becomes. README.md
//! beside them says how they are written.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use tributary_crds::engine::Engine;

use super::text;
use crate::node::framing::Runtime;

/// The namespace of all pods.
pub const NAMESPACE: &str = "shop";

/// One policy, and logs for its agent.
#[derive(Debug)]
pub struct Set {
    /// The file's name without its end; letters, digits and dashes.
    pub name: String,
    /// `spec` of the policy, but for the engine and the outputs.
    pub spec: Map<String, Value>,
    /// Whether the engine refuses the policy.
    pub is_refused: bool,
    /// Whether one of the lines ends the engine.
    pub is_ended: bool,
    /// The logs.
    pub logs: Vec<Log>,
}

/// One file.
#[derive(Debug)]
pub struct Log {
    /// The container and part of the pod's name; unique in the set.
    pub name: String,
    /// Who writes it.
    pub runtime: Runtime,
    /// Where it is, when it is a file of the node.
    pub file: Option<String>,
    /// Of the pod.
    pub labels: BTreeMap<String, String>,
    /// What happens to it, in this order.
    pub events: Vec<Event>,
}

/// What happens to a log.
#[derive(Debug)]
pub enum Event {
    /// A line is written.
    Line(Line),
    /// The kubelet rotates the log.
    Rotate,
    /// So many milliseconds pass.
    Pause(u64),
}

/// A line, and the records that begin with it.
#[derive(Debug)]
pub struct Line {
    /// What stands in the file, or what the runtime puts around it.
    pub content: Content,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Empty when it is no record of its own.
    pub becomes: Vec<Becomes>,
}

/// A record that begins with a line, or within it.
#[derive(Clone, Debug)]
pub struct Becomes {
    /// What `message`, `level` and `data` are.
    pub parts: Map<String, Value>,
    /// How many bytes of the line are before it.
    pub offset: usize,
}

/// What is written.
#[derive(Debug)]
pub enum Content {
    /// What the application printed.
    Printed(Vec<u8>),
    /// What stands in the file, with `{time}` for the line's time.
    Raw(Vec<u8>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSet {
    #[serde(default)]
    spec: Map<String, Value>,
    /// The engines that refuse the policy.
    #[serde(default)]
    refused: Vec<String>,
    /// The engines that one of the lines ends.
    #[serde(default)]
    ended: Vec<String>,
    logs: Vec<WrittenLog>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLog {
    name: String,
    #[serde(default)]
    runtime: Runtime,
    file: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    lines: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenLine {
    given: Option<Value>,
    raw: Option<Value>,
    #[serde(default = "stdout")]
    stream: String,
    becomes: Option<Value>,
    /// The same by the engine, where engines differ.
    #[serde(default)]
    with: BTreeMap<String, Value>,
    /// The most bytes of a message by the engine; a longer one is several records.
    #[serde(default)]
    cut: BTreeMap<String, usize>,
    #[serde(default)]
    rotate: bool,
    pause: Option<u64>,
}

fn stdout() -> String {
    "stdout".to_owned()
}

/// Every set, by name, as the engine has it.
pub fn all(engine: Engine) -> anyhow::Result<Vec<Set>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("records");
    let mut sets = Vec::new();
    for entry in std::fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            sets.push(read(&path, engine).with_context(|| format!("reading {}", path.display()))?);
        }
    }
    sets.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(sets)
}

fn read(path: &Path, engine: Engine) -> anyhow::Result<Set> {
    let written: WrittenSet = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
    let name = path
        .file_stem()
        .and_then(|name| name.to_str())
        .context("a name")?;
    let mut logs = Vec::new();
    for log in written.logs {
        let events: anyhow::Result<Vec<Event>> = log
            .lines
            .into_iter()
            .map(|line| {
                let shown = line.to_string();
                event(line, engine).with_context(|| format!("log {}: {shown:.200}", log.name))
            })
            .collect();
        logs.push(Log {
            name: log.name,
            runtime: log.runtime,
            file: log.file,
            labels: log.labels,
            events: events?,
        });
    }
    for name in written.refused.iter().chain(&written.ended) {
        check_engine(name)?;
    }
    let is_among = |names: &[String]| names.iter().any(|name| name == engine.as_str());
    Ok(Set {
        name: name.to_owned(),
        spec: written.spec,
        is_refused: is_among(&written.refused),
        is_ended: is_among(&written.ended),
        logs,
    })
}

fn check_engine(name: &str) -> anyhow::Result<()> {
    let is_known = Engine::ALL.iter().any(|engine| engine.as_str() == name);
    ensure!(is_known, "{name} is no engine");
    Ok(())
}

fn event(written: Value, engine: Engine) -> anyhow::Result<Event> {
    let is_text = match &written {
        Value::Object(line) => line.contains_key("repeat") || line.contains_key("hex"),
        other => other.is_string() || other.is_array(),
    };
    let line: WrittenLine = if is_text {
        serde_json::from_value(serde_json::json!({"given": written}))?
    } else {
        serde_json::from_value(written)?
    };
    if line.rotate {
        return Ok(Event::Rotate);
    }
    if let Some(milliseconds) = line.pause {
        return Ok(Event::Pause(milliseconds));
    }
    for name in line.with.keys().chain(line.cut.keys()) {
        check_engine(name)?;
    }
    let content = match (&line.given, &line.raw) {
        (Some(given), None) => Content::Printed(text::bytes(given)?),
        (None, Some(raw)) => Content::Raw(text::bytes(raw)?),
        _ => bail!("a line has given, raw, rotate or pause"),
    };
    let becomes = line.with.get(engine.as_str()).or(line.becomes.as_ref());
    let records = match (becomes, &content) {
        (None, Content::Printed(bytes)) => {
            let message = String::from_utf8(bytes.clone()).context("what is not UTF-8 needs becomes")?;
            vec![Map::from_iter([("message".to_owned(), message.into())])]
        }
        (None, Content::Raw(_)) => Vec::new(),
        (Some(Value::Array(several)), _) => several.iter().map(record).collect::<Result<_, _>>()?,
        (Some(Value::String(word)), _) if word == "dropped" => Vec::new(),
        (Some(one), _) => vec![record(one)?],
    };
    if !line.cut.is_empty() {
        let most = line
            .cut
            .get(engine.as_str())
            .with_context(|| format!("it does not say where {} cuts", engine.as_str()))?;
        return Ok(Event::Line(Line {
            content,
            stream: line.stream,
            becomes: records.iter().flat_map(|record| cut(record, *most)).collect(),
        }));
    }
    let whole = |parts| Becomes { parts, offset: 0 };
    Ok(Event::Line(Line {
        content,
        stream: line.stream,
        becomes: records.into_iter().map(whole).collect(),
    }))
}

fn record(written: &Value) -> anyhow::Result<Map<String, Value>> {
    let mut record = written
        .as_object()
        .context("becomes is dropped, a record or a list of them")?
        .clone();
    for key in record.keys() {
        ensure!(
            ["message", "level", "data"].contains(&key.as_str()),
            "{key} is not compared"
        );
    }
    if let Some(message) = record.get_mut("message") {
        *message = text::text(message)?.into();
    }
    Ok(record)
}

/// A record for each of its message's pieces of at most so many bytes.
fn cut(record: &Map<String, Value>, most: usize) -> Vec<Becomes> {
    let message = record.get("message").and_then(Value::as_str).unwrap_or_default();
    let mut offset = 0;
    text::pieces(message, most)
        .map(|piece| {
            let mut parts = record.clone();
            parts.insert("message".to_owned(), piece.into());
            let becomes = Becomes { parts, offset };
            offset += piece.len();
            becomes
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_can_be_read_for_every_engine() {
        for engine in Engine::ALL {
            let sets = all(engine).unwrap();
            let lines = sets
                .iter()
                .flat_map(|set| &set.logs)
                .flat_map(|log| &log.events)
                .filter(|event| matches!(event, Event::Line(_)))
                .count();
            assert!(lines >= 200, "only {lines} lines for {}", engine.as_str());
        }
    }
}
