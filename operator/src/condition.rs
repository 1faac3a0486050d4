//! Conditions of a policy's status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use tributary_crds::Reason;
use tributary_crds::status::LoggingPolicyStatus;

/// What is said of one aspect.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Whether it is so.
    pub holds: bool,
    /// The code.
    pub reason: Reason,
    /// A sentence.
    pub message: String,
}

impl Finding {
    /// A finding.
    pub fn new(holds: bool, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            holds,
            reason,
            message: message.into(),
        }
    }

    /// The condition of this type about a generation of the policy. Where the status before said the same, its time stays.
    pub fn condition(
        self,
        kind: &str,
        generation: Option<i64>,
        before: &LoggingPolicyStatus,
        now: Timestamp,
    ) -> Condition {
        let status = if self.holds { "True" } else { "False" };
        let unchanged = find(before, kind).filter(|before| before.status == status);
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_string(),
            message: self.message,
            observed_generation: generation,
            // Whole seconds: that is what the API server keeps.
            last_transition_time: unchanged.map_or_else(
                || Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
                |before| before.last_transition_time.clone(),
            ),
        }
    }
}

/// The condition of this type.
pub fn find<'a>(status: &'a LoggingPolicyStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}
