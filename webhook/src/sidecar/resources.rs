//! CPU, memory and disk of a sidecar: what it gets by default, and what policies and annotations ask for instead.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use tributary_crds::policy::Resources;
use tributary_crds::quantity::{ExactQuantity, NotAQuantity};

use crate::limits::amounts::{Amounts, RequestsAndLimits, Resource};

const MIB: u64 = 1 << 20;

/// What a sidecar asks for where nobody says anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// What is reserved for it, and what it may use.
    pub amounts: RequestsAndLimits,
    /// Limits below which it would not run well enough to be any use, or would not start.
    pub least_limits: Amounts,
    /// Whether its CPU is limited only where something asks for a limit.
    pub cpu_is_free: bool,
}

/// The resources that a policy or an annotation asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SidecarResources {
    /// Only what is said.
    pub asked: RequestsAndLimits,
}

/// Resources that a sidecar cannot have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuantityError {
    /// A text that is no quantity.
    #[error("{resource}: {problem}")]
    Unreadable {
        /// Of what.
        resource: String,
        /// What is wrong.
        problem: NotAQuantity,
    },
    /// Less than nothing.
    #[error("{resource}: {quantity} is less than nothing; write one such as 100m or 32Mi")]
    Negative {
        /// Of what.
        resource: String,
        /// As it is written.
        quantity: String,
    },
    /// A resource that a sidecar has no use for.
    #[error("{resource:?} is nothing for a sidecar; write cpu, memory or ephemeral-storage")]
    Unknown {
        /// Its name.
        resource: String,
    },
}

impl Defaults {
    /// Of a streaming sidecar. It holds a few buffers: 2 MB with one file, 4 MB with a hundred. Less than 12Mi is refused by some
    /// container runtimes.
    pub fn of_streamer() -> Self {
        Self {
            amounts: RequestsAndLimits {
                requests: amounts(5, 16 * MIB, MIB),
                limits: amounts(100, 32 * MIB, OWN_LOGS),
            },
            least_limits: amounts(10, 12 * MIB, OWN_LOGS),
            cpu_is_free: false,
        }
    }

    /// Of an agent sidecar that keeps up to `buffers` bytes on the pod's disk, and needs `least_memory` bytes.
    pub fn of_agent(least_memory: u64, buffers: u64) -> Self {
        let disk = OWN_LOGS.saturating_add(buffers);
        Self {
            amounts: RequestsAndLimits {
                requests: amounts(10, 128 * MIB, MIB),
                limits: amounts(200, 256 * MIB, disk),
            },
            least_limits: amounts(50, least_memory, disk),
            cpu_is_free: true,
        }
    }
}

/// Room for a sidecar's own stdout as the kubelet keeps it: five files of 10 MiB by default, and one being compressed.
const OWN_LOGS: u64 = 128 * MIB;

/// Thousandths of a CPU, bytes of memory and of disk.
fn amounts(cpu: u32, memory: u64, disk: u64) -> Amounts {
    let mut amounts = Amounts::default();
    amounts.set(Resource::Cpu, ExactQuantity::thousandths(cpu));
    amounts.set(Resource::Memory, ExactQuantity::bytes(memory));
    amounts.set(Resource::Disk, ExactQuantity::bytes(disk));
    amounts
}

impl SidecarResources {
    /// Takes what a policy or an annotation says, if every value is an amount of something that a sidecar uses.
    pub fn compile(resources: Option<&Resources>) -> Result<Self, QuantityError> {
        let Some(resources) = resources else {
            return Ok(Self::default());
        };
        let asked = RequestsAndLimits {
            requests: read(&resources.requests)?,
            limits: read(&resources.limits)?,
        };
        Ok(Self { asked })
    }
}

fn read(quantities: &BTreeMap<String, Quantity>) -> Result<Amounts, QuantityError> {
    let mut amounts = Amounts::default();
    for (name, quantity) in quantities {
        let resource = || name.clone();
        let known = Resource::named(name).ok_or_else(|| QuantityError::Unknown { resource: resource() })?;
        let amount = ExactQuantity::try_from(quantity).map_err(|problem| QuantityError::Unreadable {
            resource: resource(),
            problem,
        })?;
        if amount.is_negative() {
            return Err(QuantityError::Negative {
                resource: resource(),
                quantity: quantity.0.clone(),
            });
        }
        amounts.set(known, amount);
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amounts_of_what_a_sidecar_uses_are_taken() {
        let compile = |json: &str| SidecarResources::compile(Some(&serde_json::from_str(json).unwrap()));
        let asked = compile(r#"{"requests":{"cpu":"0.5"},"limits":{"ephemeral-storage":"1048576k"}}"#)
            .unwrap()
            .asked;
        assert_eq!(asked.requests.or_zero(Resource::Cpu).to_string(), "500m");
        assert_eq!(asked.limits.or_zero(Resource::Disk).to_string(), "1000Mi");
        for (json, problem) in [
            (
                r#"{"limits":{"cpu":"lots"}}"#,
                "cpu: \"lots\" is no quantity; write one such as 100m or 32Mi",
            ),
            (
                r#"{"requests":{"memory":"-1Mi"}}"#,
                "memory: -1Mi is less than nothing; write one such as 100m or 32Mi",
            ),
            (
                r#"{"limits":{"nvidia.com/gpu":"1"}}"#,
                "\"nvidia.com/gpu\" is nothing for a sidecar; write cpu, memory or ephemeral-storage",
            ),
        ] {
            assert_eq!(compile(json).unwrap_err().to_string(), problem);
        }
    }
}
