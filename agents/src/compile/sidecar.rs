//! The agent sidecar's part of a policy.

use tributary_crds::policy::{AgentSidecar, Engine, LoggingPolicySpec};
use tributary_crds::quantity::ExactQuantity;

use super::output::parse_buffer_size;
use super::{check_name, check_pattern, compile_outputs, step};
use crate::CompileError;
use crate::pipeline::{Destination, Output, Pipeline, Place, Sources, Tls};

/// The memory limit of a sidecar whose policy sets none, as the policy's documentation says.
const DEFAULT_MEMORY_LIMIT: u64 = 256 << 20;

/// The least memory, in bytes, with which an engine reads on rather than hold its inputs back all the time.
pub fn least_memory(engine: Engine) -> u64 {
    match engine {
        // Idle, they use some 50 MiB.
        Engine::OpenTelemetryCollector | Engine::Vector => 128 << 20,
        // Idle, it uses some 17 MiB.
        Engine::FluentBit => 64 << 20,
        // Idle, its two processes use some 80 MiB.
        Engine::Fluentd => 192 << 20,
    }
}

/// Compiles the agent sidecar's part of a policy. Which pods get one is not its business: the webhook has chosen them.
pub fn compile(policy_name: &str, spec: &LoggingPolicySpec) -> Result<Pipeline, CompileError> {
    let sidecar = spec.agent_sidecar.as_ref().ok_or(CompileError::NoAgentSidecar)?;
    check_name("metadata.name", policy_name)?;
    check_pattern("agentSidecar", sidecar.engine)?;
    let mut outputs = compile_outputs("agentSidecar", &spec.outputs, sidecar.engine)?;
    let max_size = parse_buffer_size("spec.agentSidecar.bufferSize", &sidecar.buffer_size)?;
    for (index, output) in outputs.iter_mut().enumerate() {
        check_output(&format!("spec.outputs[{index}]"), output, sidecar.engine)?;
        output.buffer.max_size = max_size;
    }
    Ok(Pipeline {
        policy: policy_name.to_owned(),
        engine: sidecar.engine,
        place: Place::Pod,
        sources: Sources::default(),
        selection: Vec::new(),
        steps: step::compile(&spec.processors, sidecar.engine)?,
        outputs,
        memory_limit: memory_limit(sidecar)?,
    })
}

/// Refuses what only an agent on the node can do.
fn check_output(place: &str, output: &Output, engine: Engine) -> Result<(), CompileError> {
    if matches!(output.destination, Destination::File { .. }) {
        return Err(CompileError::NotForSidecars {
            field: format!("{place}.file"),
            problem: "is a file of the node, which no pod may write",
            remedy: "write another output, or give agentSidecar a policy of its own",
        });
    }
    if engine == Engine::OpenTelemetryCollector
        && matches!(output.destination, Destination::GoogleCloudLogging(_))
    {
        return Err(CompileError::NotForSidecars {
            field: format!("{place}.googleCloudLogging"),
            problem: "needs an identity without which engine OpenTelemetryCollector does not start; the application would wait for it",
            remedy: "write another output, or give agentSidecar a policy of its own",
        });
    }
    let needs_credential = match output.destination {
        Destination::Splunk { .. } | Destination::Datadog { .. } => true,
        Destination::Kafka { .. } => output.auth.is_some(),
        _ => false,
    };
    if engine == Engine::FluentBit && needs_credential {
        return Err(CompileError::NotForSidecars {
            field: place.to_owned(),
            problem: "needs a credential without which engine FluentBit does not start; the application would wait for it",
            remedy: "write agentSidecar.engine: OpenTelemetryCollector",
        });
    }
    let unneeded = |tls: &Tls| tls.ca.is_none() && tls.client.is_none();
    if engine == Engine::FluentBit && !output.tls.as_ref().is_none_or(unneeded) {
        return Err(CompileError::NotForSidecars {
            field: format!("{place}.tls"),
            problem: "names a Secret that cannot be optional with engine FluentBit, which does not start without the file; the application would wait for it",
            remedy: "write agentSidecar.engine: OpenTelemetryCollector",
        });
    }
    Ok(())
}

fn memory_limit(sidecar: &AgentSidecar) -> Result<u64, CompileError> {
    let Some(quantity) = sidecar
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.get("memory"))
    else {
        return Ok(DEFAULT_MEMORY_LIMIT);
    };
    let least = least_memory(sidecar.engine);
    ExactQuantity::try_from(quantity)
        .ok()
        .and_then(ExactQuantity::in_units)
        .filter(|bytes| *bytes >= least)
        .ok_or_else(|| {
            CompileError::field(
                "spec.agentSidecar.resources.limits.memory",
                format!("is {:?}", quantity.0),
                format!("write a size of at least {}Mi", least >> 20),
            )
        })
}
