//! From a policy to a checked pipeline.
//!
//! What the resource's schema refuses is refused here again: a policy may come from a file, or from a cluster whose schema
//! is of another version.

mod cloud;
mod condition;
mod credentials;
mod destination;
mod output;
mod sidecar;
mod source;
mod step;
mod template;
mod text;

use tributary_crds::output::Output as Wanted;
use tributary_crds::policy::{Engine, LoggingPolicySpec, NodeAgent};
use tributary_crds::quantity::ExactQuantity;
use tributary_crds::support::pattern_deed;

use crate::CompileError;
use crate::fluentd;
use crate::pipeline::{Destination, Output, Pipeline, Place};
use crate::selector;

pub use sidecar::{compile as compile_for_pods, least_memory};

/// The memory limit of an agent whose policy sets none, as the policy's documentation says.
const DEFAULT_MEMORY_LIMIT: u64 = 512 << 20;
/// An idle collector uses some 50 MiB; with less than this it would hold its receiver back all the time.
const LEAST_MEMORY_LIMIT: u64 = 128 << 20;

/// Compiles the node agent's part of a policy.
pub fn compile(policy_name: &str, spec: &LoggingPolicySpec) -> Result<Pipeline, CompileError> {
    let agent = spec.node_agent.as_ref().ok_or(CompileError::NoNodeAgent)?;
    check_name("metadata.name", policy_name)?;
    check_pattern("nodeAgent", agent.engine)?;
    check_image(agent, &spec.outputs)?;
    let mut selection = Vec::new();
    if let Some(namespaces) = &spec.selector.namespace_selector {
        selection.extend(selector::of_namespaces(
            "spec.selector.namespaceSelector",
            namespaces,
        )?);
    }
    if let Some(pods) = &spec.selector.pod_selector {
        selection.extend(selector::of_pods("spec.selector.podSelector", pods)?);
    }
    Ok(Pipeline {
        policy: policy_name.to_owned(),
        engine: agent.engine,
        place: Place::Node,
        sources: source::compile(&agent.sources, agent.engine)?,
        selection,
        steps: step::compile(&spec.processors, agent.engine)?,
        outputs: compile_outputs("nodeAgent", &spec.outputs, agent.engine)?,
        memory_limit: memory_limit(agent)?,
    })
}

/// Refuses an engine that cannot serve a pattern.
fn check_pattern(name: &str, engine: Engine) -> Result<(), CompileError> {
    match pattern_deed(name).refusal(engine) {
        Some(refusal) => Err(CompileError::Refused {
            field: format!("spec.{name}.engine"),
            refusal,
        }),
        None => Ok(()),
    }
}

/// Refuses outputs that need more than an engine's own images have, unless the policy names another one.
fn check_image(agent: &NodeAgent, outputs: &[Wanted]) -> Result<(), CompileError> {
    let own = agent.engine != Engine::Fluentd || agent.pod.image.is_some();
    match fluentd::image_refusal(outputs).filter(|_| !own) {
        Some(refusal) => Err(CompileError::Refused {
            field: "spec.outputs".to_owned(),
            refusal,
        }),
        None => Ok(()),
    }
}

/// Checks the outputs of a policy for an engine. `block` names what sends to them, for messages.
fn compile_outputs(block: &str, wanted: &[Wanted], engine: Engine) -> Result<Vec<Output>, CompileError> {
    if wanted.is_empty() {
        return Err(CompileError::field(
            "spec.outputs",
            "is empty",
            format!("add at least one output for {block} to send to"),
        ));
    }
    let mut outputs: Vec<Output> = Vec::with_capacity(wanted.len());
    for (index, output) in wanted.iter().enumerate() {
        let place = format!("spec.outputs[{index}]");
        if outputs.iter().any(|earlier| earlier.name == output.name) {
            let problem = format!("is {:?}, as an earlier output's", output.name);
            return Err(CompileError::field(
                format!("{place}.name"),
                problem,
                "give each output its own name",
            ));
        }
        let wanted = output;
        let output = output::compile(&place, wanted, engine)?;
        let is_file = matches!(output.destination, Destination::File { .. });
        if is_file
            && outputs
                .iter()
                .any(|earlier| earlier.destination == output.destination)
        {
            let field = format!("{place}.file.path");
            return Err(CompileError::field(
                field,
                "is also an earlier output's",
                "give each output its own file",
            ));
        }
        check_identity(&place, &outputs, wanted, &output, engine)?;
        outputs.push(output);
    }
    Ok(outputs)
}

/// Clients of AWS find an access key in the environment, which all outputs of an agent have in common; the collector's of Google
/// find a service account's key the same way.
fn check_identity(
    place: &str,
    earlier: &[Output],
    wanted: &Wanted,
    output: &Output,
    engine: Engine,
) -> Result<(), CompileError> {
    let destination = &output.destination;
    let of_aws = |to: &Destination| matches!(to, Destination::S3(_) | Destination::CloudWatch(_));
    let of_google = |to: &Destination| matches!(to, Destination::GoogleCloudLogging(_));
    let differs = |same: &dyn Fn(&Destination) -> bool, identity: &dyn Fn(&Output) -> bool| {
        same(destination)
            && earlier
                .iter()
                .any(|other| same(&other.destination) && identity(other))
    };
    let (field, provider) = if differs(&of_aws, &|other| {
        other.aws_credentials() != output.aws_credentials()
    }) {
        ("credentials", "AWS")
    } else if engine == Engine::OpenTelemetryCollector
        && differs(&of_google, &|other| other.google_key() != output.google_key())
    {
        ("credentialsSecretRef", "Google Cloud")
    } else {
        return Ok(());
    };
    let name = wanted
        .destination()
        .map_or("", |destination| destination.support().field);
    Err(CompileError::field(
        format!("{place}.{name}.{field}"),
        format!("are others than an earlier output's, but an agent has one identity in {provider}"),
        "write the same credentials for each output, or a policy of its own for this one",
    ))
}

fn memory_limit(agent: &NodeAgent) -> Result<u64, CompileError> {
    let Some(quantity) = agent
        .pod
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.get("memory"))
    else {
        return Ok(DEFAULT_MEMORY_LIMIT);
    };
    ExactQuantity::try_from(quantity)
        .ok()
        .and_then(ExactQuantity::in_units)
        .filter(|bytes| *bytes >= LEAST_MEMORY_LIMIT)
        .ok_or_else(|| {
            CompileError::field(
                "spec.nodeAgent.pod.resources.limits.memory",
                format!("is {:?}", quantity.0),
                "write a size of at least 128Mi",
            )
        })
}

fn check_name(field: &str, name: &str) -> Result<(), CompileError> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=40).contains(&name.len())
        && name.chars().all(valid)
        && !name.starts_with('-')
        && !name.ends_with('-')
    {
        return Ok(());
    }
    let remedy = "write at most 40 lower-case letters, digits and dashes, with a letter or digit at each end";
    Err(CompileError::field(field, format!("is {name:?}"), remedy))
}
