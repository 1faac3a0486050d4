//! Vector.

use crate::CompileError;
use crate::config::AgentConfig;
use crate::pipeline::Pipeline;

/// Renders a pipeline.
pub fn render(_: &Pipeline) -> Result<AgentConfig, CompileError> {
    Ok(AgentConfig::default())
}
