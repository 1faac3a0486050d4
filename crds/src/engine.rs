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
    /// Fluentd, 1.19 or later.
    Fluentd,
    /// Vector, 0.57 or later.
    Vector,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 4] = [
        Self::OpenTelemetryCollector,
        Self::FluentBit,
        Self::Fluentd,
        Self::Vector,
    ];

    /// The name as it is written in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenTelemetryCollector => "OpenTelemetryCollector",
            Self::FluentBit => "FluentBit",
            Self::Fluentd => "Fluentd",
            Self::Vector => "Vector",
        }
    }

    /// The image that runs when the policy names none.
    pub fn default_image(self) -> &'static str {
        match self {
            Self::OpenTelemetryCollector => {
                "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib:0.158.0"
            }
            Self::FluentBit => "cr.fluentbit.io/fluent/fluent-bit:5.1.1",
            // Each of Fluentd's images has the plugin of one backend; this one also serves those that need none.
            Self::Fluentd => {
                "docker.io/fluent/fluentd-kubernetes-daemonset:v1.19.3-debian-elasticsearch8-1.1"
            }
            // The only one with `journalctl`.
            Self::Vector => "docker.io/timberio/vector:0.57.0-debian",
        }
    }
}
