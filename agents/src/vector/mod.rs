//! Vector, 0.57 or later.
//!
//! What a policy says about records is in programs of their own files, which Vector reads without putting secrets or variables into
//! them; the configuration itself only wires them up.

mod conditions;
mod credentials;
mod names;
mod outputs;
mod record;
mod refusal;
mod selection;
mod sources;
mod steps;
mod vrl;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::CompileError;
use crate::config::{AgentConfig, CONFIG_DIRECTORY, HttpEndpoint, STATE_DIRECTORY, host_paths};
use crate::pipeline::Pipeline;
use steps::Stage;

pub use refusal::check;

const FILE: &str = "vector.yaml";
const HEALTH_PORT: u16 = 8686;
const METRICS_PORT: u16 = 9598;

/// One transform, between sources and sinks.
struct Transform {
    name: String,
    /// Its settings, with its inputs.
    settings: Value,
    /// The program that it runs, where it runs one.
    program: Option<String>,
}

impl Transform {
    fn new(name: impl Into<String>, inputs: &[impl AsRef<str>], mut settings: Value) -> Self {
        settings["inputs"] = inputs.iter().map(AsRef::as_ref).collect();
        Self {
            name: name.into(),
            settings,
            program: None,
        }
    }

    /// One that runs a program on each record. `abort` drops the record; an error, of which there is none, would not.
    fn program(name: impl Into<String>, inputs: &[impl AsRef<str>], program: String) -> Self {
        let name = name.into();
        let file = format!("{CONFIG_DIRECTORY}/{}", program_file(&name));
        let settings = json!({"type": "remap", "file": file, "drop_on_abort": true, "drop_on_error": false});
        Self {
            program: Some(program),
            ..Self::new(name, inputs, settings)
        }
    }
}

fn program_file(transform: &str) -> String {
    format!("{transform}.vrl")
}

/// Renders a pipeline as Vector's configuration file and the programs that it names.
pub fn render(pipeline: &Pipeline) -> Result<AgentConfig, CompileError> {
    let (mut transforms, ends) = transforms(pipeline);
    let mut sinks = Map::new();
    for output in &pipeline.outputs {
        let (shape, sink) = outputs::render(pipeline, output, &ends)?;
        transforms.extend(shape);
        sinks.insert(outputs::sink_name(output), sink);
    }
    let mut files = BTreeMap::new();
    let mut wired = Map::new();
    for transform in transforms {
        if let Some(program) = transform.program {
            files.insert(program_file(&transform.name), program);
        }
        wired.insert(transform.name, transform.settings);
    }
    let document = document(pipeline, &wired, sinks);
    files.insert(
        FILE.to_owned(),
        credentials::write(&pipeline.policy, FILE, &document)?,
    );
    Ok(AgentConfig {
        files,
        args: vec![format!("--config={CONFIG_DIRECTORY}/{FILE}")],
        env: BTreeMap::from([
            // Kubernetes puts in the variable that it sets itself.
            ("VECTOR_SELF_NODE_NAME".to_owned(), "$(K8S_NODE_NAME)".to_owned()),
            // For what is on its way to the buffers on disk, which keep the rest. Nobody reads while an output that is away is waited for.
            ("VECTOR_GRACEFUL_SHUTDOWN_LIMIT_SECS".to_owned(), "5".to_owned()),
            ("VECTOR_LOG_FORMAT".to_owned(), "json".to_owned()),
        ]),
        secret_env: pipeline.aws_environment(),
        secret_files: pipeline.secrets(),
        host_paths: host_paths(pipeline, "vector"),
        health: HttpEndpoint {
            port: HEALTH_PORT,
            path: "/health".to_owned(),
        },
        metrics: HttpEndpoint {
            port: METRICS_PORT,
            path: "/metrics".to_owned(),
        },
    })
}

/// What every record passes, and the names of those that end the way.
fn transforms(pipeline: &Pipeline) -> (Vec<Transform>, Vec<String>) {
    let (mut transforms, mut ends) = sources::records(pipeline, pipeline.boundary());
    for (at, stage) in steps::stages(&pipeline.steps).into_iter().enumerate() {
        let transform = match stage {
            Stage::Program(program) => Transform::program(format!("steps-{at}"), &ends, program),
            Stage::Throttle(limit) => Transform::new(format!("throttle-{at}"), &ends, throttle(limit)),
        };
        ends = vec![transform.name.clone()];
        transforms.push(transform);
    }
    (transforms, ends)
}

fn throttle(limit: u32) -> Value {
    json!({
        "type": "throttle",
        "threshold": limit,
        "window_secs": 1,
        "key_field": format!("{{{{ {} }}}}", steps::MEASURE),
        "exclude": format!("!exists(.{})", steps::MEASURE),
    })
}

fn document(pipeline: &Pipeline, transforms: &Map<String, Value>, mut sinks: Map<String, Value>) -> Value {
    let mut sources = sources::render(pipeline);
    sources.insert("metrics".to_owned(), json!({"type": "internal_metrics"}));
    sinks.insert(
        "prometheus".to_owned(),
        json!({"type": "prometheus_exporter", "inputs": ["metrics"], "address": format!("0.0.0.0:{METRICS_PORT}")}),
    );
    let mut document = json!({
        "data_dir": STATE_DIRECTORY,
        "api": {"enabled": true, "address": format!("0.0.0.0:{HEALTH_PORT}")},
        // An output that is away is no reason not to start.
        "healthchecks": {"enabled": false},
        "sources": sources,
        "transforms": transforms,
        "sinks": sinks,
    });
    if document.to_string().contains(credentials::PLACE) {
        document["secret"] = credentials::backends();
    }
    document
}
