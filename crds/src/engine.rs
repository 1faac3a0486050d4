//! The programs that collect and ship.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A log agent program.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum Engine {
    /// The OpenTelemetry Collector (contrib distribution), 0.158 or later.
    #[default]
    OpenTelemetryCollector,
    /// Fluent Bit, 5.1 or later.
    FluentBit,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::OpenTelemetryCollector, Self::FluentBit];

    /// The name as it is written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenTelemetryCollector => "OpenTelemetryCollector",
            Self::FluentBit => "FluentBit",
        }
    }

    /// The image that runs when the policy names none.
    pub fn default_image(self) -> &'static str {
        match self {
            Self::OpenTelemetryCollector => {
                "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib:0.158.0"
            }
            Self::FluentBit => "cr.fluentbit.io/fluent/fluent-bit:5.1.1",
        }
    }
}
