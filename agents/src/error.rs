//! Why a policy could not be turned into an agent's configuration.

use thiserror::Error;
use tributary_crds::Reason;
use tributary_crds::support::Refusal;

/// Why a policy could not be compiled or rendered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompileError {
    /// The policy asks for no agent.
    #[error("spec.nodeAgent is absent, so there is no agent to configure: add nodeAgent: {{}}")]
    NoNodeAgent,
    /// The policy asks for no agent sidecar.
    #[error("spec.agentSidecar is absent, so there is no sidecar to configure: add agentSidecar: {{}}")]
    NoAgentSidecar,
    /// An output that only an agent on the node can serve.
    #[error("{field} {problem}: {remedy}")]
    NotForSidecars {
        /// The path of the field, from `spec` on.
        field: String,
        /// What is wrong with it, continuing a sentence that starts with the field.
        problem: &'static str,
        /// What to write instead.
        remedy: &'static str,
    },
    /// A field holds something that no engine can be given.
    #[error("{field} {problem}: {remedy}")]
    Field {
        /// The path of the field, from `spec` on.
        field: String,
        /// What is wrong with it, continuing a sentence that starts with the field.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
    /// A field asks an engine for what it cannot do.
    #[error("{field}: {}: {}", refusal.problem, refusal.remedy)]
    Refused {
        /// The path of the field, from `spec` on.
        field: String,
        /// What the engine cannot do, and what to write.
        refusal: Refusal,
    },
    /// A document could not be written as YAML.
    #[error("cannot write {file} of policy {policy}: {cause}; report this as a defect of Tributary")]
    Serialize {
        /// The policy's name.
        policy: String,
        /// The file of the agent.
        file: &'static str,
        /// What the serializer said.
        cause: String,
    },
}

impl CompileError {
    /// The reason code for the policy's conditions and events.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NoNodeAgent | Self::NoAgentSidecar => Reason::NotRequested,
            Self::NotForSidecars { .. } => Reason::OutputNotForSidecars,
            Self::Field { .. } | Self::Refused { .. } | Self::Serialize { .. } => Reason::Unsupported,
        }
    }

    /// A complaint about one field.
    pub(crate) fn field(
        field: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Field {
            field: field.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}
