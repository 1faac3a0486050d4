//! The patterns that pods ask for by annotation, and by which label one sees that they got them.

use tributary_crds::LoggingPolicySpec;
use tributary_crds::annotation::{DIRECT, SHIP, STREAM, TAIL_OF_LOGGING_OPERATOR, TAILING_SIDECAR};
use tributary_crds::names::label;

/// A pattern of which the webhook gives to pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Sidecars that print files.
    Streaming,
    /// A sidecar that ships files.
    Agent,
    /// The address to push to.
    Direct,
}

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Streaming, Self::Agent, Self::Direct];

    /// The annotations that ask for it.
    pub fn annotations(self) -> &'static [&'static str] {
        match self {
            Self::Streaming => &[STREAM, TAIL_OF_LOGGING_OPERATOR, TAILING_SIDECAR],
            Self::Agent => &[SHIP],
            Self::Direct => &[DIRECT],
        }
    }

    /// The label of pods that got it; its value is the policy's name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Streaming => label::STREAMING,
            Self::Agent => label::AGENT,
            Self::Direct => label::DIRECT,
        }
    }

    /// Whether the policy has the block that turns it on.
    pub fn is_on(self, spec: &LoggingPolicySpec) -> bool {
        match self {
            Self::Streaming => spec.streaming_sidecar.is_some(),
            Self::Agent => spec.agent_sidecar.is_some(),
            Self::Direct => spec.direct.is_some(),
        }
    }
}
