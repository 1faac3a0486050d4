//! The OpenTelemetry Collector.

use crate::CompileError;
use crate::config::{AgentConfig, HostPath, HttpEndpoint, STATE_DIRECTORY};
use crate::pipeline::Pipeline;

/// Renders a pipeline as the collector's one configuration file.
pub fn render(pipeline: &Pipeline) -> Result<AgentConfig, CompileError> {
    Ok(AgentConfig {
        host_paths: vec![HostPath {
            name: "state".to_owned(),
            host_path: format!("{STATE_DIRECTORY}/{}/otel", pipeline.policy),
            mount_path: STATE_DIRECTORY.to_owned(),
            read_only: false,
        }],
        health: HttpEndpoint { port: 13133, path: "/".to_owned() },
        metrics: HttpEndpoint { port: 8888, path: "/metrics".to_owned() },
        ..AgentConfig::default()
    })
}
