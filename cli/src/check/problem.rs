//! Something that is wrong with a policy.

use crate::lines::{leading_path, pointer_of_dotted};

/// Something that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The JSON pointer of the field; empty for the policy as a whole.
    pub pointer: String,
    /// What is wrong and what to write, a sentence that begins with the field's path.
    pub message: String,
}

impl Problem {
    /// A problem whose message names its field first.
    pub fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            pointer: pointer_of_dotted(leading_path(&message)),
            message,
        }
    }

    /// Whether the field of one of both is within the field of the other. Of a policy as a whole nothing is within anything.
    pub fn touches(&self, other: &Self) -> bool {
        let within = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let (a, b) = (&self.pointer, &other.pointer);
        !a.is_empty() && !b.is_empty() && (within(a, b) || within(b, a))
    }
}
