//! Everything that can be said of a policy without a cluster and without an engine.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;
use tributary_crds::policy::{Format, Resources};
use tributary_crds::quantity::ExactQuantity;
use tributary_crds::{LoggingPolicy, LoggingPolicySpec};
use tributary_webhook::is_image;
use tributary_webhook::policies::PolicyIndex;

use super::compiling::{self, Block};
use super::problem::Problem;
use crate::documents::Document;
use crate::lines::{dotted, pointer_of};
use crate::schema;

/// A policy as it was judged.
pub struct Judged {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The specification, where it can be read.
    pub spec: Option<LoggingPolicySpec>,
}

/// Judges a policy by every rule.
pub fn judge(document: &Document, schema: &Value) -> Judged {
    let mut problems: Vec<Problem> = schema::misfits(&document.object, schema)
        .into_iter()
        .map(|misfit| Problem {
            message: format!("{}: {}", dotted(&misfit.pointer), misfit.problem),
            pointer: misfit.pointer,
        })
        .collect();
    let policy: LoggingPolicy = match serde_path_to_error::deserialize(&document.object) {
        Ok(policy) => policy,
        Err(error) => {
            if problems.is_empty() {
                let pointer = pointer_of(error.path());
                let message = format!("{}: {}", dotted(&pointer), error.inner());
                problems.push(Problem { pointer, message });
            }
            return Judged { problems, spec: None };
        }
    };
    add_new(&mut problems, of_spec(document.name(), &policy));
    Judged {
        problems,
        spec: Some(policy.spec),
    }
}

/// Adds what is wrong with fields of which nothing is said yet.
fn add_new(problems: &mut Vec<Problem>, more: Vec<Problem>) {
    let new = more
        .into_iter()
        .filter(|problem| !problems.iter().any(|known| known.touches(problem)));
    let new: Vec<Problem> = new.collect();
    problems.extend(new);
}

fn of_spec(name: &str, policy: &LoggingPolicy) -> Vec<Problem> {
    let spec = &policy.spec;
    let blocks = Block::ALL
        .into_iter()
        .filter(|block| block.engine(spec).is_some());
    let mut problems: Vec<Problem> = Vec::new();
    for problem in blocks.flat_map(|block| compiling::problems(block, name, spec)) {
        // Two engines may have different things to say of one field.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    add_new(&mut problems, of_name(name).into_iter().collect());
    add_new(&mut problems, of_patterns(spec));
    add_new(&mut problems, of_node_agent(spec));
    add_new(&mut problems, of_admission(policy));
    problems
}

fn of_name(name: &str) -> Option<Problem> {
    let is_long = name.len() > 40;
    (is_long || name.contains('.')).then(|| {
        Problem::new(format!(
            "metadata.name is {name:?}, which is part of other names: write at most 40 characters and no dots"
        ))
    })
}

/// Rules of the resource's schema that the compilers do not have.
fn of_patterns(spec: &LoggingPolicySpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut say = |message: &str| problems.push(Problem::new(message));
    let has_pattern = spec.node_agent.is_some()
        || spec.streaming_sidecar.is_some()
        || spec.agent_sidecar.is_some()
        || spec.direct.is_some();
    if !has_pattern {
        say("spec turns nothing on: add nodeAgent: {}, streamingSidecar: {}, agentSidecar: {} or direct: {}");
    }
    let streaming = spec.streaming_sidecar.as_ref();
    if streaming.is_some_and(|block| block.multiline.is_some() && block.format != Format::Json) {
        say(
            "spec.streamingSidecar.multiline needs a format that holds several lines together: write format: Json",
        );
    }
    let endpoint = spec.direct.as_ref().and_then(|direct| direct.endpoint.as_deref());
    if endpoint.is_some_and(|endpoint| !is_base_url(endpoint)) {
        say(
            "spec.direct.endpoint is no address to push to: write an http or https URL without credentials, such as http://collector.logging:4318",
        );
    }
    problems
}

fn is_base_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':']) && !rest.contains(['@', ' ']))
}

/// What the API server would refuse of the agent's pods, and what nodes could not start.
fn of_node_agent(spec: &LoggingPolicySpec) -> Vec<Problem> {
    let Some(block) = &spec.node_agent else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    if !is_share_of_nodes(&block.rollout.max_unavailable) {
        problems.push(Problem::new(
            "spec.nodeAgent.rollout.maxUnavailable: write how many nodes may be without their agent at once, at least one: a number such as 5, or a percentage such as 10%",
        ));
    }
    if let Some(image) = block.pod.image.as_deref().filter(|image| !is_image(image)) {
        problems.push(Problem::new(format!(
            "spec.nodeAgent.pod.image is {image:?}, which is no image's name: write REGISTRY/NAME:TAG"
        )));
    }
    if let Some(resources) = &block.pod.resources {
        problems.extend(of_resources("spec.nodeAgent.pod.resources", resources));
    }
    problems
}

fn is_share_of_nodes(share: &IntOrString) -> bool {
    match share {
        IntOrString::Int(number) => *number > 0,
        IntOrString::String(text) => {
            let percent = text
                .strip_suffix('%')
                .and_then(|digits| digits.parse::<u8>().ok());
            percent.is_some_and(|percent| (1..=100).contains(&percent))
        }
    }
}

fn of_resources(place: &str, resources: &Resources) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lists = [("requests", &resources.requests), ("limits", &resources.limits)];
    for (list, quantities) in lists {
        for (name, quantity) in quantities {
            let amount = ExactQuantity::try_from(quantity).ok();
            if amount.is_none_or(ExactQuantity::is_negative) {
                problems.push(Problem::new(format!(
                    "{place}.{list}.{name} is {:?}, which is no quantity: write one such as 500m or 512Mi",
                    quantity.0
                )));
            }
        }
    }
    for (name, request) in &resources.requests {
        let Some(limit) = resources.limits.get(name) else {
            continue;
        };
        let amounts = (ExactQuantity::try_from(request), ExactQuantity::try_from(limit));
        if let (Ok(asked), Ok(most)) = amounts
            && asked > most
        {
            problems.push(Problem::new(format!(
                "{place}.requests.{name} is {:?}, which is more than its limit {:?}: write a request that is not above the limit",
                request.0, limit.0
            )));
        }
    }
    problems
}

/// What admission would say of the blocks that are for pods, each by itself.
fn of_admission(policy: &LoggingPolicy) -> Vec<Problem> {
    let bare = LoggingPolicySpec {
        outputs: policy.spec.outputs.clone(),
        ..LoggingPolicySpec::default()
    };
    let spec = &policy.spec;
    let alone = [
        LoggingPolicySpec {
            streaming_sidecar: spec.streaming_sidecar.clone(),
            ..bare.clone()
        },
        LoggingPolicySpec {
            agent_sidecar: spec.agent_sidecar.clone(),
            processors: spec.processors.clone(),
            ..bare.clone()
        },
        LoggingPolicySpec {
            direct: spec.direct.clone(),
            ..bare.clone()
        },
        LoggingPolicySpec {
            selector: spec.selector.clone(),
            ..bare
        },
    ];
    let mut problems = Vec::new();
    for spec in alone {
        let name = policy.metadata.name.clone().unwrap_or_default();
        let alone = LoggingPolicy {
            spec,
            ..policy.clone()
        };
        let stored = BTreeMap::from([(name, Ok(alone))]);
        let index = PolicyIndex::compile(&stored);
        problems.extend(index.problems().map(|(_, problem)| {
            // Some name a block without saying that it is part of the specification, and some no field at all.
            let named = ["streamingSidecar", "agentSidecar", "direct"];
            if named.iter().any(|block| problem.starts_with(block)) {
                Problem::new(format!("spec.{problem}"))
            } else if let Some(rest) = problem.strip_prefix("has a selector that") {
                Problem::new(format!("spec.selector has something that{rest}"))
            } else {
                Problem::new(problem)
            }
        }));
    }
    problems
}
