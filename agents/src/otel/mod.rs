//! The OpenTelemetry Collector, 0.158 or later, with the components of the contrib distribution.

mod confmap;
mod credentials;
mod lines;
mod ottl;
mod outputs;
mod parse;
mod processors;
mod record;
mod sidecar;
mod sources;
mod steps;
mod template;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::CompileError;
use crate::config::{AgentConfig, CONFIG_DIRECTORY, HttpEndpoint, STATE_DIRECTORY, host_paths};
use crate::pipeline::{Pipeline, Place};
use crate::yaml;

pub use sidecar::Sidecar;

const FILE: &str = "otelcol.yaml";
const HEALTH_PORT: u16 = 13133;
const METRICS_PORT: u16 = 8888;
/// The extension that writes a record's body as a line.
const LINES: &str = "text_encoding/lines";
/// Hands every record to the pipeline of each output.
const FAN_OUT: &str = "forward/outputs";
/// The longest message in bytes; a longer one is cut into several records. With the emitter's batches of at most 199
/// records, one batch stays below [`outputs::LEAST_QUEUE`], which must hold it.
const LONGEST_MESSAGE: &str = "256KiB";

/// Renders a pipeline as the collector's one configuration file.
pub fn render(pipeline: &Pipeline) -> Result<AgentConfig, CompileError> {
    let document = document(pipeline, &entries(pipeline)?, &health_check(), &telemetry())?;
    let text = yaml::write(&pipeline.policy, FILE, &document)?;
    Ok(AgentConfig {
        files: BTreeMap::from([(FILE.to_owned(), text)]),
        args: arguments(),
        env: environment(pipeline.memory_limit)
            .into_iter()
            .chain(credentials::google_key(pipeline))
            .collect(),
        secret_env: credentials::environment(pipeline),
        secret_files: pipeline.secrets(),
        host_paths: host_paths(pipeline, "otel"),
        health: HttpEndpoint {
            port: HEALTH_PORT,
            path: "/".to_owned(),
        },
        metrics: HttpEndpoint {
            port: METRICS_PORT,
            path: "/metrics".to_owned(),
        },
    })
}

fn arguments() -> Vec<String> {
    vec![
        format!("--config={CONFIG_DIRECTORY}/{FILE}"),
        // A position in a file is stored only after its lines are in the queues on disk, so that a kill loses none.
        "--feature-gates=stanza.synchronousLogEmitter".to_owned(),
    ]
}

/// `memory_limit` is in bytes.
fn environment(memory_limit: u64) -> BTreeMap<String, String> {
    // The garbage collector works harder before the memory limiter has to hold the receiver back.
    BTreeMap::from([("GOMEMLIMIT".to_owned(), (memory_limit * 8 / 10).to_string())])
}

/// A pipeline that records come in by, up to the outputs.
struct Entry {
    pipeline: &'static str,
    receivers: Map<String, Value>,
    /// What every record passes, in this order. Of the same name, they are the same in every entry.
    processors: Vec<(String, Value)>,
}

/// One for each kind of source.
fn entries(pipeline: &Pipeline) -> Result<Vec<Entry>, CompileError> {
    let mut entries = Vec::new();
    if pipeline.sources.containers {
        let receiver = ("file_log/containers".to_owned(), sources::containers(pipeline));
        let mut passed = of_containers(pipeline);
        passed.extend(steps::processors(pipeline)?);
        entries.push(Entry {
            pipeline: "logs/containers",
            receivers: Map::from_iter([receiver]),
            processors: passed,
        });
    }
    if !pipeline.sources.files.is_empty() {
        let receiver = ("file_log/node_files".to_owned(), sources::node_files(pipeline));
        let mut passed = vec![
            memory_limiter(pipeline),
            (
                "transform/node_files".to_owned(),
                processors::identify_node_files(),
            ),
        ];
        passed.extend(steps::processors(pipeline)?);
        entries.push(Entry {
            pipeline: "logs/node_files",
            receivers: Map::from_iter([receiver]),
            processors: passed,
        });
    }
    Ok(entries)
}

fn document(
    pipeline: &Pipeline,
    entries: &[Entry],
    more_extensions: &Map<String, Value>,
    telemetry: &Value,
) -> Result<Value, CompileError> {
    let mut extensions = fixed_extensions(pipeline.place);
    extensions.extend(more_extensions.clone());
    let mut receivers = Map::new();
    let mut processors = Map::new();
    let mut exporters = Map::new();
    let mut pipelines = Map::new();
    for entry in entries {
        pipelines.insert(
            entry.pipeline.to_owned(),
            json!({
                "receivers": entry.receivers.keys().collect::<Vec<_>>(),
                "processors": names(&entry.processors),
                "exporters": [FAN_OUT],
            }),
        );
        receivers.extend(entry.receivers.clone());
        processors.extend(entry.processors.iter().cloned());
    }
    for output in &pipeline.outputs {
        let rendered = outputs::render(pipeline, output)?;
        pipelines.insert(
            format!("logs/{}", output_pipeline(&output.name)),
            json!({
                "receivers": [FAN_OUT],
                "processors": names(&rendered.processors),
                "exporters": [&rendered.exporter.0],
            }),
        );
        extensions.extend(rendered.extension);
        processors.extend(rendered.processors);
        exporters.extend([rendered.exporter]);
    }
    Ok(json!({
        "extensions": extensions,
        "receivers": receivers,
        "processors": processors,
        "connectors": {FAN_OUT: {}},
        "exporters": exporters,
        "service": {
            "extensions": extensions.keys().collect::<Vec<_>>(),
            "telemetry": telemetry,
            "pipelines": pipelines,
        },
    }))
}

/// An output may be called `containers` too.
fn output_pipeline(name: &str) -> String {
    format!("to-{name}")
}

fn names(parts: &[(String, Value)]) -> Vec<&str> {
    parts.iter().map(|(name, _)| name.as_str()).collect()
}

fn memory_limiter(pipeline: &Pipeline) -> (String, Value) {
    (
        "memory_limiter".to_owned(),
        processors::memory_limiter(pipeline.memory_limit),
    )
}

/// What every record of a container passes before the steps, in this order.
fn of_containers(pipeline: &Pipeline) -> Vec<(String, Value)> {
    let mut passed = vec![
        memory_limiter(pipeline),
        ("transform".to_owned(), processors::identify()),
        ("k8s_attributes".to_owned(), processors::k8s_attributes(pipeline)),
    ];
    if !pipeline.selection.is_empty() {
        let unwanted = ottl::violations(&pipeline.selection);
        passed.push(("filter".to_owned(), processors::drop_where(&unwanted)));
    }
    if !pipeline.namespace_labels().is_empty() {
        passed.push((
            "resource".to_owned(),
            processors::forget_namespace_labels(pipeline),
        ));
    }
    passed
}

fn fixed_extensions(place: Place) -> Map<String, Value> {
    let queue = format!("{STATE_DIRECTORY}/queue");
    let fsync = match place {
        // A node may lose its power and come back.
        Place::Node => true,
        // A pod does not, and each look at its files would make the disk write.
        Place::Pod => false,
    };
    let storage = |directory: &str| json!({"directory": directory, "create_directory": true, "fsync": fsync, "recreate": true});
    let mut queue_storage = storage(&queue);
    queue_storage["compaction"] =
        json!({"on_start": true, "on_rebound": true, "directory": queue, "cleanup_on_start": true});
    Map::from_iter([
        (
            "file_storage/offsets".to_owned(),
            storage(&format!("{STATE_DIRECTORY}/offsets")),
        ),
        ("file_storage/queue".to_owned(), queue_storage),
        (
            LINES.to_owned(),
            json!({"encoding": "utf-8", "marshaling_separator": "\n"}),
        ),
    ])
}

fn health_check() -> Map<String, Value> {
    // Every address of the pod, of either family.
    let settings = json!({"endpoint": format!(":{HEALTH_PORT}")});
    Map::from_iter([("health_check".to_owned(), settings)])
}

fn telemetry() -> Value {
    let reader =
        json!({"pull": {"exporter": {"prometheus": {"host": "${env:POD_IP}", "port": METRICS_PORT}}}});
    json!({
        "logs": {"level": "info", "encoding": "json"},
        "metrics": {"level": "normal", "readers": [reader]},
    })
}
