//! Compiles a policy to the configuration of a log agent. Everything here is pure.
//!
//! `LoggingPolicySpec` → [`pipeline::Pipeline`] (engine-neutral, checked) → [`config::AgentConfig`] (files, arguments, mounts).

mod cloud;
mod compile;
pub mod condition;
pub mod config;
mod error;
pub mod expression;
mod fluent_bit;
mod fluentd;
pub mod level;
pub mod multiline;
mod otel;
mod pattern;
pub mod pipeline;
pub mod redaction;
mod selector;
mod shipping;
pub mod sidecar;
pub mod step;
mod support;
pub mod template;
pub mod url;
mod vector;
mod yaml;

use tributary_crds::output::Output;
use tributary_crds::policy::{Engine, NodeAgent};

pub use compile::compile;
pub use error::CompileError;
pub use sidecar::compile_sidecar;

use config::AgentConfig;
use pipeline::Pipeline;

/// The image of a policy's node agent: what the policy names, or one that has what its outputs need.
pub fn node_image<'a>(agent: &'a NodeAgent, outputs: &[Output]) -> &'a str {
    match (&agent.pod.image, agent.engine) {
        (Some(image), _) => image,
        (None, Engine::Fluentd) => fluentd::image(outputs),
        (None, engine) => engine.default_image(),
    }
}

/// Renders a checked pipeline for its engine.
///
/// The same pipeline always gives the same bytes, so a hash of the result tells whether agents must be replaced.
pub fn render(pipeline: &Pipeline) -> Result<AgentConfig, CompileError> {
    match pipeline.engine {
        Engine::OpenTelemetryCollector => otel::render(pipeline),
        Engine::FluentBit => fluent_bit::render(pipeline),
        Engine::Fluentd => fluentd::render(pipeline),
        Engine::Vector => vector::render(pipeline),
    }
}
