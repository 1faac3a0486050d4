//! One set: an agent with its policy, the logs written, the outputs read.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tributary_agents::config::AgentConfig;
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;

use super::Output;
use super::backend::Backends;
use super::comparison::{Comparison, compare};
use super::report::Row;
use super::set::{Becomes, Content, Event, Line, Log, NAMESPACE, Set};
use crate::node::agent::{Agent, Program};
use crate::node::framing::PIECE;
use crate::node::log::Log as LogFile;
use crate::node::{self, Kubernetes, Node};
use crate::tested::Tested;

/// How long the runtime takes to open a log again that the kubelet has renamed.
const GAP: Duration = Duration::from_millis(100);
/// How long no record may arrive until the rest counts as lost. Longer than an unfinished line is waited for.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long is waited for records too many.
const SURPLUS: Duration = Duration::from_millis(1500);
const POLL: Duration = Duration::from_millis(100);

/// A log of the set on the node.
struct Target<'a> {
    log: &'a Log,
    file: LogFile,
    /// `kubernetes` of its records, and `file` where they have it.
    identity: Map<String, Value>,
}

/// Runs a set; a row for each output.
pub async fn set(
    kubernetes: &Kubernetes,
    backends: &Backends,
    tested: &Tested,
    set: &Set,
) -> anyhow::Result<Vec<Row>> {
    let node = Node::new(kubernetes).await?;
    let program = program(backends, tested, set)?;
    let mut targets = Vec::new();
    for log in &set.logs {
        targets.push(target(kubernetes, &node, set, log).await?);
    }
    let mut agent = Agent::start(kubernetes, &node, &program)?;
    agent.ready(&program.config).await?;
    let (lines, expected) = write(&mut targets)?;
    let comparisons = backends.settle(&node, set, &expected, &mut agent).await?;
    let name = set.name.clone();
    let rows = comparisons.into_iter().map(|(output, records, comparison)| Row {
        set: name.clone(),
        output,
        lines,
        records,
        comparison,
    });
    Ok(rows.collect())
}

fn program(backends: &Backends, tested: &Tested, set: &Set) -> anyhow::Result<Program> {
    Ok(Program {
        binary: tested.binary.clone(),
        config: config(tested.engine, set, backends.outputs(set, tested.engine))?,
        secrets: backends.secrets(),
    })
}

/// What the set's policy becomes with these `spec.outputs`.
pub fn config(engine: Engine, set: &Set, outputs: Value) -> anyhow::Result<AgentConfig> {
    let mut spec = set.spec.clone();
    let agent = spec.entry("nodeAgent").or_insert_with(|| json!({}));
    agent["engine"] = json!(engine.as_str());
    spec.insert("outputs".to_owned(), outputs);
    let spec: LoggingPolicySpec = serde_json::from_value(Value::Object(spec)).context("reading spec")?;
    let pipeline = tributary_agents::compile("records", &spec)?;
    Ok(tributary_agents::render(&pipeline)?)
}

async fn target<'a>(
    kubernetes: &Kubernetes,
    node: &Node,
    set: &Set,
    log: &'a Log,
) -> anyhow::Result<Target<'a>> {
    if let Some(file) = &log.file {
        return Ok(Target {
            log,
            file: LogFile::create(&node.path(file))?,
            identity: Map::from_iter([
                ("file".to_owned(), json!(file)),
                ("kubernetes".to_owned(), json!({"host": node::NAME})),
            ]),
        });
    }
    let pod = format!("{}-{}", set.name, log.name);
    let uid = kubernetes.create_pod(NAMESPACE, &pod, &log.labels).await?;
    let path = format!("/var/log/pods/{NAMESPACE}_{pod}_{uid}/app/0.log");
    let identity = json!({
        "namespace_name": NAMESPACE,
        "pod_name": pod,
        "pod_id": uid,
        "container_name": "app",
        "host": node::NAME,
        "labels": log.labels,
    });
    Ok(Target {
        log,
        file: LogFile::create(&node.path(&path))?,
        identity: Map::from_iter([("kubernetes".to_owned(), identity)]),
    })
}

/// Writes every line; how many there are, and the records that they should become.
fn write(targets: &mut [Target<'_>]) -> anyhow::Result<(usize, Vec<Value>)> {
    // Of this day, because backends refuse old records, and each a little later than the one before.
    let start = Timestamp::from_second(Timestamp::now().as_second() - 60)?;
    let mut lines: u32 = 0;
    let mut expected = Vec::new();
    for target in targets {
        for event in &target.log.events {
            match event {
                Event::Rotate => target.file.rotate(GAP)?,
                Event::Pause(milliseconds) => std::thread::sleep(Duration::from_millis(*milliseconds)),
                Event::Line(line) => {
                    lines += 1;
                    let time = start + SignedDuration::from_nanos(1_000_001 * i64::from(lines));
                    target.file.write(&content(target.log, line, time))?;
                    for becomes in &line.becomes {
                        expected.push(record(target, line, time, becomes)?);
                    }
                }
            }
        }
    }
    Ok((usize::try_from(lines)?, expected))
}

fn content(log: &Log, line: &Line, time: Timestamp) -> Vec<u8> {
    match &line.content {
        Content::Printed(text) => log.runtime.line(time, &line.stream, text),
        Content::Raw(raw) => {
            let mut bytes = Vec::new();
            let mut rest = raw.as_slice();
            let placeholder = b"{time}";
            while let Some(place) = rest
                .windows(placeholder.len())
                .position(|part| part == placeholder)
            {
                bytes.extend(&rest[..place]);
                bytes.extend(time.to_string().bytes());
                rest = &rest[place + placeholder.len()..];
            }
            bytes.extend(rest);
            bytes.push(b'\n');
            bytes
        }
    }
}

fn record(target: &Target<'_>, line: &Line, time: Timestamp, becomes: &Becomes) -> anyhow::Result<Value> {
    let mut record = target.identity.clone();
    if target.log.file.is_none() {
        // Each of the runtime's pieces has a time of its own.
        let piece = i64::try_from(becomes.offset / PIECE)?;
        let time = time + SignedDuration::from_nanos(piece);
        record.insert("time".to_owned(), json!(format!("{time:.9}")));
        record.insert("stream".to_owned(), json!(line.stream));
    }
    record.extend(becomes.parts.clone());
    Ok(Value::Object(record))
}

impl Backends {
    /// Reads until everything is there, or nothing more arrives; how much should be at each output, and what is.
    async fn settle(
        &self,
        node: &Node,
        set: &Set,
        expected: &[Value],
        agent: &mut Agent,
    ) -> anyhow::Result<Vec<(&'static str, usize, Comparison)>> {
        let at_outputs: Vec<(Output, Vec<Value>)> = self
            .wanted
            .iter()
            .map(|output| {
                (
                    *output,
                    expected
                        .iter()
                        .flat_map(|record| output.expected(record))
                        .collect(),
                )
            })
            .collect();
        let mut last_change = Instant::now();
        let mut count = 0;
        loop {
            agent.check()?;
            let mut comparisons = Vec::new();
            let mut found = 0;
            for (output, expected) in &at_outputs {
                let actual = self.read(*output, node, set).await?;
                found += actual.len();
                comparisons.push((output.name(), expected.len(), compare(expected, actual)));
            }
            if found != count {
                (count, last_change) = (found, Instant::now());
            }
            let is_exact = comparisons.iter().all(|(_, _, comparison)| comparison.is_exact());
            if last_change.elapsed() > if is_exact { SURPLUS } else { PATIENCE } {
                return Ok(comparisons);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::set;

    #[test]
    fn engines_refuse_the_policies_that_the_sets_say() {
        let outputs = json!([{"name": "out", "stdout": {}}]);
        for engine in Engine::ALL {
            for set in set::all(engine).unwrap() {
                let rendered = config(engine, &set, outputs.clone());
                assert_eq!(
                    rendered.is_err(),
                    set.is_refused,
                    "{} with {}: {rendered:?}",
                    set.name,
                    engine.as_str()
                );
            }
        }
    }
}
