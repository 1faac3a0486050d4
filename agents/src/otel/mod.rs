//! The OpenTelemetry Collector, 0.158 or later, with the components of the contrib distribution.

mod confmap;
mod ottl;
mod outputs;
mod processors;
mod record;
mod sources;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::CompileError;
use crate::config::{AgentConfig, CONFIG_DIRECTORY, HttpEndpoint, STATE_DIRECTORY, host_paths};
use crate::pipeline::Pipeline;
use crate::yaml;

const FILE: &str = "otelcol.yaml";
const HEALTH_PORT: u16 = 13133;
const METRICS_PORT: u16 = 8888;
/// The extension that writes a record's body as a line.
const LINES: &str = "text_encoding/lines";
/// Hands every record to the pipeline of each output.
const FAN_OUT: &str = "forward/outputs";
const RECEIVER: &str = "file_log/containers";

/// Renders a pipeline as the collector's one configuration file.
pub fn render(pipeline: &Pipeline) -> Result<AgentConfig, CompileError> {
    let text = yaml::write(&pipeline.policy, FILE, &document(pipeline))?;
    Ok(AgentConfig {
        files: BTreeMap::from([(FILE.to_owned(), text)]),
        args: vec![
            format!("--config={CONFIG_DIRECTORY}/{FILE}"),
            // A position in a file is stored only after its lines are in the queues on disk, so that a kill loses none.
            "--feature-gates=stanza.synchronousLogEmitter".to_owned(),
        ],
        // The garbage collector works harder before the memory limiter has to hold the receiver back.
        env: BTreeMap::from([(
            "GOMEMLIMIT".to_owned(),
            (pipeline.memory_limit * 8 / 10).to_string(),
        )]),
        secret_env: BTreeMap::new(),
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

fn document(pipeline: &Pipeline) -> Value {
    let mut extensions = fixed_extensions();
    let common = common_processors(pipeline);
    let mut processors = Map::new();
    let mut exporters = Map::new();
    let mut pipelines = Map::new();
    pipelines.insert(
        "logs/containers".to_owned(),
        json!({"receivers": [RECEIVER], "processors": names(&common), "exporters": [FAN_OUT]}),
    );
    for output in &pipeline.outputs {
        let rendered = outputs::render(output);
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
    processors.extend(common);
    json!({
        "extensions": extensions,
        "receivers": {RECEIVER: sources::containers()},
        "processors": processors,
        "connectors": {FAN_OUT: {}},
        "exporters": exporters,
        "service": {
            "extensions": extensions.keys().collect::<Vec<_>>(),
            "telemetry": telemetry(),
            "pipelines": pipelines,
        },
    })
}

/// An output may be called `containers` too.
fn output_pipeline(name: &str) -> String {
    format!("to-{name}")
}

fn names(parts: &[(String, Value)]) -> Vec<&str> {
    parts.iter().map(|(name, _)| name.as_str()).collect()
}

/// What every record passes, in this order.
fn common_processors(pipeline: &Pipeline) -> Vec<(String, Value)> {
    let mut steps = vec![
        (
            "memory_limiter".to_owned(),
            processors::memory_limiter(pipeline.memory_limit),
        ),
        ("transform".to_owned(), processors::identify()),
        ("k8s_attributes".to_owned(), processors::k8s_attributes(pipeline)),
    ];
    if !pipeline.selection.is_empty() {
        steps.push(("filter".to_owned(), processors::keep_only(&pipeline.selection)));
    }
    if !pipeline.namespace_labels().is_empty() {
        steps.push((
            "resource".to_owned(),
            processors::forget_namespace_labels(pipeline),
        ));
    }
    steps
}

fn fixed_extensions() -> Map<String, Value> {
    let queue = format!("{STATE_DIRECTORY}/queue");
    let storage = |directory: &str| json!({"directory": directory, "create_directory": true, "fsync": true, "recreate": true});
    let mut queue_storage = storage(&queue);
    queue_storage["compaction"] =
        json!({"on_start": true, "on_rebound": true, "directory": queue, "cleanup_on_start": true});
    Map::from_iter([
        // Every address of the pod, of either family.
        (
            "health_check".to_owned(),
            json!({"endpoint": format!(":{HEALTH_PORT}")}),
        ),
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

fn telemetry() -> Value {
    let reader =
        json!({"pull": {"exporter": {"prometheus": {"host": "${env:POD_IP}", "port": METRICS_PORT}}}});
    json!({
        "logs": {"level": "info", "encoding": "json"},
        "metrics": {"level": "normal", "readers": [reader]},
    })
}
