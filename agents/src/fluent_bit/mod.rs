//! Fluent Bit, 5.1 or later.

mod data;
mod expressions;
mod outputs;
mod pieces;
mod program;
mod record;
mod sidecar;
mod sources;
mod steps;
mod tail;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::output::WhenFull;

use crate::CompileError;
use crate::config::{AgentConfig, CONFIG_DIRECTORY, HostPath, HttpEndpoint, STATE_DIRECTORY, host_paths};
use crate::pipeline::{Pipeline, Tls};
use crate::yaml;

pub use sidecar::Sidecar;

const FILE: &str = "fluent-bit.yaml";
const HTTP_PORT: u16 = 2020;

/// Renders a pipeline as Fluent Bit's configuration, its script and the script's data.
pub fn render(pipeline: &Pipeline) -> Result<AgentConfig, CompileError> {
    let (sections, secret_env) = outputs(pipeline)?;
    let text = yaml::write(&pipeline.policy, FILE, &document(pipeline, &sections))?;
    Ok(AgentConfig {
        files: BTreeMap::from([
            (FILE.to_owned(), text),
            (data::SCRIPT.to_owned(), data::SCRIPT_TEXT.to_owned()),
            (data::DATA.to_owned(), steps::data(pipeline)?),
        ]),
        args: vec![format!("--config={CONFIG_DIRECTORY}/{FILE}")],
        env: BTreeMap::new(),
        secret_env,
        secret_files: authorities(pipeline),
        host_paths: directories(pipeline),
        // Its uptime page; the page called health depends on the destinations.
        health: HttpEndpoint {
            port: HTTP_PORT,
            path: "/".to_owned(),
        },
        metrics: HttpEndpoint {
            port: HTTP_PORT,
            path: "/api/v2/metrics/prometheus".to_owned(),
        },
    })
}

/// The directories of the node that the agent sees, and the file by which the journal's reader knows which journal is the node's.
fn directories(pipeline: &Pipeline) -> Vec<HostPath> {
    let mut paths = host_paths(pipeline, "fluent-bit");
    if !pipeline.sources.units.is_empty() {
        paths.push(HostPath::same("machine-id", "/etc/machine-id", true));
    }
    paths
}

/// The Secrets that are read from files.
fn authorities(pipeline: &Pipeline) -> BTreeSet<SecretKeyRef> {
    pipeline
        .outputs
        .iter()
        .filter_map(|output| output.tls.as_ref())
        .flat_map(Tls::secrets)
        .cloned()
        .collect()
}

/// The entries of `pipeline.outputs`, and the variables of the environment that they name.
fn outputs(pipeline: &Pipeline) -> Result<(Vec<Value>, BTreeMap<String, SecretKeyRef>), CompileError> {
    let mut sections = Vec::new();
    let mut secret_env = BTreeMap::new();
    for (at, output) in pipeline.outputs.iter().enumerate() {
        let output = outputs::render(at, output)?;
        sections.push(output.section);
        secret_env.extend(output.secret_env);
    }
    Ok((sections, secret_env))
}

/// Whether reading stops while an output is behind.
fn blocks(pipeline: &Pipeline) -> bool {
    pipeline
        .outputs
        .iter()
        .any(|output| output.buffer.when_full == WhenFull::Block)
}

fn document(pipeline: &Pipeline, outputs: &[Value]) -> Value {
    let mut service = service(pipeline.memory_limit);
    service["http_server"] = json!("on");
    service["http_listen"] = json!("${POD_IP}");
    service["http_port"] = json!(HTTP_PORT);
    service["storage.metrics"] = json!("on");
    json!({
        "service": service,
        "parsers": record::parsers(),
        "multiline_parsers": pieces::parsers(),
        "pipeline": {
            "inputs": sources::inputs(&pipeline.sources, blocks(pipeline)),
            "filters": record::filters(pipeline),
            "outputs": outputs,
        },
    })
}

/// `memory_limit` is in bytes.
fn service(memory_limit: u64) -> Value {
    json!({
        "flush": "1",
        // Seconds in which it reads nothing, and waits for destinations. What they have not taken then is in files.
        "grace": "3",
        "log_level": "info",
        "scheduler.base": "1",
        "scheduler.cap": "30",
        "storage.path": format!("{STATE_DIRECTORY}/chunks"),
        "storage.sync": "normal",
        // With checksums, what was being written at a kill would be thrown away at the start.
        "storage.checksum": "off",
        "storage.max_chunks_up": chunks_up(memory_limit),
        "storage.backlog.mem_limit": "16M",
        "storage.delete_irrecoverable_chunks": "on",
    })
}

/// How many chunks, of at most some 2 MB each, may be in memory: a quarter of it.
fn chunks_up(memory_limit: u64) -> u64 {
    (memory_limit / 4 / (2 << 20)).max(8)
}
