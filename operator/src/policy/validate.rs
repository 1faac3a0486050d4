//! Judges a policy by what only the operator sees: whether it compiles, and whether what it names exists.

use tributary_agents::config::AgentConfig;
use tributary_agents::{compile, render};
use tributary_crds::names::AGENTS_NAMESPACE;
use tributary_crds::{LoggingPolicySpec, Reason};

use super::dereference::Inputs;

/// A policy that can run.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The node agent, when the policy asks for one.
    pub agent: Option<AgentConfig>,
}

/// Why a policy cannot run as it is. What runs of an earlier generation stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The code.
    pub reason: Reason,
    /// A sentence for the policy's author.
    pub message: String,
}

/// Judges.
pub fn validate(inputs: &Inputs) -> Result<Accepted, Rejection> {
    let spec = inputs.spec.as_ref().map_err(|error| Rejection {
        reason: Reason::Unreadable,
        message: format!("this version of Tributary cannot read the policy: {error}"),
    })?;
    if spec.node_agent.is_none() {
        return Ok(Accepted { agent: None });
    }
    let agent = compile_agent(&inputs.identity.name, spec)?;
    check_secrets(inputs, spec)?;
    Ok(Accepted { agent: Some(agent) })
}

fn compile_agent(name: &str, spec: &LoggingPolicySpec) -> Result<AgentConfig, Rejection> {
    compile(name, spec)
        .and_then(|pipeline| render(&pipeline))
        .map_err(|error| Rejection {
            reason: error.reason(),
            message: error.to_string(),
        })
}

fn check_secrets(inputs: &Inputs, spec: &LoggingPolicySpec) -> Result<(), Rejection> {
    for wanted in spec.secret_keys() {
        let Some(Some(secret)) = inputs.secrets.get(&wanted.name) else {
            return Err(Rejection {
                reason: Reason::SecretMissing,
                message: format!(
                    "create Secret {} in namespace {AGENTS_NAMESPACE}, with key {}",
                    wanted.name, wanted.key
                ),
            });
        };
        if !secret.keys.contains(&wanted.key) {
            return Err(Rejection {
                reason: Reason::SecretKeyMissing,
                message: format!(
                    "add key {} to Secret {} in namespace {AGENTS_NAMESPACE}",
                    wanted.key, wanted.name
                ),
            });
        }
    }
    Ok(())
}
