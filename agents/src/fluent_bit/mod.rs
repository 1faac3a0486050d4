//! The Fluent Bit.

use crate::CompileError;
use crate::config::{AgentConfig, HostPath, HttpEndpoint, STATE_DIRECTORY};
use crate::pipeline::Pipeline;

/// Renders a pipeline as Fluent Bit's configuration.
pub fn render(pipeline: &Pipeline) -> Result<AgentConfig, CompileError> {
    Ok(AgentConfig {
        host_paths: vec![HostPath {
            name: "state".to_owned(),
            host_path: format!("{STATE_DIRECTORY}/{}/fluent-bit", pipeline.policy),
            mount_path: STATE_DIRECTORY.to_owned(),
            read_only: false,
        }],
        health: HttpEndpoint { port: 2020, path: "/".to_owned() },
        metrics: HttpEndpoint { port: 2020, path: "/api/v2/metrics/prometheus".to_owned() },
        ..AgentConfig::default()
    })
}
